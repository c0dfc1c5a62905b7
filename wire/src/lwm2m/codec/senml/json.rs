//! SenML as JSON (110), RFC 8428 section 5.

use std::fmt;

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Number, Value as Json};

use super::{Entry, Record};
use crate::lwm2m::codec::{Bounded, json_error};
use crate::lwm2m::definition::Definitions;
use crate::lwm2m::error::{At, DecodeError, EncodeError, Errors};
use crate::lwm2m::format::ContentFormat;
use crate::lwm2m::limits;
use crate::lwm2m::node::Tree;
use crate::lwm2m::path::Path;
use crate::lwm2m::value::Value;

const FORMAT: ContentFormat = ContentFormat::SenmlJson;
const ERRORS: Errors = Errors(FORMAT);

/// Base64 of the URL alphabet, written without padding (RFC 8428, 5), read with or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// All that a tree holds at or below `base`.
pub fn encode(base: Path, tree: &Tree) -> Result<Vec<u8>, EncodeError> {
    write(&super::records(ERRORS, base, tree)?)
}

/// What a pack says of `base`; of values with times, the newest.
pub fn decode(base: Path, payload: &[u8], definitions: &Definitions) -> Result<Tree, DecodeError> {
    super::tree(FORMAT, base, read(payload)?, definitions)
}

/// All values of a pack with their times, in the order written: the body of Send.
pub fn decode_entries(
    payload: &[u8],
    definitions: &Definitions,
) -> Result<Vec<Entry>, DecodeError> {
    super::entries(FORMAT, Path::ROOT, read(payload)?, definitions)
}

/// Values with times: the body of Send.
pub fn encode_entries(entries: &[Entry]) -> Result<Vec<u8>, EncodeError> {
    write(&super::entry_records(entries))
}

/// The paths of a composite read or observe.
pub fn decode_paths(payload: &[u8]) -> Result<Vec<Path>, DecodeError> {
    super::paths(FORMAT, read(payload)?)
}

/// The body of a composite read or observe.
#[must_use]
pub fn encode_paths(paths: &[Path]) -> Vec<u8> {
    write(&super::name_records(paths)).unwrap_or_default()
}

/// The records of a pack, base fields not yet worked in.
pub fn read(payload: &[u8]) -> Result<Vec<Record>, DecodeError> {
    if payload.len() > limits::PAYLOAD {
        return Err(ERRORS.limit(At::Byte(limits::PAYLOAD), "bytes", limits::PAYLOAD));
    }
    let read = serde_json::from_slice::<Bounded<Written>>(payload);
    let read = read.map_err(|error| json_error(ERRORS, payload, &error))?;
    Ok(read.0.into_iter().map(|Written(record)| record).collect())
}

/// Writes records as they are.
pub fn write(records: &[Record]) -> Result<Vec<u8>, EncodeError> {
    let objects: Result<Vec<Json>, EncodeError> = records.iter().map(object).collect();
    serde_json::to_vec(&objects?).map_err(|error| ERRORS.encode(Path::ROOT, error.to_string()))
}

fn object(record: &Record) -> Result<Json, EncodeError> {
    let error = |why: String| {
        let name = record.name.as_deref().or(record.base_name.as_deref());
        let path = name.and_then(|name| name.parse().ok()).unwrap_or_default();
        ERRORS.encode(path, why)
    };
    let number = |number: f64| {
        let written = Number::from_f64(number).map(Json::Number);
        written.ok_or_else(|| error(format!("{number} is no JSON number")))
    };
    let value = |value: &Value| {
        Ok(match value {
            Value::Integer(number) | Value::Time(number) => ("v", Json::from(*number)),
            Value::Unsigned(number) => ("v", Json::from(*number)),
            Value::Float(float) => ("v", number(*float)?),
            Value::String(text) | Value::CoreLink(text) => ("vs", Json::from(text.as_str())),
            Value::Boolean(truth) => ("vb", Json::from(*truth)),
            Value::Opaque(bytes) => ("vd", Json::from(BASE64.encode(bytes))),
            Value::ObjectLink(link) => ("vlo", Json::from(link.to_string())),
        })
    };
    let mut object = Map::new();
    let mut put = |key: &str, json: Json| drop(object.insert(key.to_owned(), json));
    if let Some(name) = &record.base_name {
        put("bn", Json::from(name.as_str()));
    }
    if let Some(unit) = &record.base_unit {
        put("bu", Json::from(unit.as_str()));
    }
    if let Some(base) = &record.base_value {
        put("bv", value(base)?.1);
    }
    if let Some(version) = record.base_version {
        put("bver", Json::from(version));
    }
    if let Some(name) = &record.name {
        put("n", Json::from(name.as_str()));
    }
    if let Some(unit) = &record.unit {
        put("u", Json::from(unit.as_str()));
    }
    if let Some(own) = &record.value {
        let (key, json) = value(own)?;
        put(key, json);
    }
    for (key, field) in [
        ("bt", record.base_time),
        ("bs", record.base_sum),
        ("s", record.sum),
        ("t", record.time),
        ("ut", record.update_time),
    ] {
        if let Some(field) = field {
            put(key, number(field)?);
        }
    }
    Ok(Json::Object(object))
}

