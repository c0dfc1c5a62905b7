//! What the body of an operation says, and what is asked of the device for it.

use std::time::Duration;

use bytes::Bytes;
use fotalab_wire::lwm2m::{
    ContentFormat, Definitions, Path, Tree,
    attributes::{Changes, Name},
    codec,
};
use serde_json::{Map, Value};

use super::{Fields, Problem};
use crate::{
    limits,
    lwm2m::{Operation, Registered, Watched, json},
};

const FIELDS: &[&str] = &[
    "operation",
    "path",
    "paths",
    "value",
    "values",
    "format",
    "partial",
    "passive",
    "attributes",
    "instance",
    "arguments",
    "timeout",
];

/// Each operation, the members it needs, and those it may have beside `timeout`.
const OPERATIONS: &[(&str, &[&str], &[&str])] = &[
    ("read", &["path"], &["format"]),
    ("discover", &["path"], &[]),
    ("observe", &["path"], &["format"]),
    ("cancel", &[], &["path", "paths", "passive"]),
    ("write", &["path", "value"], &["format", "partial"]),
    ("write-attributes", &["path", "attributes"], &[]),
    ("execute", &["path"], &["arguments"]),
    ("create", &["path", "value"], &["instance", "format"]),
    ("delete", &["path"], &[]),
    ("read-composite", &["paths"], &["format"]),
    ("observe-composite", &["paths"], &["format"]),
    ("write-composite", &["values"], &["format"]),
];

/// The body, each member read.
pub(super) struct Asked {
    name: String,
    path: Option<Path>,
    paths: Vec<Path>,
    value: Value,
    values: Map<String, Value>,
    format: Option<ContentFormat>,
    partial: bool,
    passive: bool,
    attributes: Changes,
    instance: Option<u16>,
    arguments: String,
    /// How long the answer is waited for.
    pub(super) patience: Duration,
}

/// What is done for it.
pub(super) enum Deed {
    /// The device is asked.
    Ask(Operation),
    /// An observation ends.
    Cancel {
        /// Which one.
        watched: Watched,
        /// Without asking.
        passive: bool,
    },
}

/// What a payload for a device is written with.
pub(super) struct Writing {
    definitions: Definitions,
    many: ContentFormat,
}

impl Writing {
    /// For a device, and what is below `path`.
    pub(super) fn of(device: &Registered) -> Self {
        let said = &device.said;
        let many = ContentFormat::for_request(said.version, &said.objects.formats, Path::ROOT);
        Self {
            definitions: device.definitions().clone(),
            many,
        }
    }
}

impl Asked {
    /// Reads the body.
    pub(super) fn read(body: &Value) -> Result<Self, Problem> {
        let mut fields = Fields::of(body, FIELDS);
        let names: Vec<&str> = OPERATIONS.iter().map(|(name, ..)| *name).collect();
        let name = fields.text("operation", limits::MAX_NAME_BYTES, |text| {
            if names.contains(&text) {
                Ok(())
            } else {
                Err(format!("is none of {}", names.join(", ")))
            }
        });
        if !fields.has("operation") {
            fields.mistake("operation", "Expected required property");
        }
        let operation = OPERATIONS
            .iter()
            .find(|(it, ..)| Some(*it) == name.as_deref());
        if let Some((name, needed, optional)) = operation {
            for field in needed.iter().filter(|it| body.get(**it).is_none()) {
                fields.mistake(field, "Expected required property");
            }
            let allowed = |it: &&&str| {
                !needed.contains(it)
                    && !optional.contains(it)
                    && !["operation", "timeout"].contains(it)
            };
            for field in FIELDS.iter().filter(allowed) {
                if fields.has(field) {
                    fields.mistake(field, &format!("is nothing that `{name}` takes"));
                }
            }
        }
        let asked = Self {
            name: name.unwrap_or_default(),
            path: path(&mut fields),
            paths: paths(&mut fields, body),
            value: body.get("value").cloned().unwrap_or_default(),
            values: values(&mut fields, body),
            format: format(&mut fields),
            partial: fields.truth("partial"),
            passive: fields.truth("passive"),
            attributes: attributes(&mut fields, body),
            instance: fields
                .number("instance", 0..=65_534)
                .and_then(|it| u16::try_from(it).ok()),
            arguments: fields
                .text("arguments", limits::MAX_NAME_BYTES, |_| Ok(()))
                .unwrap_or_default(),
            patience: fields
                .number("timeout", 1..=limits::MAX_OPERATION_TIMEOUT.as_secs())
                .map_or(limits::OPERATION_TIMEOUT, Duration::from_secs),
        };
        asked.check(&mut fields);
        fields.finish()?;
        Ok(asked)
    }

