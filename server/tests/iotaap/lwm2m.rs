//! Devices of IoTaaP that are on LwM2M: an OTA is their target (contract E).

use std::time::Duration;

use fotalab_wire::coap::Code;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{Iotaap, played::Device, text};

async fn device(iotaap: &Iotaap, id: &Value) -> Device {
    let coap = iotaap.world.running.coap().expect("devices may come");
    let device = Device::new(&iotaap.network, iotaap.clock, coap);
    let query = format!("ep=iotaap-{}&lwm2m=1.0&lt=60", text(id));
    assert_eq!(device.register(&query).await.0, Code::CREATED);
    device
}

async fn updates(iotaap: &Iotaap, id: &Value) -> Vec<Value> {
    let path = format!("/devices/iotaap-{}", text(id));
    let shown = iotaap
        .world
        .admin(http::Method::GET, &path, &Value::Null)
        .await
        .json();
    shown["firmwareUpdates"].as_array().expect("a list").clone()
}

#[tokio::test(start_paused = true)]
async fn an_ota_is_a_target() {
    let iotaap = Iotaap::new().await;
    let own = iotaap.make("devices").await;
    let group = iotaap.make("groups").await;
    let image = vec![7; 3_000];
    let played = device(&iotaap, &own["_id"]).await;
    sleep(Duration::from_secs(30)).await;
    assert_eq!(updates(&iotaap, &own["_id"]).await, Vec::<Value>::new());
    iotaap.deploy("device", &own, "2.0.0", &image).await;
    sleep(Duration::from_secs(10)).await;
    assert_eq!(
        updates(&iotaap, &own["_id"]).await.len(),
        0,
        "it has not reported since"
    );
    let query = format!("ep=iotaap-{}&lwm2m=1.0&lt=60", text(&own["_id"]));
    played.register(&query).await;
    sleep(Duration::from_secs(60)).await;
    let all = updates(&iotaap, &own["_id"]).await;
    assert_eq!(all.len(), 1);
    assert_eq!(all[0]["state"], "succeeded");
    assert!(played.script().image == image);
    // In a group the group's counts, never its own.
    iotaap.join(&own, &group).await;
    played.script().next_version = "1.5.0".into();
    iotaap.deploy("device", &own, "3.0.0", &[1; 100]).await;
    iotaap.deploy("group", &group, "1.5.0", &[2; 100]).await;
    played.register(&query).await;
    sleep(Duration::from_secs(60)).await;
    let all = updates(&iotaap, &own["_id"]).await;
    assert_eq!((all.len(), &all[1]["state"]), (2, &json!("succeeded")));
    assert_eq!(played.script().image, [2; 100]);
    played.register(&query).await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(
        updates(&iotaap, &own["_id"]).await.len(),
        2,
        "it runs what it shall"
    );
}

#[tokio::test(start_paused = true)]
async fn what_failed_is_not_tried_again_until_something_is_deployed() {
    let iotaap = Iotaap::new().await;
    let own = iotaap.make("devices").await;
    iotaap.deploy("device", &own, "2.0.0", &[7; 300]).await;
    let played = device(&iotaap, &own["_id"]).await;
    played.script().next_version = "1.0.0".into();
    let query = format!("ep=iotaap-{}&lwm2m=1.0&lt=60", text(&own["_id"]));
    for _ in 0..3 {
        sleep(Duration::from_secs(300)).await;
        played.register(&query).await;
    }
    let all = updates(&iotaap, &own["_id"]).await;
    assert_eq!((all.len(), &all[0]["state"]), (1, &json!("failed")));
    played.script().next_version = "2.0.0".into();
    iotaap.deploy("device", &own, "2.0.0", &[7; 300]).await;
    played.register(&query).await;
    sleep(Duration::from_secs(300)).await;
    let all = updates(&iotaap, &own["_id"]).await;
    assert_eq!((all.len(), &all[1]["state"]), (2, &json!("succeeded")));
}