struct Written(Record);

impl<'de> de::Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields).map(Self)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Record;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Record, A::Error> {
        let mut record = Record::default();
        while let Some(key) = map.next_key::<String>()? {
            let twice = match key.as_str() {
                "bn" => record.base_name.replace(map.next_value()?).is_some(),
                "bu" => record.base_unit.replace(map.next_value()?).is_some(),
                "n" => record.name.replace(map.next_value()?).is_some(),
                "u" => record.unit.replace(map.next_value()?).is_some(),
                "bt" => record.base_time.replace(map.next_value()?).is_some(),
                "bs" => record.base_sum.replace(map.next_value()?).is_some(),
                "s" => record.sum.replace(map.next_value()?).is_some(),
                "t" => record.time.replace(map.next_value()?).is_some(),
                "ut" => record.update_time.replace(map.next_value()?).is_some(),
                "bver" => record.base_version.replace(map.next_value()?).is_some(),
                "bv" => record
                    .base_value
                    .replace(number(map.next_value()?)?)
                    .is_some(),
                "v" => record.value.replace(number(map.next_value()?)?).is_some(),
                "vs" => record
                    .value
                    .replace(Value::String(map.next_value()?))
                    .is_some(),
                "vb" => record
                    .value
                    .replace(Value::Boolean(map.next_value()?))
                    .is_some(),
                "vd" => {
                    let text: String = map.next_value()?;
                    let bytes = BASE64.decode(text).map_err(|error| {
                        de::Error::custom(format!("`vd` is not base64url: {error}"))
                    })?;
                    record.value.replace(Value::Opaque(bytes.into())).is_some()
                }
                "vlo" => {
                    let text: String = map.next_value()?;
                    let link = text.parse().map_err(de::Error::custom)?;
                    record.value.replace(Value::ObjectLink(link)).is_some()
                }
                unknown if unknown.ends_with('_') => {
                    let what = format!("`{unknown}` must be understood and is not");
                    return Err(de::Error::custom(what));
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    false
                }
            };
            if twice {
                let what = format!("`{key}`: a record has each field, and one value, only once");
                return Err(de::Error::custom(what));
            }
        }
        Ok(record)
    }
}

/// An integer when it is written as one and fits, otherwise a float.
fn number<E: de::Error>(number: Number) -> Result<Value, E> {
    let signed = number.as_i64().map(Value::Integer);
    let unsigned = || number.as_u64().map(Value::Unsigned);
    let float = || number.as_f64().map(Value::Float);
    let value = signed.or_else(unsigned).or_else(float);
    value.ok_or_else(|| E::custom(format!("{number} is too large a number")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_where_and_what() {
        for (payload, message) in [
            (
                "[{\"n\":\"/1\"},\n{\"n\":7}]",
                "byte 18: invalid type: integer `7`, expected a string",
            ),
            (
                r#"[{"v":1,"vs":"a"}]"#,
                "byte 16: `vs`: a record has each field, and one value, only once",
            ),
            (
                r#"[{"vd":"*"}]"#,
                "byte 10: `vd` is not base64url: Invalid symbol 42, offset 0.",
            ),
            (
                r#"[{"x_":1}]"#,
                "byte 5: `x_` must be understood and is not",
            ),
            (
                r#"{"n":1}"#,
                "byte 0: invalid type: map, expected an array of records",
            ),
            ("[{}] ]", "byte 5: trailing characters"),
        ] {
            let error = read(payload.as_bytes()).unwrap_err().to_string();
            assert_eq!(error, format!("SenML JSON payload, {message}"), "{payload}");
        }
    }

    #[test]
    fn too_many_records_are_4_13() {
        let payload = format!("[{}{{}}]", "{},".repeat(limits::VALUES));
        assert_eq!(
            read(payload.as_bytes()).unwrap_err().code().to_string(),
            "4.13"
        );
        let nested = "[".repeat(100_000);
        assert!(read(nested.as_bytes()).is_err());
        let skipped = format!(r#"[{{"x":{}"#, "[".repeat(100_000));
        assert!(read(skipped.as_bytes()).is_err());
    }
}
