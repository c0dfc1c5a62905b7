//! What CoAP costs on one core, next to coap-lite and to the smallest responder there can be.
//!
//! `cargo bench -p fotalab-wire --bench coap`. One operation is one block, or one message.

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use divan::Bencher;
use fotalab_wire::coap::message::number;
use fotalab_wire::coap::*;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

fn main() {
    divan::main();
}

const PEERS: u32 = 50;

fn image() -> Bytes {
    Bytes::from(vec![0x5a; 1 << 20])
}

fn endpoint() -> Endpoint<u32> {
    Endpoint::new(Config::default(), StdRng::seed_from_u64(1))
}

/// A REGISTER of 61 bytes and five options.
fn register() -> Message {
    let mut message = Message::new(Kind::Confirmable, Code::POST, 7);
    message.token = Token::new(b"abcd").unwrap_or_default();
    message
        .options
        .push_path("/rd?lwm2m=1.1&ep=urn:imei:1&lt=60");
    message.options.push_uint(number::CONTENT_FORMAT, 40);
    message.payload = Bytes::from_static(b"</1/0>,</3/0>,</5/0>");
    message
}

fn block(id: u16) -> Message {
    let mut message = Message::new(Kind::Acknowledgement, Code::CONTENT, id);
    message.token = Token::new(b"abcd").unwrap_or_default();
    message.options.push(number::ETAG, b"12345678");
    message.options.push_uint(number::BLOCK2, 9 << 4 | 8 | 6);
    message.payload = Bytes::from(vec![0x5a; 1024]);
    message
}

#[divan::bench(args = ["register", "block"])]
fn parse_view(bencher: Bencher<'_, '_>, which: &str) {
    let bytes = if which == "register" {
        register()
    } else {
        block(1)
    }
    .to_bytes();
    bencher.bench(|| MessageView::parse(black_box(&bytes)).map(|view| view.uint(number::BLOCK2)));
}

#[divan::bench(args = ["register", "block"])]
fn parse_coap_lite(bencher: Bencher<'_, '_>, which: &str) {
    let bytes = if which == "register" {
        register()
    } else {
        block(1)
    }
    .to_bytes();
    bencher.bench(|| coap_lite::Packet::from_bytes(black_box(&bytes)));
}

#[divan::bench(args = ["register", "block"])]
fn emit(bencher: Bencher<'_, '_>, which: &str) {
    let message = if which == "register" {
        register()
    } else {
        block(1)
    };
    bencher.bench(|| black_box(&message).to_bytes());
}

#[divan::bench(args = ["register", "block"])]
fn emit_coap_lite(bencher: Bencher<'_, '_>, which: &str) {
    let packet = if which == "register" {
        register()
    } else {
        block(1)
    }
    .to_packet();
    bencher.bench(|| black_box(&packet).to_bytes());
}

/// GET of a block, as clients send it.
fn get(id: u16, number: u32) -> Vec<u8> {
    let mut message = Message::new(Kind::Confirmable, Code::GET, id);
    message.token = Token::new(&id.to_be_bytes()).unwrap_or_default();
    message.options.push_path("/fw");
    message.options.push_uint(number::BLOCK2, number << 4 | 6);
    message.to_bytes().into()
}

/// PUT of a block.
fn put(id: u16, number: u32) -> Vec<u8> {
    let mut message = Message::new(Kind::Confirmable, Code::PUT, id);
    message.token = Token::new(&id.to_be_bytes()).unwrap_or_default();
    message.options.push_path("/5/0/0");
    message.options.push_uint(
        number::BLOCK1,
        number << 4 | u32::from(number < 1023) << 3 | 6,
    );
    message.payload = Bytes::from_static(&[0x5a; 1024]);
    message.to_bytes().into()
}

/// 50 peers in turn, each with 1,024 blocks.
fn requests(make: impl Fn(u16, u32) -> Vec<u8>) -> impl FnMut() -> (Duration, u32, Vec<u8>) {
    let mut n = 0u32;
    move || {
        let (peer, number) = (n % PEERS, n / PEERS % 1024);
        let now = Duration::from_micros(u64::from(n) * 10);
        let id = (n / PEERS) as u16;
        n += 1;
        (now, peer, make(id, number))
    }
}

