//! Writes a capture of one DTLS session, with the secrets to read it, as a pcapng file.
//!
//! `cargo run -p fotalab-wire --example dtls_capture -- FILE`, then open it in Wireshark.

use std::{
    error::Error,
    fs::File,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use fotalab_wire::{
    dtls::{Client, PskOptions, Randomness, Server, ServerOptions},
    net::{Datagram, Pcapng},
};

const REQUEST: &[u8] = b"\x40\x01\x00\x01\xb2rd";

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("expected a file to write")?;
    let secrets = Arc::new(Mutex::new(String::new()));
    let log = Arc::clone(&secrets);
    let psk = PskOptions {
        randomness: Randomness::Seeded(1),
        key_log: Some(Arc::new(move |line| {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            log.push_str(line);
            log.push('\n');
        })),
        ..PskOptions::default()
    };
    let options = ServerOptions {
        psk,
        ..ServerOptions::default()
    };
    let mut server = Server::new(options, Arc::new(|_| Some(b"key".to_vec())));
    let here: SocketAddr = ([127, 0, 0, 1], 5684).into();
    let there: SocketAddr = ([10, 1, 2, 3], 49_152).into();
    let options = PskOptions {
        randomness: Randomness::Seeded(2),
        ..PskOptions::default()
    };
    let mut client = Client::new(options, here, b"device", b"key");

    let mut now = Duration::ZERO;
    let mut crossed = Vec::new();
    client.connect(now)?;
    let mut said = false;
    loop {
        now += Duration::from_millis(10);
        let mut quiet = true;
        while let Some((to, bytes)) = client.poll_transmit() {
            server.handle_datagram(now, there, &bytes);
            crossed.push((
                now,
                Datagram {
                    from: there,
                    to,
                    bytes,
                },
            ));
            quiet = false;
        }
        while let Some((to, bytes)) = server.poll_transmit() {
            client.handle_datagram(now, here, &bytes);
            crossed.push((
                now,
                Datagram {
                    from: here,
                    to,
                    bytes,
                },
            ));
            quiet = false;
        }
        match (quiet, said) {
            (true, true) => break,
            (true, false) => client.send(now, REQUEST)?,
            (false, _) => continue,
        }
        said = true;
    }

    let mut file = Pcapng::new(File::create(path)?, Duration::from_secs(1_700_000_000))?;
    file.secrets(&secrets.lock().unwrap_or_else(PoisonError::into_inner))?;
    for (at, datagram) in &crossed {
        file.datagram(*at, datagram)?;
    }
    // And one in the clear, over IPv6.
    let plain = Datagram {
        from: "[::1]:49152".parse()?,
        to: "[::1]:5683".parse()?,
        bytes: REQUEST.into(),
    };
    file.datagram(now, &plain)?;
    Ok(())
}
