//! RFC 7641: both sides of an observation.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;

use super::rig::*;
use crate::coap::endpoint::*;
use crate::coap::message::{BlockSize, Code, Kind, Token, number};

/// The observers of a server, and what it was told.
#[derive(Clone, Default)]
struct Subject {
    observer: Rc<Cell<Option<ObserverId>>>,
    gone: Rc<RefCell<Vec<Gone>>>,
    state: Rc<RefCell<Bytes>>,
}

impl Subject {
    fn pair(&self) -> Pair {
        let subject = self.clone();
        Pair::new(move |server, now, event| match event {
            Event::Request { exchange, .. } => {
                let state = subject.state.borrow().clone();
                let response = Response::with(Code::CONTENT, state);
                let observer = server.respond_observing(now, exchange, response).unwrap();
                if observer.is_some() {
                    subject.observer.set(observer);
                }
            }
            Event::ObserverGone { reason, .. } => subject.gone.borrow_mut().push(reason),
            _ => {}
        })
    }

    fn change(
        &self,
        pair: &mut Pair,
        state: &'static str,
        confirmable: bool,
    ) -> Result<(), Refused> {
        *self.state.borrow_mut() = Bytes::from_static(state.as_bytes());
        let response = Response::with(Code::CONTENT, state);
        pair.server.notify(
            pair.time,
            self.observer.get().unwrap(),
            response,
            confirmable,
        )
    }
}

fn observed() -> (Subject, Pair, RequestId) {
    let subject = Subject::default();
    *subject.state.borrow_mut() = Bytes::from_static(b"0");
    let mut pair = subject.pair();
    let request = pair.request(Request::get("/5/0/3").observing());
    pair.drive_for(seconds(1));
    (subject, pair, request)
}

/// 1.2, Figure 2: a registration, then notifications with its token and rising numbers.
#[test]
fn notifications() {
    let (subject, mut pair, _) = observed();
    for (state, confirmable) in [("1", true), ("2", false), ("3", true)] {
        subject.change(&mut pair, state, confirmable).unwrap();
        pair.drive_for(seconds(1));
    }
    assert_eq!(pair.notifications(), ["0", "1", "2", "3"]);
    let sent = pair.messages(SERVER);
    let token = pair.log[0].message().token;
    assert!(sent.iter().all(|m| m.token == token));
    let numbers: Vec<_> = sent
        .iter()
        .filter_map(|m| m.options.uint(number::OBSERVE))
        .collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    let kinds: Vec<_> = sent.iter().map(|m| m.kind).collect();
    assert_eq!(
        kinds[1..],
        [Kind::Confirmable, Kind::NonConfirmable, Kind::Confirmable]
    );
    let acks = pair
        .messages(CLIENT)
        .iter()
        .filter(|m| m.kind == Kind::Acknowledgement)
        .count();
    assert_eq!(acks, 2);
}

/// 3.1: a response without Observe means that there is no observation.
#[test]
fn a_server_that_does_not_observe() {
    let mut pair = Pair::new(serving(Bytes::from_static(b"x")));
    pair.request(Request::get("/").observing());
    pair.drive();
    assert_eq!(&pair.response().payload[..], b"x");
}

/// 3.4: an older notification that comes later is acknowledged and not told.
#[test]
fn notifications_out_of_order() {
    let (subject, mut pair, _) = observed();
    let mut slow = true;
    pair.network = Box::new(move |_, sent| {
        let late = sent.from == SERVER && std::mem::take(&mut slow);
        vec![if late { seconds(5) } else { LATENCY }]
    });
    subject.change(&mut pair, "old", false).unwrap();
    subject.change(&mut pair, "new", false).unwrap();
    pair.drive_for(seconds(10));
    assert_eq!(pair.notifications(), ["0", "new"]);
    assert_eq!(pair.client.statistics().ignored, 1);
}

/// 4.5.2: while one is not acknowledged, the newest state goes out instead of its retransmission,
/// under a new id and within the same count.
#[test]
fn a_newer_state_replaces_a_retransmission() {
    let (subject, mut pair, _) = observed();
    pair.network = Box::new(|_, _| vec![]);
    let before = pair.log.len();
    for state in ["1", "2", "3"] {
        subject.change(&mut pair, state, true).unwrap();
    }
    pair.drive_for(seconds(100));
    let sent = pair.log[before..]
        .iter()
        .map(Sent::message)
        .collect::<Vec<_>>();
    let states: Vec<_> = sent.iter().map(|m| m.payload.clone()).collect();
    assert_eq!(states, ["1", "3", "3", "3", "3"]);
    assert_ne!(sent[0].id, sent[1].id);
    assert_eq!(sent[1].id, sent[4].id);
    assert_eq!(subject.gone.borrow()[..], [Gone::Unacknowledged]);
    assert_eq!(subject.change(&mut pair, "4", true), Err(Refused::Over));
}

