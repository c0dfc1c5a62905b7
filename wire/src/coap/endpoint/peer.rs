//! All that is known of one peer.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rand::{Rng, RngExt as _};

use super::Config;
use super::bodies::IncomingBody;
use super::calls::Call;
use super::event::{Event, Failure, Gone, Statistics, Transmit};
use super::exchanges::Exchange;
use super::few::Few;
use super::observers::Observer;
use super::outgoing::{Outgoing, Queued};
use super::peers::{PeerKey, PeerRef};
use super::seen::Seen;
use crate::coap::TransmissionParameters;

/// What the peers of an endpoint share.
pub(super) struct Shared<P> {
    pub(super) config: Arc<Config>,
    pub(super) random: Box<dyn Rng + Send>,
    pub(super) events: VecDeque<Event<P>>,
    pub(super) transmits: VecDeque<Transmit<P>>,
    /// Safe requests whose answers are kept, in order.
    pub(super) replays: VecDeque<(PeerRef, u16)>,
    /// What the bodies that are put together take, by [`limits::COLLECTED_BYTES_MAX`]'s count.
    pub(super) collected: usize,
    /// Those bodies, the oldest first, and some that are complete.
    pub(super) collecting: VecDeque<(PeerRef, u64)>,
    pub(super) statistics: Statistics,
    pub(super) serial: u64,
}

impl<P> Shared<P> {
    pub(super) fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    pub(super) fn next_transmit(&mut self) -> Option<Transmit<P>> {
        let next = self.transmits.pop_front();
        if self.config.frugal && self.transmits.is_empty() {
            self.transmits = VecDeque::new();
        }
        next
    }

    pub(super) fn next_event(&mut self) -> Option<Event<P>> {
        let next = self.events.pop_front();
        if self.config.frugal && self.events.is_empty() {
            self.events = VecDeque::new();
        }
        next
    }

    /// From 0 to 1.
    pub(super) fn fraction(&mut self) -> f64 {
        self.random.random()
    }
}

#[derive(Debug)]
pub(super) struct Peer<P> {
    pub(super) key: P,
    pub(super) place: PeerRef,
    /// Its own; such a peer stays until it is forgotten.
    pub(super) parameters: Option<Box<TransmissionParameters>>,
    pub(super) next_id: u16,
    pub(super) seen: Seen,
    pub(super) outgoing: Few<Outgoing>,
    pub(super) queue: VecDeque<Queued>,
    pub(super) calls: Few<Call>,
    pub(super) exchanges: Few<Exchange>,
    pub(super) observers: Few<Observer>,
    pub(super) bodies: Few<IncomingBody>,
    /// Until then its message ids have to be remembered.
    pub(super) remembered_until: Duration,
    /// Its entry in the queue of deadlines.
    pub(super) armed: Option<Duration>,
}

impl<P: PeerKey> Peer<P> {
    pub(super) fn new(key: P, place: PeerRef, next_id: u16) -> Self {
        Self {
            key,
            place,
            parameters: None,
            next_id,
            seen: Seen::default(),
            outgoing: Few::new(),
            queue: VecDeque::new(),
            calls: Few::new(),
            exchanges: Few::new(),
            observers: Few::new(),
            bodies: Few::new(),
            remembered_until: Duration::ZERO,
            armed: None,
        }
    }

    pub(super) fn parameters<'a>(&'a self, shared: &'a Shared<P>) -> &'a TransmissionParameters {
        match &self.parameters {
            Some(parameters) => parameters,
            None => &shared.config.parameters,
        }
    }

    /// Gives memory back that holds nothing any more.
    pub(super) fn trim(&mut self) {
        self.outgoing.trim();
        self.calls.trim();
        self.exchanges.trim();
        self.observers.trim();
        self.bodies.trim();
        if self.queue.is_empty() && self.queue.capacity() > 0 {
            self.queue = VecDeque::new();
        }
    }

    /// Nothing would be lost but the memory of its message ids.
    pub(super) fn is_idle(&self) -> bool {
        self.outgoing.is_empty()
            && self.queue.is_empty()
            && self.calls.is_empty()
            && self.exchanges.is_empty()
            && self.observers.is_empty()
            && self.bodies.is_empty()
            && self.parameters.is_none()
    }

    pub(super) fn is_over(&self, now: Duration) -> bool {
        self.is_idle() && self.remembered_until <= now
    }

    /// The first of all its timers.
    pub(super) fn deadline(&self) -> Option<Duration> {
        if self.is_idle() {
            return Some(self.remembered_until);
        }
        let forgetting = (!self.seen.is_empty()).then_some(self.remembered_until);
        let outgoing = self.outgoing.iter().map(|o| o.deadline);
        let calls = self.calls.iter().filter_map(|call| call.deadline);
        let exchanges = self.exchanges.iter().map(Exchange::deadline);
        let bodies = self.bodies.iter().map(|body| body.expires);
        let timers = outgoing.chain(calls).chain(exchanges).chain(bodies);
        timers.chain(forgetting).min()
    }

    /// Does all that is due.
    pub(super) fn handle_timeout(&mut self, shared: &mut Shared<P>, now: Duration) {
        self.retransmit_due(shared, now);
        self.calls_due(shared, now);
        self.exchanges_due(shared, now);
        self.bodies_due(shared, now);
        if self.remembered_until <= now {
            self.seen = Seen::default();
        }
        self.pump(shared, now);
    }

    /// Says of everything unfinished that it will not be finished.
    pub(super) fn abandon(&mut self, shared: &mut Shared<P>) {
        for call in std::mem::take(&mut self.calls) {
            shared.events.push_back(Event::Failed {
                request: self.request_id(call.serial),
                reason: Failure::Forgotten,
            });
        }
        for observer in std::mem::take(&mut self.observers) {
            self.tell_observer_gone(shared, observer.serial, Gone::Forgotten);
        }
        while !self.bodies.is_empty() {
            let serial = self.drop_body(shared, 0);
            self.tell_body_abandoned(shared, serial);
        }
    }

    /// The next message id (RFC 7252 4.4): the ones still in use are left out.
    pub(super) fn take_id(&mut self) -> u16 {
        loop {
            let id = self.next_id;
            self.next_id = id.wrapping_add(1);
            let in_flight = self.outgoing.iter().any(|outgoing| outgoing.id == id);
            if !in_flight && !self.observers.iter().any(|o| o.ids.contains(&Some(id))) {
                return id;
            }
        }
    }

    /// Keeps this peer until the ids of what was sent or received now are free again.
    pub(super) fn remember(&mut self, shared: &Shared<P>, now: Duration) {
        let until = now + self.parameters(shared).exchange_lifetime();
        self.remembered_until = self.remembered_until.max(until);
    }

    pub(super) fn transmit(&self, shared: &mut Shared<P>, payload: Bytes) {
        shared.statistics.sent += 1;
        shared.transmits.push_back(Transmit {
            to: self.key.clone(),
            payload,
        });
    }
}
