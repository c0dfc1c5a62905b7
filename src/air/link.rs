//! What datagrams cross in both worlds, under the conditions of whom they come from or go to.

use std::{collections::BTreeMap, fmt, time::Duration};

use fotalab_wire::net::{Datagram, Fate, Link, Loss, Lossy, VirtualLink};

use super::watch::Watch;

/// A link that harms datagrams by the laboratory's conditions and shows them to its watch.
pub(crate) struct AirLink {
    watch: Watch,
    seed: u64,
    /// By the number of their conditions.
    links: BTreeMap<usize, Lossy<VirtualLink>>,
    /// The socket of a peer beside the devices' own: what has a device at its other end is harmed
    /// and shown there.
    beside: bool,
}

/// Links that may stand idle before those that nobody uses are taken away.
const IDLE_LINKS: usize = 64;

impl AirLink {
    /// A link that `watch` sees; all chance comes from `seed`.
    pub(crate) fn new(watch: Watch, seed: u64) -> Self {
        Self {
            watch,
            seed,
            links: BTreeMap::new(),
            beside: false,
        }
    }

    /// The same for the socket of a peer in the real world.
    pub(crate) fn beside_devices(watch: Watch, seed: u64) -> Self {
        Self {
            beside: true,
            ..Self::new(watch, seed)
        }
    }

    /// Takes away the links that nobody uses and nothing is in.
    fn tidy(&mut self) {
        if self.links.len() > IDLE_LINKS {
            let watch = self.watch.lock();
            let conditions = watch.conditions();
            self.links.retain(|number, link| {
                conditions.is_used(*number) || link.poll_timeout().is_some()
            });
        }
    }
}

impl Link for AirLink {
    fn send(&mut self, now: Duration, datagram: Datagram) -> Fate {
        self.tidy();
        let watch = self.watch.clone();
        let mut seen = watch.lock();
        let elsewhere = self.beside && seen.is_with_device(&datagram);
        let whose = seen.whose(&datagram).filter(|_| !elsewhere);
        let number = whose.map_or(0, |(party, _)| seen.conditions().number_of(party));
        let options = || seen.conditions().numbered(number);
        let seed = self.seed.wrapping_add(number as u64);
        self.links
            .entry(number)
            .or_insert_with(|| Lossy::new(VirtualLink::new(), options(), seed));
        let crossing = whose.map(|(party, up)| {
            let crossing = seen.sent(now, &datagram, (party, up));
            (party, crossing)
        });
        let loss = crossing.as_ref().and_then(|(party, crossing)| {
            if seen.conditions().is_cut(*party, crossing.up) {
                Some(Loss::Partition)
            } else {
                seen.drops_mut()
                    .take(*party, crossing)
                    .then_some(Loss::Chance)
            }
        });
        let fate = match (loss, self.links.get_mut(&number)) {
            (None, Some(link)) => link.send(now, datagram.clone()),
            (loss, _) => Fate::lost(loss.unwrap_or(Loss::QueueFull)),
        };
        if let Some((party, crossing)) = crossing {
            seen.crossed(party, crossing, &datagram, &fate);
        }
        fate
    }

    fn poll_deliver(&mut self, now: Duration) -> Option<Datagram> {
        loop {
            let due = self
                .links
                .iter()
                .filter_map(|(number, link)| Some((link.poll_timeout()?, *number)))
                .min()
                .filter(|(at, _)| *at <= now);
            let (_, number) = due?;
            let delivered = self.links.get_mut(&number)?.poll_deliver(now);
            if delivered.is_some() {
                return delivered;
            }
        }
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.links.values().filter_map(Link::poll_timeout).min()
    }
}

impl fmt::Debug for AirLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AirLink")
            .field("links", &self.links.len())
            .finish_non_exhaustive()
    }
}
