//! Values as JSON, for the admin face and its events: bytes as base64, links as `5:0`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use fotalab_wire::lwm2m::{ContentFormat, Definitions, Kind, ObjectLink, Path, Tree, Value, codec};
use serde_json::{Value as Json, json};

/// A value as JSON.
pub(crate) fn of(value: &Value) -> Json {
    match value {
        Value::String(text) | Value::CoreLink(text) => json!(text),
        Value::Integer(number) | Value::Time(number) => json!(number),
        Value::Unsigned(number) => json!(number),
        Value::Float(number) => json!(number),
        Value::Boolean(truth) => json!(truth),
        Value::Opaque(bytes) => json!(STANDARD.encode(bytes)),
        Value::ObjectLink(link) => json!(link.to_string()),
    }
}

/// JSON as values at `path`: a value for a resource or a resource instance; an object with ids as
/// its names for what has parts, `{"6": {"0": 1, "1": 5}, "15": "UTC"}` for an instance. The type is the
/// definition's; where there is none, JSON's own, and bytes if the format carries nothing else.
pub(crate) fn tree(
    path: Path,
    json: &Json,
    definitions: &Definitions,
    format: Option<ContentFormat>,
) -> Result<Tree, String> {
    let mut tree = Tree::new();
    tree.touch(path.prefix(2));
    put(&mut tree, path, json, definitions, format)?;
    Ok(tree)
}

/// JSON as a payload for `path`. Without a format: text for a value, octets for bytes, and for more
/// than one what suits the device.
pub(crate) fn payload(
    path: Path,
    json: &Json,
    definitions: &Definitions,
    format: Option<ContentFormat>,
    many: ContentFormat,
) -> Result<(Vec<u8>, ContentFormat), String> {
    let tree = tree(path, json, definitions, format)?;
    let format = format.unwrap_or_else(|| match tree.value(path) {
        Some(Value::Opaque(_)) => ContentFormat::Opaque,
        Some(_) => ContentFormat::Text,
        None => many,
    });
    codec::encode(format, path, &tree)
        .map(|payload| (payload, format))
        .map_err(|why| why.to_string())
}

/// A content format by the name that the admin face gives it.
pub(crate) fn format(name: &str) -> Option<ContentFormat> {
    FORMATS
        .iter()
        .find(|(it, _)| *it == name)
        .map(|(_, format)| *format)
}

/// The names of all formats that values are read and written in.
pub(crate) const FORMATS: [(&str, ContentFormat); 7] = [
    ("text", ContentFormat::Text),
    ("opaque", ContentFormat::Opaque),
    ("tlv", ContentFormat::Tlv),
    ("json", ContentFormat::Json),
    ("cbor", ContentFormat::Cbor),
    ("senml-json", ContentFormat::SenmlJson),
    ("senml-cbor", ContentFormat::SenmlCbor),
];

fn put(
    tree: &mut Tree,
    path: Path,
    json: &Json,
    definitions: &Definitions,
    format: Option<ContentFormat>,
) -> Result<(), String> {
    let Json::Object(parts) = json else {
        if path.depth() < 3 {
            return Err(format!("{path} takes an object of ids and values"));
        }
        let value = value(path, json, definitions, format)?;
        if !tree.set(path, value) {
            return Err(format!("{path} is one value or several, not both"));
        }
        return Ok(());
    };
    if path.depth() == 3 {
        tree.touch(path);
    }
    for (name, part) in parts {
        let id = name.parse::<u16>().ok();
        let below = id.and_then(|id| path.child(id));
        let below = below.ok_or_else(|| format!("{path} has no part `{}`", shortened(name)))?;
        put(tree, below, part, definitions, format)?;
    }
    Ok(())
}

