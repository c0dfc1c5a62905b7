//! What a step says when something is not as it should be.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// What was expected, what was there, and where.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mismatch {
    /// One sentence, lower-case, without a full stop.
    pub message: String,
    /// Where expected and actual differ, by JSONPath. Empty where there is nothing to compare.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    /// More that helps: the answer's status and body, the closest message.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// How to mend it, where it is the scenario that needs mending.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Both values whole, for a view side by side; of a step's last attempt only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sides: Option<Box<Sides>>,
}

/// What was expected and what was there, whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sides {
    /// What should be there.
    pub expected: Value,
    /// What is there.
    pub actual: Value,
}

/// One place where two values differ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// JSONPath, `$` for the whole.
    pub path: String,
    /// What should be there; `None`: nothing should.
    #[serde(
        default,
        deserialize_with = "there",
        skip_serializing_if = "Option::is_none"
    )]
    pub expected: Option<Value>,
    /// What is there; `None`: nothing is.
    #[serde(
        default,
        deserialize_with = "there",
        skip_serializing_if = "Option::is_none"
    )]
    pub actual: Option<Value>,
}

/// A `null` is a value, not the absence of one.
fn there<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

impl Mismatch {
    /// A mismatch that one sentence says.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            ..Self::default()
        }
    }

    /// Two values that should be equal.
    #[must_use]
    pub fn between(
        message: impl Into<String>,
        expected: impl Into<Value>,
        actual: impl Into<Value>,
    ) -> Self {
        let difference = Difference {
            path: "$".to_owned(),
            expected: Some(expected.into()),
            actual: Some(actual.into()),
        };
        Self::new(message).differences(vec![difference])
    }

    /// Adds the places that differ.
    #[must_use]
    pub fn differences(mut self, differences: Vec<Difference>) -> Self {
        self.differences.extend(differences);
        self
    }

    /// Adds both values whole, to be shown side by side.
    #[must_use]
    pub fn sides(mut self, expected: &Value, actual: Option<&Value>) -> Self {
        self.sides = actual.map(|actual| {
            Box::new(Sides {
                expected: expected.clone(),
                actual: actual.clone(),
            })
        });
        self
    }

    /// Says how to mend it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds something that helps to understand it.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

/// What a step returns when it did not hold; [`Lab::fail`](super::Lab::fail) makes it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StepError(pub(super) String);

/// The result of a step.
pub type StepResult = Result<(), StepError>;
