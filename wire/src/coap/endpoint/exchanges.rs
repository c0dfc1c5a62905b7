//! Requests of a peer and the answers to them: a server's side of RFC 7252 5 and 7959 2.4.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;

use super::dispatch::unknown_critical;
use super::event::{Event, ExchangeId, ObserverId, Refused};
use super::outgoing::{Role, Urgency};
use super::peer::{Peer, Shared};
use super::peers::PeerKey;
use super::request::{Body, Response};
use crate::coap::limits;
use crate::coap::message::{
    Block, BlockSize, Code, Kind, Message, MessageView, Token, empty, number,
};

/// A request that the application has not answered yet.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) serial: u64,
    pub(super) token: Token,
    pub(super) message_id: u16,
    pub(super) block1: Option<Block>,
    pub(super) block2: Option<Block>,
    size2: bool,
    confirmable: bool,
    observe: bool,
    /// When an empty acknowledgement is due; `None` after it.
    acknowledge_at: Option<Duration>,
    expires: Duration,
}

impl Exchange {
    pub(super) fn deadline(&self) -> Duration {
        self.acknowledge_at
            .unwrap_or(self.expires)
            .min(self.expires)
    }

    /// What of a body of `total` bytes is asked for.
    pub(super) fn wanted(&self, total: usize, ours: BlockSize) -> Option<Range<usize>> {
        let asked = self.block2;
        let size = asked.map_or(ours, |block| block.size.min(ours)).bytes();
        let offset = asked.map_or(0, Block::offset);
        // 2.4: there is always a block 0; others must hold something.
        (offset == 0 || offset < total).then(|| offset..total.min(offset + size))
    }
}

impl<P: PeerKey> Peer<P> {
    pub(super) fn exchange_id(&self, serial: u64) -> ExchangeId {
        ExchangeId {
            peer: self.place,
            serial,
        }
    }

    pub(super) fn on_request(
        &mut self,
        shared: &mut Shared<P>,
        now: Duration,
        view: &MessageView<'_>,
    ) {
        let block1 = view
            .option(number::BLOCK1)
            .map(|_| view.block(number::BLOCK1));
        let block2 = view
            .option(number::BLOCK2)
            .map(|_| view.block(number::BLOCK2));
        let observe = view.uint(number::OBSERVE).filter(|_| view.code.is_safe());
        let parameters = self.parameters(shared);
        let exchange = Exchange {
            serial: shared.serial + 1,
            token: view.token,
            message_id: view.id,
            block1: block1.flatten(),
            block2: block2.flatten(),
            size2: view.option(number::SIZE2).is_some(),
            confirmable: view.kind == Kind::Confirmable,
            observe: observe == Some(0),
            acknowledge_at: (view.kind == Kind::Confirmable)
                .then_some(now + parameters.acknowledge_after),
            expires: now + parameters.exchange_lifetime(),
        };
        shared.serial += 1;
        if unknown_critical(view, &shared.config.understood).is_some() {
            // RFC 7252 5.4.1: only a confirmable request gets the 4.02.
            match view.kind {
                Kind::Confirmable => self.refuse(shared, now, exchange, Code::BAD_OPTION),
                _ => self.transmit(shared, empty(Kind::Reset, view.id)),
            }
            return;
        }
        let refusal = if view.option(number::PROXY_URI).is_some()
            || view.option(number::PROXY_SCHEME).is_some()
        {
            Some(Code::PROXYING_NOT_SUPPORTED)
        } else if view.code > Code::IPATCH {
            Some(Code::METHOD_NOT_ALLOWED)
        } else if block1 == Some(None) || block2 == Some(None) {
            // RFC 7959 2.2: the reserved SZX 7.
            Some(Code::BAD_REQUEST)
        } else if self.exchanges.len() >= limits::EXCHANGES_PER_PEER {
            Some(Code::SERVICE_UNAVAILABLE)
        } else {
            None
        };
        if let Some(code) = refusal {
            return self.refuse(shared, now, exchange, code);
        }
        if observe == Some(1) {
            self.deregister_observer(shared, view.token);
        }
        if let Some(block) = exchange.block1 {
            return self.on_block1(shared, now, exchange, block, view);
        }
        let id = self.exchange_id(exchange.serial);
        shared.events.push_back(Event::Request {
            exchange: id,
            from: self.key.clone(),
            observe: exchange.observe,
            message: view.to_message(),
        });
        self.exchanges.push(exchange);
    }

    pub(super) fn refuse(
        &mut self,
        shared: &mut Shared<P>,
        now: Duration,
        exchange: Exchange,
        code: Code,
    ) {
        self.answer(shared, now, exchange, Response::new(code), None);
    }

    /// The application's answer.
    pub(super) fn respond(
        &mut self,
        shared: &mut Shared<P>,
        now: Duration,
        serial: u64,
        response: Response,
        observing: bool,
    ) -> Result<Option<ObserverId>, Refused> {
        let position = self.exchanges.iter().position(|e| e.serial == serial);
        let exchange = self.exchanges.swap_remove(position.ok_or(Refused::Over)?);
        let observer = if observing && exchange.observe && response.code.is_success() {
            let size = exchange.block2.map_or(BlockSize::MAX, |block| block.size);
            self.add_observer(shared, now, exchange.token, size)
        } else {
            None
        };
        if exchange.block1.is_some() {
            self.body_answered(shared, serial, response.code);
        }
        self.answer(shared, now, exchange, response, observer);
        Ok(observer)
    }

