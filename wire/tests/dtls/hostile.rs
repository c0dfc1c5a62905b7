//! Peers that mean no good.

use std::{net::SocketAddr, time::Duration};

use fotalab_wire::{
    dtls::{ClientEvent, ServerEvent, limits},
    net::LossyOptions,
};

use crate::rig::{IDENTITY, KEY, Rig, device};

#[test]
fn a_flood_of_first_hellos_is_bounded_and_spares_those_who_are_really_there() {
    let mut rig = Rig::new().connected();
    let hello = rig.sent[0].bytes.clone();
    // A bystander is in the middle of its handshake...
    rig.connect(device(2), IDENTITY, KEY);
    rig.drive(Duration::from_millis(220));
    for n in 0..10_000_u32 {
        let [_, a, b, c] = n.to_be_bytes();
        let forged: SocketAddr = ([11, a, b, c], 1).into();
        let mut bytes = hello.to_vec();
        bytes[40..44].copy_from_slice(&n.to_be_bytes());
        rig.inject(forged, &bytes);
        assert!(rig.server.statistics().half_open <= limits::HALF_OPEN_SESSIONS);
    }
    let statistics = rig.server.statistics();
    assert_eq!(statistics.half_open, limits::HALF_OPEN_SESSIONS);
    assert_eq!(
        statistics.evicted_half_open,
        10_000 + 1 - limits::HALF_OPEN_SESSIONS as u64
    );
    assert!(
        rig.sent
            .iter()
            .all(|it| it.to.port() != 1 || it.bytes.len() <= hello.len())
    );
    // ...and finishes it, as somebody else goes on with an old session.
    rig.server_events.clear();
    rig.say(device(1), b"as ever");
    rig.drive(Duration::from_secs(2));
    assert!(rig.server.is_established(device(2)));
    assert_eq!(rig.heard(), [&b"as ever"[..]]);
    // All of them are gone 40 s later, without an event.
    rig.drive(limits::HANDSHAKE_TIMEOUT);
    assert_eq!(rig.server.statistics().half_open, 0);
    assert!(rig.server_events.is_empty());
}

#[test]
fn a_forged_hello_does_not_disturb_a_handshake_of_its_address() {
    let mut rig = Rig::new();
    rig.connect(device(1), IDENTITY, KEY);
    rig.drive(Duration::from_millis(220));
    let mut forged = rig.sent[0].bytes.to_vec();
    forged[40] ^= 1;
    rig.inject(device(1), &forged);
    rig.drive(Duration::from_secs(1));
    assert!(rig.server.is_established(device(1)));
}

#[test]
fn an_address_that_may_be_forged_gets_no_more_than_it_asked_for() {
    let mut rig = Rig::new().connected();
    let mut hello = rig.sent[0].bytes.to_vec();
    hello[40] ^= 1;
    let to = |rig: &Rig, peer: SocketAddr| -> usize {
        let datagrams = rig.sent.iter().filter(|it| it.to == peer);
        datagrams.map(|it| it.bytes.len()).sum()
    };
    let forged = device(9);
    for asked in 1..=3 {
        rig.inject(forged, &hello);
        // Time enough for every retransmission there could be (RFC 6347, 4.2.4).
        rig.drive(Duration::from_secs(30));
        let got = to(&rig, forged);
        assert!(got > 0, "HelloVerifyRequest");
        assert!(got <= asked * hello.len(), "{asked} asked, {got} bytes got");
    }
}

#[test]
fn damaged_records_are_ignored() {
    let mut rig = Rig::new().connected();
    rig.say(device(1), b"whole");
    rig.drive(Duration::from_secs(1));
    rig.server_events.clear();
    let record = rig.sent.last().expect("a record").bytes.clone();
    for at in 0..record.len() {
        for bit in 0..8 {
            let mut damaged = record.to_vec();
            damaged[at] ^= 1 << bit;
            rig.inject(device(1), &damaged);
        }
    }
    assert!(rig.server_events.is_empty(), "{:?}", rig.server_events);
    rig.say(device(1), b"and on");
    rig.drive(Duration::from_secs(1));
    assert_eq!(rig.heard(), [&b"and on"[..]]);
}

#[test]
fn corruption_during_the_handshake_never_makes_a_wrong_session() {
    let mut established = 0;
    for seed in 0..200 {
        let link = LossyOptions {
            corruption: 0.1,
            ..LossyOptions::default()
        };
        let mut rig = Rig::with(Default::default(), link, seed);
        // A device begins again when a handshake failed, as ours does.
        for _ in 0..5 {
            rig.connect(device(1), IDENTITY, KEY);
            rig.drive(Duration::from_secs(60));
            if rig.client(device(1)).is_established() {
                break;
            }
        }
        let up = matches!(
            rig.client_events.last(),
            Some((_, ClientEvent::Established))
        );
        established += u32::from(up);
        for event in &rig.server_events {
            if let ServerEvent::Established { identity, .. } = event {
                assert_eq!(identity, IDENTITY);
            }
        }
    }
    assert!(established >= 190, "{established} of 200");
}

#[test]
fn alerts_in_the_clear_do_not_end_a_session() {
    let mut rig = Rig::new().connected();
    for description in [0, 20, 40, 80] {
        for level in [1, 2] {
            let alert = [
                21,
                0xfe,
                0xfd,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                9,
                0,
                2,
                level,
                description,
            ];
            rig.inject(device(1), &alert);
        }
    }
    assert!(rig.server.is_established(device(1)));
    assert!(rig.server_events.is_empty());
}
