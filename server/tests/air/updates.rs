//! Updates end to end: the bytes arrive, the device runs them, the history says so.

use fotalab_wire::coap::Code;
use serde_json::Value;

use crate::{Air, device::Device, image_of};

fn states(update: &Value) -> Vec<&str> {
    let history = update["history"].as_array().expect("a history");
    let mut states: Vec<&str> = history
        .iter()
        .filter_map(|it| it["state"].as_str())
        .collect();
    states.dedup();
    states
}

async fn arrives(air: Air, transfer: &str, length: usize) {
    let device = air.device();
    arrives_at(air, device, transfer, length).await;
}

pub(crate) async fn arrives_at(air: Air, device: Device, transfer: &str, length: usize) {
    if transfer == "pull:http" {
        device.script().values.insert("/5/0/8", "2".into());
    }
    assert_eq!(device.register("ep=d&lwm2m=1.0").await.0, Code::CREATED);
    let bytes = image_of(length);
    let image = air.image(&bytes).await;
    let id = air.update(&image, transfer).await;
    let update = air.ended(&id).await;
    assert_eq!(update["state"], "succeeded", "{update:#}");
    assert_eq!(update["result"], 1);
    let expected = [
        "queued",
        "downloading",
        "downloaded",
        "updating",
        "succeeded",
    ];
    assert_eq!(states(&update), expected, "{update:#}");
    assert!(device.script().image == bytes, "another image");
    let hash: String = device
        .image_hash()
        .iter()
        .map(|it| format!("{it:02x}"))
        .collect();
    assert_eq!(image["sha256"], hash);
    assert_eq!(device.count("POST /5/0/2"), 1);
    let shown = air.get("/devices/d").await;
    assert_eq!(shown["reported"]["firmwareVersion"], "2.0.0");
    assert_eq!(shown["update"]["id"], id);
}

#[tokio::test(start_paused = true)]
async fn by_push() {
    arrives(Air::virtually().await, "push", 200_000).await;
}

#[tokio::test(start_paused = true)]
async fn by_pull_over_coap() {
    arrives(Air::virtually().await, "pull:coap", 200_000).await;
}

#[tokio::test(start_paused = true)]
async fn by_pull_over_http() {
    arrives(Air::virtually().await, "pull:http", 1 << 20).await;
}

#[tokio::test(start_paused = true)]
async fn an_image_that_fits_one_datagram() {
    arrives(Air::virtually().await, "push", 100).await;
}

#[tokio::test]
async fn by_push_on_real_sockets() {
    arrives(Air::really().await, "push", 1 << 20).await;
}

#[tokio::test]
async fn by_pull_on_real_sockets() {
    arrives(Air::really().await, "pull:coap", 1 << 20).await;
}

#[tokio::test(start_paused = true)]
async fn x_fw_s21_the_answer_to_execute_is_lost() {
    let air = Air::virtually().await;
    let device = air.device();
    device.script().loses_execute = true;
    device.register("ep=d&lwm2m=1.0").await;
    let image = air.image(&image_of(5_000)).await;
    let id = air.update(&image, "pull").await;
    let update = air.ended(&id).await;
    assert_eq!(update["state"], "succeeded", "{update:#}");
    assert_eq!(device.count("POST /5/0/2"), 1);
}

#[tokio::test(start_paused = true)]
async fn x_fw_s23_result_1_with_the_old_version_has_failed() {
    let air = Air::virtually().await;
    let device = air.device();
    device.script().next_version = "1.0.0".into();
    device.register("ep=d&lwm2m=1.0").await;
    let image = air.image(&image_of(5_000)).await;
    let id = air.update(&image, "push").await;
    assert_eq!(air.ended(&id).await["state"], "failed");
}

#[tokio::test(start_paused = true)]
async fn x_fw_s25_without_notifications_polls_find_it() {
    let air = Air::virtually().await;
    let device = air.device();
    device.script().never_notifies = true;
    device.register("ep=d&lwm2m=1.0").await;
    let image = air.image(&image_of(5_000)).await;
    let id = air.update(&image, "pull").await;
    assert_eq!(air.ended(&id).await["state"], "succeeded");
}

#[tokio::test(start_paused = true)]
async fn x_fw_s03_what_is_there_is_reset_first() {
    let air = Air::virtually().await;
    let device = air.device();
    device.script().values.insert("/5/0/3", "2".into());
    device.register("ep=d&lwm2m=1.0").await;
    let image = air.image(&image_of(5_000)).await;
    let id = air.update(&image, "pull").await;
    assert_eq!(air.ended(&id).await["state"], "succeeded");
    // Once empty, once with the URI.
    assert_eq!(device.count("PUT /5/0/1"), 2);
}

#[tokio::test(start_paused = true)]
async fn an_update_waits_for_its_device() {
    let air = Air::virtually().await;
    let device = air.device();
    device.register("ep=d&lwm2m=1.0").await;
    let image = air.image(&image_of(5_000)).await;
    device.script().deaf = true;
    let id = air.update(&image, "pull").await;
    tokio::time::sleep(std::time::Duration::from_secs(600)).await;
    let update = air.get(&format!("/updates/{id}")).await;
    assert_eq!(update["state"], "queued");
    let waits = &update["waitsFor"];
    assert!(
        ["answer", "pause"].iter().any(|it| waits["what"] == *it),
        "{waits}"
    );
    assert!(waits["deadline"].is_string(), "{waits}");
    device.script().deaf = false;
    let update = air.ended(&id).await;
    assert_eq!(update["state"], "succeeded");
    assert_eq!(update["waitsFor"]["what"], "soak");
}

/// X-FW-S14, over 25 seeds each way; a seed that fails is named.
#[tokio::test(start_paused = true)]
async fn x_fw_s14_a_bad_network_delays_but_decides_nothing_wrong() {
    let bytes = image_of(64 * 1_024 + 1);
    for seed in 0..25 {
        for transfer in ["push", "pull"] {
            let air = Air::lossy(seed).await;
            let device = air.device();
            let (code, _) = device.register("ep=d&lwm2m=1.0").await;
            assert_eq!(code, Code::CREATED, "seed {seed}");
            let image = air.image(&bytes).await;
            let id = air.update(&image, transfer).await;
            let update = air.ended(&id).await;
            let is_new = device.script().values["/3/0/3"] == "2.0.0";
            assert_eq!(
                update["state"] == "succeeded",
                is_new,
                "seed {seed}: {update:#}"
            );
            assert!(is_new, "seed {seed}: {update:#}");
            assert!(device.script().image == bytes, "seed {seed}");
            assert_eq!(device.count("POST /5/0/2"), 1, "seed {seed}: {update:#}");
        }
    }
}
