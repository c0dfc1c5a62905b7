//! A group of 200 devices, of which 150 run another version: exactly these download, and each once.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use fotalab_server::Config;
use fotalab_simulators::device::{
    Event, Kind, Peer, Setup, Speaks,
    drive::{Driver, Fleet},
    iotaap::Keys,
};
use fotalab_wire::{
    image,
    net::{Clock, InMemory, Sockets},
};
use http::Method;
use serde_json::{Map, Value, json};

use crate::{Api, World, address, persona, text};

const DEVICES: usize = 200;
const OTHERS: usize = 150;

/// A group with its devices, as the API knows them.
pub(crate) struct Group {
    pub(crate) api: Api,
    pub(crate) group: Value,
    pub(crate) devices: Vec<Value>,
}

impl Group {
    pub(crate) async fn new(world: &World, context: &Map<String, Value>, devices: usize) -> Self {
        let api = Api::iotaap(world, context);
        let group = api
            .change(Method::POST, "/groups", json!({"name": "all"}))
            .await;
        let mut made = Vec::new();
        for index in 0..devices {
            let body = json!({"name": format!("d-{index}")});
            let device = api.change(Method::POST, "/devices", body).await;
            let path = format!("/devices/{}", text(&device["_id"]));
            api.change(Method::PUT, &path, json!({"group": group["_id"]}))
                .await;
            made.push(device);
        }
        Self {
            api,
            group,
            devices: made,
        }
    }

    pub(crate) async fn deploy(&self, version: &str) {
        let bytes = image::build(version, 3_000, 7).expect("it fits");
        let texts = [
            ("group", text(&self.group["_id"])),
            ("token", text(&self.group["token"])),
            ("version", version),
        ];
        self.api
            .upload("/ota/group", &texts, ("firmware", &bytes))
            .await;
    }

    /// The first so many run 1.0.0, the others 2.0.0.
    pub(crate) fn fleet(&self, world: &World, context: &Map<String, Value>, old: usize) -> Fleet {
        let kind = Arc::new(Kind::new(persona(world, Speaks::Iotaap)));
        let pair = |it: &Value| (text(&it["_id"]).to_owned(), text(&it["token"]).to_owned());
        let mut fleet = Fleet::new();
        let now = world.clock.elapsed();
        for (index, device) in self.devices.iter().enumerate() {
            let setup = Setup {
                endpoint: text(&device["_id"]).to_owned(),
                firmware: if index < old { "1.0.0" } else { "2.0.0" }.to_owned(),
                server: Peer {
                    address: address(&context["COAPURL"]),
                    secure: false,
                },
                seed: index as u64,
            };
            let start = world.lifetime * index as u32 / self.devices.len() as u32;
            let index = fleet.add(now, &kind, setup, start, None);
            let keys = Keys {
                url: text(&context["IOTAAPURL"]).to_owned(),
                device: pair(device),
                group: Some(pair(&self.group)),
            };
            fleet.with(now, index, |it| it.take_keys(keys));
        }
        fleet
    }
}

/// Moves the devices for a while, and counts what each fetches.
async fn run(driver: &mut Driver, time: Duration, fetched: &mut BTreeMap<usize, usize>) {
    let until = driver.now() + time;
    driver.run_until(until).await.expect("the socket works");
    while let Some(told) = driver.fleet.poll_event() {
        if matches!(told.event, Event::Fetch { .. }) {
            *fetched.entry(told.index).or_default() += 1;
        }
    }
}

async fn the_others_download(world: World) {
    let config = Config::for_scenarios("admin".into(), 3);
    let network = Arc::clone(&world.network);
    let server = fotalab_server::start(config, network, world.clock)
        .await
        .expect("it starts");
    let context = server.context();
    let group = Group::new(&world, &context, DEVICES).await;
    let fleet = group.fleet(&world, &context, OTHERS);
    let network = Arc::clone(&world.network);
    let coap = address(&context["COAPURL"]);
    let mut driver = Driver::new(fleet, network, coap, world.clock).expect("a socket");
    let mut fetched = BTreeMap::new();
    run(&mut driver, 2 * world.lifetime, &mut fetched).await;
    assert!(fetched.is_empty(), "there is no firmware yet");
    group.deploy("2.0.0").await;
    for _ in 0..200 {
        run(&mut driver, world.lifetime / 4, &mut fetched).await;
        if driver.fleet.census().versions.get("2.0.0") == Some(&DEVICES) {
            break;
        }
    }
    // They poll on, and nobody finds anything new.
    run(&mut driver, 4 * world.lifetime, &mut fetched).await;
    let census = driver.fleet.census();
    assert_eq!(
        census.versions,
        BTreeMap::from([("2.0.0".to_owned(), DEVICES)])
    );
    assert_eq!(census.registered, DEVICES);
    let expected: BTreeMap<usize, usize> = (0..OTHERS).map(|index| (index, 1)).collect();
    assert_eq!(fetched, expected);
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn on_the_virtual_clock() {
    the_others_download(World {
        network: Arc::new(InMemory::new()),
        clock: Clock::starting_at(1_700_000_000_000),
        lifetime: Duration::from_secs(6 * 3_600),
    })
    .await;
}

#[tokio::test]
async fn over_real_sockets() {
    the_others_download(World {
        network: Arc::new(Sockets),
        clock: Clock::of_machine(),
        lifetime: Duration::from_secs(3),
    })
    .await;
}
