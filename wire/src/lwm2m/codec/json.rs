//! `application/vnd.oma.lwm2m+json` (11543) of LwM2M 1.0 (TS 1.0 6.4.4).
//!
//! `{"bn":"/3/0/","e":[{"n":"0","sv":"ACME"},{"n":"6/0","v":1}]}`, where `bn` may be missing and
//! names then go on from the path of the request. `v` a number, `bv` a boolean, `sv` a string or
//! base64, `ov` an object link; `t` and `bt` are seconds.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde_json::{Number, Value as Json, json};

use super::{At, Bounded, DecodeError, EncodeError, Errors, json_error};
use crate::lwm2m::definition::Definitions;
use crate::lwm2m::error::Problem;
use crate::lwm2m::format::ContentFormat;
use crate::lwm2m::limits;
use crate::lwm2m::node::Tree;
use crate::lwm2m::path::Path;
use crate::lwm2m::value::{Kind, Value};

const ERRORS: Errors = Errors(ContentFormat::Json);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pack {
    bn: Option<String>,
    bt: Option<f64>,
    e: Option<Bounded<Entry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    n: Option<String>,
    v: Option<Number>,
    bv: Option<bool>,
    sv: Option<String>,
    ov: Option<String>,
    t: Option<f64>,
}

/// All that a tree holds at or below `base`, names relative to it.
pub fn encode(base: Path, tree: &Tree) -> Result<Vec<u8>, EncodeError> {
    if base.depth() == 0 {
        return Err(ERRORS.encode(base, "it is more than one object"));
    }
    if base.depth() >= 3 && !tree.contains(base) {
        return Err(ERRORS.encode(base, "there is nothing"));
    }
    let selected = tree.under(base);
    let alone = selected.value(base).is_some();
    let base_name = if alone {
        base.to_string()
    } else {
        format!("{base}/")
    };
    let mut entries = Vec::new();
    for (path, value) in selected.values() {
        if entries.len() == limits::VALUES {
            return Err(ERRORS.encode(base, format!("more than {} values", limits::VALUES)));
        }
        let path_text = path.to_string();
        let name = path_text.strip_prefix(&base_name).unwrap_or_default();
        let (key, written) = written(path, value)?;
        entries.push(json!({ "n": name, key: written }));
    }
    let pack = json!({ "bn": base_name, "e": entries });
    serde_json::to_vec(&pack).map_err(|error| ERRORS.encode(base, error.to_string()))
}

fn written(path: Path, value: &Value) -> Result<(&'static str, Json), EncodeError> {
    Ok(match value {
        Value::Integer(number) | Value::Time(number) => ("v", Json::from(*number)),
        Value::Unsigned(number) => ("v", Json::from(*number)),
        Value::Float(float) => match Number::from_f64(*float) {
            Some(number) => ("v", Json::Number(number)),
            None => return Err(ERRORS.encode(path, format!("{float} is no JSON number"))),
        },
        Value::String(text) | Value::CoreLink(text) => ("sv", Json::from(text.as_str())),
        Value::Boolean(truth) => ("bv", Json::from(*truth)),
        Value::Opaque(bytes) => ("sv", Json::from(BASE64.encode(bytes))),
        Value::ObjectLink(link) => ("ov", Json::from(link.to_string())),
    })
}

/// Reads entries for `base`; of a value with several times, the newest.
pub fn decode(base: Path, payload: &[u8], definitions: &Definitions) -> Result<Tree, DecodeError> {
    let pack: Pack =
        serde_json::from_slice(payload).map_err(|error| json_error(ERRORS, payload, &error))?;
    let mut tree = Tree::new();
    if base.depth() < 3 {
        tree.touch(base);
    }
    let mut newest = std::collections::BTreeMap::new();
    for (index, entry) in pack.e.into_iter().flat_map(|entries| entries.0).enumerate() {
        let at = At::Record(index);
        let path = join(
            pack.bn.as_deref(),
            base,
            entry.n.as_deref().unwrap_or_default(),
        )
        .map_err(|what| ERRORS.problem(at.clone(), Problem::Path(what)))?;
        if !path.starts_with(&base) {
            return Err(ERRORS.problem(at, Problem::Outside { found: path, base }));
        }
        let time = pack.bt.unwrap_or(0.0) + entry.t.unwrap_or(0.0);
        let kind = definitions.kind(path);
        let value = entry
            .value(kind)
            .map_err(|why| ERRORS.value(At::Node(path), why))?;
        match newest.insert(path, time) {
            Some(before) if before == time => return Err(ERRORS.problem(at, Problem::Twice(path))),
            Some(before) if before > time => {
                newest.insert(path, before);
                continue;
            }
            _ => {}
        }
        if !tree.set(path, value) {
            let what = format!("{path} is no resource and has no value");
            return Err(ERRORS.value(at, what));
        }
    }
    Ok(tree)
}

