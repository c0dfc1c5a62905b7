//! RFC 7959: whole transfers, with every single datagram lost, doubled or late.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;

use super::rig::*;
use crate::coap::endpoint::*;
use crate::coap::message::{BlockSize, Code, number};

fn small() -> BlockSize {
    BlockSize::at_most(64)
}

fn upload(body: Bytes) -> Request {
    Request {
        block_size: Some(small()),
        ..Request::put("/5/0/0", body)
    }
}

/// What happens to the nth datagram; all others arrive.
type Mishap = fn() -> Fate;

const MISHAPS: [(&str, Mishap); 5] = [
    ("lost", || vec![]),
    ("doubled", || vec![LATENCY, LATENCY]),
    ("doubled late", || vec![LATENCY, seconds(7)]),
    ("late", || vec![seconds(3)]),
    ("very late", || vec![seconds(40)]),
];

/// For each datagram of a transfer, and each thing that can happen to it.
fn sweep(mut transfer: impl FnMut(Box<dyn FnMut(usize, &Sent) -> Fate>) -> usize) {
    let datagrams = transfer(Box::new(|_, _| vec![LATENCY]));
    for nth in 0..datagrams {
        for (_, mishap) in MISHAPS {
            transfer(Box::new(
                move |n, _| if n == nth { mishap() } else { vec![LATENCY] },
            ));
        }
    }
}

#[test]
fn an_upload_that_is_read_in_parts_survives_every_single_mishap() {
    let body = image(1000);
    sweep(|network| {
        let inbox = SharedInbox::default();
        let mut pair = Pair::new(taking(inbox.clone()));
        pair.network = network;
        pair.source = (body.clone(), 192);
        let mut request = upload(body.slice(..192));
        request.total = Some(body.len());
        pair.request(request);
        pair.drive();
        assert_eq!(pair.response().code, Code::CHANGED);
        assert_eq!(inbox.borrow().complete, [body.to_vec()]);
        let wanted = |event: &&Event<u8>| matches!(event, Event::Wanted { .. });
        assert!(pair.told.iter().filter(wanted).count() >= 5);
        pair.log.len()
    });
}

#[test]
fn a_body_in_parts_has_to_begin_with_a_whole_block() {
    let mut pair = Pair::new(|_, _, _| {});
    let mut request = upload(image(63));
    request.total = Some(1000);
    let refused = pair.client.request(pair.time, SERVER, request);
    assert_eq!(refused, Err(Refused::TooLong));
}

#[test]
fn an_upload_survives_every_single_mishap() {
    let body = image(1000);
    sweep(|network| {
        let inbox = SharedInbox::default();
        let mut pair = Pair::new(taking(inbox.clone()));
        pair.network = network;
        pair.request(upload(body.clone()));
        pair.drive();
        assert_eq!(pair.response().code, Code::CHANGED);
        assert_eq!(inbox.borrow().complete, [body.to_vec()]);
        pair.log.len()
    });
}

#[test]
fn a_download_survives_every_single_mishap() {
    let body = image(1000);
    for in_blocks in [true, false] {
        sweep(|network| {
            let server = Config {
                block_size: small(),
                ..Config::default()
            };
            let mut pair = Pair::with(Config::default(), server, 1, serving(body.clone()));
            pair.network = network;
            let request = Request::get("/fw");
            pair.request(if in_blocks {
                request.in_blocks(small())
            } else {
                request
            });
            pair.drive();
            let got = if in_blocks {
                pair.body_of_blocks()
            } else {
                pair.response().payload.to_vec()
            };
            assert_eq!(got, body);
            pair.log.len()
        });
    }
}

/// Each answer late, as of a device that erases its flash: all responses are separate.
#[test]
fn transfers_by_separate_responses_survive_every_single_mishap() {
    let body = image(300);
    sweep(|network| {
        let inbox = SharedInbox::default();
        let mut take = taking(inbox.clone());
        let mut pair = Pair::new(move |server, now, event| {
            if let Event::BlockReceived { exchange, .. } = &event {
                server.acknowledge(*exchange).unwrap();
            }
            take(server, now, event);
        });
        pair.network = network;
        pair.request(upload(body.clone()));
        pair.drive();
        assert_eq!(pair.response().code, Code::CHANGED);
        assert_eq!(inbox.borrow().complete, [body.to_vec()]);
        pair.log.len()
    });
}

