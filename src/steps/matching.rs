//! The two ways JSON is matched (contract scenario-dialect, 3.3), and equality. Scalars are strict.

use std::fmt::Write as _;

use serde_json::Value;

use crate::run::Difference;

/// Differences reported of one comparison at most.
const MAX_DIFFERENCES: usize = 20;

/// How an expectation is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Objects may have more keys; arrays are compared whole, what is in them strictly; `null`
    /// also matches what is missing. REST answers.
    Partial,
    /// Objects may have more keys at every depth; each expected element of an array has to be
    /// matched by one that is there, in any order. Websocket messages.
    Contains,
    /// Nothing more, nothing less.
    Equal,
}

/// Where `actual` is not what `expected` asks for; empty when it is.
#[must_use]
pub fn differences(rule: Rule, expected: &Value, actual: Option<&Value>) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(rule, expected, actual, &mut String::from("$"), &mut found);
    found.truncate(MAX_DIFFERENCES);
    found
}

fn compare(
    rule: Rule,
    expected: &Value,
    actual: Option<&Value>,
    path: &mut String,
    found: &mut Vec<Difference>,
) {
    if found.len() >= MAX_DIFFERENCES {
        return;
    }
    match (expected, actual) {
        (Value::Null, None) if rule != Rule::Equal => {}
        (Value::Object(wanted), Some(Value::Object(there))) => {
            for (key, value) in wanted {
                within(path, &Step::Key(key), |path| {
                    compare(rule, value, there.get(key), path, found)
                });
            }
            if rule == Rule::Equal {
                for (key, value) in there.iter().filter(|(key, _)| !wanted.contains_key(*key)) {
                    within(path, &Step::Key(key), |path| {
                        found.push(difference(path, None, Some(value)))
                    });
                }
            }
        }
        (Value::Array(wanted), Some(Value::Array(there))) if rule == Rule::Contains => {
            for (nth, value) in wanted.iter().enumerate() {
                let mut closest: Option<Vec<Difference>> = None;
                for (at, candidate) in there.iter().enumerate() {
                    let mut own = Vec::new();
                    within(path, &Step::Index(at), |path| {
                        compare(rule, value, Some(candidate), path, &mut own)
                    });
                    if own.is_empty() {
                        closest = Some(own);
                        break;
                    }
                    if closest.as_ref().is_none_or(|best| own.len() < best.len()) {
                        closest = Some(own);
                    }
                }
                match closest {
                    Some(own) => found.extend(own),
                    None => within(path, &Step::Index(nth), |path| {
                        found.push(difference(path, Some(value), None))
                    }),
                }
            }
        }
        (Value::Array(wanted), Some(Value::Array(there))) => {
            for nth in 0..wanted.len().max(there.len()) {
                within(path, &Step::Index(nth), |path| {
                    match (wanted.get(nth), there.get(nth)) {
                        (Some(wanted), there) => compare(Rule::Equal, wanted, there, path, found),
                        (None, there) => found.push(difference(path, None, there)),
                    }
                });
            }
        }
        (Value::Number(wanted), Some(Value::Number(there))) if same_number(wanted, there) => {}
        (wanted, Some(there)) if wanted == there => {}
        (wanted, there) => found.push(difference(path, Some(wanted), there)),
    }
}

/// `1` and `1.0` are the same number.
fn same_number(a: &serde_json::Number, b: &serde_json::Number) -> bool {
    a == b || (a.as_f64() == b.as_f64() && (a.is_f64() || b.is_f64()))
}

fn difference(path: &str, expected: Option<&Value>, actual: Option<&Value>) -> Difference {
    Difference {
        path: path.to_owned(),
        expected: expected.cloned(),
        actual: actual.cloned(),
    }
}

enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

/// Does something one step further down.
fn within(path: &mut String, step: &Step<'_>, act: impl FnOnce(&mut String)) {
    let length = path.len();
    match step {
        Step::Key(key) if is_plain(key) => {
            path.push('.');
            path.push_str(key);
        }
        Step::Key(key) => {
            let quoted = key.replace('\\', "\\\\").replace('\'', "\\'");
            let _ = write!(path, "['{quoted}']");
        }
        Step::Index(nth) => {
            let _ = write!(path, "[{nth}]");
        }
    }
    act(path);
    path.truncate(length);
}

/// Keys that JSONPath takes without quotes (RFC 9535, 2.5.1.1).
fn is_plain(key: &str) -> bool {
    let mut chars = key.chars();
    chars
        .next()
        .is_some_and(|it| it.is_ascii_alphabetic() || it == '_')
        && chars.all(|it| it.is_ascii_alphanumeric() || it == '_')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holds(rule: Rule, actual: Value, expected: Value) -> bool {
        differences(rule, &expected, Some(&actual)).is_empty()
    }

    /// The table of section 3.3, with strict scalars and arrays allowed at the top.
    #[test]
    fn the_two_matchers_are_the_dialects() {
        let rows = [
            (json!({"a":[1,2]}), json!({"a":[1]}), false, true),
            (json!({"a":[1,2]}), json!({"a":[2,1]}), false, true),
            (
                json!({"a":[{"b":1,"c":2}]}),
                json!({"a":[{"b":1}]}),
                false,
                true,
            ),
            (
                json!({"a":[{"b":1},{"b":2}]}),
                json!({"a":[{"b":1},{"b":1}]}),
                false,
                true,
            ),
            (json!({"a":{"b":1,"c":2}}), json!({"a":{"b":1}}), true, true),
            (json!({"a":"1"}), json!({"a":1}), false, false),
            (json!({}), json!({"a":null}), true, true),
            (json!([1]), json!([1]), true, true),
            (json!({"a":1}), json!({"a":1.0}), true, true),
            (json!({"a":[1]}), json!({"a":[]}), false, true),
        ];
        for (actual, expected, partial, contains) in rows {
            assert_eq!(
                holds(Rule::Partial, actual.clone(), expected.clone()),
                partial,
                "{actual} {expected}"
            );
            assert_eq!(
                holds(Rule::Contains, actual.clone(), expected.clone()),
                contains,
                "{actual} {expected}"
            );
        }
    }

    #[test]
    fn differences_say_where() {
        let found = differences(
            Rule::Partial,
            &json!({"jobs":[{"status":"A"}], "a b": 1}),
            Some(&json!({"jobs":[{"status":"B"}]})),
        );
        let paths: Vec<_> = found.iter().map(|it| it.path.as_str()).collect();
        assert_eq!(paths, ["$.jobs[0].status", "$['a b']"]);
        assert_eq!(found[0].expected, Some(json!("A")));
        assert_eq!(found[0].actual, Some(json!("B")));
    }
}
