//! One entry: type byte, id, length, and what is in it.

use super::{At, ERRORS, EncodeError};
use crate::lwm2m::error::{DecodeError, Problem};
use crate::lwm2m::limits;
use crate::lwm2m::path::Path;

/// What an entry is, as in the two highest bits of its type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum What {
    ObjectInstance = 0b00,
    ResourceInstance = 0b01,
    MultipleResource = 0b10,
    Resource = 0b11,
}

#[derive(Clone, Copy)]
/// What is left of a payload or of a value in it.
pub(super) struct Cursor<'a> {
    pub(super) bytes: &'a [u8],
    /// Bytes from the start of the payload.
    pub(super) at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(payload: &'a [u8]) -> Self {
        Self {
            bytes: payload,
            at: 0,
        }
    }

    /// The next entry: what it is, its id, and what is in it.
    pub(super) fn entry(&mut self) -> Result<(What, u16, Cursor<'a>), DecodeError> {
        let first = self.number(1)?;
        let what = match first >> 6 {
            0b00 => What::ObjectInstance,
            0b01 => What::ResourceInstance,
            0b10 => What::MultipleResource,
            _ => What::Resource,
        };
        let id = self.number(if first & 0b10_0000 == 0 { 1 } else { 2 })?;
        let length = match (first >> 3) & 0b11 {
            0 => first & 0b111,
            width => self.number(width as usize)?,
        };
        let inside = self.take(length as usize)?;
        Ok((what, id as u16, inside))
    }

    fn number(&mut self, width: usize) -> Result<u32, DecodeError> {
        let bytes = self.take(width)?.bytes;
        Ok(bytes
            .iter()
            .fold(0, |number, byte| (number << 8) | u32::from(*byte)))
    }

    fn take(&mut self, length: usize) -> Result<Cursor<'a>, DecodeError> {
        let Some((taken, rest)) = self.bytes.split_at_checked(length) else {
            let problem = Problem::CutOff {
                needed: length,
                left: self.bytes.len(),
            };
            return Err(ERRORS.problem(At::Byte(self.at), problem));
        };
        let inside = Cursor {
            bytes: taken,
            at: self.at,
        };
        self.bytes = rest;
        self.at += length;
        Ok(inside)
    }
}

/// Writes one entry.
pub(super) fn put(
    out: &mut Vec<u8>,
    path: Path,
    what: What,
    id: u16,
    inside: &[u8],
) -> Result<(), EncodeError> {
    let length = u32::try_from(inside.len())
        .ok()
        .filter(|_| inside.len() <= limits::VALUE_LENGTH);
    let length = length.ok_or_else(|| ERRORS.encode(path, "more than 24 bits of length"))?;
    let (width, low) = match length {
        0..=7 => (0_u8, length as u8),
        8..=0xff => (1, 0),
        0x100..=0xffff => (2, 0),
        _ => (3, 0),
    };
    let wide_id = id > 0xff;
    out.push((what as u8) << 6 | u8::from(wide_id) << 5 | width << 3 | low);
    out.extend_from_slice(&id.to_be_bytes()[usize::from(!wide_id)..]);
    out.extend_from_slice(&length.to_be_bytes()[4 - usize::from(width)..]);
    out.extend_from_slice(inside);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_lengths_take_the_fewest_bytes() {
        for (id, length, head) in [
            (5, 7, &[0xc7, 5][..]),
            (5, 8, &[0xc8, 5, 8]),
            (256, 255, &[0xe8, 1, 0, 255]),
            (5, 256, &[0xd0, 5, 1, 0]),
            (300, 65_536, &[0xf8, 1, 44, 1, 0, 0]),
        ] {
            let mut out = Vec::new();
            put(&mut out, Path::ROOT, What::Resource, id, &vec![9; length]).unwrap();
            assert_eq!(&out[..out.len() - length], head);
            let (what, read, inside) = Cursor::new(&out).entry().unwrap();
            assert_eq!(
                (what, read, inside.bytes.len()),
                (What::Resource, id, length)
            );
            assert_eq!(inside.at, head.len());
        }
        let long = vec![0; limits::VALUE_LENGTH + 1];
        assert!(put(&mut Vec::new(), Path::ROOT, What::Resource, 0, &long).is_err());
    }
}
