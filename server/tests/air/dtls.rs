//! Devices over DTLS with pre-shared keys (contract 2.9 and the rows X-DTLS and X-REG-04).

use std::time::Duration;

use fotalab_wire::coap::{Code, Request, message::number};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{Air, device::Device, image_of, updates::arrives_at};

const KEY: &[u8] = &[0x2a; 16];
const HEX: &str = "2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a";

/// A server that knows the device `d`, and that device.
async fn known(air: &Air) -> Device {
    let (status, shown) = air.put("/devices/d", json!({"psk": HEX})).await;
    assert_eq!((status, &shown["hasPsk"]), (200, &json!(true)));
    assert!(!shown.to_string().contains(HEX), "{shown}");
    air.secured("d", KEY)
}

async fn registered(air: &Air) -> Value {
    air.get("/devices/d").await["registration"].clone()
}

/// The handshake of a device that asks for something, once it is over.
async fn handshake(device: &Device) -> Result<(), String> {
    let register = Request::post("/rd?ep=d&lwm2m=1.0", "</3/0>").format(40);
    device.script().outbox.push(register);
    device.wake();
    for _ in 0..1_000 {
        if let Some(end) = device.script().handshakes.last() {
            return end.clone();
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("the handshake never ended");
}

#[tokio::test(start_paused = true)]
async fn int_401_a_device_registers_and_is_asked_over_dtls() {
    let air = Air::virtually().await;
    let device = known(&air).await;
    assert_eq!(device.register("ep=d&lwm2m=1.1").await.0, Code::CREATED);
    let registration = registered(&air).await;
    assert_eq!(registration["secured"], true);
    assert_eq!(registration["address"], device.address.to_string());
    let read = json!({"operation": "read", "path": "/3/0/3"});
    let (_, answer) = air.post("/devices/d/operations", read).await;
    assert_eq!(answer["value"], "1.0.0");
    let context = air.world.running.context();
    assert_eq!(context["COAPSURL"], format!("coaps://{}", air.coaps));
}

#[tokio::test(start_paused = true)]
async fn updates_arrive_over_dtls() {
    for (transfer, protocols, scheme) in [
        ("push", "", ""),
        ("pull:coaps", "1", "coaps"),
        ("pull", "1", "coaps"),
        ("pull", "0", "coap"),
    ] {
        let air = Air::virtually().await;
        let device = known(&air).await;
        if !protocols.is_empty() {
            device.script().values.insert("/5/0/8", protocols.into());
        }
        arrives_at(air, device.clone(), transfer, 100_000).await;
        assert_eq!(device.script().scheme, scheme, "{transfer} {protocols}");
        // It lost its session when it rebooted.
        assert_eq!(device.script().handshakes, [Ok(()), Ok(())]);
    }
}

#[tokio::test]
async fn updates_arrive_over_dtls_on_real_sockets() {
    for (transfer, protocols) in [("push", "0"), ("pull:coaps", "1")] {
        let air = Air::really().await;
        let device = known(&air).await;
        device.script().values.insert("/5/0/8", protocols.into());
        arrives_at(air, device, transfer, 300_000).await;
    }
}

#[tokio::test(start_paused = true)]
async fn x_reg_04_the_endpoint_name_is_that_of_the_identity() {
    let air = Air::virtually().await;
    let body = json!({"psk": HEX, "pskIdentity": "id-7"});
    assert_eq!(air.put("/devices/d", body).await.0, 200);
    let device = air.secured("id-7", KEY);
    for query in ["ep=e&lwm2m=1.1", "ep=id-7&lwm2m=1.1", "lwm2m=1.0"] {
        assert_eq!(device.register(query).await.0, Code::BAD_REQUEST, "{query}");
    }
    // LwM2M 1.1 lets a device leave out what its identity says.
    assert_eq!(device.register("lwm2m=1.1").await.0, Code::CREATED);
    assert!(registered(&air).await.is_object());
    let taken = air
        .put("/devices/e", json!({"psk": "00", "pskIdentity": "id-7"}))
        .await;
    assert_eq!(taken.0, 409);
    for body in [
        json!({"psk": "0"}),
        json!({"psk": ""}),
        json!({"pskIdentity": "x"}),
    ] {
        assert_eq!(air.put("/devices/e", body.clone()).await.0, 400, "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn x_dtls_01_neither_a_wrong_key_nor_an_unknown_identity_registers() {
    let air = Air::virtually().await;
    known(&air).await;
    let wrong = handshake(&air.secured("d", &[0; 16])).await;
    let unknown = handshake(&air.secured("nobody", KEY)).await;
    assert!(wrong.is_err());
    assert_eq!(wrong, unknown, "the peer can tell which it was");
    assert!(registered(&air).await.is_null());
}

#[tokio::test(start_paused = true)]
async fn a_device_with_a_key_is_heard_over_dtls_only() {
    let air = Air::virtually().await;
    let device = known(&air).await;
    let impostor = air.device();
    assert_eq!(impostor.register("ep=d&lwm2m=1.0").await.0, Code::FORBIDDEN);
    let (_, created) = device.register("ep=d&lwm2m=1.0").await;
    let segments = created.options.iter();
    let segments = segments.filter(|(option, _)| *option == number::LOCATION_PATH);
    let location: String = segments
        .map(|(_, it)| format!("/{}", String::from_utf8_lossy(it)))
        .collect();
    // Not even who knows the location.
    for request in [
        Request::post(&location, ""),
        Request::new(Code::DELETE, &location),
    ] {
        assert_eq!(impostor.ask(request).await.0, Code::NOT_FOUND);
    }
    // Nor another device over a session of its own.
    air.put("/devices/e", json!({"psk": "00"})).await;
    let other = air.secured("e", &[0]);
    let update = Request::post(&location, "");
    assert_eq!(other.ask(update).await.0, Code::NOT_FOUND);
    assert_eq!(registered(&air).await["secured"], true);
    let update = Request::post(&location, "");
    assert_eq!(device.ask(update).await.0, Code::CHANGED);
}

#[tokio::test(start_paused = true)]
async fn a_device_that_lost_its_session_is_asked_when_it_is_back() {
    let air = Air::virtually().await;
    let device = known(&air).await;
    device.register("ep=d&lwm2m=1.0").await;
    device.script().loses_session = true;
    let image = air.image(&image_of(5_000)).await;
    let id = air.update(&image, "push").await;
    sleep(Duration::from_secs(300)).await;
    assert_eq!(air.get(&format!("/updates/{id}")).await["state"], "queued");
    assert_eq!(device.register("ep=d&lwm2m=1.0").await.0, Code::CREATED);
    assert_eq!(air.ended(&id).await["state"], "succeeded");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_changes_ends_what_was_open_with_the_old_one() {
    let air = Air::virtually().await;
    let device = known(&air).await;
    device.register("ep=d&lwm2m=1.0").await;
    // The same key again changes nothing.
    air.put("/devices/d", json!({"psk": HEX, "model": "x"}))
        .await;
    assert!(registered(&air).await.is_object());
    air.put("/devices/d", json!({"psk": "00ff"})).await;
    assert!(registered(&air).await.is_null());
    sleep(Duration::from_secs(1)).await;
    device.script().handshakes.clear();
    assert!(handshake(&device).await.is_err());
    let device = air.secured("d", &[0x00, 0xff]);
    assert_eq!(device.register("ep=d&lwm2m=1.0").await.0, Code::CREATED);
}
