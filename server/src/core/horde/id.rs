//! Horde's ids: unsigned 64-bit integers in base 24, 14 digits in practice (contract A1).

use fotalab_wire::net::UnixMillis;

const DIGITS: &[u8; 24] = b"0123456789abcdefghijklmn";

/// Draws ids that differ and grow. The same seed and times give the same ids.
#[derive(Debug)]
pub(crate) struct Ids {
    last: u64,
    worker: u64,
}

impl Ids {
    /// A generator for `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            last: 0,
            worker: (seed ^ (seed >> 32)) & 0xFFFF,
        }
    }

    /// The next one: milliseconds in the upper 44 bits, 16 bits of the seed, and a count below.
    pub(crate) fn draw(&mut self, now: UnixMillis) -> String {
        let time = (now.unsigned_abs() & 0xFFF_FFFF_FFFF) << 20 | self.worker << 4;
        self.last = time.max(self.last + 1);
        print(self.last)
    }

    /// An id that was drawn before the server started: later ones stay above it.
    pub(crate) fn known(&mut self, id: &str) {
        self.last = self.last.max(parse(id).unwrap_or_default());
    }
}

/// The number of an id; `None` for what is none. `0` is the id of nothing.
pub(crate) fn parse(id: &str) -> Option<u64> {
    if id.is_empty() {
        return None;
    }
    id.bytes().try_fold(0_u64, |number, byte| {
        let digit = DIGITS.iter().position(|it| *it == byte)?;
        number.checked_mul(24)?.checked_add(digit as u64)
    })
}

fn print(mut number: u64) -> String {
    let mut digits = Vec::new();
    while number > 0 || digits.is_empty() {
        digits.push(DIGITS[(number % 24) as usize]);
        number /= 24;
    }
    digits.iter().rev().map(|it| char::from(*it)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_number_in_base_24() {
        for (text, number) in [("0", 0), ("n", 23), ("10", 24), ("1n", 47)] {
            assert_eq!(parse(text), Some(number));
            assert_eq!(print(number), text);
        }
        assert_eq!(parse(&print(u64::MAX)), Some(u64::MAX));
        // The example of the documentation.
        assert!(parse("17dh0cf43jfgl8").is_some());
        for wrong in ["", "o", "17DH", "-1", "1 ", "nnnnnnnnnnnnnnn"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn ids_differ_and_grow() {
        let mut ids = Ids::new(7);
        let drawn: Vec<u64> = [1_700_000_000_000, 1_700_000_000_000, 1_699_999_999_999]
            .map(|now| parse(&ids.draw(now)).expect("an id"))
            .to_vec();
        assert!(drawn[0] < drawn[1] && drawn[1] < drawn[2]);
        assert_eq!(print(drawn[0]).len(), 14);
        let mut again = Ids::new(7);
        again.known(&print(drawn[2]));
        assert!(parse(&again.draw(1_700_000_000_000)).expect("an id") > drawn[2]);
    }
}
