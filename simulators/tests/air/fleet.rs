//! Fleets on virtual sockets, against a scripted server: what arrives, and what it costs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fotalab_simulators::device::drive::{Driver, Fleet, Psk};
use fotalab_simulators::device::{Event, Kind, Peer, Persona, Setup};
use fotalab_wire::coap::{self, Code, Endpoint, Request, Response};
use fotalab_wire::net::{Clock, Datagrams, InMemory, Network as _};
use rand::SeedableRng as _;
use rand::rngs::SmallRng;

fn server() -> SocketAddr {
    ([127, 0, 0, 1], 5683).into()
}

fn fleet_of(count: usize, persona: Persona) -> Fleet {
    let kind = Arc::new(Kind::new(persona));
    let mut fleet = Fleet::new();
    for index in 0..count {
        let setup = Setup {
            endpoint: format!("device-{index}"),
            firmware: "1.0.0".to_owned(),
            server: Peer {
                address: server(),
                secure: false,
            },
            seed: index as u64,
        };
        let start = Duration::from_millis(index as u64);
        fleet.add(Duration::ZERO, &kind, setup, start, None);
    }
    fleet
}

/// A server that says 2.01 to every Register and counts who asks.
struct Scripted {
    socket: Box<dyn Datagrams>,
    clock: Clock,
    coap: Endpoint<SocketAddr>,
    peers: Vec<SocketAddr>,
    values: Vec<String>,
}

impl Scripted {
    fn new(network: &InMemory, clock: Clock) -> Self {
        Self {
            socket: network.bind(server()).expect("free"),
            clock,
            coap: Endpoint::new(coap::Config::default(), SmallRng::seed_from_u64(1)),
            peers: Vec::new(),
            values: Vec::new(),
        }
    }

    async fn serve(&mut self) {
        let mut received = Vec::new();
        loop {
            self.socket.recv(&mut received).await.expect("open");
            let now = self.clock.elapsed();
            for datagram in received.drain(..) {
                self.coap
                    .handle_datagram(now, datagram.from, &datagram.bytes);
                while let Some(event) = self.coap.poll_event() {
                    self.on(now, event);
                }
                while let Some(transmit) = self.coap.poll_transmit() {
                    let sent = self
                        .socket
                        .try_send(server(), transmit.to, &transmit.payload);
                    sent.expect("room");
                }
            }
        }
    }