    /// The format that the answer should have.
    pub(super) fn accept(&self) -> Option<ContentFormat> {
        let reads = matches!(
            self.name.as_str(),
            "read" | "observe" | "read-composite" | "observe-composite"
        );
        self.format.filter(|_| reads)
    }

    /// What is to be done.
    pub(super) fn deed(self, writing: &Writing) -> Result<Deed, Problem> {
        let mistake = |field: &str, why: String| Problem::validation(&[format!("/{field}: {why}")]);
        let senml = self.format.unwrap_or(ContentFormat::SenmlCbor);
        let path = self.path.unwrap_or(Path::ROOT);
        let operation = match self.name.as_str() {
            "read" => Operation::Read(path),
            "discover" => Operation::Discover(path),
            "observe" => Operation::Observe(path),
            "delete" => Operation::Delete(path),
            "execute" => Operation::Execute {
                path,
                arguments: self.arguments,
            },
            "write-attributes" => Operation::Attributes {
                path,
                query: self.attributes.query(),
            },
            "read-composite" => Operation::ReadMany(self.paths, senml),
            "observe-composite" => Operation::ObserveMany(self.paths, senml),
            "cancel" => {
                let watched = match self.path {
                    Some(path) => Watched::One(path),
                    None => Watched::Many(self.paths),
                };
                return Ok(Deed::Cancel {
                    watched,
                    passive: self.passive,
                });
            }
            "write-composite" => {
                let payload = self.composite(writing, senml);
                Operation::WriteMany {
                    payload: payload.map_err(|why| mistake("values", why))?,
                    format: senml,
                }
            }
            "create" => {
                let (payload, format) = self
                    .instance_of(path, writing)
                    .map_err(|why| mistake("value", why))?;
                Operation::Create {
                    path,
                    payload,
                    format,
                }
            }
            _ => {
                let Writing { definitions, many } = writing;
                let written = json::payload(path, &self.value, definitions, self.format, *many);
                let (payload, format) = written.map_err(|why| mistake("value", why))?;
                let payload = payload.into();
                if self.partial {
                    Operation::Update {
                        path,
                        payload,
                        format,
                    }
                } else {
                    Operation::Write {
                        path,
                        payload,
                        format,
                    }
                }
            }
        };
        Ok(Deed::Ask(operation))
    }

    fn check(&self, fields: &mut Fields<'_>) {
        let depth = self.path.map(|it| it.depth());
        let composite = self.name.ends_with("-composite");
        let senml = matches!(
            self.format,
            None | Some(ContentFormat::SenmlJson | ContentFormat::SenmlCbor)
        );
        if composite && !senml {
            fields.mistake("format", "is none of senml-json, senml-cbor");
        }
        if self.name == "create" {
            if depth.is_some_and(|it| it != 1) {
                fields.mistake("path", "is no object");
            }
            let tlv = matches!(self.format, None | Some(ContentFormat::Tlv));
            if self.instance.is_none() && !tlv {
                fields.mistake("instance", "is needed in every format but tlv");
            }
        }
        if self.partial && depth.is_some_and(|it| it != 2) {
            fields.mistake("partial", "is for an instance only");
        }
        if self.name == "cancel" && self.path.is_some() == fields.has("paths") {
            fields.mistake("path", "Expected one of `path` and `paths`");
        }
        if self.name == "write-attributes" && self.attributes == Changes::default() {
            fields.mistake("attributes", "names nothing");
        }
    }

    /// The values of a composite write as one payload.
    fn composite(&self, writing: &Writing, format: ContentFormat) -> Result<Bytes, String> {
        let mut all = Tree::new();
        for (path, value) in &self.values {
            let path: Path = path.parse().map_err(|why| format!("{path}: {why}"))?;
            all.merge(json::tree(path, value, &writing.definitions, Some(format))?);
        }
        let payload = codec::encode(format, Path::ROOT, &all);
        payload.map(Bytes::from).map_err(|why| why.to_string())
    }

