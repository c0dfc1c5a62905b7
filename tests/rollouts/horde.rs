//! A collection of 300 devices goes from 1.0 to 1.1 under its collection's target, half of them over
//! LwM2M and half by the simple protocol.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use fotalab_server::Config;
use fotalab_simulators::device::{
    Kind, Peer, Setup, Speaks,
    drive::{Driver, Fleet},
};
use fotalab_wire::{
    image,
    net::{Clock, InMemory, Sockets},
};
use http::Method;
use serde_json::{Map, Value, json};
use tokio::time::sleep;

use crate::{Api, World, address, list, persona, text};

const DEVICES: usize = 300;

/// A collection, its images and its devices, as the API knows them.
pub(crate) struct Rollout {
    pub(crate) api: Api,
    pub(crate) collection: String,
    pub(crate) old: String,
    pub(crate) new: String,
}

impl Rollout {
    /// Makes the collection with `devices` devices and both versions; nothing is targeted yet.
    pub(crate) async fn new(world: &World, context: &Map<String, Value>, devices: usize) -> Self {
        let api = Api::horde(world, context);
        let admin = Api::admin(world, context);
        let managed = json!({"firmware": {"management": "collection"}});
        let made = api.change(Method::POST, "/collections", managed).await;
        let collection = format!("/collections/{}", text(&made["collectionId"]));
        for index in 0..devices {
            let body = json!({"imsi": (700_000 + index).to_string(), "imei": imei(index)});
            api.change(Method::POST, &format!("{collection}/devices"), body)
                .await;
            if index % 2 == 1 {
                // What the network would tell the server: who has which address.
                let body = json!({"imei": imei(index), "address": address_of(index)});
                admin
                    .change(Method::PUT, &format!("/devices/simple-{index}"), body)
                    .await;
            }
        }
        let mut ids = Vec::new();
        for version in ["1.0", "1.1"] {
            let bytes = image::build(version, 3_000, 7).expect("it fits");
            let path = format!("{collection}/firmware");
            let made = api.upload(&path, &[], ("image", &bytes)).await;
            let id = text(&made["imageId"]).to_owned();
            let path = format!("{path}/{id}");
            api.change(Method::PATCH, &path, json!({"version": version}))
                .await;
            ids.push(id);
        }
        let [old, new] = [0, 1].map(|at: usize| ids[at].clone());
        Self {
            api,
            collection,
            old,
            new,
        }
    }

    /// Says which version all shall run.
    pub(crate) async fn target(&self) {
        let target = json!({"firmware": {"targetFirmwareId": self.new}});
        self.api
            .change(Method::PATCH, &self.collection, target)
            .await;
    }

    /// The versions of all devices, by id.
    async fn versions(&self) -> Option<BTreeMap<String, String>> {
        let all = self
            .api
            .try_get(&format!("{}/devices", self.collection))
            .await?;
        let all = all["devices"].as_array().expect("a list").iter();
        let pair = |it: &Value| {
            let version = text(&it["firmware"]["firmwareVersion"]);
            (text(&it["deviceId"]).to_owned(), version.to_owned())
        };
        Some(all.map(pair).collect())
    }

    /// How the devices stand: what they run, their states, and how many of each.
    pub(crate) async fn states(&self) -> BTreeMap<String, usize> {
        let all = self.api.get(&format!("{}/devices", self.collection)).await;
        let mut states = BTreeMap::new();
        for device in all["devices"].as_array().expect("a list") {
            let firmware = &device["firmware"];
            let [version, state, message] =
                ["firmwareVersion", "state", "stateMessage"].map(|it| text(&firmware[it]));
            let kind = if device["imei"].as_str().is_some_and(is_simple) {
                "simple"
            } else {
                "LwM2M"
            };
            *states
                .entry(format!("{kind} {version} {state} {message}"))
                .or_default() += 1;
        }
        states
    }

    async fn usage(&self, image: &str) -> Option<(Vec<String>, Vec<String>)> {
        let path = format!("{}/firmware/{image}/usage", self.collection);
        let usage = self.api.try_get(&path).await?;
        Some((
            list(&usage["targetedDevices"]),
            list(&usage["currentDevices"]),
        ))
    }

