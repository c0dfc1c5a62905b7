//! What DTLS sessions cost in memory, by a counting allocator, against the design's budgets.

use std::{alloc::System, net::SocketAddr, sync::Arc, time::Duration};

use fotalab_wire::dtls::{Client, PskOptions, Server, ServerOptions, limits};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The design: at most 8 KB a session (after its handshake, `contracts/performance.md`).
const SESSION_BUDGET: usize = 8_000;
/// After a block of 1 KiB each way: dimpl keeps its buffers as large as they ever were.
const USED_SESSION_BUDGET: usize = 10_000;

fn allocated() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

fn address(n: u32) -> SocketAddr {
    let [_, a, b, c] = n.to_be_bytes();
    ([10, a, b, c], 1).into()
}

fn pump(server: &mut Server, client: &mut Client, at: SocketAddr) {
    let now = Duration::ZERO;
    loop {
        let mut quiet = true;
        while let Some((to, bytes)) = client.poll_transmit() {
            assert_eq!(to, client.server());
            server.handle_datagram(now, at, &bytes);
            quiet = false;
        }
        while let Some((_, bytes)) = server.poll_transmit() {
            client.handle_datagram(now, client.server(), &bytes);
            quiet = false;
        }
        while client.poll_event().is_some() || server.poll_event().is_some() {}
        if quiet {
            return;
        }
    }
}

/// Bytes of one session at the server and at the client, after an exchange of `bytes` each way.
fn measure(mut server: Server, client: &dyn Fn() -> Client, bytes: usize) -> (usize, usize) {
    const SESSIONS: u32 = 500;
    let now = Duration::ZERO;
    let mut clients: Vec<Client> = Vec::with_capacity(SESSIONS as usize);
    let before = allocated();
    for n in 1..=SESSIONS {
        let mut client = client();
        client.connect(now).expect("a session");
        pump(&mut server, &mut client, address(n));
        if bytes > 0 {
            client.send(now, &vec![7; bytes]).expect("a session");
            pump(&mut server, &mut client, address(n));
            server
                .send(now, address(n), &vec![7; bytes])
                .expect("a session");
            pump(&mut server, &mut client, address(n));
        }
        clients.push(client);
    }
    assert_eq!(server.statistics().established, SESSIONS as usize);
    let with_clients = allocated();
    drop(clients);
    let without = allocated();
    let each = |bytes: usize| bytes / SESSIONS as usize;
    // The clients' vector was there before the first count and is not after the last one.
    let vector = size_of::<Client>() * SESSIONS as usize;
    (
        each(without + vector - before),
        each(with_clients - without),
    )
}

/// One test, so that nothing else allocates meanwhile.
#[test]
fn sessions_stay_within_their_budgets() {
    let here: SocketAddr = ([127, 0, 0, 1], 5684).into();
    let server = || {
        let lookup = Arc::new(|_: &[u8]| Some(b"0123456789abcdef".to_vec()));
        Server::new(ServerOptions::default(), lookup)
    };
    let client = || {
        let options = PskOptions::default();
        Client::new(
            options,
            here,
            b"urn:imei:490154203237518",
            b"0123456789abcdef",
        )
    };
    let now = Duration::ZERO;
    // Once, for what is made only once.
    let mut first = client();
    first.connect(now).expect("a session");
    pump(&mut server(), &mut first, address(0));

    for (bytes, budget) in [(0, SESSION_BUDGET), (1_024, USED_SESSION_BUDGET)] {
        let (server_bytes, client_bytes) = measure(server(), &client, bytes);
        println!("bytes a session, {bytes} each way: server {server_bytes}, client {client_bytes}");
        assert!(server_bytes <= budget, "{server_bytes}");
        assert!(client_bytes <= budget, "{client_bytes}");
    }

    // A flood of first ClientHellos from everywhere.
    let mut server = server();
    let mut attacker = client();
    attacker.connect(now).expect("a session");
    let (_, hello) = attacker.poll_transmit().expect("a ClientHello");
    let before = allocated();
    let mut most = 0;
    for n in 0..10_000_u32 {
        let mut hello = hello.to_vec();
        hello[40..44].copy_from_slice(&n.to_be_bytes());
        server.handle_datagram(now, address(1_000_000 + n), &hello);
        while server.poll_transmit().is_some() {}
        most = most.max(allocated() - before);
    }
    let each = most / limits::HALF_OPEN_SESSIONS;
    println!(
        "10,000 forged hellos: {most} bytes at most, {each} per half-open session of {}",
        limits::HALF_OPEN_SESSIONS
    );
    assert!(most <= limits::HALF_OPEN_BYTES, "{most}");
    assert!(each <= limits::HALF_OPEN_SESSION_BYTES, "{each}");
    server.handle_timeout(limits::HANDSHAKE_TIMEOUT);
    server.handle_timeout(limits::HANDSHAKE_TIMEOUT);
    server.handle_timeout(limits::HANDSHAKE_TIMEOUT);
    assert_eq!(server.statistics().half_open, 0);
}
