//! Vectors written out from the RFCs, and coap-lite as the oracle.

use proptest::prelude::*;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::*;

/// RFC 7252 Appendix A, Figure 16: a GET of /temperature, and the 2.05 with "22.3 C".
#[test]
fn figure_16_of_rfc_7252() {
    let request = b"\x40\x01\x7d\x34\xbbtemperature";
    let view = MessageView::parse(request).unwrap();
    assert_eq!(view.kind, Kind::Confirmable);
    assert_eq!(view.code, Code::GET);
    assert_eq!(view.id, 0x7d34);
    assert_eq!(view.option(number::URI_PATH), Some(&b"temperature"[..]));
    assert_eq!(view.payload(), b"");

    let mut made = Message::new(Kind::Confirmable, Code::GET, 0x7d34);
    made.options.push_path("/temperature");
    assert_eq!(&made.to_bytes()[..], request);

    let response = b"\x60\x45\x7d\x34\xff22.3 C";
    let mut made = Message::new(Kind::Acknowledgement, Code::CONTENT, 0x7d34);
    made.payload = Bytes::from_static(b"22.3 C");
    assert_eq!(&made.to_bytes()[..], response);
    assert_eq!(Message::parse(response).unwrap(), made);
}

/// RFC 7252 Appendix A, Figure 17: the same with the token 0x20.
#[test]
fn figure_17_of_rfc_7252() {
    let request = b"\x41\x01\x7d\x35\x20\xbbtemperature";
    let view = MessageView::parse(request).unwrap();
    assert_eq!(view.token.as_bytes(), b"\x20");
    assert_eq!(&view.to_message().to_bytes()[..], request);
    let response = b"\x61\x45\x7d\x35\x20\xff22.3 C";
    let message = Message::parse(response).unwrap();
    assert_eq!(message.token, view.token);
    assert_eq!(&message.to_bytes()[..], response);
}

/// RFC 7959 3.1, Figure 2: `2:1/1/128` is 0x1b behind option 23; 3.2, Figure 7: `1:2/0/128`.
#[test]
fn block_options_of_rfc_7959() {
    let block = |number, more, bytes| Block {
        number,
        more,
        size: BlockSize::at_most(bytes),
    };
    assert_eq!(block(1, true, 128).to_value(), 0x1b);
    assert_eq!(block(2, false, 128).to_value(), 0x23);
    assert_eq!(block(0, false, 16).to_value(), 0);
    assert_eq!(block(9, true, 64).to_value(), 0x9a);
    for value in [0x1b, 0x23, 0, 0x9a, 0xffffee] {
        assert_eq!(Block::from_value(value).unwrap().to_value(), value);
    }
    // 2.2: SZX 7 is reserved; NUM has twenty bits.
    assert_eq!(Block::from_value(0x0f), None);
    assert_eq!(Block::from_value(0x0100_0000), None);

    let mut message = Message::new(Kind::Confirmable, Code::GET, 1);
    message
        .options
        .push_block(number::BLOCK2, block(1, true, 128));
    message
        .options
        .push_block(number::BLOCK1, block(0, false, 16));
    assert_eq!(&message.to_bytes()[..], b"\x40\x01\x00\x01\xd1\x0a\x1b\x40");
}

/// RFC 7641 Appendix A.1: Observe 0 is an empty value, 12 one byte, before Uri-Path.
#[test]
fn observe_options_of_rfc_7641() {
    let mut message = Message::new(Kind::Confirmable, Code::GET, 0x1633);
    message.token = Token::new(b"\x4a").unwrap();
    message.options.push_path("/temperature");
    message.options.push_uint(number::OBSERVE, 0);
    assert_eq!(
        &message.to_bytes()[..],
        b"\x41\x01\x16\x33\x4a\x60\x5btemperature"
    );
    let notification = b"\x51\x45\x06\x4e\x4a\x61\x0c\xff22.9 Cel";
    let view = MessageView::parse(notification).unwrap();
    assert_eq!(view.uint(number::OBSERVE), Some(12));
    assert_eq!(view.kind, Kind::NonConfirmable);
}

