//! The air side as a whole: the server that `serve` starts, on sockets next to the smallest responder
//! and libcoap's; ten thousand devices for a day in the virtual world.
//!
//! `cargo bench --bench air`; `cargo bench --bench air -- day` is the second part alone. Budgets
//! (design, "Figures to reach"): at most 9 us CPU a block and twice libcoap's blocks a second; a
//! day of 10,000 devices at 5 % loss in at most 10 s.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use fotalab_server::Config;
use fotalab_simulators::device::{
    Kind, Peer, Persona, Setup,
    drive::{Driver, Fleet},
};
use fotalab_wire::net::{
    Clock, InMemory, Lossy, LossyOptions, Network, Sockets, VirtualLink,
    http::{MAX_ANSWER_BYTES, send},
};
use http::Request;
use load::{BODY_BYTES, Way, cpu, load};
use serde_json::Value;

#[path = "../wire/benches/load/mod.rs"]
#[expect(dead_code, reason = "nothing is put into this server")]
mod load;

const TOKEN: &str = "a-token-of-this-bench";
const PEERS: u16 = 50;
const TIME: Duration = Duration::from_secs(2);

fn main() {
    let only: Vec<String> = std::env::args()
        .skip(1)
        .filter(|it| !it.starts_with('-'))
        .collect();
    let wanted = |name: &str| only.is_empty() || only.iter().any(|it| name.contains(it.as_str()));
    if wanted("blocks") {
        blocks();
    }
    for lifetime in [3_600, 300] {
        if wanted("day") {
            day(10_000, lifetime);
        }
    }
}

/// GET of an image of 1 MiB by 50 peers from the whole server.
fn blocks() {
    let stop = Arc::new(AtomicBool::new(false));
    let (tell, told) = mpsc::channel();
    let stopped = Arc::clone(&stop);
    let server = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.expect("a runtime").block_on(async {
            let mut config = Config::for_scenarios(TOKEN.to_owned(), 1);
            config.coap = Some(([127, 0, 0, 1], 0).into());
            let network = Arc::new(Sockets);
            let running = fotalab_server::start(config, network, Clock::of_machine()).await;
            let running = running.expect("it starts");
            let image = upload(running.address()).await;
            tell.send((running.coap().expect("it listens"), image))
                .expect("heard");
            while !stopped.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            let spent = cpu("thread-self");
            running.stop().await;
            spent
        })
    });
    let (address, image): (SocketAddr, String) = told.recv().expect("it starts");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let path = format!("/fw/{image}");
    let outcome = runtime
        .expect("a runtime")
        .block_on(load(Way::Get, address, &path, PEERS, TIME));
    let outcome = outcome.expect("sockets");
    stop.store(true, Ordering::Relaxed);
    let spent = server.join().expect("it ran");
    let each = spent.as_secs_f64() * 1e6 / outcome.blocks.max(1) as f64;
    let rate = outcome.blocks as f64 / outcome.took.as_secs_f64();
    println!(
        "GET from the whole server, {PEERS} peers: {rate:.0} blocks/s, {each:.2} us CPU a block"
    );
    println!(
        "  ({} sent again, {} errors; the others: cargo bench -p fotalab-wire --bench blocks)",
        outcome.again, outcome.errors
    );
}

async fn upload(server: SocketAddr) -> String {
    let request = Request::post(format!("http://{server}/admin/images"))
        .header("authorization", format!("Bearer {TOKEN}"))
        .body(Bytes::from(vec![0x5a; BODY_BYTES]))
        .expect("a request");
    let answer = send(&Sockets, request, MAX_ANSWER_BYTES)
        .await
        .expect("an answer");
    let image: Value = serde_json::from_slice(answer.body()).expect("JSON");
    image["id"].as_str().expect("an id").to_owned()
}

/// So many devices for 24 hours, with 5 % of all datagrams lost.
fn day(devices: usize, lifetime: u64) {
    #[expect(clippy::disallowed_methods, reason = "how long it really takes")]
    let begin = Instant::now();
    let before = cpu("thread-self");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    let census = runtime.expect("a runtime").block_on(async {
        let (network, clock) = (InMemory::new(), Clock::starting_at(1_767_225_600_000));
        let options = LossyOptions {
            loss: 0.05,
            delay_min: Duration::from_millis(50),
            delay_max: Duration::from_millis(150),
            ..LossyOptions::default()
        };
        network.carry_datagrams(Lossy::new(VirtualLink::new(), options, 1), clock);
        let network: Arc<dyn Network> = Arc::new(network);
        let mut config = Config::for_scenarios(TOKEN.to_owned(), 1);
        config.coap = Some(([127, 0, 0, 1], 5_683).into());
        let running = fotalab_server::start(config, Arc::clone(&network), clock).await;
        let running = running.expect("it starts");
        let server = running.coap().expect("it listens");
        let persona = Persona {
            lifetime: Duration::from_secs(lifetime),
            ..Persona::default()
        };
        let kind = Arc::new(Kind::new(persona));
        let mut fleet = Fleet::new();
        for index in 0..devices {
            let setup = Setup {
                endpoint: format!("device-{index}"),
                firmware: "1.0.0".to_owned(),
                server: Peer {
                    address: server,
                    secure: false,
                },
                seed: index as u64,
            };
            let start = Duration::from_millis(index as u64);
            fleet.add(Duration::ZERO, &kind, setup, start, None);
        }
        let mut driver = Driver::new(fleet, network, server, clock).expect("a socket");
        for hour in 1..=24 {
            let until = Duration::from_secs(3_600 * hour);
            driver.run_until(until).await.expect("open");
            while driver.fleet.poll_event().is_some() {}
        }
        driver.fleet.census()
    });
    let (took, spent) = (begin.elapsed(), cpu("thread-self").saturating_sub(before));
    println!(
        "{devices} devices for 24 hours, lifetime {lifetime} s, 5 % loss: {:.1} s, {:.1} s of CPU; \
         {} registered, {} datagrams sent, {} received",
        took.as_secs_f64(),
        spent.as_secs_f64(),
        census.registered,
        census.sent,
        census.received,
    );
}