    /// Looks once: each device that did not move meanwhile is in exactly the lists that its own
    /// version puts it in. Says how many have arrived; nothing of a server that is down.
    pub(crate) async fn poll(&self) -> Option<usize> {
        let before = self.versions().await?;
        let (targeted, current) = self.usage(&self.new).await?;
        let (old_targeted, old_current) = self.usage(&self.old).await?;
        let after = self.versions().await?;
        assert_eq!(old_targeted, Vec::<String>::new());
        for (device, version) in &before {
            if after.get(device) != Some(version) {
                continue;
            }
            let has = |list: &[String]| list.contains(device);
            let places = (has(&targeted), has(&current), has(&old_current));
            let expected = match version.as_str() {
                "1.1" => (false, true, false),
                "1.0" => (true, false, true),
                "" => (true, false, false),
                other => panic!("nobody runs {other}"),
            };
            assert_eq!(places, expected, "{device} runs {version}");
        }
        Some(current.len())
    }
}

/// Half over LwM2M, half by the simple protocol; all start within a lifetime.
pub(crate) fn fleet(world: &World, context: &Map<String, Value>, devices: usize) -> Fleet {
    let kinds = [Speaks::Lwm2m, Speaks::Horde].map(|it| Arc::new(Kind::new(persona(world, it))));
    let server = Peer {
        address: address(&context["COAPURL"]),
        secure: false,
    };
    let mut fleet = Fleet::new();
    for index in 0..devices {
        let setup = Setup {
            endpoint: format!("nrf-{}", imei(index)),
            firmware: "1.0".to_owned(),
            server,
            seed: index as u64,
        };
        let start = world.lifetime * index as u32 / devices as u32;
        let added = fleet.add(world.clock.elapsed(), &kinds[index % 2], setup, start, None);
        let address = fleet.address(added).map(|it| it.to_string());
        assert_eq!(address, Some(address_of(index)));
    }
    fleet
}

fn is_simple(imei: &str) -> bool {
    imei.ends_with(['1', '3', '5', '7', '9'])
}

fn imei(index: usize) -> String {
    format!("35265610{index:07}")
}

/// Where the fleet's devices are.
fn address_of(index: usize) -> String {
    let number = index + 1;
    format!("127.64.{}.{}", number / 256, number % 256)
}

async fn all_go(world: World) {
    let config = Config::for_scenarios("admin".into(), 3);
    let network = Arc::clone(&world.network);
    let server = fotalab_server::start(config, network, world.clock)
        .await
        .expect("it starts");
    let context = server.context();
    let rollout = Rollout::new(&world, &context, DEVICES).await;
    let fleet = fleet(&world, &context, DEVICES);
    let network = Arc::clone(&world.network);
    let coap = address(&context["COAPURL"]);
    let mut driver = Driver::new(fleet, network, coap, world.clock).expect("a socket");
    let devices = tokio::spawn(async move {
        driver
            .run_until(Duration::MAX)
            .await
            .expect("the socket works");
    });
    // First all report what they run.
    let (_, mut current) = rollout.usage(&rollout.old).await.expect("it is up");
    while current.len() < DEVICES {
        sleep(world.lifetime / 4).await;
        (_, current) = rollout.usage(&rollout.old).await.expect("it is up");
    }
    rollout.target().await;
    let mut polls = 0;
    loop {
        let arrived = rollout.poll().await.expect("it is up");
        polls += 1;
        assert!(polls < 4_000, "only {arrived} arrived");
        if arrived == DEVICES {
            break;
        }
        sleep(world.lifetime / 20).await;
    }
    let (targeted, current) = rollout.usage(&rollout.new).await.expect("it is up");
    assert_eq!((targeted.len(), current.len()), (0, DEVICES));
    let all = rollout
        .api
        .get(&format!("{}/devices", rollout.collection))
        .await;
    for device in all["devices"].as_array().expect("a list") {
        assert_eq!(device["firmware"]["state"], "Current");
    }
    devices.abort();
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn on_the_virtual_clock() {
    all_go(World {
        network: Arc::new(InMemory::new()),
        clock: Clock::starting_at(1_700_000_000_000),
        lifetime: Duration::from_secs(600),
    })
    .await;
}

#[tokio::test]
async fn over_real_sockets() {
    let world = World {
        network: Arc::new(Sockets),
        clock: Clock::of_machine(),
        lifetime: Duration::from_secs(4),
    };
    assert!(!world.network.is_virtual());
    all_go(world).await;
}
