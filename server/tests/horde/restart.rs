//! A server dies in the middle of a rollout, and the next one goes on.

use std::sync::Arc;

use fotalab_server::Memory;
use fotalab_wire::{
    coap::{Code, Request},
    net::{InMemory, Network},
};
use serde_json::json;

use crate::{Horde, peer::Peer};

#[tokio::test(start_paused = true)]
async fn all_that_was_said_is_there_after_a_crash() {
    let network: Arc<dyn Network> = Arc::new(InMemory::new());
    let memory = Memory::default();
    let horde = Horde::keeping(&network, &memory).await;
    let collection = horde.collection("collection").await;
    let mut devices = Vec::new();
    for number in 1..=3 {
        devices.push(horde.device(&collection, number).await);
    }
    let bytes: Vec<u8> = (0..2_500).map(|at| (at * 7 % 251) as u8).collect();
    let old = horde.image(&collection, "1.0", b"old").await;
    let new = horde.image(&collection, "1.1", &bytes).await;
    let target = json!({"firmware": {"targetFirmwareId": new}});
    horde.patch(&collection, target).await;
    let mut peer = Peer::new(&horde.network, horde.clock, horde.coap());
    horde.address("simple-1", 1, peer.address).await;
    let answer = peer.ask(Request::post("/u", b"\x01\x031.0".to_vec())).await;
    assert_eq!(answer.code, Code::CREATED);
    let firmware = horde.firmware(&devices[0]).await;
    assert_eq!(firmware["state"], "Initializing");
    let usage = |image: &str| format!("{collection}/firmware/{image}/usage");
    let before = (
        horde.get("/collections").await,
        horde.get(&format!("{collection}/firmware")).await,
        horde.get(&format!("{collection}/devices")).await,
        horde.get(&usage(&new)).await,
        horde.get(&usage(&old)).await,
    );
    assert_eq!(
        before.3["targetedDevices"].as_array().map(Vec::len),
        Some(3)
    );
    assert_eq!(before.4["currentDevices"].as_array().map(Vec::len), Some(1));
    // What one who was answered has seen is safe, and with it all that came before.
    horde.patch(&format!("{collection}/tags"), json!({})).await;
    let left = memory.crashed(0);
    drop(horde);

    let horde = Horde::keeping(&network, &left).await;
    let after = (
        horde.get("/collections").await,
        horde.get(&format!("{collection}/firmware")).await,
        horde.get(&format!("{collection}/devices")).await,
        horde.get(&usage(&new)).await,
        horde.get(&usage(&old)).await,
    );
    assert_eq!(before, after);
    let mut peer = Peer::new(&horde.network, horde.clock, horde.coap());
    horde.address("simple-1", 1, peer.address).await;
    let image = peer.ask(Request::get("/fw")).await;
    assert_eq!(image.payload, bytes);
    assert_eq!(horde.firmware(&devices[0]).await["state"], "Completed");
    peer.ask(Request::post("/u", b"\x01\x031.1".to_vec())).await;
    let firmware = horde.firmware(&devices[0]).await;
    assert_eq!(firmware["state"], "Current");
    // New ids do not collide with old ones.
    horde.device(&collection, 4).await;
    let all = horde.get(&format!("{collection}/devices")).await;
    assert_eq!(all["devices"].as_array().map(Vec::len), Some(4));
}
