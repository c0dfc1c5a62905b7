//! The handshake: complete, lossy, refused, the same for the same seed.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use fotalab_wire::{
    dtls::{ClientEvent, Failure, PskOptions, ServerEvent, ServerOptions, limits},
    net::LossyOptions,
};
use proptest::prelude::*;

use crate::rig::{IDENTITY, KEY, Rig, device, seeded};

const LONG: Duration = Duration::from_secs(60);

#[test]
fn both_ends_agree_and_talk() {
    let mut rig = Rig::new();
    rig.connect(device(1), IDENTITY, KEY);
    rig.drive(Duration::from_secs(1));
    assert_eq!(rig.client_events, [(device(1), ClientEvent::Established)]);
    assert_eq!(
        rig.server_events,
        [ServerEvent::Established {
            peer: device(1),
            identity: IDENTITY.into(),
            replaced: false
        }]
    );
    // 1 ClientHello, 2 HelloVerifyRequest, 3 ClientHello, 4 to HelloDone, 5 to Finished, 6 Finished.
    assert_eq!(rig.sent.len(), 6);
    rig.server_events.clear();
    rig.say(device(1), b"ping");
    let now = rig.now;
    rig.server.send(now, device(1), b"pong").expect("a session");
    rig.drive(Duration::from_secs(1));
    assert_eq!(rig.heard(), [&b"ping"[..]]);
    assert_eq!(
        rig.client_events.last(),
        Some(&(device(1), ClientEvent::Data("pong".into())))
    );
    let overhead = rig.sent.last().expect("a record").bytes.len() - 4;
    assert_eq!(overhead, limits::RECORD_OVERHEAD_BYTES);
}

#[test]
fn every_single_lost_datagram_is_made_good() {
    for mtu in [limits::MTU_BYTES, 128] {
        let options = || PskOptions { mtu, ..seeded(7) };
        let run = |lost: Option<usize>| {
            let server = ServerOptions {
                psk: options(),
                ..ServerOptions::default()
            };
            let mut rig = Rig::with(server, LossyOptions::default(), 0);
            rig.tamper = Box::new(move |nth, _| lost != Some(nth));
            rig.connect(device(1), IDENTITY, KEY);
            rig.drive(Duration::from_secs(30));
            // What the client says over the new session also tells the server that flight 6 came.
            if rig.client(device(1)).is_established() {
                rig.say(device(1), b"up");
            }
            rig.drive(Duration::from_secs(5));
            rig
        };
        // All but the last one, which is what the client says afterwards.
        let flawless = run(None).sent.len() - 1;
        for lost in 0..flawless {
            let mut rig = run(Some(lost));
            assert!(
                rig.server.is_established(device(1)),
                "mtu {mtu}, datagram {lost} of {flawless} lost: {:?}",
                rig.client_events
            );
            assert_eq!(rig.heard(), [&b"up"[..]], "datagram {lost} lost");
            assert!(rig.sent.iter().all(|it| it.bytes.len() <= mtu));
        }
    }
}

#[test]
fn heavy_loss_reordering_and_duplication_end_in_a_session_or_a_timeout() {
    let mut established = 0;
    for seed in 0..200 {
        let link = LossyOptions {
            loss: 0.2,
            duplication: 0.2,
            reordering: 0.2,
            reordering_by: Duration::from_secs(3),
            delay_max: Duration::from_millis(200),
            ..LossyOptions::default()
        };
        let server = ServerOptions {
            psk: seeded(seed),
            ..ServerOptions::default()
        };
        let mut rig = Rig::with(server, link, seed);
        rig.connect(device(1), IDENTITY, KEY);
        rig.drive(LONG);
        let (_, end) = rig.client_events.first().expect("an end after a minute");
        match end {
            ClientEvent::Established => established += 1,
            ClientEvent::Failed(Failure::Timeout) => {}
            other => panic!("seed {seed}: {other:?}"),
        }
        assert_eq!(rig.server.statistics().half_open, 0, "seed {seed}");
    }
    assert!(established >= 195, "{established} of 200");
}

