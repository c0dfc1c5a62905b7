//! DTLS sessions with devices: whose they are, and what happens to a device when its session does
//! (contract 2.9).

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use bytes::Bytes;
use fotalab_wire::{
    dtls::{PskOptions, Randomness, Server, ServerEvent, ServerOptions},
    net::UnixMillis,
};

use super::{Air, Around, Peer, Told, millis_up, time};
use crate::core::keys::Keys;

/// The smallest address there is.
const FIRST: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// All sessions of one socket.
pub(super) struct Sessions {
    dtls: Server,
    keys: Keys,
    /// DTLS reckons in time since it began.
    began: UnixMillis,
    /// Whom each session proved to have.
    identities: BTreeMap<SocketAddr, Bytes>,
    by_identity: BTreeSet<(Bytes, SocketAddr)>,
}

impl Sessions {
    /// None yet. A `seed` makes the same bytes each time, for virtual worlds.
    pub(super) fn new(now: UnixMillis, keys: Keys, seed: Option<u64>) -> Self {
        let psk = PskOptions {
            randomness: seed.map_or(Randomness::System, Randomness::Seeded),
            ..PskOptions::default()
        };
        let options = ServerOptions {
            psk,
            ..ServerOptions::default()
        };
        let table = keys.clone();
        let lookup = move |identity: &[u8]| table.key(identity);
        Self {
            dtls: Server::new(options, std::sync::Arc::new(lookup)),
            keys,
            began: now,
            identities: BTreeMap::new(),
            by_identity: BTreeSet::new(),
        }
    }

    /// The endpoint name that the session of an address stands for.
    pub(super) fn endpoint(&self, address: SocketAddr) -> Option<String> {
        self.keys.endpoint(self.identities.get(&address)?)
    }

    pub(super) fn send(&mut self, now: UnixMillis, to: SocketAddr, plaintext: &[u8]) {
        let now = self.elapsed(now);
        // Without a session it is lost, as on a network; CoAP notices.
        let _lost: Result<(), _> = self.dtls.send(now, to, plaintext);
    }

    pub(super) fn poll_transmit(&mut self) -> Option<(SocketAddr, Bytes)> {
        self.dtls.poll_transmit()
    }

    pub(super) fn poll_timeout(&self) -> Option<UnixMillis> {
        let at = millis_up(self.dtls.poll_timeout()?);
        Some(self.began.saturating_add(at))
    }

    fn note(&mut self, address: SocketAddr, identity: Bytes) {
        self.drop_note(address);
        self.by_identity.insert((identity.clone(), address));
        self.identities.insert(address, identity);
    }

    fn drop_note(&mut self, address: SocketAddr) {
        if let Some(identity) = self.identities.remove(&address) {
            self.by_identity.remove(&(identity, address));
        }
    }

    fn elapsed(&self, now: UnixMillis) -> Duration {
        time(now.saturating_sub(self.began))
    }
}

impl Air {
    /// A datagram of a device that speaks DTLS.
    pub(super) fn handle_sealed(
        &mut self,
        now: UnixMillis,
        (from, to): (SocketAddr, SocketAddr),
        datagram: &[u8],
        around: &Around<'_>,
    ) {
        if let Some(sessions) = &mut self.sessions {
            let elapsed = sessions.elapsed(now);
            sessions.dtls.handle_datagram(elapsed, from, datagram);
            self.handle_session_events(now, to, around);
        }
    }

    /// Retransmits handshakes and ends what was idle too long.
    pub(super) fn handle_session_timeout(&mut self, now: UnixMillis, around: &Around<'_>) {
        let local = self.local;
        if let Some(sessions) = &mut self.sessions {
            let elapsed = sessions.elapsed(now);
            sessions.dtls.handle_timeout(elapsed);
            self.handle_session_events(now, local, around);
        }
    }

    /// The key behind an identity is another one, or none: its sessions end, and what the device
    /// `endpoint` has registered over them.
    pub(crate) fn revoke(&mut self, now: UnixMillis, endpoint: &str, identity: &str) {
        let identity = Bytes::copy_from_slice(identity.as_bytes());
        let Some(sessions) = &mut self.sessions else {
            return;
        };
        let elapsed = sessions.elapsed(now);
        let from = (identity.clone(), FIRST);
        let of_it = sessions.by_identity.range(from..);
        let of_it = of_it.take_while(|(it, _)| *it == identity);
        let addresses: Vec<SocketAddr> = of_it.map(|(_, address)| *address).collect();
        for address in &addresses {
            sessions.dtls.close(elapsed, *address);
        }
        // All that is left to tell is that they are closed.
        while sessions.dtls.poll_event().is_some() {}
        for address in addresses {
            self.session_ended(address);
        }
        let secured = self.registered(endpoint).is_some_and(|it| it.peer.secured);
        if secured {
            self.end(now, endpoint, false);
        }
    }

    fn handle_session_events(&mut self, now: UnixMillis, to: SocketAddr, around: &Around<'_>) {
        while let Some(event) = self.sessions.as_mut().and_then(|it| it.dtls.poll_event()) {
            match event {
                ServerEvent::Established { peer, identity, .. } => {
                    // What the old session asked or was asked ended with it (contract 2.7).
                    self.session_ended(peer);
                    if let Some(sessions) = &mut self.sessions {
                        sessions.note(peer, identity);
                    }
                }
                ServerEvent::Data { peer, bytes } => {
                    let peer = Peer {
                        address: peer,
                        secured: true,
                    };
                    self.coap.handle_datagram(time(now), peer, &bytes);
                }
                ServerEvent::Closed { peer, .. } => self.session_ended(peer),
                ServerEvent::Failed { peer, reason } => {
                    self.told.push_back(Told::HandshakeFailed {
                        address: peer,
                        why: reason.to_string(),
                    });
                }
            }
            self.handle_events(now, to, around);
        }
    }

    /// A session is gone, its registration is not: a device may say goodbye before it reboots
    /// (contract 2.9). It is asked nothing until it is heard of again.
    fn session_ended(&mut self, address: SocketAddr) {
        if let Some(sessions) = &mut self.sessions {
            sessions.drop_note(address);
        }
        let peer = Peer {
            address,
            secured: true,
        };
        if let Some(endpoint) = self
            .registrations
            .at_peer(peer)
            .map(|it| it.said.endpoint.clone())
        {
            self.registrations.with(&endpoint, |it| it.lost = true);
        }
        // Requests under way fail, and `handle_events` hears of it.
        self.coap.forget(&peer);
    }
}
