//! Messages that want an acknowledgement: NSTART, retransmission, acknowledgement and reset
//! (RFC 7252 4.2 and 4.7).

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rand::Rng as _;

use super::event::{Event, ExchangeId, Failure, Gone, PingId};
use super::peer::{Peer, Shared};
use super::peers::PeerKey;
use crate::coap::limits;
use crate::coap::message::{Code, Kind, Message};

/// A confirmable message that is not acknowledged yet.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) id: u16,
    pub(super) role: Role,
    pub(super) deadline: Duration,
    bytes: Bytes,
    wait: Duration,
    retransmitted: u32,
}

/// A message that waits for its turn.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) role: Role,
    urgency: Urgency,
    /// Only for what cannot be made when its turn comes.
    message: Option<Message>,
}

/// What a message is for, by the serial of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Request(u64),
    Response(u64),
    Notification(u64),
    Ping(u64),
}

/// Who goes first. An upload keeps its peer's turn between two blocks, because devices refuse
/// other requests meanwhile; a download lets others pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    Answer,
    NextOfUpload,
    Request,
}

impl<P: PeerKey> Peer<P> {
    /// Outstanding interactions (RFC 7252 4.7): confirmable messages without acknowledgement, and
    /// non-confirmable requests without answer.
    fn in_flight(&self) -> usize {
        let unconfirmed = self.calls.iter().filter(|call| call.is_unconfirmed());
        self.outgoing.len() + unconfirmed.count()
    }

    /// Sends when NSTART lets it. `false`: the queue is full.
    pub(super) fn submit(
        &mut self,
        shared: &mut Shared<P>,
        now: Duration,
        role: Role,
        urgency: Urgency,
        message: Option<Message>,
    ) -> bool {
        if self.queue.is_empty() && self.in_flight() < self.parameters(shared).nstart {
            self.send(shared, now, role, message);
            return true;
        }
        if self.queue.len() >= limits::QUEUE_PER_PEER {
            return false;
        }
        let behind = self
            .queue
            .iter()
            .rposition(|queued| queued.urgency <= urgency);
        let queued = Queued {
            role,
            urgency,
            message,
        };
        self.queue
            .insert(behind.map_or(0, |index| index + 1), queued);
        self.pump(shared, now);
        true
    }

    /// Sends what waits, as far as NSTART lets it.
    pub(super) fn pump(&mut self, shared: &mut Shared<P>, now: Duration) {
        while !self.queue.is_empty() && self.in_flight() < self.parameters(shared).nstart {
            if let Some(queued) = self.queue.pop_front() {
                self.send(shared, now, queued.role, queued.message);
            }
        }
    }

    fn send(
        &mut self,
        shared: &mut Shared<P>,
        now: Duration,
        role: Role,
        message: Option<Message>,
    ) {
        let message = match role {
            Role::Request(serial) => self.request_message(shared, now, serial),
            Role::Notification(serial) => self.notification_message(serial).or(message),
            Role::Response(_) | Role::Ping(_) => message,
        };
        let Some(mut message) = message else {
            return;
        };
        message.id = self.take_id();
        self.sent_with_id(role, message.id);
        self.remember(shared, now);
        let bytes = message.to_bytes();
        if message.kind == Kind::Confirmable {
            let fraction = shared.fraction();
            let wait = self.parameters(shared).first_wait(fraction);
            self.outgoing.push(Outgoing {
                id: message.id,
                role,
                deadline: now + wait,
                bytes: bytes.clone(),
                wait,
                retransmitted: 0,
            });
        }
        self.transmit(shared, bytes);
    }

    fn sent_with_id(&mut self, role: Role, id: u16) {
        match role {
            Role::Request(serial) => {
                if let Some(call) = self.calls.iter_mut().find(|call| call.serial == serial) {
                    call.message_id = id;
                }
            }
            Role::Notification(serial) => {
                if let Some(observer) = self.observer_mut(serial) {
                    observer.sent(id);
                }
            }
            Role::Response(_) | Role::Ping(_) => {}
        }
    }

    /// RFC 7252 4.2: the wait doubles with each retransmission, MAX_RETRANSMIT times.
    pub(super) fn retransmit_due(&mut self, shared: &mut Shared<P>, now: Duration) {
        let max = self.parameters(shared).max_retransmit;
        let mut index = 0;
        while index < self.outgoing.len() {
            if self.outgoing[index].deadline > now {
                index += 1;
            } else if self.outgoing[index].retransmitted >= max {
                let role = self.outgoing.remove(index).role;
                self.unacknowledged(shared, now, role);
                index = 0;
            } else {
                self.supersede(index);
                let outgoing = &mut self.outgoing[index];
                outgoing.retransmitted += 1;
                outgoing.wait *= 2;
                outgoing.deadline = now + outgoing.wait;
                let bytes = outgoing.bytes.clone();
                shared.statistics.retransmitted += 1;
                self.transmit(shared, bytes);
                index += 1;
            }
        }
    }

