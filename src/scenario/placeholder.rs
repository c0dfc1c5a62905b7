//! `${}`, `"$number{}"` and `<variant.x>` in titles and code blocks
//! (`contracts/scenario-dialect.md`, section 2.3).
//!
//! Unlike the reference, a value is put in as it is: `$&` and `$1` in it are plain text, objects
//! and arrays print as compact JSON rather than `[object Object]`, and what cannot be resolved is
//! an error rather than text sent verbatim. As there, nothing is escaped: a value with a quote in
//! it breaks the JSON around it.

use std::ops::Range;

use fotalab_wire::net::UnixMillis;
use serde_json::{Map, Value};

use super::{expression::Expression, print::print};

/// How a value is put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `${}` and `<variant.x>`: as text.
    Text,
    /// `"$number{}"` of a JSON block: as a number, without the quotes.
    Number,
}

/// A place of a text where a value goes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placeholder {
    /// The whole of it, with its braces and, for a number, its quotes.
    pub range: Range<usize>,
    /// The JSONata expression in it. May contain `<variant.x>`, which is put in first.
    pub expression: Range<usize>,
    /// How its value is put in.
    pub kind: Kind,
}

/// A text with its values put in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replaced {
    /// The text.
    pub text: String,
    /// What was put in: the range in the text before, and the range in [`text`](Self::text).
    pub values: Vec<(Range<usize>, Range<usize>)>,
}

/// A placeholder without a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceholderError {
    /// The expression as written.
    pub expression: String,
    /// Where the placeholder stands in the text.
    pub range: Range<usize>,
    /// What is wrong, in one lower-case sentence that names the expression.
    pub message: String,
}

impl std::fmt::Display for PlaceholderError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for PlaceholderError {}

/// All placeholders of a text, in order, none within another. `json`: the text is a ```` ```json ````
/// block, the only place where `"$number{}"` means something.
#[must_use]
pub fn find(text: &str, json: bool) -> Vec<Placeholder> {
    const NUMBER: &str = "\"$number{";
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(sign) = text[at..].find(['"', '$', '<']).map(|it| at + it) {
        let rest = &text[sign..];
        let placeholder = if json && rest.starts_with(NUMBER) {
            braced(text, sign, NUMBER.len())
                .filter(|it| text[it.range.end..].starts_with('"'))
                .map(|it| Placeholder {
                    range: it.range.start..it.range.end + 1,
                    kind: Kind::Number,
                    ..it
                })
        } else if rest.starts_with("${") {
            braced(text, sign, 2)
        } else {
            variant(text, sign)
        };
        at = placeholder.as_ref().map_or(sign + 1, |it| it.range.end);
        found.extend(placeholder);
    }
    found
}

/// Puts in all values. `context` is `{...context, variant}`.
///
/// # Errors
/// The first placeholder that is not JSONata, fails, or has no value.
pub fn replace(
    text: &str,
    json: bool,
    context: &Map<String, Value>,
    now: UnixMillis,
) -> Result<Replaced, PlaceholderError> {
    let mut replaced = Replaced::default();
    let placeholders = find(text, json);
    if placeholders.is_empty() {
        text.clone_into(&mut replaced.text);
        return Ok(replaced);
    }
    let input = Value::Object(context.clone());
    let mut done = 0;
    for placeholder in placeholders {
        let written = &text[placeholder.expression.clone()];
        let error = |message: String| PlaceholderError {
            expression: written.to_owned(),
            range: placeholder.range.clone(),
            message,
        };
        let source = with_variants(written, &input, now).map_err(|inner| {
            error(format!(
                "`{}` in `{written}` has no value",
                &written[inner.range]
            ))
        })?;
        let value = evaluate(&source, &input, now).map_err(error)?;
        let printed = match (placeholder.kind, &value) {
            (Kind::Number, Value::String(it)) if it.trim().parse::<f64>().is_err() => {
                return Err(error(format!(
                    "`{written}` is `{it}`, which is not a number"
                )));
            }
            (Kind::Number, Value::Null | Value::Array(_) | Value::Object(_)) => {
                return Err(error(format!(
                    "`{written}` is `{value}`, which is not a number"
                )));
            }
            _ => print(&value),
        };
        replaced.text.push_str(&text[done..placeholder.range.start]);
        let start = replaced.text.len();
        replaced.text.push_str(&printed);
        replaced
            .values
            .push((placeholder.range.clone(), start..replaced.text.len()));
        done = placeholder.range.end;
    }
    replaced.text.push_str(&text[done..]);
    Ok(replaced)
}

