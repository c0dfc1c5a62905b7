//! Ten thousand devices for 24 virtual hours at 5 % loss, against the smallest server that takes
//! registrations: what the fleet, its driver and the virtual world cost. `cargo bench --bench air`
//! of the root package has the same with the real server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fotalab_simulators::device::drive::{Driver, Fleet};
use fotalab_simulators::device::{Kind, Peer, Persona, Setup};
use fotalab_wire::coap::{Code, Kind as Type, Message, MessageView};
use fotalab_wire::net::{
    Clock, Datagrams, InMemory, Lossy, LossyOptions, Network as _, VirtualLink,
};

const DEVICES: usize = 10_000;
const LIFETIME: Duration = Duration::from_secs(3_600);

fn main() {
    #[expect(clippy::disallowed_methods, reason = "how long it really takes")]
    let begin = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    let (registered, datagrams) = runtime.expect("a runtime").block_on(day());
    let took = begin.elapsed().as_secs_f64();
    let each = took * 1e6 / datagrams as f64;
    println!(
        "{DEVICES} devices for 24 hours: {took:.1} s, {registered} registered, {datagrams} datagrams, \
         {each:.2} us each"
    );
}

async fn day() -> (usize, u64) {
    let (network, clock) = (InMemory::new(), Clock::starting_at(0));
    let options = LossyOptions {
        loss: 0.05,
        delay_min: Duration::from_millis(50),
        delay_max: Duration::from_millis(150),
        ..LossyOptions::default()
    };
    network.carry_datagrams(Lossy::new(VirtualLink::new(), options, 1), clock);
    let server = Peer {
        address: ([127, 0, 0, 1], 5_683).into(),
        secure: false,
    };
    let socket = network.bind(server.address).expect("free");
    let persona = Persona {
        lifetime: LIFETIME,
        ..Persona::default()
    };
    let kind = Arc::new(Kind::new(persona));
    let mut fleet = Fleet::new();
    for index in 0..DEVICES {
        let setup = Setup {
            endpoint: format!("device-{index}"),
            firmware: "1.0.0".to_owned(),
            server,
            seed: index as u64,
        };
        let start = Duration::from_millis(index as u64);
        fleet.add(Duration::ZERO, &kind, setup, start, None);
    }
    let network = Arc::new(network);
    let driver = Driver::new(fleet, network, server.address, clock);
    let mut driver = driver.expect("a socket");
    let moved = async {
        for hour in 1..=24 {
            let until = Duration::from_secs(3_600 * hour);
            driver.run_until(until).await.expect("open");
            while driver.fleet.poll_event().is_some() {}
        }
    };
    tokio::select! {
        () = moved => {}
        () = serve(&*socket) => {}
    }
    let census = driver.fleet.census();
    (census.registered, census.sent + census.received)
}

/// 2.01 to Register, 2.04 to all else.
async fn serve(socket: &dyn Datagrams) {
    let mut received = Vec::new();
    loop {
        socket.recv(&mut received).await.expect("open");
        for datagram in received.drain(..) {
            let view = MessageView::parse(&datagram.bytes).expect("a message");
            let registers = view.payload().starts_with(b"<");
            let code = if registers {
                Code::CREATED
            } else {
                Code::CHANGED
            };
            let mut answer = Message::new(Type::Acknowledgement, code, view.id);
            answer.token = view.token;
            if registers {
                answer.options.push(8, b"rd");
                answer.options.push(8, b"1");
            }
            let bytes = answer.to_bytes();
            socket.send_to(datagram.from, &bytes).await.expect("open");
        }
    }
}
