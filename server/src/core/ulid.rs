//! Ids of our own: ULIDs from the clock and a seed, so that a run can be repeated.

use fotalab_wire::net::UnixMillis;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// How many of the 80 random bits are drawn.
const DRAWN_BITS: u32 = 79;

/// Draws ULIDs. The same seed and the same times give the same ids.
#[derive(Debug)]
pub(crate) struct Ulids {
    state: u64,
    last: u128,
}

impl Ulids {
    /// A generator for `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            state: seed,
            last: 0,
        }
    }

    /// 26 characters: 48 bits of time, 80 drawn bits. Later ones sort later, also within one
    /// millisecond: then the drawn bits are those of the last one, plus one.
    pub(crate) fn draw(&mut self, now: UnixMillis) -> String {
        let time = u128::from(now.unsigned_abs() & 0xFFFF_FFFF_FFFF);
        // One bit less than there is room for leaves room to count.
        let drawn =
            (u128::from(self.next()) << 64 | u128::from(self.next())) & ((1 << DRAWN_BITS) - 1);
        let value = (time << 80 | drawn).max(self.last + 1);
        self.last = value;
        (0..26)
            .rev()
            .map(|place| char::from(ALPHABET[usize::from((value >> (5 * place)) as u8 & 31)]))
            .collect()
    }

    /// splitmix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

/// Whether `text` matches `^[0-9A-HJKMNP-TV-Z]{26}$` (contract 1.2).
pub(crate) fn is_ulid(text: &str) -> bool {
    text.len() == 26 && text.bytes().all(|it| ALPHABET.contains(&it))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_carry_the_time_and_differ() {
        let mut ulids = Ulids::new(7);
        // The time part of the specification's example, 01ARYZ6S41: 1469918176385.
        let (first, second) = (ulids.draw(1_469_918_176_385), ulids.draw(1_469_918_176_385));
        assert_eq!(&first[..10], "01ARYZ6S41");
        assert!(first < second);
        assert!(is_ulid(&first) && is_ulid(&second));
        assert_eq!(Ulids::new(7).draw(1_469_918_176_385), first);
        assert!(!is_ulid("01ARYZ6S41TSV4RRFFQ69G5FAI"), "there is no I");
    }
}
