//! Blocks a second and CPU a block on loopback sockets, 50 peers in lock step: our endpoint next to
//! the smallest one-thread responder there can be, and to libcoap's server if it is installed.
//!
//! `cargo bench -p fotalab-wire --bench blocks`. Compare figures of one run only.

use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use fotalab_wire::coap::message::number;
use fotalab_wire::coap::*;
use fotalab_wire::net::Clock;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

mod load;

use load::{BODY_BYTES, Outcome, Way, cpu, load};

const PEERS: u16 = 50;
const TIME: Duration = Duration::from_secs(2);
const ROUNDS: usize = 3;
/// How long a server thread waits for a datagram before it looks whether it should end.
const TURN: Duration = Duration::from_millis(50);

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    for way in [Way::Get, Way::Put] {
        println!("\n{way:?}, {PEERS} peers, blocks of 1,024 bytes, {ROUNDS} rounds of {TIME:?}");
        println!("{:<10} {:>12} {:>14}", "server", "blocks/s", "CPU us/block");
        let mut best = Vec::new();
        for round in 0..ROUNDS {
            let servers: [(&str, Start); 3] = [
                ("floor", floor),
                ("endpoint", endpoint),
                ("libcoap", libcoap),
            ];
            for (name, start) in servers {
                let Some(server) = start(way) else {
                    if round == 0 {
                        println!(
                            "SKIPPED: coap-server-notls is not installed: no figures of libcoap"
                        );
                    }
                    continue;
                };
                let (address, path) = (server.address, server.path);
                let before = server.cpu();
                let outcome = runtime.block_on(load(way, address, path, PEERS, TIME));
                let outcome = outcome.expect("sockets");
                let spent = server.end().saturating_sub(before);
                let (rate, each) = figures(&outcome, spent);
                println!("{name:<10} {rate:>12.0} {each:>14.2}{}", remarks(&outcome));
                best.push((name, rate, each));
            }
        }
        let median = |name: &str, pick: fn(&(&str, f64, f64)) -> f64| {
            let mut all: Vec<f64> = best.iter().filter(|it| it.0 == name).map(pick).collect();
            all.sort_by(f64::total_cmp);
            all.get(all.len() / 2).copied()
        };
        for other in ["floor", "libcoap"] {
            let rates = median("endpoint", |it| it.1).zip(median(other, |it| it.1));
            let costs = median("endpoint", |it| it.2).zip(median(other, |it| it.2));
            if let Some(((ours, theirs), (cost, its))) = rates.zip(costs) {
                let (rate, cost) = (ours / theirs, cost / its);
                println!(
                    "endpoint to {other}: {rate:.2} x the blocks/s, {cost:.2} x the CPU a block"
                );
            }
        }
    }
}

fn figures(outcome: &Outcome, spent: Duration) -> (f64, f64) {
    let blocks = outcome.blocks.max(1) as f64;
    (
        blocks / outcome.took.as_secs_f64(),
        spent.as_secs_f64() * 1e6 / blocks,
    )
}

fn remarks(outcome: &Outcome) -> String {
    match (outcome.again, outcome.errors) {
        (0, 0) => String::new(),
        (again, errors) => format!("  ({again} sent again, {errors} errors)"),
    }
}

/// Starts a server, if it is installed.
type Start = fn(Way) -> Option<Server>;

/// A server of this process in a thread of its own, or another program's.
struct Server {
    address: SocketAddr,
    path: &'static str,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Duration>>,
    child: Option<Child>,
}

impl Server {
    /// What it has used so far; of a thread that is told only in the end, and begins at 0.
    fn cpu(&self) -> Duration {
        let child = self.child.as_ref();
        child.map_or(Duration::ZERO, |child| cpu(&child.id().to_string()))
    }

    fn end(mut self) -> Duration {
        let spent = self.cpu();
        self.stop.store(true, Ordering::Relaxed);
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
        let thread = self.thread.take();
        thread.map_or(spent, |thread| thread.join().expect("it ran"))
    }
}

fn in_thread(serve: impl FnMut(&UdpSocket, &mut [u8]) + Send + 'static) -> Option<Server> {
    let mut serve = serve;
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let address = socket.local_addr().expect("bound");
    socket.set_read_timeout(Some(TURN)).expect("possible");
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let thread = std::thread::spawn(move || {
        let before = cpu("thread-self");
        let mut buffer = vec![0; limits::DATAGRAM_MAX];
        while !stopped.load(Ordering::Relaxed) {
            serve(&socket, &mut buffer);
        }
        cpu("thread-self").saturating_sub(before)
    });
    Some(Server {
        address,
        path: "/fw",
        stop,
        thread: Some(thread),
        child: None,
    })
}

