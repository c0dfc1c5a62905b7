//! The inputs of a request: path, query and body as one, checked before anything else happens
//! (contract 1.1).

use std::sync::Arc;

use serde_json::{Map, Value};

use super::Problem;
use crate::{
    core::{
        devices::Device,
        ulid::is_ulid,
        upgrade_path::{UpgradePath, is_bundle_id},
    },
    limits,
    server::Server,
};

const NO_MATCH: &str = "Expected string to match regular expression";

/// All inputs of a request, and what is wrong with them.
#[derive(Debug)]
pub(super) struct Inputs {
    values: Map<String, Value>,
    mistakes: Vec<String>,
}

/// Who asks about which device.
#[derive(Debug)]
pub(super) struct Owner {
    id: String,
    fingerprint: String,
}

impl Inputs {
    /// Later ones override: path, then query, then body. A body that is no JSON object is `{}`.
    pub(super) fn merge(
        path: &[(&'static str, &str)],
        query: Vec<(String, String)>,
        body: &[u8],
    ) -> Self {
        let mut values = Map::new();
        for (name, value) in path {
            values.insert((*name).to_owned(), (*value).into());
        }
        for (name, value) in query {
            values.insert(name, value.into());
        }
        if let Ok(Value::Object(body)) = serde_json::from_slice(body) {
            values.extend(body);
        }
        Self {
            values,
            mistakes: Vec::new(),
        }
    }

    /// The device id and the fingerprint.
    pub(super) fn owner(&mut self) -> Owner {
        let id = self.text("id", |it| it.len() <= limits::MAX_NAME_BYTES);
        Owner {
            id,
            fingerprint: self.fingerprint(),
        }
    }

    /// The fingerprint.
    pub(super) fn fingerprint(&mut self) -> String {
        self.text("fingerprint", is_fingerprint)
    }

    /// The id of a job of ours.
    pub(super) fn job_id(&mut self) -> String {
        self.text("jobId", is_ulid)
    }

    /// The id of a bundle.
    pub(super) fn bundle_id(&mut self) -> String {
        self.text("bundleId", is_bundle_id)
    }

    /// The upgrade path.
    pub(super) fn upgrade_path(&mut self) -> Option<UpgradePath> {
        let Some(value) = self.values.get("upgradePath") else {
            self.mistake("/upgradePath", "Expected required property");
            return None;
        };
        match UpgradePath::parse(value) {
            Ok(path) => Some(path),
            Err(violations) => {
                for it in violations {
                    self.mistake(&format!("/upgradePath{}", it.pointer), it.message);
                }
                None
            }
        }
    }

    /// The value, for readers of their own.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// Notes a mistake.
    pub(super) fn mistake(&mut self, pointer: &str, message: &str) {
        self.mistakes.push(format!("{pointer}: {message}"));
    }

    /// All mistakes, as one problem.
    pub(super) fn finish(self) -> Result<(), Problem> {
        if self.mistakes.is_empty() {
            Ok(())
        } else {
            Err(Problem::validation(&self.mistakes))
        }
    }

    fn text(&mut self, name: &str, fits: impl Fn(&str) -> bool) -> String {
        let pointer = format!("/{name}");
        match self.values.get(name) {
            None => self.mistake(&pointer, "Expected required property"),
            Some(Value::String(text)) if text.is_empty() => {
                self.mistake(&pointer, "Expected string length greater or equal to 1");
            }
            Some(Value::String(text)) if fits(text) => return text.clone(),
            Some(Value::String(_)) => self.mistake(&pointer, NO_MATCH),
            Some(_) => self.mistake(&pointer, "Expected string"),
        }
        String::new()
    }
}

impl Owner {
    /// The device, if it is theirs: 404, then 403.
    pub(super) fn device(&self, server: &Arc<Server>) -> Result<Device, Problem> {
        let state = server.state();
        let device = state
            .registry
            .device(&self.id)
            .ok_or_else(|| Problem::not_found("No device found with ID!").detail(&self.id))?;
        if device.identity.fingerprint.as_deref() != Some(self.fingerprint.as_str()) {
            return Err(Problem::forbidden("Fingerprint does not match!").detail(&self.fingerprint));
        }
        Ok(device.clone())
    }
}

/// `^[A-F0-9]{1,}\.[ABCDEFGHIJKMNPQRSTUVWXYZ2-9]{6}$`, in any case (contract 1.1).
pub(crate) fn is_fingerprint(text: &str) -> bool {
    let Some((production_run, token)) = text.split_once('.') else {
        return false;
    };
    let in_alphabet = |it: u8| {
        let upper = it.to_ascii_uppercase();
        (upper.is_ascii_uppercase() && !matches!(upper, b'L' | b'O')) || (b'2'..=b'9').contains(&it)
    };
    (1..=limits::MAX_NAME_BYTES).contains(&production_run.len())
        && production_run.bytes().all(|it| it.is_ascii_hexdigit())
        && token.len() == 6
        && token.bytes().all(in_alphabet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_told_apart() {
        for text in ["92b.y7i24q", "92B.Y7I24Q", "0.abcdef", "29a.z9z9z9"] {
            assert!(is_fingerprint(text), "{text}");
        }
        for text in [
            "",
            ".",
            "92b",
            "92b.y7i24",
            "92b.y7i24qq",
            "92g.y7i24q",
            ".y7i24q",
            "92b.y7o24q",
            "92b.l7i24q",
            "92b.y1i24q",
            "92b.y0i24q",
            "92b.y7i24é",
            "92b.y7i24q\n",
        ] {
            assert!(!is_fingerprint(text), "{text}");
        }
    }

    #[test]
    fn the_body_overrides_the_query_and_the_query_the_path() {
        let query = vec![
            ("a".to_owned(), "query".to_owned()),
            ("b".to_owned(), "query".to_owned()),
        ];
        let inputs = Inputs::merge(&[("a", "path"), ("c", "path")], query, br#"{"b":"body"}"#);
        assert_eq!(
            Value::from(inputs.values),
            serde_json::json!({"a": "query", "c": "path", "b": "body"})
        );
    }

    #[test]
    fn what_is_no_object_is_nothing() {
        for body in [&b"{"[..], b"[1]", b"null", b"\xff", b"7"] {
            assert!(Inputs::merge(&[], Vec::new(), body).values.is_empty());
        }
    }
}
