//! A server that means no good: datagrams by chance, most of them nearly right.

use std::time::Duration;

use fotalab_simulators::device::Persona;
use fotalab_wire::coap::message::number;
use fotalab_wire::coap::{Code, Kind, Message, Token};
use rand::rngs::SmallRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};

use crate::rig::{Rig, elsewhere, server};

/// 100,000 datagrams; 10,000,000 with `FOTALAB_LONG=1`.
fn inputs() -> u32 {
    let long = std::env::var_os("FOTALAB_LONG").is_some_and(|it| it != "0");
    if long { 10_000_000 } else { 100_000 }
}

/// A request as a server could make it, then maybe with some bytes changed.
fn datagram(random: &mut SmallRng, id: u16) -> Vec<u8> {
    const PATHS: [&str; 14] = [
        "/",
        "/1/0",
        "/1/0/1",
        "/1/0/2",
        "/3",
        "/3/0/13",
        "/5",
        "/5/0/0",
        "/5/0/1",
        "/5/0/3",
        "/16",
        "/16/0",
        "/16/0/0",
        "/rd?pmin=1&pmax=2",
    ];
    const FORMATS: [u32; 8] = [0, 42, 60, 110, 112, 11_542, 11_543, 40];
    const BODIES: [&[u8]; 8] = [
        b"",
        b"60",
        b"coap://127.0.0.1:5700/fw",
        b"\x08\x01\x05\x88\x00\x03\x40\x00ab",
        b"\xc1\x01\x3c",
        b"\x81\xa2\x00\x66/1/0/1\x02\x18\x3c",
        b"[{\"n\":\"/3/0/0\"},{\"n\":\"/5/0/3\"}]",
        b"{\"bn\":\"/1/0/\",\"e\":[{\"n\":\"1\",\"v\":60}]}",
    ];
    const KINDS: [Kind; 4] = [
        Kind::Confirmable,
        Kind::NonConfirmable,
        Kind::Acknowledgement,
        Kind::Reset,
    ];
    let kind = KINDS[random.random_range(0..KINDS.len())];
    let code = Code(random.random_range(0..8));
    let mut message = Message::new(kind, code, id);
    message.token = Token::new(&id.to_be_bytes()).expect("short");
    let path = PATHS[random.random_range(0..PATHS.len())];
    message.options.push_path(path);
    let chance = |percent: u32, random: &mut SmallRng| random.random_range(0..100) < percent;
    if chance(20, random) {
        message
            .options
            .push_uint(number::OBSERVE, random.random_range(0..2));
    }
    if chance(70, random) {
        let format = FORMATS[random.random_range(0..FORMATS.len())];
        message.options.push_uint(number::CONTENT_FORMAT, format);
    }
    if chance(30, random) {
        let accept = FORMATS[random.random_range(0..FORMATS.len())];
        message.options.push_uint(number::ACCEPT, accept);
    }
    if chance(20, random) {
        message
            .options
            .push_uint(number::BLOCK1, random.random_range(0..64));
    }
    if chance(10, random) {
        message
            .options
            .push_uint(number::BLOCK2, random.random_range(0..64));
    }
    if !path.contains('?') && chance(5, random) {
        message.options.push(number::URI_QUERY, b"pmin=1");
    }
    message.payload = BODIES[random.random_range(0..BODIES.len())].to_vec().into();
    let mut bytes = message.to_bytes().to_vec();
    if chance(50, random) {
        for _ in 0..random.random_range(1..4) {
            let at = random.random_range(0..bytes.len());
            bytes[at] = random.random();
        }
    }
    if chance(5, random) {
        bytes.resize(random.random_range(0..64), 0);
        random.fill_bytes(&mut bytes);
    }
    bytes
}

#[test]
fn no_datagram_makes_a_device_panic_hang_or_grow() {
    let persona = "portfolio = true\nreports = \"send\"\nreboot = \"10 ms\"\ninstall = \"10 ms\"";
    let mut rig = Rig::new(Persona::read(persona).expect("good"));
    let mut random = SmallRng::seed_from_u64(8);
    for n in 0..inputs() {
        let from = if random.random_range(0..50) == 0 {
            elsewhere()
        } else {
            server()
        };
        let bytes = datagram(&mut random, n as u16);
        rig.device.handle_datagram(rig.now, from, &bytes);
        let mut said = 0;
        while let Some(transmit) = rig.device.poll_transmit() {
            said += 1;
            assert!(transmit.payload.len() <= 1_200 && said < 200, "input {n}");
        }
        while rig.device.poll_event().is_some() {}
        rig.now += Duration::from_millis(random.random_range(0..50));
        let mut turns = 0;
        while rig.device.poll_timeout().is_some_and(|at| at <= rig.now) {
            rig.device.handle_timeout(rig.now);
            while rig.device.poll_transmit().is_some() {}
            turns += 1;
            assert!(turns < 100, "input {n}: a timer that is due again at once");
        }
        if n % 500 == 0 {
            // Whatever they did to it, its registration comes back, and it serves.
            rig.device.cut_power(rig.now);
            rig.until_registered();
            assert_eq!(rig.text("/3/0/0").0, "2.05", "input {n}");
            assert!(rig.device.firmware().history().len() <= 256);
        }
    }
}
