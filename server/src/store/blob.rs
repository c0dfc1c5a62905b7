//! Firmware images, in memory, each known by its id and its hash.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::limits;

/// A firmware image. It never changes.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    /// Its id, the last segment of its URI.
    pub(crate) id: String,
    /// The SHA-256 of its bytes.
    pub(crate) sha256: [u8; 32],
    /// All of them; shared by every transfer.
    pub(crate) bytes: Bytes,
}

/// All images.
#[derive(Debug, Default)]
pub(crate) struct Images {
    images: BTreeMap<String, Image>,
    bytes: usize,
}

/// There is no room for another image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Image {
    /// The strong entity tag over CoAP: 8 bytes, the most that RFC 7252 5.10.6 allows.
    pub(crate) fn etag(&self) -> &[u8] {
        &self.sha256[..8]
    }

    /// The hash as people write it.
    pub(crate) fn hex(&self) -> String {
        use std::fmt::Write as _;
        let mut hex = String::with_capacity(64);
        for byte in self.sha256 {
            let _ = write!(hex, "{byte:02x}");
        }
        hex
    }
}

impl Images {
    /// Keeps an image.
    pub(crate) fn put(&mut self, image: Image) -> Result<(), Full> {
        let bytes = self.bytes + image.bytes.len();
        if self.images.len() >= limits::MAX_IMAGES || bytes > limits::MAX_IMAGES_BYTES {
            return Err(Full);
        }
        self.bytes = bytes;
        self.images.insert(image.id.clone(), image);
        Ok(())
    }

    /// Forgets an image.
    pub(crate) fn remove(&mut self, id: &str) {
        if let Some(image) = self.images.remove(id) {
            self.bytes -= image.bytes.len();
        }
    }

    /// One image.
    pub(crate) fn get(&self, id: &str) -> Option<&Image> {
        self.images.get(id)
    }
}
