//! RFC 7252 4 and 5.2: retransmission, acknowledgement, duplicates, resets, NSTART.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::rig::*;
use crate::coap::TransmissionParameters;
use crate::coap::endpoint::*;
use crate::coap::message::{Code, Kind, Message, Token, number};
use bytes::Bytes;
use std::time::Duration;

fn ok() -> impl FnMut(&mut Endpoint<u8>, Duration, Event<u8>) {
    serving(Bytes::from_static(b"22.3 C"))
}

/// Answers after the given time, through a list of what is owed.
type Owed = Rc<RefCell<Vec<ExchangeId>>>;

fn owing(owed: &Owed) -> impl FnMut(&mut Endpoint<u8>, Duration, Event<u8>) + use<> {
    let owed = owed.clone();
    move |_, _, event| {
        if let Event::Request { exchange, .. } = event {
            owed.borrow_mut().push(exchange);
        }
    }
}

/// 5.2.1: the answer is in the acknowledgement, with the request's id and token.
#[test]
fn a_piggybacked_response() {
    let mut pair = Pair::new(ok());
    pair.request(Request::get("/temperature"));
    pair.drive();
    let (request, response) = (pair.log[0].message(), pair.log[1].message());
    assert_eq!(pair.log.len(), 2);
    assert_eq!(response.kind, Kind::Acknowledgement);
    assert_eq!((response.id, response.token), (request.id, request.token));
    assert_eq!(&pair.response().payload[..], b"22.3 C");
}

/// 4.2: the first wait lies between ACK_TIMEOUT and ACK_TIMEOUT * ACK_RANDOM_FACTOR and doubles
/// four times; then the sender gives up. 4.8.2: that is within MAX_TRANSMIT_WAIT.
#[test]
fn the_times_of_retransmissions() {
    for (seed, ack_timeout) in (0..50).map(|seed| (seed, 2)).chain([(1, 5), (2, 15)]) {
        let parameters = TransmissionParameters::with_ack_timeout(seconds(ack_timeout));
        let wait = parameters.max_transmit_wait();
        let config = Config {
            parameters,
            ..Config::default()
        };
        let mut pair = Pair::with(config, Config::default(), seed, ok());
        pair.network = Box::new(|_, _| vec![]);
        pair.request(Request::get("/"));
        pair.settle();
        let mut gave_up = Duration::ZERO;
        while pair.failure().is_none() {
            pair.time = pair.client.poll_timeout().unwrap();
            pair.client.handle_timeout(pair.time);
            pair.settle();
            gave_up = pair.time;
        }
        let at: Vec<Duration> = pair.log.iter().map(|sent| sent.at).collect();
        let first = at[1];
        assert!(first >= seconds(ack_timeout) && first <= seconds(ack_timeout) * 3 / 2);
        assert_eq!(
            at,
            [Duration::ZERO, first, first * 3, first * 7, first * 15]
        );
        assert_eq!(gave_up, first * 31);
        assert!(gave_up <= wait);
        assert!(pair.log.iter().all(|sent| sent.bytes == pair.log[0].bytes));
        assert_eq!(pair.failure(), Some(Failure::Unacknowledged));
    }
}

/// 4.8: parameters of one peer alone.
#[test]
fn a_peer_has_parameters_of_its_own() {
    let mut pair = Pair::new(ok());
    let slow = TransmissionParameters {
        max_retransmit: 1,
        ..TransmissionParameters::with_ack_timeout(seconds(10))
    };
    pair.client.set_parameters(SERVER, slow).unwrap();
    pair.network = Box::new(|_, _| vec![]);
    pair.request(Request::get("/"));
    pair.drive();
    assert_eq!(pair.log.len(), 2);
    assert!(pair.log[1].at >= seconds(10) && pair.log[1].at <= seconds(15));
    assert_eq!(pair.client.peers(), 1);
    pair.client.forget(&SERVER);
    assert_eq!(pair.client.peers(), 0);
}

