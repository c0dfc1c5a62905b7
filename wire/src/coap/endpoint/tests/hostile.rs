//! Peers that mean no good: arbitrary datagrams, floods, spoofed sources.

use std::time::Duration;

use bytes::Bytes;
use rand::{Rng as _, RngExt as _};

use super::rig::*;
use crate::coap::endpoint::*;
use crate::coap::limits;
use crate::coap::message::{Block, BlockSize, Code, Kind, Message, number};

/// 100,000 datagrams, 10,000,000 with `FOTALAB_LONG=1`: half noise, half real messages with a few
/// bytes changed, to an endpoint that is server and client; nothing panics, hangs or grows.
#[test]
fn arbitrary_datagrams() {
    let long = std::env::var_os("FOTALAB_LONG").is_some_and(|it| it != "0");
    let inputs: u32 = if long { 10_000_000 } else { 100_000 };
    let (inbox, mut random) = (SharedInbox::default(), random(7641));
    let mut real = Vec::new();
    let mut pair = Pair::new(taking(inbox));
    for request in [
        Request::put("/a", image(3000)),
        Request::get("/b").observing(),
        Request::post("/c", "x"),
    ] {
        pair.request(request);
    }
    pair.drive_for(seconds(5));
    real.extend(pair.log.iter().map(|sent| sent.bytes.to_vec()));
    let config = Config {
        peers: 50,
        ..Config::default()
    };
    let mut endpoint: Endpoint<u8> = Endpoint::new(config, super::rig::random(1));
    let (mut now, mut observers) = (Duration::ZERO, Vec::new());
    let mut bytes = Vec::new();
    for n in 0..inputs {
        if random.random() {
            bytes.clone_from(&real[random.random_range(0..real.len())]);
            for _ in 0..random.random_range(0..4) {
                let at = random.random_range(0..bytes.len().min(24));
                bytes[at] = random.random();
            }
        } else {
            bytes.resize(random.random_range(0..64), 0);
            random.fill_bytes(&mut bytes);
        }
        now += Duration::from_millis(random.random_range(0..200));
        let from = random.random_range(0..100);
        endpoint.handle_datagram(now, from, &bytes);
        endpoint.handle_timeout(now);
        if n % 50 == 0 {
            let _full = endpoint.request(now, from, Request::get("/").observing());
        }
        while let Some(event) = endpoint.poll_event() {
            answer(&mut endpoint, now, event, &mut observers);
        }
        while endpoint.poll_transmit().is_some() {}
        assert!(endpoint.peers() <= 50);
        if let Some(at) = endpoint.poll_timeout() {
            assert!(
                at > now || n % 4096 == 0,
                "a timer that is due again at once"
            );
        }
    }
    assert!(
        endpoint.peers.queued() < 2_000,
        "{}",
        endpoint.peers.queued()
    );
}

fn answer(
    endpoint: &mut Endpoint<u8>,
    now: Duration,
    event: Event<u8>,
    observers: &mut Vec<ObserverId>,
) {
    match event {
        Event::Request {
            exchange,
            observe: true,
            ..
        } => {
            let response = Response::with(Code::CONTENT, image(2000));
            observers.extend(endpoint.respond_observing(now, exchange, response).unwrap());
            if let Some(observer) = observers.pop() {
                let _over = endpoint.notify(now, observer, Response::new(Code::CONTENT), true);
            }
        }
        Event::Request { exchange, .. } => {
            endpoint
                .respond(now, exchange, Response::with(Code::CONTENT, image(2000)))
                .unwrap();
        }
        Event::BlockReceived {
            exchange, message, ..
        } => {
            endpoint
                .collect(now, exchange, &message.payload, 4000)
                .unwrap_or_default();
        }
        Event::Block {
            request,
            more: true,
            ..
        } => endpoint.proceed(now, request).unwrap(),
        _ => {}
    }
}

/// Spoofed sources: the table is bounded, those who have something open stay.
#[test]
fn a_flood_of_strangers() {
    let config = Config {
        peers: 1_000,
        ..Config::default()
    };
    let mut endpoint: Endpoint<u32> = Endpoint::new(config, random(1));
    let now = seconds(1);
    let observed = endpoint
        .request(now, 0, Request::get("/").observing())
        .unwrap();
    for stranger in 1..100_000u32 {
        let bytes = datagram(Kind::Confirmable, Code::GET, 1, "/").to_bytes();
        endpoint.handle_datagram(now, stranger, &bytes);
        while let Some(event) = endpoint.poll_event() {
            if let Event::Request { exchange, .. } = event {
                endpoint
                    .respond(now, exchange, Response::with(Code::CONTENT, Bytes::new()))
                    .unwrap();
            }
        }
        while endpoint.poll_transmit().is_some() {}
    }
    assert_eq!(endpoint.peers(), 1_000);
    endpoint.deregister(now, observed).unwrap();
}

