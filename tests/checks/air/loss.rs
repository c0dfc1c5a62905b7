//! A fifth of all datagrams lost, doubled, held back: whatever the seed, an update ends, and as it
//! says (X-FW-S14).

use std::time::Duration;

use fotalab_simulators::device::{Faults, Persona};
use fotalab_wire::image;

use super::{Trace, World, virtually};
use crate::support::long;
use fotalab_wire::net::LossyOptions;

const HOUR: Duration = Duration::from_secs(3_600);
/// 64 blocks.
const BLOCK: usize = 256;
const IMAGE: u64 = 64 * BLOCK as u64;

/// What devices do wrong, and the results that are right then.
const FAULTS: [(&str, &[u64]); 8] = [
    ("", &[1]),
    ("out of flash at 60 %", &[2]),
    ("", &[1]),
    ("corrupts its flash at 50 %", &[5]),
    ("loses power while downloading", &[1]),
    ("fails to install", &[8]),
    ("loses the Execute acknowledgement", &[1]),
    ("slow erase before the first block of 20 s", &[1]),
];

struct Ended {
    succeeded: bool,
    result: Option<u64>,
    told: String,
    running: String,
    hung: bool,
    trace: Trace,
}

fn run(seed: u64, transfer: &str, fault: &str) -> Ended {
    virtually(async {
        let options = LossyOptions {
            loss: 0.2,
            duplication: 0.2,
            reordering: 0.2,
            reordering_by: Duration::from_millis(300),
            delay_min: Duration::from_millis(20),
            delay_max: Duration::from_millis(100),
            ..LossyOptions::default()
        };
        let faults: &[&str] = if fault.is_empty() { &[] } else { &[fault] };
        let persona = Persona {
            block_bytes: BLOCK,
            faults: Faults::read(faults).expect("known"),
            ..Persona::default()
        };
        let mut world = World::new(seed, options, persona).await;
        world.run(Duration::from_secs(60)).await;
        let image = image::build("2.0.0", IMAGE, seed).expect("it fits");
        let image = world.image(&image.into()).await;
        let update = world.update(&image, transfer).await;
        let told = world.ended(&update, 48 * HOUR).await;
        let told_text = told.as_ref().map(ToString::to_string).unwrap_or_default();
        Ended {
            succeeded: told.as_ref().is_some_and(|it| it["state"] == "succeeded"),
            result: told.as_ref().and_then(|it| it["result"].as_u64()),
            hung: told.is_none(),
            told: told_text,
            running: world.device().firmware().running().to_owned(),
            trace: world.trace(),
        }
    })
}

#[test]
fn whatever_the_network_does_an_update_ends_and_as_it_says() {
    let seeds = if long() { 1_000 } else { 50 };
    let mut wrong = Vec::new();
    let mut exhausted = 0;
    for seed in 0..seeds {
        let (fault, right) = FAULTS[seed as usize % FAULTS.len()];
        for transfer in ["push", "pull:coap"] {
            let ended = run(seed, transfer, fault);
            let new = ended.running == "2.0.0";
            let why = match ended.result {
                _ if ended.hung => "it never ended",
                _ if ended.succeeded && !new => "success, and the old version runs",
                _ if ended.succeeded && right.contains(&1) => continue,
                Some(result) if !ended.succeeded && right.contains(&result) => continue,
                // The server gave up, or the device: the connection was too bad too often.
                None | Some(0 | 4) if !ended.succeeded => {
                    exhausted += 1;
                    continue;
                }
                _ => "another end than its fault's",
            };
            let Ended { told, running, .. } = ended;
            wrong.push(format!(
                "seed {seed} by {transfer} with `{fault}`: {why}; runs {running}; {told}"
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} runs:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    let runs = 2 * seeds;
    println!("{exhausted} of {runs} runs gave up");
    assert!(
        exhausted * 100 <= runs,
        "{exhausted} of {runs} gave up: a hundredth may"
    );
}

/// What a failing seed is worth: run again, it is the same to the byte.
#[test]
fn a_seed_gives_the_same_trace_again() {
    for (seed, transfer) in [(3, "push"), (4, "pull:coap"), (6, "push")] {
        let (fault, _) = FAULTS[seed as usize % FAULTS.len()];
        let (one, other) = (run(seed, transfer, fault), run(seed, transfer, fault));
        assert!(one.trace.len() > 300, "{} datagrams", one.trace.len());
        assert_eq!(one.trace.len(), other.trace.len());
        for (index, (one, other)) in one.trace.iter().zip(&other.trace).enumerate() {
            assert_eq!(one, other, "seed {seed} by {transfer}: datagram {index}");
        }
        assert_eq!(one.told, other.told);
    }
}
