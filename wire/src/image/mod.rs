//! The firmware format that simulated devices understand.
//!
//! 64 bytes, big endian, then the payload:
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 8 | magic `FOTALAB\x01` |
//! | 8 | 4 | length of the header: 64, or more, which then stands before the payload |
//! | 12 | 4 | length of the payload |
//! | 16 | 16 | version, ASCII, NUL padded |
//! | 32 | 32 | SHA-256 of the payload |
//!
//! Other bytes are a *foreign* image, whose version is the first 12 hex digits of its SHA-256.

mod verifier;

use sha2::{Digest, Sha256};
use thiserror::Error;

pub use verifier::{Image, ImageError, Verifier};

/// The first eight bytes.
pub const MAGIC: [u8; 8] = *b"FOTALAB\x01";

/// Length of the header that [`build`] writes, in bytes.
pub const HEADER: usize = 64;

/// Longest header that is read, in bytes: what is between 64 and this is passed over.
pub const LONGEST_HEADER: u32 = 4096;

/// Longest version, in ASCII characters.
pub const VERSION_LENGTH: usize = 16;

/// Why an image cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BuildError {
    /// The version is empty, too long, or not printable ASCII.
    #[error("version {0:?} is not 1 to 16 printable ASCII characters")]
    Version(String),
    /// Smaller than its header, or the payload has more than 32 bits of length.
    #[error("a file of {0} bytes is not possible: at least 64, at most 4 GiB and 63")]
    Size(u64),
}

/// An image of `size` bytes in all, header included. Equal arguments give equal bytes.
pub fn build(version: &str, size: u64, seed: u64) -> Result<Vec<u8>, BuildError> {
    let printable = version.bytes().all(|byte| byte.is_ascii_graphic());
    if version.is_empty() || version.len() > VERSION_LENGTH || !printable {
        return Err(BuildError::Version(version.chars().take(40).collect()));
    }
    let wrong_size = || BuildError::Size(size);
    let payload_length = size.checked_sub(HEADER as u64).ok_or_else(wrong_size)?;
    let payload_length = u32::try_from(payload_length).map_err(|_| wrong_size())?;
    let whole = usize::try_from(size).map_err(|_| wrong_size())?;
    let mut image = Vec::with_capacity(whole.next_multiple_of(8));
    image.extend_from_slice(&MAGIC);
    image.extend_from_slice(&(HEADER as u32).to_be_bytes());
    image.extend_from_slice(&payload_length.to_be_bytes());
    image.extend_from_slice(version.as_bytes());
    image.resize(HEADER, 0);
    let mut noise = SplitMix(seed);
    while image.len() < whole {
        image.extend_from_slice(&noise.next().to_be_bytes());
    }
    image.truncate(whole);
    let hash = Sha256::digest(&image[HEADER..]);
    image[32..HEADER].copy_from_slice(&hash);
    Ok(image)
}

/// The version of bytes that may or may not be an image: of a foreign one, and of a broken one,
/// the first 12 hex digits of the SHA-256 of all of it.
#[must_use]
pub fn version_of(bytes: &[u8]) -> String {
    let mut verifier = Verifier::new();
    // What is wrong is found again, and told, by finish.
    let _ = verifier.push(bytes);
    match verifier.finish() {
        Ok(image) => image.version,
        Err(_) => foreign_version(&Sha256::digest(bytes).into()),
    }
}

/// The first 12 hex digits of a hash.
fn foreign_version(hash: &[u8; 32]) -> String {
    hash[..6].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Steele, Lea and Flood's generator: bytes that do not compress, the same on every machine.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_as_written_above() {
        let image = build("1.2.3", 100, 7).unwrap();
        assert_eq!(image.len(), 100);
        assert_eq!(&image[..8], b"FOTALAB\x01");
        assert_eq!(&image[8..16], [0, 0, 0, 64, 0, 0, 0, 36]);
        assert_eq!(&image[16..32], b"1.2.3\0\0\0\0\0\0\0\0\0\0\0");
        assert_eq!(&image[32..64], &Sha256::digest(&image[64..])[..]);
        assert_eq!(version_of(&image), "1.2.3");
    }

    #[test]
    fn the_payload_depends_on_the_seed_alone() {
        assert_eq!(build("1", 1000, 1), build("1", 1000, 1));
        assert_ne!(
            build("1", 1000, 1).unwrap()[64..],
            build("1", 1000, 2).unwrap()[64..]
        );
        assert_eq!(
            build("1", 1000, 1).unwrap()[64..],
            build("2", 1000, 1).unwrap()[64..]
        );
        // The published first output of the generator for seed 1234567.
        assert_eq!(SplitMix(1_234_567).next(), 6_457_827_717_110_365_317);
    }

    #[test]
    fn refuses_what_it_cannot_say() {
        for version in ["", "12345678901234567", "1 0", "ä"] {
            assert!(
                matches!(build(version, 100, 0), Err(BuildError::Version(_))),
                "{version}"
            );
        }
        assert_eq!(build("1", 63, 0), Err(BuildError::Size(63)));
        assert_eq!(
            build("1", u64::from(u32::MAX) + 65, 0),
            Err(BuildError::Size(4_294_967_360))
        );
    }

    #[test]
    fn a_foreign_image_is_named_by_its_hash() {
        // echo -n abc | sha256sum
        assert_eq!(version_of(b"abc"), "ba7816bf8f01");
        assert_eq!(version_of(b""), "e3b0c44298fc");
    }
}
