//! Finds secrets in what leaves the process, in one pass, and puts their stand-ins there.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    sync::{Arc, OnceLock, PoisonError, RwLockReadGuard},
};

use aho_corasick::{AhoCorasick, Anchored, Input, Match, MatchKind, StartKind};
use serde_json::Value;

use super::{
    Secrets,
    filter::{self, Filter},
};

/// What is known to be secret.
#[derive(Debug, Default)]
pub(super) struct Known {
    forms: Vec<Form>,
    /// Their texts.
    texts: BTreeSet<String>,
    /// Made when they are first needed after a change.
    finder: Option<Arc<Finder>>,
    /// One of them has characters that JSON escapes: nested once more, it looks different again.
    escaped: bool,
}

/// Finds all of them.
#[derive(Debug)]
struct Finder {
    filter: Filter,
    /// The longest first; made when there is something to replace.
    patterns: OnceLock<AhoCorasick>,
    /// Made when there is a cut.
    sorted: OnceLock<Sorted>,
}

/// The forms by their text, and the length of the longest.
#[derive(Debug)]
struct Sorted {
    forms: Vec<usize>,
    longest: usize,
}

/// What is told of JSON that has to be taken apart, and cannot be.
const TOO_DEEP: &str = "(nested too deep to look for secrets, not kept)";
/// What stands where a text was cut, by whoever showed it.
const CUT: char = '…';
/// Less of a secret than this tells nothing.
const LEAST_LEFT: usize = 6;

/// Bytes by which stand-ins are longer than secrets, mostly.
const ROOM: usize = 64;

/// One of the ways to write a secret.
#[derive(Debug)]
struct Form {
    text: String,
    stand_in: String,
    /// It can be replaced in JSON as text: it has nothing that JSON escapes, and cannot stand
    /// outside of strings as a number does.
    plain: bool,
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

    fn patterns<'a>(&self, finder: &'a Finder) -> &'a AhoCorasick {
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
    fn next(&self, finder: &Finder, text: &str, from: usize) -> Option<Match> {
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
    fn begun(&self, finder: &Finder, sorted: &Sorted, text: &str) -> Option<&Form> {
        if text.len() >= filter::LONG && !finder.filter.may_begin(text.as_bytes()) {
            return None;
        }
        let of = |at: &usize| &self.forms[*at];
        let at = sorted.forms.partition_point(|it| *of(it).text < *text);
        let form = sorted.forms.get(at).map(of)?;
        form.text.starts_with(text).then_some(form)
    }

    fn sorted<'a>(&self, finder: &'a Finder) -> &'a Sorted {
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

    /// `None`: a value has to be taken apart.
    fn in_json<'a>(&self, finder: &Finder, json: &'a str) -> Option<Cow<'a, str>> {
        if self.escaped && json.contains('\\') {
            return None;
        }
        let mut replaced = String::new();
        let mut done = 0;
        while let Some(found) = self.next(finder, json, done) {
            if done == 0 {
                replaced.reserve(json.len() + ROOM);
            }
            let form = &self.forms[found.pattern()];
            if !form.plain || cuts_an_escape(json, found.start()) {
                return None;
            }
            replaced.push_str(&json[done..found.start()]);
            replaced.push_str(&form.stand_in);
            done = found.end();
        }
        if done == 0 {
            return Some(Cow::Borrowed(json));
        }
        replaced.push_str(&json[done..]);
        Some(Cow::Owned(replaced))
    }
}

/// What is known to be secret, held for many texts one after the other. Nobody can add to it
/// meanwhile.
pub(crate) struct Replacer<'a> {
    known: RwLockReadGuard<'a, Known>,
    /// `None` while nothing is secret.
    finder: Option<Arc<Finder>>,
}

impl Secrets {
    /// For many texts.
    pub(crate) fn replacer(&self) -> Replacer<'_> {
        let finder = self.finder();
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        Replacer { known, finder }
    }

    /// The text with every secret replaced.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        self.replacer().text(text).into_owned()
    }

    /// The value with every secret replaced, in keys and in texts.
    #[must_use]
    pub fn redact_json(&self, value: &Value) -> Value {
        self.replacer().json(value)
    }

    /// `None` while there are none.
    fn finder(&self) -> Option<Arc<Finder>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if known.forms.is_empty() || known.finder.is_some() {
            return known.finder.clone();
        }
        drop(known);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let finder = Finder {
            filter: Filter::new(known.forms.iter().map(|it| it.text.as_str())),
            patterns: OnceLock::new(),
            sorted: OnceLock::new(),
        };
        known.finder = Some(Arc::new(finder));
        known.finder.clone()
    }
}

