//! Sessions: replaced, moved, idle, closed, replayed.

use std::time::Duration;

use fotalab_wire::{
    dtls::{ClientEvent, End, ServerEvent, ServerOptions},
    net::LossyOptions,
};

use crate::rig::{IDENTITY, KEY, Rig, device, seeded, server_address};

const SOON: Duration = Duration::from_secs(5);

#[test]
fn the_old_session_stays_until_the_new_handshake_is_complete() {
    let mut rig = Rig::new().connected();
    // A ClientHello of the same address that anybody could have sent...
    let hello = rig.sent[0].bytes.clone();
    let mut forged = hello.to_vec();
    forged[30] ^= 1;
    rig.inject(device(1), &forged);
    // ...changes nothing for the session that is there, both ways.
    rig.say(device(1), b"still here");
    let now = rig.now;
    rig.server
        .send(now, device(1), b"so am I")
        .expect("the old session");
    rig.drive(SOON);
    assert_eq!(rig.heard(), [&b"still here"[..]]);
    assert!(
        rig.client_events
            .contains(&(device(1), ClientEvent::Data("so am I".into())))
    );
    // A peer that rebooted does the whole handshake and replaces it.
    rig.server_events.clear();
    rig.connect(device(1), IDENTITY, KEY);
    rig.drive(Duration::from_millis(150));
    assert!(rig.server.is_established(device(1)), "the old one");
    assert!(rig.server_events.is_empty());
    rig.drive(SOON);
    assert_eq!(
        rig.server_events,
        [ServerEvent::Established {
            peer: device(1),
            identity: IDENTITY.into(),
            replaced: true
        }]
    );
    rig.server_events.clear();
    rig.say(device(1), b"new");
    rig.drive(SOON);
    assert_eq!(rig.heard(), [&b"new"[..]]);
    assert_eq!(rig.server.statistics().established, 1);
}

#[test]
fn a_late_duplicate_of_the_first_hello_begins_nothing() {
    let mut rig = Rig::new().connected();
    let hello = rig.sent[0].bytes.clone();
    let sent = rig.sent.len();
    // Until the client has said something over the session, its last flight may have been lost:
    // the server repeats its own, once, which is smaller than the hello.
    for _ in 0..5 {
        rig.inject(device(1), &hello);
    }
    assert_eq!(rig.server.statistics().half_open, 0);
    assert!(
        rig.sent[sent..]
            .iter()
            .all(|it| it.bytes.len() < hello.len())
    );
    assert!(rig.sent.len() <= sent + 1);
    rig.say(device(1), b"here");
    rig.drive(SOON);
    let sent = rig.sent.len();
    rig.inject(device(1), &hello);
    assert_eq!(rig.sent.len(), sent);
    assert!(rig.server.is_established(device(1)));
}

#[test]
fn a_new_address_needs_a_new_handshake() {
    let mut rig = Rig::new().connected();
    let now = rig.now;
    let outside = rig.link.rebind(now, device(1));
    rig.say(device(1), b"from elsewhere");
    rig.drive(SOON);
    assert!(rig.heard().is_empty());
    assert_eq!(rig.server.statistics().ignored, 1);
    assert!(
        rig.server.is_established(device(1)),
        "nothing is lost either"
    );
    rig.connect(device(1), IDENTITY, KEY);
    rig.drive(SOON);
    assert!(rig.server.is_established(outside));
    rig.say(device(1), b"here");
    rig.drive(SOON);
    assert_eq!(rig.heard(), [&b"here"[..]]);
}

#[test]
fn silence_ends_a_session() {
    let options = ServerOptions {
        psk: seeded(1),
        session_idle: Duration::from_secs(60),
        ..ServerOptions::default()
    };
    let mut rig = Rig::with(options, LossyOptions::default(), 0).connected();
    rig.drive(Duration::from_secs(50));
    rig.say(device(1), b"alive");
    rig.drive(Duration::from_secs(59));
    assert_eq!(rig.heard(), [&b"alive"[..]]);
    assert!(rig.server.is_established(device(1)));
    rig.drive(SOON);
    let closed = ServerEvent::Closed {
        peer: device(1),
        end: End::Idle,
    };
    assert_eq!(rig.server_events, [closed]);
    assert_eq!(
        rig.client_events,
        [(device(1), ClientEvent::Closed(End::Peer))],
        "it was told"
    );
    assert_eq!(rig.server.poll_timeout(), None);
}

#[test]
fn too_many_sessions_cost_the_longest_idle() {
    let options = ServerOptions {
        psk: seeded(1),
        sessions: 3,
        ..ServerOptions::default()
    };
    let mut rig = Rig::with(options, LossyOptions::default(), 0);
    for n in 1..=3 {
        rig.connect(device(n), IDENTITY, KEY);
        rig.drive(SOON);
    }
    rig.say(device(1), b"not me");
    rig.drive(SOON);
    rig.server_events.clear();
    rig.connect(device(4), IDENTITY, KEY);
    rig.drive(SOON);
    let evicted = ServerEvent::Closed {
        peer: device(2),
        end: End::Evicted,
    };
    assert_eq!(rig.server_events[0], evicted);
    assert_eq!(rig.server.statistics().established, 3);
    assert!(rig.server.is_established(device(1)));
}

#[test]
fn a_goodbye_is_answered() {
    let mut rig = Rig::new().connected();
    let now = rig.now;
    rig.client(device(1)).close(now);
    rig.drive(SOON);
    let closed = ServerEvent::Closed {
        peer: device(1),
        end: End::Peer,
    };
    assert_eq!(rig.server_events, [closed]);
    assert_eq!(rig.server.statistics().established, 0);
    let answer = rig.sent.last().expect("an answer");
    assert_eq!((answer.from, answer.bytes[0]), (server_address(), 21));

    let mut rig = Rig::new().connected();
    let now = rig.now;
    rig.server.close(now, device(1));
    rig.drive(SOON);
    assert_eq!(
        rig.client_events,
        [(device(1), ClientEvent::Closed(End::Peer))]
    );
    assert!(!rig.client(device(1)).is_established());
}

#[test]
fn a_server_that_forgot_ignores_until_a_handshake() {
    let mut rig = Rig::new().connected();
    rig.server.forget(device(1));
    rig.say(device(1), b"hello?");
    rig.drive(SOON);
    assert!(rig.heard().is_empty());
    rig.connect(device(1), IDENTITY, KEY);
    rig.drive(SOON);
    assert!(rig.server.is_established(device(1)));
}

#[test]
fn a_replayed_record_is_dropped() {
    let mut rig = Rig::new().connected();
    rig.say(device(1), b"once");
    rig.drive(SOON);
    let record = rig.sent.last().expect("a record").bytes.clone();
    assert_eq!(rig.heard(), [&b"once"[..]]);
    for _ in 0..3 {
        rig.inject(device(1), &record);
    }
    // All the handshake again: no flight of it brings anything.
    for datagram in rig.sent.clone() {
        if datagram.to == server_address() {
            rig.inject(device(1), &datagram.bytes);
        }
    }
    assert!(rig.heard().is_empty());
    // And to a server without that session, as after a restart.
    rig.server.forget(device(1));
    for datagram in rig.sent.clone() {
        if datagram.to == server_address() {
            rig.inject(device(1), &datagram.bytes);
        }
    }
    rig.drive(Duration::from_secs(60));
    assert!(rig.heard().is_empty());
    assert!(!rig.server.is_established(device(1)));
}
