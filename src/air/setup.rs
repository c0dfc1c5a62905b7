//! What a device is, from the code block below the step that makes it.
//!
//! TOML, or JSON in a `json` block: the fields of a persona (`fotalab_simulators::device::Persona`)
//! and those of [`Blueprint`].

use fotalab_simulators::device::Persona;
use fotalab_wire::lwm2m::{Definitions, Kind, Path, Tree, Value};
use serde::Deserialize;
use toml::Value as Toml;

use crate::plan::{Form, Mistake};

/// A device as a scenario describes it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Blueprint {
    /// Its endpoint client name, where that is not the device's name; `{}` is its number.
    pub(crate) endpoint: Option<String>,
    /// Where it registers, where that is not the server under test.
    pub(crate) server: Option<String>,
    /// How it speaks with its server.
    pub(crate) security: Security,
    /// What is compiled into it, if it is one of IoTaaP.
    pub(crate) keys: Option<WrittenKeys>,
    /// The kind of device it is, and what it does wrong.
    pub(crate) persona: Persona,
    /// Values of objects beside 1, 3, 4 and 5.
    pub(crate) values: Tree,
    /// Definitions of such objects.
    pub(crate) definitions: Definitions,
}

/// Id and token of a device of IoTaaP, and those of its group.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct WrittenKeys {
    pub(crate) device: String,
    pub(crate) token: String,
    pub(crate) group: Option<String>,
    pub(crate) group_token: Option<String>,
}

/// How a device speaks with its server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Security {
    /// In the clear.
    #[default]
    NoSec,
    /// Over DTLS with a pre-shared key; what is not given is made up.
    Psk {
        /// The identity; the endpoint name where it is not given. `{}` is the device's number.
        identity: Option<String>,
        /// The key.
        key: Option<Vec<u8>>,
    },
}

/// What the code block of a device may hold, for the plan.
pub(crate) static BLUEPRINT: Form = Form {
    name: "what the device is, as TOML or JSON",
    example: "queue-mode = true",
    required: false,
    check: |language, code| read(language, code).map(drop),
    secrets: |language, code| {
        let table = table(language, code).unwrap_or_default();
        let key = table.get("psk").and_then(|psk| psk.get("key"));
        let key = key.and_then(Toml::as_str).filter(|it| !it.contains("${"));
        key.map(|it| ("psk", it.to_owned())).into_iter().collect()
    },
};

