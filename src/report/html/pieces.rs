//! What is in each message, in pieces that the page unpacks when somebody looks.

use std::borrow::Cow;

use serde_json::Value;

use super::island::Packer;
use crate::{
    air::limits::SHOWN_PAYLOAD_BYTES,
    run::{ScenarioRecord, Verdict},
    trace::{Lane, Message},
};

/// A piece ends when it has this many bytes before packing.
const PIECE_BYTES: usize = 256 * 1024;
/// A piece has at most this many contents.
const PIECE_CONTENTS: usize = 2_000;
/// Above this, what is in the datagrams of a run is shortened: bytes of firmware do not pack.
const WHOLE_BYTES: u64 = 32 * 1024 * 1024;
/// About what is in a datagram without its payload.
const FRAME_BYTES: u64 = 300;
/// Hexadecimal digits of a payload that a shortened message keeps.
const SHORT_HEX: usize = 64;

/// What is in the messages of a feature.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    /// The first content of each piece, and where the last one ends.
    pub(super) bounds: Vec<usize>,
    /// Each one packed, and whether it has a message of a failed scenario.
    pub(super) packed: Vec<(bool, String)>,
}

/// Takes contents one after the other.
pub(super) struct Taking<'a> {
    packer: &'a mut Packer,
    shortens: bool,
    /// Ids of scenarios that failed or were interrupted.
    failed: Vec<&'a str>,
    pieces: Pieces,
    /// Contents so far.
    count: usize,
    /// Bytes of those in the piece that is not packed yet, before they were shortened.
    bytes: usize,
    matters: bool,
}

impl<'a> Taking<'a> {
    /// None yet.
    pub(super) fn new(
        scenarios: &'a [ScenarioRecord],
        shortens: bool,
        packer: &'a mut Packer,
    ) -> Self {
        let failed =
            |it: &&ScenarioRecord| matches!(it.verdict, Verdict::Failed | Verdict::Interrupted);
        let failed = scenarios.iter().filter(failed);
        Self {
            packer,
            shortens,
            failed: failed.map(|it| it.id.as_str()).collect(),
            pieces: Pieces::default(),
            count: 0,
            bytes: 0,
            matters: false,
        }
    }

    /// What is in this message follows; its number among the contents.
    pub(super) fn take(&mut self, message: &Message) -> usize {
        let began = self.pieces.bounds.last().copied().unwrap_or(0);
        let full = self.bytes >= PIECE_BYTES || self.count - began >= PIECE_CONTENTS;
        if full {
            self.close();
        }
        let plain = &mut self.packer.plain;
        if plain.is_empty() {
            self.pieces.bounds.push(self.count);
            plain.push(b'[');
        } else {
            plain.push(b',');
        }
        let detail = match self.shortens && has_many_digits(message) {
            true => shortened(&message.detail),
            false => Cow::Borrowed(&*message.detail),
        };
        plain.extend_from_slice(detail.as_bytes());
        self.bytes += message.detail.len();
        let failed = &self.failed;
        let step = message.step.as_ref().filter(|_| !failed.is_empty());
        self.matters |= step.is_some_and(|it| failed.contains(&&*it.scenario));
        self.count += 1;
        self.count - 1
    }

    /// How many there are.
    pub(super) const fn count(&self) -> usize {
        self.count
    }

    /// All of them.
    pub(super) fn end(mut self) -> Pieces {
        if self.count > 0 {
            self.close();
            self.pieces.bounds.push(self.count);
        } else {
            self.pieces.bounds.push(0);
        }
        self.pieces
    }

    fn close(&mut self) {
        self.packer.plain.push(b']');
        let packed = self.packer.packed();
        self.pieces.packed.push((self.matters, packed));
        (self.bytes, self.matters) = (0, false);
    }
}

/// Whether what is in datagrams is too much for a page. By their number and size, which stay the
/// same where secrets are replaced: a kept trace has to make the same page.
pub(super) fn shortens<'a>(messages: impl Iterator<Item = &'a Message>) -> bool {
    let on_air = messages.filter(|it| it.lane == Lane::Air);
    let bytes = |it: &Message| it.air.as_ref().map_or(0, |it| it.bytes);
    let about = on_air.map(|it| 2 * bytes(it).min(SHOWN_PAYLOAD_BYTES as u64) + FRAME_BYTES);
    about.sum::<u64>() > WHOLE_BYTES
}

/// Whether a datagram may have so many that it can be shortened.
fn has_many_digits(message: &Message) -> bool {
    let Some(air) = &message.air else {
        return message.lane == Lane::Air;
    };
    let coap = air.coap.as_ref();
    coap.is_none_or(|it| 2 * it.payload > SHORT_HEX as u64)
}

/// A datagram without the bytes that its decoded content already tells.
fn shortened(detail: &str) -> Cow<'_, str> {
    if detail.contains("\"raw\":") {
        return Cow::Owned(without_raw(detail));
    }
    // In a text in JSON the quotation marks would have backslashes.
    let Some(at) = detail
        .find("{\"hex\":\"")
        .or_else(|| detail.find(",\"hex\":\""))
    else {
        return Cow::Borrowed(detail);
    };
    let digits = at + "{\"hex\":\"".len();
    let length = detail[digits..].find('"').unwrap_or(0);
    if length <= SHORT_HEX {
        return Cow::Borrowed(detail);
    }
    let end = detail.floor_char_boundary(digits + SHORT_HEX);
    Cow::Owned(format!("{}…{}", &detail[..end], &detail[digits + length..]))
}

fn without_raw(detail: &str) -> String {
    let Ok(mut detail) = serde_json::from_str::<Value>(detail) else {
        return "null".to_owned();
    };
    if let Some(detail) = detail.as_object_mut()
        && detail.shift_remove("raw").is_some()
    {
        detail.insert("shortened".to_owned(), true.into());
    }
    let detail = detail.to_string();
    match detail.contains("\"raw\":") {
        // It stands deeper, and is something else.
        true => detail,
        false => shortened(&detail).into_owned(),
    }
}
