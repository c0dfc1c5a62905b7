//! Rows of contract 3.7 that need the air, each under its id.

use std::time::Duration;

use fotalab_wire::coap::{
    BlockSize, Code, Kind, Message, Request,
    message::{Options, number},
};
use http::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    Air,
    device::{Device, Reply},
    image_of,
};

const LENGTH: usize = 20_000;

/// The device once `holds` does.
async fn until(device: &Device, holds: impl Fn(&crate::device::Script) -> bool) {
    for _ in 0..100_000 {
        if holds(&device.script()) {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("it never held");
}

/// The update has succeeded, its image is there, and Execute came once.
async fn succeeds(air: &Air, device: &Device, id: &str) {
    let update = air.ended(id).await;
    assert_eq!(update["state"], "succeeded", "{update:#}");
    assert!(device.script().image == image_of(LENGTH), "another image");
    assert_eq!(device.count("POST /5/0/2"), 1, "{update:#}");
}

#[tokio::test(start_paused = true)]
async fn x_fw_s07_a_late_answer_to_the_first_block_is_waited_for() {
    // With an empty acknowledgement after a second, and without any.
    for acknowledge_after in [1, 600] {
        let air = Air::virtually().await;
        let device = Device::adjusted(&air.network, air.clock, air.coap, |config| {
            config.parameters.acknowledge_after = Duration::from_secs(acknowledge_after);
        });
        device.script().erase = Some(Duration::from_secs(20));
        device.register("ep=d&lwm2m=1.0").await;
        let image = air.image(&image_of(LENGTH)).await;
        let id = air.update(&image, "push").await;
        succeeds(&air, &device, &id).await;
        assert_eq!(device.count("PUT /5/0/0"), 1, "a second transfer");
        assert_eq!(device.script().blocks.len(), LENGTH.div_ceil(1_024));
    }
}

#[tokio::test(start_paused = true)]
async fn x_fw_s08_smaller_blocks_go_on_where_the_first_ended() {
    let air = Air::virtually().await;
    let device = Device::adjusted(&air.network, air.clock, air.coap, |config| {
        config.block_size = BlockSize::at_most(256);
    });
    device.register("ep=d&lwm2m=1.0").await;
    let image = air.image(&image_of(LENGTH)).await;
    let id = air.update(&image, "push").await;
    succeeds(&air, &device, &id).await;
    let blocks = device.script().blocks.clone();
    assert_eq!(blocks[..3], [(0, 1_024), (1_024, 256), (1_280, 256)]);
}

#[tokio::test(start_paused = true)]
async fn x_fw_s15_a_network_slower_than_ack_timeout_is_no_failure() {
    for transfer in ["push", "pull"] {
        let air = Air::slow(Duration::from_secs(4)).await;
        let device = air.device();
        device.register("ep=d&lwm2m=1.0").await;
        let image = air.image(&image_of(LENGTH)).await;
        let id = air.update(&image, transfer).await;
        succeeds(&air, &device, &id).await;
        let transfers = device.count("PUT /5/0/0") + device.count("PUT /5/0/1");
        assert_eq!(transfers, 1, "{transfer}");
    }
}

#[tokio::test(start_paused = true)]
async fn x_fw_s16_a_device_that_moved_begins_again_after_its_register() {
    for secured in [false, true] {
        let air = Air::slow(Duration::from_millis(200)).await;
        air.put("/devices/s", json!({"psk": "00ff"})).await;
        let device = match secured {
            true => air.secured("s", &[0, 255]),
            false => air.device(),
        };
        let name = if secured { "s" } else { "d" };
        let register = format!("ep={name}&lwm2m=1.0");
        device.register(&register).await;
        let image = air.image(&image_of(LENGTH)).await;
        let body =
            json!({"device": name, "image": image["id"], "transfer": "push", "version": "2.0.0"});
        let (_, update) = air.post("/updates", body).await;
        until(&device, |it| it.blocks.len() >= 5).await;
        {
            let mut script = device.script();
            script.moves = true;
            script.loses_session = true;
        }
        sleep(Duration::from_secs(5)).await;
        assert_eq!(device.register(&register).await.0, Code::CREATED);
        succeeds(&air, &device, update["id"].as_str().expect("an id")).await;
        assert_eq!(device.count("PUT /5/0/0"), 2, "secured: {secured}");
    }
}

#[tokio::test(start_paused = true)]
async fn x_fw_s17_a_transfer_keeps_a_registration_alive() {
    let air = Air::slow(Duration::from_secs(4)).await;
    let device = air.device();
    device.register("ep=d&lwm2m=1.0&lt=2").await;
    let image = air.image(&image_of(LENGTH)).await;
    let id = air.update(&image, "push").await;
    // Twenty blocks of eight seconds: longer than the lifetime and its grace.
    until(&device, |it| it.blocks.len() == LENGTH.div_ceil(1_024)).await;
    succeeds(&air, &device, &id).await;
    assert_eq!(device.count("PUT /5/0/0"), 1);
}

#[tokio::test(start_paused = true)]
async fn x_fw_s18_a_new_registration_ends_the_old_transfer() {
    let air = Air::slow(Duration::from_secs(1)).await;
    let device = air.device();
    device.register("ep=d&lwm2m=1.0").await;
    let image = air.image(&image_of(LENGTH)).await;
    let id = air.update(&image, "push").await;
    until(&device, |it| it.blocks.len() >= 5).await;
    device.script().values.insert("/5/0/3", "0".into());
    assert_eq!(device.register("ep=d&lwm2m=1.0").await.0, Code::CREATED);
    succeeds(&air, &device, &id).await;
    let offsets: Vec<usize> = device.script().blocks.iter().map(|it| it.0).collect();
    let again = offsets.iter().rposition(|it| *it == 0).expect("a block 0");
    assert!(again > 0);
    // Nothing of the old one came after the new one had begun.
    assert!(offsets[again..].is_sorted(), "{offsets:?}");
}

#[tokio::test(start_paused = true)]
async fn x_fw_s26_an_older_notification_is_not_believed() {
    let air = Air::virtually().await;
    let device = air.device();
    device.register("ep=d&lwm2m=1.1").await;
    let reply = Reply::with(Code::CONTENT, 0, "0");
    device.script().instead.insert("OBSERVE /5/0/3", reply);
    let observe = json!({"operation": "observe", "path": "/5/0/3"});
    assert_eq!(air.post("/devices/d/operations", observe).await.0, 200);
    let token = device.script().requests[0].token;
    let mut events = air.events().await;
    // By the sequence in Observe 1 comes before 2, whenever it arrives; the same again is old too.
    for (id, sequence, state) in [
        (1, 1_002, "2"),
        (2, 1_001, "1"),
        (3, 1_002, "2"),
        (4, 1_003, "3"),
    ] {
        let mut options = Options::new();
        options.push_uint(number::OBSERVE, sequence);
        options.push_uint(number::CONTENT_FORMAT, 0);
        let notification = Message {
            token,
            options,
            payload: state.into(),
            ..Message::new(Kind::NonConfirmable, Code::CONTENT, id)
        };
        device.script().raw.push(notification.to_bytes().to_vec());
    }
    device.wake();
    assert_eq!(events.next_of("notification").await["value"], 2);
    assert_eq!(events.next_of("notification").await["value"], 3);
}

#[tokio::test(start_paused = true)]
async fn x_fw_s33_nobody_is_told_which_images_there_are() {
    let air = Air::virtually().await;
    let image = air.image(&image_of(3_000)).await;
    let id = image["id"].as_str().expect("an id");
    let stranger = air.device();
    for path in [
        "/fw",
        "/fw/",
        "/fw/x",
        "/.well-known/core",
        "/rd",
        &id[..id.len() - 1],
    ] {
        let (code, answer) = stranger.ask(Request::get(path)).await;
        assert_eq!(code.class(), 4, "{path}");
        assert!(
            !String::from_utf8_lossy(&answer.payload).contains(id),
            "{path}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn x_fw_s36_an_image_larger_than_the_slot_is_never_sent() {
    let air = Air::virtually().await;
    air.put("/devices/d", json!({"slot": 10_000})).await;
    let device = air.device();
    device.register("ep=d&lwm2m=1.0").await;
    let image = air.image(&image_of(LENGTH)).await;
    let id = air.update(&image, "push").await;
    assert_eq!(air.ended(&id).await["state"], "failed");
    assert_eq!(device.count("PUT /5/0/0"), 0);
}

async fn delete(air: &Air, id: &str) -> (u16, Value) {
    let path = format!("/updates/{id}");
    let answer = air.world.admin(Method::DELETE, &path, &Value::Null).await;
    (answer.status, answer.json())
}

#[tokio::test(start_paused = true)]
async fn x_fw_s37_an_update_is_cancelled_as_the_object_has_it() {
    for (list, transfer, wanted) in [
        ("</1/0>,</3/0>,</5>;ver=1.0,</5/0>", "pull", "PUT /5/0/1"),
        ("</1/0>,</3/0>,</5>;ver=1.1,</5/0>", "pull", "POST /5/0/10"),
        ("</1/0>,</3/0>,</5>;ver=1.0,</5/0>", "push", "PUT /5/0/1"),
        ("</1/0>,</3/0>,</5>;ver=1.1,</5/0>", "push", "POST /5/0/10"),
    ] {
        let air = Air::slow(Duration::from_secs(1)).await;
        let device = air.device();
        device.script().list = Some(list);
        device.register("ep=d&lwm2m=1.1").await;
        let image = air.image(&image_of(100_000)).await;
        let id = air.update(&image, transfer).await;
        until(&device, |it| it.values["/5/0/3"] == "1").await;
        sleep(Duration::from_secs(5)).await;
        let before = device.count(wanted);
        let (status, update) = delete(&air, &id).await;
        assert_eq!(status, 200, "{update}");
        let update = air.ended(&id).await;
        let last = update["history"].as_array().expect("a history").last();
        let detail = last.and_then(|it| it["detail"].as_str()).expect("a detail");
        assert!(detail.starts_with("cancelled"), "{update:#}");
        assert_eq!(device.count(wanted), before + 1, "{list} {transfer}");
        let blocks = device.script().blocks.len();
        sleep(Duration::from_secs(600)).await;
        assert_eq!(device.script().blocks.len(), blocks, "it is pushed still");
        assert_eq!(device.count("POST /5/0/2"), 0);
        assert_eq!(delete(&air, &id).await.0, 409);
    }
    let air = Air::virtually().await;
    assert_eq!(delete(&air, "nobody").await.0, 404);
}

#[tokio::test(start_paused = true)]
async fn an_update_waits_for_a_device_that_never_came() {
    let air = Air::virtually().await;
    air.put("/devices/d", json!({})).await;
    let image = air.image(&image_of(LENGTH)).await;
    let id = air.update(&image, "pull").await;
    sleep(Duration::from_secs(3_600)).await;
    assert_eq!(air.get(&format!("/updates/{id}")).await["state"], "queued");
    let device = air.device();
    device.register("ep=d&lwm2m=1.0").await;
    succeeds(&air, &device, &id).await;
    let unknown = json!({"device": "e", "image": image["id"]});
    assert_eq!(air.post("/updates", unknown).await.0, 404);
}

#[tokio::test(start_paused = true)]
async fn pmin_is_taken_off_the_state_before_it_is_observed() {
    let air = Air::virtually().await;
    let device = air.device();
    device.register("ep=d&lwm2m=1.0").await;
    let image = air.image(&image_of(LENGTH)).await;
    let id = air.update(&image, "pull").await;
    succeeds(&air, &device, &id).await;
    let script = device.script();
    let place = |request: &str| script.got.iter().position(|it| it == request);
    let (unhidden, observed) = (place("PUT /5/0/3"), place("OBSERVE /5/0/3"));
    assert!(
        unhidden.is_some() && unhidden < observed,
        "{:?}",
        script.got
    );
}
