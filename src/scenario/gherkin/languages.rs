//! Keywords of all languages, from the official list (`languages.json`, see its licence).

use std::{collections::BTreeMap, rc::Rc, sync::LazyLock};

use serde_json::Value;

static LANGUAGES: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("languages.json")).unwrap_or_default());

/// Keywords of one language.
#[derive(Debug)]
pub(super) struct Language {
    pub(super) name: Rc<str>,
    pub(super) feature: Vec<&'static str>,
    pub(super) background: Vec<&'static str>,
    pub(super) rule: Vec<&'static str>,
    pub(super) scenario: Vec<&'static str>,
    pub(super) scenario_outline: Vec<&'static str>,
    pub(super) examples: Vec<&'static str>,
    /// Keywords of steps, the longest first, each with its type.
    pub(super) steps: Vec<(&'static str, &'static str)>,
}

impl Language {
    /// A language by its code, such as `no` or `en-pirate`.
    pub(super) fn named(name: &str) -> Option<Self> {
        let entry = LANGUAGES.get(name)?;
        let words = |key: &str| -> Vec<&'static str> {
            entry[key]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect()
        };
        let mut types: BTreeMap<&str, Vec<&'static str>> = BTreeMap::new();
        let mut steps: Vec<&'static str> = Vec::new();
        for (key, kind) in [
            ("given", "Context"),
            ("when", "Action"),
            ("then", "Outcome"),
            ("and", "Conjunction"),
            ("but", "Conjunction"),
        ] {
            for word in words(key) {
                types.entry(word).or_default().push(kind);
                steps.push(word);
            }
        }
        steps.sort_by_key(|it| std::cmp::Reverse(it.encode_utf16().count()));
        let kind = |word: &str| match types.get(word).map(Vec::as_slice) {
            Some([only]) => *only,
            _ => "Unknown",
        };
        Some(Self {
            name: name.into(),
            feature: words("feature"),
            background: words("background"),
            rule: words("rule"),
            scenario: words("scenario"),
            scenario_outline: words("scenarioOutline"),
            examples: words("examples"),
            steps: steps.into_iter().map(|word| (word, kind(word))).collect(),
        })
    }
}

/// Codes of all languages.
pub(super) fn codes() -> impl Iterator<Item = &'static str> {
    LANGUAGES
        .as_object()
        .into_iter()
        .flat_map(|it| it.keys().map(String::as_str))
}
