//! Requests of ours until their last answer: a client's side of RFC 7252 5.

use std::time::Duration;

use bytes::Bytes;
use rand::Rng as _;

use super::event::{Event, Failure, Refused, RequestId};
use super::fetch::Fetch;
use super::outgoing::{Role, Urgency};
use super::peer::{Peer, Shared};
use super::peers::PeerKey;
use super::request::{Delivery, Request};
use super::upload::Upload;
use super::watch::Watch;
use crate::coap::limits;
use crate::coap::message::{Block, Code, Kind, Message, Token, number};

/// A request until its last answer.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) serial: u64,
    pub(super) request: Request,
    /// Of the exchange under way; each block has its own, so that a late answer meets nobody.
    pub(super) token: Token,
    pub(super) message_id: u16,
    pub(super) stage: Stage,
    pub(super) deadline: Option<Duration>,
    /// The Observe option of the exchange under way.
    pub(super) observe: Option<u32>,
    pub(super) watch: Option<Watch>,
    pub(super) upload: Option<Upload>,
    pub(super) uploaded: bool,
    pub(super) fetch: Fetch,
}

/// What a request waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its turn, or an acknowledgement.
    Sending,
    /// An answer to a NON request.
    Unconfirmed,
    /// A separate response.
    Acknowledged,
    /// The application to say `proceed`.
    Paused,
    /// Notifications.
    Watching,
}

impl Call {
    pub(super) fn is_unconfirmed(&self) -> bool {
        self.stage == Stage::Unconfirmed
    }

    pub(super) fn is_deregistering(&self) -> bool {
        self.observe == Some(1)
    }
}

impl<P: PeerKey> Peer<P> {
    pub(super) fn request_id(&self, serial: u64) -> RequestId {
        RequestId {
            peer: self.place,
            serial,
        }
    }

    pub(super) fn call_mut(&mut self, serial: u64) -> Option<&mut Call> {
        self.calls.iter_mut().find(|call| call.serial == serial)
    }

    /// Who waits for a response with this token.
    pub(super) fn waiting_for(&self, token: Token) -> Option<u64> {
        let waits = |call: &&Call| {
            let watches = call
                .watch
                .as_ref()
                .is_some_and(|watch| watch.token == token);
            watches
                || (call.token == token && !matches!(call.stage, Stage::Paused | Stage::Watching))
        };
        self.calls.iter().find(waits).map(|call| call.serial)
    }

    pub(super) fn request(
        &mut self,
        shared: &mut Shared<P>,
        now: Duration,
        mut request: Request,
    ) -> Result<RequestId, Refused> {
        let waiting = self.queue.len() >= limits::QUEUE_PER_PEER;
        if self.calls.len() >= limits::REQUESTS_PER_PEER || waiting {
            return Err(Refused::Requests);
        }
        let size = request.block_size.unwrap_or(shared.config.block_size);
        let length = request.length();
        let upload = (length > size.bytes()).then(|| Upload::new(&request, size));
        let end = length.saturating_sub(1) / size.bytes() * size.bytes();
        let begins = match &upload {
            Some(upload) => upload.wants(&request).is_none(),
            None => request.payload.len() == length,
        };
        if Block::at(end, false, size).is_none() || !begins {
            return Err(Refused::TooLong);
        }
        if request.observe.is_some() && request.delivery == Delivery::Blocks {
            let limit = limits::WHOLE_BODY_MAX;
            request.delivery = Delivery::Whole { limit };
        }
        let serial = shared.next_serial();
        self.calls.push(Call {
            serial,
            token: Token::default(),
            message_id: 0,
            stage: Stage::Sending,
            deadline: None,
            observe: request.observe.map(|_| 0),
            watch: None,
            upload,
            uploaded: false,
            fetch: Fetch::new(&request),
            request,
        });
        self.start(shared, now, serial, Urgency::Request);
        Ok(self.request_id(serial))
    }

    /// Starts an exchange for what a request needs next.
    pub(super) fn start(
        &mut self,
        shared: &mut Shared<P>,
        now: Duration,
        serial: u64,
        urgency: Urgency,
    ) {
        let fresh = self.fresh_token(shared);
        let Some(call) = self.call_mut(serial) else {
            return;
        };
        call.token = match (&call.watch, call.observe) {
            (Some(watch), Some(_)) => watch.token,
            _ => fresh,
        };
        call.stage = Stage::Sending;
        call.deadline = None;
        if !self.submit(shared, now, Role::Request(serial), urgency, None) {
            self.fail(shared, now, serial, Failure::Unacknowledged);
        }
    }

