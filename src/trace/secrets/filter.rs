//! Tells quickly that a text has no secret in it: most have none.
//!
//! Of a long pattern a few bytes in a row are enough to suspect it, and a text is only looked at in
//! so large steps that each pattern is met once (the q-gram filter of Wu and Manber).

use std::collections::HashSet;

use aho_corasick::{AhoCorasick, Input, MatchKind};

/// Bytes of a pattern that is long.
const LONG: usize = 10;
/// Bytes that are looked at together.
const WIDTH: usize = 6;
/// From one look to the next: any long pattern has one of them inside.
pub(super) const STEP: usize = LONG - WIDTH + 1;
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
            short: (!short.is_empty()).then(|| finder(short)),
            bits: vec![0; 1 << (BITS - 6)],
            grams: HashSet::default(),
        };
        for pattern in long {
            for bytes in pattern.as_bytes().windows(WIDTH).take(STEP) {
                let gram = gram(bytes);
                let (word, bit) = place(gram);
                filter.bits[word] |= bit;
                filter.grams.insert(gram);
            }
        }
        filter
    }

    /// Where the first pattern that begins at `from` or later begins at the earliest; `None` where
    /// there is none.
    pub(super) fn first(&self, text: &str, from: usize) -> Option<usize> {
        let gram = self.first_gram(text.as_bytes(), from);
        let long = gram.map(|at| at.saturating_sub(STEP - 1).max(from));
        let short = self.short.as_ref();
        let short = short.and_then(|it| it.find(Input::new(text).span(from..text.len())));
        let short = short.map(|it| it.start());
        long.into_iter().chain(short).min()
    }

    fn first_gram(&self, text: &[u8], from: usize) -> Option<usize> {
        if self.grams.is_empty() {
            return None;
        }
        let mut at = from;
        while let Some(&bytes) = text.get(at..).and_then(<[u8]>::first_chunk) {
            let gram = u64::from_le_bytes(bytes) & MASK;
            let (word, bit) = place(gram);
            if self.bits[word] & bit != 0 && self.grams.contains(&gram) {
                return Some(at);
            }
            at += STEP;
        }
        // At the end there may be fewer than eight bytes.
        let rest = text.get(at..at + WIDTH)?;
        self.grams.contains(&gram(rest)).then_some(at)
    }
}

const MASK: u64 = (1 << (8 * WIDTH)) - 1;

fn gram(bytes: &[u8]) -> u64 {
    let bytes = bytes.iter().rev();
    bytes.fold(0, |all, it| all << 8 | u64::from(*it))
}

/// Few patterns that are looked for leftmost first take vector instructions (Teddy).
fn finder(short: Vec<&str>) -> AhoCorasick {
    let finder = AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostFirst)
        .build(short);
    // It refuses more than four billion states, which no memory holds.
    finder.expect("the secrets fit into memory")
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
    fn a_pattern_is_found_wherever_it_stands() {
        let patterns = [
            "0123456789abcdefghij",
            "short",
            "92b.y7i24q",
            "0123456789abcdefghijklmnopq!",
        ];
        for pattern in patterns {
            let filter = Filter::new([pattern].into_iter());
            for before in 0..40 {
                for after in [0, 1, 7, 30] {
                    let text = format!("{}{pattern}{}", "x".repeat(before), "y".repeat(after));
                    let first = filter.first(&text, 0).expect("it is there");
                    assert!(first <= before && before - first < STEP, "{text}: {first}");
                    assert_eq!(filter.first(&text, before + pattern.len()), None, "{text}");
                }
            }
        }
        let filter = Filter::new(patterns.into_iter());
        assert_eq!(filter.first("nothing of that kind, but long", 0), None);
        assert_eq!(Filter::new([].into_iter()).first("anything", 0), None);
    }
}
