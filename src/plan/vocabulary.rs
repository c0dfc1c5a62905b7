//! Every step there is, ours and those of the crates that add some, found by a title.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock, OnceLock},
};

use cucumber::{codegen::StepConstructor as _, codegen::WorldInventory, step};
use regex::Regex;

use super::Entry;
use crate::run::Lab;

/// One step definition.
#[derive(Debug)]
pub struct Definition {
    /// Where it is written.
    pub location: step::Location,
    /// The function that carries it out.
    pub run: step::Step<Lab>,
    /// Its catalogue entry; `None` for a step from elsewhere that declares nothing.
    pub entry: Option<&'static Entry>,
    compile: fn() -> Regex,
    regex: OnceLock<Regex>,
}

/// What a title gave to a definition's regex: each group's name and text; the whole match first.
pub type Captures = Vec<(Option<String>, String)>;

impl Definition {
    /// Its pattern, compiled on first use.
    pub fn regex(&self) -> &Regex {
        self.regex.get_or_init(self.compile)
    }

    /// What this title gives to its groups, or `None` when the title is not this sentence.
    #[must_use]
    pub fn captures(&self, title: &str) -> Option<Captures> {
        if self
            .entry
            .is_some_and(|entry| !title.contains(entry.fixed_words()))
        {
            return None;
        }
        let regex = self.regex();
        let found = regex.captures(title)?;
        let names = regex.capture_names().map(|name| name.map(str::to_owned));
        let texts = found
            .iter()
            .map(|group| group.map_or("", |it| it.as_str()).to_owned());
        Some(names.zip(texts).collect())
    }

    /// The sentence for people: the catalogue's, else the pattern.
    #[must_use]
    pub fn sentence(&self) -> String {
        self.entry.map_or_else(
            || self.regex().as_str().to_owned(),
            |it| it.sentence.to_owned(),
        )
    }
}

/// All step definitions of this process.
#[derive(Debug)]
pub struct Vocabulary {
    definitions: Vec<Arc<Definition>>,
}

impl Vocabulary {
    /// The steps that are linked into this process.
    #[must_use]
    pub fn of_this_process() -> &'static Self {
        static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(Vocabulary::collect);
        &VOCABULARY
    }

    fn collect() -> Self {
        let mut entries: BTreeMap<&str, BTreeMap<u32, &'static Entry>> = BTreeMap::new();
        for entry in inventory::iter::<Entry> {
            entries
                .entry(entry.file)
                .or_default()
                .insert(entry.line, entry);
        }
        // All three of cucumber's tables: the dialect matches without the keyword.
        let given = inventory::iter::<<Lab as WorldInventory>::Given>
            .into_iter()
            .map(|it| it.inner());
        let when = inventory::iter::<<Lab as WorldInventory>::When>
            .into_iter()
            .map(|it| it.inner());
        let then = inventory::iter::<<Lab as WorldInventory>::Then>
            .into_iter()
            .map(|it| it.inner());
        let mut found: Vec<_> = given.chain(when).chain(then).collect();
        found.sort_by_key(|(location, ..)| (location.path, location.line, location.column));
        let mut previous_line: BTreeMap<&str, u32> = BTreeMap::new();
        let definitions = found
            .into_iter()
            .map(|(location, compile, run)| {
                // The entry directly above: after the step before this one, up to this line.
                let after = previous_line
                    .insert(location.path, location.line)
                    .unwrap_or(0);
                let entry = entries.get(location.path).and_then(|of_file| {
                    of_file
                        .range(after..=location.line)
                        .next_back()
                        .map(|(_, entry)| *entry)
                });
                Arc::new(Definition {
                    location,
                    run,
                    entry,
                    compile,
                    regex: OnceLock::new(),
                })
            })
            .collect();
        Self { definitions }
    }

    /// Every definition, by file and line.
    #[must_use]
    pub fn definitions(&self) -> &[Arc<Definition>] {
        &self.definitions
    }

    /// The definitions whose sentence this title is; the same pattern under several keywords
    /// counts once.
    #[must_use]
    pub fn find(&self, title: &str) -> Vec<(&Arc<Definition>, Captures)> {
        let mut found: Vec<(&Arc<Definition>, Captures)> = Vec::new();
        for definition in &self.definitions {
            if let Some(captures) = definition.captures(title)
                && !found
                    .iter()
                    .any(|(other, _)| other.regex().as_str() == definition.regex().as_str())
            {
                found.push((definition, captures));
            }
        }
        found
    }

    /// The sentence closest to a title that is none, and whether only its arguments differ.
    #[must_use]
    pub fn nearest(&self, title: &str) -> Option<Nearest> {
        let asked = without_arguments(title);
        self.definitions
            .iter()
            .filter_map(|definition| definition.entry)
            .flat_map(|entry| {
                spoken_forms(entry.sentence)
                    .into_iter()
                    .map(move |it| (entry, it))
            })
            .map(|(entry, form)| {
                let likeness = strsim::normalized_damerau_levenshtein(&asked, &form);
                (likeness, entry, form == asked)
            })
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .filter(|(likeness, ..)| *likeness >= LIKENESS_WORTH_SAYING)
            .map(|(_, entry, only_arguments)| Nearest {
                sentence: entry.sentence,
                only_arguments,
            })
    }
}

/// Below this likeness (0..1) a suggestion would rather mislead.
const LIKENESS_WORTH_SAYING: f64 = 0.6;

/// The nearest known sentence.
#[derive(Clone, Copy, Debug)]
pub struct Nearest {
    /// The sentence as the catalogue writes it.
    pub sentence: &'static str,
    /// Its words are the same; what stands in the backticks does not fit.
    pub only_arguments: bool,
}

/// The title with what stands between backticks left out.
fn without_arguments(title: &str) -> String {
    title
        .split('`')
        .enumerate()
        .map(|(nth, part)| if nth % 2 == 0 { part } else { "``" })
        .collect()
}

/// The ways a catalogue sentence can be said: each option in and out, each choice taken once.
fn spoken_forms(sentence: &str) -> Vec<String> {
    let mut forms = vec![String::new()];
    let mut rest = sentence;
    while let Some(at) = rest.find(['[', '(', '`']) {
        let (words, tail) = rest.split_at(at);
        for form in &mut forms {
            form.push_str(words);
        }
        let (open, close) = match tail.as_bytes()[0] {
            b'[' => ('[', ']'),
            b'(' => ('(', ')'),
            _ => ('`', '`'),
        };
        let Some(end) = tail[1..].find(close).map(|at| at + 1) else {
            break;
        };
        let inner = &tail[1..end];
        let choices: Vec<String> = match open {
            '`' => vec!["``".to_owned()],
            '[' => vec![String::new(), without_arguments(inner)],
            _ => inner.split('|').map(without_arguments).collect(),
        };
        forms = forms
            .iter()
            .flat_map(|form| choices.iter().map(move |choice| format!("{form}{choice}")))
            .collect();
        rest = &tail[end + 1..];
    }
    for form in &mut forms {
        form.push_str(rest);
        *form = form.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_has_all_its_spoken_forms() {
        assert_eq!(
            spoken_forms("I [re]connect (to|from) `URL`"),
            [
                "I connect to ``",
                "I connect from ``",
                "I reconnect to ``",
                "I reconnect from ``"
            ]
        );
    }

    #[test]
    fn a_typo_is_answered_with_the_nearest_sentence() {
        let nearest = Vocabulary::of_this_process()
            .nearest("I stor `1` into `x`")
            .expect("one");
        assert_eq!(nearest.sentence, "I store `EXPRESSION` into `NAME`");
        assert!(!nearest.only_arguments);
    }
}
