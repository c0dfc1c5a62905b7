//! Firmware images: bytes that never change, known by their SHA-256, and the images that name them.
//!
//! Bytes come in through [`Blobs::begin`], part by part, and are read by ranges; a [`Blobs`] in
//! memory has them all at hand ([`Blobs::resident`]), one on disk never holds a whole image. Equal
//! bytes are kept once and counted: [`Blobs::release`] frees them when nobody uses them any more.

mod chunks;
mod memory;
mod room;

use std::{collections::BTreeMap, io, ops::Range};

use bytes::Bytes;
use fotalab_wire::net::BoxFuture;
use serde::{Deserialize, Serialize};

pub(crate) use chunks::{ChunkId, Chunks, chunk_of};
pub(crate) use memory::InMemory;
pub(crate) use room::{Reservation, Room};

use crate::limits;

/// The SHA-256 of an image, in hexadecimal wherever it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) struct Hash(pub(crate) [u8; 32]);

/// A firmware image. It never changes.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    /// Its id, the last segment of its URI.
    pub(crate) id: String,
    /// The hash of its bytes.
    pub(crate) sha256: Hash,
    /// How many they are.
    pub(crate) length: u64,
    /// All of them, shared by every transfer, where the server has them in memory.
    pub(crate) bytes: Option<Bytes>,
}

/// An image as it is remembered; the key is its id.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ImageDocument {
    /// The hash of its bytes.
    pub(crate) sha256: Hash,
    /// How many they are.
    pub(crate) length: u64,
}

/// All images.
#[derive(Debug, Default)]
pub(crate) struct Images {
    images: BTreeMap<String, Image>,
}

/// Bytes that are all there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    /// Their hash.
    pub(crate) sha256: Hash,
    /// How many they are.
    pub(crate) length: u64,
}

/// What the sender of an image said of it before; `None` where it said nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Expected {
    /// The hash of its bytes.
    pub(crate) sha256: Option<Hash>,
    /// How many they are.
    pub(crate) length: Option<u64>,
}

/// Why bytes were not taken in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// Nothing came.
    #[error("the image is empty")]
    Empty,
    /// One image may not be this large.
    #[error("an image may have {most} bytes")]
    TooLarge {
        /// The limit.
        most: u64,
    },
    /// All images together take too much.
    #[error("there is no room for another image")]
    Full,
    /// Another hash or length than the sender said.
    #[error("the image has {found}, not {expected} as announced")]
    Unexpected {
        /// What came.
        found: String,
        /// What was announced.
        expected: String,
    },
    /// The disk failed.
    #[error("the image cannot be stored: {0}")]
    Io(#[from] io::Error),
}

/// Where bytes are kept.
pub(crate) trait Blobs: Send + Sync {
    /// Takes in new bytes. What was written is gone again if [`Upload::finish`] is never called.
    fn begin(&self) -> BoxFuture<'static, Result<Box<dyn Upload>, Refused>>;
    /// Reads a range, which has to be inside.
    fn read(&self, sha256: Hash, range: Range<u64>) -> BoxFuture<'static, io::Result<Bytes>>;
    /// All bytes, where they are in memory anyway.
    fn resident(&self, sha256: Hash) -> Option<Bytes>;
    /// Counts another use of bytes that have to be there, else says what is wrong; for the start.
    fn adopt(&self, stored: Stored) -> Result<(), String>;
    /// Ends a use; the last one's end frees the bytes.
    fn release(&self, sha256: Hash);
    /// Frees what nobody has adopted: the start is over.
    fn tidy(&self);
}

/// Bytes on their way in.
pub(crate) trait Upload: Send {
    /// The next part.
    fn write(&mut self, part: Bytes) -> BoxFuture<'_, Result<(), Refused>>;
    /// That was all: keeps it, safe from a crash, if it is what was expected. Counts as one use.
    fn finish(self: Box<Self>, expected: Expected) -> BoxFuture<'static, Result<Stored, Refused>>;
}

impl Expected {
    /// Compares with what came.
    pub(crate) fn check(&self, found: Stored) -> Result<(), Refused> {
        let unexpected =
            |found: String, expected: String| Err(Refused::Unexpected { found, expected });
        match (self.length, self.sha256) {
            _ if found.length == 0 => Err(Refused::Empty),
            (Some(length), _) if length != found.length => {
                unexpected(format!("{} bytes", found.length), length.to_string())
            }
            (_, Some(sha256)) if sha256 != found.sha256 => {
                unexpected(format!("the SHA-256 {}", found.sha256), sha256.to_string())
            }
            _ => Ok(()),
        }
    }
}

impl Image {
    /// The strong entity tag over CoAP: 8 bytes, the most that RFC 7252 5.10.6 allows.
    pub(crate) fn etag(&self) -> &[u8] {
        &self.sha256.0[..8]
    }

    /// As it is remembered.
    pub(crate) fn document(&self) -> ImageDocument {
        ImageDocument {
            sha256: self.sha256,
            length: self.length,
        }
    }
}

impl Images {
    /// Keeps an image.
    pub(crate) fn put(&mut self, image: Image) -> Result<(), Refused> {
        if self.images.len() >= limits::MAX_IMAGES {
            return Err(Refused::Full);
        }
        self.images.insert(image.id.clone(), image);
        Ok(())
    }

    /// Forgets an image; its bytes are another matter.
    pub(crate) fn remove(&mut self, id: &str) -> Option<Image> {
        self.images.remove(id)
    }

    /// One image.
    pub(crate) fn get(&self, id: &str) -> Option<&Image> {
        self.images.get(id)
    }
}

impl std::fmt::Display for Hash {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> Self {
        hash.to_string()
    }
}

impl TryFrom<String> for Hash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl std::str::FromStr for Hash {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "a SHA-256 has 64 hexadecimal digits";
        let mut hash = [0; 32];
        if text.len() != 64 || !text.bytes().all(|it| it.is_ascii_hexdigit()) {
            return Err(wrong);
        }
        for (byte, digits) in hash.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| wrong)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong)?;
        }
        Ok(Self(hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_written_and_read() {
        let hash = Hash(std::array::from_fn(|at| at as u8 * 7));
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert!(hash.to_string().starts_with("00070e15"));
        assert!("00".parse::<Hash>().is_err());
        assert!("é".repeat(32).parse::<Hash>().is_err());
        assert!("+f".repeat(32).parse::<Hash>().is_err());
    }

    #[test]
    fn what_was_announced_counts() {
        let found = Stored {
            sha256: Hash([1; 32]),
            length: 5,
        };
        let check = |sha256, length| Expected { sha256, length }.check(found);
        assert!(check(None, None).is_ok());
        assert!(check(Some(Hash([1; 32])), Some(5)).is_ok());
        let why = check(None, Some(6))
            .expect_err("another length")
            .to_string();
        assert_eq!(why, "the image has 5 bytes, not 6 as announced");
        assert!(check(Some(Hash([2; 32])), Some(5)).is_err());
    }
}
