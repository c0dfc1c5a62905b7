//! A push seen block by block, as raw datagrams: section 3.6, C30 to C40.

use fotalab_simulators::device::Persona;
use fotalab_wire::coap::message::number;
use fotalab_wire::coap::{Block, BlockSize, Code, Kind, Message, Token};
use fotalab_wire::image;
use sha2::{Digest as _, Sha256};

use crate::rig::Rig;

fn firmware() -> Vec<u8> {
    image::build("2.0.0", 5_000, 3).expect("fits")
}

/// PUT of one block of /5/0/0, each with an id and a token of its own.
fn block(id: u16, number: u32, size: usize, more: bool, bytes: &[u8]) -> Message {
    let mut message = Message::new(Kind::Confirmable, Code::PUT, id);
    message.token = Token::new(&id.to_be_bytes()).expect("short");
    message.options.push_path("/5/0/0");
    message.options.push_uint(number::CONTENT_FORMAT, 42);
    let size = BlockSize::at_most(size);
    let block = Block { number, more, size };
    message.options.push_block(number::BLOCK1, block);
    message.payload = bytes.to_vec().into();
    message
}

/// The block at an offset of an image.
fn of(image: &[u8], id: u16, offset: usize, size: usize) -> Message {
    let end = (offset + size).min(image.len());
    let number = (offset / size) as u32;
    block(id, number, size, end < image.len(), &image[offset..end])
}

fn only(answers: Vec<Message>) -> Message {
    assert_eq!(answers.len(), 1, "{answers:?}");
    answers.into_iter().next().expect("one")
}

/// Sends a block and says the code of its answer.
fn put(rig: &mut Rig, message: &Message) -> Code {
    let answer = only(rig.raw(message));
    assert_eq!(
        (answer.kind, answer.id),
        (Kind::Acknowledgement, message.id)
    );
    assert_eq!(answer.token, message.token);
    answer.code
}

/// Sends the rest of an image, and says the last code.
fn push_from(rig: &mut Rig, image: &[u8], mut offset: usize, size: usize, id: u16) -> Code {
    let mut code = Code::EMPTY;
    let mut id = id;
    while offset < image.len() {
        code = put(rig, &of(image, id, offset, size));
        offset += size;
        id += 1;
    }
    code
}

fn assert_flashed(rig: &Rig, image: &[u8]) {
    let hash: [u8; 32] = Sha256::digest(image).into();
    let flashed = rig.device.firmware().flashed().expect("a package");
    assert_eq!((flashed.sha256, flashed.length), (hash, image.len()));
    assert_eq!(rig.seen().0, 2);
}

#[test]
fn x_fw_c30_a_first_block_with_another_number() {
    let mut rig = Rig::usual();
    let refused = put(&mut rig, &of(&firmware(), 1, 2_048, 1_024));
    assert_eq!(refused, Code::REQUEST_ENTITY_INCOMPLETE);
    assert_eq!(rig.states(), [(0, 0)], "and nothing began");
}

#[test]
fn x_fw_c31_a_gap() {
    let (mut rig, image) = (Rig::usual(), firmware());
    assert_eq!(put(&mut rig, &of(&image, 1, 0, 256)), Code::CONTINUE);
    let refused = put(&mut rig, &of(&image, 2, 512, 256));
    assert_eq!(refused, Code::REQUEST_ENTITY_INCOMPLETE);
    // The transfer is not corrupted: the block that is due is taken.
    assert_eq!(push_from(&mut rig, &image, 256, 256, 3), Code::CHANGED);
    assert_flashed(&rig, &image);
}

#[test]
fn x_fw_c32_an_old_block_under_a_new_id() {
    let (mut rig, image) = (Rig::usual(), firmware());
    for (id, offset) in [(1, 0), (2, 256), (3, 512)] {
        assert_eq!(put(&mut rig, &of(&image, id, offset, 256)), Code::CONTINUE);
    }
    assert_eq!(put(&mut rig, &of(&image, 4, 512, 256)), Code::CONTINUE);
    let older = put(&mut rig, &of(&image, 5, 256, 256));
    assert_eq!(older, Code::REQUEST_ENTITY_INCOMPLETE);
    assert_eq!(push_from(&mut rig, &image, 768, 256, 6), Code::CHANGED);
    assert_flashed(&rig, &image);
}

