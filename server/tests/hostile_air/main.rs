//! Hostile peers on the air. Each attack is bounded in memory and answered by the right codes, and
//! meanwhile a bystander gets an update of 64 KiB.
//!
//! One test for all attacks on one server: live bytes are counted for the whole process.

mod attacker;
mod attacks;
#[path = "../air/device.rs"]
#[allow(dead_code, reason = "this binary uses its own part")]
mod device;
#[path = "../air/events.rs"]
#[allow(dead_code, reason = "this binary uses its own part")]
mod events;
#[path = "../support/mod.rs"]
mod support;

use std::{alloc::System, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use device::Device;
use fotalab_wire::{
    coap::Code,
    net::{Clock, InMemory, Network, http::send},
};
use http::{Method, Request};
use serde_json::{Value, json};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use support::{EPOCH, TOKEN, World};
use tokio::time::sleep;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What all attacks together may take, at any time.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// Bytes of the bystander's image.
const IMAGE_BYTES: usize = 64 * 1024;
const KEY: [u8; 16] = [7; 16];
const HEX: &str = "07070707070707070707070707070707";

/// A server under attack.
struct Scene {
    world: World,
    network: Arc<dyn Network>,
    clock: Clock,
    coap: SocketAddr,
    coaps: SocketAddr,
    region: Region<'static, System>,
    most: usize,
    bystanders: usize,
}

impl Scene {
    async fn new() -> Self {
        let network: Arc<dyn Network> = Arc::new(InMemory::new());
        let clock = Clock::starting_at(EPOCH);
        let world = World::new(Arc::clone(&network), clock, |_| {}).await;
        let coap = world.running.coap().expect("devices may come");
        let coaps = world.running.coaps().expect("over DTLS too");
        Self {
            world,
            network,
            clock,
            coap,
            coaps,
            region: Region::new(ALLOCATOR),
            most: 0,
            bystanders: 0,
        }
    }

    /// Looks how much is allocated now.
    fn look(&mut self, attack: &str) {
        let change = self.region.change();
        let live = change
            .bytes_allocated
            .saturating_sub(change.bytes_deallocated);
        self.most = self.most.max(live);
        println!("{attack}: {} KiB", live / 1024);
        assert!(live < MOST_BYTES, "{attack}: {live} bytes");
    }

    async fn put(&self, endpoint: &str, body: Value) {
        let path = format!("/devices/{endpoint}");
        let answer = self.world.admin(Method::PUT, &path, &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.world.admin(Method::GET, path, &Value::Null).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    /// A device over DTLS that has begun an update.
    async fn bystander(&mut self) -> Bystander {
        self.bystanders += 1;
        let endpoint = format!("bystander-{}", self.bystanders);
        self.put(&endpoint, json!({"psk": HEX})).await;
        let psk = (endpoint.as_str(), &KEY[..]);
        let device = Device::secured(&self.network, self.clock, self.coaps, psk);
        let registered = device.register(&format!("ep={endpoint}&lwm2m=1.1")).await;
        assert_eq!(registered.0, Code::CREATED);
        let image: Vec<u8> = (0..IMAGE_BYTES)
            .map(|at| (at * 7 + at / 999) as u8)
            .collect();
        let url = format!("http://{}/admin/images", self.world.running.address());
        let request = Request::post(url)
            .header("authorization", format!("Bearer {TOKEN}"))
            .body(Bytes::from(image.clone()))
            .expect("a request");
        let answer = send(&*self.network, request, 1 << 20).await.expect("taken");
        let known: Value = serde_json::from_slice(answer.body()).expect("JSON");
        let body = json!({
            "device": endpoint, "image": known["id"], "transfer": "push", "version": "2.0.0"
        });
        let answer = self.world.admin(Method::POST, "/updates", &body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        Bystander {
            device,
            image,
            update: answer.json()["id"].as_str().expect("an id").to_owned(),
        }
    }

    /// The bystander's update ends well.
    async fn is_served(&mut self, bystander: Bystander, attack: &str) {
        let path = format!("/updates/{}", bystander.update);
        for _ in 0..10_000 {
            let update = self.get(&path).await;
            if update["state"] == "succeeded" {
                assert!(
                    bystander.device.script().image == bystander.image,
                    "{attack}"
                );
                return self.look(attack);
            }
            assert_ne!(update["state"], "failed", "{attack}: {update:#}");
            sleep(Duration::from_millis(500)).await;
        }
        panic!("{attack}: the bystander's update never ended");
    }
}

/// A device that has nothing to do with it.
struct Bystander {
    device: Device,
    image: Vec<u8>,
    update: String,
}

/// How much of each attack `cargo test` takes; the long test takes ten times and more.
#[derive(Clone, Copy)]
struct Measure {
    half_open: usize,
    sources: usize,
    lists: usize,
}

#[tokio::test(start_paused = true)]
async fn hostile_peers_take_no_more_than_their_part() {
    let measure = Measure {
        half_open: 5_000,
        sources: 20_000,
        lists: 150,
    };
    attacks::all(measure).await;
}

#[tokio::test(start_paused = true)]
#[ignore = "takes minutes: cargo test -p fotalab-server --test hostile_air -- --ignored"]
async fn a_hundred_thousand_hostile_peers_neither() {
    let measure = Measure {
        half_open: 100_000,
        sources: 200_000,
        lists: 2_000,
    };
    attacks::all(measure).await;
}
