//! Updates over LwM2M in Horde's sequence (contract A6, A7): each request and each answer by hand.

use std::time::Duration;

use fotalab_wire::coap::{Code, Request, message::number};
use serde_json::json;

use crate::{
    Horde, imei,
    peer::{Peer, TLV, code, resource},
};

const OLD: &[u8] = b"the old image";

struct Bench {
    horde: Horde,
    collection: String,
    device: String,
    new: String,
    bytes: Vec<u8>,
    peer: Peer,
}

impl Bench {
    /// A device on 1.0 whose collection (or itself) should run 1.1, under this management.
    async fn new(management: &str) -> Self {
        let horde = Horde::new().await;
        let collection = horde.collection(management).await;
        let device = horde.device(&collection, 1).await;
        horde.image(&collection, "1.0", OLD).await;
        let bytes: Vec<u8> = (0..3_000).map(|at| (at * 7 % 251) as u8).collect();
        let new = horde.image(&collection, "1.1", &bytes).await;
        let target = json!({"firmware": {"targetFirmwareId": new}});
        let path = if management == "device" {
            &device
        } else {
            &collection
        };
        horde.patch(path, target).await;
        let peer = Peer::new(&horde.network, horde.clock, horde.coap());
        Self {
            horde,
            collection,
            device,
            new,
            bytes,
            peer,
        }
    }

    async fn state(&self) -> String {
        let firmware = self.horde.firmware(&self.device).await;
        firmware["state"].as_str().expect("a state").to_owned()
    }

    async fn usage(&self, image: &str) -> (usize, usize) {
        let path = format!("{}/firmware/{image}/usage", self.collection);
        let usage = self.horde.get(&path).await;
        let count = |name: &str| usage[name].as_array().expect("a list").len();
        (count("targetedDevices"), count("currentDevices"))
    }

    async fn register(&mut self) -> String {
        self.peer.register(&format!("nrf-{}", imei(1))).await
    }

    /// The URI write, to its answer.
    async fn told_to_fetch(&mut self) {
        let message = self.peer.expect("PUT /5/0/1", code(Code::CHANGED)).await;
        assert_eq!(
            message.options.uint(number::CONTENT_FORMAT),
            Some(TLV.into())
        );
        let uri = format!("coap://{}/fw", self.horde.coap());
        assert_eq!(message.payload, resource(1, uri.as_bytes()));
    }

    async fn fetches(&mut self) {
        let message = self.peer.ask(Request::get("/fw")).await;
        assert_eq!(message.code, Code::CONTENT);
        assert_eq!(message.options.uint(number::CONTENT_FORMAT), Some(42));
        assert_eq!(message.payload, self.bytes);
    }

    async fn is_executed(&mut self, with: Code) {
        let message = self.peer.expect("POST /5/0/2", code(with)).await;
        assert_eq!(message.options.uint(number::CONTENT_FORMAT), Some(42));
        assert_eq!(message.payload.as_ref(), [0]);
    }
}

async fn is_updated(management: &str) {
    let mut bench = Bench::new(management).await;
    let before = if management == "device" {
        "Pending"
    } else {
        "Current"
    };
    assert_eq!(bench.state().await, before);
    assert_eq!(bench.usage(&bench.new).await, (1, 0));
    bench.register().await;
    bench.peer.inspected(0, "1.0").await;
    let firmware = bench.horde.firmware(&bench.device).await;
    assert_eq!(firmware["firmwareVersion"], "1.0");
    assert_eq!(firmware["manufacturer"], "ACME");
    assert_eq!(firmware["modelNumber"], "M1");
    assert_eq!(firmware["serialNumber"], "SN-1");
    assert_eq!(firmware["state"], "Initializing");
    assert_eq!(firmware["stateMessage"], "Update is started");
    bench.told_to_fetch().await;
    bench.peer.run(Duration::from_secs(1)).await;
    let firmware = bench.horde.firmware(&bench.device).await;
    assert_eq!(firmware["state"], "Downloading");
    assert_eq!(
        firmware["stateMessage"],
        "Waiting for device to download firmware image"
    );
    bench.fetches().await;
    let firmware = bench.horde.firmware(&bench.device).await;
    assert_eq!(firmware["state"], "Completed");
    assert_eq!(
        firmware["stateMessage"],
        "Device has completed image download"
    );
    bench.is_executed(Code::CHANGED).await;
    bench.peer.run(Duration::from_secs(1)).await;
    let firmware = bench.horde.firmware(&bench.device).await;
    let message = "Device has downloaded firmware image and is performing update";
    assert_eq!(
        (&firmware["state"], &firmware["stateMessage"]),
        (&json!("Completed"), &json!(message))
    );
    assert_eq!(bench.usage(&bench.new).await, (1, 0));
    bench.register().await;
    bench.peer.inspected(0, "1.1").await;
    bench.peer.hears_nothing(Duration::from_secs(10)).await;
    let firmware = bench.horde.firmware(&bench.device).await;
    assert_eq!(firmware["state"], "Current");
    assert_eq!(firmware["currentFirmwareId"], bench.new.as_str());
    assert_eq!(bench.usage(&bench.new).await, (0, 1));
    // Each registration update is a report too; there is nothing left to do.
    let location = bench.register().await;
    bench.peer.inspected(0, "1.1").await;
    bench.peer.ask(Request::post(&location, "")).await;
    bench.peer.inspected(0, "1.1").await;
    bench.peer.hears_nothing(Duration::from_secs(60)).await;
    let gone = bench.peer.ask(Request::get("/fw")).await;
    assert_eq!(gone.code, Code::NOT_FOUND, "it needs none");
}