    /// RFC 7252 5.3.1: hard to guess, and not one that is in use with this peer.
    fn fresh_token(&self, shared: &mut Shared<P>) -> Token {
        let length = shared.config.token_length.clamp(1, Token::MAX);
        loop {
            let bytes = shared.random.next_u64().to_be_bytes();
            let token = Token::new(&bytes[..length]).unwrap_or_default();
            let taken = |call: &Call| {
                call.token == token
                    || call
                        .watch
                        .as_ref()
                        .is_some_and(|watch| watch.token == token)
            };
            if !self.calls.iter().any(taken) {
                return token;
            }
        }
    }

    /// The message of the exchange that starts now.
    pub(super) fn request_message(
        &mut self,
        shared: &Shared<P>,
        now: Duration,
        serial: u64,
    ) -> Option<Message> {
        let wait = self.parameters(shared).max_transmit_wait();
        let call = self.call_mut(serial)?;
        let request = &call.request;
        let kind = if request.confirmable {
            Kind::Confirmable
        } else {
            call.stage = Stage::Unconfirmed;
            call.deadline = Some(now + request.patience.unwrap_or(wait));
            Kind::NonConfirmable
        };
        let mut message = Message::new(kind, request.method, 0);
        message.token = call.token;
        message.options = request.options.clone();
        if let Some(observe) = call.observe {
            message.options.push_uint(number::OBSERVE, observe);
        }
        match &call.upload {
            Some(upload) => upload.write(request, &mut message),
            None => {
                call.fetch.write(request, &mut message);
                let goes_on = call.fetch.offset() > 0 && request.method != Code::FETCH;
                if !goes_on && !call.uploaded {
                    message.payload = request.payload.clone();
                }
            }
        }
        Some(message)
    }

    pub(super) fn call_acknowledged(&mut self, shared: &mut Shared<P>, now: Duration, serial: u64) {
        let lifetime = self.parameters(shared).exchange_lifetime();
        if let Some(call) = self.call_mut(serial) {
            call.stage = Stage::Acknowledged;
            call.deadline = Some(now + call.request.patience.unwrap_or(lifetime));
        }
    }

    pub(super) fn calls_due(&mut self, shared: &mut Shared<P>, now: Duration) {
        let is_due = |call: &&Call| call.deadline.is_some_and(|deadline| deadline <= now);
        while let Some(call) = self.calls.iter().find(is_due) {
            let serial = call.serial;
            if call.stage == Stage::Watching {
                self.register_again(shared, now, serial);
            } else {
                self.fail(shared, now, serial, Failure::Unanswered);
            }
        }
    }

    pub(super) fn fail(
        &mut self,
        shared: &mut Shared<P>,
        now: Duration,
        serial: u64,
        reason: Failure,
    ) {
        let request = self.request_id(serial);
        let before = self.calls.len();
        self.calls.retain(|call| call.serial != serial);
        if self.calls.len() < before {
            self.withdraw(Role::Request(serial));
            shared.events.push_back(Event::Failed { request, reason });
            self.pump(shared, now);
        }
    }

    /// Asks for the next block.
    pub(super) fn proceed(
        &mut self,
        shared: &mut Shared<P>,
        now: Duration,
        serial: u64,
    ) -> Result<(), Refused> {
        let call = self.call_mut(serial).ok_or(Refused::Over)?;
        if call.stage == Stage::Paused {
            self.start(shared, now, serial, Urgency::Request);
        }
        Ok(())
    }

    /// Goes on with an upload whose next block was not at hand.
    pub(super) fn supply(
        &mut self,
        shared: &mut Shared<P>,
        now: Duration,
        serial: u64,
        offset: usize,
        bytes: Bytes,
    ) -> Result<(), Refused> {
        let call = self.call_mut(serial).ok_or(Refused::Over)?;
        if call.stage == Stage::Paused
            && let Some(upload) = &mut call.upload
            && upload.supply(&call.request, offset, bytes)
        {
            self.start(shared, now, serial, Urgency::NextOfUpload);
        }
        Ok(())
    }

    /// Forgets a request; nothing is sent.
    pub(super) fn cancel(&mut self, shared: &mut Shared<P>, now: Duration, serial: u64) {
        self.withdraw(Role::Request(serial));
        self.calls.retain(|call| call.serial != serial);
        self.pump(shared, now);
    }

    /// RFC 7641 3.6: GET with Observe 1 and the token of the registration.
    pub(super) fn deregister(
        &mut self,
        shared: &mut Shared<P>,
        now: Duration,
        serial: u64,
    ) -> Result<(), Refused> {
        let call = self.call_mut(serial).ok_or(Refused::Over)?;
        if call.is_deregistering() {
            return Ok(());
        }
        if call.watch.is_none() {
            self.cancel(shared, now, serial);
            return Ok(());
        }
        call.observe = Some(1);
        call.fetch = Fetch::new(&call.request);
        self.withdraw(Role::Request(serial));
        self.start(shared, now, serial, Urgency::Request);
        Ok(())
    }
}