/// No duplicates, no timers, no state: only the bytes.
fn floor(way: Way) -> Option<Server> {
    let image = vec![0x5a; BODY_BYTES];
    let mut answer = Vec::with_capacity(1_100);
    in_thread(move |socket, buffer| {
        let Ok((length, from)) = socket.recv_from(buffer) else {
            return;
        };
        let Ok(view) = MessageView::parse(&buffer[..length]) else {
            return;
        };
        answer.clear();
        let [high, low] = view.id.to_be_bytes();
        let token = view.token.as_bytes();
        let first = 0x60 | token.len() as u8;
        match way {
            Way::Get => {
                let Some(block) = view.block(number::BLOCK2) else {
                    return;
                };
                answer.extend_from_slice(&[first, Code::CONTENT.0, high, low]);
                answer.extend_from_slice(token);
                let more = block.offset() + 1_024 < image.len();
                let value = Block { more, ..block }.to_value() as u16;
                answer.extend_from_slice(b"\xd2\x0a");
                answer.extend_from_slice(&value.to_be_bytes());
                answer.push(0xff);
                answer.extend_from_slice(&image[block.offset()..][..1_024]);
            }
            Way::Put => {
                let Some(block) = view.block(number::BLOCK1) else {
                    return;
                };
                let code = if block.more {
                    Code::CONTINUE
                } else {
                    Code::CHANGED
                };
                answer.extend_from_slice(&[first, code.0, high, low]);
                answer.extend_from_slice(token);
                answer.extend_from_slice(b"\xd2\x0e");
                answer.extend_from_slice(&(block.to_value() as u16).to_be_bytes());
            }
        }
        drop(socket.send_to(&answer, from));
    })
}

/// The endpoint that server and devices use, around it the plainest driver.
fn endpoint(_: Way) -> Option<Server> {
    let clock = Clock::of_machine();
    let image = Bytes::from(vec![0x5a; BODY_BYTES]);
    let mut endpoint: Endpoint<SocketAddr> =
        Endpoint::new(Config::default(), StdRng::seed_from_u64(1));
    in_thread(move |socket, buffer| {
        if let Ok((length, from)) = socket.recv_from(buffer) {
            endpoint.handle_datagram(clock.elapsed(), from, &buffer[..length]);
        }
        let now = clock.elapsed();
        while let Some(event) = endpoint.poll_event() {
            let (exchange, response) = match event {
                Event::Request { exchange, .. } => {
                    let response = Response::with(Code::CONTENT, image.clone());
                    (exchange, response.etag(b"12345678"))
                }
                Event::BlockReceived { exchange, more, .. } => {
                    let code = if more { Code::CONTINUE } else { Code::CHANGED };
                    (exchange, Response::new(code))
                }
                _ => continue,
            };
            let _over = endpoint.respond(now, exchange, response);
        }
        if endpoint.poll_timeout().is_some_and(|at| at <= now) {
            endpoint.handle_timeout(now);
        }
        while let Some(transmit) = endpoint.poll_transmit() {
            drop(socket.send_to(&transmit.payload, transmit.to));
        }
    })
}

/// libcoap's example server, with a body of 1 MiB put into it first.
fn libcoap(way: Way) -> Option<Server> {
    // A port that was free a moment ago.
    let free = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let address = free.local_addr().expect("bound");
    drop(free);
    let port = address.port().to_string();
    let child = Command::new("coap-server-notls")
        .args(["-A", "127.0.0.1", "-p", &port, "-d", "200"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let server = Server {
        address,
        path: "/fw",
        stop: Arc::default(),
        thread: None,
        child: Some(child.ok()?),
    };
    if way == Way::Get {
        put_body(address);
    }
    Some(server)
}

fn put_body(address: SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket
        .set_read_timeout(Some(Duration::from_millis(100)))
        .expect("possible");
    let mut client: Endpoint<SocketAddr> =
        Endpoint::new(Config::default(), StdRng::seed_from_u64(2));
    let clock = Clock::of_machine();
    let request = Request::put("/fw", vec![0x5a; BODY_BYTES]).format(42);
    client
        .request(clock.elapsed(), address, request)
        .expect("room");
    let mut buffer = vec![0; 2_048];
    loop {
        while let Some(transmit) = client.poll_transmit() {
            drop(socket.send_to(&transmit.payload, transmit.to));
        }
        if let Ok((length, from)) = socket.recv_from(&mut buffer) {
            client.handle_datagram(clock.elapsed(), from, &buffer[..length]);
        }
        client.handle_timeout(clock.elapsed());
        while let Some(event) = client.poll_event() {
            match event {
                Event::Response { message, .. } => {
                    assert!(message.code.is_success(), "libcoap says {}", message.code);
                    return;
                }
                Event::Failed { reason, .. } => panic!("libcoap cannot be reached: {reason}"),
                _ => {}
            }
        }
    }
}
