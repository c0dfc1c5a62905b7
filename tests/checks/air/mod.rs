//! The server and simulated devices in one virtual world, asked over the admin face: what loss and
//! cuts may do to an update, and what they may not.

mod cuts;
mod loss;

use std::{
    future::Future,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use fotalab_server::{Config, Memory, Running, Storage};
use fotalab_simulators::device::{
    Device, Kind, Peer, Persona, Setup,
    drive::{Driver, Fleet},
};
use fotalab_wire::net::{
    Clock, InMemory, Lossy, LossyOptions, Sighting, Traced, VirtualLink, What,
    http::{MAX_ANSWER_BYTES, send},
};
use http::{Method, Request};
use serde_json::{Value, json};

const TOKEN: &str = "a-token-of-this-test";
const EPOCH: i64 = 1_767_225_600_000;
/// The device looks for news of its server, and this test for news of both, as often.
const STEP: Duration = Duration::from_secs(1);

/// What crossed the air: when, from whom, to whom, what, and what became of it.
pub(crate) type Trace = Vec<(Duration, SocketAddr, SocketAddr, Bytes, What)>;

pub(crate) struct World {
    network: InMemory,
    clock: Clock,
    config: Config,
    running: Option<Running>,
    pub(crate) driver: Driver,
    trace: Arc<Mutex<Trace>>,
}

/// Runs something in a virtual world of its own.
pub(crate) fn virtually<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.expect("a runtime").block_on(work)
}

impl World {
    /// A server, and one device that registers with it over a network as bad as `options` say.
    pub(crate) async fn new(seed: u64, options: LossyOptions, persona: Persona) -> Self {
        let (network, clock) = (InMemory::new(), Clock::starting_at(EPOCH));
        let trace = Arc::new(Mutex::new(Trace::new()));
        let seen = Arc::clone(&trace);
        let observe = move |it: &Sighting| {
            let entry = (it.at, it.from, it.to, it.bytes.clone(), it.what);
            seen.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(entry);
        };
        let link = Lossy::new(VirtualLink::new(), options, seed);
        network.carry_datagrams(Traced::new(link, observe), clock);
        let mut config = Config::for_scenarios(TOKEN.to_owned(), seed);
        config.listen = ([127, 0, 0, 1], 8_080).into();
        config.coap = Some(([127, 0, 0, 1], 5_683).into());
        config.storage = Storage::Memory(Memory::default());
        let server = Peer {
            address: ([127, 0, 0, 1], 5_683).into(),
            secure: false,
        };
        let setup = Setup {
            endpoint: "device-0".to_owned(),
            firmware: "1.0.0".to_owned(),
            server,
            seed,
        };
        let mut fleet = Fleet::new();
        let kind = Arc::new(Kind::new(persona));
        fleet.add(Duration::ZERO, &kind, setup, Duration::ZERO, None);
        let driver = Driver::new(fleet, Arc::new(network.clone()), server.address, clock);
        let mut world = Self {
            network,
            clock,
            config,
            running: None,
            driver: driver.expect("a socket"),
            trace,
        };
        world.start().await;
        world
    }

    pub(crate) async fn start(&mut self) {
        let network = Arc::new(self.network.clone());
        let running = fotalab_server::start(self.config.clone(), network, self.clock).await;
        self.running = Some(running.expect("it starts"));
    }

    pub(crate) async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop().await;
        }
    }

    /// Lets so much time pass.
    pub(crate) async fn run(&mut self, time: Duration) {
        let until = self.driver.now() + time;
        self.driver
            .run_until(until)
            .await
            .expect("the sockets are open");
    }

    /// Lets time pass until something holds of the device, at most `longest`.
    pub(crate) async fn until(
        &mut self,
        step: Duration,
        longest: Duration,
        holds: impl Fn(&Device) -> bool,
    ) -> bool {
        let end = self.driver.now() + longest;
        while self.driver.now() < end {
            if holds(self.device()) {
                return true;
            }
            self.run(step).await;
        }
        false
    }

    pub(crate) fn device(&self) -> &Device {
        self.driver.fleet.device(0).expect("there is one")
    }

    pub(crate) fn trace(&self) -> Trace {
        self.trace
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The admin face: status and body. The fleet goes on meanwhile.
    pub(crate) async fn ask(&mut self, method: Method, path: &str, body: Bytes) -> (u16, Value) {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}/admin{path}", self.config.listen))
            .header("authorization", format!("Bearer {TOKEN}"))
            .body(body)
            .expect("a request");
        let network = self.network.clone();
        let asked = send(&network, request, MAX_ANSWER_BYTES);
        let moved = self.driver.run_until(Duration::MAX);
        let answer = tokio::select! {
            biased;
            answer = asked => answer.expect("an answer"),
            moved = moved => unreachable!("it ended: {moved:?}"),
        };
        let body = serde_json::from_slice(answer.body()).unwrap_or_default();
        (answer.status().as_u16(), body)
    }

    /// Uploads an image: its id.
    pub(crate) async fn image(&mut self, bytes: &Bytes) -> String {
        let (status, image) = self.ask(Method::POST, "/images", bytes.clone()).await;
        assert_eq!(status, 201, "{image}");
        image["id"].as_str().expect("an id").to_owned()
    }

    /// Asks for an update: its id.
    pub(crate) async fn update(&mut self, image: &str, transfer: &str) -> String {
        let body =
            json!({"device": "device-0", "image": image, "transfer": transfer, "version": "2.0.0"});
        let (status, update) = self
            .ask(Method::POST, "/updates", body.to_string().into())
            .await;
        assert_eq!(status, 201, "{update}");
        update["id"].as_str().expect("an id").to_owned()
    }

    /// The update as the server tells it, when it has ended; `None`: not in that time.
    pub(crate) async fn ended(&mut self, update: &str, longest: Duration) -> Option<Value> {
        let end = self.driver.now() + longest;
        while self.driver.now() < end {
            let (status, told) = self
                .ask(Method::GET, &format!("/updates/{update}"), Bytes::new())
                .await;
            assert_eq!(status, 200, "{told}");
            if told["state"] == "succeeded" || told["state"] == "failed" {
                return Some(told);
            }
            self.run(5 * STEP).await;
        }
        None
    }
}
