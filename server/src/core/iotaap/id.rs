//! Ids and tokens of IoTaaP: 24 hexadecimal digits as MongoDB has them, and alphanumeric secrets
//! (contract B1, B2).

use std::fmt::Write as _;

use fotalab_wire::net::UnixMillis;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

const ALPHANUMERIC: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Draws ids and secrets. The same seed and times give the same ones.
#[derive(Debug)]
pub(crate) struct Ids {
    random: StdRng,
    process: u64,
    count: u32,
}

impl Ids {
    /// A generator for `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        Self {
            process: random.random::<u64>() & 0xFF_FFFF_FFFF,
            count: random.random::<u32>() & 0xFF_FFFF,
            random,
        }
    }

    /// The seconds, five bytes of this process, and a count.
    pub(crate) fn draw(&mut self, now: UnixMillis) -> String {
        let seconds = (now / 1_000).unsigned_abs() & 0xFFFF_FFFF;
        self.count = (self.count + 1) & 0xFF_FFFF;
        format!("{seconds:08x}{:010x}{:06x}", self.process, self.count)
    }

    /// So many letters and digits.
    pub(crate) fn secret(&mut self, length: usize) -> String {
        let letter = |_| {
            let at = self.random.random_range(0..ALPHANUMERIC.len());
            char::from(ALPHANUMERIC[at])
        };
        (0..length).map(letter).collect()
    }

    /// So many bytes, as hexadecimal digits.
    pub(crate) fn hex(&mut self, bytes: usize) -> String {
        (0..bytes).fold(String::new(), |mut text, _| {
            let _ = write!(text, "{:02x}", self.random.random::<u8>());
            text
        })
    }
}

/// Whether a text has the form of an id.
pub(crate) fn is_id(text: &str) -> bool {
    text.len() == 24 && text.bytes().all(|it| it.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_time_in_front() {
        let mut ids = Ids::new(1);
        // The first id of the documentation's example was made on 2020-01-13.
        let id = ids.draw(0x5e1b_c3cc * 1_000 + 7);
        assert!(id.starts_with("5e1bc3cc") && is_id(&id), "{id}");
        assert_ne!(id, ids.draw(0x5e1b_c3cc * 1_000 + 7));
        assert!(!is_id("5e1bc3cc5a5cde30ff0a1ed") && !is_id("undefined"));
        assert_eq!(ids.secret(12).len(), 12);
    }
}
