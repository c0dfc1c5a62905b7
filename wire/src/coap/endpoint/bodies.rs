//! Bodies that a peer sends in blocks (RFC 7959 2.5, 2.9): order, gaps, restarts, expiry.

use std::time::Duration;

use bytes::Bytes;

use super::event::{BodyId, Event, Refused};
use super::exchanges::Exchange;
use super::peer::{Peer, Shared};
use super::peers::PeerKey;
use super::request::Response;
use crate::coap::limits;
use crate::coap::message::{Block, Code, MessageView, Options, number};

/// A body of which block 0 came.
///
/// It is known by its method and options, never by its token: peers change that from block to
/// block, or do not (RFC 7959 2.5; RFC 9175 3.3 adds Request-Tag, which is one of the options).
#[derive(Debug)]
pub(super) struct IncomingBody {
    pub(super) serial: u64,
    pub(super) expires: Duration,
    method: Code,
    key: Options,
    /// Where the next block belongs.
    expected: usize,
    /// The block before that.
    last: Option<Block>,
    /// The exchange that brought the block which the application has, and that block.
    with_application: Option<(u64, Block, usize)>,
    collected: Option<Collected>,
}

#[derive(Debug)]
struct Collected {
    bytes: Vec<u8>,
    limit: usize,
}

/// Options that may differ between the blocks of one body.
fn is_key(number: u16) -> bool {
    use number::{BLOCK1, BLOCK2, OBSERVE, SIZE1, SIZE2};
    !matches!(number, OBSERVE | BLOCK1 | BLOCK2 | SIZE1 | SIZE2)
}

impl<P: PeerKey> Peer<P> {
    pub(super) fn on_block1(
        &mut self,
        shared: &mut Shared<P>,
        now: Duration,
        exchange: Exchange,
        block: Block,
        view: &MessageView<'_>,
    ) {
        let (length, size) = (view.payload().len(), block.size.bytes());
        if length > size || (block.more && length < size) {
            return self.refuse(shared, now, exchange, Code::BAD_REQUEST);
        }
        let known = self.bodies.iter().position(|body| {
            body.method == view.code
                && body
                    .key
                    .iter()
                    .eq(view.options().filter(|(number, _)| is_key(*number)))
        });
        if block.number == 0 {
            // 2.5: a block 0 begins anew, whatever came before.
            if let Some(index) = known {
                let serial = self.drop_body(shared, index);
                self.tell_body_abandoned(shared, serial);
            }
            self.make_room(shared);
            let mut key = view.with_payload(Bytes::new()).options;
            key.retain(is_key);
            self.bodies.push(IncomingBody {
                serial: exchange.serial,
                expires: now,
                method: view.code,
                key,
                expected: 0,
                last: None,
                with_application: None,
                collected: None,
            });
            let index = self.bodies.len() - 1;
            return self.take_block(shared, now, index, exchange, block, view);
        }
        let Some(index) = known else {
            return self.refuse(shared, now, exchange, Code::REQUEST_ENTITY_INCOMPLETE);
        };
        let body = &self.bodies[index];
        if body.with_application.is_some() {
            self.refuse(shared, now, exchange, Code::SERVICE_UNAVAILABLE);
        } else if block.offset() == body.expected {
            self.take_block(shared, now, index, exchange, block, view);
        } else if body.last == Some(block) {
            // The answer was lost and the peer asks under a new message id: it has been written.
            self.refuse(shared, now, exchange, Code::CONTINUE);
        } else {
            self.refuse(shared, now, exchange, Code::REQUEST_ENTITY_INCOMPLETE);
        }
    }

    fn make_room(&mut self, shared: &mut Shared<P>) {
        if self.bodies.len() < limits::BODIES_PER_PEER {
            return;
        }
        let oldest = (0..self.bodies.len()).min_by_key(|index| self.bodies[*index].expires);
        if let Some(index) = oldest {
            let serial = self.drop_body(shared, index);
            self.tell_body_abandoned(shared, serial);
        }
    }