/// RFC 7252 3.1: deltas and lengths of 13 and 14 have one and two bytes more.
#[test]
fn extended_deltas_and_lengths() {
    let long = vec![7; 300];
    let mut message = Message::new(Kind::Confirmable, Code::GET, 0);
    message.options.push(65_000, &long);
    message.options.push(number::SIZE1, &[1; 13]);
    let bytes = message.to_bytes();
    assert_eq!(&bytes[4..7], b"\xdd\x2f\x00");
    assert_eq!(&bytes[20..25], b"\xee\xfc\x9f\x00\x1f");
    assert_eq!(Message::parse(&bytes).unwrap(), message);
}

#[test]
fn options_keep_the_order_of_their_numbers_and_among_equals_of_insertion() {
    let mut options = Options::new();
    options.push_uint(number::SIZE1, 9);
    options.push_path("/a/b?x=1&y");
    options.push_uint(number::CONTENT_FORMAT, 42);
    let numbers: Vec<u16> = options.iter().map(|(number, _)| number).collect();
    assert_eq!(numbers, [11, 11, 12, 15, 15, 60]);
    assert_eq!(options.path(), "/a/b");
    options.remove(number::URI_PATH);
    assert_eq!(options.path(), "/");
    assert_eq!(options.uint(number::CONTENT_FORMAT), Some(42));
}

/// RFC 7252 3, 3.1, 4.1, 4.2: every format error, and that only CON is rejected aloud.
#[test]
fn format_errors() {
    let cases: [(&[u8], Problem); 15] = [
        (b"", Problem::Truncated),
        (b"\x40\x01\x00", Problem::Truncated),
        (b"\x00\x01\x00\x07", Problem::Version),
        (b"\x80\x01\x00\x07", Problem::Version),
        (b"\x49\x01\x00\x07123456789", Problem::Token),
        (b"\x4f\x01\x00\x07123456789012345", Problem::Token),
        (b"\x42\x01\x00\x07\x01", Problem::Token),
        (b"\x40\x01\x00\x07\xf0", Problem::Option),
        (b"\x40\x01\x00\x07\x0f", Problem::Option),
        (b"\x40\x01\x00\x07\xb5abcd", Problem::Option),
        (b"\x40\x01\x00\x07\xd0", Problem::Option),
        (b"\x40\x01\x00\x07\xe0\xff\xff", Problem::Option),
        (b"\x40\x01\x00\x07\xff", Problem::EmptyPayload),
        (b"\x40\x00\x00\x07\xff1", Problem::NotEmpty),
        (b"\x40\x21\x00\x07", Problem::Code),
    ];
    for (bytes, problem) in cases {
        let error = MessageView::parse(bytes).unwrap_err();
        assert_eq!(error.problem, problem, "{bytes:02x?}");
        let told = !matches!(problem, Problem::Truncated | Problem::Version);
        assert_eq!(error.reject, told.then_some(7), "{bytes:02x?}");
        if told {
            let mut other = bytes.to_vec();
            other[0] |= 0x10;
            assert_eq!(MessageView::parse(&other).unwrap_err().reject, None);
        }
    }
    assert!(MessageView::parse(b"\x41\x00\x00\x07\x01").is_err());
    assert!(MessageView::parse(b"\x40\xc0\x00\x07").is_err());
    assert!(MessageView::parse(b"\x40\x00\x00\x07").is_ok());
    // The numbers of options add up past 65,535.
    assert!(MessageView::parse(b"\x40\x01\x00\x07\xe0\xfe\xf2\x10").is_err());
}

fn messages() -> impl Strategy<Value = Message> {
    let option = (0u16..2100, proptest::collection::vec(any::<u8>(), 0..300));
    (
        0u8..4,
        any::<u8>(),
        any::<u16>(),
        proptest::collection::vec(any::<u8>(), 0..=8),
        proptest::collection::vec(option, 0..8),
        proptest::collection::vec(any::<u8>(), 0..64),
    )
        .prop_map(|(kind, code, id, token, options, payload)| {
            let code = Code(code);
            let code = if code.is_reserved() || code == Code::EMPTY {
                Code::GET
            } else {
                code
            };
            let mut message = Message::new(Kind::from_bits(kind), code, id);
            message.token = Token::new(&token).unwrap();
            for (number, value) in options {
                message.options.push(number, &value);
            }
            message.payload = payload.into();
            message
        })
}

