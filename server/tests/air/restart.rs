//! A server ends, with or without a goodbye, and another one goes on with what it left (X-FW-S30,
//! X-FW-S31).

use std::{net::SocketAddr, sync::Arc, time::Duration};

use fotalab_server::{Config, Memory, Storage};
use fotalab_wire::{
    coap::{Code, Request, message::number},
    net::{Clock, InMemory, Lossy, LossyOptions, Network, VirtualLink},
};
use http::Method;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{Air, device::Device, image_of, support::EPOCH};

/// Where the server is in all its lives: devices know no other place.
const COAP: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 5_683);
const COAPS: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 5_684);
const HTTP: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8_080);

/// A network in which every datagram takes its time, and the lives of one server in it.
struct Lives {
    network: Arc<dyn Network>,
    clock: Clock,
    memory: Memory,
}

impl Lives {
    fn new() -> Self {
        let clock = Clock::starting_at(EPOCH);
        let network = InMemory::new();
        let options = LossyOptions {
            delay_min: Duration::from_millis(20),
            delay_max: Duration::from_millis(20),
            ..LossyOptions::default()
        };
        network.carry_datagrams(Lossy::new(VirtualLink::new(), options, 1), clock);
        Self {
            network: Arc::new(network),
            clock,
            memory: Memory::default(),
        }
    }

    async fn begin(&self) -> Air {
        let memory = self.memory.clone();
        let adjust = |config: &mut Config| {
            config.storage = Storage::Memory(memory);
            config.listen = HTTP;
            config.coap = Some(COAP);
            config.coaps = Some(COAPS);
        };
        Air::on(Arc::clone(&self.network), self.clock, adjust).await
    }

