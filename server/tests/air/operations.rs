//! Operations on a device, by the admin face; queue mode; events; firmware for anybody.

use std::time::Duration;

use fotalab_wire::coap::{Code, Request, message::number};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{Air, image_of};

pub(crate) async fn operate(air: &Air, operation: &str, path: &str, value: Value) -> (u16, Value) {
    let mut body = json!({"operation": operation, "path": path});
    if !value.is_null() {
        body["value"] = value;
    }
    air.post("/devices/d/operations", body).await
}

#[tokio::test(start_paused = true)]
async fn each_operation_gives_the_devices_code() {
    let air = Air::virtually().await;
    let device = air.device();
    device.register("ep=d&lwm2m=1.0").await;
    for (operation, path, value, expected) in [
        (
            "read",
            "/3/0/3",
            Value::Null,
            json!({"code": "2.05", "contentFormat": 0, "value": "1.0.0"}),
        ),
        (
            "read",
            "/5/0/3",
            Value::Null,
            json!({"code": "2.05", "contentFormat": 0, "value": 0}),
        ),
        ("read", "/5/0/7", Value::Null, json!({"code": "4.04"})),
        (
            "observe",
            "/5/0/3",
            Value::Null,
            json!({"code": "2.05", "contentFormat": 0, "value": 0}),
        ),
        ("write", "/1/0/1", json!(20), json!({"code": "2.04"})),
        ("execute", "/3/0/4", Value::Null, json!({"code": "4.05"})),
        ("discover", "/5", Value::Null, json!({"code": "4.04"})),
    ] {
        let answer = operate(&air, operation, path, value).await;
        assert_eq!(answer, (200, expected), "{operation} {path}");
    }
    for (operation, path, value) in [
        ("erase", "/5/0/3", Value::Null),
        ("read", "5/0", Value::Null),
        ("write", "/1/0/1", json!("x")),
        ("write", "/1/0/1", Value::Null),
    ] {
        let (status, problem) = operate(&air, operation, path, value).await;
        assert_eq!(
            (status, &problem["title"]),
            (400, &json!("Validation failed"))
        );
    }
    let nobody = air
        .post(
            "/devices/x/operations",
            json!({"operation": "read", "path": "/3"}),
        )
        .await;
    assert_eq!(nobody.0, 404);
}

#[tokio::test(start_paused = true)]
async fn x_fw_s05_int_109_a_sleeping_device_is_asked_when_it_wakes() {
    let air = Air::virtually().await;
    let device = air.device();
    let (_, created) = device.register("ep=d&lwm2m=1.1&Q").await;
    let location: Vec<String> = created
        .options
        .iter()
        .filter(|(option, _)| *option == number::LOCATION_PATH)
        .map(|(_, it)| String::from_utf8_lossy(it).into_owned())
        .collect();
    sleep(Duration::from_secs(100)).await;
    let before = device.script().datagrams;
    let read = operate(&air, "read", "/3/0/3", Value::Null);
    let wakes = async {
        sleep(Duration::from_secs(20)).await;
        assert_eq!(device.script().datagrams, before, "it was not left alone");
        // The admin face says why nothing happens.
        let registration = air.get("/devices/d").await["registration"].clone();
        assert_eq!(registration["asleep"], true);
        assert_eq!(registration["awakeUntil"], "2023-11-14T22:14:53.000Z");
        assert_eq!(registration["asking"], Value::Null);
        assert_eq!(registration["queued"], json!(["Read /3/0/3"]));
        device.ask(Request::post(&location.join("/"), "")).await
    };
    let (read, (code, _)) = tokio::join!(read, wakes);
    assert_eq!(code, Code::CHANGED);
    assert_eq!(read.1["value"], "1.0.0");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_a_sleeper_missed_waits_without_a_storm() {
    let air = Air::virtually().await;
    let device = air.device();
    device.register("ep=d&lwm2m=1.1&Q").await;
    sleep(Duration::from_secs(1)).await;
    let before = device.script().datagrams;
    device.script().deaf = true;
    let (status, _) = operate(&air, "read", "/3/0/3", Value::Null).await;
    assert_eq!(status, 504);
    sleep(Duration::from_secs(600)).await;
    assert_eq!(device.script().datagrams - before, 5);
}

#[tokio::test(start_paused = true)]
async fn x_fw_s32_s33_firmware_in_any_block_and_size() {
    let air = Air::virtually().await;
    let device = air.device();
    let bytes = image_of(3_000);
    let image = air.image(&bytes).await;
    let path = format!("/fw/{}", image["id"].as_str().expect("an id"));
    let (code, whole) = device.ask(Request::get(&path)).await;
    assert_eq!((code, whole.payload.as_ref()), (Code::CONTENT, &bytes[..]));
    let etag = whole.options.first(number::ETAG).expect("an ETag").to_vec();
    assert_eq!(etag.len(), 8);
    let mut again = Request::get(&path);
    again.options.push(number::ETAG, &etag);
    assert_eq!(device.ask(again).await.0, Code::VALID);
    assert_eq!(
        device.ask(Request::get("/fw/other")).await.0,
        Code::NOT_FOUND
    );
    assert_eq!(
        device.ask(Request::put(&path, "x")).await.0,
        Code::NOT_FOUND
    );
}

#[tokio::test(start_paused = true)]
async fn events_tell_what_happens_as_it_happens() {
    let air = Air::virtually().await;
    let device = air.device();
    let mut events = air.events().await;
    device.register("ep=d&lwm2m=1.0").await;
    assert_eq!(
        events.next().await,
        ("registered".into(), json!({"endpoint": "d"}))
    );
    let send = Request::post("/dp", r#"[{"n":"/5/0/3","v":2}]"#).format(110);
    assert_eq!(device.ask(send).await.0, Code::CHANGED);
    let expected = r#"{"endpoint":"d","path":"/5/0/3","value":2,"by":"send"}"#;
    let (event, document) = events.next().await;
    assert_eq!(
        (event.as_str(), document.to_string()),
        ("notification", expected.to_owned())
    );
}