impl Replacer<'_> {
    /// The text with every secret replaced; a copy only where there is one.
    pub(crate) fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.replaced(text).map_or(Cow::Borrowed(text), Cow::Owned)
    }

    /// The same; `None` where there is nothing to replace.
    pub(crate) fn replaced(&self, text: &str) -> Option<String> {
        let finder = self.finder.as_ref()?;
        let mut replaced = String::new();
        let mut done = 0;
        while let Some(found) = self.known.next(finder, text, done) {
            if done == 0 {
                replaced.reserve(text.len() + ROOM);
            }
            replaced.push_str(&text[done..found.start()]);
            replaced.push_str(&self.known.forms[found.pattern()].stand_in);
            done = found.end();
        }
        if done == 0 {
            return None;
        }
        replaced.push_str(&text[done..]);
        Some(replaced)
    }

    /// The text without what cuts (`…`) left of secrets; `None` where they left nothing.
    pub(crate) fn cut(&self, text: &str) -> Option<String> {
        let finder = self.finder.as_ref()?;
        let mut replaced = String::new();
        let mut done = 0;
        for (cut, _) in text.match_indices(CUT) {
            let sorted = self.known.sorted(finder);
            let from = cut.saturating_sub(sorted.longest).max(done);
            let to = (cut + 1).saturating_sub(LEAST_LEFT);
            let mut places = (from..to).filter(|it| text.is_char_boundary(*it));
            let begun = places.find_map(|at| {
                let form = self.known.begun(finder, sorted, &text[at..cut])?;
                Some((at, form))
            });
            if let Some((at, form)) = begun {
                replaced.push_str(&text[done..at]);
                replaced.push_str(&form.stand_in);
                done = cut;
            }
        }
        if done == 0 {
            return None;
        }
        replaced.push_str(&text[done..]);
        Some(replaced)
    }

    /// The value with every secret replaced, in keys and in texts.
    pub(crate) fn json(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text).into_owned()),
            Value::Array(items) => Value::Array(items.iter().map(|it| self.json(it)).collect()),
            Value::Object(entries) => {
                let entries = entries.iter();
                let entries = entries.map(|(key, it)| (self.text(key).into_owned(), self.json(it)));
                Value::Object(entries.collect())
            }
            // A number can be a secret too: `--set PINTOKEN:=123456`. As a part of another number
            // it says nothing.
            Value::Number(number) => {
                let text = number.to_string();
                if !self.known.texts.contains(&text) {
                    return value.clone();
                }
                let form = self.known.forms.iter().find(|it| it.text == text);
                form.map_or_else(|| value.clone(), |it| it.stand_in.clone().into())
            }
            other => other.clone(),
        }
    }

    /// The text of a value, with every secret replaced as [`Replacer::json`] does. Most have none,
    /// and are not taken apart.
    pub(crate) fn json_text<'a>(&self, json: &'a str) -> Cow<'a, str> {
        let Some(finder) = &self.finder else {
            return Cow::Borrowed(json);
        };
        self.known.in_json(finder, json).unwrap_or_else(|| {
            let value = serde_json::from_str(json).unwrap_or_else(|_| Value::from(TOO_DEEP));
            Cow::Owned(self.json(&value).to_string())
        })
    }
}

/// Whether the character at `at` is the end of an escape in a JSON string: `\n`, `\u001b` (RFC 8259,
/// 7). What looks like a secret there is none.
fn cuts_an_escape(json: &str, at: usize) -> bool {
    let before = &json.as_bytes()[at.saturating_sub(5)..at];
    let Some(back) = before.iter().rev().position(|it| *it == b'\\') else {
        return false;
    };
    let slash = at - 1 - back;
    let slashes = json.as_bytes()[..=slash].iter().rev();
    let odd = slashes.take_while(|it| **it == b'\\').count() % 2 == 1;
    let length = if json.as_bytes().get(slash + 1) == Some(&b'u') {
        6
    } else {
        2
    };
    odd && slash + length > at
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_as_text_is_replaced_as_its_values_are() {
        let secrets = Secrets::default();
        for (name, value) in [
            ("fingerprint", "92b.y7i24q"),
            ("psk", "92b.y7i24qq"),
            ("TOKEN", "001babcd"),
            ("PIN", "123456"),
            ("password", "a/b c\"d"),
        ] {
            secrets.add(name, value);
            for json in [
                json!({ "92b.y7i24q": ["x92b.y7i24qq", { "n": 1, "t": "92b.y7i24q 92b.y7i24q" }] }),
                json!({ "t": "\u{1b}abcd \\u001babcd 001babcd", "hex": "0030303162616263642e" }),
                json!([123_456, 1_234_567, "x123456", { "123456": 0.123_456 }]),
                json!({ "nested": "{\"t\": \"a/b c\\\"d\"}", "url": "?p=a%2Fb%20c%22d" }),
            ] {
                let (text, indented) = (json.to_string(), format!("{json:#}"));
                for text in [&text, &indented] {
                    let replacer = secrets.replacer();
                    let redacted = replacer.json_text(text);
                    let redacted: Value = serde_json::from_str(&redacted).expect("still JSON");
                    assert_eq!(redacted, replacer.json(&json), "{name}: {text}");
                }
            }
        }
        let shown = secrets.redact_json(&json!([
            "1b123456",
            123_456,
            1_234_567,
            "30303162616263640a"
        ]));
        let shown = shown.to_string();
        assert!(
            !shown.contains("123456,") && shown.contains("1234567"),
            "{shown}"
        );
        assert!(!shown.contains("3030316261626364"), "{shown}");
    }

    #[test]
    fn what_a_cut_left_of_a_secret_is_replaced() {
        let secrets = Secrets::default();
        secrets.add("token", "canary-0123456789");
        secrets.add("pin", "öbcdefg");
        let replacer = secrets.replacer();
        for (text, expected) in [
            ("{\"hex\":\"0063616e617279…\"}", Some("{\"hex\":\"00[token")),
            ("a canary-0…", Some("a [token")),
            ("öbcdef…canary…", Some("[pin")),
            ("canar… canary-0123456789 canary-0", None),
            ("…", None),
            ("", None),
        ] {
            let cut = replacer.cut(text);
            assert_eq!(cut.is_some(), expected.is_some(), "{text}: {cut:?}");
            let cut = cut.unwrap_or_default();
            assert!(cut.starts_with(expected.unwrap_or_default()), "{cut}");
            assert!(!cut.contains("canary") && !cut.contains("63616e"), "{cut}");
        }
    }

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
            let finder = Finder {
                filter: Filter::new(known.forms.iter().map(|it| it.text.as_str())),
                patterns: OnceLock::new(),
                sorted: OnceLock::new(),
            };
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
