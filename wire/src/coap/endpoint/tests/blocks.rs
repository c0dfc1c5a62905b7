//! RFC 7959: the rules of single blocks, on the server's and the client's side.

use std::cell::Cell;
use std::rc::Rc;

use bytes::Bytes;

use super::rig::*;
use crate::coap::endpoint::*;
use crate::coap::message::{Block, BlockSize, Code, Kind, Message, number};

fn size(bytes: usize) -> BlockSize {
    BlockSize::at_most(bytes)
}

/// A server that gets messages made by hand, and its last answer.
struct Bench {
    pair: Pair,
    id: u16,
}

impl Bench {
    fn taking(inbox: &SharedInbox) -> Self {
        let mut pair = Pair::new(taking(inbox.clone()));
        pair.network = Box::new(|_, _| vec![]);
        Self { pair, id: 0 }
    }

    fn serving(body: Bytes) -> Self {
        let mut pair = Pair::new(serving(body));
        pair.network = Box::new(|_, _| vec![]);
        Self { pair, id: 0 }
    }

    fn ask(&mut self, message: &Message) -> Message {
        self.pair
            .server
            .handle_datagram(self.pair.time, CLIENT, &message.to_bytes());
        self.pair.settle();
        self.pair.log.last().unwrap().message()
    }

    /// PUT of one block of `body`.
    fn put(&mut self, body: &[u8], number: u32, bytes: usize) -> Message {
        let start = number as usize * bytes;
        let end = body.len().min(start + bytes);
        let more = end < body.len();
        self.put_raw(&body[start..end], (number, more, bytes))
    }

    fn put_raw(&mut self, payload: &[u8], (number, more, bytes): (u32, bool, usize)) -> Message {
        self.id += 1;
        let mut message = datagram(Kind::Confirmable, Code::PUT, self.id, "/5/0/0");
        let block = Block {
            number,
            more,
            size: size(bytes),
        };
        message.options.push_block(number::BLOCK1, block);
        message.payload = Bytes::copy_from_slice(payload);
        self.ask(&message)
    }

    fn get(&mut self, number: u32, bytes: usize) -> Message {
        self.id += 1;
        let mut message = datagram(Kind::Confirmable, Code::GET, self.id, "/fw");
        let block = Block {
            number,
            more: false,
            size: size(bytes),
        };
        message.options.push_block(number::BLOCK2, block);
        self.ask(&message)
    }
}

/// 2.4 and 3.1, Figure 2: any block at any time, M from the length, Size2 in the first.
#[test]
fn any_block_at_any_time() {
    let body = image(1000);
    let mut bench = Bench::serving(body.clone());
    for (number, bytes, more) in [
        (3, 256, false),
        (0, 256, true),
        (61, 16, true),
        (62, 16, false),
        (0, 1024, false),
    ] {
        let answer = bench.get(number, bytes);
        let start = number as usize * bytes;
        assert_eq!(answer.code, Code::CONTENT);
        assert_eq!(
            block_of(&answer, number::BLOCK2),
            Some((number, more, bytes))
        );
        assert_eq!(answer.payload, body.slice(start..1000.min(start + bytes)));
        assert_eq!(answer.options.first(number::ETAG), Some(&b"v1"[..]));
        assert_eq!(
            answer.options.uint(number::SIZE2),
            (number == 0).then_some(1000)
        );
    }
    // Behind the end.
    assert_eq!(bench.get(63, 16).code, Code::BAD_REQUEST);
    assert_eq!(bench.get(1_000_000, 1024).code, Code::BAD_REQUEST);
}

/// 2.4: a body that ends at the end of a block has no empty block behind it; an empty one has a
/// block 0.
#[test]
fn bodies_that_end_with_a_block() {
    let mut bench = Bench::serving(image(512));
    assert_eq!(
        block_of(&bench.get(1, 256), number::BLOCK2),
        Some((1, false, 256))
    );
    assert_eq!(bench.get(2, 256).code, Code::BAD_REQUEST);
    let mut bench = Bench::serving(Bytes::new());
    assert_eq!(
        block_of(&bench.get(0, 256), number::BLOCK2),
        Some((0, false, 256))
    );
}

/// 2.2: the reserved SZX 7 is refused; a value of four bytes is an unknown option (RFC 7252 5.4.3).
#[test]
fn reserved_block_sizes() {
    let mut bench = Bench::serving(image(100));
    for option in [number::BLOCK1, number::BLOCK2] {
        let mut message = datagram(Kind::Confirmable, Code::PUT, 900 + option, "/");
        message.options.push(option, &[0x07]);
        assert_eq!(bench.ask(&message).code, Code::BAD_REQUEST);
        let mut message = datagram(Kind::Confirmable, Code::PUT, 800 + option, "/");
        message.options.push(option, &[1, 0, 0, 0]);
        assert_eq!(bench.ask(&message).code, Code::BAD_OPTION);
    }
}