/// 4.5: a duplicate is answered by the same bytes and not processed, for EXCHANGE_LIFETIME.
#[test]
fn a_duplicate_of_a_confirmable_request() {
    let count = Rc::new(Cell::new(0));
    let counted = count.clone();
    let mut pair = Pair::new(move |server, now, event| {
        if let Event::Request { exchange, .. } = event {
            counted.set(counted.get() + 1);
            let body = format!("{}", counted.get());
            server
                .respond(now, exchange, Response::with(Code::CHANGED, body))
                .unwrap();
        }
    });
    let execute = datagram(Kind::Confirmable, Code::POST, 77, "/5/0/2").to_bytes();
    pair.network = Box::new(|_, _| vec![]);
    for at in [0, 1, 100, 246] {
        pair.time = seconds(at);
        pair.server.handle_datagram(pair.time, CLIENT, &execute);
        pair.settle();
    }
    assert_eq!(count.get(), 1);
    assert_eq!(pair.log.len(), 4);
    assert!(pair.log.iter().all(|sent| sent.bytes == pair.log[0].bytes));
    assert_eq!(pair.server.statistics().duplicates, 3);
    // 4.8.2: after 247 s the id is free, and this is a new message.
    pair.time = seconds(247);
    pair.server.handle_datagram(pair.time, CLIENT, &execute);
    pair.settle();
    assert_eq!(count.get(), 2);
}

/// 4.5: a duplicate NON is ignored, for NON_LIFETIME (145 s).
#[test]
fn a_duplicate_of_a_non_confirmable_request() {
    let mut pair = Pair::new(ok());
    let get = datagram(Kind::NonConfirmable, Code::POST, 77, "/a").to_bytes();
    pair.network = Box::new(|_, _| vec![]);
    for (at, answers) in [(0, 1), (144, 1), (145, 2)] {
        pair.time = seconds(at);
        pair.server.handle_datagram(pair.time, CLIENT, &get);
        pair.settle();
        assert_eq!(pair.log.len(), answers);
    }
    // 5.2.3: answered by NON, with an id of the server's own.
    let answer = pair.log[0].message();
    assert_eq!(answer.kind, Kind::NonConfirmable);
}

/// 5.2.2: a late answer is acknowledged at once and follows in a confirmable message of its own;
/// a duplicate of the request gets the empty acknowledgement again.
#[test]
fn a_separate_response() {
    let owed = Owed::default();
    let mut pair = Pair::new(owing(&owed));
    pair.request(Request::get("/slow"));
    pair.drive_for(seconds(30));
    let ack = pair.log[1].message();
    assert_eq!((ack.kind, ack.code), (Kind::Acknowledgement, Code::EMPTY));
    assert_eq!(pair.log[1].at, LATENCY + seconds(1));
    assert_eq!(pair.log.len(), 2);
    let request = pair.log[0].bytes.clone();
    pair.inject(SERVER, &request);
    pair.drive_for(seconds(1));
    assert_eq!(pair.log[2].bytes, pair.log[1].bytes);

    let exchange = owed.borrow_mut().pop().unwrap();
    let told = Rc::new(RefCell::new(Vec::new()));
    let heard = told.clone();
    pair.application = Box::new(move |_, _, event| heard.borrow_mut().push(event));
    pair.server
        .respond(
            pair.time,
            exchange,
            Response::with(Code::CONTENT, "at last"),
        )
        .unwrap();
    pair.drive();
    let (response, last) = (pair.log[3].message(), pair.log[4].message());
    assert_eq!(
        (response.kind, response.code),
        (Kind::Confirmable, Code::CONTENT)
    );
    assert_eq!(response.token, pair.log[0].message().token);
    assert_ne!(response.id, ack.id);
    assert_eq!(
        (last.kind, last.code, last.id),
        (Kind::Acknowledgement, Code::EMPTY, response.id)
    );
    assert_eq!(&pair.response().payload[..], b"at last");
    assert_eq!(
        told.borrow()[..],
        [Event::Delivered {
            exchange,
            arrived: true
        }]
    );
}

