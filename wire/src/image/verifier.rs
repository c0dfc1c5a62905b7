//! Verification while the bytes arrive, in constant memory.

use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{HEADER, LONGEST_HEADER, MAGIC, foreign_version};

/// Takes an image in chunks of any size and says at the end, or as soon as it is known, what is
/// wrong with it.
#[derive(Clone, Debug)]
pub struct Verifier {
    insist: bool,
    /// The first bytes, as far as they are there.
    head: [u8; HEADER],
    /// Bytes so far.
    taken: u64,
    layout: Layout,
    /// Of all bytes of a foreign image, of the payload of one of ours.
    hash: Sha256,
    broken: Option<ImageError>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Layout {
    /// Not yet enough bytes to tell.
    Unknown,
    Foreign,
    /// Where the payload begins and where it ends.
    Ours {
        payload: u64,
        end: u64,
    },
}

/// What an image turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// From the header, or the first 12 hex digits of the SHA-256 of a foreign image.
    pub version: String,
    /// All bytes, with the header.
    pub length: u64,
    /// Whether it has no header of ours.
    pub foreign: bool,
}

/// What is wrong with an image.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ImageError {
    /// Ours was insisted on and this is none (Update Result 6).
    #[error("the image does not begin with the magic `FOTALAB\\x01`")]
    Magic,
    /// A header that makes no sense.
    #[error("the header of the image says {0} bytes for itself; it may be 64 to 4096")]
    HeaderLength(u32),
    /// A version that is not ASCII with NUL padding.
    #[error("the version in the header of the image is not ASCII with NUL padding")]
    Version,
    /// More bytes than the header says.
    #[error("the image goes on after the {expected} bytes that its header says")]
    TooLong {
        /// Bytes in all, by the header.
        expected: u64,
    },
    /// Fewer bytes than the header says.
    #[error("the image is cut off: {taken} of {expected} bytes")]
    CutOff {
        /// Bytes that came.
        taken: u64,
        /// Bytes in all, by the header; 64 if not even the header came whole.
        expected: u64,
    },
    /// The payload is not the one that was hashed (Update Result 5).
    #[error("the payload of the image does not have the SHA-256 that its header says")]
    Hash,
}

impl Verifier {
    /// For a device that takes what it gets.
    #[must_use]
    pub fn new() -> Self {
        Self {
            insist: false,
            head: [0; HEADER],
            taken: 0,
            layout: Layout::Unknown,
            hash: Sha256::new(),
            broken: None,
        }
    }

    /// For a device that takes only images with the header of ours.
    #[must_use]
    pub fn insisting() -> Self {
        Self {
            insist: true,
            ..Self::new()
        }
    }

    /// Takes the next bytes. An error is final: it is given again by each later call.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), ImageError> {
        if self.broken.is_none() {
            self.broken = self.take(bytes).err();
        }
        self.broken.clone().map_or(Ok(()), Err)
    }

    /// Bytes taken so far.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Bytes of the whole image, once its header says so.
    #[must_use]
    pub fn expected(&self) -> Option<u64> {
        match self.layout {
            Layout::Ours { end, .. } => Some(end),
            _ => None,
        }
    }

    /// Says what the image is, once all bytes are there.
    pub fn finish(mut self) -> Result<Image, ImageError> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        if self.layout == Layout::Unknown {
            let taken = self.taken as usize;
            // A cut-off header is ours only if its magic is whole; less is somebody's tiny image.
            if taken >= MAGIC.len() {
                return Err(ImageError::CutOff {
                    taken: self.taken,
                    expected: HEADER as u64,
                });
            }
            if self.insist {
                return Err(ImageError::Magic);
            }
            self.hash.update(&self.head[..taken]);
        }
        let length = self.taken;
        let hash: [u8; 32] = self.hash.finalize().into();
        match self.layout {
            Layout::Unknown | Layout::Foreign => Ok(Image {
                version: foreign_version(&hash),
                length,
                foreign: true,
            }),
            Layout::Ours { end, .. } if length < end => Err(ImageError::CutOff {
                taken: length,
                expected: end,
            }),
            Layout::Ours { .. } if hash[..] != self.head[32..HEADER] => Err(ImageError::Hash),
            Layout::Ours { .. } => Ok(Image {
                version: version(&self.head)?,
                length,
                foreign: false,
            }),
        }
    }

    fn take(&mut self, mut bytes: &[u8]) -> Result<(), ImageError> {
        if self.layout == Layout::Unknown {
            let have = self.taken as usize;
            let more = bytes.len().min(HEADER - have);
            self.head[have..have + more].copy_from_slice(&bytes[..more]);
            self.taken += more as u64;
            bytes = &bytes[more..];
            self.recognise()?;
        }
        match self.layout {
            Layout::Unknown => {}
            Layout::Foreign => self.hash.update(bytes),
            Layout::Ours { payload, end } => {
                let before = payload.saturating_sub(self.taken).min(bytes.len() as u64);
                self.hash.update(&bytes[before as usize..]);
                if self.taken + bytes.len() as u64 > end {
                    return Err(ImageError::TooLong { expected: end });
                }
            }
        }
        if self.layout != Layout::Unknown {
            self.taken += bytes.len() as u64;
        }
        Ok(())
    }

    /// Decides, as soon as the head allows, whose image it is.
    fn recognise(&mut self) -> Result<(), ImageError> {
        let have = self.taken as usize;
        let magic = have.min(MAGIC.len());
        if self.head[..magic] != MAGIC[..magic] {
            if self.insist {
                return Err(ImageError::Magic);
            }
            self.layout = Layout::Foreign;
            self.hash.update(&self.head[..have]);
        } else if have == HEADER {
            let header = number(&self.head, 8);
            if !(HEADER as u32..=LONGEST_HEADER).contains(&header) {
                return Err(ImageError::HeaderLength(header));
            }
            version(&self.head)?;
            let payload = u64::from(header);
            let end = payload + u64::from(number(&self.head, 12));
            self.layout = Layout::Ours { payload, end };
        }
        Ok(())
    }
}