    /// The peer acknowledged the id of a request of ours with the answer to another one: it takes
    /// ours for a duplicate of a message that had this id before we restarted, and does not process
    /// it (RFC 7252 4.5). Sends the request under an id from elsewhere, as a retransmission.
    pub(super) fn renumber(&mut self, shared: &mut Shared<P>, id: u16) -> bool {
        let max = self.parameters(shared).max_retransmit;
        let index = self.outgoing.iter().position(|outgoing| {
            let is_request = matches!(outgoing.role, Role::Request(_));
            outgoing.id == id && is_request && outgoing.retransmitted < max
        });
        let Some(index) = index else {
            return false;
        };
        self.next_id = shared.random.next_u32() as u16;
        let id = self.take_id();
        let role = self.outgoing[index].role;
        self.sent_with_id(role, id);
        let outgoing = &mut self.outgoing[index];
        // Bytes 2 and 3 of every message (RFC 7252 3).
        let mut bytes = BytesMut::from(outgoing.bytes.as_ref());
        bytes[2..4].copy_from_slice(&id.to_be_bytes());
        outgoing.id = id;
        outgoing.bytes = bytes.freeze();
        outgoing.retransmitted += 1;
        shared.statistics.retransmitted += 1;
        let bytes = outgoing.bytes.clone();
        self.transmit(shared, bytes);
        true
    }

    /// RFC 7641 4.5.2: where there is something newer, that is sent instead, under a new message
    /// id, and the count of retransmissions goes on.
    fn supersede(&mut self, index: usize) {
        let Role::Notification(serial) = self.outgoing[index].role else {
            return;
        };
        let newer = self
            .observer_mut(serial)
            .is_some_and(|o| o.pending.is_some());
        if !newer {
            return;
        }
        let Some(mut message) = self.notification_message(serial) else {
            return;
        };
        message.kind = Kind::Confirmable;
        message.id = self.take_id();
        self.sent_with_id(Role::Notification(serial), message.id);
        self.outgoing[index].id = message.id;
        self.outgoing[index].bytes = message.to_bytes();
    }

    fn unacknowledged(&mut self, shared: &mut Shared<P>, now: Duration, role: Role) {
        match role {
            Role::Request(serial) => self.fail(shared, now, serial, Failure::Unacknowledged),
            Role::Response(serial) => self.tell_delivered(shared, serial, false),
            Role::Notification(serial) => self.drop_observer(shared, serial, Gone::Unacknowledged),
            Role::Ping(serial) => self.tell_pong(shared, serial, false),
        }
    }

    /// An empty acknowledgement.
    pub(super) fn on_acknowledged(&mut self, shared: &mut Shared<P>, now: Duration, id: u16) {
        let Some(index) = self.outgoing.iter().position(|outgoing| outgoing.id == id) else {
            shared.statistics.ignored += 1;
            return;
        };
        match self.outgoing.remove(index).role {
            Role::Request(serial) => self.call_acknowledged(shared, now, serial),
            Role::Response(serial) => self.tell_delivered(shared, serial, true),
            Role::Notification(serial) => self.notification_acknowledged(shared, now, serial),
            // An acknowledged ping: the peer is there, though it should have sent a Reset.
            Role::Ping(serial) => self.tell_pong(shared, serial, true),
        }
        self.pump(shared, now);
    }

    /// RFC 7252 4.2, 4.3 and RFC 7641 3.6: what a Reset means depends on what it rejects.
    pub(super) fn on_reset(&mut self, shared: &mut Shared<P>, now: Duration, id: u16) {
        if let Some(index) = self.outgoing.iter().position(|outgoing| outgoing.id == id) {
            match self.outgoing.remove(index).role {
                Role::Request(serial) => self.fail(shared, now, serial, Failure::Reset),
                Role::Response(serial) => self.tell_delivered(shared, serial, false),
                Role::Notification(serial) => self.drop_observer(shared, serial, Gone::Rejected),
                Role::Ping(serial) => self.tell_pong(shared, serial, true),
            }
            self.pump(shared, now);
            return;
        }
        let observer = self.observers.iter().find(|o| o.ids.contains(&Some(id)));
        let call = self
            .calls
            .iter()
            .find(|call| call.is_unconfirmed() && call.message_id == id);
        if let Some(serial) = observer.map(|observer| observer.serial) {
            self.drop_observer(shared, serial, Gone::Rejected);
        } else if let Some(serial) = call.map(|call| call.serial) {
            self.fail(shared, now, serial, Failure::Reset);
        } else {
            shared.statistics.ignored += 1;
        }
    }

    /// Forgets what is sent or waits for this.
    pub(super) fn withdraw(&mut self, role: Role) {
        self.outgoing.retain(|outgoing| outgoing.role != role);
        self.queue.retain(|queued| queued.role != role);
    }

    pub(super) fn ping(&mut self, shared: &mut Shared<P>, now: Duration) -> Option<PingId> {
        let serial = shared.next_serial();
        let message = Message::new(Kind::Confirmable, Code::EMPTY, 0);
        let taken = self.submit(
            shared,
            now,
            Role::Ping(serial),
            Urgency::Request,
            Some(message),
        );
        taken.then_some(PingId {
            peer: self.place,
            serial,
        })
    }

    fn tell_pong(&self, shared: &mut Shared<P>, serial: u64, alive: bool) {
        let peer = self.place;
        shared.events.push_back(Event::Pong {
            ping: PingId { peer, serial },
            alive,
        });
    }

    fn tell_delivered(&self, shared: &mut Shared<P>, serial: u64, arrived: bool) {
        let peer = self.place;
        shared.events.push_back(Event::Delivered {
            exchange: ExchangeId { peer, serial },
            arrived,
        });
    }
}
