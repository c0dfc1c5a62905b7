//! A server ends, with or without a goodbye, and another one goes on with what it left.

#[path = "../support/mod.rs"]
mod support;

use std::sync::Arc;

use fotalab_server::{Memory, Storage};
use fotalab_wire::net::{Clock, InMemory, Network};
use http::Method;
use serde_json::{Value, json};
use support::{EPOCH, World};

/// A server in a virtual world that keeps what it knows in `memory`.
async fn server(network: &Arc<dyn Network>, memory: &Memory) -> World {
    let clock = Clock::starting_at(EPOCH);
    let memory = memory.clone();
    World::new(Arc::clone(network), clock, |config| {
        config.storage = Storage::Memory(memory);
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_device_and_its_key_survive_but_the_key_is_not_shown() {
    let network: Arc<dyn Network> = Arc::new(InMemory::new());
    let memory = Memory::default();
    let world = server(&network, &memory).await;
    let device = json!({"psk": "00112233445566778899aabbccddeeff", "groups": ["pilot"]});
    let put = world.admin(Method::PUT, "/devices/meter-1", &device).await;
    assert_eq!(put.status, 200, "{}", put.text);
    world.running.stop().await;
    assert!(!format!("{memory:?}").contains("00112233"));

    let world = server(&network, &memory).await;
    let answer = world
        .admin(Method::GET, "/devices/meter-1", &Value::Null)
        .await;
    assert_eq!(answer.json()["hasPsk"], true);
    assert_eq!(answer.json()["groups"], json!(["pilot"]));
    assert!(!answer.text.contains("00112233"));
}