impl Default for Verifier {
    fn default() -> Self {
        Self::new()
    }
}

fn number(head: &[u8; HEADER], at: usize) -> u32 {
    head[at..at + 4]
        .iter()
        .fold(0, |number, byte| (number << 8) | u32::from(*byte))
}

fn version(head: &[u8; HEADER]) -> Result<String, ImageError> {
    let field = &head[16..32];
    let length = field
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(field.len());
    let (text, padding) = field.split_at(length);
    let fine = !text.is_empty()
        && text.iter().all(u8::is_ascii_graphic)
        && padding.iter().all(|byte| *byte == 0);
    let text = fine.then(|| String::from_utf8_lossy(text).into_owned());
    text.ok_or(ImageError::Version)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::image::{build, version_of};

    fn verify(mut verifier: Verifier, bytes: &[u8], chunk: usize) -> Result<Image, ImageError> {
        for chunk in bytes.chunks(chunk) {
            verifier.push(chunk)?;
        }
        verifier.finish()
    }

    #[test]
    fn says_what_is_wrong() {
        let image = build("2.0.0", 300, 1).unwrap();
        let broken = |at: usize, byte: u8| {
            let mut image = image.clone();
            image[at] = byte;
            verify(Verifier::insisting(), &image, 50).unwrap_err()
        };
        assert_eq!(broken(0, b'G'), ImageError::Magic);
        assert_eq!(broken(11, 63), ImageError::HeaderLength(63));
        assert_eq!(broken(8, 1), ImageError::HeaderLength(0x0100_0040));
        assert_eq!(broken(31, b'x'), ImageError::Version);
        assert_eq!(broken(16, 0), ImageError::Version);
        assert_eq!(broken(15, 0), ImageError::TooLong { expected: 64 });
        assert_eq!(
            broken(14, 1),
            ImageError::CutOff {
                taken: 300,
                expected: 556
            }
        );
        assert_eq!(broken(40, 0), ImageError::Hash);
        assert_eq!(broken(299, image[299] ^ 1), ImageError::Hash);
        let cut = verify(Verifier::new(), &image[..40], 7);
        assert_eq!(
            cut,
            Err(ImageError::CutOff {
                taken: 40,
                expected: 64
            })
        );
    }

    #[test]
    fn foreign_bytes_are_refused_only_if_insisted() {
        for bytes in [&b""[..], b"FOTA", b"somebody else's image"] {
            assert_eq!(
                verify(Verifier::insisting(), bytes, 3),
                Err(ImageError::Magic)
            );
            let image = verify(Verifier::new(), bytes, 3).unwrap();
            assert_eq!((image.foreign, image.version), (true, version_of(bytes)));
        }
    }

    #[test]
    fn a_longer_header_is_passed_over() {
        let mut image = build("3", 164, 5).unwrap();
        image.splice(64..64, [9; 6]);
        image[11] = 70;
        for chunk in [1, 5, 66, 200] {
            let length = verify(Verifier::insisting(), &image, chunk).unwrap().length;
            assert_eq!(length, 170);
        }
    }

    proptest! {
        #[test]
        fn chunks_do_not_matter(bytes in prop::collection::vec(any::<u8>(), 0..300), ours: bool, chunk in 1..100_usize) {
            let bytes = if ours { [&b"FOTALAB\x01\0\0\0\x40\0\0"[..], &bytes].concat() } else { bytes };
            let whole = verify(Verifier::new(), &bytes, 1000);
            prop_assert_eq!(verify(Verifier::new(), &bytes, chunk), whole);
        }

        #[test]
        fn what_is_built_verifies(version in "[!-~]{1,16}", size in 64..2000_u64, seed: u64, chunk in 1..100_usize) {
            let image = verify(Verifier::insisting(), &build(&version, size, seed).unwrap(), chunk);
            prop_assert_eq!(image, Ok(Image { version, length: size, foreign: false }));
        }
    }
}
