//! The slot in flash that a package is written to, and what is found in it.
//!
//! Bytes are hashed, not kept: ten thousand devices with a mebibyte each would be ten gibibytes,
//! and a SHA-256 and a length say as much about what arrived.

use sha2::{Digest as _, Sha256};

/// Magic of fotalab's images (design, `wire/image`).
const MAGIC: &[u8; 8] = b"FOTALAB\x01";
/// Bytes of their header.
const HEADER: usize = 64;

/// A package as far as it has come.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    header: [u8; HEADER],
    received: usize,
    whole: Sha256,
    payload: Sha256,
    /// The whole, where the sender told.
    pub(super) announced: Option<usize>,
    /// Of what is being fetched.
    pub(super) etag: Option<Vec<u8>>,
    corrupted: bool,
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
    /// Whether its own hash and length are right; without a header they are.
    pub intact: bool,
    /// It has fotalab's header.
    pub has_header: bool,
}

impl Default for Slot {
    fn default() -> Self {
        Self {
            header: [0; HEADER],
            received: 0,
            whole: Sha256::new(),
            payload: Sha256::new(),
            announced: None,
            etag: None,
            corrupted: false,
        }
    }
}

impl Slot {
    /// Bytes that are there.
    pub(super) fn received(&self) -> usize {
        self.received
    }

    /// Writes behind what is there.
    pub(super) fn append(&mut self, bytes: &[u8]) {
        let room = HEADER.saturating_sub(self.received).min(bytes.len());
        let (head, tail) = bytes.split_at(room);
        if let Some(place) = self.header.get_mut(self.received..self.received + room) {
            place.copy_from_slice(head);
        }
        self.payload.update(tail);
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

    /// How long the package is: as announced, or as its header says.
    pub(super) fn total(&self) -> Option<usize> {
        self.announced.or_else(|| {
            let payload = self.field(12).filter(|_| self.has_header())?;
            Some(payload as usize + HEADER)
        })
    }

    /// False as soon as the first bytes are not those of an image.
    pub(super) fn looks_like_image(&self) -> bool {
        let seen = self.received.min(MAGIC.len());
        self.header.get(..seen) == MAGIC.get(..seen)
    }

    /// What arrived, when all has.
    pub(super) fn finish(&self) -> Package {
        let sha256: [u8; 32] = self.whole.clone().finalize().into();
        let has_header = self.has_header();
        let (version, intact) = if has_header {
            let text = self.header.get(16..32).unwrap_or_default();
            let end = text
                .iter()
                .position(|byte| *byte == 0)
                .unwrap_or(text.len());
            let text = text.get(..end).unwrap_or_default();
            let payload: [u8; 32] = self.payload.clone().finalize().into();
            let intact = self.field(12).map(|length| length as usize + HEADER)
                == Some(self.received)
                && self.header.get(32..) == Some(payload.as_slice())
                && text.is_ascii();
            (String::from_utf8_lossy(text).into_owned(), intact)
        } else {
            let digits = sha256.iter().take(6).map(|byte| format!("{byte:02x}"));
            (digits.collect(), !self.corrupted)
        };
        Package {
            version,
            sha256,
            length: self.received,
            intact,
            has_header,
        }
    }

    fn has_header(&self) -> bool {
        self.received >= HEADER
            && self.header.starts_with(MAGIC)
            && self.field(8) == Some(HEADER as u32)
    }

    fn field(&self, at: usize) -> Option<u32> {
        let bytes = self.header.get(at..at + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    }
}

/// An image that simulated devices can check; `None` where the version does not fit into 16 bytes
/// of ASCII or the length of the whole file is too small or large for the header.
#[must_use]
pub fn make_image(version: &str, length: usize, seed: u64) -> Option<Vec<u8>> {
    use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

    if version.is_empty() || version.len() > 16 || !version.bytes().all(|b| b.is_ascii_graphic()) {
        return None;
    }
    let payload_length = u32::try_from(length.checked_sub(HEADER)?).ok()?;
    let mut image = vec![0; length];
    let (header, payload) = image.split_at_mut(HEADER);
    StdRng::seed_from_u64(seed).fill_bytes(payload);
    let fields: [(usize, &[u8]); 5] = [
        (0, MAGIC),
        (8, &(HEADER as u32).to_be_bytes()),
        (12, &payload_length.to_be_bytes()),
        (16, version.as_bytes()),
        (32, &Sha256::digest(&*payload)),
    ];
    for (at, bytes) in fields {
        header.get_mut(at..at + bytes.len())?.copy_from_slice(bytes);
    }
    Some(image)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(bytes: &[u8], piece: usize) -> Package {
        let mut slot = Slot::default();
        bytes.chunks(piece).for_each(|chunk| slot.append(chunk));
        slot.finish()
    }

    #[test]
    fn an_image_is_checked_while_it_streams() {
        let image = make_image("2.0.0", 5_000, 7).expect("fits");
        for piece in [1, 16, 63, 64, 65, 1_024, 5_000] {
            let package = written(&image, piece);
            assert!(package.intact && package.has_header, "{piece}");
            assert_eq!(package.version, "2.0.0");
            assert_eq!(package.length, 5_000);
            let whole: [u8; 32] = Sha256::digest(&image).into();
            assert_eq!(package.sha256, whole);
        }
        assert!(!written(&image[..4_999], 64).intact);
        let mut wrong = image.clone();
        wrong[4_000] ^= 1;
        assert!(!written(&wrong, 64).intact);
        assert_eq!(image, make_image("2.0.0", 5_000, 7).expect("fits"));
    }

    #[test]
    fn other_bytes_are_taken_and_named_by_their_hash() {
        let package = written(b"anything", 3);
        assert!(package.intact && !package.has_header);
        let hash = Sha256::digest(b"anything");
        assert_eq!(package.version, format!("{hash:x}")[..12]);
    }

    #[test]
    fn the_length_is_known_from_the_header() {
        let image = make_image("1", 200, 1).expect("fits");
        let mut slot = Slot::default();
        slot.append(&image[..63]);
        assert_eq!(slot.total(), None);
        assert!(slot.looks_like_image());
        slot.append(&image[63..64]);
        assert_eq!(slot.total(), Some(200));
        assert!(make_image("1", 63, 1).is_none());
        assert!(make_image("a version too long", 100, 1).is_none());
    }
}
