//! Pre-shared keys: which device a PSK identity stands for, and its key.
//!
//! The table has a lock of its own, because a DTLS handshake looks keys up while the rest of the
//! state is in use. Clones share it.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

/// Longest PSK identity in bytes (RFC 7925 4.2, contract 2.9).
pub(crate) const MAX_IDENTITY_BYTES: usize = fotalab_wire::dtls::limits::MAX_IDENTITY_BYTES;
/// Longest key in bytes.
pub(crate) const MAX_KEY_BYTES: usize = fotalab_wire::dtls::limits::MAX_KEY_BYTES;

/// All keys, by identity.
#[derive(Clone, Default)]
pub(crate) struct Keys {
    table: Arc<RwLock<BTreeMap<Vec<u8>, Entry>>>,
}

struct Entry {
    endpoint: String,
    key: Vec<u8>,
}

impl Keys {
    /// The key of an identity.
    pub(crate) fn key(&self, identity: &[u8]) -> Option<Vec<u8>> {
        self.with(identity, |it| it.key.clone())
    }

    /// The endpoint name of the device that an identity stands for.
    pub(crate) fn endpoint(&self, identity: &[u8]) -> Option<String> {
        self.with(identity, |it| it.endpoint.clone())
    }

    /// Whether the identity stands for another device than `endpoint`.
    pub(super) fn is_of_another(&self, identity: &[u8], endpoint: &str) -> bool {
        self.with(identity, |it| it.endpoint != endpoint) == Some(true)
    }

    pub(super) fn put(&self, identity: &[u8], endpoint: &str, key: Vec<u8>) {
        let entry = Entry {
            endpoint: endpoint.to_owned(),
            key,
        };
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        table.insert(identity.to_vec(), entry);
    }

    pub(super) fn remove(&self, identity: &[u8]) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        table.remove(identity);
    }

    fn with<T>(&self, identity: &[u8], look: impl FnOnce(&Entry) -> T) -> Option<T> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table.get(identity).map(look)
    }
}

/// Reads a key as it is written: hexadecimal, 1 to [`MAX_KEY_BYTES`] bytes.
pub(crate) fn read_key(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.chars().map(|it| it.to_digit(16));
    let digits = digits.collect::<Option<Vec<u32>>>()?;
    let fits = digits.len() % 2 == 0 && (2..=2 * MAX_KEY_BYTES).contains(&digits.len());
    let bytes = digits.chunks_exact(2).map(|pair| {
        let byte = pair.iter().fold(0, |byte, digit| byte << 4 | digit);
        u8::try_from(byte).unwrap_or_default()
    });
    fits.then(|| bytes.collect())
}

/// Without the keys.
impl fmt::Debug for Keys {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Keys").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_hexadecimal_and_not_too_long() {
        assert_eq!(read_key("00fF"), Some(vec![0, 255]));
        for wrong in ["", "0", "000", "0g", &"00".repeat(MAX_KEY_BYTES + 1)] {
            assert_eq!(read_key(wrong), None, "{wrong}");
        }
    }
}