/// The same request gets the same bytes, also of a block (RFC 7252 4.5).
#[test]
fn a_retransmitted_block_request_gets_the_same_bytes() {
    let mut bench = Bench::serving(image(3000));
    bench.get(1, 1024);
    let mut again = datagram(Kind::Confirmable, Code::GET, bench.id, "/fw");
    again.options.push_block(
        number::BLOCK2,
        Block {
            number: 1,
            more: false,
            size: BlockSize::MAX,
        },
    );
    bench.ask(&again);
    assert_eq!(bench.pair.log[0].bytes, bench.pair.log[1].bytes);
    assert_eq!(bench.pair.server.statistics().duplicates, 1);
}

/// 3.2, Figure 7: 2.31 with M to each block but the last.
#[test]
fn blocks_in_order() {
    let (inbox, body) = (SharedInbox::default(), image(600));
    let mut bench = Bench::taking(&inbox);
    for (number, code, more) in [
        (0, Code::CONTINUE, true),
        (1, Code::CONTINUE, true),
        (2, Code::CHANGED, false),
    ] {
        let answer = bench.put(&body, number, 256);
        assert_eq!(answer.code, code);
        assert_eq!(block_of(&answer, number::BLOCK1), Some((number, more, 256)));
    }
    assert_eq!(inbox.borrow().complete, [body.to_vec()]);
}

/// 2.9.2: 4.08 for a gap or a block of nothing; X-FW-C32: a block that came before is not taken
/// twice, and the transfer goes on.
#[test]
fn gaps_and_repeated_blocks() {
    let (inbox, body) = (SharedInbox::default(), image(1200));
    let mut bench = Bench::taking(&inbox);
    assert_eq!(
        bench.put(&body, 1, 256).code,
        Code::REQUEST_ENTITY_INCOMPLETE
    );
    assert_eq!(bench.put(&body, 0, 256).code, Code::CONTINUE);
    assert_eq!(
        bench.put(&body, 2, 256).code,
        Code::REQUEST_ENTITY_INCOMPLETE
    );
    assert_eq!(bench.put(&body, 1, 256).code, Code::CONTINUE);
    assert_eq!(bench.put(&body, 1, 256).code, Code::CONTINUE);
    for number in 2..4 {
        assert_eq!(bench.put(&body, number, 256).code, Code::CONTINUE);
    }
    assert_eq!(bench.put(&body, 4, 256).code, Code::CHANGED);
    assert_eq!(inbox.borrow().complete, [body.to_vec()]);
    assert_eq!(
        bench.put(&body, 4, 256).code,
        Code::REQUEST_ENTITY_INCOMPLETE
    );
}

/// 2.3: the payload of a block with M is as long as the block; none is longer.
#[test]
fn blocks_of_the_wrong_length() {
    let inbox = SharedInbox::default();
    let mut bench = Bench::taking(&inbox);
    assert_eq!(
        bench.put_raw(&[1; 255], (0, true, 256)).code,
        Code::BAD_REQUEST
    );
    assert_eq!(
        bench.put_raw(&[1; 257], (0, false, 256)).code,
        Code::BAD_REQUEST
    );
    assert_eq!(
        bench.put_raw(&[1; 100], (0, false, 256)).code,
        Code::CHANGED
    );
}

/// 2.5: another size in the middle, larger or smaller, where it meets the offset.
#[test]
fn sizes_change_in_the_middle() {
    let (inbox, body) = (SharedInbox::default(), image(1024));
    let mut bench = Bench::taking(&inbox);
    for (number, bytes) in [
        (0, 256),
        (16, 16),
        (17, 16),
        (9, 32),
        (10, 32),
        (11, 32),
        (3, 128),
    ] {
        assert_eq!(
            bench.put(&body, number, bytes).code,
            Code::CONTINUE,
            "{number}/{bytes}"
        );
    }
    assert_eq!(bench.put(&body, 1, 512).code, Code::CHANGED);
    assert_eq!(inbox.borrow().complete, [body.to_vec()]);
}

/// 2.5: a block 0 begins anew, and the two bodies do not mix; another path is another body; an
/// abandoned one expires.
#[test]
fn a_new_block_0_begins_anew() {
    let (inbox, old, new) = (
        SharedInbox::default(),
        image(600),
        Bytes::from(vec![9; 600]),
    );
    let mut bench = Bench::taking(&inbox);
    bench.put(&old, 0, 256);
    bench.put(&old, 1, 256);
    bench.put(&new, 0, 256);
    assert_eq!(inbox.borrow().abandoned, 1);
    assert_eq!(
        bench.put(&old, 2, 256).code,
        Code::REQUEST_ENTITY_INCOMPLETE
    );
    bench.put(&new, 1, 256);
    assert_eq!(bench.put(&new, 2, 256).code, Code::CHANGED);
    assert_eq!(inbox.borrow().complete, [new.to_vec()]);
    bench.put(&new, 0, 256);
    bench.pair.drive_for(seconds(248));
    assert_eq!(inbox.borrow().abandoned, 2);
    assert_eq!(
        bench.put(&new, 1, 256).code,
        Code::REQUEST_ENTITY_INCOMPLETE
    );
}