/// How many inputs a codec is given.
fn inputs() -> u32 {
    let long = std::env::var_os("FOTALAB_LONG").is_some_and(|it| it != "0");
    if long { 10_000_000 } else { 100_000 }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(1_000)
    })]

    #[test]
    fn what_is_written_is_read_and_coap_lite_agrees(message in messages()) {
        let bytes = message.to_bytes();
        prop_assert_eq!(bytes.len(), message.encoded_length());
        prop_assert_eq!(&Message::parse(&bytes).unwrap(), &message);
        let theirs = message.to_packet().to_bytes_with_limit(100_000).unwrap();
        prop_assert_eq!(&bytes[..], &theirs[..]);
        let packet = coap_lite::Packet::from_bytes(&bytes).unwrap();
        prop_assert_eq!(packet, message.to_packet());
    }
}

/// Messages by chance: what is written is read.
#[test]
fn messages_by_chance_are_read_as_they_were_written() {
    let mut random = StdRng::seed_from_u64(7959);
    for _ in 0..inputs() {
        let code = Code(random.random());
        let usable = !code.is_reserved() && code != Code::EMPTY;
        let code = if usable { code } else { Code::PUT };
        let kind = Kind::from_bits(random.random_range(0..4));
        let mut message = Message::new(kind, code, random.random());
        let mut bytes = [0; 40];
        random.fill_bytes(&mut bytes);
        message.token = Token::new(&bytes[..random.random_range(0..=8)]).unwrap();
        for _ in 0..random.random_range(0..5) {
            let value = &bytes[..random.random_range(0..40)];
            message.options.push(random.random_range(0..2_100), value);
        }
        message.payload = Bytes::copy_from_slice(&bytes[..random.random_range(0..40)]);
        assert_eq!(Message::parse(&message.to_bytes()).unwrap(), message);
    }
}

/// Bytes by chance, 100,000 times, 10,000,000 with `FOTALAB_LONG=1`. Ours is stricter than coap-lite (empty
/// payloads, empty messages, reserved classes), never more lenient, and reads the same.
#[test]
fn arbitrary_bytes_are_read_as_coap_lite_reads_them() {
    let inputs = inputs() as usize;
    let mut random = StdRng::seed_from_u64(7252);
    let (mut taken, mut bytes) = (0, Vec::new());
    for _ in 0..inputs {
        bytes.resize(random.random_range(0..80), 0);
        random.fill_bytes(&mut bytes);
        // Most heads are plausible, and options often small, or nothing would get past them.
        if let Some(head) = bytes.first_mut().filter(|head| **head & 1 == 0) {
            *head = 0x40 | (*head >> 2 & 0x33);
        }
        if random.random() {
            bytes
                .iter_mut()
                .skip(4)
                .step_by(2)
                .for_each(|byte| *byte &= 0x11);
        }
        taken += usize::from(same_as_coap_lite(&bytes));
    }
    assert!(taken > inputs / 50, "only {taken} were messages");
}

fn same_as_coap_lite(bytes: &[u8]) -> bool {
    let theirs = coap_lite::Packet::from_bytes(bytes);
    match Message::parse(bytes) {
        Ok(message) => {
            assert_eq!(theirs.unwrap(), message.to_packet(), "{bytes:02x?}");
            assert_eq!(Message::parse(&message.to_bytes()).unwrap(), message);
            true
        }
        Err(error) => {
            use Problem::{Code, EmptyPayload, NotEmpty, Version};
            let stricter = matches!(error.problem, Version | EmptyPayload | NotEmpty | Code);
            assert!(theirs.is_err() || stricter, "{error:?} {bytes:02x?}");
            false
        }
    }
}