/// Reads a code block; nothing in it is the usual device.
///
/// # Errors
/// What is wrong with it, and in which line.
pub(crate) fn read(language: Option<&str>, code: &str) -> Result<Blueprint, Mistake> {
    let mut table = table(language, code)?;
    let in_line = |field: &str, message: String| Mistake {
        line: line_of(code, field),
        message,
        help: None,
    };
    let mut blueprint = Blueprint::default();
    let mut psk = None;
    let mut security = None;
    for field in ["endpoint", "server", "security"] {
        let Some(value) = table.remove(field) else {
            continue;
        };
        let Toml::String(text) = value else {
            return Err(in_line(field, format!("`{field}` is a text")));
        };
        match field {
            "endpoint" => blueprint.endpoint = Some(text),
            "server" => blueprint.server = Some(text),
            _ => security = Some(text),
        }
    }
    if let Some(value) = table.remove("psk") {
        let read = value.try_into::<WrittenPsk>();
        psk = Some(read.map_err(|error| in_line("psk", format!("psk: {}", error.message())))?);
    }
    if let Some(value) = table.remove("keys") {
        let read = value.try_into::<WrittenKeys>();
        let keys = read.map_err(|error| in_line("keys", format!("keys: {}", error.message())))?;
        if keys.group.is_some() != keys.group_token.is_some() {
            let why = "keys: `group` and `group-token` come together".to_owned();
            return Err(in_line("keys", why));
        }
        blueprint.keys = Some(keys);
    }
    blueprint.security = match (security.as_deref(), psk) {
        (None | Some("psk"), Some(psk)) => Security::Psk {
            identity: psk.identity,
            key: psk
                .key
                .as_deref()
                .map(key)
                .transpose()
                .map_err(|why| in_line("psk", why))?,
        },
        (Some("psk"), None) => Security::Psk {
            identity: None,
            key: None,
        },
        (None | Some("none"), None) => Security::NoSec,
        (Some(other), _) => {
            let why = format!("security is `psk` or `none`, not `{other}`");
            return Err(in_line("security", why));
        }
    };
    if let Some(definitions) = table.remove("definitions") {
        let json = serde_json::to_string(&definitions).unwrap_or_default();
        let read = blueprint.definitions.read(&json);
        read.map_err(|error| in_line("definitions", error.to_string()))?;
    }
    if let Some(values) = table.remove("values") {
        let Toml::Table(values) = values else {
            let why = "`values` is a table: \"/3303/0/5700\" = 21.5".to_owned();
            return Err(in_line("values", why));
        };
        for (path, value) in values {
            objects(&mut blueprint, &path, value).map_err(|why| in_line(&path, why))?;
        }
    }
    blueprint.persona = Persona::of_table(table).map_err(|error| {
        let message = error.to_string();
        let quoted = message.split('`').nth(1).unwrap_or_default();
        in_line(quoted, message.clone())
    })?;
    Ok(blueprint)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPsk {
    identity: Option<String>,
    key: Option<String>,
}

fn table(language: Option<&str>, code: &str) -> Result<toml::Table, Mistake> {
    if language == Some("json") || code.trim_start().starts_with('{') {
        return serde_json::from_str(code).map_err(|error| Mistake {
            line: error.line(),
            message: format!("this is not JSON: {error}"),
            help: None,
        });
    }
    code.parse().map_err(|error: toml::de::Error| {
        let at = error.span().map_or(0, |it| it.start.min(code.len()));
        Mistake {
            line: code.as_bytes()[..at]
                .iter()
                .filter(|it| **it == b'\n')
                .count()
                + 1,
            message: format!("this is not TOML: {}", error.message()),
            help: Some("write for example: queue-mode = true".to_owned()),
        }
    })
}

/// Puts one value into the device's objects; without a definition it makes one that fits.
fn objects(blueprint: &mut Blueprint, path: &str, value: Toml) -> Result<(), String> {
    let at: Path = path.parse().map_err(|why| format!("{path}: {why}"))?;
    let [object, _, resource] = *at.ids() else {
        return Err(format!(
            "{path} is no path of a resource, such as /3303/0/5700"
        ));
    };
    if matches!(object, 0 | 1 | 3 | 4 | 5) {
        return Err(format!("{path}: the device has object {object} by itself"));
    }
    let value = value_of(&value)
        .ok_or_else(|| format!("{path}: a value is a text, a number or a truth value"))?;
    if blueprint.definitions.resource(at).is_none() {
        define(&mut blueprint.definitions, object, resource, &value);
    }
    let value = match blueprint.definitions.kind(at) {
        Some(Kind::Opaque) => bytes_of(&value)
            .ok_or_else(|| format!("{path}: bytes are written as a text such as \"hex:00ff\""))?,
        Some(kind) => value.into_kind(kind)?,
        None => value,
    };
    blueprint.values.set(at, value);
    Ok(())
}

/// Bytes, from a text as messages write them.
fn bytes_of(value: &Value) -> Option<Value> {
    let Value::String(text) = value else {
        return None;
    };
    let bytes = unhex(text.strip_prefix("hex:")?)?;
    Some(Value::Opaque(bytes.into()))
}

/// A value as it is written.
pub(crate) fn value_of(value: &Toml) -> Option<Value> {
    Some(match value {
        Toml::String(text) => Value::String(text.clone()),
        Toml::Integer(number) => Value::Integer(*number),
        Toml::Float(number) => Value::Float(*number),
        Toml::Boolean(truth) => Value::Boolean(*truth),
        _ => return None,
    })
}

fn define(definitions: &mut Definitions, object: u16, resource: u16, value: &Value) {
    use fotalab_wire::lwm2m::{
        Version,
        definition::{ObjectDefinition, Operations, ResourceDefinition},
    };
    let mut defined = definitions
        .object(object)
        .cloned()
        .unwrap_or_else(|| ObjectDefinition {
            id: object,
            name: format!("object-{object}"),
            version: Version::V1_0,
            multiple: true,
            mandatory: false,
            resources: Default::default(),
        });
    let kind = match value {
        Value::Integer(_) => Kind::Integer,
        Value::Float(_) => Kind::Float,
        Value::Boolean(_) => Kind::Boolean,
        _ => Kind::String,
    };
    let definition = ResourceDefinition {
        id: resource,
        name: format!("resource-{resource}"),
        operations: Operations {
            read: true,
            write: true,
            execute: false,
        },
        kind: Some(kind),
        multiple: false,
        mandatory: false,
        since: Version::V1_0,
    };
    defined.resources.insert(resource, definition);
    definitions.add(defined);
}

/// A key from its hexadecimal digits; the message does not repeat it.
fn key(hex: &str) -> Result<Vec<u8>, String> {
    unhex(hex)
        .filter(|key| (1..=64).contains(&key.len()))
        .ok_or_else(|| "psk: the key is 1 to 64 bytes in hexadecimal digits".to_owned())
}

/// Bytes from hexadecimal digits; spaces between bytes do not count.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .filter(|it| !it.is_ascii_whitespace())
        .map(|digit| digit.to_digit(16).map(|it| it as u8))
        .collect();
    let digits = digits.filter(|it| it.len() % 2 == 0)?;
    let pairs = digits.chunks_exact(2);
    Some(
        pairs
            .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
            .collect(),
    )
}