/// The server's side of a download: parse, look for a duplicate, ask the application, answer.
#[divan::bench(sample_count = 200, sample_size = 500)]
fn block2_get_server(bencher: Bencher<'_, '_>) {
    let (mut server, image) = (endpoint(), image());
    let mut next = requests(get);
    bencher
        .with_inputs(&mut next)
        .bench_local_values(|(now, peer, datagram)| {
            server.handle_datagram(now, peer, &datagram);
            while let Some(event) = server.poll_event() {
                if let Event::Request { exchange, .. } = event {
                    let response = Response::with(Code::CONTENT, image.clone()).etag(b"12345678");
                    let _over = server.respond(now, exchange, response);
                }
            }
            let _next = server.poll_timeout();
            server.poll_transmit()
        });
}

/// The floor: no duplicates, no timers, no state; only the bytes.
#[divan::bench(sample_count = 200, sample_size = 500)]
fn block2_get_floor(bencher: Bencher<'_, '_>) {
    let image = image();
    let mut next = requests(get);
    bencher
        .with_inputs(&mut next)
        .bench_local_values(|(_, _, datagram)| {
            let view = MessageView::parse(&datagram).ok()?;
            let block = view.block(number::BLOCK2)?;
            let mut answer = Vec::with_capacity(1060);
            let [high, low] = view.id.to_be_bytes();
            answer.extend_from_slice(&[0x62, 0x45, high, low]);
            answer.extend_from_slice(view.token.as_bytes());
            answer.extend_from_slice(b"\x4812345678\xd2\x06");
            let more = Block {
                more: block.number < 1023,
                ..block
            };
            answer.extend_from_slice(&(more.to_value() as u16).to_be_bytes());
            answer.push(0xff);
            answer.extend_from_slice(&image[block.offset()..][..1024]);
            Some(answer)
        });
}

/// The server's side of an upload, its blocks counted and dropped.
#[divan::bench(sample_count = 200, sample_size = 500)]
fn block1_put_server(bencher: Bencher<'_, '_>) {
    let mut server = endpoint();
    let mut next = requests(put);
    bencher
        .with_inputs(&mut next)
        .bench_local_values(|(now, peer, datagram)| {
            server.handle_datagram(now, peer, &datagram);
            while let Some(event) = server.poll_event() {
                if let Event::BlockReceived { exchange, more, .. } = event {
                    let code = if more { Code::CONTINUE } else { Code::CHANGED };
                    let _over = server.respond(now, exchange, Response::new(code));
                }
            }
            let _next = server.poll_timeout();
            server.poll_transmit()
        });
}

/// The floor of that: the payload copied once.
#[divan::bench(sample_count = 200, sample_size = 500)]
fn block1_put_floor(bencher: Bencher<'_, '_>) {
    let mut next = requests(put);
    bencher
        .with_inputs(&mut next)
        .bench_local_values(|(_, _, datagram)| {
            let view = MessageView::parse(&datagram).ok()?;
            let block = view.block(number::BLOCK1)?;
            let body = view.payload().to_vec();
            let code = if block.more { 0x5f } else { 0x44 };
            let [high, low] = view.id.to_be_bytes();
            let mut answer = Vec::with_capacity(16);
            answer.extend_from_slice(&[0x62, code, high, low]);
            answer.extend_from_slice(view.token.as_bytes());
            answer.extend_from_slice(b"\xd2\x0e");
            answer.extend_from_slice(&(block.to_value() as u16).to_be_bytes());
            Some((answer, body))
        });
}

/// Both ends of a whole download of 1 MiB: divide by 1,024 for a block.
#[divan::bench(sample_count = 20)]
fn block2_get_1_mib_both_ends(bencher: Bencher<'_, '_>) {
    let image = image();
    bencher.bench_local(|| {
        let (mut client, mut server, now) = (endpoint(), endpoint(), Duration::ZERO);
        let request = Request::get("/fw").in_blocks(BlockSize::MAX);
        let _id = client.request(now, 0, request);
        let mut received = 0;
        while received < image.len() {
            while let Some(transmit) = client.poll_transmit() {
                server.handle_datagram(now, 0, &transmit.payload);
            }
            while let Some(event) = server.poll_event() {
                if let Event::Request { exchange, .. } = event {
                    let response = Response::with(Code::CONTENT, image.clone());
                    let _over = server.respond(now, exchange, response);
                }
            }
            while let Some(transmit) = server.poll_transmit() {
                client.handle_datagram(now, 0, &transmit.payload);
            }
            while let Some(event) = client.poll_event() {
                if let Event::Block {
                    request,
                    message,
                    more,
                    ..
                } = event
                {
                    received += message.payload.len();
                    if more {
                        let _over = client.proceed(now, request);
                    }
                }
            }
        }
        received
    });
}