/// And after the acknowledgement only the newest of what came meanwhile.
#[test]
fn states_between_are_left_out() {
    let (subject, mut pair, _) = observed();
    for state in ["1", "2", "3", "4"] {
        subject.change(&mut pair, state, true).unwrap();
    }
    pair.drive_for(seconds(1));
    assert_eq!(pair.notifications(), ["0", "1", "4"]);
}

/// 4.5: every so often a notification is confirmable, at least every 24 hours.
#[test]
fn some_notifications_are_confirmable() {
    let (subject, mut pair, _) = observed();
    for _ in 0..33 {
        subject.change(&mut pair, "x", false).unwrap();
        pair.drive_for(seconds(1));
    }
    assert_eq!(
        pair.messages(SERVER).last().unwrap().kind,
        Kind::Confirmable
    );
    pair.drive_for(seconds(24 * 60 * 60));
    subject.change(&mut pair, "y", false).unwrap();
    pair.settle();
    assert_eq!(
        pair.messages(SERVER).last().unwrap().kind,
        Kind::Confirmable
    );
}

/// 3.6: forgotten by the client: the next notification is rejected, confirmable or not, and the
/// server stops.
#[test]
fn cancelled_by_reset() {
    for confirmable in [true, false] {
        let (subject, mut pair, request) = observed();
        pair.client.cancel(pair.time, request);
        subject.change(&mut pair, "1", confirmable).unwrap();
        pair.drive_for(seconds(1));
        assert_eq!(pair.messages(CLIENT).last().unwrap().kind, Kind::Reset);
        assert_eq!(subject.gone.borrow()[..], [Gone::Rejected]);
        assert_eq!(pair.notifications(), ["0"]);
    }
}

/// 3.6: cancelled by Observe 1, which is answered like a GET.
#[test]
fn cancelled_by_deregistering() {
    let (subject, mut pair, request) = observed();
    pair.client.deregister(pair.time, request).unwrap();
    // A notification that is under way does not count as the answer.
    subject.change(&mut pair, "1", true).unwrap();
    pair.drive_for(seconds(10));
    assert_eq!(subject.gone.borrow()[..], [Gone::Deregistered]);
    let asked = pair.messages(CLIENT);
    let asked = asked.iter().rfind(|m| m.code == Code::GET).unwrap();
    assert_eq!(asked.options.uint(number::OBSERVE), Some(1));
    assert_eq!(asked.token, pair.log[0].message().token);
    assert!(!has_observe(pair.response()));
    assert_eq!(pair.notifications().len(), 1);
}

/// 4.2: a notification with an error code is the last, and has no Observe.
#[test]
fn ended_by_an_error() {
    let (subject, mut pair, _) = observed();
    let observer = subject.observer.get().unwrap();
    pair.server
        .notify(pair.time, observer, Response::new(Code::NOT_FOUND), true)
        .unwrap();
    pair.drive_for(seconds(1));
    assert_eq!(pair.response().code, Code::NOT_FOUND);
    assert!(!has_observe(pair.response()));
    assert_eq!(subject.gone.borrow()[..], [Gone::Ended]);
}

/// 3.3.1: registered again, by the application or 5 to 15 s after Max-Age; 4.1: with the same
/// token the entry stays the same.
#[test]
fn registered_again() {
    let (subject, mut pair, request) = observed();
    let observer = subject.observer.get();
    pair.client.register_again(pair.time, request);
    pair.drive_for(seconds(1));
    assert_eq!(subject.observer.get(), observer);
    assert_eq!(pair.notifications().len(), 2);

    let mut pair = subject.pair();
    let observe = Some(Observe { refresh: true });
    pair.request(Request {
        observe,
        ..Request::get("/")
    });
    pair.drive_for(seconds(60));
    assert_eq!(pair.messages(CLIENT).len(), 1);
    pair.drive_for(seconds(16));
    assert_eq!(pair.messages(CLIENT).len(), 2);
    let again = pair.log.iter().filter(|s| s.from == CLIENT).nth(1).unwrap();
    assert!(again.at >= seconds(65) && again.at <= seconds(75) + 2 * LATENCY);
    assert_eq!(again.message().token, pair.log[0].message().token);
}

