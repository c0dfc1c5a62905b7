//! JSONata expressions (`contracts/scenario-dialect.md`, section 2.3), limited in time and memory.
//!
//! Only this folder names the crate that evaluates them. An expression comes from a scenario file
//! and may be endless by mistake, so its evaluation ends after [`LONGEST_EVALUATION`], at
//! [`DEEPEST_RECURSION`] and at [`LONGEST_SEQUENCE`], and strings it makes at [`LONGEST_STRING`].

mod errors;
mod limits;
mod names;
mod values;

use std::{collections::BTreeSet, fmt, time::Duration};

use fotalab_wire::net::UnixMillis;
use jsonata_core::{ast::AstNode, parser};
use serde_json::Value;

pub use self::names::FreeName;
use self::{
    errors::{evaluation_error, failing_offset, split_code},
    limits::{evaluator, limit},
    values::{from_jsonata, to_jsonata},
};

/// The longest that one evaluation may take.
pub const LONGEST_EVALUATION: Duration = Duration::from_millis(500);
/// Nested levels of evaluation; a call of a function takes about three.
pub const DEEPEST_RECURSION: usize = 1_000;
/// Items of a range or of a result.
pub const LONGEST_SEQUENCE: usize = 100_000;
/// Bytes of a string that an expression puts together.
pub const LONGEST_STRING: usize = 1 << 20;
/// Bytes of an expression's own text.
pub const LONGEST_SOURCE: usize = 16 << 10;

/// A JSONata expression that has been read and can be evaluated.
#[derive(Clone, Debug)]
pub struct Expression {
    source: String,
    tree: AstNode,
    /// The tree with its guards, which is what is evaluated.
    limited: AstNode,
}