/// 2.5, Figure 8: the server answers block 0 with a smaller size; what was sent stays sent, so
/// 1024 bytes in one block are followed by block 4 of 256 (zephyr#71272).
#[test]
fn an_upload_goes_on_in_smaller_blocks() {
    let (inbox, body) = (SharedInbox::default(), image(3000));
    let server = Config {
        block_size: BlockSize::at_most(256),
        ..Config::default()
    };
    let mut pair = Pair::with(Config::default(), server, 1, taking(inbox.clone()));
    pair.request(Request::put("/5/0/0", body.clone()));
    pair.drive();
    assert_eq!(inbox.borrow().complete, [body.to_vec()]);
    let sent = pair.messages(CLIENT);
    let blocks: Vec<_> = sent
        .iter()
        .map(|m| block_of(m, number::BLOCK1).unwrap())
        .collect();
    assert_eq!(
        blocks[..3],
        [(0, true, 1024), (4, true, 256), (5, true, 256)]
    );
    assert_eq!(blocks.last(), Some(&(11, false, 256)));
    assert_eq!(sent[0].options.uint(number::SIZE1), Some(3000));
    assert_eq!(sent[1].options.uint(number::SIZE1), None);
}

/// 2.9.3: 4.13 with a smaller Block1 starts again at 0 with that size, also when the body was
/// sent in one message; without one it is the answer.
#[test]
fn an_upload_refused_for_its_block_size() {
    for length in [3000, 900] {
        let (inbox, body) = (SharedInbox::default(), image(length));
        let mut take = taking(inbox.clone());
        let mut pair = Pair::new(move |server, now, event| match event {
            Event::BlockReceived {
                exchange,
                ref message,
                ..
            }
            | Event::Request {
                exchange,
                ref message,
                ..
            } if message.payload.len() > 128 => {
                let mut refusal = Response::new(Code::REQUEST_ENTITY_TOO_LARGE);
                if message.options.block(number::BLOCK1).is_none() {
                    refusal.options.push_uint(number::BLOCK1, 3);
                }
                server.respond(now, exchange, refusal).unwrap();
            }
            event => take(server, now, event),
        });
        // The endpoint's own echo says its block size.
        pair.server = Endpoint::new(
            Config {
                block_size: BlockSize::at_most(128),
                ..Config::default()
            },
            random(3),
        );
        pair.request(Request::put("/5/0/0", body.clone()));
        pair.drive();
        assert_eq!(pair.response().code, Code::CHANGED);
        assert_eq!(inbox.borrow().complete, [body.to_vec()]);
        let blocks: Vec<_> = pair
            .messages(CLIENT)
            .iter()
            .map(|m| block_of(m, number::BLOCK1))
            .collect();
        assert_eq!(blocks[1], Some((0, true, 128)));
    }
    let mut pair = Pair::new(|server, now, event| {
        if let Event::BlockReceived { exchange, .. } = event {
            let mut refusal = Response::new(Code::REQUEST_ENTITY_TOO_LARGE);
            refusal.options.push_uint(number::SIZE1, 2000);
            server.respond(now, exchange, refusal).unwrap();
        }
    });
    pair.request(Request::put("/5/0/0", image(3000)));
    pair.drive();
    assert_eq!(pair.response().code, Code::REQUEST_ENTITY_TOO_LARGE);
    assert_eq!(pair.response().options.uint(number::SIZE1), Some(2000));
    assert_eq!(pair.messages(CLIENT).len(), 1);
}

/// 2.9.2: 4.08 starts again at block 0, a bounded number of times.
#[test]
fn an_upload_that_the_server_lost() {
    for losses in [1, 100] {
        let (inbox, body) = (SharedInbox::default(), image(1000));
        let mut take = taking(inbox.clone());
        let mut left = losses;
        let mut pair = Pair::new(move |server, now, event| match event {
            Event::BlockReceived {
                exchange,
                offset: 512,
                ..
            } if left > 0 => {
                left -= 1;
                let lost = Response::new(Code::REQUEST_ENTITY_INCOMPLETE);
                server.respond(now, exchange, lost).unwrap();
            }
            event => take(server, now, event),
        });
        pair.request(upload(body.clone()));
        pair.drive();
        let progress: Vec<_> = pair
            .told
            .iter()
            .filter(|e| matches!(e, Event::Progress { sent: 0, .. }))
            .collect();
        if losses == 1 {
            assert_eq!(inbox.borrow().complete, [body.to_vec()]);
            assert_eq!(progress.len(), 1);
        } else {
            assert_eq!(pair.response().code, Code::REQUEST_ENTITY_INCOMPLETE);
            assert_eq!(progress.len(), 3);
        }
    }
}

