//! Tells quickly that a text has no secret in it: most have none.
//!
//! Of a long pattern eight bytes in a row are enough to suspect it, and a text is only looked at
//! in so large steps that each pattern is met once (the q-gram filter of Wu and Manber).

use std::collections::HashSet;

use aho_corasick::AhoCorasick;

/// Bytes of a pattern that is long.
const LONG: usize = 20;
/// Bytes that are looked at together.
const GRAM: usize = 8;
/// From one look to the next: any long pattern has one of them inside.
const STEP: usize = LONG - GRAM + 1;
/// Bits of the first look, as a power of two: 32 KiB stay in the fastest cache.
const BITS: u32 = 18;

/// Finds texts that may have a secret in them.
#[derive(Debug)]
pub(super) struct Filter {
    /// Patterns that are not long.
    short: Option<AhoCorasick>,
    /// A bit for the hash of each gram.
    bits: Vec<u64>,
    grams: HashSet<u64, foldhash::fast::FixedState>,
}

impl Filter {
    /// For these patterns.
    pub(super) fn new<'a>(patterns: impl Iterator<Item = &'a str>) -> Self {
        let (long, short): (Vec<&str>, Vec<&str>) = patterns.partition(|it| it.len() >= LONG);
        let mut filter = Self {
            // It refuses more than four billion states, which no memory holds.
            short: (!short.is_empty())
                .then(|| AhoCorasick::new(short).expect("the secrets fit into memory")),
            bits: vec![0; 1 << (BITS - 6)],
            grams: HashSet::default(),
        };
        for pattern in long {
            for at in 0..STEP {
                if let Some(gram) = gram(pattern.as_bytes(), at) {
                    let (word, bit) = place(gram);
                    filter.bits[word] |= bit;
                    filter.grams.insert(gram);
                }
            }
        }
        filter
    }

    /// `false`: there is none.
    pub(super) fn suspects(&self, text: &str) -> bool {
        if self.short.as_ref().is_some_and(|it| it.is_match(text)) {
            return true;
        }
        if self.grams.is_empty() {
            return false;
        }
        let bytes = text.as_bytes();
        let mut at = 0;
        while let Some(gram) = gram(bytes, at) {
            let (word, bit) = place(gram);
            if self.bits[word] & bit != 0 && self.grams.contains(&gram) {
                return true;
            }
            at += STEP;
        }
        false
    }
}

fn gram(bytes: &[u8], at: usize) -> Option<u64> {
    let gram = bytes.get(at..at + GRAM)?;
    gram.try_into().ok().map(u64::from_le_bytes)
}

/// Word and bit, by a multiplication that mixes all bytes into the upper bits (Knuth, 6.4).
fn place(gram: u64) -> (usize, u64) {
    let hash = gram.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - BITS);
    let word = usize::try_from(hash >> 6).unwrap_or_default();
    (word, 1 << (hash & 63))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_suspected_wherever_it_stands() {
        let patterns = [
            "0123456789abcdefghij",
            "short",
            "0123456789abcdefghijklmnopq!",
        ];
        for pattern in patterns {
            let filter = Filter::new([pattern].into_iter());
            for before in 0..40 {
                for after in [0, 1, 7, 30] {
                    let text = format!("{}{pattern}{}", "x".repeat(before), "y".repeat(after));
                    assert!(filter.suspects(&text), "{text}");
                }
            }
        }
        assert!(!Filter::new(patterns.into_iter()).suspects("nothing of that kind, but long"));
        assert!(!Filter::new([].into_iter()).suspects("anything"));
    }
}
