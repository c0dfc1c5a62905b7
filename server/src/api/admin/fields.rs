//! Reads the members of a JSON object one by one and collects every mistake.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::Problem;
use crate::limits;

/// How near a word has to be to be suggested.
const SIMILAR: f64 = 0.7;

/// An object under inspection.
pub(super) struct Fields<'a> {
    object: Option<&'a Map<String, Value>>,
    known: &'static [&'static str],
    mistakes: Vec<String>,
}

impl<'a> Fields<'a> {
    /// `value` should be an object with some of the `known` members and no other.
    pub(super) fn of(value: &'a Value, known: &'static [&'static str]) -> Self {
        let object = value.as_object();
        let mut mistakes = Vec::new();
        if object.is_none() {
            mistakes.push("/: Expected object".to_owned());
        }
        for name in object
            .into_iter()
            .flat_map(Map::keys)
            .filter(|it| !known.contains(&it.as_str()))
        {
            mistakes.push(unknown(name, known));
        }
        Self {
            object,
            known,
            mistakes,
        }
    }

    /// Whether the member is there at all.
    pub(super) fn has(&self, name: &str) -> bool {
        self.object.is_some_and(|it| it.contains_key(name))
    }

    /// A text that fits, or nothing; `null` is nothing.
    pub(super) fn text(
        &mut self,
        name: &str,
        longest: usize,
        fits: impl Fn(&str) -> Result<(), String>,
    ) -> Option<String> {
        debug_assert!(self.known.contains(&name), "{name} is read but not known");
        let mistake = match self.object?.get(name)? {
            Value::Null => return None,
            Value::String(text) if text.is_empty() => "is empty".to_owned(),
            Value::String(text) if text.len() > longest => {
                format!("is longer than {longest} bytes")
            }
            Value::String(text) => match fits(text) {
                Ok(()) => return Some(text.clone()),
                Err(why) => why,
            },
            _ => "Expected string".to_owned(),
        };
        self.mistake(name, &mistake);
        None
    }

    /// A whole number in a range, or nothing; `null` is nothing.
    pub(super) fn number(&mut self, name: &str, range: RangeInclusive<u64>) -> Option<u64> {
        debug_assert!(self.known.contains(&name), "{name} is read but not known");
        let value = self.object?.get(name).filter(|it| !it.is_null())?;
        let number = value.as_u64().filter(|it| range.contains(it));
        if number.is_none() {
            let (from, to) = (range.start(), range.end());
            self.mistake(name, &format!("is no whole number from {from} to {to}"));
        }
        number
    }

    /// Whether the member is there and true.
    pub(super) fn truth(&mut self, name: &str) -> bool {
        debug_assert!(self.known.contains(&name), "{name} is read but not known");
        match self.object.and_then(|it| it.get(name)) {
            None | Some(Value::Null) => false,
            Some(Value::Bool(truth)) => *truth,
            Some(_) => {
                self.mistake(name, "Expected boolean");
                false
            }
        }
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, name: &str) -> Vec<String> {
        let Some(value) = self.object.and_then(|it| it.get(name)) else {
            return Vec::new();
        };
        let texts: Option<Vec<String>> = value.as_array().and_then(|list| {
            list.iter()
                .map(|it| it.as_str().filter(|it| it.len() <= limits::MAX_NAME_BYTES))
                .map(|it| it.map(str::to_owned))
                .collect()
        });
        match texts {
            Some(texts) if texts.len() <= limits::MAX_GROUPS => return texts,
            Some(_) => self.mistake(
                name,
                &format!("has more than {} elements", limits::MAX_GROUPS),
            ),
            None => self.mistake(name, "Expected array of strings"),
        }
        Vec::new()
    }

    /// Notes a mistake.
    pub(super) fn mistake(&mut self, name: &str, mistake: &str) {
        self.mistakes.push(format!("/{name}: {mistake}"));
    }

    /// All mistakes, as one problem.
    pub(super) fn finish(self) -> Result<(), Problem> {
        if self.mistakes.is_empty() {
            Ok(())
        } else {
            Err(Problem::validation(&self.mistakes))
        }
    }
}

fn unknown(name: &str, known: &[&str]) -> String {
    let shown: String = name.chars().take(limits::MAX_NAME_BYTES).collect();
    let distance = |it: &&&str| strsim::jaro_winkler(&shown.to_lowercase(), &it.to_lowercase());
    let nearest = known
        .iter()
        .max_by(|a, b| distance(a).total_cmp(&distance(b)))
        .filter(|it| distance(it) >= SIMILAR);
    match nearest {
        Some(nearest) => format!("/{shown}: Unexpected property, did you mean `{nearest}`?"),
        None => format!(
            "/{shown}: Unexpected property; known are {}",
            known.join(" ")
        ),
    }
}