fn evaluate(source: &str, input: &Value, now: UnixMillis) -> Result<Value, String> {
    let expression = Expression::compile(source)
        .map_err(|it| format!("`{source}` is not valid JSONata: {it}"))?;
    match expression.evaluate(input, now) {
        Ok(Some(value)) => Ok(value),
        Ok(None) => Err(format!("`{source}` has no value")),
        Err(it) => Err(format!("`{source}` cannot be evaluated: {it}")),
    }
}

/// Puts `<variant.x>` into an expression: they go first, so that
/// `${tracker.<variant.network>.id}` works.
///
/// # Errors
/// A variant that has no such value.
pub fn with_variants(
    source: &str,
    input: &Value,
    now: UnixMillis,
) -> Result<String, PlaceholderError> {
    if source.starts_with("variant.") || !source.contains("<variant.") {
        return Ok(source.to_owned());
    }
    let mut text = String::new();
    let mut done = 0;
    for inner in source
        .match_indices('<')
        .filter_map(|(at, _)| variant(source, at))
    {
        let value = evaluate(&source[inner.expression.clone()], input, now).map_err(|message| {
            PlaceholderError {
                expression: source.to_owned(),
                range: inner.range.clone(),
                message,
            }
        })?;
        text.push_str(&source[done..inner.range.start]);
        text.push_str(&print(&value));
        done = inner.range.end;
    }
    text.push_str(&source[done..]);
    Ok(text)
}

/// The placeholder that opens at `start` with `opening` bytes, up to the next `}`: an expression
/// cannot contain one.
fn braced(text: &str, start: usize, opening: usize) -> Option<Placeholder> {
    let from = start + opening;
    let to = from + text[from..].find('}')?;
    (to > from).then(|| Placeholder {
        range: start..to + 1,
        expression: from..to,
        kind: Kind::Text,
    })
}

/// `<variant.x>` at `start`.
fn variant(text: &str, start: usize) -> Option<Placeholder> {
    const OPENING: &str = "<variant.";
    text[start..].strip_prefix(OPENING)?;
    let name = start + OPENING.len();
    let end = name + text[name..].find('>')?;
    (end > name).then(|| Placeholder {
        range: start..end + 1,
        expression: start + 1..end,
        kind: Kind::Text,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn context(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(map) => map,
            _ => panic!("a context is an object"),
        }
    }

    #[test]
    fn values_print_as_javascript_prints_them() {
        let context = context(json!({
            "ts": 1_694_503_339_523_i64, "yes": true, "none": null, "list": [1, "a"], "map": {"a": 1.5},
            "money": "$& $1 $$", "variant": {"nw": "ltem", "n": 2}, "tracker": {"ltem": {"id": "x"}},
        }));
        for (text, json, expected) in [
            ("${ts + 60 * 1000}", false, "1694503399523"),
            ("a ${$floor(ts/1000)} b", false, "a 1694503339 b"),
            (
                "${yes} ${none} ${list} ${map}",
                false,
                "true null [1,\"a\"] {\"a\":1.5}",
            ),
            ("${1/3}", false, "0.3333333333333333"),
            ("${money}", false, "$& $1 $$"),
            (
                "${$millis()} ${$now()}",
                false,
                "1500 1970-01-01T00:00:01.500Z",
            ),
            ("${variant.nw} <variant.nw>", false, "ltem ltem"),
            ("${tracker.<variant.nw>.id}", false, "x"),
            ("{\"a\": \"$number{ts}\"}", true, "{\"a\": 1694503339523}"),
            ("\"$number{ts}\"", false, "\"$number{ts}\""),
        ] {
            let replaced = replace(text, json, &context, 1500);
            assert_eq!(
                replaced.map(|it| it.text).as_deref(),
                Ok(expected),
                "{text}"
            );
        }
    }

    #[test]
    fn what_has_no_value_is_named_with_its_place() {
        let error = replace("a ${b.c}", false, &Map::new(), 0).expect_err("b is unknown");
        assert_eq!((error.expression.as_str(), error.range), ("b.c", 2..8));
        assert!(error.message.contains("`b.c`"), "{}", error.message);
        assert!(replace("${1 +}", false, &Map::new(), 0).is_err());
        assert!(replace("\"$number{'x'}\"", true, &Map::new(), 0).is_err());
    }

    #[test]
    fn values_know_where_they_went() {
        let replaced = replace("${1}-${22}", false, &Map::new(), 0).expect("numbers");
        assert_eq!(replaced.text, "1-22");
        assert_eq!(replaced.values, [(0..4, 0..1), (5..10, 2..4)]);
    }
}
