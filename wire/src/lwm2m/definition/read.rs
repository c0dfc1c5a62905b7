//! Definitions from JSON: ids, types, operations, multiplicity, obligation.
//!
//! ```json
//! [{ "id": 9, "name": "thing", "version": "1.0", "multiple": false, "mandatory": false,
//!    "resources": [{ "id": 0, "name": "level", "operations": "RW", "type": "integer",
//!                    "multiple": false, "mandatory": true, "since": "1.0" }] }]
//! ```
//! Everything but ids and names may be left out: version 1.0, single, optional, `R` and no type
//! (which only an executed resource may).

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use thiserror::Error;

use super::{ObjectDefinition, Operations, ResourceDefinition};
use crate::lwm2m::limits;
use crate::lwm2m::path::RESERVED_ID;
use crate::lwm2m::value::Kind;
use crate::lwm2m::version::Version;

/// Why definitions could not be taken.
#[derive(Debug, Error)]
pub enum DefinitionError {
    /// Larger than [`limits::DEFINITION_FILE`].
    #[error("definitions of {0} bytes are more than the {max} taken", max = limits::DEFINITION_FILE)]
    TooLarge(usize),
    /// Not JSON of this shape; says line and column.
    #[error("failed to read definitions: {0}")]
    Syntax(#[from] serde_json::Error),
    /// Not XML; says line and column.
    #[error("failed to read definitions: {0}")]
    Xml(#[from] roxmltree::Error),
    /// XML of another shape.
    #[error("failed to read definitions: line {line}: {why}")]
    Shape {
        /// From 1.
        line: u32,
        /// What is wrong.
        why: String,
    },
    /// An object that makes no sense.
    #[error("object {object}: {why}")]
    Object {
        /// Its id.
        object: u16,
        /// What is wrong.
        why: String,
    },
}

pub(super) fn objects(json: &str) -> Result<Vec<ObjectDefinition>, DefinitionError> {
    if json.len() > limits::DEFINITION_FILE {
        return Err(DefinitionError::TooLarge(json.len()));
    }
    checked(serde_json::from_str(json)?)
}

/// Holds what was written against what an object can be.
pub(super) fn checked(
    written: Vec<WrittenObject>,
) -> Result<Vec<ObjectDefinition>, DefinitionError> {
    let mut seen = BTreeSet::new();
    written
        .into_iter()
        .map(|object| {
            let id = object.id;
            let error = |why: String| DefinitionError::Object { object: id, why };
            if !seen.insert(id) {
                return Err(error("defined twice".to_owned()));
            }
            object.checked().map_err(error)
        })
        .collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenObject {
    pub(super) id: u16,
    pub(super) name: String,
    #[serde(default)]
    pub(super) version: Version,
    #[serde(default)]
    pub(super) multiple: bool,
    #[serde(default)]
    pub(super) mandatory: bool,
    pub(super) resources: Vec<WrittenResource>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenResource {
    pub(super) id: u16,
    pub(super) name: String,
    pub(super) operations: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: Option<Kind>,
    #[serde(default)]
    pub(super) multiple: bool,
    #[serde(default)]
    pub(super) mandatory: bool,
    #[serde(default)]
    pub(super) since: Version,
}

impl WrittenObject {
    fn checked(self) -> Result<ObjectDefinition, String> {
        if self.id == RESERVED_ID {
            return Err("65535 is reserved".to_owned());
        }
        if self.resources.len() > limits::DEFINITION_RESOURCES {
            return Err(format!(
                "more than {} resources",
                limits::DEFINITION_RESOURCES
            ));
        }
        let mut resources = BTreeMap::new();
        for resource in self.resources {
            let id = resource.id;
            let resource = resource
                .checked()
                .map_err(|why| format!("resource {id}: {why}"))?;
            if resources.insert(id, resource).is_some() {
                return Err(format!("resource {id} is defined twice"));
            }
        }
        Ok(ObjectDefinition {
            id: self.id,
            name: self.name,
            version: self.version,
            multiple: self.multiple,
            mandatory: self.mandatory,
            resources,
        })
    }
}

impl WrittenResource {
    fn checked(self) -> Result<ResourceDefinition, String> {
        if self.id == RESERVED_ID {
            return Err("65535 is reserved".to_owned());
        }
        let operations = match self.operations.as_deref().unwrap_or("R") {
            "" => Operations::default(),
            "R" => Operations {
                read: true,
                ..Operations::default()
            },
            "W" => Operations {
                write: true,
                ..Operations::default()
            },
            "RW" => Operations {
                read: true,
                write: true,
                execute: false,
            },
            "E" => Operations {
                execute: true,
                ..Operations::default()
            },
            other => {
                return Err(format!(
                    "operations `{other}`; it may be R, W, RW, E or empty"
                ));
            }
        };
        if operations.execute == self.kind.is_some() {
            return Err("a type belongs to all but executed resources".to_owned());
        }
        Ok(ResourceDefinition {
            id: self.id,
            name: self.name,
            operations,
            kind: self.kind,
            multiple: self.multiple,
            mandatory: self.mandatory,
            since: self.since,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_wrong_with_a_definition() {
        for (json, why) in [
            (
                r#"[{"id":1,"name":"a","resources":[{"id":0,"name":"b"}]}]"#,
                "a type belongs",
            ),
            (
                r#"[{"id":1,"name":"a","resources":[{"id":0,"name":"b","operations":"X"}]}]"#,
                "operations `X`",
            ),
            (
                r#"[{"id":1,"name":"a","resources":[]},{"id":1,"name":"a","resources":[]}]"#,
                "object 1: defined twice",
            ),
            (
                r#"[{"id":1,"name":"a","resource":[]}]"#,
                "unknown field `resource`",
            ),
            (
                r#"[{"id":1,"name":"a","version":"one","resources":[]}]"#,
                "no version such as 1.1",
            ),
            (r#"[{"id":65535,"name":"a","resources":[]}]"#, "reserved"),
            (
                r#"[{"id":1,"name":"a","resources":[{"id":0,"name":"b","type":"int"}]}]"#,
                "unknown variant `int`",
            ),
        ] {
            let error = objects(json).unwrap_err().to_string();
            assert!(error.contains(why), "{json}: {error}");
        }
    }
}
