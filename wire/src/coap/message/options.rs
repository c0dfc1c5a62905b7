//! Options of a message (RFC 7252 3.1 and 5.10), kept as they are on the wire.

use super::Block;

/// Option numbers.
pub mod number {
    macro_rules! numbers {
        ($($name:ident = $number:literal, $text:literal;)*) => {
            $(#[doc = $text] pub const $name: u16 = $number;)*
        };
    }
    numbers! {
        IF_MATCH = 1, "RFC 7252 5.10.8.1";
        URI_HOST = 3, "RFC 7252 5.10.1";
        ETAG = 4, "RFC 7252 5.10.6";
        IF_NONE_MATCH = 5, "RFC 7252 5.10.8.2";
        OBSERVE = 6, "RFC 7641 2";
        URI_PORT = 7, "RFC 7252 5.10.1";
        LOCATION_PATH = 8, "RFC 7252 5.10.7";
        URI_PATH = 11, "RFC 7252 5.10.1";
        CONTENT_FORMAT = 12, "RFC 7252 5.10.3";
        MAX_AGE = 14, "RFC 7252 5.10.5";
        URI_QUERY = 15, "RFC 7252 5.10.1";
        ACCEPT = 17, "RFC 7252 5.10.4";
        LOCATION_QUERY = 20, "RFC 7252 5.10.7";
        BLOCK2 = 23, "RFC 7959 2.1";
        BLOCK1 = 27, "RFC 7959 2.1";
        SIZE2 = 28, "RFC 7959 4";
        PROXY_URI = 35, "RFC 7252 5.10.2";
        PROXY_SCHEME = 39, "RFC 7252 5.10.2";
        SIZE1 = 60, "RFC 7252 5.10.9";
        REQUEST_TAG = 292, "RFC 9175 3";
    }
}

/// The options of a message, in order of their numbers, each relative to the one before it.
///
/// They stay encoded: taking them from a datagram is one copy, putting them in another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    encoded: Vec<u8>,
    last: u16,
}

impl Options {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an option behind those of the same number.
    pub fn push(&mut self, number: u16, value: &[u8]) {
        if number >= self.last {
            encode_one(&mut self.encoded, number - self.last, value);
            self.last = number;
            return;
        }
        let mut ordered = Self {
            encoded: Vec::with_capacity(self.encoded.len() + value.len() + 5),
            last: 0,
        };
        let mut pending = Some(value);
        for (other, its_value) in self.iter() {
            if other > number
                && let Some(value) = pending.take()
            {
                ordered.push(number, value);
            }
            ordered.push(other, its_value);
        }
        *self = ordered;
    }

    /// Adds an option whose value is a number in as few bytes as it takes (RFC 7252 3.2).
    pub fn push_uint(&mut self, number: u16, value: u32) {
        let bytes = value.to_be_bytes();
        let skip = (value.leading_zeros() / 8) as usize;
        self.push(number, &bytes[skip..]);
    }

    /// Adds a Block1 or Block2 option.
    pub fn push_block(&mut self, number: u16, block: Block) {
        self.push_uint(number, block.to_value());
    }

    /// Takes all options of this number away.
    pub fn remove(&mut self, number: u16) {
        if self.first(number).is_some() {
            self.retain(|other| other != number);
        }
    }

    /// Keeps those whose number passes.
    pub fn retain(&mut self, keep: impl Fn(u16) -> bool) {
        let mut kept = Self::new();
        for (number, value) in self.iter() {
            if keep(number) {
                kept.push(number, value);
            }
        }
        *self = kept;
    }

