//! A device's DTLS session with its server (contract 2.9).

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use fotalab_wire::dtls::{Client, ClientEvent, PskOptions, Randomness};

use super::KeyLog;
use crate::limits;

/// A pre-shared key and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Psk {
    /// The identity, at most 128 bytes.
    pub identity: Vec<u8>,
    /// The key, at most 64 bytes.
    pub key: Vec<u8>,
}

/// Seals and opens for one device. Begins a handshake when something is to be sent, and holds that
/// back until it is through.
#[derive(Debug)]
pub(super) struct Secure {
    client: Client,
    handshaking: bool,
    waiting: VecDeque<Bytes>,
}

impl Secure {
    /// `seed`: for a virtual world, the same bytes on the wire each time.
    pub(super) fn new(
        server: SocketAddr,
        psk: &Psk,
        seed: Option<u64>,
        key_log: Option<&KeyLog>,
    ) -> Option<Self> {
        let options = PskOptions {
            randomness: seed.map_or(Randomness::System, Randomness::Seeded),
            key_log: key_log.map(|it| std::sync::Arc::clone(&it.0)),
            ..PskOptions::default()
        };
        Some(Self {
            client: Client::new(options, server, &psk.identity, &psk.key),
            handshaking: false,
            waiting: VecDeque::new(),
        })
    }

    pub(super) fn send(&mut self, now: Duration, bytes: &Bytes) {
        if self.client.is_established() {
            // A session that broke meanwhile is found by the exchange that gets no answer.
            let _: Result<(), _> = self.client.send(now, bytes);
            return;
        }
        if self.waiting.len() < limits::WAITING_FOR_HANDSHAKE {
            self.waiting.push_back(bytes.clone());
        }
        if !self.handshaking {
            self.handshaking = self.client.connect(now).is_ok();
        }
    }

    /// What a datagram of the server said.
    pub(super) fn receive(&mut self, now: Duration, from: SocketAddr, bytes: &[u8]) -> Vec<Bytes> {
        self.client.handle_datagram(now, from, bytes);
        self.settle(now)
    }

    pub(super) fn handle_timeout(&mut self, now: Duration) {
        self.client.handle_timeout(now);
        self.settle(now);
    }

    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        self.client.poll_timeout()
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Bytes> {
        self.client.poll_transmit().map(|(_, bytes)| bytes)
    }

    /// As by a device that lost its power.
    pub(super) fn forget(&mut self) {
        self.client.forget();
        self.handshaking = false;
        self.waiting.clear();
    }

    fn settle(&mut self, now: Duration) -> Vec<Bytes> {
        let mut received = Vec::new();
        while let Some(event) = self.client.poll_event() {
            match event {
                ClientEvent::Established => {
                    self.handshaking = false;
                    for bytes in std::mem::take(&mut self.waiting) {
                        self.send(now, &bytes);
                    }
                }
                ClientEvent::Data(bytes) => received.push(bytes),
                // What waits is sent again by CoAP, which begins a new handshake.
                ClientEvent::Closed(_) | ClientEvent::Failed(_) => {
                    self.handshaking = false;
                    self.waiting.clear();
                }
            }
        }
        received
    }
}
