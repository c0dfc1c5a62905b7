//! The table of peers, and when each of them wants attention.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::hash::Hash;
use std::time::Duration;

use super::peer::Peer;
use crate::coap::limits;

/// Who is on the other side: a socket address, the id of a DTLS session, a number.
pub trait PeerKey: Clone + Eq + Hash + Ord + std::fmt::Debug {}

impl<T: Clone + Eq + Hash + Ord + std::fmt::Debug> PeerKey for T {}

/// A place in the table, and which of the peers that had it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct PeerRef {
    slot: u32,
    generation: u32,
}

/// Peers by key and by place, and a queue of their deadlines.
///
/// A peer has at most one live entry in the queue, however many exchanges it has: so 100,000
/// exchanges are 100,000 entries at most, and a deadline that moves later costs nothing until its
/// old entry comes up. Entries are dropped lazily.
#[derive(Debug)]
pub(super) struct Peers<P> {
    places: HashMap<P, u32>,
    slots: Vec<Slot<P>>,
    free: Vec<u32>,
    queue: BinaryHeap<Reverse<(Duration, PeerRef)>>,
    hand: usize,
    max: usize,
    /// How many are idle.
    idle: usize,
}

#[derive(Debug)]
struct Slot<P> {
    generation: u32,
    peer: Option<Box<Peer<P>>>,
}

impl<P: PeerKey> Peers<P> {
    pub(super) fn new(max: usize) -> Self {
        Self {
            places: HashMap::new(),
            slots: Vec::new(),
            free: Vec::new(),
            queue: BinaryHeap::new(),
            hand: 0,
            idle: 0,
            max: max.clamp(1, limits::PEERS_MAX),
        }
    }

    pub(super) fn find(&self, key: &P) -> Option<PeerRef> {
        let slot = *self.places.get(key)?;
        let generation = self.slots.get(slot as usize)?.generation;
        Some(PeerRef { slot, generation })
    }

    pub(super) fn get_mut(&mut self, place: PeerRef) -> Option<&mut Peer<P>> {
        let slot = self.slots.get_mut(place.slot as usize)?;
        slot.peer
            .as_deref_mut()
            .filter(|_| slot.generation == place.generation)
    }

    /// Lets a peer do something, and notes whether anything of it is left to remember.
    pub(super) fn with<T>(
        &mut self,
        place: PeerRef,
        act: impl FnOnce(&mut Peer<P>) -> T,
    ) -> Option<T> {
        let peer = self.get_mut(place)?;
        let was_idle = peer.is_idle();
        let done = act(peer);
        let is_idle = peer.is_idle();
        peer.trim();
        self.idle += usize::from(is_idle);
        self.idle -= usize::from(was_idle);
        Some(done)
    }

    pub(super) fn get(&self, place: PeerRef) -> Option<&Peer<P>> {
        let slot = self.slots.get(place.slot as usize)?;
        slot.peer
            .as_deref()
            .filter(|_| slot.generation == place.generation)
    }

    /// Makes room where there is none, or gives up.
    pub(super) fn insert(&mut self, key: P, next_id: u16) -> Option<PeerRef> {
        if self.places.len() >= self.max {
            self.evict()?;
        } else if self.idle >= limits::IDLE_PEERS_MAX {
            // Where none is found at once there are few.
            let _ = self.evict();
        }
        self.idle += 1;
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                if self.slots.is_empty() {
                    // A device has one server.
                    self.slots.reserve_exact(1);
                }
                self.slots.push(Slot {
                    generation: 0,
                    peer: None,
                });
                (self.slots.len() - 1) as u32
            }
        };
        let entry = self.slots.get_mut(slot as usize)?;
        let place = PeerRef {
            slot,
            generation: entry.generation,
        };
        entry.peer = Some(Box::new(Peer::new(key.clone(), place, next_id)));
        self.places.insert(key, slot);
        Some(place)
    }

    pub(super) fn remove(&mut self, place: PeerRef) -> Option<Box<Peer<P>>> {
        let slot = self.slots.get_mut(place.slot as usize)?;
        if slot.generation != place.generation {
            return None;
        }
        let peer = slot.peer.take()?;
        self.idle -= usize::from(peer.is_idle());
        slot.generation = slot.generation.wrapping_add(1);
        self.places.remove(&peer.key);
        self.free.push(place.slot);
        Some(peer)
    }

    /// A clock hand goes round the table and takes the first peer that nothing would be lost of.
    fn evict(&mut self) -> Option<()> {
        for _ in 0..limits::EVICTION_PROBES {
            self.hand = (self.hand + 1) % self.slots.len().max(1);
            let slot = self.slots.get(self.hand)?;
            if let Some(peer) = slot.peer.as_ref().filter(|peer| peer.is_idle()) {
                self.remove(peer.place);
                return Some(());
            }
        }
        None
    }

    /// Notes when this peer wants attention.
    pub(super) fn arm(&mut self, place: PeerRef) {
        let Some(peer) = self.get_mut(place) else {
            return;
        };
        let Some(deadline) = peer.deadline() else {
            return;
        };
        if peer.armed.is_none_or(|armed| deadline < armed) {
            peer.armed = Some(deadline);
            self.queue.push(Reverse((deadline, place)));
        }
    }

    /// The first deadline of all, exactly.
    pub(super) fn next_deadline(&mut self) -> Option<Duration> {
        loop {
            let &Reverse((at, place)) = self.queue.peek()?;
            let Some(peer) = self.get_mut(place).filter(|peer| peer.armed == Some(at)) else {
                self.queue.pop();
                continue;
            };
            match peer.deadline() {
                Some(deadline) if deadline <= at => return Some(at),
                _ => {
                    peer.armed = None;
                    self.queue.pop();
                    self.arm(place);
                }
            }
        }
    }

    /// A peer whose time has come; arm it again after serving it.
    pub(super) fn pop_due(&mut self, now: Duration) -> Option<PeerRef> {
        let at = self.next_deadline()?;
        if at > now {
            return None;
        }
        let Reverse((_, place)) = self.queue.pop()?;
        self.get_mut(place)?.armed = None;
        Some(place)
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    #[cfg(test)]
    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }
}
