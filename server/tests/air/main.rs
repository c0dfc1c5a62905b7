//! Devices on the air, in the virtual world: registration, operations, and updates end to end.

mod composite;
mod device;
mod dtls;
mod events;
mod operations;
mod registration;
mod restart;
mod rows;
#[path = "../support/mod.rs"]
mod support;
mod updates;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use device::Device;
use events::Events;
use fotalab_server::Config;
use fotalab_wire::net::{
    Clock, InMemory, Lossy, LossyOptions, Network, Sockets, VirtualLink, http::send,
};
use http::{Method, Request};
use serde_json::{Value, json};
use support::{EPOCH, TOKEN, World};
use tokio::time::sleep;

/// A server with its network, as tests of the air need them.
pub(crate) struct Air {
    pub(crate) world: World,
    pub(crate) network: Arc<dyn Network>,
    pub(crate) clock: Clock,
    pub(crate) coap: SocketAddr,
    pub(crate) coaps: SocketAddr,
}

impl Air {
    pub(crate) async fn virtually() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(adjust: impl FnOnce(&mut Config)) -> Self {
        let clock = Clock::starting_at(EPOCH);
        Self::on(Arc::new(InMemory::new()), clock, adjust).await
    }

    pub(crate) async fn really() -> Self {
        Self::on(Arc::new(Sockets), Clock::of_machine(), |_| {}).await
    }

    /// In a network that loses, doubles and reorders a fifth of all datagrams.
    pub(crate) async fn lossy(seed: u64) -> Self {
        let clock = Clock::starting_at(EPOCH);
        let network = InMemory::new();
        let options = LossyOptions {
            loss: 0.2,
            duplication: 0.2,
            reordering: 0.2,
            reordering_by: Duration::from_millis(300),
            delay_min: Duration::from_millis(20),
            delay_max: Duration::from_millis(100),
            ..LossyOptions::default()
        };
        network.carry_datagrams(Lossy::new(VirtualLink::new(), options, seed), clock);
        Self::on(Arc::new(network), clock, |_| {}).await
    }

    /// In a network where a datagram takes this long, each way.
    pub(crate) async fn slow(delay: Duration) -> Self {
        let clock = Clock::starting_at(EPOCH);
        let network = InMemory::new();
        let options = LossyOptions {
            delay_min: delay,
            delay_max: delay,
            ..LossyOptions::default()
        };
        network.carry_datagrams(Lossy::new(VirtualLink::new(), options, 1), clock);
        Self::on(Arc::new(network), clock, |_| {}).await
    }

    pub(crate) async fn on(
        network: Arc<dyn Network>,
        clock: Clock,
        adjust: impl FnOnce(&mut Config),
    ) -> Self {
        let world = World::new(Arc::clone(&network), clock, adjust).await;
        let coap = world.running.coap().expect("devices may come");
        let coaps = world.running.coaps().expect("over DTLS too");
        Self {
            world,
            network,
            clock,
            coap,
            coaps,
        }
    }

    pub(crate) fn device(&self) -> Device {
        Device::new(&self.network, self.clock, self.coap)
    }

    /// A device that speaks DTLS, as this identity with this key.
    pub(crate) fn secured(&self, identity: &str, key: &[u8]) -> Device {
        Device::secured(&self.network, self.clock, self.coaps, (identity, key))
    }

    /// Tells the server of a device.
    pub(crate) async fn put(&self, path: &str, body: Value) -> (u16, Value) {
        let answer = self.world.admin(Method::PUT, path, &body).await;
        (answer.status, answer.json())
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self.world.admin(Method::GET, path, &Value::Null).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let answer = self.world.admin(Method::POST, path, &body).await;
        (answer.status, answer.json())
    }

    /// The events from now on.
    pub(crate) async fn events(&self) -> Events {
        Events::of(&self.world).await
    }

    /// Uploads an image.
    pub(crate) async fn image(&self, bytes: &[u8]) -> Value {
        let request = Request::post(format!(
            "http://{}/admin/images",
            self.world.running.address()
        ))
        .header("authorization", format!("Bearer {TOKEN}"))
        .body(Bytes::copy_from_slice(bytes))
        .expect("a request");
        let answer = send(&*self.network, request, 1 << 20)
            .await
            .expect("an answer");
        assert_eq!(answer.status(), 201);
        serde_json::from_slice(answer.body()).expect("JSON")
    }

    /// Asks for an update to version 2.0.0, and gives its id.
    pub(crate) async fn update(&self, image: &Value, transfer: &str) -> String {
        let body = json!({
            "device": "d", "image": image["id"], "transfer": transfer, "version": "2.0.0"
        });
        let (status, update) = self.post("/updates", body).await;
        assert_eq!(status, 201, "{update}");
        update["id"].as_str().expect("an id").to_owned()
    }

    /// The update, once it has ended.
    pub(crate) async fn ended(&self, id: &str) -> Value {
        for _ in 0..40_000 {
            let update = self.get(&format!("/updates/{id}")).await;
            if update["state"] == "succeeded" || update["state"] == "failed" {
                return update;
            }
            sleep(Duration::from_millis(500)).await;
        }
        panic!("the update never ended");
    }
}

/// Bytes that differ from block to block.
pub(crate) fn image_of(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 + at / 1_024) as u8).collect()
}
