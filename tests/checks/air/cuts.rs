//! A pull that is cut at every block: by a power cut of the device, by a restart of the server. At
//! most one block is fetched again, and what is flashed is the image.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use fotalab_simulators::device::{Persona, State};
use fotalab_wire::{
    coap::{Code, MessageView, message::number},
    image,
    net::{LossyOptions, What},
};
use sha2::{Digest as _, Sha256};

use super::{Trace, World, virtually};

const BLOCK: usize = 256;
const BLOCKS: usize = 64;
const HOUR: Duration = Duration::from_secs(3_600);
/// Shorter than it takes to fetch a block.
const MOMENT: Duration = Duration::from_millis(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    Power,
    Server,
}

/// How often each block was answered: by number, over message ids, so that a retransmission counts
/// once.
fn fetched(trace: &Trace) -> BTreeMap<u32, usize> {
    let mut answered: BTreeMap<u32, Vec<u16>> = BTreeMap::new();
    for (_, _, _, bytes, what) in trace {
        let Ok(view) = MessageView::parse(bytes) else {
            continue;
        };
        let block = view
            .block(number::BLOCK2)
            .filter(|_| view.code == Code::CONTENT);
        if let (What::Delivered, Some(block)) = (what, block) {
            let ids = answered.entry(block.number).or_default();
            if !ids.contains(&view.id) {
                ids.push(view.id);
            }
        }
    }
    answered
        .into_iter()
        .map(|(block, ids)| (block, ids.len()))
        .collect()
}

fn cut_at(block: usize, cut: Cut) {
    virtually(async {
        let network = LossyOptions {
            delay_min: Duration::from_millis(25),
            delay_max: Duration::from_millis(25),
            ..LossyOptions::default()
        };
        let persona = Persona {
            block_bytes: BLOCK,
            ..Persona::default()
        };
        let mut world = World::new(block as u64, network, persona).await;
        world.run(Duration::from_secs(10)).await;
        let bytes =
            Bytes::from(image::build("2.0.0", (BLOCKS * BLOCK) as u64, 7).expect("it fits"));
        let image = world.image(&bytes).await;
        let update = world.update(&image, "pull:coap").await;
        let there = |bytes| {
            move |device: &fotalab_simulators::device::Device| {
                device.firmware().received() >= bytes
                    || device.firmware().state() > State::Downloading
            }
        };
        assert!(
            world.until(MOMENT, HOUR, there(block * BLOCK)).await,
            "block {block}"
        );
        match cut {
            Cut::Power => {
                let now = world.driver.now();
                world
                    .driver
                    .fleet
                    .with(now, 0, |device| device.cut_power(now));
            }
            Cut::Server => {
                world.stop().await;
                world.run(Duration::from_secs(4)).await;
                world.start().await;
            }
        }
        let there = there(BLOCKS * BLOCK);
        assert!(
            world.until(Duration::from_secs(1), HOUR, there).await,
            "{cut:?} at {block}"
        );
        let told = world.ended(&update, 12 * HOUR).await;
        let told = told.unwrap_or_else(|| panic!("{cut:?} at block {block}: it never ended"));
        assert_eq!(
            told["state"], "succeeded",
            "{cut:?} at block {block}: {told}"
        );
        assert_eq!(world.device().firmware().running(), "2.0.0");
        let firmware = world.device().firmware();
        let flashed = firmware.flashed().expect("a package");
        let hash: [u8; 32] = Sha256::digest(&bytes).into();
        assert_eq!((flashed.sha256, flashed.length), (hash, bytes.len()));
        let fetched = fetched(&world.trace());
        assert_eq!(fetched.len(), BLOCKS, "{cut:?} at block {block}");
        let again: usize = fetched.values().map(|times| times - 1).sum();
        assert!(
            again <= 1,
            "{cut:?} at block {block}: {again} blocks came again"
        );
    });
}

#[test]
fn a_pull_cut_at_every_block_by_a_power_cut() {
    for block in 1..=BLOCKS {
        cut_at(block, Cut::Power);
    }
}

#[test]
fn a_pull_cut_at_every_block_by_a_restart_of_the_server() {
    for block in 1..=BLOCKS {
        cut_at(block, Cut::Server);
    }
}
