//! SenML (RFC 8428) as LwM2M uses it (TS 1.1 C 7.4.4): packs of records, each with a name, a value
//! and maybe a time.
//!
//! [`json`] and [`cbor`] read and write [`Record`]s; [`resolve`] works the base fields in, the
//! same way for both; [`tree`] and [`paths`] say what it means to a device.

pub mod cbor;
pub mod json;

use std::collections::BTreeSet;

use crate::lwm2m::definition::Definitions;
use crate::lwm2m::error::{At, DecodeError, EncodeError, Errors, Problem};
use crate::lwm2m::format::ContentFormat;
use crate::lwm2m::limits;
use crate::lwm2m::node::Tree;
use crate::lwm2m::path::Path;
use crate::lwm2m::value::Value;

/// Times below this are seconds relative to now, from it on seconds since 1970 (RFC 8428, 4.5.3).
pub const ABSOLUTE_TIME: f64 = 268_435_456.0;

/// The version of SenML that is spoken; a `bver` above it is refused (RFC 8428, 4.4).
pub const VERSION: i64 = 10;

/// One record as it is written, base fields and all.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Record {
    /// `bn`, counts from this record on.
    pub base_name: Option<String>,
    /// `bt`, seconds, counts from this record on.
    pub base_time: Option<f64>,
    /// `bu`
    pub base_unit: Option<String>,
    /// `bv`, added to numbers from this record on.
    pub base_value: Option<Value>,
    /// `bs`
    pub base_sum: Option<f64>,
    /// `bver`
    pub base_version: Option<i64>,
    /// `n`
    pub name: Option<String>,
    /// `u`
    pub unit: Option<String>,
    /// `v`, `vs`, `vb`, `vd` or `vlo`. Numbers are integers where they are written so.
    pub value: Option<Value>,
    /// `s`
    pub sum: Option<f64>,
    /// `t`, seconds.
    pub time: Option<f64>,
    /// `ut`, seconds.
    pub update_time: Option<f64>,
}

/// One record with the base fields worked in.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// Base name and name.
    pub name: String,
    /// Own or base unit.
    pub unit: Option<String>,
    /// Own value, numbers with the base value added.
    pub value: Option<Value>,
    /// Own sum with the base sum added.
    pub sum: Option<f64>,
    /// Base time and time, seconds; see [`ABSOLUTE_TIME`]. `None` when neither is there: now.
    pub time: Option<f64>,
    /// `ut`, seconds.
    pub update_time: Option<f64>,
}

/// A value of a device at a time, from Send or a notification with history.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Whose value.
    pub path: Path,
    /// The value; `None` in the body of a composite read.
    pub value: Option<Value>,
    /// As in [`Resolved::time`].
    pub time: Option<f64>,
}

/// Works base fields into the records (RFC 8428, 4.6).
pub fn resolve(format: ContentFormat, records: Vec<Record>) -> Result<Vec<Resolved>, DecodeError> {
    let errors = Errors(format);
    let mut base = Record::default();
    let mut resolved = Vec::with_capacity(records.len());
    for (index, record) in records.into_iter().enumerate() {
        let at = At::Record(index);
        base.base_name = record.base_name.or(base.base_name);
        base.base_time = record.base_time.or(base.base_time);
        base.base_unit = record.base_unit.or(base.base_unit);
        base.base_value = record.base_value.or(base.base_value);
        base.base_sum = record.base_sum.or(base.base_sum);
        if let Some(version) = record.base_version.filter(|version| *version > VERSION) {
            let what = format!("SenML version {version}, up to {VERSION} is understood");
            return Err(errors.problem(at, Problem::Unsupported(what)));
        }
        let mut name = base.base_name.clone().unwrap_or_default();
        name.push_str(record.name.as_deref().unwrap_or_default());
        if name.len() > limits::NAME_LENGTH {
            return Err(errors.limit(at, "bytes of name", limits::NAME_LENGTH));
        }
        let value = match (record.value, &base.base_value) {
            (Some(value), Some(base)) if value.as_f64().is_some() => Some(add(base, &value)),
            (value, _) => value,
        };
        resolved.push(Resolved {
            name,
            unit: record.unit.or_else(|| base.base_unit.clone()),
            value,
            sum: sum(base.base_sum.filter(|_| record.sum.is_some()), record.sum),
            time: sum(base.base_time, record.time),
            update_time: record.update_time,
        });
    }
    Ok(resolved)
}

