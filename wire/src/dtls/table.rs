//! The peers of a server: who has which sessions, and whose turn it is to go.

use std::{
    collections::{BTreeSet, HashMap},
    net::SocketAddr,
    time::Duration,
};

use bytes::Bytes;

use super::{
    SecureSession,
    limits::HALF_OPEN_GRACE,
    paced::Paced,
    record::{ClientHello, ClientRandom, HANDSHAKE, Record},
};

/// One address: a session, a handshake that may become the next one, or both.
#[derive(Default)]
pub(super) struct Peer {
    pub(super) established: Option<Established>,
    pub(super) half_open: Option<HalfOpen>,
    /// When the peer stands in [`Table::timers`].
    timer: Option<Duration>,
}

pub(super) struct Established {
    pub(super) session: Paced,
    pub(super) random: ClientRandom,
    last_heard: Duration,
    /// Under which time it stands in [`Table::idle`]: `last_heard`, or earlier.
    noted: Duration,
}

pub(super) struct HalfOpen {
    pub(super) session: Paced,
    pub(super) random: ClientRandom,
    /// The peer has answered to what was sent to its address.
    pub(super) proven: bool,
    /// What was sent to its address until then: HelloVerifyRequest.
    pub(super) verify: Option<Bytes>,
    pub(super) last_progress: Duration,
    /// It is given up at this time.
    pub(super) until: Duration,
    order: u64,
}

/// Which of a peer's sessions a datagram is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Established,
    HalfOpen,
    /// None: it begins a handshake.
    Begin(ClientRandom),
    /// None: ignore it.
    Nobody,
}

#[derive(Default)]
pub(super) struct Table {
    /// Looked up, never walked through.
    peers: HashMap<SocketAddr, Peer>,
    timers: BTreeSet<(Duration, SocketAddr)>,
    /// By age: handshakes of addresses that may be forged, and of those that are not.
    unproven: BTreeSet<(u64, SocketAddr)>,
    proven: BTreeSet<(u64, SocketAddr)>,
    /// Established sessions by the time when they were last heard of, as far as that was noted.
    idle: BTreeSet<(Duration, SocketAddr)>,
    begun: u64,
}

impl Table {
    pub(super) fn get(&self, peer: SocketAddr) -> Option<&Peer> {
        self.peers.get(&peer)
    }

    pub(super) fn get_mut(&mut self, peer: SocketAddr) -> Option<&mut Peer> {
        self.peers.get_mut(&peer)
    }

    pub(super) fn established(&self) -> usize {
        self.idle.len()
    }

    /// The handshake of a peer that has not shown yet that it is where it says.
    pub(super) fn unproven(&mut self, peer: SocketAddr) -> Option<&mut HalfOpen> {
        let half_open = self.peers.get_mut(&peer)?.half_open.as_mut()?;
        (!half_open.proven).then_some(half_open)
    }

    pub(super) fn half_open(&self) -> usize {
        self.unproven.len() + self.proven.len()
    }

    /// Decides by the first record alone; nothing of it is authentic yet.
    pub(super) fn route(&self, now: Duration, from: SocketAddr, record: &Record<'_>) -> Route {
        let peer = self.get(from);
        let established = peer.and_then(|it| it.established.as_ref());
        let half_open = peer.and_then(|it| it.half_open.as_ref());
        if record.epoch > 0 {
            // The Finished of a handshake; what else is encrypted belongs to the session until
            // a new one is complete (contract 2.9).
            let finishing = half_open.is_some_and(|it| it.proven)
                && (established.is_none() || record.content_type == HANDSHAKE);
            return match (finishing, established) {
                (true, _) => Route::HalfOpen,
                (false, Some(_)) => Route::Established,
                (false, None) => Route::Nobody,
            };
        }
        if let Some(hello) = record.client_hello() {
            let ClientHello {
                message_seq,
                random,
            } = hello;
            if half_open.is_some_and(|it| it.random == random) {
                return Route::HalfOpen;
            }
            if established.is_some_and(|it| it.random == random) {
                return Route::Established;
            }
            let safe = half_open.is_some_and(|it| {
                it.proven && now.saturating_sub(it.last_progress) < HALF_OPEN_GRACE
            });
            return if message_seq == 0 && !safe {
                Route::Begin(random)
            } else {
                Route::Nobody
            };
        }
        match (half_open, established) {
            (Some(_), _) => Route::HalfOpen,
            (None, Some(_)) => Route::Established,
            (None, None) => Route::Nobody,
        }
    }