impl Entry {
    fn value(self, kind: Option<Kind>) -> Result<Value, String> {
        let value = match (self.v, self.bv, self.sv, self.ov) {
            (Some(number), None, None, None) => {
                let whole = number.as_i64().map(Value::Integer);
                let whole = whole.or_else(|| number.as_u64().map(Value::Unsigned));
                whole.unwrap_or_else(|| Value::Float(number.as_f64().unwrap_or_default()))
            }
            (None, Some(truth), None, None) => Value::Boolean(truth),
            (None, None, Some(text), None) if kind == Some(Kind::Opaque) => {
                Value::Opaque(super::base64(&text)?)
            }
            (None, None, Some(text), None) => Value::String(text),
            (None, None, None, Some(link)) => Value::ObjectLink(link.parse()?),
            _ => return Err("an entry has exactly one of `v`, `bv`, `sv` and `ov`".to_owned()),
        };
        kind.map_or(Ok(value.clone()), |kind| value.into_kind(kind))
    }
}

/// Base name and name, with one slash between them whoever brought it.
fn join(base_name: Option<&str>, base: Path, name: &str) -> Result<Path, String> {
    let base_name = base_name.map_or_else(|| base.to_string(), str::to_owned);
    let joined = match (
        base_name.trim_end_matches('/'),
        name.trim_start_matches('/'),
    ) {
        (base, "") => base.to_owned(),
        (base, name) => format!("{base}/{name}"),
    };
    let joined = if joined.is_empty() { "/" } else { &joined };
    joined.parse::<Path>().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lwm2m::version::Version;

    fn read(base: &str, payload: &str) -> Result<Tree, String> {
        let definitions = Definitions::core(Version::V1_0);
        decode(base.parse().unwrap(), payload.as_bytes(), &definitions)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn names_go_on_from_the_base_name_or_the_request() {
        let with = read(
            "/3/0",
            r#"{"bn":"/3/0/","e":[{"n":"0","sv":"ACME"},{"n":"6/1","v":5}]}"#,
        )
        .unwrap();
        assert_eq!(
            read("/3/0", r#"{"e":[{"n":"0","sv":"ACME"},{"n":"6/1","v":5}]}"#).unwrap(),
            with
        );
        assert_eq!(
            read(
                "/3/0",
                r#"{"bn":"/","e":[{"n":"3/0/0","sv":"ACME"},{"n":"3/0/6/1","v":5}]}"#
            )
            .unwrap(),
            with
        );
        assert_eq!(with.values().count(), 2);
        let uri = read(
            "/5/0/1",
            r#"{"bn":"/5/0/1","e":[{"n":"","sv":"coap://a/b"}]}"#,
        )
        .unwrap();
        assert_eq!(
            uri.value(Path::resource(5, 0, 1)).unwrap().as_str(),
            Some("coap://a/b")
        );
    }

    /// TS 1.0 6.4.4, the example of /3/0 in short.
    #[test]
    fn names_are_relative_to_what_was_asked_for() {
        let mut tree = Tree::of(Path::resource(3, 0, 0), Value::String("ACME".to_owned()));
        tree.set("/3/0/6/1".parse().unwrap(), Value::Integer(5));
        let instance = encode(Path::instance(3, 0), &tree).unwrap();
        assert_eq!(
            String::from_utf8(instance).unwrap(),
            r#"{"bn":"/3/0/","e":[{"n":"0","sv":"ACME"},{"n":"6/1","v":5}]}"#
        );
        let resource = encode(Path::resource(3, 0, 0), &tree).unwrap();
        assert_eq!(
            String::from_utf8(resource).unwrap(),
            r#"{"bn":"/3/0/0","e":[{"n":"","sv":"ACME"}]}"#
        );
        assert!(encode(Path::ROOT, &tree).is_err());
    }

    #[test]
    fn the_newest_of_several_times_counts() {
        let tree = read(
            "/4/0/2",
            r#"{"bn":"/4/0/2","bt":25462634,"e":[{"n":"","v":-80,"t":-5},{"n":"","v":-75,"t":-30}]}"#,
        );
        assert_eq!(
            tree.unwrap().value(Path::resource(4, 0, 2)),
            Some(&Value::Integer(-80))
        );
    }

    #[test]
    fn refuses_with_the_reason() {
        assert!(
            read("/3/0", r#"{"e":[{"n":"0"}]}"#)
                .unwrap_err()
                .contains("exactly one of")
        );
        assert!(
            read("/3/0", r#"{"e":[{"n":"0","sv":"a"},{"n":"0","sv":"b"}]}"#)
                .unwrap_err()
                .contains("twice")
        );
        assert!(
            read("/3/0", r#"{"bn":"/5/0","e":[{"n":"3","v":1}]}"#)
                .unwrap_err()
                .contains("outside /3/0")
        );
        assert!(
            read("/3/0", r#"{"e":[{"n":"0","sv":1}]}"#)
                .unwrap_err()
                .contains("byte 20: invalid type")
        );
    }
}
