//! What DTLS sessions cost in memory, by a counting allocator, against the design's budgets.

use std::{alloc::System, net::SocketAddr, sync::Arc, time::Duration};

use fotalab_wire::dtls::{Client, PskOptions, Server, ServerOptions, limits};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The design: at most 8 KB a session.
const SESSION_BUDGET: usize = 8_000;

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

/// One test, so that nothing else allocates meanwhile.
#[test]
fn sessions_stay_within_their_budgets() {
    let here: SocketAddr = ([127, 0, 0, 1], 5684).into();
    let lookup = Arc::new(|_: &[u8]| Some(b"0123456789abcdef".to_vec()));
    let mut server = Server::new(ServerOptions::default(), lookup);
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
    pump(&mut server, &mut first, address(0));

    const SESSIONS: u32 = 500;
    let mut clients: Vec<Client> = Vec::with_capacity(SESSIONS as usize);
    let mut server_bytes = 0;
    let before = allocated();
    for n in 1..=SESSIONS {
        let mut client = client();
        client.connect(now).expect("a session");
        pump(&mut server, &mut client, address(n));
        // One exchange: what a session keeps after it has been used.
        client.send(now, &[7; 64]).expect("a session");
        pump(&mut server, &mut client, address(n));
        server
            .send(now, address(n), &[7; 1_100])
            .expect("a session");
        pump(&mut server, &mut client, address(n));
        clients.push(client);
    }
    let both = (allocated() - before) / SESSIONS as usize;
    assert_eq!(server.statistics().established, SESSIONS as usize + 1);
    let before = allocated();
    drop(clients);
    let client_bytes = (before - allocated()) / SESSIONS as usize + size_of::<Client>();
    server_bytes += both - (client_bytes - size_of::<Client>());
    println!("bytes per session: server {server_bytes}, client {client_bytes}");
    assert!(server_bytes <= SESSION_BUDGET, "{server_bytes}");
    assert!(client_bytes <= SESSION_BUDGET, "{client_bytes}");

    // A flood of first ClientHellos from everywhere.
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
