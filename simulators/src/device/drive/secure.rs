//! A device's DTLS sessions: with its server, and with where it pulls packages from (contract 2.9).

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

/// Seals and opens for one device, with one identity for all of its peers.
#[derive(Debug)]
pub(super) struct Secure {
    /// With its server.
    first: Session,
    /// With file servers.
    others: Vec<Session>,
}

/// Begins a handshake when something is to be sent, and holds that back until it is through.
#[derive(Debug)]
struct Session {
    client: Client,
    handshaking: bool,
    waiting: VecDeque<Bytes>,
    out: VecDeque<Sealed>,
}

/// A datagram to send.
#[derive(Debug)]
pub(super) struct Sealed {
    pub(super) to: SocketAddr,
    pub(super) bytes: Bytes,
    /// What is in it, where that is a device's.
    pub(super) plain: Option<Bytes>,
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
        let client = Client::new(options, server, &psk.identity, &psk.key);
        Some(Self {
            first: Session::new(client),
            others: Vec::new(),
        })
    }

    pub(super) fn send(&mut self, now: Duration, to: SocketAddr, bytes: &Bytes) {
        if self.first.client.server() == to {
            return self.first.send(now, bytes);
        }
        let known = self.others.iter().position(|it| it.client.server() == to);
        let index = known.unwrap_or_else(|| {
            if self.others.len() >= limits::FILE_SERVER_SESSIONS {
                self.others.remove(0);
            }
            let client = self.first.client.with_server(to);
            self.others.push(Session::new(client));
            self.others.len() - 1
        });
        if let Some(session) = self.others.get_mut(index) {
            session.send(now, bytes);
        }
    }

    /// Whether it has a session, or begins one, with this peer.
    pub(super) fn speaks_with(&self, peer: SocketAddr) -> bool {
        let mut sessions = std::iter::once(&self.first).chain(&self.others);
        sessions.any(|it| it.client.server() == peer && it.is_in_use())
    }

    /// What a datagram of a peer said.
    pub(super) fn receive(&mut self, now: Duration, from: SocketAddr, bytes: &[u8]) -> Vec<Bytes> {
        let session = self.sessions().find(|it| it.client.server() == from);
        session.map_or_else(Vec::new, |session| {
            session.client.handle_datagram(now, from, bytes);
            session.settle(now)
        })
    }

    pub(super) fn handle_timeout(&mut self, now: Duration) {
        for session in self.sessions() {
            session.client.handle_timeout(now);
            session.settle(now);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        let sessions = std::iter::once(&self.first).chain(&self.others);
        sessions.filter_map(|it| it.client.poll_timeout()).min()
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Sealed> {
        self.sessions().find_map(Session::poll_transmit)
    }

    /// As by a device that lost its power.
    pub(super) fn forget_all(&mut self) {
        self.first.forget();
        self.others = Vec::new();
    }

    /// The session with one peer: the next message begins another one.
    pub(super) fn forget(&mut self, peer: SocketAddr) {
        if self.first.client.server() == peer {
            self.first.forget();
        }
        self.others.retain(|it| it.client.server() != peer);
    }

    fn sessions(&mut self) -> impl Iterator<Item = &mut Session> {
        std::iter::once(&mut self.first).chain(&mut self.others)
    }
}

impl Session {
    fn new(client: Client) -> Self {
        Self {
            client,
            handshaking: false,
            waiting: VecDeque::new(),
            out: VecDeque::new(),
        }
    }

    fn poll_transmit(&mut self) -> Option<Sealed> {
        self.drain(None);
        self.out.pop_front()
    }

    fn is_in_use(&self) -> bool {
        self.handshaking || self.client.is_established()
    }

    fn send(&mut self, now: Duration, bytes: &Bytes) {
        if self.client.is_established() {
            self.drain(None);
            // A session that broke meanwhile is found by the exchange that gets no answer.
            let _: Result<(), _> = self.client.send(now, bytes);
            self.drain(Some(bytes));
            return;
        }
        if self.waiting.len() < limits::WAITING_FOR_HANDSHAKE {
            self.waiting.push_back(bytes.clone());
        }
        if !self.handshaking {
            self.handshaking = self.client.connect(now).is_ok();
        }
    }

    fn forget(&mut self) {
        self.client.forget();
        self.handshaking = false;
        self.waiting.clear();
    }

    /// Takes out what the client has to send, with what it sealed.
    fn drain(&mut self, plain: Option<&Bytes>) {
        while let Some((to, bytes)) = self.client.poll_transmit() {
            let plain = plain.cloned();
            self.out.push_back(Sealed { to, bytes, plain });
        }
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
