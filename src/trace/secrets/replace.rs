//! Finds secrets in what leaves the process, in one pass, and puts their stand-ins there.

use std::{
    borrow::Cow,
    sync::{Arc, PoisonError, RwLockReadGuard},
};

use serde_json::Value;

use super::{
    Secrets,
    known::{Finder, Known},
};

/// What is told of JSON that has to be taken apart, and cannot be.
const TOO_DEEP: &str = "(nested too deep to look for secrets, not kept)";
/// What stands where a text was cut, by whoever showed it.
const CUT: char = '…';
/// Less of a secret than this tells nothing.
const LEAST_LEFT: usize = 6;

/// Bytes by which stand-ins are longer than secrets, mostly.
const ROOM: usize = 64;

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
        let finder = Finder::of(&known.forms);
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
        in_json(&self.known, finder, json).unwrap_or_else(|| {
            let value = serde_json::from_str(json).unwrap_or_else(|_| Value::from(TOO_DEEP));
            Cow::Owned(self.json(&value).to_string())
        })
    }
}

/// `None`: a value has to be taken apart.
fn in_json<'a>(known: &Known, finder: &Finder, json: &'a str) -> Option<Cow<'a, str>> {
    if known.escaped && json.contains('\\') {
        return None;
    }
    let mut replaced = String::new();
    let mut done = 0;
    while let Some(found) = known.next(finder, json, done) {
        if done == 0 {
            replaced.reserve(json.len() + ROOM);
        }
        let form = &known.forms[found.pattern()];
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
}
