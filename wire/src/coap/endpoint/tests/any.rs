//! Whatever the network does, a body arrives whole or its sender is told that it did not.

use std::time::Duration;

use proptest::prelude::*;

use super::rig::*;
use crate::coap::TransmissionParameters;
use crate::coap::endpoint::*;
use crate::coap::message::{BlockSize, Code};

/// Loses, doubles and delays by chance.
fn weather(seed: u64, loss: f64, twice: f64, delay_ms: u64) -> impl FnMut(usize, &Sent) -> Fate {
    let mut random = random(seed);
    move |_, _| {
        let copies = 1 + usize::from(random.random_bool(twice));
        let mut fate = Vec::new();
        for _ in 0..copies {
            if !random.random_bool(loss) {
                fate.push(Duration::from_millis(random.random_range(1..=delay_ms)));
            }
        }
        fate
    }
}

/// Blocks and restarts that a transfer can need, each of them MAX_TRANSMIT_WAIT at most.
fn bound(length: usize, size: BlockSize) -> Duration {
    let exchanges = (length / size.bytes() + 2) as u32 * 5;
    TransmissionParameters::default().max_transmit_wait() * exchanges
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(
        if std::env::var_os("FOTALAB_LONG").is_some_and(|it| it != "0") { 30_000 } else { 300 }
    ) })]

    #[test]
    fn any_weather(
        seed in any::<u64>(),
        loss in 0.0..0.5f64,
        twice in 0.0..0.5f64,
        delay_ms in 1..20_000u64,
        length in 0..3000usize,
        szx in 0..=6u8,
        down in any::<bool>(),
    ) {
        let (body, size) = (image(length), BlockSize::from_szx(szx).unwrap());
        let inbox = SharedInbox::default();
        let mut pair = match down {
            true => Pair::new(serving(body.clone())),
            false => Pair::new(taking(inbox.clone())),
        };
        pair.network = Box::new(weather(seed, loss, twice, delay_ms));
        pair.request(match down {
            true => Request::get("/fw").in_blocks(size),
            false => Request { block_size: Some(size), ..Request::put("/5/0/0", body.clone()) },
        });
        let end = bound(length, size);
        while pair.told.iter().all(|event| !ends(event)) {
            prop_assert!(pair.time < end, "no end after {:?}", pair.time);
            pair.drive_for(seconds(60));
        }
        let ends = pair.told.iter().filter(|event| ends(event)).count();
        prop_assert_eq!(ends, 1);
        if pair.failure().is_none() && down {
            prop_assert_eq!(&pair.body_of_blocks(), &body.to_vec());
        } else if pair.failure().is_none() && pair.response().code == Code::CHANGED {
            prop_assert!(!inbox.borrow().complete.is_empty());
        }
        // A body that the server has is never another, whatever the client was told.
        for complete in &inbox.borrow().complete {
            prop_assert_eq!(complete, &body.to_vec());
        }
        pair.drive();
        prop_assert_eq!((pair.client.peers(), pair.server.peers()), (0, 0));
    }
}

fn ends(event: &Event<u8>) -> bool {
    match event {
        Event::Block { more, .. } => !more,
        Event::Response { .. } | Event::Failed { .. } => true,
        _ => false,
    }
}

/// The same seeds give the same bytes at the same times.
#[test]
fn a_seed_reproduces_everything() {
    let run = || {
        let mut pair = Pair::new(serving(image(2000)));
        pair.network = Box::new(weather(7, 0.2, 0.2, 4000));
        pair.request(Request::get("/fw").in_blocks(BlockSize::at_most(64)));
        pair.drive();
        pair.log
            .into_iter()
            .map(|sent| (sent.at, sent.from, sent.bytes))
            .collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}