    /// The block that is due, once.
    fn take_block(
        &mut self,
        shared: &mut Shared<P>,
        now: Duration,
        index: usize,
        exchange: Exchange,
        block: Block,
        view: &MessageView<'_>,
    ) {
        let lifetime = self.parameters(shared).exchange_lifetime();
        let id = self.exchange_id(exchange.serial);
        let body = &mut self.bodies[index];
        body.expires = now + lifetime;
        body.with_application = Some((exchange.serial, block, view.payload().len()));
        let Some(collected) = &mut body.collected else {
            let body = BodyId {
                peer: self.place,
                serial: body.serial,
            };
            shared.events.push_back(Event::BlockReceived {
                exchange: id,
                from: self.key.clone(),
                body,
                offset: block.offset(),
                more: block.more,
                message: view.to_message(),
            });
            self.exchanges.push(exchange);
            return;
        };
        let length = view.payload().len();
        if collected.bytes.len() + length > collected.limit {
            let response = too_large(collected.limit);
            self.drop_body(shared, index);
            self.exchanges.push(exchange);
            let _over = self.respond(shared, now, id.serial, response, false);
            return;
        }
        shared.collected += length;
        collected.bytes.extend_from_slice(view.payload());
        if block.more {
            self.exchanges.push(exchange);
            let response = Response::new(Code::CONTINUE);
            let _over = self.respond(shared, now, id.serial, response, false);
            return;
        }
        let bytes = std::mem::take(&mut collected.bytes);
        shared.collected -= bytes.len();
        let mut message = view.with_payload(bytes.into());
        message.options.remove(number::BLOCK1);
        shared.events.push_back(Event::Request {
            exchange: id,
            from: self.key.clone(),
            observe: false,
            message,
        });
        self.exchanges.push(exchange);
    }

    /// Lets the endpoint put this body together.
    pub(super) fn collect(
        &mut self,
        shared: &mut Shared<P>,
        now: Duration,
        serial: u64,
        first: &[u8],
        limit: usize,
    ) -> Result<(), Refused> {
        let limit = limit.min(limits::WHOLE_BODY_MAX);
        let body = self.bodies.iter_mut();
        let mut body = body.filter(|body| {
            body.with_application.is_some_and(|(exchange, block, _)| {
                exchange == serial && block.number == 0 && block.more
            })
        });
        let body = body.next().ok_or(Refused::Over)?;
        let taken = first.len() + limits::COLLECTED_BODY_BYTES;
        let response = if first.len() > limit {
            too_large(limit)
        } else {
            shared.collected += taken;
            shared.collecting.push_back((self.place, body.serial));
            body.collected = Some(Collected {
                bytes: first.to_vec(),
                limit,
            });
            Response::new(Code::CONTINUE)
        };
        self.respond(shared, now, serial, response, false)
            .map(|_| ())
    }

    /// The application answered a block: the next one may come, or the body is over.
    pub(super) fn body_answered(&mut self, shared: &mut Shared<P>, exchange: u64, code: Code) {
        let of_exchange = |body: &IncomingBody| {
            body.with_application
                .is_some_and(|(serial, ..)| serial == exchange)
        };
        let Some(index) = self.bodies.iter().position(of_exchange) else {
            return;
        };
        let body = &mut self.bodies[index];
        match body.with_application.take() {
            Some((_, block, length)) if block.more && code == Code::CONTINUE => {
                body.expected = block.offset() + length;
                body.last = Some(block);
            }
            _ => {
                self.drop_body(shared, index);
            }
        }
    }

    pub(super) fn bodies_due(&mut self, shared: &mut Shared<P>, now: Duration) {
        while let Some(index) = self.bodies.iter().position(|body| body.expires <= now) {
            let serial = self.drop_body(shared, index);
            self.tell_body_abandoned(shared, serial);
        }
    }

    /// Gives up a body, if it is still being put together.
    pub(super) fn give_up_body(&mut self, shared: &mut Shared<P>, serial: u64) {
        if let Some(index) = self.collecting(serial) {
            self.drop_body(shared, index);
            self.tell_body_abandoned(shared, serial);
        }
    }

    /// Where a body is that is being put together.
    pub(super) fn collecting(&self, serial: u64) -> Option<usize> {
        let mut bodies = self.bodies.iter();
        bodies.position(|body| body.serial == serial && body.collected.is_some())
    }

    /// Takes a body out, and tells its serial.
    pub(super) fn drop_body(&mut self, shared: &mut Shared<P>, index: usize) -> u64 {
        let body = self.bodies.remove(index);
        if let Some(collected) = body.collected {
            shared.collected -= collected.bytes.len() + limits::COLLECTED_BODY_BYTES;
        }
        body.serial
    }

    pub(super) fn tell_body_abandoned(&self, shared: &mut Shared<P>, serial: u64) {
        shared.events.push_back(Event::BodyAbandoned {
            from: self.key.clone(),
            body: BodyId {
                peer: self.place,
                serial,
            },
        });
    }
}

/// RFC 7959 2.9.3: 4.13 with the size that would do.
fn too_large(limit: usize) -> Response {
    let mut response = Response::new(Code::REQUEST_ENTITY_TOO_LARGE);
    response.options.push_uint(number::SIZE1, limit as u32);
    response
}
