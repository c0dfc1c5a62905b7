//! The NAT of a [`Lossy`](super::Lossy) link: whose packets bear which address outside.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Duration,
};

use super::{
    Datagram,
    limits::{FIRST_NAT_PORT, NAT_BINDINGS},
};

/// Bindings between addresses inside and outside. Without an idle time and without
/// [`rebind`](Nat::rebind) it is not there.
#[derive(Debug, Default)]
pub(super) struct Nat {
    by_inside: BTreeMap<SocketAddr, Binding>,
    by_outside: BTreeMap<SocketAddr, SocketAddr>,
    idle: BTreeSet<(Duration, SocketAddr)>,
    ports: u32,
}

#[derive(Debug)]
struct Binding {
    outside: SocketAddr,
    used: Duration,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Translation {
    Between {
        from: SocketAddr,
        to: SocketAddr,
    },
    /// It is for an address outside that no longer leads anywhere.
    Nobody,
}

impl Nat {
    /// The addresses that a datagram has behind the NAT.
    pub(super) fn translate(
        &mut self,
        now: Duration,
        datagram: &Datagram,
        idle: Option<Duration>,
    ) -> Translation {
        let mut from = datagram.from;
        let mut to = datagram.to;
        if idle.is_none() && self.by_inside.is_empty() {
            return Translation::Between { from, to };
        }
        let expired =
            |binding: &Binding| idle.is_some_and(|idle| now.saturating_sub(binding.used) > idle);
        let mut inbound = false;
        if let Some(inside) = self.by_outside.get(&to).copied() {
            if self.by_inside.get(&inside).is_some_and(expired) {
                return Translation::Nobody;
            }
            self.touch(now, inside);
            to = inside;
            inbound = true;
        } else if self.by_inside.contains_key(&to) {
            return Translation::Nobody;
        }
        if let Some(binding) = self.by_inside.get(&from) {
            if expired(binding) {
                self.rebind(now, from);
            } else {
                self.touch(now, from);
            }
        } else if !inbound && idle.is_some() {
            self.rebind_to(now, from, from);
        }
        if let Some(binding) = self.by_inside.get(&from) {
            from = binding.outside;
        }
        Translation::Between { from, to }
    }

    pub(super) fn rebind(&mut self, now: Duration, inside: SocketAddr) -> SocketAddr {
        let span = u32::from(u16::MAX - FIRST_NAT_PORT);
        let mut outside = inside;
        // A host has at most `span` bindings, so one of its ports is free.
        for _ in 0..=span {
            let port = u32::from(FIRST_NAT_PORT) + self.ports % span;
            self.ports = self.ports.wrapping_add(1);
            outside.set_port(u16::try_from(port).unwrap_or(FIRST_NAT_PORT));
            if outside != inside && !self.by_outside.contains_key(&outside) {
                break;
            }
        }
        self.rebind_to(now, inside, outside);
        outside
    }

    pub(super) fn rebind_to(&mut self, now: Duration, inside: SocketAddr, outside: SocketAddr) {
        self.forget(inside);
        // Whoever had this address outside loses it, as when a provider hands it to another.
        if let Some(other) = self.by_outside.get(&outside).copied() {
            self.forget(other);
        }
        if self.by_inside.len() >= NAT_BINDINGS
            && let Some((_, longest_idle)) = self.idle.first().copied()
        {
            self.forget(longest_idle);
        }
        self.by_inside
            .insert(inside, Binding { outside, used: now });
        self.by_outside.insert(outside, inside);
        self.idle.insert((now, inside));
    }

    fn touch(&mut self, now: Duration, inside: SocketAddr) {
        if let Some(binding) = self.by_inside.get_mut(&inside) {
            self.idle.remove(&(binding.used, inside));
            binding.used = now;
            self.idle.insert((now, inside));
        }
    }

    fn forget(&mut self, inside: SocketAddr) {
        if let Some(binding) = self.by_inside.remove(&inside) {
            self.by_outside.remove(&binding.outside);
            self.idle.remove(&(binding.used, inside));
        }
    }
}
