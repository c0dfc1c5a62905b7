//! `Traced`: an observer of every datagram.

use std::{fmt, net::SocketAddr, time::Duration};

use bytes::Bytes;

use super::{Datagram, Fate, Link};

/// What an observer is told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Time since the world began.
    pub at: Duration,
    /// The sender: its own address when sent, the one that the receiver sees when delivered.
    pub from: SocketAddr,
    /// The receiver.
    pub to: SocketAddr,
    /// The UDP payload.
    pub bytes: Bytes,
    /// What happened.
    pub what: What,
}

/// What happened to a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It was sent, and this becomes of it.
    Sent(Fate),
    /// It arrived.
    Delivered,
}

/// Tells `observer` of everything that the link inside takes and gives.
pub struct Traced<L, F> {
    link: L,
    observer: F,
}

impl<L: Link, F: FnMut(&Sighting) + Send> Traced<L, F> {
    /// Observes `link`.
    pub fn new(link: L, observer: F) -> Self {
        Self { link, observer }
    }

    /// The link inside.
    pub fn link_mut(&mut self) -> &mut L {
        &mut self.link
    }
}

impl<L: fmt::Debug, F> fmt::Debug for Traced<L, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traced")
            .field("link", &self.link)
            .finish_non_exhaustive()
    }
}

fn sighting(at: Duration, datagram: &Datagram, what: What) -> Sighting {
    Sighting {
        at,
        from: datagram.from,
        to: datagram.to,
        bytes: datagram.bytes.clone(),
        what,
    }
}

impl<L: Link, F: FnMut(&Sighting) + Send> Link for Traced<L, F> {
    fn send(&mut self, now: Duration, datagram: Datagram) -> Fate {
        let mut seen = sighting(now, &datagram, What::Delivered);
        let fate = self.link.send(now, datagram);
        seen.what = What::Sent(fate);
        (self.observer)(&seen);
        fate
    }

    fn poll_deliver(&mut self, now: Duration) -> Option<Datagram> {
        let datagram = self.link.poll_deliver(now)?;
        (self.observer)(&sighting(now, &datagram, What::Delivered));
        Some(datagram)
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.link.poll_timeout()
    }
}
