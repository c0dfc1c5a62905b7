//! `Link`: what carries datagrams, without a socket, a clock or a task.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{Datagram, limits::LINK_QUEUE};

/// Carries datagrams from a sender to a receiver. Time is an argument: the time since the world
/// began, never less than the call before.
///
/// Links wrap links, as devices do in smoltcp: `Traced::new(Lossy::new(VirtualLink::new()))`.
pub trait Link: Send {
    /// Puts a datagram on the way and tells what will become of it, as far as this link decides.
    fn send(&mut self, now: Duration, datagram: Datagram) -> Fate;

    /// The next datagram that has arrived by `now`; ask until there is none.
    fn poll_deliver(&mut self, now: Duration) -> Option<Datagram>;

    /// When the next datagram arrives, if one is under way.
    fn poll_timeout(&self) -> Option<Duration>;
}

/// What becomes of a datagram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// Why it never arrives; `None`: it does.
    pub loss: Option<Loss>,
    /// How long it is under way.
    pub delay: Duration,
    /// A second copy arrives as well.
    pub duplicated: bool,
    /// Bits of it are flipped.
    pub corrupted: bool,
    /// It was held back, so that later ones may overtake it.
    pub reordered: bool,
    /// The sender's address as the receiver sees it, where a NAT changed it.
    pub rebound: Option<SocketAddr>,
}

/// Why a datagram never arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Loss {
    /// The dice.
    Chance,
    /// The path is cut.
    Partition,
    /// Larger than the path's MTU.
    TooBig,
    /// Too many are under way.
    QueueFull,
    /// The NAT knows nobody under the address that it is for.
    NoBinding,
}

impl Fate {
    /// It is lost.
    #[must_use]
    pub fn lost(why: Loss) -> Self {
        Self {
            loss: Some(why),
            ..Self::default()
        }
    }

    /// This fate, with what a link further down adds to it.
    #[must_use]
    pub fn and(self, below: Self) -> Self {
        Self {
            loss: self.loss.or(below.loss),
            delay: self.delay.saturating_add(below.delay),
            duplicated: self.duplicated || below.duplicated,
            corrupted: self.corrupted || below.corrupted,
            reordered: self.reordered || below.reordered,
            rebound: below.rebound.or(self.rebound),
        }
    }
}

/// Datagrams under way, in the order of their arrival; equal times keep the order of sending.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    due: BTreeMap<(Duration, u64), Datagram>,
    sent: u64,
}

impl InFlight {
    /// Whether there was room.
    pub(super) fn insert(&mut self, at: Duration, datagram: Datagram) -> bool {
        if self.due.len() >= LINK_QUEUE {
            return false;
        }
        self.sent += 1;
        self.due.insert((at, self.sent), datagram);
        true
    }

    pub(super) fn take(&mut self, now: Duration) -> Option<(Duration, Datagram)> {
        let first = self.due.first_entry()?;
        if first.key().0 > now {
            return None;
        }
        let ((at, _), datagram) = first.remove_entry();
        Some((at, datagram))
    }

    pub(super) fn next(&self) -> Option<Duration> {
        self.due.first_key_value().map(|((at, _), _)| *at)
    }

    pub(super) fn len(&self) -> usize {
        self.due.len()
    }
}

/// The perfect link: everything arrives once, in order, after a constant latency.
#[derive(Debug, Default)]
pub struct VirtualLink {
    latency: Duration,
    in_flight: InFlight,
}

impl VirtualLink {
    /// A link without latency.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A link that takes `latency` each way.
    #[must_use]
    pub fn with_latency(latency: Duration) -> Self {
        Self {
            latency,
            in_flight: InFlight::default(),
        }
    }

    /// Datagrams under way, at most [`LINK_QUEUE`].
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }
}

impl Link for VirtualLink {
    fn send(&mut self, now: Duration, datagram: Datagram) -> Fate {
        if self
            .in_flight
            .insert(now.saturating_add(self.latency), datagram)
        {
            Fate {
                delay: self.latency,
                ..Fate::default()
            }
        } else {
            Fate::lost(Loss::QueueFull)
        }
    }

    fn poll_deliver(&mut self, now: Duration) -> Option<Datagram> {
        self.in_flight.take(now).map(|(_, datagram)| datagram)
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.in_flight.next()
    }
}

impl<L: Link + ?Sized> Link for Box<L> {
    fn send(&mut self, now: Duration, datagram: Datagram) -> Fate {
        (**self).send(now, datagram)
    }

    fn poll_deliver(&mut self, now: Duration) -> Option<Datagram> {
        (**self).poll_deliver(now)
    }

    fn poll_timeout(&self) -> Option<Duration> {
        (**self).poll_timeout()
    }
}

/// A link that others hold too: one clone carries datagrams in a network, another one changes the
/// options of the [`Lossy`](super::Lossy) inside while it runs.
#[derive(Debug, Default)]
pub struct Shared<L>(Arc<Mutex<L>>);

impl<L> Shared<L> {
    /// Shares `link`.
    #[must_use]
    pub fn new(link: L) -> Self {
        Self(Arc::new(Mutex::new(link)))
    }

    /// The link; do not hold it across an await.
    pub fn lock(&self) -> MutexGuard<'_, L> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<L> Clone for Shared<L> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<L: Link> Link for Shared<L> {
    fn send(&mut self, now: Duration, datagram: Datagram) -> Fate {
        self.lock().send(now, datagram)
    }

    fn poll_deliver(&mut self, now: Duration) -> Option<Datagram> {
        self.lock().poll_deliver(now)
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.lock().poll_timeout()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_perfect_link_keeps_order_and_time() {
        let mut link = VirtualLink::with_latency(Duration::from_millis(20));
        for n in 0..3_u8 {
            let datagram = Datagram {
                from: ([127, 0, 0, 1], 1).into(),
                to: ([127, 0, 0, 2], 2).into(),
                bytes: Bytes::copy_from_slice(&[n]),
            };
            link.send(Duration::from_millis(u64::from(n)), datagram);
        }
        assert_eq!(link.poll_timeout(), Some(Duration::from_millis(20)));
        assert_eq!(link.poll_deliver(Duration::from_millis(19)), None);
        let arrived = std::iter::from_fn(|| link.poll_deliver(Duration::from_millis(21)));
        let arrived: Vec<_> = arrived.map(|it| it.bytes[0]).collect();
        assert_eq!(arrived, [0, 1]);
        assert_eq!(link.in_flight(), 1);
    }
}
