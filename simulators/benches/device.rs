//! What a simulated device costs: made, switched on, registered; and a block of a push.

use std::sync::Arc;
use std::time::Duration;

use divan::{Bencher, black_box};
use fotalab_simulators::device::firmware::{Firmware, Piece};
use fotalab_simulators::device::{Device, Kind, Peer, Persona, Phase, Setup};
use fotalab_wire::coap::Kind as Type;
use fotalab_wire::coap::{Code, Message};

fn main() {
    divan::main();
}

/// The server's part is a message made of the request's token and id: next to nothing.
#[divan::bench]
fn start_and_register(bencher: Bencher<'_, '_>) {
    let kind = Arc::new(Kind::new(Persona::default()));
    let server = Peer {
        address: ([127, 0, 0, 1], 5683).into(),
        secure: false,
    };
    bencher.bench(|| {
        let setup = Setup {
            endpoint: "device-1".to_owned(),
            firmware: "1.0.0".to_owned(),
            server,
            seed: 1,
        };
        let mut device = Device::new(Duration::ZERO, Arc::clone(&kind), setup);
        device.switch_on(Duration::ZERO);
        let request = device.poll_transmit().expect("Register");
        let request = Message::parse(&request.payload).expect("good");
        let mut answer = Message::new(Type::Acknowledgement, Code::CREATED, request.id);
        answer.token = request.token;
        answer.options.push(8, b"rd");
        answer.options.push(8, b"1");
        device.handle_datagram(Duration::ZERO, server, &answer.to_bytes());
        assert_eq!(device.phase(), Phase::Registered);
        device
    });
}

/// 1,024 bytes into flash: two hashes of them.
#[divan::bench]
fn a_block_into_flash(bencher: Bencher<'_, '_>) {
    let persona = Arc::new(Persona {
        flash_bytes: usize::MAX,
        ..Persona::default()
    });
    let mut firmware = Firmware::new(Duration::ZERO, persona, "1.0.0");
    let bytes = [7; 1_024];
    let mut offset = 0;
    bencher.bench_local(|| {
        let piece = Piece {
            offset,
            last: false,
            total: None,
            bytes: &bytes,
        };
        offset += bytes.len();
        black_box(firmware.push(Duration::ZERO, piece))
    });
}
