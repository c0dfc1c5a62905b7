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

/// JSON as a payload for `path`, text for a value and octets for bytes. The type is the
/// definition's; where there is none, JSON's own.
pub(crate) fn payload(
    path: Path,
    json: &Json,
    definitions: &Definitions,
) -> Result<(Vec<u8>, ContentFormat), String> {
    let kind = definitions.kind(path).or_else(|| own_kind(json));
    let kind = kind.ok_or("a value is text, a number or a truth value")?;
    let wrong = || format!("{path} takes a value of type {kind}");
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
            return bytes
                .map(|it| (it, ContentFormat::Opaque))
                .ok_or_else(|| format!("{path} takes bytes, written as base64"));
        }
    };
    let tree = Tree::of(path, value.ok_or_else(wrong)?);
    codec::encode(ContentFormat::Text, path, &tree)
        .map(|payload| (payload, ContentFormat::Text))
        .map_err(|why| why.to_string())
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

    #[test]
    fn json_becomes_what_the_definition_says() {
        let definitions = Definitions::core(Version::V1_1);
        let write = |path: &str, json: Json| {
            let path = path.parse().expect("a path");
            payload(path, &json, &definitions).map(|(bytes, format)| (bytes, format.number()))
        };
        assert_eq!(write("/1/0/1", json!(20)), Ok((b"20".to_vec(), 0)));
        assert_eq!(write("/5/0/1", json!("")), Ok((Vec::new(), 0)));
        assert_eq!(write("/5/0/0", json!("AA==")), Ok((vec![0], 42)));
        assert_eq!(write("/1/0/6", json!(true)), Ok((b"1".to_vec(), 0)));
        assert_eq!(write("/3303/0/5700", json!(1.5)), Ok((b"1.5".to_vec(), 0)));
        assert!(write("/1/0/1", json!("20")).is_err());
        assert!(write("/3303/0/5700", json!([1])).is_err());
    }
}
