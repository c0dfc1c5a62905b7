//! Values as JavaScript prints them.

use serde_json::Value;

/// A value as text: strings bare, numbers without an exponent or `.0` up to 2^53, objects and
/// arrays as compact JSON.
pub fn print(value: &Value) -> String {
    match value {
        Value::String(it) => it.clone(),
        Value::Number(it) => it
            .as_f64()
            .filter(|_| it.is_f64())
            .map_or_else(|| it.to_string(), number),
        other => other.to_string(),
    }
}

/// JavaScript's `Number.prototype.toString`: an exponent from 1e21 up and below 1e-6.
fn number(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{value:e}");
        return if text.contains("e-") {
            text
        } else {
            text.replace('e', "e+")
        };
    }
    // -0 prints as 0.
    format!("{}", value + 0.0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers() {
        for (value, text) in [
            (json!(1.0), "1"),
            (json!(-0.0), "0"),
            (json!(0.1), "0.1"),
            (json!(1e20), "100000000000000000000"),
            (json!(1e21), "1e+21"),
            (json!(1.5e-7), "1.5e-7"),
            (json!(9_007_199_254_740_991_i64), "9007199254740991"),
        ] {
            assert_eq!(print(&value), text);
        }
    }
}