/// 5.2.2: the response may overtake the acknowledgement, or arrive without it: it counts as one.
#[test]
fn a_response_is_an_implicit_acknowledgement() {
    let owed = Owed::default();
    let mut pair = Pair::new(owing(&owed));
    pair.network = Box::new(|_, sent| {
        let lost = sent.from == SERVER && sent.message().code == Code::EMPTY;
        if lost { vec![] } else { vec![LATENCY] }
    });
    pair.request(Request::get("/slow"));
    pair.drive_for(seconds(1) + 2 * LATENCY);
    let exchange = owed.borrow_mut().pop().unwrap();
    pair.server
        .respond(pair.time, exchange, Response::new(Code::CONTENT))
        .unwrap();
    pair.drive();
    assert_eq!(pair.response().code, Code::CONTENT);
    assert_eq!(pair.client.statistics().retransmitted, 0);
}

/// 4.5: the acknowledgement of a separate response is lost; its duplicate is acknowledged by the
/// same bytes and told once.
#[test]
fn a_duplicate_of_a_separate_response() {
    let owed = Owed::default();
    let mut pair = Pair::new(owing(&owed));
    pair.request(Request::get("/slow"));
    pair.drive_for(seconds(2));
    let mut lost = 0;
    pair.network = Box::new(move |_, sent| {
        lost += usize::from(sent.from == CLIENT);
        if sent.from == CLIENT && lost <= 2 {
            vec![]
        } else {
            vec![LATENCY]
        }
    });
    let exchange = owed.borrow_mut().pop().unwrap();
    pair.server
        .respond(pair.time, exchange, Response::new(Code::CONTENT))
        .unwrap();
    pair.drive();
    assert_eq!(pair.response().code, Code::CONTENT);
    let acks: Vec<_> = pair
        .log
        .iter()
        .filter(|s| s.from == CLIENT)
        .skip(1)
        .collect();
    assert_eq!(acks.len(), 3);
    assert!(acks.iter().all(|ack| ack.bytes == acks[0].bytes));
}

/// 4.2: a confirmable response that nobody waits for is rejected; so is its duplicate.
#[test]
fn an_unexpected_response() {
    let mut pair = Pair::new(ok());
    pair.network = Box::new(|_, _| vec![]);
    let mut stray = Message::new(Kind::Confirmable, Code::CONTENT, 9);
    stray.token = Token::new(b"??").unwrap();
    for _ in 0..2 {
        pair.client
            .handle_datagram(pair.time, SERVER, &stray.to_bytes());
    }
    stray.kind = Kind::NonConfirmable;
    pair.client
        .handle_datagram(pair.time, SERVER, &stray.to_bytes());
    stray.kind = Kind::Acknowledgement;
    pair.client
        .handle_datagram(pair.time, SERVER, &stray.to_bytes());
    pair.settle();
    assert_eq!(pair.log.len(), 2);
    assert_eq!(&pair.log[0].bytes[..], b"\x70\x00\x00\x09");
    assert_eq!(pair.client.peers(), 0);
}

/// 5.3.2: the token of a piggybacked response must match, not only its id.
#[test]
fn a_response_with_another_token() {
    let mut pair = Pair::new(ok());
    pair.network = Box::new(|_, _| vec![]);
    pair.request(Request::get("/"));
    pair.settle();
    let mut forged = Message::new(
        Kind::Acknowledgement,
        Code::CONTENT,
        pair.log[0].message().id,
    );
    forged.token = Token::new(b"no").unwrap();
    pair.client
        .handle_datagram(pair.time, SERVER, &forged.to_bytes());
    pair.settle();
    assert!(pair.told.is_empty());
}

/// 4.2: a Reset ends the request at once.
#[test]
fn a_reset_request() {
    for confirmable in [true, false] {
        let mut pair = Pair::new(|server, _, event| {
            if let Event::Request { exchange, .. } = event {
                server.reset(exchange).unwrap();
            }
        });
        pair.request(Request {
            confirmable,
            ..Request::get("/")
        });
        pair.drive_for(seconds(1));
        assert_eq!(pair.failure(), Some(Failure::Reset));
        assert_eq!(pair.log[1].message().kind, Kind::Reset);
    }
}

/// 4.3: an empty confirmable message is answered by Reset; other empty ones are ignored.
#[test]
fn a_ping() {
    let mut pair = Pair::new(ok());
    let ping = pair.client.ping(pair.time, SERVER).unwrap();
    pair.drive();
    assert_eq!(pair.told, [Event::Pong { ping, alive: true }]);
    assert_eq!(pair.log[0].bytes.len(), 4);
    assert_eq!(pair.log[1].message().kind, Kind::Reset);
    pair.inject(SERVER, b"\x50\x00\x00\x01");
    pair.drive();
    assert_eq!(pair.log.len(), 2);
    pair.network = Box::new(|_, _| vec![]);
    let ping = pair.client.ping(pair.time, SERVER).unwrap();
    pair.drive();
    assert_eq!(pair.told[1], Event::Pong { ping, alive: false });
}

