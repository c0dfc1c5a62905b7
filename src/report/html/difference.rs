//! Expected and actual side by side, what differs marked by its path.

use maud::{Markup, html};
use serde_json::Value;

use crate::run::{Difference, Mismatch, Sides};

/// Rows of a comparison at most; the differing ones are never among those left out.
const MAX_ROWS: usize = 400;
/// Comparisons up to this many rows are open from the start.
const MAX_ROWS_OPEN: usize = 40;
/// Characters of one value at most.
const MAX_VALUE: usize = 2_000;
/// Members of an object that only one side has, shown before the rest is only counted.
const MAX_UNASKED: usize = 6;

/// What was expected and what was there.
pub(super) fn comparison(mismatch: &Mismatch) -> Markup {
    if mismatch.differences.is_empty() {
        return html! {};
    }
    let whole = mismatch.sides.as_ref().filter(|it| it.is_a_tree());
    html! {
        table.difference {
            thead { tr { th { "at" } th { "expected" } th { "actual" } } }
            tbody {
                @for difference in &mismatch.differences { (difference_row(difference)) }
            }
        }
        @if let Some(sides) = whole {
            @let rows = Rows::of(sides, &mismatch.differences);
            details.sides open[rows.rows.len() <= MAX_ROWS_OPEN] {
                summary { "both documents, side by side" }
                (side_by_side(&rows))
            }
        }
    }
}

impl Sides {
    /// Whether there is more to see than the difference itself.
    fn is_a_tree(&self) -> bool {
        let tree = |it: &Value| it.is_object() || it.is_array();
        tree(&self.expected) || tree(&self.actual)
    }
}

fn difference_row(difference: &Difference) -> Markup {
    let (expected, actual) = (
        shown(difference.expected.as_ref()),
        shown(difference.actual.as_ref()),
    );
    let (before, behind) = in_common(&expected, &actual);
    html! {
        tr {
            td.path { code { (difference.path) } }
            td.expected { (marked(&expected, before, behind, difference.expected.is_some())) }
            td.actual { (marked(&actual, before, behind, difference.actual.is_some())) }
        }
    }
}

fn shown(value: Option<&Value>) -> String {
    let text = value.map_or_else(|| "nothing".to_owned(), ToString::to_string);
    cut(&text)
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_VALUE) {
        Some((at, _)) => format!("{} … ({} bytes)", &text[..at], text.len()),
        None => text.to_owned(),
    }
}

/// How many characters both begin with, and how many both end with.
fn in_common(a: &str, b: &str) -> (usize, usize) {
    let before = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
    let rest = a.chars().count().min(b.chars().count()) - before;
    let behind = a.chars().rev().zip(b.chars().rev());
    let behind = behind.take_while(|(a, b)| a == b).count();
    (before, behind.min(rest))
}

/// The text with what differs marked.
fn marked(text: &str, before: usize, behind: usize, there: bool) -> Markup {
    if !there {
        return html! { i.nothing { "nothing" } };
    }
    let characters: Vec<char> = text.chars().collect();
    let end = characters.len().saturating_sub(behind).max(before);
    let part = |range: &[char]| range.iter().collect::<String>();
    html! {
        code { (part(&characters[..before])) mark { (part(&characters[before..end])) } (part(&characters[end..])) }
    }
}

/// A line of both documents.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    left: Option<String>,
    right: Option<String>,
    depth: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Same,
    Differs,
    /// Only one side has it, and that is no mistake.
    Unasked,
}

fn side_by_side(rows: &Rows<'_>) -> Markup {
    html! {
        div.columns role="table" {
            @for row in &rows.rows {
                div.row.differs[row.state == State::Differs].unasked[row.state == State::Unasked] role="row" {
                    (cell(row.left.as_deref(), row.depth))
                    (cell(row.right.as_deref(), row.depth))
                }
            }
        }
        @if rows.left_out > 0 { p.quiet { (rows.left_out) " more lines are alike; report.json has them" } }
    }
}

fn cell(text: Option<&str>, depth: usize) -> Markup {
    let indent = "  ".repeat(depth.min(40));
    html! { pre role="cell" { @if let Some(text) = text { (indent) (text) } } }
}

struct Rows<'a> {
    rows: Vec<Row>,
    differences: &'a [Difference],
    left_out: usize,
}

impl<'a> Rows<'a> {
    fn of(sides: &Sides, differences: &'a [Difference]) -> Self {
        let mut rows = Rows {
            rows: Vec::new(),
            differences,
            left_out: 0,
        };
        rows.pair("$", "", Some(&sides.expected), Some(&sides.actual), 0);
        rows
    }