/// 2.4: the server reduces the size, at the start or in the middle.
#[test]
fn a_download_goes_on_in_smaller_blocks() {
    let body = image(5000);
    for smaller_from in [0, 2, 4] {
        let (whole, mut count) = (body.clone(), 0);
        let mut pair = Pair::new(serving(Bytes::new()));
        let server = move |server: &mut Endpoint<u8>, now: Duration, event: Event<u8>| {
            if let Event::Request {
                exchange, message, ..
            } = event
            {
                let asked = message.options.block(number::BLOCK2).unwrap();
                let mut response = Response::new(Code::CONTENT);
                let size = if count < smaller_from {
                    asked.size
                } else {
                    asked.size.min(small())
                };
                count += 1;
                let (start, end) = (asked.offset(), 5000.min(asked.offset() + size.bytes()));
                let block = crate::coap::Block::at(start, end < 5000, size).unwrap();
                response.options.push_block(number::BLOCK2, block);
                response.body = Body::Whole(whole.slice(start..end));
                server.respond(now, exchange, response).unwrap();
            }
        };
        pair.application = Box::new(unblocked(server));
        pair.request(Request::get("/fw").in_blocks(BlockSize::MAX));
        pair.drive();
        assert_eq!(
            pair.body_of_blocks(),
            body,
            "{smaller_from} {:?}",
            pair.failure()
        );
    }
}

/// Lets a test write Block2 itself: the endpoint's own is left out by asking for nothing.
fn unblocked(
    mut server: impl FnMut(&mut Endpoint<u8>, Duration, Event<u8>),
) -> impl FnMut(&mut Endpoint<u8>, Duration, Event<u8>) {
    move |endpoint, now, event| {
        if let Event::Request { exchange, .. } = &event {
            endpoint.ignore_block2(*exchange);
        }
        server(endpoint, now, event);
    }
}

/// A server that answers another block than was asked for is asked again, then given up.
#[test]
fn a_download_of_wrong_blocks() {
    let mut pair = Pair::new(unblocked(|server: &mut Endpoint<u8>, now, event| {
        if let Event::Request { exchange, .. } = event {
            let mut response = Response::with(Code::CONTENT, vec![0; 64]);
            response.options.push_uint(number::BLOCK2, 0x0a);
            server.respond(now, exchange, response).unwrap();
        }
    }));
    pair.request(Request::get("/fw").in_blocks(small()));
    pair.drive();
    assert_eq!(pair.failure(), Some(Failure::Blocks));
    assert_eq!(pair.messages(CLIENT).len(), 2 + 3);
}

/// 2.4: another ETag is another body: the download starts again, and never mixes the two.
#[test]
fn a_body_that_changes_under_a_download() {
    for changes in [1, 100] {
        let count = Rc::new(Cell::new(0));
        let counted = count.clone();
        let mut pair = Pair::new(move |server, now, event| {
            if let Event::Request {
                exchange, message, ..
            } = event
            {
                let number = message
                    .options
                    .block(number::BLOCK2)
                    .map_or(0, |block| block.number);
                if number == 3 && counted.get() < changes {
                    counted.set(counted.get() + 1);
                }
                let body = Bytes::from(vec![counted.get() as u8; 500]);
                let response = Response::with(Code::CONTENT, body).etag(&[counted.get() as u8]);
                server.respond(now, exchange, response).unwrap();
            }
        });
        pair.request(Request::get("/fw").in_blocks(small()));
        pair.drive();
        if changes == 1 {
            assert_eq!(pair.body_of_blocks(), vec![1; 500]);
        } else {
            assert_eq!(pair.failure(), Some(Failure::Changing));
        }
    }
}

