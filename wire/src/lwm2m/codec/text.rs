//! `text/plain` (0): one value as people would write it (TS 1.1 C 7.4.1, table C).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{At, DecodeError, EncodeError, Errors, check_single_base, leaf, single, utf8};
use crate::lwm2m::definition::Definitions;
use crate::lwm2m::format::ContentFormat;
use crate::lwm2m::node::Tree;
use crate::lwm2m::path::Path;
use crate::lwm2m::value::{Kind, Value};

const ERRORS: Errors = Errors(ContentFormat::Text);

/// One value: decimal numbers, `0` and `1`, `66:0`, opaque as base64.
pub fn encode(base: Path, tree: &Tree) -> Result<Vec<u8>, EncodeError> {
    let text = match single(ERRORS, base, tree)? {
        Value::String(text) | Value::CoreLink(text) => text.clone(),
        Value::Integer(number) | Value::Time(number) => number.to_string(),
        Value::Unsigned(number) => number.to_string(),
        Value::Float(number) if number.is_finite() => number.to_string(),
        Value::Float(number) => return Err(ERRORS.encode(base, format!("{number} has no digits"))),
        Value::Boolean(truth) => u8::from(*truth).to_string(),
        Value::Opaque(bytes) => STANDARD.encode(bytes),
        Value::ObjectLink(link) => link.to_string(),
    };
    Ok(text.into_bytes())
}

/// One value, of the type that `base` is defined with; what is not defined is a string.
pub fn decode(base: Path, payload: &[u8], definitions: &Definitions) -> Result<Tree, DecodeError> {
    check_single_base(ERRORS, base)?;
    let text = utf8(ERRORS, At::Byte, payload)?;
    let kind = definitions.kind(base).unwrap_or(Kind::String);
    let value = parse(text, kind).map_err(|why| ERRORS.value(At::Node(base), why))?;
    Ok(leaf(base, value))
}

/// The value that a text is, strictly: no blanks, no `+`, no `true`.
fn parse(text: String, kind: Kind) -> Result<Value, String> {
    let shown: String = text.chars().take(40).collect();
    let wrong = || format!("`{shown}` is no {kind}");
    let number = !text.starts_with('+');
    match kind {
        Kind::String => Ok(Value::String(text)),
        Kind::CoreLink => Ok(Value::CoreLink(text)),
        Kind::Integer | Kind::Time | Kind::Unsigned if !number => Err(wrong()),
        Kind::Integer => text.parse().map(Value::Integer).map_err(|_| wrong()),
        Kind::Time => text.parse().map(Value::Time).map_err(|_| wrong()),
        Kind::Unsigned => text.parse().map(Value::Unsigned).map_err(|_| wrong()),
        Kind::Float => {
            // Rust also reads `inf` and `NaN`, which are no decimal numbers.
            let decimal = text
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E'));
            let parsed = text
                .parse::<f64>()
                .ok()
                .filter(|number| decimal && number.is_finite());
            parsed.map(Value::Float).ok_or_else(wrong)
        }
        Kind::Boolean => match text.as_str() {
            "0" => Ok(Value::Boolean(false)),
            "1" => Ok(Value::Boolean(true)),
            _ => Err(format!("{}; it is 0 or 1", wrong())),
        },
        Kind::Opaque => super::base64(&text).map(Value::Opaque),
        Kind::ObjectLink => text.parse().map(Value::ObjectLink),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lwm2m::version::Version;

    fn read(path: &str, text: &str) -> Result<Value, String> {
        let base = path.parse().unwrap();
        let tree = decode(base, text.as_bytes(), &Definitions::core(Version::V1_1));
        tree.map(|tree| tree.value(base).unwrap().clone())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn reads_by_definition() {
        assert_eq!(read("/5/0/3", "2"), Ok(Value::Integer(2)));
        assert_eq!(read("/1/0/6", "1"), Ok(Value::Boolean(true)));
        assert_eq!(read("/5/0/0", "AAE="), Ok(Value::Opaque(vec![0, 1].into())));
        assert_eq!(
            read("/3/0/13", "1367491215"),
            Ok(Value::Time(1_367_491_215))
        );
        assert_eq!(
            read("/1/0/10", "11:0").map(|link| link.to_string()),
            Ok("object link 11:0".into())
        );
        assert_eq!(read("/4711/0/1", "12"), Ok(Value::String("12".into())));
    }

    #[test]
    fn refuses_with_the_reason() {
        assert_eq!(
            read("/5/0/3", "two"),
            Err("text payload, /5/0/3: `two` is no integer".into())
        );
        assert_eq!(
            read("/5/0/3", "+2"),
            Err("text payload, /5/0/3: `+2` is no integer".into())
        );
        assert!(read("/1/0/6", "true").unwrap_err().contains("it is 0 or 1"));
        assert!(read("/5/0/0", "A===").unwrap_err().contains("not base64"));
        let error = decode(Path::instance(5, 0), b"1", &Definitions::new()).unwrap_err();
        assert_eq!(error.code().to_string(), "4.15");
    }
}