/// Requests that nobody answers: each peer has a bound, and time clears them.
#[test]
fn requests_that_nobody_answers() {
    let mut pair = Pair::new(|_, _, _| {});
    pair.network = Box::new(|_, _| vec![]);
    for id in 0..200 {
        pair.server.handle_datagram(
            pair.time,
            CLIENT,
            &datagram(Kind::Confirmable, Code::GET, id, "/").to_bytes(),
        );
    }
    pair.settle();
    let refused = pair
        .log
        .iter()
        .filter(|s| s.message().code == Code::SERVICE_UNAVAILABLE)
        .count();
    assert_eq!(refused, 200 - limits::EXCHANGES_PER_PEER);
    pair.drive();
    assert_eq!(pair.server.peers(), 0);
}

/// 100,000 exchanges, each with a peer of its own: one entry each in the queue of deadlines, and
/// each timer at its time.
#[test]
fn a_hundred_thousand_exchanges() {
    let mut endpoint: Endpoint<u32> = Endpoint::new(Config::default(), random(1));
    for peer in 0..100_000 {
        endpoint
            .request(
                Duration::from_micros(u64::from(peer)),
                peer,
                Request::get("/"),
            )
            .unwrap();
    }
    assert_eq!(endpoint.peers.queued(), 100_000);
    let (mut last, mut failed) = (Duration::ZERO, 0);
    while let Some(at) = endpoint.poll_timeout().filter(|_| failed < 100_000) {
        assert!(at >= last);
        last = at;
        endpoint.handle_timeout(at);
        while endpoint.poll_transmit().is_some() {}
        while endpoint.poll_event().is_some() {
            failed += 1;
        }
    }
    assert_eq!(endpoint.statistics().retransmitted, 400_000);
    assert!(last <= seconds(93) + Duration::from_millis(100));
}

/// Whoever sends one datagram from each address there is costs no more than so many.
#[test]
fn strangers_take_each_others_place() {
    let mut endpoint: Endpoint<u32> = Endpoint::new(Config::default(), random(1));
    let bytes = datagram(Kind::NonConfirmable, Code::GET, 1, "/").to_bytes();
    for from in 0..limits::IDLE_PEERS_MAX as u32 + 5_000 {
        endpoint.handle_datagram(Duration::ZERO, from, &bytes);
        let Some(Event::Request { exchange, .. }) = endpoint.poll_event() else {
            panic!("no request of {from}");
        };
        let response = Response::new(Code::NOT_FOUND);
        endpoint
            .respond(Duration::ZERO, exchange, response)
            .unwrap();
        while endpoint.poll_transmit().is_some() {}
    }
    assert_eq!(endpoint.peers(), limits::IDLE_PEERS_MAX);
}

/// Bodies that nobody completes: the oldest go, and who goes on soon enough is served.
#[test]
fn unfinished_bodies_make_room_for_younger_ones() {
    let mut endpoint: Endpoint<u32> = Endpoint::new(Config::default(), random(1));
    let mut send = |from: u32, number: u32| {
        let mut message = datagram(Kind::Confirmable, Code::POST, number as u16, "/rd");
        let block = Block {
            number,
            more: number < 2,
            size: BlockSize::MAX,
        };
        message.options.push_block(number::BLOCK1, block);
        message.payload = image(1_024);
        endpoint.handle_datagram(Duration::ZERO, from, &message.to_bytes());
        let mut whole = 0;
        while let Some(event) = endpoint.poll_event() {
            match event {
                Event::BlockReceived {
                    exchange, message, ..
                } => endpoint
                    .collect(Duration::ZERO, exchange, &message.payload, 4_000)
                    .unwrap(),
                Event::Request {
                    exchange, message, ..
                } => {
                    whole = message.payload.len();
                    let created = Response::new(Code::CREATED);
                    endpoint.respond(Duration::ZERO, exchange, created).unwrap();
                }
                _ => {}
            }
        }
        let answer = endpoint.poll_transmit().expect("an answer").payload;
        (Message::parse(&answer).unwrap().code, whole)
    };
    let each = 1_024 + limits::COLLECTED_BODY_BYTES;
    let room = (limits::COLLECTED_BYTES_MAX / each) as u32;
    for from in 0..3 * room {
        assert_eq!(send(from, 0), (Code::CONTINUE, 0), "{from}");
    }
    assert_eq!(send(0, 1), (Code::REQUEST_ENTITY_INCOMPLETE, 0));
    let last = 3 * room - 1;
    assert_eq!(send(last, 1), (Code::CONTINUE, 0));
    assert_eq!(send(last, 2), (Code::CREATED, 3_072));
}
