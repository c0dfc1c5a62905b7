//! What a server keeps for each peer that downloads or is sent an image, by a counting allocator.

use std::alloc::System;
use std::time::Duration;

use bytes::Bytes;
use fotalab_wire::coap::*;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const PEERS: u32 = 1_000;
/// The design: at most 4 KiB a concurrent download, whatever the size of the image.
const BUDGET: usize = 4 * 1_024;

fn allocated() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

fn endpoint() -> Endpoint<u32> {
    Endpoint::new(Config::default(), StdRng::seed_from_u64(1))
}

/// All clients are one endpoint, whose peers are the server under so many names.
fn exchange(server: &mut Endpoint<u32>, clients: &mut Endpoint<u32>, now: Duration, image: &Bytes) {
    while let Some(transmit) = clients.poll_transmit() {
        server.handle_datagram(now, transmit.to, &transmit.payload);
        while let Some(event) = server.poll_event() {
            let Event::Request { exchange, .. } = event else {
                continue;
            };
            let response = Response::with(Code::CONTENT, image.clone()).etag(b"12345678");
            server.respond(now, exchange, response).expect("open");
        }
    }
    while let Some(transmit) = server.poll_transmit() {
        clients.handle_datagram(now, transmit.to, &transmit.payload);
    }
}

/// Blocks that came, by request; the next ones are asked for.
fn proceed(clients: &mut Endpoint<u32>, now: Duration) -> usize {
    let mut blocks = 0;
    while let Some(event) = clients.poll_event() {
        if let Event::Block { request, more, .. } = event {
            blocks += 1;
            if more {
                clients.proceed(now, request).expect("open");
            }
        }
    }
    blocks
}

/// What a peer may make an endpoint keep by datagrams that nobody answers.
const HOSTILE: usize = 16 * 1_024;

/// One test, since the allocator counts for all threads.
#[test]
fn peers_stay_within_their_budgets() {
    concurrent_transfers();
    hostile_datagrams();
}

/// Requests without end, well formed and not, that the application never answers.
fn hostile_datagrams() {
    const PEERS: usize = 50;
    let config = Config {
        peers: PEERS,
        ..Config::default()
    };
    let before = allocated();
    let mut server: Endpoint<u32> = Endpoint::new(config, StdRng::seed_from_u64(3));
    let mut random = StdRng::seed_from_u64(4);
    let mut most = 0;
    for n in 0..100_000_u32 {
        let mut message = Message::new(Kind::Confirmable, Code::PUT, random.random());
        message.token = Token::new(&n.to_be_bytes()).expect("short");
        message.options.push_path("/5/0/0");
        message.options.push_uint(27, random.random_range(0..1_000));
        message.payload = Bytes::from(vec![7; random.random_range(0..1_100)]);
        let mut bytes = message.to_bytes().to_vec();
        if n % 3 == 0 {
            let at = random.random_range(0..bytes.len());
            bytes[at] = random.random();
        }
        let now = Duration::from_millis(u64::from(n));
        server.handle_datagram(now, random.random_range(0..1_000), &bytes);
        server.handle_timeout(now);
        while server.poll_event().is_some() {}
        while server.poll_transmit().is_some() {}
        most = most.max(allocated() - before);
    }
    println!(
        "100,000 hostile datagrams: {} bytes a peer at most",
        most / PEERS
    );
    assert!(most <= HOSTILE * PEERS, "{most}");
}

fn concurrent_transfers() {
    let image = Bytes::from(vec![0x5a; 1 << 20]);
    let (mut server, mut clients) = (endpoint(), endpoint());
    let mut now = Duration::from_secs(1);
    for peer in 0..PEERS {
        let request = Request::get("/fw").in_blocks(BlockSize::MAX);
        clients.request(now, peer, request).expect("room");
    }
    let before = allocated();
    let mut blocks = 0;
    for round in 0..20 {
        now += Duration::from_millis(100);
        exchange(&mut server, &mut clients, now, &image);
        blocks += proceed(&mut clients, now);
        if round == 9 {
            println!(
                "after ten blocks: {} bytes",
                (allocated() - before) / PEERS as usize
            );
        }
    }
    assert_eq!(blocks, 20 * PEERS as usize);
    drop(clients);
    let with = allocated();
    drop(server);
    let download = (with - allocated()) / PEERS as usize;
    println!("a download in the middle: {download} bytes at the server");
    assert!(download <= BUDGET, "{download}");

    // The same of an image that is pushed: nothing of it is copied but the block under way.
    let (mut server, mut devices) = (endpoint(), endpoint());
    for peer in 0..PEERS {
        let request = Request::put("/5/0/0", image.clone()).format(42);
        server.request(now, peer, request).expect("room");
    }
    for _ in 0..10 {
        now += Duration::from_millis(100);
        while let Some(transmit) = server.poll_transmit() {
            devices.handle_datagram(now, transmit.to, &transmit.payload);
        }
        while let Some(event) = devices.poll_event() {
            if let Event::BlockReceived { exchange, .. } = event {
                let response = Response::new(Code::CONTINUE);
                devices.respond(now, exchange, response).expect("open");
            }
        }
        while let Some(transmit) = devices.poll_transmit() {
            server.handle_datagram(now, transmit.to, &transmit.payload);
        }
        while server.poll_event().is_some() {}
    }
    drop(devices);
    while server.poll_transmit().is_some() {}
    let with = allocated();
    drop(server);
    let upload = (with - allocated()) / PEERS as usize;
    println!("an upload in the middle: {upload} bytes at the server");
    assert!(upload <= BUDGET, "{upload}");
}
