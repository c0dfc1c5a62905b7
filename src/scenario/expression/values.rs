//! Values on their way into JSONata and out of it.

use jsonata_core::value::JValue;
use serde_json::{Map, Number, Value};

/// The largest number below which every whole number has a form of its own: 2^53.
const SAFE_INTEGER: f64 = 9_007_199_254_740_992.0;

pub(super) fn to_jsonata(value: &Value) -> JValue {
    match value {
        Value::Null => JValue::Null,
        Value::Bool(it) => JValue::Bool(*it),
        Value::Number(it) => JValue::from_f64(it.as_f64().unwrap_or(0.0)),
        Value::String(it) => JValue::string(it.as_str()),
        Value::Array(items) => JValue::array(items.iter().map(to_jsonata).collect()),
        Value::Object(fields) => JValue::object(
            fields
                .iter()
                .map(|(name, it)| (name.clone(), to_jsonata(it)))
                .collect(),
        ),
    }
}

pub(super) fn from_jsonata(value: &JValue) -> Result<Option<Value>, String> {
    Ok(Some(match value {
        JValue::Undefined => return Ok(None),
        JValue::Null => Value::Null,
        JValue::Bool(it) => Value::Bool(*it),
        JValue::Number(it) => number(*it)?,
        JValue::String(it) => Value::String(it.to_string()),
        JValue::Array(items) => {
            let items = items
                .iter()
                .map(from_jsonata)
                .collect::<Result<Vec<_>, _>>()?;
            Value::Array(items.into_iter().flatten().collect())
        }
        JValue::Object(_) => {
            let mut fields = Map::new();
            for (name, it) in value.as_object().into_iter().flatten() {
                if let Some(it) = from_jsonata(it)? {
                    fields.insert(name.clone(), it);
                }
            }
            Value::Object(fields)
        }
        _ => return Err("the result is a function, not a value: call it with `()`".into()),
    }))
}

/// A whole number is given as one, so that it prints without a fraction.
fn number(value: f64) -> Result<Value, String> {
    if value.fract() == 0.0 && value.abs() <= SAFE_INTEGER {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
        return Ok(Value::from(value as i64));
    }
    Number::from_f64(value)
        .map(Value::Number)
        .ok_or_else(|| "the result is not a finite number".into())
}