    /// A new instance: with its id, or in TLV its resources alone (TS 1.1 C 6.3.7).
    fn instance_of(
        &self,
        object: Path,
        writing: &Writing,
    ) -> Result<(Bytes, ContentFormat), String> {
        let instance = object.child(self.instance.unwrap_or_default());
        let instance = instance.ok_or("that id is not given to instances")?;
        let tree = json::tree(instance, &self.value, &writing.definitions, self.format)?;
        let (base, format) = match self.instance {
            None => (instance, ContentFormat::Tlv),
            Some(_) => (object, self.format.unwrap_or(writing.many)),
        };
        let payload = codec::encode(format, base, &tree).map_err(|why| why.to_string())?;
        Ok((payload.into(), format))
    }
}

fn path(fields: &mut Fields<'_>) -> Option<Path> {
    let text = fields.text("path", limits::MAX_NAME_BYTES, |text| check_path(text, 1));
    text.and_then(|it| it.parse().ok())
}

fn paths(fields: &mut Fields<'_>, body: &Value) -> Vec<Path> {
    let Some(given) = body.get("paths") else {
        return Vec::new();
    };
    let list = given.as_array().map(Vec::as_slice).unwrap_or_default();
    if list.is_empty() || list.len() > limits::MAX_COMPOSITE_PATHS {
        let most = limits::MAX_COMPOSITE_PATHS;
        fields.mistake("paths", &format!("is no list of 1 to {most} paths"));
        return Vec::new();
    }
    let mut paths = Vec::new();
    for item in list {
        let text = item.as_str().unwrap_or_default();
        match check_path(text, 0) {
            Ok(()) => paths.extend(text.parse::<Path>()),
            Err(why) => fields.mistake("paths", &why),
        }
    }
    paths
}

fn check_path(text: &str, least: usize) -> Result<(), String> {
    let path = text.parse::<Path>().map_err(|why| why.to_string())?;
    if path.depth() < least {
        return Err("is no object and nothing in one".to_owned());
    }
    Ok(())
}

fn values(fields: &mut Fields<'_>, body: &Value) -> Map<String, Value> {
    match body.get("values") {
        None => Map::new(),
        Some(Value::Object(values))
            if (1..=limits::MAX_COMPOSITE_PATHS).contains(&values.len()) =>
        {
            for path in values.keys() {
                if let Err(why) = check_path(path, 1) {
                    fields.mistake("values", &why);
                }
            }
            values.clone()
        }
        Some(_) => {
            let most = limits::MAX_COMPOSITE_PATHS;
            let why = format!("is no object of 1 to {most} paths and their values");
            fields.mistake("values", &why);
            Map::new()
        }
    }
}

fn format(fields: &mut Fields<'_>) -> Option<ContentFormat> {
    let name = fields.text("format", limits::MAX_NAME_BYTES, |text| {
        if json::format(text).is_some() {
            return Ok(());
        }
        let names: Vec<&str> = json::FORMATS.iter().map(|(name, _)| *name).collect();
        Err(format!("is none of {}", names.join(", ")))
    });
    json::format(&name?)
}

fn attributes(fields: &mut Fields<'_>, body: &Value) -> Changes {
    let mut changes = Changes::default();
    let Some(given) = body.get("attributes") else {
        return changes;
    };
    let Some(given) = given.as_object() else {
        fields.mistake("attributes", "Expected object");
        return changes;
    };
    for (name, value) in given {
        let known = Name::ALL.into_iter().find(|it| it.as_str() == name);
        let number = value.as_f64();
        match known {
            Some(known) if number.is_some() || value.is_null() => {
                changes = changes.with(known, number);
            }
            Some(_) => fields.mistake("attributes", &format!("`{name}` is no number")),
            None => {
                let all: Vec<&str> = Name::ALL.iter().map(|it| it.as_str()).collect();
                let name: String = name.chars().take(20).collect();
                let why = format!("`{name}` is none of {}", all.join(", "));
                fields.mistake("attributes", &why);
            }
        }
    }
    changes
}