    /// Ends a server as a crash does: of what it did not flush, the first `kept` changes are left.
    async fn crash(&mut self, air: Air, kept: usize) {
        let left = self.memory.crashed(kept);
        air.world.running.stop().await;
        self.memory = left;
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_and_its_key_survive_but_the_key_is_not_shown() {
    let mut lives = Lives::new();
    let air = lives.begin().await;
    let device = json!({"psk": "00112233445566778899aabbccddeeff", "groups": ["pilot"]});
    assert_eq!(air.put("/devices/meter-1", device).await.0, 200);
    // It was answered, so it survives whatever comes.
    lives.crash(air, 0).await;
    assert!(!format!("{:?}", lives.memory).contains("00112233"));

    let air = lives.begin().await;
    let answer = air
        .world
        .admin(Method::GET, "/devices/meter-1", &Value::Null)
        .await;
    assert_eq!(answer.json()["hasPsk"], true);
    assert_eq!(answer.json()["groups"], json!(["pilot"]));
    assert!(!answer.text.contains("00112233"));
}

#[tokio::test(start_paused = true)]
async fn a_registration_goes_on_where_it_was() {
    let mut lives = Lives::new();
    let air = lives.begin().await;
    let device = air.device();
    let (code, created) = device.register("ep=d&lwm2m=1.1&lt=600&b=U&Q").await;
    assert_eq!(code, Code::CREATED);
    let location: Vec<String> = created
        .options
        .iter()
        .filter(|(option, _)| *option == number::LOCATION_PATH)
        .map(|(_, value)| String::from_utf8(value.to_vec()).expect("text"))
        .collect();
    let location = format!("/{}", location.join("/"));
    let observe = json!({"operation": "observe", "path": "/3/0/3"});
    assert_eq!(air.post("/devices/d/operations", observe).await.0, 200);
    let mut before = air.get("/devices/d").await;
    lives.crash(air, usize::MAX).await;
    sleep(Duration::from_secs(5)).await;

    let air = lives.begin().await;
    let mut after = air.get("/devices/d").await;
    for registration in [&mut before["registration"], &mut after["registration"]] {
        // What goes on between the two begins anew.
        let registration = registration.as_object_mut().expect("registered");
        registration.retain(|name, _| {
            !matches!(
                name.as_str(),
                "observed" | "awakeUntil" | "asking" | "queued"
            )
        });
    }
    assert_eq!(after["registration"], before["registration"]);
    let (code, _) = device.ask(Request::post(&location, "")).await;
    assert_eq!(code, Code::CHANGED, "its old location is as good as ever");
    sleep(Duration::from_secs(1)).await;
    assert_eq!(device.count("OBSERVE /3/0/3"), 2, "observed anew");
    let shown = air.get("/devices/d").await;
    assert_eq!(shown["registration"]["observed"], json!(["/3/0/3"]));
    // What the new observation tells arrives.
    device.tell("/3/0/3", "1.0.1");
    sleep(Duration::from_secs(1)).await;
    let shown = air.get("/devices/d").await;
    assert_eq!(shown["reported"]["firmwareVersion"], "1.0.1");
    lives.crash(air, usize::MAX).await;

    // Its lifetime went on all the time.
    sleep(Duration::from_secs(300)).await;
    let air = lives.begin().await;
    assert!(air.get("/devices/d").await["registration"].is_object());
    sleep(Duration::from_secs(500)).await;
    assert!(air.get("/devices/d").await["registration"].is_null());
    let (code, _) = device.ask(Request::post(&location, "")).await;
    assert_eq!(code, Code::NOT_FOUND);
    lives.crash(air, usize::MAX).await;

    // It is gone, but not forgotten.
    let air = lives.begin().await;
    let shown = air.get("/devices/d").await;
    assert!(shown["registration"].is_null());
    assert_eq!(shown["reported"]["firmwareVersion"], "1.0.1");
}

#[tokio::test(start_paused = true)]
async fn locations_are_not_given_twice() {
    let mut lives = Lives::new();
    let mut given = Vec::new();
    for _ in 0..3 {
        let air = lives.begin().await;
        let device = air.device();
        device.register("ep=d&lwm2m=1.0").await;
        given.push(air.get("/devices/d").await["registration"]["location"].clone());
        lives.crash(air, 0).await;
    }
    assert_ne!(given[0], given[1]);
    assert_ne!(given[1], given[2]);
    assert_ne!(given[0], given[2]);
}

/// Lets an update begin, ends the server after `at`, and brings it back after `away`.
async fn interrupted(transfer: &str, at: Duration, away: Duration, kept: usize) -> bool {
    let mut lives = Lives::new();
    let air = lives.begin().await;
    let device = air.device();
    device.register("ep=d&lwm2m=1.0").await;
    let bytes = image_of(20_000);
    let image = air.image(&bytes).await;
    let id = air.update(&image, transfer).await;
    sleep(at).await;
    let moment = format!("{transfer}, ended after {at:?}, away for {away:?}, {kept} kept");
    let under_way = air.get(&format!("/updates/{id}")).await["state"] != "succeeded";
    let kept = kept.min(lives.memory.unflushed());
    lives.crash(air, kept).await;
    sleep(away).await;

    let air = lives.begin().await;
    let update = air.ended(&id).await;
    assert_eq!(update["state"], "succeeded", "{moment}: {update:#}");
    assert_eq!(device.script().values["/3/0/3"], "2.0.0", "{moment}");
    assert!(device.script().image == bytes, "{moment}: another image");
    assert_eq!(device.count("POST /5/0/2"), 1, "{moment}: {update:#}");
    under_way
}

/// Every 40 ms is a round trip, so every moment between two messages has its turn.
async fn at_every_moment(transfer: &str) {
    let mut random = StdRng::seed_from_u64(7);
    let mut moments = 0;
    for step in 0.. {
        let away = [
            Duration::ZERO,
            Duration::from_secs(3),
            Duration::from_secs(120),
        ];
        let kept = [0, usize::MAX, random.random_range(0..5)];
        let choice = random.random_range(0..9);
        let at = Duration::from_millis(1 + 20 * step);
        let under_way = interrupted(transfer, at, away[choice % 3], kept[choice / 3]).await;
        if !under_way {
            break;
        }
        moments += 1;
    }
    assert!(moments > 50, "{moments}: there is more to an update");
}

#[tokio::test(start_paused = true)]
async fn x_fw_s30_a_push_ends_right_whenever_the_server_ended() {
    at_every_moment("push").await;
}

#[tokio::test(start_paused = true)]
async fn x_fw_s30_a_pull_ends_right_whenever_the_server_ended() {
    at_every_moment("pull:coap").await;
}

/// The device installs, reboots and registers while nobody listens.
#[tokio::test(start_paused = true)]
async fn x_fw_s30_what_was_installed_meanwhile_is_not_executed_again() {
    for transfer in ["push", "pull"] {
        for loses_execute in [false, true] {
            let mut lives = Lives::new();
            let air = lives.begin().await;
            let device = air.device();
            device.script().loses_execute = loses_execute;
            device.register("ep=d&lwm2m=1.0").await;
            let image = air.image(&image_of(5_000)).await;
            let id = air.update(&image, transfer).await;
            while device.count("POST /5/0/2") == 0 {
                sleep(Duration::from_millis(10)).await;
            }
            lives.crash(air, 0).await;
            sleep(Duration::from_secs(250)).await;
            assert_eq!(device.script().values["/3/0/3"], "2.0.0");

            let air = lives.begin().await;
            let update = air.ended(&id).await;
            assert_eq!(update["state"], "succeeded", "{update:#}");
            assert_eq!(device.count("POST /5/0/2"), 1, "{update:#}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn transfers_that_we_cut_do_not_count_against_the_device() {
    let mut lives = Lives::new();
    let mut air = lives.begin().await;
    let device = air.device();
    device.register("ep=d&lwm2m=1.0").await;
    let bytes = image_of(100_000);
    let image = air.image(&bytes).await;
    let id = air.update(&image, "push").await;
    for _ in 0..12 {
        sleep(Duration::from_secs(3)).await;
        lives.crash(air, usize::MAX).await;
        air = lives.begin().await;
    }
    let update = air.ended(&id).await;
    assert_eq!(update["state"], "succeeded", "{update:#}");
    assert!(device.script().image == bytes);
    assert_eq!(device.count("POST /5/0/2"), 1);
}

/// X-FW-S31: the sessions are gone, what waits is not.
#[tokio::test(start_paused = true)]
async fn x_fw_s31_a_device_over_dtls_comes_back_to_what_waits_for_it() {
    let mut lives = Lives::new();
    let air = lives.begin().await;
    let key = [7; 16];
    let hex = "07".repeat(16);
    assert_eq!(air.put("/devices/d", json!({"psk": hex})).await.0, 200);
    let device: Device = air.secured("d", &key);
    let (code, _) = device.register("ep=d&lwm2m=1.0").await;
    assert_eq!(code, Code::CREATED);
    let bytes = image_of(20_000);
    let image = air.image(&bytes).await;
    let id = air.update(&image, "push").await;
    sleep(Duration::from_millis(600)).await;
    lives.crash(air, usize::MAX).await;

    let air = lives.begin().await;
    sleep(Duration::from_secs(60)).await;
    assert!(air.get("/devices/d").await["registration"].is_object());
    let state = air.get(&format!("/updates/{id}")).await["state"].clone();
    assert_ne!(state, "failed");
    device.script().loses_session = true;
    let (code, _) = device.register("ep=d&lwm2m=1.0").await;
    assert_eq!(code, Code::CREATED);
    let update = air.ended(&id).await;
    assert_eq!(update["state"], "succeeded", "{update:#}");
    assert!(device.script().image == bytes);
    assert_eq!(device.count("POST /5/0/2"), 1);
}

/// Images on disk reach devices to the byte, a piece at a time.
#[cfg(feature = "sqlite")]
#[tokio::test]
async fn images_are_sent_from_files() {
    let folders = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("images-from-files");
    if folders.exists() {
        std::fs::remove_dir_all(&folders).expect("it is ours");
    }
    for transfer in ["push", "pull:coap", "pull:http"] {
        let folder = folders.join(transfer.replace(':', "-"));
        let kept = folder.clone();
        let network = Arc::new(fotalab_wire::net::Sockets);
        let adjust = |config: &mut Config| config.storage = Storage::Folder(kept);
        let air = Air::on(network, Clock::of_machine(), adjust).await;
        let device = air.device();
        if transfer == "pull:http" {
            device.script().values.insert("/5/0/8", "2".into());
        }
        device.register("ep=d&lwm2m=1.0").await;
        let bytes = image_of(700_001);
        let image = air.image(&bytes).await;
        let id = air.update(&image, transfer).await;
        while device.script().image != bytes {
            let update = air.get(&format!("/updates/{id}")).await;
            assert_ne!(update["state"], "failed", "{transfer}: {update:#}");
            sleep(Duration::from_millis(20)).await;
        }
        // A range over the seam of two pieces.
        let path = format!("/fw/{}", image["id"].as_str().expect("an id"));
        let uri = format!("http://{}{path}", air.world.running.address());
        let request = http::Request::get(uri).header("range", "bytes=262000-262500");
        let request = request.body(bytes::Bytes::new()).expect("a request");
        let part = fotalab_wire::net::http::send(&*air.network, request, 1 << 20).await;
        let part = part.expect("an answer");
        assert_eq!(part.status(), 206);
        assert_eq!(part.body()[..], bytes[262_000..=262_500]);
        // An image that is needed stays; one that is not goes, but not the bytes of another.
        let path = format!("/images/{}", image["id"].as_str().expect("an id"));
        let delete = || air.world.admin(Method::DELETE, &path, &Value::Null);
        assert_eq!(delete().await.status, 409, "{transfer}");
        let twin = air.image(&bytes).await;
        let twin = format!("/images/{}", twin["id"].as_str().expect("an id"));
        let gone = air.world.admin(Method::DELETE, &twin, &Value::Null).await;
        assert_eq!(gone.status, 200, "{}", gone.text);
        let file = folder
            .join("images")
            .join(image["sha256"].as_str().expect("hex"));
        assert!(file.exists());
        air.world.running.stop().await;
    }
}