    pub(super) fn begin(
        &mut self,
        now: Duration,
        until: Duration,
        from: SocketAddr,
        random: ClientRandom,
        session: Box<dyn SecureSession>,
    ) {
        self.drop_half_open(from);
        self.begun += 1;
        let order = self.begun;
        self.unproven.insert((order, from));
        self.peers.entry(from).or_default().half_open = Some(HalfOpen {
            session: Paced::held(session, now),
            random,
            proven: false,
            verify: None,
            last_progress: now,
            until,
            order,
        });
    }

    pub(super) fn prove(&mut self, now: Duration, peer: SocketAddr) {
        let half_open = self
            .peers
            .get_mut(&peer)
            .and_then(|it| it.half_open.as_mut());
        if let Some(half_open) = half_open {
            half_open.proven = true;
            half_open.session.release(now);
            half_open.last_progress = now;
            self.unproven.remove(&(half_open.order, peer));
            self.proven.insert((half_open.order, peer));
        }
    }

    /// The handshake that goes when there are too many: the oldest whose peer has not proven its
    /// address, else the oldest.
    pub(super) fn oldest_half_open(&self) -> Option<SocketAddr> {
        let oldest = self.unproven.first().or_else(|| self.proven.first());
        oldest.map(|(_, peer)| *peer)
    }

    pub(super) fn drop_half_open(&mut self, peer: SocketAddr) -> Option<HalfOpen> {
        let half_open = self.peers.get_mut(&peer)?.half_open.take()?;
        self.unproven.remove(&(half_open.order, peer));
        self.proven.remove(&(half_open.order, peer));
        self.forget_if_empty(peer);
        Some(half_open)
    }

    /// Makes the handshake of `peer` its session; gives the one it replaces.
    pub(super) fn establish(&mut self, now: Duration, peer: SocketAddr) -> Option<Established> {
        let entry = self.peers.get_mut(&peer)?;
        let half_open = entry.half_open.take()?;
        self.unproven.remove(&(half_open.order, peer));
        self.proven.remove(&(half_open.order, peer));
        let old = entry.established.replace(Established {
            session: half_open.session,
            random: half_open.random,
            last_heard: now,
            noted: now,
        });
        if let Some(old) = &old {
            self.idle.remove(&(old.noted, peer));
        }
        self.idle.insert((now, peer));
        old
    }

    pub(super) fn drop_established(&mut self, peer: SocketAddr) -> Option<Established> {
        let established = self.peers.get_mut(&peer)?.established.take()?;
        self.idle.remove(&(established.noted, peer));
        self.forget_if_empty(peer);
        Some(established)
    }

    /// A valid record of `peer` came.
    pub(super) fn heard(&mut self, now: Duration, peer: SocketAddr) {
        let peer = self.peers.get_mut(&peer);
        if let Some(established) = peer.and_then(|it| it.established.as_mut()) {
            established.last_heard = now;
        }
    }

    /// The session heard of longest ago, and when that was.
    pub(super) fn longest_idle(&mut self) -> Option<(Duration, SocketAddr)> {
        loop {
            let (noted, peer) = self.idle.first().copied()?;
            let established = self.peers.get_mut(&peer)?.established.as_mut()?;
            if established.last_heard == noted {
                return Some((noted, peer));
            }
            // It was heard of since: this pays for what `heard` saved.
            established.noted = established.last_heard;
            let moved = (established.noted, peer);
            self.idle.remove(&(noted, peer));
            self.idle.insert(moved);
        }
    }

    /// A time at which no session was heard of longer ago; cheaper than the exact one.
    pub(super) fn idle_since_at_least(&self) -> Option<Duration> {
        self.idle.first().map(|(noted, _)| *noted)
    }

    /// Sets the time at which a session of `peer` wants to be looked after.
    pub(super) fn set_timer(&mut self, peer: SocketAddr, at: Option<Duration>) {
        let Some(entry) = self.peers.get_mut(&peer) else {
            return;
        };
        if entry.timer != at {
            if let Some(old) = entry.timer {
                self.timers.remove(&(old, peer));
            }
            if let Some(at) = at {
                self.timers.insert((at, peer));
            }
            entry.timer = at;
        }
    }

    /// The next time of [`set_timer`](Self::set_timer), and whose it is.
    pub(super) fn next_timer(&self) -> Option<(Duration, SocketAddr)> {
        self.timers.first().copied()
    }

    fn forget_if_empty(&mut self, peer: SocketAddr) {
        let empty = self
            .peers
            .get(&peer)
            .is_some_and(|it| it.established.is_none() && it.half_open.is_none());
        if empty
            && let Some(gone) = self.peers.remove(&peer)
            && let Some(at) = gone.timer
        {
            self.timers.remove(&(at, peer));
        }
    }
}