    fn on(&mut self, now: Duration, event: coap::Event<SocketAddr>) {
        match event {
            coap::Event::Request {
                exchange,
                from,
                message,
                ..
            } => {
                let mut response = Response::new(Code::CREATED);
                if message.options.path() != "/rd" {
                    response = Response::new(Code::CHANGED);
                } else {
                    let id = self.peers.len().to_string();
                    response.options.push(8, b"rd");
                    response.options.push(8, id.as_bytes());
                    self.peers.push(from);
                }
                self.coap.respond(now, exchange, response).expect("open");
            }
            coap::Event::Response { message, .. } => {
                self.values
                    .push(String::from_utf8_lossy(&message.payload).into_owned());
            }
            _ => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_devices_register_in_a_virtual_world() {
    let network = InMemory::new();
    let clock = Clock::starting_at(0);
    let mut scripted = Scripted::new(&network, clock);
    let fleet = fleet_of(1_000, Persona::default());
    let mut driver =
        Driver::new(fleet, Arc::new(network.clone()), server(), clock).expect("a socket");
    tokio::select! {
        () = scripted.serve() => {}
        moved = driver.run_until(Duration::from_secs(4)) => moved.expect("open"),
    }
    let census = driver.fleet.census();
    assert_eq!(census.registered, 1_000);
    assert_eq!((census.sent, census.received), (1_000, 1_000));
    let mut peers = scripted.peers.clone();
    peers.sort_unstable();
    peers.dedup();
    assert_eq!(peers.len(), 1_000, "each has an address of its own");
    let mut registered = 0;
    while let Some(told) = driver.fleet.poll_event() {
        registered += usize::from(matches!(told.event, Event::Registered(_)));
    }
    assert_eq!(registered, 1_000);
}

#[tokio::test(start_paused = true)]
async fn a_moved_device_is_heard_under_its_new_address() {
    let network = InMemory::new();
    let clock = Clock::starting_at(0);
    let mut scripted = Scripted::new(&network, clock);
    let fleet = fleet_of(1, Persona::default());
    let mut driver =
        Driver::new(fleet, Arc::new(network.clone()), server(), clock).expect("a socket");
    tokio::select! {
        () = scripted.serve() => {}
        moved = driver.run_until(Duration::from_secs(1)) => moved.expect("open"),
    }
    driver.fleet.rebind(0, [127, 9, 9, 9].into());
    let now = driver.now();
    driver.fleet.with(now, 0, |device| device.wake(now));
    tokio::select! {
        () = scripted.serve() => {}
        moved = driver.run_until(Duration::from_secs(2)) => moved.expect("open"),
    }
    // The update came from there, and its answer arrived.
    assert_eq!(driver.fleet.census().received, 2);
    let peer = SocketAddr::new([127, 9, 9, 9].into(), scripted.peers[0].port());
    let now = scripted.clock.elapsed();
    scripted
        .coap
        .request(now, peer, Request::get("/3/0/3"))
        .expect("room");
    while let Some(transmit) = scripted.coap.poll_transmit() {
        let sent = scripted
            .socket
            .try_send(server(), transmit.to, &transmit.payload);
        sent.expect("room");
    }
    tokio::select! {
        () = scripted.serve() => {}
        moved = driver.run_until(Duration::from_secs(3)) => moved.expect("open"),
    }
    assert_eq!(scripted.values, ["1.0.0"]);
}

#[tokio::test(start_paused = true)]
async fn int_401_devices_register_over_dtls_and_again_when_the_server_forgets_them() {
    use fotalab_wire::dtls::{PskOptions, Randomness, Server, ServerEvent, ServerOptions};

    let network = InMemory::new();
    let clock = Clock::starting_at(0);
    let socket = network.bind(server()).expect("free");
    let options = ServerOptions {
        psk: PskOptions {
            randomness: Randomness::Seeded(9),
            ..PskOptions::default()
        },
        ..ServerOptions::default()
    };
    let key = b"0123456789abcdef";
    let lookup = |identity: &[u8]| identity.starts_with(b"id-").then(|| key.to_vec());
    let mut dtls = Server::new(options, Arc::new(lookup));
    let mut coap = Endpoint::new(coap::Config::default(), SmallRng::seed_from_u64(1));
    let kind = Arc::new(Kind::new(Persona::default()));
    let mut fleet = Fleet::new();
    for index in 0..3_u64 {
        let setup = Setup {
            endpoint: format!("device-{index}"),
            firmware: "1.0.0".to_owned(),
            server: Peer {
                address: server(),
                secure: true,
            },
            seed: index,
        };
        // The last one has a key that the server does not know.
        let known = index < 2;
        let psk = Psk {
            identity: format!("id-{index}").into_bytes(),
            key: if known {
                key.to_vec()
            } else {
                b"wrong".to_vec()
            },
        };
        let start = Duration::from_millis(index);
        fleet.add(
            Duration::ZERO,
            &kind,
            setup,
            start,
            Some((&psk, Some(index))),
        );
    }
    let mut driver =
        Driver::new(fleet, Arc::new(network.clone()), server(), clock).expect("a socket");
    let mut registrations = 0;
    let mut forgotten = false;
    let mut peers: Vec<SocketAddr> = Vec::new();
    let served = async {
        let mut received = Vec::new();
        loop {
            let wake = [dtls.poll_timeout(), coap.poll_timeout()];
            let wake = wake.into_iter().flatten().min().unwrap_or(Duration::MAX);
            tokio::select! {
                arrived = socket.recv(&mut received) => arrived.expect("open"),
                () = tokio::time::sleep(wake.saturating_sub(clock.elapsed())) => {}
            }
            let now = clock.elapsed();
            if !forgotten && now > Duration::from_secs(100) {
                // The server restarts: it knows no session any more.
                forgotten = true;
                for peer in std::mem::take(&mut peers) {
                    dtls.forget(peer);
                }
            }
            for datagram in received.drain(..) {
                dtls.handle_datagram(now, datagram.from, &datagram.bytes);
            }
            dtls.handle_timeout(now);
            coap.handle_timeout(now);
            while let Some(event) = dtls.poll_event() {
                match event {
                    ServerEvent::Established { peer, .. } => peers.push(peer),
                    ServerEvent::Data { peer, bytes } => {
                        coap.handle_datagram(now, peer, &bytes);
                    }
                    _ => {}
                }
            }
            while let Some(event) = coap.poll_event() {
                if let coap::Event::Request {
                    exchange, message, ..
                } = event
                {
                    let is_register = message.options.path() == "/rd";
                    registrations += u32::from(is_register);
                    let mut response = Response::new(Code::CHANGED);
                    if is_register {
                        response = Response::new(Code::CREATED);
                        response.options.push(8, b"rd");
                        response.options.push(8, b"1");
                    }
                    coap.respond(now, exchange, response).expect("open");
                }
            }
            while let Some(transmit) = coap.poll_transmit() {
                dtls.send(now, transmit.to, &transmit.payload)
                    .expect("a session");
            }
            while let Some((to, bytes)) = dtls.poll_transmit() {
                socket.try_send(server(), to, &bytes).expect("room");
            }
        }
    };
    let moved = async {
        driver
            .run_until(Duration::from_secs(60))
            .await
            .expect("open");
        assert_eq!(
            driver.fleet.census().registered,
            2,
            "the wrong key stays out"
        );
        driver
            .run_until(Duration::from_secs(600))
            .await
            .expect("open");
        driver.fleet.census().registered
    };
    let registered = tokio::select! {
        () = served => 0,
        registered = moved => registered,
    };
    assert_eq!(registered, 2);
    assert!(registrations >= 4, "who was forgotten registered again");
}

/// X-FW-C19: the ETag, whether the file changes, where the part that is sent is said to begin
/// beside where it was asked for, and how many ranges are asked for.
#[tokio::test(start_paused = true)]
async fn x_fw_c19_a_pull_over_http_with_range_and_if_match() {
    use fotalab_simulators::device::{State, UpdateResult};
    use std::sync::Mutex;

    type Asked = Arc<Mutex<Vec<Option<String>>>>;
    for (etag, changes, begins, ranges) in [
        (Some("\"one\""), false, Some(0), 1),
        (Some("W/\"one\""), false, Some(0), 0),
        (None, false, Some(0), 0),
        (Some("\"one\""), true, Some(0), 1),
        (Some("\"one\""), false, Some(1), 1),
        (Some("\"one\""), false, None, 1),
    ] {
        let network = InMemory::new();
        let clock = Clock::starting_at(0);
        let image = fotalab_wire::image::build("2.0.0", 100_000, 3).expect("fits");
        let listener = network.listen(([127, 0, 0, 1], 8080).into()).expect("free");
        let asked: Asked = Arc::default();
        let seen = Arc::clone(&asked);
        let service =
            hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
                let range = request.headers().get("range");
                let range = range.map(|it| it.to_str().expect("ASCII").to_owned());
                let mut asked = seen.lock().expect("whole");
                asked.push(range.clone());
                let changed = changes && asked.len() > 1;
                let from: Option<usize> =
                    range.and_then(|it| it.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
                let (status, body) = match from {
                    Some(_) if changed => (412, Vec::new()),
                    Some(from) => (206, image[from..].to_vec()),
                    None => (200, image.clone()),
                };
                let mut response = http::Response::builder().status(status);
                if let Some(etag) = etag {
                    response = response.header("etag", etag);
                }
                if let (206, Some(from), Some(more)) = (status, from, begins) {
                    let (from, total) = (from + more, image.len());
                    let range = format!("bytes {from}-{}/{total}", total - 1);
                    response = response.header("content-range", range);
                }
                let body = http_body_util::Full::new(bytes::Bytes::from(body));
                let response = response.body(body);
                async move { Ok::<_, std::convert::Infallible>(response.expect("good")) }
            });
        tokio::spawn(fotalab_wire::net::http::serve(
            listener,
            service,
            fotalab_wire::net::http::Limits::default(),
        ));
        let persona = Persona::read(
            "protocols = [\"http\"]\nflash-bytes-per-second = 20000\n\
             faults = [\"loses power while downloading\"]",
        );
        let mut scripted = Scripted::new(&network, clock);
        let fleet = fleet_of(1, persona.expect("good"));
        let mut driver =
            Driver::new(fleet, Arc::new(network.clone()), server(), clock).expect("a socket");
        tokio::select! {
            () = scripted.serve() => {}
            moved = driver.run_until(Duration::from_secs(1)) => moved.expect("open"),
        }
        let now = clock.elapsed();
        let write = Request::put("/5/0/1", "http://127.0.0.1:8080/fw").format(0);
        let peer = scripted.peers[0];
        scripted.coap.request(now, peer, write).expect("room");
        while let Some(transmit) = scripted.coap.poll_transmit() {
            let sent = scripted
                .socket
                .try_send(server(), transmit.to, &transmit.payload);
            sent.expect("room");
        }
        tokio::select! {
            () = scripted.serve() => {}
            moved = driver.run_until(Duration::from_secs(60)) => moved.expect("open"),
        }
        let firmware = driver.fleet.device(0).expect("there").firmware();
        let state = (firmware.state(), firmware.outcome());
        assert_eq!(
            state,
            (State::Downloaded, UpdateResult::Initial),
            "{etag:?}"
        );
        assert_eq!(firmware.flashed().map(|it| it.length), Some(100_000));
        let asked = asked.lock().expect("whole");
        assert_eq!(
            asked.iter().flatten().count(),
            ranges,
            "{etag:?}: {asked:?}"
        );
        // What cannot be put to what is there is asked for as a whole.
        let again = changes || begins != Some(0);
        assert_eq!(asked.len(), 2 + usize::from(again), "{asked:?}");
    }
}
