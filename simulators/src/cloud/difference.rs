//! What keeps a call from being the expected one.

use std::fmt;

use serde_json::Value;

use crate::limits::DIFFERENCES;

/// One difference between what was expected and what was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// Another method.
    Method {
        /// As expected.
        expected: String,
        /// As received.
        actual: String,
    },
    /// Another path.
    Path {
        /// As expected.
        expected: String,
        /// As received.
        actual: String,
    },
    /// A query parameter is missing, different, or was not expected.
    Query {
        /// The parameter.
        name: String,
        /// `None`: there should be none.
        expected: Option<String>,
        /// `None`: there was none.
        actual: Option<String>,
    },
    /// A header is missing or different.
    Header {
        /// The header.
        name: String,
        /// As expected.
        expected: String,
        /// `None`: there was none.
        actual: Option<String>,
    },
    /// Both bodies are JSON, and differ here.
    Json {
        /// JSONPath of the place.
        path: String,
        /// `None`: there should be nothing.
        expected: Option<Value>,
        /// `None`: there was nothing.
        actual: Option<Value>,
    },
    /// The bodies differ as text; as JSON, if they are JSON, they are equal.
    Body {
        /// As expected.
        expected: String,
        /// As received.
        actual: String,
        /// The same JSON, written with another order of keys, white space or notation.
        same_json: bool,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method { expected, actual } => {
                write!(f, "method: expected `{expected}`, was `{actual}`")
            }
            Self::Path { expected, actual } => {
                write!(f, "path: expected `{expected}`, was `{actual}`")
            }
            Self::Query {
                name,
                expected,
                actual,
            } => {
                write!(f, "query `{name}`: ")?;
                expected_and_actual(f, expected.as_ref(), actual.as_ref())
            }
            Self::Header {
                name,
                expected,
                actual,
            } => {
                write!(f, "header `{name}`: ")?;
                expected_and_actual(f, Some(expected), actual.as_ref())
            }
            Self::Json {
                path,
                expected,
                actual,
            } => {
                write!(f, "body at `{path}`: ")?;
                expected_and_actual(f, expected.as_ref(), actual.as_ref())
            }
            Self::Body {
                same_json: true,
                expected,
                actual,
            } => {
                write!(
                    f,
                    "body: the same JSON in another notation, expected `{expected}`, was `{actual}`"
                )
            }
            Self::Body {
                same_json: false,
                expected,
                actual,
            } => {
                write!(f, "body: expected `{expected}`, was `{actual}`")
            }
        }
    }
}

fn expected_and_actual(
    f: &mut fmt::Formatter<'_>,
    expected: Option<&impl fmt::Display>,
    actual: Option<&impl fmt::Display>,
) -> fmt::Result {
    match expected {
        Some(expected) => write!(f, "expected `{expected}`, ")?,
        None => f.write_str("expected none, ")?,
    }
    match actual {
        Some(actual) => write!(f, "was `{actual}`"),
        None => f.write_str("was not there"),
    }
}

/// The differences of two bodies: by place if both are JSON, else as text.
pub(super) fn of_bodies(expected: &str, actual: &str) -> Vec<Difference> {
    if expected == actual {
        return Vec::new();
    }
    let json = |text: &str| serde_json::from_str::<Value>(text).ok();
    let mut differences = Vec::new();
    let mut same_json = false;
    if let (Some(expected), Some(actual)) = (json(expected), json(actual)) {
        compare("$", &expected, &actual, &mut differences);
        same_json = differences.is_empty();
    }
    if differences.is_empty() {
        let (expected, actual) = (expected.to_owned(), actual.to_owned());
        differences.push(Difference::Body {
            expected,
            actual,
            same_json,
        });
    }
    differences
}

fn compare(path: &str, expected: &Value, actual: &Value, into: &mut Vec<Difference>) {
    if into.len() >= DIFFERENCES || expected == actual {
        return;
    }
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => {
            for (key, wanted) in expected {
                let place = member(path, key);
                match actual.get(key) {
                    Some(value) => compare(&place, wanted, value, into),
                    None => push(into, place, Some(wanted), None),
                }
            }
            for (key, value) in actual
                .iter()
                .filter(|(key, _)| !expected.contains_key(*key))
            {
                push(into, member(path, key), None, Some(value));
            }
        }
        (Value::Array(expected), Value::Array(actual)) => {
            for index in 0..expected.len().max(actual.len()) {
                let place = format!("{path}[{index}]");
                match (expected.get(index), actual.get(index)) {
                    (Some(wanted), Some(value)) => compare(&place, wanted, value, into),
                    (wanted, value) => push(into, place, wanted, value),
                }
            }
        }
        _ => push(into, path.to_owned(), Some(expected), Some(actual)),
    }
}

fn push(
    into: &mut Vec<Difference>,
    path: String,
    expected: Option<&Value>,
    actual: Option<&Value>,
) {
    if into.len() < DIFFERENCES {
        let (expected, actual) = (expected.cloned(), actual.cloned());
        into.push(Difference::Json {
            path,
            expected,
            actual,
        });
    }
}

fn member(path: &str, key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if key.bytes().all(plain) && key.bytes().next().is_some_and(|it| !it.is_ascii_digit()) {
        format!("{path}.{key}")
    } else {
        format!(
            "{path}['{}']",
            key.replace('\\', "\\\\").replace('\'', "\\'")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(expected: &str, actual: &str) -> Vec<String> {
        of_bodies(expected, actual)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn json_differences_say_their_place() {
        assert_eq!(
            lines(
                r#"{"a":{"b-c":[1,2]},"d":1}"#,
                r#"{"a":{"b-c":[1,3,4]},"e":null}"#
            ),
            [
                "body at `$.a['b-c'][1]`: expected `2`, was `3`",
                "body at `$.a['b-c'][2]`: expected none, was `4`",
                "body at `$.d`: expected `1`, was not there",
                "body at `$.e`: expected none, was `null`",
            ]
        );
        assert_eq!(
            lines("1", r#""1""#),
            ["body at `$`: expected `1`, was `\"1\"`"]
        );
    }

    #[test]
    fn another_order_of_keys_is_another_text() {
        let [difference] = &of_bodies(r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#)[..] else {
            panic!("one difference");
        };
        assert!(
            matches!(
                difference,
                Difference::Body {
                    same_json: true,
                    ..
                }
            ),
            "{difference}"
        );
    }

    #[test]
    fn text_is_compared_as_text() {
        assert_eq!(lines("abc", "abd"), ["body: expected `abc`, was `abd`"]);
        assert_eq!(lines("abc", "abc"), Vec::<String>::new());
    }

    #[test]
    fn the_list_has_an_end() {
        let long = |from: usize| serde_json::to_string(&(from..from + 1_000).collect::<Vec<_>>());
        let (expected, actual) = (long(0).expect("JSON"), long(1).expect("JSON"));
        assert_eq!(of_bodies(&expected, &actual).len(), DIFFERENCES);
    }
}