#[test]
fn wrong_keys_and_unknown_identities_look_the_same_to_the_peer() {
    let refused = |identity: &[u8], key: &[u8]| {
        let mut rig = Rig::new();
        rig.connect(device(1), identity, key);
        rig.drive(LONG);
        let [ServerEvent::Failed { reason, .. }] = rig.server_events[..] else {
            panic!("{:?}", rig.server_events);
        };
        let shape: Vec<_> = rig.sent.iter().map(|it| it.bytes.len()).collect();
        assert!(!rig.server.is_established(device(1)));
        (reason, rig.client_events, shape)
    };
    let wrong_key = refused(IDENTITY, b"another key.....");
    let unknown = refused(b"urn:imei:490154203237519", KEY);
    assert_eq!(wrong_key.0, Failure::WrongKey);
    assert_eq!(unknown.0, Failure::UnknownIdentity);
    let alert = [(device(1), ClientEvent::Failed(Failure::Alert(20)))];
    assert_eq!(wrong_key.1, alert);
    assert_eq!(unknown.1, alert);
    assert_eq!(
        wrong_key.2, unknown.2,
        "the same datagrams, byte for byte as long"
    );
}

#[test]
fn the_same_seed_makes_the_same_bytes() {
    let run = |seed| {
        let server = ServerOptions {
            psk: seeded(seed),
            ..ServerOptions::default()
        };
        let link = LossyOptions {
            loss: 0.1,
            duplication: 0.1,
            ..LossyOptions::default()
        };
        let mut rig = Rig::with(server, link, seed);
        for n in 1..=10 {
            rig.connect(device(n), IDENTITY, KEY);
        }
        rig.drive(LONG);
        rig.sent
    };
    let first = run(3);
    assert_eq!(first, run(3));
    assert_ne!(first, run(4));
    let randoms: BTreeSet<_> = first.iter().filter_map(|it| it.bytes.get(25..57)).collect();
    assert!(randoms.len() > 20, "each session has a random of its own");
    // dimpl puts the time into its randoms; seeded ones do not depend on today's.
    assert_eq!(first[0].bytes[27..31], 4_000_000_000_u32.to_be_bytes());
}

#[test]
fn a_key_log_names_the_session_only_when_asked() {
    let lines = Arc::new(std::sync::Mutex::new(Vec::new()));
    let to = Arc::clone(&lines);
    let server = ServerOptions {
        psk: PskOptions {
            key_log: Some(Arc::new(move |line| {
                to.lock().expect("no panic").push(line.to_owned());
            })),
            ..seeded(1)
        },
        ..ServerOptions::default()
    };
    let mut rig = Rig::with(server, LossyOptions::default(), 0);
    rig.connect(device(1), IDENTITY, KEY);
    rig.drive(LONG);
    let lines = lines.lock().expect("no panic").clone();
    let random: String = rig.sent[2].bytes[27..59]
        .iter()
        .map(|it| format!("{it:02x}"))
        .collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    let [name, logged, secret] = lines[0].split(' ').collect::<Vec<_>>()[..] else {
        panic!("{lines:?}");
    };
    assert_eq!(
        (name, logged, secret.len()),
        ("CLIENT_RANDOM", &*random, 96)
    );
}

#[test]
fn nobody_answers() {
    let mut rig = Rig::new();
    rig.tamper = Box::new(|_, _| false);
    rig.connect(device(1), IDENTITY, KEY);
    rig.drive(LONG);
    assert_eq!(
        rig.client_events,
        [(device(1), ClientEvent::Failed(Failure::Timeout))]
    );
    assert_eq!(rig.sent.len(), 1 + 5, "retransmitted, and then given up");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn any_bytes_leave_the_server_alive(
        datagrams in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 1..8),
        kind in 20_u8..24,
        epoch in 0_u8..3,
    ) {
        let mut rig = Rig::new().connected();
        for (n, mut bytes) in datagrams.into_iter().enumerate() {
            // Half of them with a header that passes for DTLS.
            if n % 2 == 0 && bytes.len() >= 13 {
                let length = u16::try_from(bytes.len() - 13).expect("short").to_be_bytes();
                bytes[..5].copy_from_slice(&[kind, 0xfe, 0xfd, 0, epoch]);
                bytes[11..13].copy_from_slice(&length);
            }
            rig.inject(device(1), &bytes);
            rig.inject(device(2), &bytes);
        }
        rig.drive(Duration::from_secs(1));
        rig.server_events.clear();
        rig.say(device(1), b"still here");
        rig.drive(Duration::from_secs(1));
        prop_assert_eq!(rig.heard(), [&b"still here"[..]]);
    }
}
