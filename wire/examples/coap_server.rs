//! A CoAP server on a real socket, for programs of others to talk to: `coap_server [ADDRESS]`.
//!
//! `/fw` is 100,000 bytes to GET by Block2, `/sink` takes a PUT by Block1 and gives it back on
//! GET, `/counter` can be observed and counts once a second, `/slow` answers after 3 s.
//! With `--fetch ADDRESS` it is a client instead: PUTs 50,000 bytes to `/sink` there, GETs them
//! back, and says whether they are the same.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use bytes::Bytes;
use fotalab_wire::coap::*;
use fotalab_wire::net::Clock;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [flag, address] if flag == "--fetch" => fetch(address.parse()?),
        [address] => serve(address),
        _ => serve("127.0.0.1:0"),
    }
}

fn image(length: u32) -> Bytes {
    (0..length).map(|n| (n ^ n >> 8) as u8).collect()
}

/// The socket and the clock around an endpoint.
struct Driver {
    socket: UdpSocket,
    clock: Clock,
    endpoint: Endpoint<SocketAddr>,
    buffer: Vec<u8>,
}

impl Driver {
    fn new(socket: UdpSocket) -> Self {
        let clock = Clock::of_machine();
        let endpoint = Endpoint::new(Config::default(), StdRng::seed_from_u64(clock.now() as u64));
        let buffer = vec![0; limits::DATAGRAM_MAX];
        Self {
            socket,
            clock,
            endpoint,
            buffer,
        }
    }

    /// Sends what is to be sent, then waits for a datagram, a timer or `longest`.
    fn turn(&mut self, longest: Duration) -> Result<(), Failure> {
        while let Some(transmit) = self.endpoint.poll_transmit() {
            self.socket.send_to(&transmit.payload, transmit.to)?;
        }
        let now = self.clock.elapsed();
        let timeout = self
            .endpoint
            .poll_timeout()
            .map_or(longest, |at| at.saturating_sub(now));
        let wait = timeout.min(longest).max(Duration::from_millis(1));
        self.socket.set_read_timeout(Some(wait))?;
        let received = self.socket.recv_from(&mut self.buffer);
        let now = self.clock.elapsed();
        if let Ok((length, from)) = received {
            self.endpoint
                .handle_datagram(now, from, &self.buffer[..length]);
        }
        self.endpoint.handle_timeout(now);
        Ok(())
    }
}

fn serve(address: &str) -> Result<(), Failure> {
    let mut driver = Driver::new(UdpSocket::bind(address)?);
    println!("{}", driver.socket.local_addr()?);
    let (mut sink, mut growing) = (Bytes::new(), Vec::new());
    let (mut observers, mut slow) = (Vec::new(), Vec::new());
    let mut counted = 0;
    loop {
        driver.turn(Duration::from_millis(200))?;
        let now = driver.clock.elapsed();
        let endpoint = &mut driver.endpoint;
        while let Some(event) = endpoint.poll_event() {
            match event {
                Event::Request {
                    exchange,
                    observe,
                    message,
                    ..
                } => {
                    let content = |body: Bytes| Response::with(Code::CONTENT, body);
                    let response = match (message.code, message.options.path().as_str()) {
                        (Code::GET, "/fw") => content(image(100_000)).etag(b"v1"),
                        (Code::GET, "/sink") => content(sink.clone()),
                        (Code::PUT, "/sink") => {
                            sink = message.payload;
                            Response::new(Code::CHANGED)
                        }
                        (Code::GET, "/counter") => content(format!("{counted}\n").into()),
                        (Code::GET, "/slow") => {
                            slow.push((now + Duration::from_secs(3), exchange));
                            continue;
                        }
                        _ => Response::new(Code::NOT_FOUND),
                    };
                    if observe && message.options.path() == "/counter" {
                        observers.extend(endpoint.respond_observing(now, exchange, response)?);
                    } else {
                        endpoint.respond(now, exchange, response)?;
                    }
                }
                Event::BlockReceived {
                    exchange,
                    offset,
                    more,
                    message,
                    ..
                } => {
                    growing.truncate(offset);
                    growing.extend_from_slice(&message.payload);
                    if !more {
                        sink = std::mem::take(&mut growing).into();
                    }
                    let code = if more { Code::CONTINUE } else { Code::CHANGED };
                    endpoint.respond(now, exchange, Response::new(code))?;
                }
                Event::ObserverGone { observer, .. } => {
                    observers.retain(|other| *other != observer)
                }
                _ => {}
            }
        }
        while slow.first().is_some_and(|(at, _)| *at <= now) {
            let (_, exchange) = slow.remove(0);
            let late = Response::with(Code::CONTENT, "late\n");
            let _over = endpoint.respond(now, exchange, late);
        }
        if now.as_secs() > counted {
            counted = now.as_secs();
            for observer in &observers {
                let response = Response::with(Code::CONTENT, format!("{counted}\n"));
                let _over = endpoint.notify(now, *observer, response, counted % 2 == 0);
            }
        }
    }
}

fn fetch(server: SocketAddr) -> Result<(), Failure> {
    let mut driver = Driver::new(UdpSocket::bind("127.0.0.1:0")?);
    let body = image(50_000);
    let now = driver.clock.elapsed();
    driver
        .endpoint
        .request(now, server, Request::put("/sink", body.clone()))?;
    loop {
        driver.turn(Duration::from_secs(1))?;
        while let Some(event) = driver.endpoint.poll_event() {
            match event {
                Event::Response { message, .. }
                    if matches!(message.code, Code::CREATED | Code::CHANGED) =>
                {
                    let now = driver.clock.elapsed();
                    driver
                        .endpoint
                        .request(now, server, Request::get("/sink"))?;
                }
                Event::Response { message, .. } => {
                    let same = message.payload == body;
                    println!(
                        "{} {}",
                        message.code,
                        if same { "same" } else { "DIFFERENT" }
                    );
                    return if same {
                        Ok(())
                    } else {
                        Err("another body came back".into())
                    };
                }
                Event::Failed { reason, .. } => return Err(reason.into()),
                _ => {}
            }
        }
    }
}