    /// All of them in order.
    #[must_use]
    pub fn iter(&self) -> OptionIter<'_> {
        OptionIter::new(&self.encoded)
    }

    /// The first with this number.
    #[must_use]
    pub fn first(&self, number: u16) -> Option<&[u8]> {
        self.iter().first(number)
    }

    /// The first with this number, as a number.
    #[must_use]
    pub fn uint(&self, number: u16) -> Option<u32> {
        self.first(number).and_then(uint)
    }

    /// Block1 or Block2, if it is there and well formed.
    #[must_use]
    pub fn block(&self, number: u16) -> Option<Block> {
        Block::from_value(self.uint(number)?)
    }

    /// The Uri-Path segments joined by `/`, with one in front: `/` for none.
    #[must_use]
    pub fn path(&self) -> String {
        let mut path = String::new();
        for (_, segment) in self.iter().filter(|(n, _)| *n == number::URI_PATH) {
            path.push('/');
            path.push_str(&String::from_utf8_lossy(segment));
        }
        if path.is_empty() {
            path.push('/');
        }
        path
    }

    /// Adds the segments of `path`, and behind a `?` the queries, which stand between `&`.
    pub fn push_path(&mut self, path: &str) {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        for segment in path.split('/').filter(|segment| !segment.is_empty()) {
            self.push(number::URI_PATH, segment.as_bytes());
        }
        for item in query.split('&').filter(|item| !item.is_empty()) {
            self.push(number::URI_QUERY, item.as_bytes());
        }
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.encoded.is_empty()
    }

    /// As they are on the wire.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.encoded
    }

    pub(super) fn from_valid(encoded: &[u8], last: u16) -> Self {
        Self {
            encoded: encoded.to_vec(),
            last,
        }
    }
}

/// Reads an option's value as a number; `None` above four bytes.
#[must_use]
pub fn uint(value: &[u8]) -> Option<u32> {
    if value.len() > 4 {
        return None;
    }
    Some(value.iter().fold(0, |n, byte| n << 8 | u32::from(*byte)))
}

/// Walks over encoded options that were found well formed.
#[derive(Clone, Debug)]
pub struct OptionIter<'a> {
    rest: &'a [u8],
    number: u16,
}

impl<'a> OptionIter<'a> {
    pub(super) fn new(encoded: &'a [u8]) -> Self {
        Self {
            rest: encoded,
            number: 0,
        }
    }

    /// The first with this number; the options are in order, so later ones are not looked at.
    pub(crate) fn first(mut self, number: u16) -> Option<&'a [u8]> {
        self.find(|(other, _)| *other >= number)
            .filter(|(other, _)| *other == number)
            .map(|(_, value)| value)
    }
}

impl<'a> Iterator for OptionIter<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (delta, value, rest) = decode_one(self.rest)?;
        self.number = self.number.checked_add(delta)?;
        self.rest = rest;
        Some((self.number, value))
    }
}

/// One option: its delta, its value, and what follows. `None` where none is well formed.
pub(super) fn decode_one(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (&head, rest) = bytes.split_first()?;
    let (delta, rest) = extended(head >> 4, rest)?;
    let (length, rest) = extended(head & 15, rest)?;
    let (value, rest) = rest.split_at_checked(usize::from(length))?;
    Some((delta, value, rest))
}

/// RFC 7252 3.1: 13 adds a byte, 14 two of them, 15 is reserved.
fn extended(nibble: u8, rest: &[u8]) -> Option<(u16, &[u8])> {
    match (nibble, rest) {
        (0..=12, _) => Some((u16::from(nibble), rest)),
        (13, [byte, rest @ ..]) => Some((u16::from(*byte) + 13, rest)),
        (14, [high, low, rest @ ..]) => {
            let value = u16::from_be_bytes([*high, *low]).checked_add(269)?;
            Some((value, rest))
        }
        _ => None,
    }
}

fn encode_one(out: &mut Vec<u8>, delta: u16, value: &[u8]) {
    let value = &value[..value.len().min(usize::from(u16::MAX))];
    let (delta_nibble, length_nibble) = (nibble(delta), nibble(value.len() as u16));
    out.push(delta_nibble << 4 | length_nibble);
    encode_extended(out, delta_nibble, delta);
    encode_extended(out, length_nibble, value.len() as u16);
    out.extend_from_slice(value);
}

fn nibble(value: u16) -> u8 {
    match value {
        0..=12 => value as u8,
        13..=268 => 13,
        _ => 14,
    }
}

fn encode_extended(out: &mut Vec<u8>, nibble: u8, value: u16) {
    match nibble {
        13 => out.push((value - 13) as u8),
        14 => out.extend_from_slice(&(value - 269).to_be_bytes()),
        _ => {}
    }
}
