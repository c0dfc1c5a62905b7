//! The slot in flash that a package is written to, and what is found in it.
//!
//! Bytes are hashed, not kept: ten thousand devices with a mebibyte each would be ten gibibytes,
//! and a SHA-256 and a length say as much about what arrived.

use fotalab_wire::image::{Image, ImageError, Verifier};
use sha2::{Digest as _, Sha256};

/// A package as far as it has come.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    verifier: Verifier,
    whole: Sha256,
    received: usize,
    /// The whole, where the sender told.
    pub(super) announced: Option<usize>,
    /// Of what is being fetched.
    pub(super) etag: Option<Vec<u8>>,
    corrupted: bool,
    foreign: bool,
}

/// A complete package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// From its header, or the first 12 hexadecimal digits of its hash.
    pub version: String,
    /// Of all its bytes as they were flashed.
    pub sha256: [u8; 32],
    /// Bytes.
    pub length: usize,
    /// Whether it is what its header says; without a header it is.
    pub intact: bool,
    /// It has fotalab's header.
    pub has_header: bool,
}

impl Slot {
    /// An empty one; with `insist` only fotalab's images are right.
    pub(super) fn new(insist: bool) -> Self {
        Self {
            verifier: if insist {
                Verifier::insisting()
            } else {
                Verifier::new()
            },
            whole: Sha256::new(),
            received: 0,
            announced: None,
            etag: None,
            corrupted: false,
            foreign: false,
        }
    }

    /// Bytes that are there.
    pub(super) fn received(&self) -> usize {
        self.received
    }

    /// Writes behind what is there.
    pub(super) fn append(&mut self, bytes: &[u8]) {
        // Other errors than a foreign magic are told at the end, when all has been paid for.
        self.foreign |= matches!(self.verifier.push(bytes), Err(ImageError::Magic));
        self.whole.update(bytes);
        self.received += bytes.len();
    }

    /// As `append`, with a bit of it wrong.
    pub(super) fn append_wrong(&mut self, bytes: &[u8]) {
        let mut wrong = bytes.to_vec();
        if let Some(last) = wrong.last_mut() {
            *last ^= 1;
            self.corrupted = true;
        }
        self.append(&wrong);
    }

    /// A piece of it got in twice.
    pub(super) fn spoil(&mut self, twice: &[u8]) {
        self.whole.update(twice);
        self.corrupted = true;
    }

    /// How long the package is: as announced, or as its header says.
    pub(super) fn total(&self) -> Option<usize> {
        let said = || self.verifier.expected().map(|length| length as usize);
        self.announced.or_else(said)
    }

    /// It was insisted on an image of fotalab's, and this is none.
    pub(super) fn is_refused(&self) -> bool {
        self.foreign
    }

    /// What arrived, when all has.
    pub(super) fn finish(self) -> Package {
        let has_header = self.verifier.expected().is_some();
        let image = self.verifier.finish();
        let intact = image.is_ok() && !self.corrupted;
        let version = image.map(|Image { version, .. }| version);
        Package {
            version: version.unwrap_or_else(|_| "damaged".to_owned()),
            sha256: self.whole.finalize().into(),
            length: self.received,
            intact,
            has_header,
        }
    }
}

#[cfg(test)]
mod tests {
    use fotalab_wire::image;

    use super::*;

    fn written(bytes: &[u8], piece: usize) -> Package {
        let mut slot = Slot::new(false);
        bytes.chunks(piece).for_each(|chunk| slot.append(chunk));
        slot.finish()
    }

    #[test]
    fn an_image_is_checked_while_it_streams() {
        let image = image::build("2.0.0", 5_000, 7).expect("fits");
        for piece in [1, 16, 63, 64, 65, 1_024, 5_000] {
            let package = written(&image, piece);
            assert!(package.intact && package.has_header, "{piece}");
            assert_eq!(package.version, "2.0.0");
            assert_eq!(package.length, 5_000);
            let whole: [u8; 32] = Sha256::digest(&image).into();
            assert_eq!(package.sha256, whole);
        }
        assert!(!written(&image[..4_999], 64).intact);
        let mut wrong = image;
        wrong[4_000] ^= 1;
        assert!(!written(&wrong, 64).intact);
    }

    #[test]
    fn other_bytes_are_taken_and_named_by_their_hash() {
        let package = written(b"anything", 3);
        assert!(package.intact && !package.has_header);
        assert_eq!(package.version, image::version_of(b"anything"));
    }
}
