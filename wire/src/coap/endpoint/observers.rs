//! Observations that a peer holds with us (RFC 7641 4).

use std::time::Duration;

use super::event::{Event, Gone, ObserverId, Refused};
use super::exchanges::first_block;
use super::outgoing::{Role, Urgency};
use super::peer::{Peer, Shared};
use super::peers::PeerKey;
use super::request::Response;
use crate::coap::limits;
use crate::coap::message::{BlockSize, Kind, Message, Token, number};

/// An entry of the list of observers.
#[derive(Debug)]
pub(super) struct Observer {
    pub(super) serial: u64,
    pub(super) token: Token,
    /// Of the last notification; 24 bits.
    pub(super) sequence: u32,
    /// Ids of the last notifications: a Reset to any of them ends it.
    pub(super) ids: [Option<u16>; limits::NOTIFICATION_IDS],
    /// The newest state, not sent yet.
    pub(super) pending: Option<Message>,
    /// A confirmable notification waits or is under way.
    confirming: bool,
    confirmed_at: Duration,
    unconfirmed: u32,
    size: BlockSize,
}

impl Observer {
    pub(super) fn sent(&mut self, id: u16) {
        self.ids.rotate_right(1);
        self.ids[0] = Some(id);
    }

    fn next_message(&mut self) -> Option<Message> {
        let mut message = self.pending.take()?;
        self.sequence = (self.sequence + 1) & 0x00ff_ffff;
        message.options.push_uint(number::OBSERVE, self.sequence);
        Some(message)
    }
}

impl<P: PeerKey> Peer<P> {
    pub(super) fn observer_mut(&mut self, serial: u64) -> Option<&mut Observer> {
        self.observers.iter_mut().find(|o| o.serial == serial)
    }

    fn observer_id(&self, serial: u64) -> ObserverId {
        ObserverId {
            peer: self.place,
            serial,
        }
    }

    /// RFC 7641 4.1: a registration with a token that is there already updates it.
    pub(super) fn add_observer(
        &mut self,
        shared: &mut Shared<P>,
        now: Duration,
        token: Token,
        size: BlockSize,
    ) -> Option<ObserverId> {
        if let Some(observer) = self.observers.iter_mut().find(|o| o.token == token) {
            observer.sequence = (observer.sequence + 1) & 0x00ff_ffff;
            observer.size = size;
            let serial = observer.serial;
            return Some(self.observer_id(serial));
        }
        if self.observers.len() >= limits::OBSERVERS_PER_PEER {
            return None;
        }
        let serial = shared.next_serial();
        self.observers.push(Observer {
            serial,
            token,
            sequence: 1,
            ids: [None; limits::NOTIFICATION_IDS],
            pending: None,
            confirming: false,
            confirmed_at: now,
            unconfirmed: 0,
            size,
        });
        Some(self.observer_id(serial))
    }

    /// The message whose turn it is.
    pub(super) fn notification_message(&mut self, serial: u64) -> Option<Message> {
        let mut message = self.observer_mut(serial)?.next_message()?;
        message.kind = Kind::Confirmable;
        Some(message)
    }

    pub(super) fn notify(
        &mut self,
        shared: &mut Shared<P>,
        now: Duration,
        serial: u64,
        response: Response,
        confirmable: bool,
    ) -> Result<(), Refused> {
        let ours = shared.config.block_size;
        let observer = self.observer_mut(serial).ok_or(Refused::Over)?;
        let success = response.code.is_success();
        let message = first_block(response, observer.token, observer.size.min(ours));
        if !success {
            // 4.2: an error ends the observation and has no Observe option.
            self.drop_observer(shared, serial, Gone::Ended);
            let role = Role::Notification(serial);
            self.submit(shared, now, role, Urgency::Answer, Some(message));
            return Ok(());
        }
        observer.pending = Some(message);
        if observer.confirming {
            // 4.5.2: it goes out in place of the next retransmission, or after the acknowledgement.
            return Ok(());
        }
        let due = observer.unconfirmed >= limits::CONFIRM_EVERY_COUNT
            || now >= observer.confirmed_at + limits::CONFIRM_EVERY;
        if confirmable || due {
            self.confirm(shared, now, serial);
            return Ok(());
        }
        observer.unconfirmed += 1;
        let message = observer.next_message();
        if let Some(mut message) = message {
            message.kind = Kind::NonConfirmable;
            message.id = self.take_id();
            if let Some(observer) = self.observer_mut(serial) {
                observer.sent(message.id);
            }
            self.remember(shared, now);
            self.transmit(shared, message.to_bytes());
        }
        Ok(())
    }

    fn confirm(&mut self, shared: &mut Shared<P>, now: Duration, serial: u64) {
        if let Some(observer) = self.observer_mut(serial) {
            observer.confirming = true;
        }
        let role = Role::Notification(serial);
        if !self.submit(shared, now, role, Urgency::Answer, None) {
            self.drop_observer(shared, serial, Gone::Unacknowledged);
        }
    }

    pub(super) fn notification_acknowledged(
        &mut self,
        shared: &mut Shared<P>,
        now: Duration,
        serial: u64,
    ) {
        let Some(observer) = self.observer_mut(serial) else {
            return;
        };
        observer.confirming = false;
        observer.confirmed_at = now;
        observer.unconfirmed = 0;
        if observer.pending.is_some() {
            self.confirm(shared, now, serial);
        }
    }

    pub(super) fn deregister_observer(&mut self, shared: &mut Shared<P>, token: Token) {
        let observer = self.observers.iter().find(|o| o.token == token);
        if let Some(serial) = observer.map(|observer| observer.serial) {
            self.drop_observer(shared, serial, Gone::Deregistered);
        }
    }

    pub(super) fn drop_observer(&mut self, shared: &mut Shared<P>, serial: u64, reason: Gone) {
        let before = self.observers.len();
        self.observers.retain(|observer| observer.serial != serial);
        if self.observers.len() < before {
            self.withdraw(Role::Notification(serial));
            self.tell_observer_gone(shared, serial, reason);
        }
    }

    pub(super) fn tell_observer_gone(&self, shared: &mut Shared<P>, serial: u64, reason: Gone) {
        shared.events.push_back(Event::ObserverGone {
            observer: self.observer_id(serial),
            from: self.key.clone(),
            reason,
        });
    }
}
