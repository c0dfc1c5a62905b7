//! A CoAPS server of a few lines on a real socket: answers every request with 2.05 and the PSK
//! identity of who asks. `tests/interop_dtls.sh` lets other people's clients talk to it.
//!
//! `cargo run -p fotalab-wire --example dtls_echo -- 127.0.0.1:0 IDENTITY KEY`

use std::{collections::BTreeMap, error::Error, net::SocketAddr, sync::Arc, time::Duration};

use fotalab_wire::{
    dtls::{PskOptions, Server, ServerEvent, ServerOptions},
    net::{Clock, Network, Sockets},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = |name: &'static str| arguments.next().ok_or(name);
    let address: SocketAddr = argument("expected an address to listen on")?.parse()?;
    let identity = argument("expected a PSK identity")?;
    let key = argument("expected a key, as text")?;

    let socket = Sockets.bind(address)?;
    println!("{}", socket.local_addr());
    let clock = Clock::of_machine();
    let psk = PskOptions {
        // Wireshark reads what this prints; for an example, nothing is secret.
        key_log: Some(Arc::new(|line| eprintln!("{line}"))),
        ..PskOptions::default()
    };
    let options = ServerOptions {
        psk,
        ..ServerOptions::default()
    };
    let mut server = Server::new(
        options,
        Arc::new(move |it| (it == identity.as_bytes()).then(|| key.clone().into_bytes())),
    );
    let mut identities = BTreeMap::new();
    let mut received = Vec::new();
    loop {
        let due = server.poll_timeout().unwrap_or(Duration::from_secs(3_600));
        let wait = due.saturating_sub(clock.elapsed());
        if let Ok(result) = tokio::time::timeout(wait, socket.recv(&mut received)).await {
            result?;
        }
        let now = clock.elapsed();
        for datagram in received.drain(..) {
            server.handle_datagram(now, datagram.from, &datagram.bytes);
        }
        server.handle_timeout(now);
        while let Some(event) = server.poll_event() {
            eprintln!("{event:?}");
            match event {
                ServerEvent::Established { peer, identity, .. } => {
                    identities.insert(peer, identity);
                }
                ServerEvent::Data { peer, bytes } => {
                    let identity = identities.get(&peer).map(AsRef::as_ref);
                    if let Some(answer) = answer(&bytes, identity.unwrap_or_default()) {
                        server.send(now, peer, &answer)?;
                    }
                }
                ServerEvent::Closed { peer, .. } => drop(identities.remove(&peer)),
                ServerEvent::Failed { .. } => {}
            }
        }
        while let Some((to, bytes)) = server.poll_transmit() {
            socket.send_to(to, &bytes).await?;
        }
    }
}

/// 2.05 with a payload for a confirmable request, in the same ACK (RFC 7252, section 5.2.1).
fn answer(request: &[u8], payload: &[u8]) -> Option<Vec<u8>> {
    let [first, code, id_high, id_low, rest @ ..] = request else {
        return None;
    };
    if first & 0xf0 != 0x40 || !matches!(code, 1..=7) {
        return None;
    }
    let token = rest.get(..usize::from(first & 0xf))?;
    let mut answer = vec![0x60 | (first & 0xf), 0x45, *id_high, *id_low];
    answer.extend_from_slice(token);
    answer.push(0xff);
    answer.extend_from_slice(payload);
    Some(answer)
}