/// 4.2: what cannot be read is rejected if it is confirmable; another version never (3).
#[test]
fn malformed_datagrams() {
    let mut pair = Pair::new(ok());
    pair.inject(SERVER, b"\x49\x01\x12\x34123456789");
    pair.inject(SERVER, b"\x80\x01\x12\x34");
    pair.inject(SERVER, b"\x50\x01\x12\x34\xff");
    pair.inject(SERVER, b"\x40");
    pair.drive();
    assert_eq!(pair.log.len(), 1);
    assert_eq!(&pair.log[0].bytes[..], b"\x70\x00\x12\x34");
    assert_eq!(pair.server.statistics().malformed, 4);
    assert_eq!(pair.server.peers(), 0);
}

/// 5.4.1: 4.02 for a confirmable request with an unknown critical option, a Reset for a NON one;
/// elective ones are ignored. 5.4.5: a second Accept counts as unknown.
#[test]
fn unknown_options_in_a_request() {
    for (option, times, code) in [
        (65_001, 1, Code::BAD_OPTION),
        (9, 1, Code::BAD_OPTION),
        (number::ACCEPT, 2, Code::BAD_OPTION),
        (65_000, 1, Code::CONTENT),
        (number::PROXY_URI, 1, Code::PROXYING_NOT_SUPPORTED),
    ] {
        let mut pair = Pair::new(ok());
        let mut request = Request::get("/");
        for _ in 0..times {
            request.options.push(option, b"x");
        }
        pair.request(request.clone());
        pair.drive();
        assert_eq!(pair.response().code, code, "{option}");
        if code == Code::BAD_OPTION {
            let mut pair = Pair::new(ok());
            pair.request(Request {
                confirmable: false,
                ..request
            });
            pair.drive();
            assert_eq!(pair.failure(), Some(Failure::Reset));
        }
    }
}

/// 5.4.1: an unknown critical option makes a response to be rejected, a separate one by Reset.
#[test]
fn unknown_options_in_a_response() {
    for separate in [false, true] {
        let mut pair = Pair::new(move |server, now, event| {
            if let Event::Request { exchange, .. } = event {
                if separate {
                    server.acknowledge(exchange).unwrap();
                }
                let mut response = Response::new(Code::CONTENT);
                response.options.push(65_001, b"");
                server.respond(now, exchange, response).unwrap();
            }
        });
        pair.request(Request::get("/"));
        pair.drive();
        assert_eq!(pair.failure(), Some(Failure::CriticalOption(65_001)));
        let rejected = pair.messages(CLIENT).iter().any(|m| m.kind == Kind::Reset);
        assert_eq!(rejected, separate);
    }
}

/// 4.7: one outstanding interaction, the others in their order behind it; NON requests count too.
#[test]
fn nstart() {
    for (nstart, confirmable) in [(1, true), (1, false), (2, true)] {
        let parameters = TransmissionParameters {
            nstart,
            ..Default::default()
        };
        let config = Config {
            parameters,
            ..Config::default()
        };
        let mut pair = Pair::with(config, Config::default(), 1, ok());
        for n in 0..6 {
            pair.request(Request {
                confirmable,
                ..Request::get(&format!("/{n}"))
            });
        }
        pair.drive();
        let mut outstanding = 0;
        for sent in &pair.log {
            outstanding = if sent.from == CLIENT {
                outstanding + 1
            } else {
                outstanding - 1
            };
            assert!(outstanding <= nstart);
        }
        let asked: Vec<_> = pair
            .messages(CLIENT)
            .iter()
            .map(|m| m.options.path())
            .collect();
        assert_eq!(asked, ["/0", "/1", "/2", "/3", "/4", "/5"]);
        assert_eq!(pair.told.len(), 6);
    }
}