/// Why an expression could not be read or evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpressionError {
    /// What is wrong, in one lower-case sentence.
    pub message: String,
    /// The byte of the expression where it goes wrong; an error of evaluation is at 0.
    pub offset: usize,
    /// JSONata's own code (`S0207`, `D1012`), where it has one.
    pub code: Option<String>,
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ExpressionError {}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// It is not valid JSONata, or longer than [`LONGEST_SOURCE`].
    pub fn compile(source: &str) -> Result<Self, ExpressionError> {
        if source.len() > LONGEST_SOURCE {
            return Err(ExpressionError {
                message: format!("an expression is longer than {LONGEST_SOURCE} bytes"),
                offset: LONGEST_SOURCE,
                code: None,
            });
        }
        match parser::parse(source) {
            Ok(tree) => {
                let mut limited = tree.clone();
                limit(&mut limited);
                Ok(Self {
                    source: source.to_owned(),
                    tree,
                    limited,
                })
            }
            Err(error) => {
                let text = error.to_string();
                let text = text.strip_prefix("Invalid syntax: ").unwrap_or(&text);
                let (code, message) = split_code(text);
                Err(ExpressionError {
                    message,
                    offset: failing_offset(source),
                    code,
                })
            }
        }
    }

    /// The expression as it was written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Evaluates it on `input`; `$millis()` and `$now()` say `now`. `None` is JSONata's undefined.
    ///
    /// # Errors
    /// The evaluation fails or exceeds a limit, or its result is a function.
    pub fn evaluate(
        &self,
        input: &Value,
        now: UnixMillis,
    ) -> Result<Option<Value>, ExpressionError> {
        let input = to_jsonata(input);
        let mut evaluator = evaluator(now).map_err(|it| evaluation_error(&it))?;
        let result = evaluator
            .evaluate(&self.limited, &input)
            .map_err(|it| evaluation_error(&it))?;
        from_jsonata(&result).map_err(|message| ExpressionError {
            message,
            offset: 0,
            code: None,
        })
    }

    /// The top-level fields of the input that it reads, each once, in the order of their names:
    /// `ts` in `$floor(ts/1000)`, `a` in `$.a.b[0]`. Names inside path steps, predicates, lambda
    /// parameters and object keys are not among them.
    #[must_use]
    pub fn free_names(&self) -> Vec<FreeName> {
        names::free_names(&self.tree, &self.source)
    }

    /// Whether it asks the time, so that its value differs from one evaluation to the next.
    #[must_use]
    pub fn reads_clock(&self) -> bool {
        let mut functions = BTreeSet::new();
        names::functions(&self.tree, &mut functions);
        functions.contains("millis") || functions.contains("now")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn evaluate(source: &str, input: &Value) -> Result<Option<Value>, ExpressionError> {
        Expression::compile(source)?.evaluate(input, 1_694_503_339_523)
    }

    #[test]
    fn what_the_corpus_uses() {
        let input = json!({
            "ts": 1_694_503_339_523_i64, "a": {"b": [1, 2]}, "jobs": {"id": "x"}, "s": "a-b", "q": null,
            "map": {"1": "one"}, "list": [{"1": "one"}, {"1": "two"}],
        });
        for (source, expected) in [
            ("$millis()", Some(json!(1_694_503_339_523_i64))),
            ("$now()", Some(json!("2023-09-12T07:22:19.523Z"))),
            ("$now('[Y0001]')", Some(json!("2023"))),
            (
                "$fromMillis($millis())",
                Some(json!("2023-09-12T07:22:19.523Z")),
            ),
            ("$millis() + 30 * 1000", Some(json!(1_694_503_369_523_i64))),
            ("$floor(ts/1000)", Some(json!(1_694_503_339))),
            ("$.a.b[0]", Some(json!(1))),
            ("$.jobs[0]", Some(json!({"id": "x"}))),
            ("a.b[]", Some(json!([1, 2]))),
            ("jobs.id[]", Some(json!(["x"]))),
            ("$lookup(map[], '1')", Some(json!("one"))),
            ("$lookup(list[], '1')", Some(json!(["one", "two"]))),
            ("$count(a.b)", Some(json!(2))),
            ("$sum(a.b)", Some(json!(3))),
            ("$join(['a', s])", Some(json!("aa-b"))),
            ("$replace(s, /-/, '+')", Some(json!("a+b"))),
            ("q = null ? '' : q", Some(json!(""))),
            ("missing", None),
            ("missing > 1", None),
            ("missing = 1", Some(json!(false))),
            ("{'len': $count(a.b)}", Some(json!({"len": 2}))),
            ("7 / 2", Some(json!(3.5))),
            ("$pad('a', 3) & $pad('b', -3, '0')", Some(json!("a  00b"))),
        ] {
            assert_eq!(evaluate(source, &input), Ok(expected), "{source}");
        }
    }

    #[test]
    fn free_names_are_fields_of_the_input() {
        for (source, expected) in [
            ("$floor(ts/1000)", vec![("ts", 7)]),
            ("$.a.b[0]", vec![("a", 2)]),
            ("$$.a + b", vec![("a", 3), ("b", 7)]),
            ("a[b = c].d", vec![("a", 0)]),
            ("a[b = $$.c]", vec![("a", 0), ("c", 9)]),
            ("{'x': y, z: 1}", vec![("y", 6)]),
            (
                "$map(list, function($i){ $i.name & suffix })",
                vec![("list", 5), ("suffix", 35)],
            ),
            ("'ts' & `odd name`", vec![("odd name", 7)]),
            ("a.(b & c)", vec![("a", 0)]),
            ("$millis()", vec![]),
            ("items^(>price).name", vec![("items", 0)]),
        ] {
            let names = Expression::compile(source).expect(source).free_names();
            let names: Vec<_> = names
                .iter()
                .map(|it| (it.name.as_str(), it.offset))
                .collect();
            assert_eq!(names, expected, "{source}");
        }
    }

    #[test]
    fn errors_say_where() {
        for (source, offset, code) in [
            ("a +", 3, Some("S0207")),
            ("a b", 2, Some("S0201")),
            ("$sum(1", 6, Some("S0203")),
            ("(1))", 3, Some("S0201")),
            ("'abc", 4, Some("S0101")),
            ("a ! b", 2, Some("S0204")),
            ("", 0, Some("S0207")),
        ] {
            let error = Expression::compile(source).expect_err(source);
            assert_eq!(
                (error.offset, error.code.as_deref()),
                (offset, code),
                "{source}: {error}"
            );
        }
    }

    #[test]
    fn the_endless_ends() {
        #[expect(
            clippy::disallowed_methods,
            reason = "it is the machine's time that is limited"
        )]
        let started = std::time::Instant::now();
        for source in [
            "($f := function(){ $f() }; $f())",
            "($f := function(){ 1 + $f() }; $f())",
            "[1..1e9]",
            "$count([1..9999999])",
            "($f := function($s){ $f($s & $s) }; $f('x'))",
            "$pad('x', 1e9)",
            "$join($map([1..9999], function($a){ $pad('x', 9999) }))",
        ] {
            let error = evaluate(source, &Value::Null).expect_err(source);
            assert!(!error.message.is_empty(), "{source}");
        }
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "{:?}",
            started.elapsed()
        );
    }
}