/// RFC 7959 2.6: of a large notification the first block comes by itself, the rest is fetched
/// with GETs that do not observe, under other tokens.
#[test]
fn large_notifications() {
    let (subject, mut pair, _) = observed();
    let body = image(3000);
    *subject.state.borrow_mut() = body.clone();
    let response = Response::with(Code::CONTENT, body.clone());
    let observer = subject.observer.get().unwrap();
    let before = pair.log.len();
    pair.server
        .notify(pair.time, observer, response, true)
        .unwrap();
    pair.drive_for(seconds(10));
    assert_eq!(pair.notifications()[1], body);
    let asked: Vec<_> = pair.log[before..]
        .iter()
        .map(Sent::message)
        .filter(|m| m.code == Code::GET)
        .collect();
    assert_eq!(asked.len(), 2);
    assert!(
        asked
            .iter()
            .all(|m| !has_observe(m) && m.token != pair.log[0].message().token)
    );
    subject.change(&mut pair, "small", true).unwrap();
    pair.drive_for(seconds(1));
    assert_eq!(pair.notifications()[2], "small");
}

/// A newer notification while the rest of one is fetched: only the newer one is told.
#[test]
fn a_notification_while_another_is_fetched() {
    let (subject, mut pair, _) = observed();
    let observer = subject.observer.get().unwrap();
    *subject.state.borrow_mut() = image(3000);
    let response = Response::with(Code::CONTENT, image(3000)).etag(b"1");
    pair.server
        .notify(pair.time, observer, response, false)
        .unwrap();
    pair.drive_for(LATENCY + Duration::from_millis(1));
    subject.change(&mut pair, "newest", false).unwrap();
    pair.drive_for(seconds(20));
    assert_eq!(pair.notifications(), ["0", "newest"]);
}

/// X-OBS-03: the acknowledgement of a notification is lost: its duplicate is not told again.
#[test]
fn a_lost_acknowledgement() {
    let (subject, mut pair, _) = observed();
    let mut lose = true;
    pair.network = Box::new(move |_, sent| {
        let lost = sent.from == CLIENT && std::mem::take(&mut lose);
        if lost { vec![] } else { vec![LATENCY] }
    });
    subject.change(&mut pair, "1", true).unwrap();
    pair.drive_for(seconds(10));
    assert_eq!(pair.notifications(), ["0", "1"]);
    assert!(subject.gone.borrow().is_empty());
    let acks: Vec<_> = pair
        .log
        .iter()
        .filter(|s| s.from == CLIENT)
        .skip(1)
        .collect();
    assert_eq!(acks[0].bytes, acks[1].bytes);
}

/// X-OBS-02: a notification with a token that nobody has is rejected.
#[test]
fn an_unknown_token() {
    let (_, mut pair, _) = observed();
    for kind in [Kind::Confirmable, Kind::NonConfirmable] {
        let mut stray = datagram(kind, Code::CONTENT, 0x7777 + kind as u16, "");
        stray.token = Token::new(b"old").unwrap();
        stray.options.push_uint(number::OBSERVE, 9);
        pair.inject(CLIENT, &stray.to_bytes());
        pair.drive_for(seconds(1));
        let answer = pair.messages(CLIENT).pop().unwrap();
        assert_eq!((answer.kind, answer.id), (Kind::Reset, stray.id));
    }
}

/// 4.1: what does not fit on the list is answered without Observe.
#[test]
fn observers_are_bounded() {
    let subject = Subject::default();
    let mut pair = subject.pair();
    let most = crate::coap::limits::OBSERVERS_PER_PEER;
    for n in 0..most + 1 {
        pair.request(Request::get(&format!("/{n}")).observing());
    }
    pair.drive_for(seconds(60));
    assert_eq!(pair.notifications().len(), most);
    assert!(!has_observe(pair.response()));
}

/// The block size of a registration holds for its notifications.
#[test]
fn notifications_in_the_size_that_was_asked_for() {
    let subject = Subject::default();
    let mut pair = subject.pair();
    let block_size = Some(BlockSize::at_most(64));
    pair.request(Request {
        block_size,
        ..Request::get("/").observing()
    });
    pair.drive_for(seconds(1));
    *subject.state.borrow_mut() = image(200);
    let observer = subject.observer.get().unwrap();
    let response = Response::with(Code::CONTENT, image(200));
    pair.server
        .notify(pair.time, observer, response, true)
        .unwrap();
    pair.drive_for(seconds(10));
    assert_eq!(pair.notifications()[1], image(200));
    assert!(pair.messages(SERVER).iter().all(|m| m.payload.len() <= 64));
}