#[test]
fn x_fw_c33_a_duplicate_gets_the_same_bytes() {
    let (mut rig, image) = (Rig::usual(), firmware());
    let first = of(&image, 1, 0, 256);
    let answer = only(rig.raw(&first));
    assert_eq!(answer.code, Code::CONTINUE);
    assert_eq!(rig.raw(&first), [answer]);
    assert_eq!(push_from(&mut rig, &image, 256, 256, 2), Code::CHANGED);
    assert_flashed(&rig, &image);
}

#[test]
fn x_fw_c34_sizes_that_grow_shrink_and_alternate() {
    let image = firmware();
    let sizes: [&[usize]; 6] = [
        &[16],
        &[256],
        &[1_024],
        &[1_024, 512, 256, 128, 64, 32, 16],
        &[16, 16, 32, 64, 128, 256, 512, 1_024],
        &[64, 32, 32],
    ];
    for sizes in sizes {
        let mut rig = Rig::usual();
        let (mut offset, mut id, mut code) = (0, 1, Code::EMPTY);
        while offset < image.len() {
            let size = sizes[usize::from(id - 1) % sizes.len()];
            // Blocks begin at multiples of their size.
            let size = if offset % size == 0 { size } else { 16 };
            code = put(&mut rig, &of(&image, id, offset, size));
            offset += size;
            id += 1;
        }
        assert_eq!(code, Code::CHANGED, "{sizes:?}");
        assert_flashed(&rig, &image);
    }
}

#[test]
fn x_fw_c35_the_reserved_size_exponent_in_the_middle() {
    let (mut rig, image) = (Rig::usual(), firmware());
    assert_eq!(put(&mut rig, &of(&image, 1, 0, 256)), Code::CONTINUE);
    let mut wrong = of(&image, 2, 256, 256);
    wrong.options.remove(number::BLOCK1);
    wrong.options.push_uint(number::BLOCK1, 1 << 4 | 8 | 7);
    let code = put(&mut rig, &wrong);
    assert!(
        [Code::BAD_REQUEST, Code::BAD_OPTION].contains(&code),
        "{code}"
    );
    assert_eq!(push_from(&mut rig, &image, 256, 256, 3), Code::CHANGED);
    assert_flashed(&rig, &image);
}

#[test]
fn x_fw_c37_a_block_that_is_not_full_though_others_follow() {
    let (mut rig, image) = (Rig::usual(), firmware());
    assert_eq!(put(&mut rig, &of(&image, 1, 0, 256)), Code::CONTINUE);
    let short = block(2, 1, 256, true, &image[256..500]);
    assert_eq!(put(&mut rig, &short), Code::BAD_REQUEST);
    assert_eq!(push_from(&mut rig, &image, 256, 256, 3), Code::CHANGED);
    assert_flashed(&rig, &image);
}

#[test]
fn x_fw_c38_ping_read_and_an_empty_non_in_the_middle() {
    let (mut rig, image) = (Rig::usual(), firmware());
    assert_eq!(put(&mut rig, &of(&image, 1, 0, 256)), Code::CONTINUE);
    let ping = Message::new(Kind::Confirmable, Code::EMPTY, 900);
    let pong = only(rig.raw(&ping));
    assert_eq!((pong.kind, pong.id), (Kind::Reset, 900));
    let silent = Message::new(Kind::NonConfirmable, Code::EMPTY, 901);
    assert!(rig.raw(&silent).is_empty());
    let mut read = Message::new(Kind::Confirmable, Code::GET, 902);
    read.options.push_path("/5/0/3");
    let value = only(rig.raw(&read));
    assert_eq!((value.code, &value.payload[..]), (Code::CONTENT, &b"1"[..]));
    assert_eq!(push_from(&mut rig, &image, 256, 256, 2), Code::CHANGED);
    assert_flashed(&rig, &image);
}

#[test]
fn x_fw_c39_a_push_that_is_given_up_and_begun_again() {
    let mut rig = Rig::usual();
    let other = image::build("9.9.9", 5_000, 8).expect("fits");
    for (id, offset) in [(1, 0), (2, 256), (3, 512)] {
        assert_eq!(put(&mut rig, &of(&other, id, offset, 256)), Code::CONTINUE);
    }
    rig.run(5);
    let image = firmware();
    assert_eq!(push_from(&mut rig, &image, 0, 256, 10), Code::CHANGED);
    assert_flashed(&rig, &image);
}

#[test]
fn x_fw_c40_5_000_bytes_are_flashed_as_they_were_sent() {
    let bytes: Vec<u8> = (0..5_000_u32).map(|n| (n * n % 251) as u8).collect();
    let mut rig = Rig::usual();
    assert_eq!(push_from(&mut rig, &bytes, 0, 256, 1), Code::CHANGED);
    assert_flashed(&rig, &bytes);
}