fn value(
    path: Path,
    json: &Json,
    definitions: &Definitions,
    format: Option<ContentFormat>,
) -> Result<Value, String> {
    let bytes = (format == Some(ContentFormat::Opaque)).then_some(Kind::Opaque);
    let kind = definitions.kind(path).or(bytes).or_else(|| own_kind(json));
    let kind = kind.ok_or("a value is text, a number or a truth value")?;
    let value = match kind {
        Kind::String => json.as_str().map(|it| Value::String(it.to_owned())),
        Kind::CoreLink => json.as_str().map(|it| Value::CoreLink(it.to_owned())),
        Kind::Integer => json.as_i64().map(Value::Integer),
        Kind::Time => json.as_i64().map(Value::Time),
        Kind::Unsigned => json.as_u64().map(Value::Unsigned),
        Kind::Float => json.as_f64().map(Value::Float),
        Kind::Boolean => json.as_bool().map(Value::Boolean),
        Kind::ObjectLink => {
            let link = json.as_str().and_then(|it| it.parse::<ObjectLink>().ok());
            link.map(Value::ObjectLink)
        }
        Kind::Opaque => {
            let bytes = json.as_str().and_then(|it| STANDARD.decode(it).ok());
            let why = || format!("{path} takes bytes, written as base64");
            return Ok(Value::Opaque(bytes.ok_or_else(why)?.into()));
        }
    };
    value.ok_or_else(|| format!("{path} takes a value of type {kind}"))
}

fn shortened(text: &str) -> String {
    text.chars().take(20).collect()
}

fn own_kind(json: &Json) -> Option<Kind> {
    match json {
        Json::String(_) => Some(Kind::String),
        Json::Number(number) if number.is_f64() => Some(Kind::Float),
        Json::Number(_) => Some(Kind::Integer),
        Json::Bool(_) => Some(Kind::Boolean),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use fotalab_wire::lwm2m::Version;

    use super::*;

    fn write(path: &str, json: Json, format: Option<&str>) -> Result<(Vec<u8>, u16), String> {
        let definitions = Definitions::core(Version::V1_1);
        let path = path.parse().expect("a path");
        let format = format.map(|it| super::format(it).expect("a format"));
        payload(path, &json, &definitions, format, ContentFormat::Tlv)
            .map(|(bytes, format)| (bytes, format.number()))
    }

    #[test]
    fn json_becomes_what_the_definition_says() {
        let write = |path: &str, json: Json| write(path, json, None);
        assert_eq!(write("/1/0/1", json!(20)), Ok((b"20".to_vec(), 0)));
        assert_eq!(write("/5/0/1", json!("")), Ok((Vec::new(), 0)));
        assert_eq!(write("/5/0/0", json!("AA==")), Ok((vec![0], 42)));
        assert_eq!(write("/1/0/6", json!(true)), Ok((b"1".to_vec(), 0)));
        assert_eq!(write("/3303/0/5700", json!(1.5)), Ok((b"1.5".to_vec(), 0)));
        assert!(write("/1/0/1", json!("20")).is_err());
        assert!(write("/3303/0/5700", json!([1])).is_err());
    }

    #[test]
    fn what_has_parts_is_an_object() {
        // One resource of one byte; one resource with two instances of one byte.
        let parts = json!({"1": 20, "2": 3});
        assert_eq!(
            write("/1/0", parts, None),
            Ok((vec![0xc1, 1, 20, 0xc1, 2, 3], 11_542))
        );
        let instances = json!({"0": "a", "2": "b"});
        let (bytes, format) = write("/3442/0/1110", instances, None).expect("good");
        assert_eq!(format, 11_542);
        assert_eq!(bytes[bytes.len() - 6..], [0x41, 0, b'a', 0x41, 2, b'b']);
        for (path, json) in [
            ("/1/0", json!(20)),
            ("/1/0", json!({"x": 20})),
            ("/1/0", json!({"1": {"0": {"0": 1}}})),
            ("/1/0/1", json!({"70000": 1})),
        ] {
            assert!(write(path, json.clone(), None).is_err(), "{path} {json}");
        }
    }

    #[test]
    fn a_format_carries_what_it_can() {
        for (path, json, format, expected) in [
            ("/5/0/0", json!("AAE="), "text", &b"AAE="[..]),
            ("/5/0/0", json!("AAE="), "opaque", &[0, 1]),
            ("/9999/0/0", json!("AAE="), "opaque", &[0, 1]),
            ("/1/0/1", json!(20), "cbor", &[20]),
            ("/1/0/1", json!(20), "tlv", &[0xc1, 1, 20]),
        ] {
            let written = write(path, json, Some(format)).map(|(bytes, _)| bytes);
            assert_eq!(written.as_deref(), Ok(expected), "{path} {format}");
        }
        let senml = write("/1/0/1", json!(20), Some("senml-json")).expect("good");
        assert_eq!(senml.0, br#"[{"bn":"/1/0/1","v":20}]"#);
        assert!(write("/1/0/1", json!(20), Some("opaque")).is_err());
        assert!(write("/1/0", json!({"1": 20}), Some("text")).is_err());
    }
}