/// What records say of `base`: names are paths, values of the kinds that definitions give.
pub fn entries(
    format: ContentFormat,
    base: Path,
    records: Vec<Record>,
    definitions: &Definitions,
) -> Result<Vec<Entry>, DecodeError> {
    let errors = Errors(format);
    let resolved = resolve(format, records)?;
    let entry = |(index, record): (usize, Resolved)| {
        let at = At::Record(index);
        let path: Path = record
            .name
            .parse()
            .map_err(|error| errors.problem(at.clone(), Problem::Path(format!("{error}"))))?;
        if !path.starts_with(&base) {
            return Err(errors.problem(at, Problem::Outside { found: path, base }));
        }
        let value = match (record.value, definitions.kind(path)) {
            (Some(value), Some(kind)) => {
                let typed = value.into_kind(kind);
                Some(typed.map_err(|why| errors.value(At::Node(path), why))?)
            }
            (value, _) => value,
        };
        Ok(Entry {
            path,
            value,
            time: record.time,
        })
    };
    resolved.into_iter().enumerate().map(entry).collect()
}

/// The newest state that a pack describes. The same path twice needs times to tell them apart.
pub fn tree(
    format: ContentFormat,
    base: Path,
    records: Vec<Record>,
    definitions: &Definitions,
) -> Result<Tree, DecodeError> {
    let errors = Errors(format);
    let mut tree = Tree::new();
    if base.depth() < 3 {
        tree.touch(base);
    }
    let mut entries = entries(format, base, records, definitions)?;
    // Stable: of equal times the later record wins below, if it may.
    entries.sort_by(|a, b| a.time.unwrap_or(0.0).total_cmp(&b.time.unwrap_or(0.0)));
    let mut seen = BTreeSet::new();
    for Entry { path, value, time } in entries {
        let at = At::Node(path);
        let Some(value) = value else {
            return Err(errors.syntax(at, "a record without a value"));
        };
        if !seen.insert((path, time.map(f64::to_bits))) {
            return Err(errors.problem(at, Problem::Twice(path)));
        }
        if !tree.set(path, value) {
            return Err(errors.value(at, format!("{path} is no resource and has no value")));
        }
    }
    Ok(tree)
}

/// The paths of a composite read or observe: records that have only names.
pub fn paths(format: ContentFormat, records: Vec<Record>) -> Result<Vec<Path>, DecodeError> {
    let errors = Errors(format);
    let entries = entries(format, Path::ROOT, records, &Definitions::new())?;
    let path = |entry: Entry| match entry.value {
        None => Ok(entry.path),
        Some(_) => Err(errors.syntax(
            At::Node(entry.path),
            "a value where only names are asked for",
        )),
    };
    entries.into_iter().map(path).collect()
}

/// The records of what a tree holds at or below `base`, the first with the base name.
fn records(errors: Errors, base: Path, tree: &Tree) -> Result<Vec<Record>, EncodeError> {
    let selected = tree.under(base);
    let base_name = match base.depth() {
        0 => "/".to_owned(),
        _ if selected.value(base).is_some() => base.to_string(),
        _ => format!("{base}/"),
    };
    let mut records = Vec::new();
    for (path, value) in selected.values() {
        if records.len() == limits::VALUES {
            return Err(errors.encode(base, format!("more than {} values", limits::VALUES)));
        }
        let name = path.to_string();
        let name = name.strip_prefix(&base_name).unwrap_or_default();
        records.push(Record {
            base_name: records.is_empty().then(|| base_name.clone()),
            name: (!name.is_empty()).then(|| name.to_owned()),
            value: Some(value.clone()),
            ..Record::default()
        });
    }
    if records.is_empty() && base.depth() >= 3 && !tree.contains(base) {
        return Err(errors.encode(base, "there is nothing"));
    }
    Ok(records)
}

/// The records of a composite read or observe.
fn name_records(paths: &[Path]) -> Vec<Record> {
    let record = |path: &Path| Record {
        name: Some(path.to_string()),
        ..Record::default()
    };
    paths.iter().map(record).collect()
}

/// The records of values with times, for Send.
fn entry_records(entries: &[Entry]) -> Vec<Record> {
    let record = |entry: &Entry| Record {
        name: Some(entry.path.to_string()),
        value: entry.value.clone(),
        time: entry.time,
        ..Record::default()
    };
    entries.iter().map(record).collect()
}

fn add(base: &Value, value: &Value) -> Value {
    let whole = |value: &Value| match value {
        Value::Integer(number) => Some(i128::from(*number)),
        Value::Unsigned(number) => Some(i128::from(*number)),
        _ => None,
    };
    let exact = whole(base)
        .zip(whole(value))
        .map(|(base, value)| base + value);
    exact.and_then(integer).unwrap_or_else(|| {
        Value::Float(base.as_f64().unwrap_or_default() + value.as_f64().unwrap_or_default())
    })
}

/// A whole number as the kind it fits in.
fn integer(number: i128) -> Option<Value> {
    let signed = i64::try_from(number).map(Value::Integer);
    signed
        .or_else(|_| u64::try_from(number).map(Value::Unsigned))
        .ok()
}

fn sum(base: Option<f64>, own: Option<f64>) -> Option<f64> {
    match (base, own) {
        (None, None) => None,
        (base, own) => Some(base.unwrap_or(0.0) + own.unwrap_or(0.0)),
    }
}
