//! `Lossy`: a link as bad as its options say, the same for the same seed.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use bytes::{Bytes, BytesMut};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use super::{
    Datagram, Fate, Link, Loss,
    limits::PATHS,
    link::InFlight,
    nat::{Nat, Translation},
};

/// How bad a [`Lossy`] link is. Probabilities are from 0 to 1 and count per datagram; the default
/// harms nothing. A path is a pair of addresses, one way.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LossyOptions {
    /// Lost without a trace.
    pub loss: f64,
    /// The shortest time under way.
    pub delay_min: Duration,
    /// The longest; between the two, uniform. A path keeps its order all the same.
    pub delay_max: Duration,
    /// Delivered a second time, after a delay of its own.
    pub duplication: f64,
    /// Held back up to `reordering_by`, so that later ones overtake it.
    pub reordering: f64,
    /// The longest time that a reordered datagram is held back.
    pub reordering_by: Duration,
    /// One to three of its bits are flipped, as if UDP's checksum had not noticed.
    pub corruption: f64,
    /// The path stops from this datagram on, for up to `clog_max`; what waits arrives in a burst.
    pub clog: f64,
    /// The longest time for which a path stops.
    pub clog_max: Duration,
    /// The largest UDP payload in bytes that passes; larger ones are lost.
    pub mtu: Option<usize>,
    /// Bytes of UDP payload per second and path; a queue forms before the bottleneck.
    pub rate: Option<u64>,
    /// The longest queue before the bottleneck, as time; what finds it full is lost.
    pub rate_queue: Duration,
    /// A NAT before whoever speaks first forgets a binding that was idle this long: what comes
    /// later from inside has a new port, what comes for the old one is lost.
    pub nat_idle: Option<Duration>,
}

/// Which way a partition cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// What the peer sends.
    From,
    /// What is sent to the peer.
    To,
    /// Both.
    Both,
}

/// Harms what passes, by its options and its seed.
#[derive(Debug)]
pub struct Lossy<L> {
    link: L,
    options: LossyOptions,
    random: StdRng,
    in_flight: InFlight,
    paths: BTreeMap<(SocketAddr, SocketAddr), Path>,
    /// Port 0 stands for every port of the host.
    partitions: BTreeMap<SocketAddr, Direction>,
    nat: Nat,
}

#[derive(Debug, Default)]
struct Path {
    /// The latest arrival so far: what keeps its order arrives no earlier.
    last_arrival: Duration,
    clogged_until: Duration,
    /// When the bottleneck has sent what it has.
    busy_until: Duration,
}

impl<L: Link> Lossy<L> {
    /// Harms `link`.
    #[must_use]
    pub fn new(link: L, options: LossyOptions, seed: u64) -> Self {
        Self {
            link,
            options,
            random: StdRng::seed_from_u64(seed),
            in_flight: InFlight::default(),
            paths: BTreeMap::new(),
            partitions: BTreeMap::new(),
            nat: Nat::default(),
        }
    }

    /// The options; a change counts for what is sent from now on.
    pub fn options_mut(&mut self) -> &mut LossyOptions {
        &mut self.options
    }

    /// The link inside.
    pub fn link_mut(&mut self) -> &mut L {
        &mut self.link
    }

    /// Cuts off `peer`, by its own address even behind a NAT; port 0 means its whole host. What
    /// is under way still arrives.
    pub fn partition(&mut self, peer: SocketAddr, direction: Direction) {
        self.partitions.insert(peer, direction);
    }

    /// Ends the partition of `peer`, given as it was made.
    pub fn heal(&mut self, peer: SocketAddr) {
        self.partitions.remove(&peer);
    }

    /// Gives `peer` a new port for what it sends from now on, and tells which. Its old one leads
    /// nowhere.
    pub fn rebind(&mut self, now: Duration, peer: SocketAddr) -> SocketAddr {
        self.nat.rebind(now, peer)
    }

    /// Gives `peer` the address `external` for what it sends from now on.
    pub fn rebind_to(&mut self, now: Duration, peer: SocketAddr, external: SocketAddr) {
        self.nat.rebind_to(now, peer, external);
    }

    fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.random.random::<f64>() < probability
    }

    fn up_to(&mut self, max: Duration) -> Duration {
        let nanos = u64::try_from(max.as_nanos()).unwrap_or(u64::MAX);
        if nanos == 0 {
            return Duration::ZERO;
        }
        Duration::from_nanos(self.random.random_range(0..=nanos))
    }

    fn cut(&self, from: SocketAddr, to: SocketAddr) -> bool {
        let any_port = |mut peer: SocketAddr| {
            peer.set_port(0);
            peer
        };
        let is = |peer, way| {
            self.partitions
                .get(&peer)
                .is_some_and(|it| *it == way || *it == Direction::Both)
        };
        is(from, Direction::From)
            || is(any_port(from), Direction::From)
            || is(to, Direction::To)
            || is(any_port(to), Direction::To)
    }

    /// When a datagram of this path arrives, and whether later ones may overtake it.
    fn arrival(
        &mut self,
        now: Duration,
        key: (SocketAddr, SocketAddr),
        bytes: usize,
    ) -> Option<(Duration, bool)> {
        let spread = self
            .options
            .delay_max
            .saturating_sub(self.options.delay_min);
        let delay = self.options.delay_min.saturating_add(self.up_to(spread));
        let reordered = self.chance(self.options.reordering);
        let held = if reordered {
            self.up_to(self.options.reordering_by)
        } else {
            Duration::ZERO
        };
        let clog = if self.chance(self.options.clog) {
            self.up_to(self.options.clog_max)
        } else {
            Duration::ZERO
        };
        if self.paths.len() >= PATHS && !self.paths.contains_key(&key) {
            self.paths
                .retain(|_, path| path.last_arrival > now || path.clogged_until > now);
            if self.paths.len() >= PATHS {
                return None;
            }
        }
        let path = self.paths.entry(key).or_default();
        let mut leaves = now;
        if let Some(rate) = self.options.rate {
            let begins = path.busy_until.max(now);
            if begins - now > self.options.rate_queue {
                return None;
            }
            let nanos = (bytes as u128 * 1_000_000_000) / u128::from(rate.max(1));
            let takes = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
            path.busy_until = begins.saturating_add(takes);
            leaves = path.busy_until;
        }
        path.clogged_until = path.clogged_until.max(now.saturating_add(clog));
        let arrives = leaves.saturating_add(delay).max(path.clogged_until);
        if reordered {
            return Some((arrives.saturating_add(held), true));
        }
        path.last_arrival = path.last_arrival.max(arrives);
        Some((path.last_arrival, false))
    }

    fn corrupt(&mut self, bytes: &Bytes) -> Bytes {
        let mut changed = BytesMut::from(bytes.as_ref());
        for _ in 0..self.random.random_range(1..=3) {
            let at = self.random.random_range(0..changed.len());
            let bit = self.random.random_range(0..8_u32);
            if let Some(byte) = changed.get_mut(at) {
                *byte ^= 1 << bit;
            }
        }
        changed.freeze()
    }

    /// Hands what is due to the link inside.
    fn pass_on(&mut self, now: Duration) {
        while let Some((at, datagram)) = self.in_flight.take(now) {
            self.link.send(at, datagram);
        }
    }
}

impl<L: Link> Link for Lossy<L> {
    fn send(&mut self, now: Duration, mut datagram: Datagram) -> Fate {
        let mut fate = Fate::default();
        let sender = datagram.from;
        match self.nat.translate(now, &datagram, self.options.nat_idle) {
            Translation::Nobody => return Fate::lost(Loss::NoBinding),
            Translation::Between { from, to } => {
                fate.rebound = (from != datagram.from).then_some(from);
                datagram.from = from;
                datagram.to = to;
            }
        }
        if self
            .options
            .mtu
            .is_some_and(|mtu| datagram.bytes.len() > mtu)
        {
            return fate.and(Fate::lost(Loss::TooBig));
        }
        if self.cut(sender, datagram.to) {
            return fate.and(Fate::lost(Loss::Partition));
        }
        if self.chance(self.options.loss) {
            return fate.and(Fate::lost(Loss::Chance));
        }
        let key = (sender, datagram.to);
        let Some((arrives, reordered)) = self.arrival(now, key, datagram.bytes.len()) else {
            return fate.and(Fate::lost(Loss::QueueFull));
        };
        fate.reordered = reordered;
        fate.delay = arrives.saturating_sub(now);
        if self.chance(self.options.duplication) {
            fate.duplicated = true;
            let spread = self
                .options
                .delay_max
                .saturating_sub(self.options.delay_min);
            let again = arrives.saturating_add(self.up_to(spread));
            self.in_flight.insert(again, datagram.clone());
        }
        if !datagram.bytes.is_empty() && self.chance(self.options.corruption) {
            fate.corrupted = true;
            datagram.bytes = self.corrupt(&datagram.bytes);
        }
        if !self.in_flight.insert(arrives, datagram) {
            return fate.and(Fate::lost(Loss::QueueFull));
        }
        fate
    }

    fn poll_deliver(&mut self, now: Duration) -> Option<Datagram> {
        self.pass_on(now);
        self.link.poll_deliver(now)
    }

    fn poll_timeout(&self) -> Option<Duration> {
        [self.in_flight.next(), self.link.poll_timeout()]
            .into_iter()
            .flatten()
            .min()
    }
}