    /// Both values below `name`, line by line.
    fn pair(
        &mut self,
        path: &str,
        name: &str,
        left: Option<&Value>,
        right: Option<&Value>,
        depth: usize,
    ) {
        let differs = self.differences.iter().any(|it| it.path == path);
        let state = match (differs, left.is_some() && right.is_some()) {
            (true, _) => State::Differs,
            (false, true) => State::Same,
            (false, false) => State::Unasked,
        };
        if differs || depth > 60 {
            let text = |it: Option<&Value>| it.map(|it| format!("{name}{}", shown(Some(it))));
            return self.push(text(left), text(right), depth, state);
        }
        match (left, right) {
            (Some(Value::Object(a)), Some(Value::Object(b))) => {
                self.push_both(format!("{name}{{"), depth);
                for (key, value) in a {
                    let name = format!("{}: ", Value::from(key.as_str()));
                    let path = below(path, key);
                    self.pair(&path, &name, Some(value), b.get(key), depth + 1);
                }
                let unasked: Vec<_> = b.iter().filter(|(key, _)| !a.contains_key(*key)).collect();
                for (nth, (key, value)) in unasked.iter().enumerate() {
                    let path = below(path, key);
                    let known = self.differences.iter().any(|it| it.path == path);
                    if nth >= MAX_UNASKED && !known {
                        continue;
                    }
                    let name = format!("{}: ", Value::from(key.as_str()));
                    self.pair(&path, &name, None, Some(value), depth + 1);
                }
                if let Some(more) = unasked.len().checked_sub(MAX_UNASKED).filter(|it| *it > 0) {
                    let text = format!("… {more} more that nobody asked for");
                    self.push(None, Some(text), depth + 1, State::Unasked);
                }
                self.push_both("}".to_owned(), depth);
            }
            (Some(Value::Array(a)), Some(Value::Array(b))) => {
                self.push_both(format!("{name}["), depth);
                for nth in 0..a.len().max(b.len()) {
                    let path = format!("{path}[{nth}]");
                    self.pair(&path, "", a.get(nth), b.get(nth), depth + 1);
                }
                self.push_both("]".to_owned(), depth);
            }
            (left, right) => {
                let text = |it: Option<&Value>| it.map(|it| format!("{name}{}", shown(Some(it))));
                self.push(text(left), text(right), depth, state);
            }
        }
    }

    fn push_both(&mut self, text: String, depth: usize) {
        self.push(Some(text.clone()), Some(text), depth, State::Same);
    }

    fn push(&mut self, left: Option<String>, right: Option<String>, depth: usize, state: State) {
        if self.rows.len() >= MAX_ROWS && state != State::Differs {
            self.left_out += 1;
            return;
        }
        self.rows.push(Row {
            left,
            right,
            depth,
            state,
        });
    }
}

/// The JSONPath of a member, as differences are named.
fn below(path: &str, key: &str) -> String {
    let mut chars = key.chars();
    let first = chars.next();
    let plain = first.is_some_and(|it| it.is_ascii_alphabetic() || it == '_')
        && chars.all(|it| it.is_ascii_alphanumeric() || it == '_');
    match plain {
        true => format!("{path}.{key}"),
        false => format!(
            "{path}['{}']",
            key.replace('\\', "\\\\").replace('\'', "\\'")
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_differs_is_marked_on_both_sides_and_the_rest_is_not() {
        let sides = Sides {
            expected: json!({ "a": { "b c": 1 }, "same": [1, 2] }),
            actual: json!({ "a": { "b c": 2 }, "same": [1, 2], "more": true }),
        };
        let differences = [Difference {
            path: "$.a['b c']".to_owned(),
            expected: Some(json!(1)),
            actual: Some(json!(2)),
        }];
        let rows = Rows::of(&sides, &differences);
        let of = |state| {
            let rows = rows.rows.iter().filter(move |it| it.state == state);
            rows.map(|it| (it.left.as_deref(), it.right.as_deref()))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            of(State::Differs),
            [(Some("\"b c\": 1"), Some("\"b c\": 2"))]
        );
        assert_eq!(of(State::Unasked), [(None, Some("\"more\": true"))]);
    }

    #[test]
    fn only_the_middle_of_two_texts_is_marked() {
        assert_eq!(in_common("\"v2.0.1\"", "\"v2.10.1\""), (4, 4));
        assert_eq!(in_common("aaa", "aa"), (2, 0));
        assert_eq!(in_common("", "x"), (0, 0));
    }
}
