//! What decoding the worst payloads costs in memory, by a counting allocator.

use std::alloc::System;

use fotalab_wire::lwm2m::codec::{self, link};
use fotalab_wire::lwm2m::registration::ObjectList;
use fotalab_wire::lwm2m::{ContentFormat, Definitions, Path, Version, limits};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// All that one call may ask of the allocator, whatever it gives back meanwhile.
const BUDGET: usize = 3 * 1024 * 1024;

/// What a payload may cost for each of its bytes: a value of two bytes is a node in a tree.
const PER_BYTE: usize = 400;
/// And at least: a first node of each level, a message of an error.
const AT_LEAST: usize = 8 * 1024;

/// Payloads by chance, most of them with the bytes that each format is made of.
fn payload(seed: u64) -> Vec<u8> {
    const ALPHABETS: [&[u8]; 4] = [
        &[
            0x00, 0x08, 0x22, 0x48, 0x88, 0xc0, 0xc1, 0xe1, 0x01, 0x02, 0xff,
        ],
        &[
            0x81, 0x9f, 0xa1, 0xbf, 0x00, 0x02, 0x21, 0x61, b'3', 0x40, 0x5f, 0xff,
        ],
        b"{}[]\",:nvbes0123/-. ",
        b"</>,;=\"0123456789verdimpct ",
    ];
    let mut state = seed;
    let mut next = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize
    };
    let alphabet = ALPHABETS[next() % ALPHABETS.len()];
    let length = 1 + next() % 200;
    let letter = |random: usize| match random % 16 {
        0 => (random >> 4) as u8,
        _ => alphabet[(random >> 4) % alphabet.len()],
    };
    (0..length).map(|_| letter(next())).collect()
}

/// One test, since the allocator counts for all threads.
#[test]
fn payloads_stay_within_their_budgets() {
    payloads_by_chance();
    the_worst_payloads();
}

fn payloads_by_chance() {
    let definitions = Definitions::core(Version::V1_1);
    let long = std::env::var_os("FOTALAB_LONG").is_some_and(|it| it != "0");
    for seed in 0..if long { 2_000_000 } else { 20_000 } {
        let payload = payload(seed);
        let budget = AT_LEAST + PER_BYTE * payload.len();
        let check = |what: String, asked: usize| {
            assert!(
                asked <= budget,
                "seed {seed}: {what} asked for {asked} bytes"
            );
        };
        for format in ContentFormat::ALL {
            for base in [Path::ROOT, Path::object(3), Path::resource(5, 0, 0)] {
                let region = Region::new(ALLOCATOR);
                drop(codec::decode(format, base, &payload, &definitions));
                check(
                    format!("{format} at {base}"),
                    region.change().bytes_allocated,
                );
            }
        }
        let region = Region::new(ALLOCATOR);
        drop(link::decode(&payload));
        drop(ObjectList::parse(&payload));
        check("links".to_owned(), region.change().bytes_allocated);
    }
}

fn the_worst_payloads() {
    let ids = |piece: &[u8], count: u16| -> Vec<u8> {
        let one = |id: u16| [&[0x22, (id >> 8) as u8, id as u8][..], piece].concat();
        (0..count).flat_map(one).collect()
    };
    let fill = |piece: &[u8], end: usize| piece.repeat(end / piece.len());
    let array = |piece: &[u8]| [&[0x9f][..], &fill(piece, limits::PAYLOAD - 1)].concat();
    let named = |index: usize| format!(r#"{{"n":"/{}/0/1/2","v":1}}"#, index);
    let names: Vec<String> = (0..limits::VALUES).map(named).collect();
    let objects: Vec<String> = (0..limits::LINKS).map(|id| format!("</{id}/0>")).collect();
    let payloads = [
        // Object instances of one resource each: a tree node per four bytes.
        ids(&[0xc0, 1], limits::VALUES as u16 / 2),
        ids(&[0xc0, 1], u16::MAX),
        fill(&[0x00, 0x00], limits::PAYLOAD),
        array(&[0xa0]),
        array(&[0x81]),
        [
            &[0x81, 0xa1, 0x00, 0x7a, 0xff, 0xff, 0xff, 0xff][..],
            &[b'a'; 100],
        ]
        .concat(),
        [&[0x9b, 0x7f][..], &[0xff; 7]].concat(),
        fill(b"[", limits::PAYLOAD),
        [&b"["[..], &fill(b"{},", limits::PAYLOAD - 3)].concat(),
        format!("[{}]", names.join(",")).into_bytes(),
        format!(r#"{{"e":[{}]}}"#, names.join(",")).into_bytes(),
        format!(r#"{{"e":[{}{{}}]}}"#, "{},".repeat(80_000)).into_bytes(),
        objects.join(",").into_bytes(),
        [&b"</1>"[..], &fill(b";a", limits::PAYLOAD - 4)].concat(),
        [&b"</1>;a=\""[..], &fill(b"\\\"", limits::PAYLOAD - 10)].concat(),
    ];
    let definitions = Definitions::core(Version::V1_1);
    let mut worst = (0, String::new());
    let mut dearest = (0, String::new());
    for (index, payload) in payloads.iter().enumerate() {
        for format in ContentFormat::ALL {
            for base in [Path::ROOT, Path::object(3), Path::resource(5, 0, 0)] {
                let region = Region::new(ALLOCATOR);
                drop(codec::decode(format, base, payload, &definitions));
                let asked = region.change().bytes_allocated;
                let times = asked / payload.len();
                let name =
                    format!("payload {index} as {format} at {base}, {times} times its length");
                worst = worst.max((asked, name.clone()));
                dearest = dearest.max((times, name));
            }
        }
        let region = Region::new(ALLOCATOR);
        drop(link::decode(payload));
        drop(ObjectList::parse(payload));
        let asked = region.change().bytes_allocated;
        worst = worst.max((asked, format!("payload {index} as links")));
    }
    println!(
        "most: {} bytes, {}\ndearest: {}",
        worst.0, worst.1, dearest.1
    );
    assert!(worst.0 <= BUDGET, "{} bytes: {}", worst.0, worst.1);
}