/// A download goes on at its block, once; with another ETag it starts again.
#[test]
fn a_download_that_was_cut() {
    let body = image(1000);
    for (etag, restarted) in [
        (Some(b"v1".to_vec()), false),
        (None, false),
        (Some(b"v0".to_vec()), true),
    ] {
        let mut pair = Pair::new(serving(body.clone()));
        let resume = Some(Resume { offset: 700, etag });
        pair.request(Request {
            resume,
            ..Request::get("/fw").in_blocks(small())
        });
        pair.drive();
        let blocks = pair
            .told
            .iter()
            .filter(|e| matches!(e, Event::Block { .. }))
            .count();
        assert_eq!(
            pair.told
                .iter()
                .any(|e| matches!(e, Event::Restarted { .. })),
            restarted
        );
        assert_eq!(blocks, if restarted { 16 } else { 16 - 10 });
        if let Some(Event::Block { offset, total, .. }) = pair.told.last() {
            assert_eq!(*offset, 960);
            assert!(!restarted || *total == Some(1000));
        }
    }
}

/// A body above the limit is given up, at the latest when it is passed.
#[test]
fn a_download_that_is_too_long() {
    let mut pair = Pair::new(serving(image(5000)));
    let delivery = Delivery::Whole { limit: 2000 };
    pair.request(Request {
        delivery,
        ..Request::get("/fw")
    });
    pair.drive();
    assert_eq!(pair.failure(), Some(Failure::TooLong));
    assert_eq!(pair.messages(CLIENT).len(), 1, "Size2 told it");
}

/// 2.7, 3.3: a body up, a body down, in one request.
#[test]
fn a_body_each_way() {
    let (up, down) = (image(300), image(700));
    let (whole, inbox) = (down.clone(), SharedInbox::default());
    let got = inbox.clone();
    let mut pair = Pair::new(move |server, now, event| match event {
        Event::BlockReceived {
            exchange,
            message,
            more,
            ..
        } => {
            got.borrow_mut().growing.extend_from_slice(&message.payload);
            let last = Response::with(Code::CHANGED, whole.clone());
            let response = if more {
                Response::new(Code::CONTINUE)
            } else {
                last
            };
            server.respond(now, exchange, response).unwrap();
        }
        Event::Request {
            exchange, message, ..
        } => {
            assert!(message.payload.is_empty());
            server
                .respond(now, exchange, Response::with(Code::CHANGED, whole.clone()))
                .unwrap();
        }
        _ => {}
    });
    pair.server = Endpoint::new(
        Config {
            block_size: small(),
            ..Config::default()
        },
        random(3),
    );
    pair.request(Request {
        block_size: Some(small()),
        ..Request::post("/soap", up.clone())
    });
    pair.drive();
    assert_eq!(inbox.borrow().growing, up);
    assert_eq!(pair.response().payload, down);
}

/// While a body is uploaded with NSTART 1 no other request comes between its blocks, but answers
/// do; a download lets requests pass.
#[test]
fn whose_turn_it_is() {
    let mut pair = Pair::new(taking(SharedInbox::default()));
    pair.request(upload(image(640)));
    pair.request(Request::get("/5/0/3"));
    pair.drive();
    let paths: Vec<_> = pair
        .messages(CLIENT)
        .iter()
        .map(|m| m.options.path())
        .collect();
    assert_eq!(paths.iter().position(|path| path == "/5/0/3"), Some(10));

    let mut pair = Pair::new(serving(image(640)));
    pair.request(Request::get("/fw").in_blocks(small()));
    pair.request(Request::get("/rd/1"));
    pair.drive();
    let paths: Vec<_> = pair
        .messages(CLIENT)
        .iter()
        .map(|m| m.options.path())
        .collect();
    assert_eq!(paths.iter().position(|path| path == "/rd/1"), Some(1));
}

/// Each block has a token and an id of its own.
#[test]
fn tokens_are_not_used_twice() {
    let mut pair = Pair::new(serving(image(6400)));
    pair.request(Request::get("/fw").in_blocks(small()));
    pair.drive();
    let mut tokens: Vec<_> = pair
        .messages(CLIENT)
        .iter()
        .map(|m| m.token.as_bytes().to_vec())
        .collect();
    assert_eq!(tokens.len(), 100);
    tokens.sort();
    tokens.dedup();
    assert_eq!(tokens.len(), 100);
}