    fn answer(
        &mut self,
        shared: &mut Shared<P>,
        now: Duration,
        exchange: Exchange,
        response: Response,
        observer: Option<ObserverId>,
    ) {
        let ours = shared.config.block_size;
        let mut message = cut(response, &exchange, ours);
        if let Some(block) = exchange.block1 {
            let echo = Block {
                more: message.code == Code::CONTINUE,
                size: block.size.min(ours),
                ..block
            };
            message.options.push_block(number::BLOCK1, echo);
        }
        if let Some(sequence) = observer.and_then(|id| self.observer_mut(id.serial)) {
            message
                .options
                .push_uint(number::OBSERVE, sequence.sequence);
        }
        message.token = exchange.token;
        self.remember(shared, now);
        if exchange.confirmable && exchange.acknowledge_at.is_some() {
            message.kind = Kind::Acknowledgement;
            message.id = exchange.message_id;
            let bytes = message.to_bytes();
            if self.seen.answered(exchange.message_id, bytes.clone()) {
                shared.replays.push_back((self.place, exchange.message_id));
            }
            self.transmit(shared, bytes);
        } else if exchange.confirmable {
            let role = Role::Response(exchange.serial);
            if !self.submit(shared, now, role, Urgency::Answer, Some(message)) {
                shared.events.push_back(Event::Delivered {
                    exchange: self.exchange_id(exchange.serial),
                    arrived: false,
                });
            }
        } else {
            message.kind = Kind::NonConfirmable;
            message.id = self.take_id();
            self.transmit(shared, message.to_bytes());
        }
    }

    /// Rejects a request with a Reset, or by silence once it was acknowledged.
    pub(super) fn reject(&mut self, shared: &mut Shared<P>, serial: u64) -> Result<(), Refused> {
        let position = self.exchanges.iter().position(|e| e.serial == serial);
        let exchange = self.exchanges.swap_remove(position.ok_or(Refused::Over)?);
        self.body_answered(shared, serial, Code::EMPTY);
        if exchange.acknowledge_at.is_some() || !exchange.confirmable {
            let reply = empty(Kind::Reset, exchange.message_id);
            self.seen.answered(exchange.message_id, reply.clone());
            self.transmit(shared, reply);
        }
        Ok(())
    }

    /// An empty acknowledgement: the answer will be a separate response (RFC 7252 5.2.2).
    pub(super) fn acknowledge(
        &mut self,
        shared: &mut Shared<P>,
        serial: u64,
    ) -> Result<(), Refused> {
        let exchange = self.exchanges.iter_mut().find(|e| e.serial == serial);
        let exchange = exchange.ok_or(Refused::Over)?;
        if exchange.acknowledge_at.take().is_some() {
            let id = exchange.message_id;
            let reply = empty(Kind::Acknowledgement, id);
            self.seen.answered(id, reply.clone());
            self.transmit(shared, reply);
        }
        Ok(())
    }

    pub(super) fn exchanges_due(&mut self, shared: &mut Shared<P>, now: Duration) {
        self.exchanges.retain(|exchange| exchange.expires > now);
        let is_due = |e: &&Exchange| e.acknowledge_at.is_some_and(|at| at <= now);
        while let Some(serial) = self.exchanges.iter().find(is_due).map(|e| e.serial) {
            if self.acknowledge(shared, serial).is_err() {
                break;
            }
        }
    }
}

/// An answer with the one block of its body that was asked for (RFC 7959 2.4).
fn cut(response: Response, exchange: &Exchange, ours: BlockSize) -> Message {
    let mut message = Message::new(Kind::Confirmable, response.code, 0);
    message.options = response.options;
    let asked = exchange.block2;
    let total = match &response.body {
        Body::Whole(bytes) => bytes.len(),
        Body::Part { total, .. } => *total,
    };
    let size = asked.map_or(ours, |block| block.size.min(ours));
    let in_blocks = response.code.is_success() && (total > size.bytes() || asked.is_some());
    let range = exchange.wanted(total, ours);
    let range = match range {
        Some(range) if in_blocks => range,
        None if in_blocks => return out_of_range(),
        _ => 0..total,
    };
    message.payload = match response.body {
        Body::Whole(bytes) => bytes.slice(range.clone()),
        Body::Part { offset, bytes, .. } => {
            let start = range.start.checked_sub(offset);
            let part = start.and_then(|start| {
                let end = start + range.len();
                (end <= bytes.len()).then(|| bytes.slice(start..end))
            });
            match part {
                Some(part) => part,
                None => return Message::new(Kind::Confirmable, Code::INTERNAL_SERVER_ERROR, 0),
            }
        }
    };
    if in_blocks && let Some(block) = Block::at(range.start, range.end < total, size) {
        message.options.push_block(number::BLOCK2, block);
        if range.start == 0 || exchange.size2 {
            message.options.push_uint(number::SIZE2, total as u32);
        }
    }
    message
}

fn out_of_range() -> Message {
    let mut message = Message::new(Kind::Confirmable, Code::BAD_REQUEST, 0);
    message.payload = Bytes::from_static(b"the body ends before this block");
    message
}

/// The first block of a notification.
pub(super) fn first_block(response: Response, token: Token, ours: BlockSize) -> Message {
    let exchange = Exchange {
        serial: 0,
        token,
        message_id: 0,
        block1: None,
        block2: None,
        size2: false,
        confirmable: true,
        observe: true,
        acknowledge_at: None,
        expires: Duration::ZERO,
    };
    let mut message = cut(response, &exchange, ours);
    message.token = token;
    message
}