/// The line, from 1, that says something of a field.
fn line_of(code: &str, field: &str) -> usize {
    let says = |line: &str| !field.is_empty() && line.contains(field);
    code.lines().position(says).map_or(1, |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_says_what_differs_from_the_usual_device() {
        let toml = "endpoint = \"urn:dev:1\"\nqueue-mode = true\nsecurity = \"psk\"\n[values]\n\"/3303/0/5700\" = 21.5";
        let json = r#"{"endpoint": "urn:dev:1", "queue-mode": true, "security": "psk", "values": {"/3303/0/5700": 21.5}}"#;
        for (language, code) in [(None, toml), (Some("toml"), toml), (Some("json"), json)] {
            let read = read(language, code).expect("good");
            assert_eq!(read.endpoint.as_deref(), Some("urn:dev:1"));
            assert!(read.persona.queue_mode);
            assert_eq!(
                read.security,
                Security::Psk {
                    identity: None,
                    key: None
                }
            );
            let path = Path::resource(3303, 0, 5700);
            assert_eq!(read.values.value(path), Some(&Value::Float(21.5)));
            assert!(read.definitions.resource(path).is_some());
        }
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        for (code, line, part) in [
            ("\nlifetim = 3", 2, "unknown field `lifetim`"),
            (
                "queue-mode = true\nfaults = [\"out of flsh\"]",
                2,
                "did you mean `out of flash",
            ),
            ("block-bytes = 8", 1, "16 to 1024"),
            ("security = \"tls\"", 1, "`psk` or `none`"),
            (
                "psk = { identity = \"a\", key = \"xyz\" }",
                1,
                "hexadecimal",
            ),
            ("psk = { id = \"a\" }", 1, "unknown field `id`"),
            ("[values]\n\"/5/0/3\" = 1", 2, "by itself"),
            ("[values]\n\"/3303/0\" = 1", 2, "no path of a resource"),
            ("queue-mode: true", 1, "not TOML"),
        ] {
            let mistake = read(None, code).expect_err(code);
            assert!(mistake.message.contains(part), "{code}: {mistake:?}");
            assert_eq!(mistake.line, line, "{code}");
        }
        assert!(
            !read(None, "psk = { key = \"zz11\" }")
                .expect_err("no hex")
                .message
                .contains("zz11")
        );
    }
}
