//! A CoAP server at one address, with DTLS if it is a secure one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fotalab_simulators::device::drive::Psk;
use fotalab_wire::coap::Endpoint;
use fotalab_wire::dtls::{PskOptions, Randomness, Server, ServerEvent, ServerOptions};
use fotalab_wire::net::Datagram;

use crate::lab::endpoint;

const KEY: &[u8] = b"0123456789abcdef";

/// Identity and key of a device.
pub(crate) fn psk(index: usize) -> Psk {
    Psk {
        identity: format!("id-{index}").into_bytes(),
        key: KEY.to_vec(),
    }
}

pub(crate) struct Host {
    pub(crate) address: SocketAddr,
    pub(crate) coap: Endpoint<SocketAddr>,
    /// It hears nothing.
    pub(crate) down: bool,
    /// Handshakes that came to their end.
    pub(crate) sessions: usize,
    dtls: Option<Server>,
    restarts: u64,
}

impl Host {
    pub(crate) fn new(address: SocketAddr, secure: bool) -> Self {
        let mut host = Self {
            address,
            coap: endpoint(1),
            down: false,
            sessions: 0,
            dtls: None,
            restarts: 0,
        };
        if secure {
            host.dtls = Some(host.make_dtls());
        }
        host
    }

    pub(crate) fn is_secure(&self) -> bool {
        self.dtls.is_some()
    }

    /// It knows nobody any more.
    #[allow(
        dead_code,
        reason = "one of the two tests that have this file restarts nothing"
    )]
    pub(crate) fn restart(&mut self) {
        self.restarts += 1;
        self.coap = endpoint(1 + self.restarts);
        if self.dtls.is_some() {
            self.dtls = Some(self.make_dtls());
        }
    }

    pub(crate) fn receive(&mut self, now: Duration, datagram: &Datagram) {
        if self.down {
            return;
        }
        match &mut self.dtls {
            None => self
                .coap
                .handle_datagram(now, datagram.from, &datagram.bytes),
            Some(dtls) => {
                dtls.handle_datagram(now, datagram.from, &datagram.bytes);
                self.settle(now);
            }
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Duration) {
        if self.coap.poll_timeout().is_some_and(|at| at <= now) {
            self.coap.handle_timeout(now);
        }
        if let Some(dtls) = &mut self.dtls
            && dtls.poll_timeout().is_some_and(|at| at <= now)
        {
            dtls.handle_timeout(now);
            self.settle(now);
        }
    }

    pub(crate) fn poll_timeout(&mut self) -> Option<Duration> {
        let dtls = self.dtls.as_mut().and_then(|it| it.poll_timeout());
        [self.coap.poll_timeout(), dtls].into_iter().flatten().min()
    }

    pub(crate) fn poll_transmit(&mut self, now: Duration) -> Option<Datagram> {
        let (to, bytes) = match &mut self.dtls {
            None => self.coap.poll_transmit().map(|it| (it.to, it.payload))?,
            Some(dtls) => {
                while let Some(transmit) = self.coap.poll_transmit() {
                    // Without a session it is lost, as on any network.
                    let _: Result<(), _> = dtls.send(now, transmit.to, &transmit.payload);
                }
                dtls.poll_transmit()?
            }
        };
        Some(Datagram {
            from: self.address,
            to,
            bytes,
        })
    }

    fn settle(&mut self, now: Duration) {
        while let Some(event) = self.dtls.as_mut().and_then(Server::poll_event) {
            match event {
                ServerEvent::Established { peer, .. } => {
                    self.sessions += 1;
                    self.coap.forget(&peer);
                }
                ServerEvent::Data { peer, bytes } => self.coap.handle_datagram(now, peer, &bytes),
                _ => {}
            }
        }
    }

    fn make_dtls(&self) -> Server {
        let options = ServerOptions {
            psk: PskOptions {
                randomness: Randomness::Seeded(9 + self.restarts),
                ..PskOptions::default()
            },
            ..ServerOptions::default()
        };
        let known = |identity: &[u8]| identity.starts_with(b"id-").then(|| KEY.to_vec());
        Server::new(options, Arc::new(known))
    }
}