/// Contract 5.2, 1 and 17: devices that take a repeated block for another one.
#[test]
fn x_fw_s13_devices_that_do_not_know_message_ids() {
    let image = firmware();
    let mut twice = Rig::with("writes a repeated first block twice");
    let first = of(&image, 1, 0, 256);
    assert_eq!(put(&mut twice, &first), Code::CONTINUE);
    assert_eq!(put(&mut twice, &first), Code::CONTINUE);
    assert_eq!(
        push_from(&mut twice, &image, 256, 256, 2),
        Code::BAD_REQUEST
    );
    assert_eq!((twice.seen().0, twice.seen().1), (0, 5));
    let mut rejects = Rig::with("rejects a block that is sent again");
    for (id, offset) in [(1, 0), (2, 256)] {
        assert_eq!(
            put(&mut rejects, &of(&image, id, offset, 256)),
            Code::CONTINUE
        );
    }
    let again = put(&mut rejects, &of(&image, 2, 256, 256));
    assert_eq!(again, Code::REQUEST_ENTITY_INCOMPLETE);
}

/// Contract 5.2, 2: only a reset helps.
#[test]
fn x_fw_c36_a_device_that_does_not_let_a_push_begin_anew() {
    let (mut rig, image) = (Rig::with("does not let a push begin anew"), firmware());
    assert_eq!(put(&mut rig, &of(&image, 1, 0, 256)), Code::CONTINUE);
    let again = put(&mut rig, &of(&image, 2, 0, 256));
    assert_eq!(again, Code::REQUEST_ENTITY_INCOMPLETE);
    assert_eq!(rig.put("/5/0/1", ""), Code::CHANGED);
    assert_eq!(rig.push(&image, 256), Some(Code::CHANGED));
}

/// Contract 5.2, 3 and 14: what a server does with smaller blocks.
#[test]
fn x_fw_s08_s09_smaller_blocks_by_4_13_and_counted_wrong() {
    let image = firmware();
    let mut rig = Rig::with("asks for smaller blocks by 4.13 of 64 bytes");
    let answer = only(rig.raw(&of(&image, 1, 0, 1_024)));
    assert_eq!(answer.code, Code::REQUEST_ENTITY_TOO_LARGE);
    let size = answer.options.block(number::BLOCK1).expect("there").size;
    assert_eq!(size.bytes(), 64);
    assert_eq!(push_from(&mut rig, &image, 0, 64, 2), Code::CHANGED);
    assert_flashed(&rig, &image);

    let mut rig = Rig::with("counts blocks wrong after it asked for smaller ones of 256 bytes");
    let answer = only(rig.raw(&of(&image, 1, 0, 1_024)));
    let size = answer.options.block(number::BLOCK1).expect("there").size;
    assert_eq!((answer.code, size.bytes()), (Code::CONTINUE, 256));
    // RFC 7959 2.5: 1,024 bytes are four blocks of 256, so 4 is next; it waits for another.
    let right = put(&mut rig, &of(&image, 2, 1_024, 256));
    assert_eq!(right, Code::REQUEST_ENTITY_INCOMPLETE);
    assert_eq!(push_from(&mut rig, &image, 0, 256, 3), Code::CHANGED);
    assert_flashed(&rig, &image);
}

#[test]
fn x_coap_02_04_options_and_datagrams_that_are_none() {
    let mut rig = Rig::new(Persona::default());
    let mut unknown = Message::new(Kind::Confirmable, Code::GET, 1);
    unknown.options.push_path("/3/0/0");
    unknown.options.push(65_001, b"x");
    assert_eq!(only(rig.raw(&unknown)).code, Code::BAD_OPTION);
    let from = crate::rig::server();
    for (datagram, reset) in [
        // Version 0; TKL 9; an option that is cut off; a marker without payload; too short.
        (&[0x00, 0x01, 0, 1][..], false),
        (&[0x49, 0x01, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9][..], true),
        (&[0x40, 0x01, 0, 3, 0xb5, b'a'][..], true),
        (&[0x40, 0x01, 0, 4, 0xff][..], true),
        (&[0x40, 0x01][..], false),
        (&[0x50, 0x01, 0, 5, 0xff][..], false),
    ] {
        let answers = rig.raw_from(from, datagram);
        assert_eq!(answers.len(), usize::from(reset), "{datagram:02x?}");
        assert!(answers.iter().all(|it| it.kind == Kind::Reset));
    }
    assert_eq!(rig.text("/5/0/3").0, "2.05");
}
