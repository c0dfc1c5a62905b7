//! Where a message that came in belongs (RFC 7252 4.2, 4.3, 5.3.2 and 5.4.1).

use std::time::Duration;

use super::calls::Call;
use super::event::Failure;
use super::outgoing::Role;
use super::peer::{Peer, Shared};
use super::peers::PeerKey;
use super::seen::Sighting;
use crate::coap::message::{Code, Kind, MessageView, empty, number};

impl<P: PeerKey> Peer<P> {
    pub(super) fn on_message(
        &mut self,
        shared: &mut Shared<P>,
        now: Duration,
        view: &MessageView<'_>,
    ) {
        let empty = view.code == Code::EMPTY;
        match view.kind {
            Kind::Acknowledgement if empty => self.on_acknowledged(shared, now, view.id),
            Kind::Acknowledgement if view.code.is_response() => {
                self.on_piggybacked(shared, now, view);
            }
            Kind::Reset if empty => self.on_reset(shared, now, view.id),
            Kind::Confirmable | Kind::NonConfirmable if !empty => {
                self.on_fresh_or_duplicate(shared, now, view);
            }
            _ => shared.statistics.ignored += 1,
        }
    }

    /// RFC 7252 4.5: a duplicate gets the bytes that the first one got, and is not processed.
    fn on_fresh_or_duplicate(
        &mut self,
        shared: &mut Shared<P>,
        now: Duration,
        view: &MessageView<'_>,
    ) {
        match self.seen.look(now, view.id) {
            Sighting::Answered(reply) => {
                shared.statistics.duplicates += 1;
                return self.transmit(shared, reply);
            }
            Sighting::Silent => {
                shared.statistics.duplicates += 1;
                return;
            }
            Sighting::New => {}
        }
        let parameters = self.parameters(shared);
        let lifetime = match view.kind {
            Kind::Confirmable => parameters.exchange_lifetime(),
            _ => parameters.non_lifetime(),
        };
        let safe = view.code.is_safe() && view.option(number::OBSERVE).is_none();
        self.seen.insert(now, view.id, now + lifetime, safe);
        self.remember(shared, now);
        if view.code.is_request() {
            self.on_request(shared, now, view);
        } else {
            self.on_response(shared, now, view);
        }
    }

    /// RFC 7252 5.2.1 and 5.3.2: id and token must both match.
    fn on_piggybacked(&mut self, shared: &mut Shared<P>, now: Duration, view: &MessageView<'_>) {
        let matching = self.outgoing.iter().position(|outgoing| {
            outgoing.id == view.id
                && matches!(outgoing.role, Role::Request(serial)
                    if self.calls.iter().any(|c| c.serial == serial && c.token == view.token))
        });
        let Some(index) = matching else {
            if !self.renumber(shared, view.id) {
                shared.statistics.ignored += 1;
            }
            return;
        };
        if let Role::Request(serial) = self.outgoing.remove(index).role {
            self.deliver(shared, now, serial, view);
        }
        self.pump(shared, now);
    }

    /// A separate response or a notification. Where nobody waits for it, it is rejected, so that
    /// the peer stops (RFC 7252 5.2.2, RFC 7641 3.6).
    fn on_response(&mut self, shared: &mut Shared<P>, now: Duration, view: &MessageView<'_>) {
        let serial = self.waiting_for(view.token);
        if view.kind == Kind::Confirmable {
            let unknown = unknown_critical(view, &shared.config.understood);
            let unacceptable = serial.is_none() || unknown.is_some();
            let kind = if unacceptable {
                Kind::Reset
            } else {
                Kind::Acknowledgement
            };
            let reply = empty(kind, view.id);
            self.seen.answered(view.id, reply.clone());
            self.transmit(shared, reply);
        } else if serial.is_none() && view.option(number::OBSERVE).is_some() {
            self.transmit(shared, empty(Kind::Reset, view.id));
        }
        let Some(serial) = serial else {
            shared.statistics.ignored += 1;
            return;
        };
        // It acknowledges the request, whose own acknowledgement was lost (RFC 7252 5.2.2), unless
        // it is a late notification of an observation that is being given up.
        let late = view.option(number::OBSERVE).is_some();
        let answers = |call: &Call| {
            call.serial == serial && call.token == view.token && !(call.is_deregistering() && late)
        };
        if self.calls.iter().any(answers) {
            self.withdraw(Role::Request(serial));
        }
        self.deliver(shared, now, serial, view);
        self.pump(shared, now);
    }

    /// Hands a response to the request that it answers.
    fn deliver(
        &mut self,
        shared: &mut Shared<P>,
        now: Duration,
        serial: u64,
        view: &MessageView<'_>,
    ) {
        match unknown_critical(view, &shared.config.understood) {
            Some(number) => self.fail(shared, now, serial, Failure::CriticalOption(number)),
            None => self.on_answer(shared, now, serial, view),
        }
    }
}

/// The first critical option that is not known, is too long or short, or stands twice where it may
/// not (RFC 7252 5.4.1, 5.4.3 and 5.4.5).
pub(super) fn unknown_critical(view: &MessageView<'_>, understood: &[u16]) -> Option<u16> {
    let mut before = None;
    for (number, value) in view.options() {
        if number & 1 == 1 && !understood.contains(&number) {
            let (lengths, repeatable) = match number {
                number::IF_MATCH => (0..=8, true),
                number::URI_HOST => (1..=255, false),
                number::IF_NONE_MATCH => (0..=0, false),
                number::URI_PORT | number::ACCEPT => (0..=2, false),
                number::URI_PATH | number::URI_QUERY => (0..=255, true),
                number::BLOCK1 | number::BLOCK2 => (0..=3, false),
                number::PROXY_URI => (1..=1034, false),
                number::PROXY_SCHEME => (1..=255, false),
                _ => return Some(number),
            };
            if !lengths.contains(&value.len()) || (before == Some(number) && !repeatable) {
                return Some(number);
            }
        }
        before = Some(number);
    }
    None
}