/// While the application erases its flash the peer's next try does not reach it twice.
#[test]
fn a_block_while_the_one_before_is_not_answered() {
    let owed = Rc::new(Cell::new(None));
    let held = owed.clone();
    let mut pair = Pair::new(move |_, _, event| {
        if let Event::BlockReceived { exchange, .. } = event {
            held.set(Some(exchange));
        }
    });
    pair.network = Box::new(|_, _| vec![]);
    let mut bench = Bench { pair, id: 0 };
    let body = image(600);
    bench.pair.time = seconds(1);
    let mut first = datagram(Kind::Confirmable, Code::PUT, 50, "/5/0/0");
    first.options.push_block(
        number::BLOCK1,
        Block {
            number: 0,
            more: true,
            size: size(256),
        },
    );
    first.payload = body.slice(..256);
    bench
        .pair
        .server
        .handle_datagram(seconds(1), CLIENT, &first.to_bytes());
    bench.pair.settle();
    assert_eq!(bench.put(&body, 1, 256).code, Code::SERVICE_UNAVAILABLE);
    bench.pair.drive_for(seconds(20));
    let exchange = owed.take().unwrap();
    let now = bench.pair.time;
    bench
        .pair
        .server
        .respond(now, exchange, Response::new(Code::CONTINUE))
        .unwrap();
    bench.pair.settle();
    let late = bench.pair.log.last().unwrap().message();
    assert_eq!((late.kind, late.code), (Kind::Confirmable, Code::CONTINUE));
    assert!(owed.take().is_none());
    bench.put(&body, 1, 256);
    assert!(owed.take().is_some());
}

/// Bodies put together by the endpoint, within a limit (2.9.3: 4.13 with Size1).
#[test]
fn collected_bodies() {
    for (limit, code) in [
        (1000, Code::CREATED),
        (999, Code::REQUEST_ENTITY_TOO_LARGE),
        (10, Code::REQUEST_ENTITY_TOO_LARGE),
    ] {
        let mut pair = Pair::new(move |server, now, event| match event {
            Event::BlockReceived {
                exchange, message, ..
            } => {
                server
                    .collect(now, exchange, &message.payload, limit)
                    .unwrap();
            }
            Event::Request {
                exchange, message, ..
            } => {
                assert_eq!(message.payload, image(1000));
                server
                    .respond(now, exchange, Response::new(Code::CREATED))
                    .unwrap();
            }
            _ => {}
        });
        let mut request = Request::post("/rd?ep=a", image(1000));
        request.block_size = Some(size(64));
        pair.request(request);
        pair.drive();
        assert_eq!(pair.response().code, code);
        let hint = (code != Code::CREATED).then_some(limit as u32);
        assert_eq!(pair.response().options.uint(number::SIZE1), hint);
    }
}

/// A peer can keep only so many bodies open.
#[test]
fn bodies_are_bounded() {
    let inbox = SharedInbox::default();
    let mut bench = Bench::taking(&inbox);
    for n in 0..20u16 {
        let mut message = datagram(Kind::Confirmable, Code::PUT, n, &format!("/{n}"));
        message.options.push_block(
            number::BLOCK1,
            Block {
                number: 0,
                more: true,
                size: BlockSize::MIN,
            },
        );
        message.payload = Bytes::from_static(&[0; 16]);
        assert_eq!(bench.ask(&message).code, Code::CONTINUE);
    }
    let kept = crate::coap::limits::BODIES_PER_PEER;
    assert_eq!(inbox.borrow().abandoned, 20 - kept);
}

/// A part of a body that the application read from elsewhere.
#[test]
fn a_body_in_parts() {
    let body = image(5000);
    let whole = body.clone();
    let mut pair = Pair::new(move |server, now, event| {
        if let Event::Request { exchange, .. } = event {
            let range = server.wanted(exchange, whole.len()).unwrap();
            assert!(range.len() <= 256);
            let body = Body::Part {
                offset: range.start,
                total: whole.len(),
                bytes: whole.slice(range),
            };
            let response = Response {
                body,
                ..Response::new(Code::CONTENT)
            };
            server.respond(now, exchange, response).unwrap();
        }
    });
    pair.request(Request::get("/fw").in_blocks(size(256)));
    pair.drive();
    assert_eq!(pair.body_of_blocks(), body);
}
