//! DTLS-PSK against the design: at least 3,000 handshakes/s with both ends here.
//!
//! `cargo bench -p fotalab-wire --bench dtls`; memory per session is held to its budget by
//! `tests/dtls_memory.rs`, the columns here show what was allocated.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use divan::{AllocProfiler, Bencher, counter::ItemsCount};
use fotalab_wire::dtls::{Client, PskOptions, Randomness, Server, ServerOptions};

const IDENTITY: &[u8] = b"urn:imei:490154203237518";
const KEY: &[u8] = b"0123456789abcdef";

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

fn here() -> SocketAddr {
    ([127, 0, 0, 1], 5684).into()
}

fn address(n: u32) -> SocketAddr {
    let [_, a, b, c] = n.to_be_bytes();
    ([10, a, b, c], 1).into()
}

fn server(psk: PskOptions) -> Server {
    let options = ServerOptions {
        psk,
        ..ServerOptions::default()
    };
    Server::new(options, Arc::new(|_: &[u8]| Some(KEY.to_vec())))
}

fn pump(now: Duration, server: &mut Server, client: &mut Client, at: SocketAddr) {
    loop {
        let mut quiet = true;
        while let Some((_, bytes)) = client.poll_transmit() {
            server.handle_datagram(now, at, &bytes);
            quiet = false;
        }
        while let Some((_, bytes)) = server.poll_transmit() {
            client.handle_datagram(now, here(), &bytes);
            quiet = false;
        }
        while client.poll_event().is_some() || server.poll_event().is_some() {}
        if quiet {
            return;
        }
    }
}

fn connected(server: &mut Server, options: &PskOptions, at: SocketAddr) -> Client {
    let mut client = Client::new(options.clone(), here(), IDENTITY, KEY);
    client.connect(Duration::ZERO).expect("a session");
    pump(Duration::ZERO, server, &mut client, at);
    assert!(client.is_established());
    client
}

fn handshakes(bencher: Bencher<'_, '_>, options: PskOptions) {
    let mut server = server(options.clone());
    let mut n = 0;
    bencher.counter(ItemsCount::new(1_u32)).bench_local(|| {
        n = (n + 1) % 1_000_000;
        let client = connected(&mut server, &options, address(n));
        server.forget(address(n));
        client
    });
}

/// Both ends; the budget is 333 us.
#[divan::bench]
fn handshake(bencher: Bencher<'_, '_>) {
    handshakes(bencher, PskOptions::default());
}

/// The same in a virtual run: a seed for each session.
#[divan::bench]
fn handshake_seeded(bencher: Bencher<'_, '_>) {
    let options = PskOptions {
        randomness: Randomness::Seeded(1),
        ..PskOptions::default()
    };
    handshakes(bencher, options);
}

/// One record from client to server, sealed and opened.
#[divan::bench(args = [60, 1060])]
fn seal_and_open(bencher: Bencher<'_, '_>, bytes: usize) {
    let options = PskOptions::default();
    let mut server = server(options.clone());
    let mut client = connected(&mut server, &options, address(1));
    let plaintext = vec![7; bytes];
    bencher.counter(ItemsCount::new(1_u32)).bench_local(|| {
        client.send(Duration::ZERO, &plaintext).expect("a session");
        pump(Duration::ZERO, &mut server, &mut client, address(1));
    });
}

/// A first ClientHello of somebody new, when the table of half-open sessions is full.
#[divan::bench]
fn flood_hello(bencher: Bencher<'_, '_>) {
    let mut server = server(PskOptions::default());
    let mut client = Client::new(PskOptions::default(), here(), IDENTITY, KEY);
    client.connect(Duration::ZERO).expect("a session");
    let (_, hello) = client.poll_transmit().expect("a ClientHello");
    let mut n = 0;
    bencher.counter(ItemsCount::new(1_u32)).bench_local(|| {
        n = (n + 1) % 10_000_000;
        server.handle_datagram(Duration::ZERO, address(n), &hello);
        server.poll_transmit()
    });
}