#[tokio::test(start_paused = true)]
async fn under_its_own_target() {
    is_updated("device").await;
}

#[tokio::test(start_paused = true)]
async fn under_its_collections_target() {
    is_updated("collection").await;
}

#[tokio::test(start_paused = true)]
async fn an_older_image_is_as_good_a_target() {
    let mut bench = Bench::new("device").await;
    bench.register().await;
    bench.peer.inspected(0, "1.2").await;
    bench.told_to_fetch().await;
    bench.fetches().await;
}

#[tokio::test(start_paused = true)]
async fn under_no_management_nobody_is_asked() {
    let mut bench = Bench::new("disabled").await;
    let location = bench.register().await;
    bench.peer.hears_nothing(Duration::from_secs(60)).await;
    assert_eq!(
        bench.horde.firmware(&bench.device).await["firmwareVersion"],
        ""
    );
    assert_eq!(
        bench.peer.ask(Request::get("/fw")).await.code,
        Code::NOT_FOUND
    );
    // Management takes effect with the next report.
    let managed = json!({"firmware": {"management": "collection"}});
    bench.horde.patch(&bench.collection, managed).await;
    bench.peer.hears_nothing(Duration::from_secs(60)).await;
    bench.peer.ask(Request::post(&location, "")).await;
    bench.peer.inspected(0, "1.0").await;
    bench.told_to_fetch().await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_or_written_is_named_and_not_tried_again() {
    for (fails_at, answer) in [
        ("/5/0/3", Code::NOT_FOUND),
        ("/3/0", Code::INTERNAL_SERVER_ERROR),
        ("/5/0/1", Code::NOT_FOUND),
        ("/5/0/2", Code::BAD_REQUEST),
    ] {
        let mut bench = Bench::new("device").await;
        let location = bench.register().await;
        match fails_at {
            "/5/0/3" => {
                bench.peer.expect("GET /5/0/3", code(answer)).await;
            }
            "/3/0" => {
                let state = resource(3, &[0]);
                let state = fotalab_wire::coap::Response::with(Code::CONTENT, state).format(TLV);
                bench.peer.expect("GET /5/0/3", state).await;
                bench.peer.expect("GET /3/0", code(answer)).await;
            }
            "/5/0/1" => {
                bench.peer.inspected(0, "1.0").await;
                bench.peer.expect("PUT /5/0/1", code(answer)).await;
            }
            _ => {
                bench.peer.inspected(0, "1.0").await;
                bench.told_to_fetch().await;
                bench.fetches().await;
                bench.is_executed(answer).await;
            }
        }
        bench.peer.run(Duration::from_secs(1)).await;
        let firmware = bench.horde.firmware(&bench.device).await;
        assert_eq!(firmware["state"], "UpdateFailed", "{fails_at}");
        let message = firmware["stateMessage"].as_str().expect("a text");
        assert!(message.starts_with(fails_at), "{message}");
        // It reports again, and nothing begins.
        bench.peer.ask(Request::post(&location, "")).await;
        bench.peer.inspected(0, "1.0").await;
        bench.peer.hears_nothing(Duration::from_secs(60)).await;
        assert_eq!(bench.state().await, "UpdateFailed", "{fails_at}");
        // Until somebody clears it.
        let path = format!("{}/fwerror", bench.device);
        let cleared = bench
            .horde
            .ask(http::Method::DELETE, &path, json!(null))
            .await;
        assert_eq!((cleared.status, cleared.json()), (200, json!({})));
        assert_eq!(bench.state().await, "Pending");
        bench.peer.ask(Request::post(&location, "")).await;
        bench.peer.inspected(0, "1.0").await;
        bench.told_to_fetch().await;
    }
}

#[tokio::test(start_paused = true)]
async fn silence_is_a_failure_after_30_s() {
    let mut bench = Bench::new("device").await;
    bench.register().await;
    // Nobody answers /5/0/3.
    let asked = bench.peer.asked().await;
    assert_eq!(asked.1, "GET /5/0/3");
    bench.peer.run(Duration::from_secs(40)).await;
    let firmware = bench.horde.firmware(&bench.device).await;
    assert_eq!(firmware["state"], "UpdateFailed");
    assert_eq!(firmware["stateMessage"], "/5/0/3");
}

#[tokio::test(start_paused = true)]
async fn only_idle_and_downloaded_are_good_states() {
    for state in [1, 3] {
        let mut bench = Bench::new("device").await;
        bench.register().await;
        bench.peer.inspected(state, "1.0").await;
        bench.peer.hears_nothing(Duration::from_secs(60)).await;
        let firmware = bench.horde.firmware(&bench.device).await;
        assert_eq!(firmware["state"], "UpdateFailed");
        assert_eq!(firmware["stateMessage"], "/5/0/3");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_downloaded_already_is_only_installed() {
    let mut bench = Bench::new("device").await;
    bench.register().await;
    bench.peer.inspected(2, "1.0").await;
    bench.is_executed(Code::CHANGED).await;
    bench.peer.run(Duration::from_secs(1)).await;
    assert_eq!(bench.state().await, "Completed");
    bench.register().await;
    bench.peer.inspected(0, "1.1").await;
    bench.peer.run(Duration::from_secs(1)).await;
    assert_eq!(bench.state().await, "Current");
}

#[tokio::test(start_paused = true)]
async fn a_device_that_comes_back_as_it_was_is_reverted() {
    let mut bench = Bench::new("device").await;
    bench.register().await;
    bench.peer.inspected(0, "1.0").await;
    bench.told_to_fetch().await;
    bench.fetches().await;
    bench.is_executed(Code::CHANGED).await;
    let location = bench.register().await;
    bench.peer.inspected(0, "1.0").await;
    bench.peer.hears_nothing(Duration::from_secs(60)).await;
    assert_eq!(bench.state().await, "Reverted");
    bench.peer.ask(Request::post(&location, "")).await;
    bench.peer.inspected(0, "1.0").await;
    bench.peer.hears_nothing(Duration::from_secs(60)).await;
    // Another target is another chance.
    let other = bench
        .horde
        .image(&bench.collection, "1.3", b"another")
        .await;
    let target = json!({"firmware": {"targetFirmwareId": other}});
    bench.horde.patch(&bench.device, target).await;
    assert_eq!(bench.state().await, "Pending");
    bench.peer.ask(Request::post(&location, "")).await;
    bench.peer.inspected(0, "1.0").await;
    bench.told_to_fetch().await;
    let message = bench.peer.ask(Request::get("/fw")).await;
    assert_eq!(message.payload.as_ref(), b"another");
}

#[tokio::test(start_paused = true)]
async fn a_download_takes_an_hour_at_most() {
    let mut bench = Bench::new("device").await;
    bench.register().await;
    bench.peer.inspected(0, "1.0").await;
    bench.told_to_fetch().await;
    bench.peer.run(Duration::from_secs(3_500)).await;
    assert_eq!(bench.state().await, "Downloading");
    bench.peer.run(Duration::from_secs(200)).await;
    assert_eq!(bench.state().await, "TimedOut");
}

#[tokio::test(start_paused = true)]
async fn a_restart_in_the_middle_of_a_download_begins_it_again() {
    let mut bench = Bench::new("device").await;
    bench.register().await;
    bench.peer.inspected(0, "1.0").await;
    bench.told_to_fetch().await;
    bench.register().await;
    bench.peer.inspected(0, "1.0").await;
    bench.told_to_fetch().await;
    // One that goes on by itself is left alone, and a sign of life is no restart.
    let location = bench.register().await;
    bench.peer.inspected(1, "1.0").await;
    bench.peer.ask(Request::post(&location, "")).await;
    bench.peer.hears_nothing(Duration::from_secs(60)).await;
    bench.fetches().await;
    bench.is_executed(Code::CHANGED).await;
}

#[tokio::test(start_paused = true)]
async fn one_that_restarts_between_its_last_block_and_execute_is_executed() {
    for state in [1, 2] {
        let mut bench = Bench::new("device").await;
        bench.register().await;
        bench.peer.inspected(0, "1.0").await;
        bench.told_to_fetch().await;
        bench.fetches().await;
        bench.register().await;
        bench.peer.inspected(state, "1.0").await;
        bench.is_executed(Code::CHANGED).await;
        // It comes back with the image and did not install it.
        bench.register().await;
        bench.peer.inspected(2, "1.0").await;
        bench.peer.hears_nothing(Duration::from_secs(60)).await;
        assert_eq!(bench.state().await, "Reverted");
    }
}

#[tokio::test(start_paused = true)]
async fn an_execute_without_an_answer_is_looked_after_when_the_device_is_heard_of() {
    let mut bench = Bench::new("device").await;
    let location = bench.register().await;
    bench.peer.inspected(0, "1.0").await;
    bench.told_to_fetch().await;
    bench.fetches().await;
    let (_, asked, _) = bench.peer.asked().await;
    assert_eq!(asked, "POST /5/0/2");
    bench.peer.run(Duration::from_secs(120)).await;
    assert_eq!(bench.state().await, "Completed", "it may be installing");
    bench.peer.ask(Request::post(&location, "")).await;
    bench.peer.inspected(2, "1.0").await;
    bench.is_executed(Code::CHANGED).await;
    // It was told, and says that it is still there.
    bench.peer.ask(Request::post(&location, "")).await;
    bench.peer.hears_nothing(Duration::from_secs(60)).await;
    bench.register().await;
    bench.peer.inspected(0, "1.1").await;
    bench.peer.run(Duration::from_secs(1)).await;
    assert_eq!(bench.state().await, "Current");
}

#[tokio::test(start_paused = true)]
async fn a_restart_while_it_is_asked_is_no_failure() {
    let mut bench = Bench::new("device").await;
    bench.register().await;
    let (_, asked, _) = bench.peer.asked().await;
    assert_eq!(asked, "GET /5/0/3");
    bench.register().await;
    bench.peer.inspected(0, "1.0").await;
    bench.told_to_fetch().await;
    assert_ne!(bench.state().await, "UpdateFailed");
}

#[tokio::test(start_paused = true)]
async fn execute_too_early_is_tried_again() {
    let mut bench = Bench::new("device").await;
    bench.register().await;
    bench.peer.inspected(0, "1.0").await;
    bench.told_to_fetch().await;
    bench.fetches().await;
    bench.is_executed(Code::METHOD_NOT_ALLOWED).await;
    bench.is_executed(Code::CHANGED).await;
    bench.peer.run(Duration::from_secs(1)).await;
    assert_eq!(bench.state().await, "Completed");
}

#[tokio::test(start_paused = true)]
async fn devices_are_found_by_their_numbers() {
    for endpoint in [
        format!("urn:imei:{}", imei(1)),
        format!("urn:imsi:{}", 1_000_001),
        format!("nrf-{}", imei(1)),
        imei(1),
        "told".to_owned(),
    ] {
        let mut bench = Bench::new("device").await;
        if endpoint == "told" {
            let body = json!({"imsi": "1000001"});
            let put = bench
                .horde
                .world
                .admin(http::Method::PUT, "/devices/told", &body)
                .await;
            assert_eq!(put.status, 200);
        }
        bench.peer.register(&endpoint).await;
        bench.peer.inspected(0, "1.0").await;
        bench.told_to_fetch().await;
    }
    let mut bench = Bench::new("device").await;
    bench.peer.register("meter-1").await;
    bench.peer.hears_nothing(Duration::from_secs(60)).await;
}

#[tokio::test(start_paused = true)]
async fn one_that_was_told_by_a_server_that_was_killed_is_executed_all_the_same() {
    // It begins to fetch while it refuses to be told again, a little later, or before it is asked.
    for told in ["refuses", "pauses", "fetches"] {
        let mut bench = Bench::new("device").await;
        bench.register().await;
        if told == "fetches" {
            bench.fetches().await;
            bench.peer.inspected(2, "1.0").await;
        } else {
            bench.peer.inspected(0, "1.0").await;
            let refusal = code(Code::BAD_REQUEST);
            bench.peer.expect("PUT /5/0/1", refusal).await;
            if told == "pauses" {
                bench.peer.run(Duration::from_secs(2)).await;
            }
            bench.fetches().await;
        }
        bench.is_executed(Code::CHANGED).await;
        bench.register().await;
        bench.peer.inspected(0, "1.1").await;
        bench.peer.run(Duration::from_secs(1)).await;
        assert_eq!(bench.state().await, "Current", "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_refuses_the_uri_and_does_not_fetch_has_failed() {
    let mut bench = Bench::new("device").await;
    bench.register().await;
    bench.peer.inspected(0, "1.0").await;
    for _ in 0..2 {
        let refusal = code(Code::BAD_REQUEST);
        bench.peer.expect("PUT /5/0/1", refusal).await;
    }
    bench.peer.hears_nothing(Duration::from_secs(60)).await;
    let firmware = bench.horde.firmware(&bench.device).await;
    assert_eq!(firmware["state"], "UpdateFailed");
    assert_eq!(firmware["stateMessage"], "/5/0/1: 4.00");
}
