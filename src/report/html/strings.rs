//! Texts of messages by number.

use std::{borrow::Cow, hash::BuildHasher as _};

use crate::report::json::push_text;

/// Many and long texts by number. What was met lately gets the number that it has: to look for each
/// one among all of them would take longer than to pack it again.
#[derive(Debug)]
pub(super) struct Strings<'a> {
    /// What is between the brackets of a JSON array.
    pub(super) json: Vec<u8>,
    count: u32,
    /// By hash.
    lately: Vec<Option<(Cow<'a, str>, u32)>>,
}

/// Texts that were met lately, as a power of two.
const LATELY: u64 = 512;

impl Default for Strings<'_> {
    fn default() -> Self {
        Self {
            json: Vec::new(),
            count: 0,
            lately: (0..LATELY).map(|_| None).collect(),
        }
    }
}

impl<'a> Strings<'a> {
    /// The number of this text.
    pub(super) fn number(&mut self, text: impl Into<Cow<'a, str>>) -> u32 {
        let text = text.into();
        let hash = foldhash::fast::FixedState::default().hash_one(&*text);
        // Its remainder is small.
        let place = usize::try_from(hash % LATELY).unwrap_or_default();
        match &self.lately[place] {
            Some((known, number)) if *known == text => *number,
            _ => {
                let number = self.count;
                if number > 0 {
                    self.json.push(b',');
                }
                push_text(&mut self.json, &text);
                self.count += 1;
                self.lately[place] = Some((text, number));
                number
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_is_found_by_its_number() {
        let texts: Vec<String> = (0..5_000)
            .map(|it| format!("t\"{}", it * it % 1_500))
            .collect();
        let mut strings = Strings::default();
        let mut numbers = Vec::new();
        for text in &texts {
            numbers.push(strings.number(text.as_str()));
            // An answer that comes again and again.
            assert_eq!(strings.number("2.04"), strings.number("2.04"));
        }
        let json = format!("[{}]", String::from_utf8_lossy(&strings.json));
        let all: Vec<String> = serde_json::from_str(&json).expect("JSON");
        for (text, number) in texts.iter().zip(numbers) {
            assert_eq!(all[usize::try_from(number).expect("small")], *text);
        }
        // Few are met again so late that they are forgotten.
        assert!(all.len() < 5_100, "{}", all.len());
    }
}
