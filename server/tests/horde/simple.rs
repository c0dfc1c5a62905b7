//! Horde's simple CoAP protocol: `POST /u`, block-wise `GET /fw` (contract A7).

use std::{net::SocketAddr, sync::Arc, time::Duration};

use fotalab_server::{Config, Fields};
use fotalab_wire::{
    coap::{Code, Message, Request, message::number},
    net::{InMemory, Network},
};
use serde_json::json;

use crate::{Horde, peer::Peer};

struct Bench {
    horde: Horde,
    device: String,
    bytes: Vec<u8>,
    peer: Peer,
}

impl Bench {
    async fn new(management: &str) -> Self {
        Self::with(management, |_| {}).await
    }

    async fn with(management: &str, adjust: impl FnOnce(&mut Config)) -> Self {
        let network: Arc<dyn Network> = Arc::new(InMemory::new());
        let horde = Horde::with(network, adjust).await;
        let collection = horde.collection(management).await;
        let device = horde.device(&collection, 1).await;
        let bytes: Vec<u8> = (0..2_500).map(|at| (at * 7 % 251) as u8).collect();
        let new = horde.image(&collection, "1.1", &bytes).await;
        let target = json!({"firmware": {"targetFirmwareId": new}});
        let path = if management == "device" {
            &device
        } else {
            &collection
        };
        horde.patch(path, target).await;
        let peer = Peer::new(&horde.network, horde.clock, horde.coap());
        horde.address("simple-1", 1, peer.address).await;
        Self {
            horde,
            device,
            bytes,
            peer,
        }
    }

    /// What a device on `version` says, by the samples' description.
    async fn report(&mut self, version: &str) -> Message {
        let mut payload = vec![1, version.len() as u8];
        payload.extend(version.as_bytes());
        payload.extend(b"\x02\x02M1\x03\x04SN-1\x04\x04ACME");
        self.peer.ask(Request::post("/u", payload)).await
    }

    /// Host, port, path and whether there is an image: all four, in this order.
    fn told(&self, message: &Message, available: bool) {
        assert_eq!(message.code, Code::CREATED);
        let coap: SocketAddr = self.horde.coap();
        let host = coap.ip().to_string();
        let mut expected = vec![1, host.len() as u8];
        expected.extend(host.as_bytes());
        expected.extend([2, 4]);
        expected.extend(u32::from(coap.port()).to_be_bytes());
        expected.extend(b"\x03\x03/fw");
        expected.extend([4, 1, u8::from(available)]);
        assert_eq!(message.payload, expected);
    }

    async fn state(&self) -> String {
        let firmware = self.horde.firmware(&self.device).await;
        firmware["state"].as_str().expect("a state").to_owned()
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_reports_fetches_and_comes_back() {
    let mut bench = Bench::new("collection").await;
    let answer = bench.report("1.0").await;
    bench.told(&answer, true);
    assert_eq!(bench.state().await, "Initializing");
    let firmware = bench.horde.firmware(&bench.device).await;
    assert_eq!(firmware["modelNumber"], "M1");
    assert_eq!(firmware["manufacturer"], "ACME");
    // The answer says how long it all is, so that a sample can tell.
    let image = bench.peer.first_block("/fw").await;
    assert_eq!(image.code, Code::CONTENT);
    assert_eq!(image.options.uint(number::CONTENT_FORMAT), Some(42));
    assert_eq!(image.options.uint(number::SIZE2), Some(2_500));
    bench.peer.run(Duration::from_secs(1)).await;
    assert_eq!(bench.state().await, "Downloading");
    let network = bench.horde.get(&bench.device).await["network"].clone();
    assert_eq!(network["allocatedIp"], bench.peer.address.ip().to_string());
    // Smaller blocks of its own choice, all of it.
    let image = bench.peer.ask(Request::get("/fw")).await;
    assert_eq!(image.payload, bench.bytes);
    assert_eq!(bench.state().await, "Completed");
    let answer = bench.report("1.1").await;
    bench.told(&answer, false);
    assert_eq!(bench.state().await, "Current");
    assert_eq!(
        bench.peer.ask(Request::get("/fw")).await.code,
        Code::NOT_FOUND
    );
}

#[tokio::test(start_paused = true)]
async fn a_fetch_without_a_report_is_an_update_too() {
    let mut bench = Bench::new("device").await;
    let image = bench.peer.ask(Request::get("/fw")).await;
    assert_eq!(image.payload, bench.bytes);
    assert_eq!(bench.state().await, "Completed");
    let answer = bench.report("1.0").await;
    bench.told(&answer, true);
    let answer = bench.report("1.1").await;
    bench.told(&answer, false);
    assert_eq!(bench.state().await, "Current");
}

#[tokio::test(start_paused = true)]
async fn one_that_comes_back_as_it_was_gets_nothing_more() {
    for strict in [false, true] {
        let mut bench = Bench::with("device", |it| it.horde.strict = strict).await;
        bench.report("1.0").await;
        bench.peer.ask(Request::get("/fw")).await;
        let answer = bench.report("1.0").await;
        assert_eq!(bench.state().await, "Reverted");
        if strict {
            assert_eq!(
                (answer.code, answer.payload.len()),
                (Code::INTERNAL_SERVER_ERROR, 0)
            );
        } else {
            bench.told(&answer, false);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn under_no_management_nothing_is_kept() {
    for strict in [false, true] {
        let mut bench = Bench::with("disabled", |it| it.horde.strict = strict).await;
        let answer = bench.report("1.0").await;
        if strict {
            assert_eq!(answer.code, Code::INTERNAL_SERVER_ERROR);
        } else {
            bench.told(&answer, false);
        }
        assert_eq!(
            bench.horde.firmware(&bench.device).await["firmwareVersion"],
            ""
        );
    }
}

#[tokio::test(start_paused = true)]
async fn strangers_and_broken_reports_are_refused() {
    let mut bench = Bench::new("device").await;
    for payload in [&b"\x05\x01x"[..], b"\x01\x09x", b"\x01", b"\x01\x01\xff"] {
        let answer = bench.peer.ask(Request::post("/u", payload.to_vec())).await;
        assert_eq!(answer.code, Code::BAD_REQUEST, "{payload:?}");
    }
    assert_eq!(
        bench.peer.ask(Request::get("/u")).await.code,
        Code::BAD_REQUEST
    );
    let mut stranger = Peer::new(&bench.horde.network, bench.horde.clock, bench.horde.coap());
    let answer = stranger
        .ask(Request::post("/u", b"\x01\x031.0".to_vec()))
        .await;
    assert_eq!(answer.code, Code::INTERNAL_SERVER_ERROR);
    assert_eq!(
        stranger.ask(Request::get("/fw")).await.code,
        Code::NOT_FOUND
    );
}

#[tokio::test(start_paused = true)]
async fn the_readings_of_hordes_own_server_can_be_chosen() {
    let mut bench = Bench::with("device", |it| {
        it.horde.fields = Fields::Horde;
        it.horde.slash = false;
    })
    .await;
    let answer = bench.report("1.0").await;
    assert!(
        answer.payload.windows(4).any(|it| it == b"\x03\x02fw"),
        "{:?}",
        answer.payload
    );
    let firmware = bench.horde.firmware(&bench.device).await;
    assert_eq!(firmware["manufacturer"], "M1");
    assert_eq!(firmware["modelNumber"], "ACME");
}
