//! What is known to be secret, in all the ways to write it, and where it stands in a text.

use std::{
    collections::BTreeSet,
    sync::{Arc, OnceLock},
};

use aho_corasick::{AhoCorasick, Anchored, Input, Match, MatchKind, StartKind};

use super::filter::{self, Filter};

/// What is known to be secret.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) forms: Vec<Form>,
    /// Their texts.
    pub(super) texts: BTreeSet<String>,
    /// Made when they are first needed after a change.
    pub(super) finder: Option<Arc<Finder>>,
    /// One of them has characters that JSON escapes: nested once more, it looks different again.
    pub(super) escaped: bool,
}

/// Finds all of them.
#[derive(Debug)]
pub(super) struct Finder {
    filter: Filter,
    /// The longest first; made when there is something to replace.
    patterns: OnceLock<AhoCorasick>,
    /// Made when there is a cut.
    sorted: OnceLock<Sorted>,
}

/// The forms by their text, and the length of the longest.
#[derive(Debug)]
pub(super) struct Sorted {
    forms: Vec<usize>,
    pub(super) longest: usize,
}

/// One of the ways to write a secret.
#[derive(Debug)]
pub(super) struct Form {
    pub(super) text: String,
    pub(super) stand_in: String,
    /// It can be replaced in JSON as text: it has nothing that JSON escapes, and cannot stand
    /// outside of strings as a number does.
    pub(super) plain: bool,
}

impl Finder {
    /// Of these forms.
    pub(super) fn of(forms: &[Form]) -> Self {
        Self {
            filter: Filter::new(forms.iter().map(|it| it.text.as_str())),
            patterns: OnceLock::new(),
            sorted: OnceLock::new(),
        }
    }
}

impl Known {
    /// Takes in the forms of a secret.
    pub(super) fn add(&mut self, forms: impl IntoIterator<Item = String>, stand_in: &str) {
        let escapes = |it: &str| it.contains(['"', '\\']) || it.contains(char::is_control);
        let unquoted = |it: char| "{}[]:,.+-0123456789eEtrufalsn ".contains(it);
        for text in forms {
            if !self.texts.insert(text.clone()) {
                continue;
            }
            let escaped = escapes(&text) || escapes(stand_in);
            self.escaped |= escaped;
            self.finder = None;
            self.forms.push(Form {
                plain: !escaped && !text.chars().all(unquoted),
                text,
                stand_in: stand_in.to_owned(),
            });
        }
    }

    pub(super) fn patterns<'a>(&self, finder: &'a Finder) -> &'a AhoCorasick {
        finder.patterns.get_or_init(|| {
            let patterns = AhoCorasick::builder()
                .match_kind(MatchKind::LeftmostLongest)
                .start_kind(StartKind::Both)
                .build(self.forms.iter().map(|it| &it.text));
            // It refuses more than four billion states, which no memory holds.
            patterns.expect("the secrets fit into memory")
        })
    }

    /// The next secret in a text: looked for exactly where the filter suspects one.
    pub(super) fn next(&self, finder: &Finder, text: &str, from: usize) -> Option<Match> {
        let mut from = from;
        while from < text.len() {
            let first = finder.filter.first(text, from)?;
            let end = text.len().min(first + filter::STEP);
            // Most that is suspected ends after a few bytes.
            let found = (first..end).find_map(|at| {
                let here = Input::new(text).span(at..text.len());
                self.patterns(finder).find(here.anchored(Anchored::Yes))
            });
            if found.is_some() {
                return found;
            }
            from = end;
        }
        None
    }

    /// The form that a text begins, which was cut before the end of it.
    pub(super) fn begun(&self, finder: &Finder, sorted: &Sorted, text: &str) -> Option<&Form> {
        if text.len() >= filter::LONG && !finder.filter.may_begin(text.as_bytes()) {
            return None;
        }
        let of = |at: &usize| &self.forms[*at];
        let at = sorted.forms.partition_point(|it| *of(it).text < *text);
        let form = sorted.forms.get(at).map(of)?;
        form.text.starts_with(text).then_some(form)
    }

    pub(super) fn sorted<'a>(&self, finder: &'a Finder) -> &'a Sorted {
        finder.sorted.get_or_init(|| {
            let mut forms: Vec<usize> = (0..self.forms.len()).collect();
            forms.sort_by_key(|it| &self.forms[*it].text);
            let lengths = self.forms.iter().map(|it| it.text.len());
            Sorted {
                forms,
                longest: lengths.max().unwrap_or(0),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_in_steps_is_what_is_found_at_all() {
        // Few letters, so that texts are full of patterns and of what begins like one.
        let mut state = 7_u64;
        let mut letters = |length: usize| -> String {
            let letter = |_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                ['a', 'b', 'ä'][usize::try_from(state >> 33).unwrap_or_default() % 3]
            };
            (0..length).map(letter).collect()
        };
        for round in 0..200 {
            let mut known = Known::default();
            let lengths = [5, 7, 9, 10, 11, 14, 20, 24];
            let patterns = lengths.map(&mut letters);
            known.add(patterns.clone(), "x");
            let finder = Finder::of(&known.forms);
            let mut text = letters(60);
            for pattern in &patterns {
                text.push_str(pattern);
                text.push_str(&letters(round % 9));
            }
            let mut found = Vec::new();
            let mut from = 0;
            while let Some(it) = known.next(&finder, &text, from) {
                from = it.end();
                found.push(it);
            }
            let all: Vec<Match> = known.patterns(&finder).find_iter(&text).collect();
            assert_eq!(found, all, "{text}: {patterns:?}");
        }
    }
}
