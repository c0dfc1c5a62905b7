//! Which variables a step may use: those given, those set, and those that an earlier step stores.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{Definition, bind::is_name, vocabulary::Captures};

/// The variables every scenario is given (design, "Context given to every scenario"), each with a
/// value of the right form to bind steps with before anything runs.
pub const GIVEN: &[(&str, &str)] = &[
    ("APIURL", "http://127.0.0.1:1/api"),
    ("WSURL", "ws://127.0.0.1:1/ws"),
    ("COIOTEURL", "http://127.0.0.1:1/api/coiotedm/v3"),
    ("COIOTETOKEN", "token"),
    ("HORDEURL", "http://127.0.0.1:1/horde"),
    ("HORDETOKEN", "token"),
    ("IOTAAPURL", "http://127.0.0.1:1/v1"),
    ("IOTAAPTOKEN", "token"),
    ("COAPURL", "coap://127.0.0.1:1"),
    ("COAPSURL", "coaps://127.0.0.1:1"),
    ("ADMINURL", "http://127.0.0.1:1/admin"),
    ("ADMINTOKEN", "token"),
    ("MOCKURL", "http://127.0.0.1:1/mock"),
];

/// What stands for a stored variable without an example value: it is a number, a word and a name.
const STAND_IN: &str = "0";

/// The variables known at one place of a feature.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// Names that have a value by now.
    names: BTreeSet<String>,
    /// Values to bind with; never used while steps run.
    binding: Map<String, Value>,
    /// A step that declares nothing has gone by: it may have stored anything.
    pub open: bool,
}

impl Known {
    /// What is there before the first step: given variables and `--set`.
    #[must_use]
    pub(super) fn at_start<'a>(set: impl IntoIterator<Item = (&'a String, &'a Value)>) -> Self {
        let mut binding = Map::new();
        for (name, value) in GIVEN {
            binding.insert((*name).to_owned(), json!(value));
        }
        for (name, value) in set {
            binding.insert(name.clone(), value.clone());
        }
        let names = binding.keys().cloned().collect();
        Self {
            names,
            binding,
            open: false,
        }
    }

    /// Takes the example values of a file; they make no name known.
    pub(super) fn bind_with(&mut self, examples: &Map<String, Value>) {
        for (name, value) in examples {
            if !GIVEN.iter().any(|(given, _)| given == name) {
                self.binding.insert(name.clone(), value.clone());
            }
        }
    }

    /// Takes a variant.
    pub(super) fn bind_variant(&mut self, variant: Option<&Map<String, Value>>) {
        if let Some(variant) = variant {
            self.binding
                .insert("variant".to_owned(), Value::Object(variant.clone()));
            self.names.insert("variant".to_owned());
        }
    }

    /// Takes the values of an example row; they are known in its scenario only.
    pub(super) fn bind_row(&mut self, row: &Map<String, Value>) {
        for (name, value) in row {
            self.binding.insert(name.clone(), value.clone());
            self.names.insert(name.clone());
        }
    }

    /// Forgets the values of an example row again; what they hid is as it was `before`.
    pub(super) fn unbind_row(&mut self, row: &Map<String, Value>, before: &Self) {
        for name in row.keys() {
            match before.binding.get(name) {
                Some(value) => drop(self.binding.insert(name.clone(), value.clone())),
                None => drop(self.binding.shift_remove(name)),
            }
            if !before.names.contains(name) {
                self.names.remove(name);
            }
        }
    }

    /// Whether a step may use this name here.
    #[must_use]
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Takes what a step stores.
    pub(super) fn store(&mut self, definition: &Definition, captures: &Captures) {
        for name in stored_names(definition, captures) {
            self.binding
                .entry(name.clone())
                .or_insert_with(|| json!(STAND_IN));
            self.names.insert(name);
        }
        self.open |= definition.entry.is_none();
    }

    /// Takes whatever a sentence that is not understood could have stored: its mistake is reported,
    /// what follows from it is not another one.
    pub(super) fn assume(&mut self, sentence: &str) {
        for name in sentence
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|it| is_name(it))
        {
            self.names.insert(name.to_owned());
            self.names.insert(format!("{name}_deviceId"));
        }
    }

    /// Values for binding, with stand-ins for names that have none.
    #[must_use]
    pub(super) fn binding(&self) -> &Map<String, Value> {
        &self.binding
    }

    /// The known name that looks most like this one.
    #[must_use]
    pub(super) fn nearest(&self, name: &str) -> Option<&str> {
        self.names
            .iter()
            .map(|known| (strsim::jaro_winkler(known, name), known.as_str()))
            .filter(|(likeness, _)| *likeness > 0.8)
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, known)| known)
    }
}

/// The names that a step stores under, its captures put in.
#[must_use]
pub fn stored_names(definition: &Definition, captures: &Captures) -> Vec<String> {
    let groups: BTreeMap<&str, &str> = captures
        .iter()
        .filter_map(|(name, text)| Some((name.as_deref()?, text.as_str())))
        .collect();
    let fill = |template: &str| {
        groups
            .iter()
            .fold(template.to_owned(), |text, (group, value)| {
                text.replace(&format!("{{{group}}}"), value)
            })
    };
    definition.entry.map_or_else(Vec::new, |it| {
        it.stores.iter().map(|name| fill(name)).collect()
    })
}