/// Bounds: what does not fit is refused, and nothing hangs.
#[test]
fn the_queue_is_bounded() {
    let mut pair = Pair::new(ok());
    for _ in 0..crate::coap::limits::REQUESTS_PER_PEER {
        pair.request(Request::get("/"));
    }
    let refused = pair.client.request(pair.time, SERVER, Request::get("/"));
    assert_eq!(refused, Err(Refused::Requests));
    pair.drive();
    assert_eq!(pair.told.len(), crate::coap::limits::REQUESTS_PER_PEER);
}

/// 4.4: ids count up and wrap around.
#[test]
fn message_ids_wrap_around() {
    let mut pair = Pair::new(ok());
    let mut ids = Vec::new();
    for _ in 0..65_540u32 {
        pair.request(Request::get("/"));
        pair.drive_for(2 * LATENCY);
        ids.push(pair.log[0].message().id);
        pair.log.clear();
        assert_eq!(pair.told.len(), 1);
        pair.told.clear();
    }
    assert!(
        ids.windows(2)
            .all(|pair| pair[1] == pair[0].wrapping_add(1))
    );
    assert!(ids.windows(2).any(|pair| pair == [65_535, 0]));
}

/// An acknowledged request waits as long as it was told to, an unacknowledged one does not.
#[test]
fn patience() {
    let mut pair = Pair::new(|server, _, event| {
        if let Event::Request { exchange, .. } = event {
            server.acknowledge(exchange).unwrap();
        }
    });
    pair.request(Request {
        patience: Some(seconds(600)),
        ..Request::get("/erase")
    });
    pair.drive_for(seconds(599));
    assert!(pair.told.is_empty());
    pair.drive_for(seconds(2));
    assert_eq!(pair.failure(), Some(Failure::Unanswered));
    pair.told.clear();
    pair.network = Box::new(|_, _| vec![]);
    pair.request(Request {
        confirmable: false,
        ..Request::get("/")
    });
    pair.drive_for(seconds(94));
    assert_eq!(pair.failure(), Some(Failure::Unanswered));
}

/// A cancelled request leaves nothing, and its late answer reaches nobody.
#[test]
fn cancelled() {
    let mut pair = Pair::new(ok());
    let (first, second) = (
        pair.request(Request::get("/1")),
        pair.request(Request::get("/2")),
    );
    pair.client.cancel(pair.time, second);
    pair.client.cancel(pair.time, first);
    pair.request(Request::get("/3"));
    pair.drive();
    let asked: Vec<_> = pair
        .messages(CLIENT)
        .iter()
        .map(|m| m.options.path())
        .collect();
    assert_eq!(asked, ["/1", "/3"]);
    assert_eq!(pair.told.len(), 1);
}

/// Nothing of a peer stays longer than its message ids must be remembered.
#[test]
fn peers_are_forgotten() {
    let mut pair = Pair::new(ok());
    pair.request(Request::get("/"));
    pair.drive();
    assert_eq!((pair.client.peers(), pair.server.peers()), (0, 0));
    assert_eq!(pair.time, seconds(247) + LATENCY);
    assert_eq!(pair.client.poll_timeout(), None);
}

/// 4.5: the server takes the first request of a client that restarted for one that it had, because
/// both have the same id by chance. The client notices by the token, and takes another id.
#[test]
fn an_id_that_a_former_life_used() {
    let inbox = SharedInbox::default();
    let mut pair = Pair::new(taking(inbox.clone()));
    pair.request(Request::put("/5/0/1", "a"));
    pair.drive_for(seconds(1));
    let used = pair.log[0].message().id;
    pair.client = Endpoint::new(Config::default(), random(77));
    pair.told.clear();
    let place = pair.client.place_of(SERVER).unwrap();
    pair.client.with(place, |peer, _| peer.next_id = used);
    pair.request(Request::put("/5/0/1", "b"));
    pair.drive_for(seconds(1));
    assert_eq!(pair.response().code, Code::CHANGED);
    assert_eq!(inbox.borrow().complete, [b"a", b"b"]);
    let ids: Vec<u16> = pair.messages(CLIENT).iter().map(|it| it.id).collect();
    assert_eq!((ids.len(), ids[1]), (3, used));
    assert_ne!(ids[2], used);
}
