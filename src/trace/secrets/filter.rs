//! Tells quickly that a text has no secret in it: most have none.
//!
//! Of a long pattern a few bytes in a row are enough to suspect it, and a text is only looked at in
//! so large steps that each pattern is met once (the q-gram filter of Wu and Manber).

use std::collections::HashSet;

use aho_corasick::{AhoCorasick, Input, MatchKind, Span, packed};

/// Bytes of a pattern that is long.
pub(super) const LONG: usize = 10;
/// Bytes that are looked at together.
const WIDTH: usize = 6;
/// From one look to the next: any long pattern has one of them inside.
pub(super) const STEP: usize = LONG - WIDTH + 1;
/// Bits of the first look, as a power of two: 32 KiB stay in the fastest cache.
const BITS: u32 = 18;
const WORDS: usize = 1 << (BITS - 6);

/// Finds texts that may have a secret in them.
#[derive(Debug)]
pub(super) struct Filter {
    /// Patterns that are not long.
    short: Option<Short>,
    /// A bit for the hash of each gram.
    bits: Box<[u64; WORDS]>,
    grams: HashSet<u64, foldhash::fast::FixedState>,
}

impl Filter {
    /// For these patterns.
    pub(super) fn new<'a>(patterns: impl Iterator<Item = &'a str>) -> Self {
        let (long, short): (Vec<&str>, Vec<&str>) = patterns.partition(|it| it.len() >= LONG);
        let mut filter = Self {
            short: (!short.is_empty()).then(|| Short::of(&short)),
            bits: Box::new([0; WORDS]),
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
        let short = self.short.as_ref().and_then(|it| it.first(text, from));
        long.into_iter().chain(short).min()
    }

    /// Whether a long pattern may begin with the first bytes here.
    pub(super) fn may_begin(&self, text: &[u8]) -> bool {
        text.first_chunk::<WIDTH>().is_some_and(|bytes| {
            let gram = gram(bytes);
            let (word, bit) = place(gram);
            self.bits[word] & bit != 0 && self.grams.contains(&gram)
        })
    }

    fn first_gram(&self, text: &[u8], from: usize) -> Option<usize> {
        if self.grams.is_empty() {
            return None;
        }
        let mut at = from;
        // Many looks together, of which hardly one finds anything.
        while let Some(block) = text.get(at..).and_then(<[u8]>::first_chunk::<BLOCK>) {
            let mut any = 0;
            for look in 0..LOOKS {
                let (word, bit) = place(gram_at(block, look * STEP));
                any |= self.bits[word] & bit;
            }
            if any != 0
                && let Some(found) = self.suspected(text, at, LOOKS)
            {
                return Some(found);
            }
            at += LOOKS * STEP;
        }
        let rest = (text.len() - at.min(text.len())) / STEP + 1;
        self.suspected(text, at, rest)
    }

    /// The first of so many looks that finds the gram of a pattern.
    fn suspected(&self, text: &[u8], from: usize, looks: usize) -> Option<usize> {
        let places = (0..looks).map(|it| from + it * STEP);
        for at in places.take_while(|it| it + WIDTH <= text.len()) {
            let gram = gram(&text[at..at + WIDTH]);
            let (word, bit) = place(gram);
            if self.bits[word] & bit != 0 && self.grams.contains(&gram) {
                return Some(at);
            }
        }
        None
    }
}

/// Looks at once.
const LOOKS: usize = 8;
/// Bytes that they see, and two that they only read.
const BLOCK: usize = (LOOKS - 1) * STEP + 8;

const MASK: u64 = (1 << (8 * WIDTH)) - 1;

fn gram_at(block: &[u8; BLOCK], at: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&block[at..at + 8]);
    u64::from_le_bytes(bytes) & MASK
}

fn gram(bytes: &[u8]) -> u64 {
    let bytes = bytes.iter().rev();
    bytes.fold(0, |all, it| all << 8 | u64::from(*it))
}

/// Finds patterns that are not long.
#[derive(Debug)]
enum Short {
    /// Few of them, by vector instructions (Teddy).
    Few(packed::Searcher),
    Many(AhoCorasick),
}

impl Short {
    fn of(patterns: &[&str]) -> Self {
        match packed::Searcher::new(patterns) {
            Some(few) => Self::Few(few),
            None => {
                let many = AhoCorasick::builder()
                    .match_kind(MatchKind::LeftmostFirst)
                    .build(patterns);
                // It refuses more than four billion states, which no memory holds.
                Self::Many(many.expect("the secrets fit into memory"))
            }
        }
    }

    /// Where a pattern begins at the earliest.
    fn first(&self, text: &str, from: usize) -> Option<usize> {
        let span = Span::from(from..text.len());
        let found = match self {
            Self::Few(few) => few.find_in(text, span),
            Self::Many(many) => many.find(Input::new(text).span(span)),
        };
        found.map(|it| it.start())
    }
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
