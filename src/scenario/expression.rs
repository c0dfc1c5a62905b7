//! JSONata expressions (`contracts/scenario-dialect.md`, section 2.3), limited in time and memory.
//!
//! Only this file names the crate that evaluates them. An expression comes from a scenario file
//! and may be endless by mistake, so its evaluation ends after [`LONGEST_EVALUATION`], at
//! [`DEEPEST_RECURSION`] and at [`LONGEST_SEQUENCE`], and strings it makes at [`LONGEST_STRING`].

use std::{collections::BTreeSet, fmt, time::Duration};

use fotalab_wire::net::UnixMillis;
use jsonata_core::{
    ast::{AstNode, BinaryOp},
    evaluator::{Context, Evaluator, EvaluatorError, EvaluatorOptions, error_code_prefix},
    parser,
    value::JValue,
};
use serde_json::{Map, Number, Value};

use super::expression_names;
pub use super::expression_names::FreeName;

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

/// Guards the strings that `&` and `$join` make; no name a person would choose.
const LIMITED: &str = "fotalab_limited";
/// The largest number below which every whole number has a form of its own: 2^53.
const SAFE_INTEGER: f64 = 9_007_199_254_740_992.0;

/// A JSONata expression that has been read and can be evaluated.
#[derive(Clone, Debug)]
pub struct Expression {
    source: String,
    tree: AstNode,
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
            Ok(tree) => Ok(Self {
                source: source.to_owned(),
                tree,
            }),
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
        let mut tree = self.tree.clone();
        limit(&mut tree);
        let input = to_jsonata(input);
        let mut evaluator = evaluator(now).map_err(|it| evaluation_error(&it))?;
        let result = evaluator
            .evaluate(&tree, &input)
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
        expression_names::free_names(&self.tree, &self.source)
    }

    /// Whether it asks the time, so that its value differs from one evaluation to the next.
    #[must_use]
    pub fn reads_clock(&self) -> bool {
        let mut functions = BTreeSet::new();
        expression_names::functions(&self.tree, &mut functions);
        functions.contains("millis") || functions.contains("now")
    }
}

fn evaluator(now: UnixMillis) -> Result<Evaluator, EvaluatorError> {
    let options = EvaluatorOptions {
        timeout_ms: u64::try_from(LONGEST_EVALUATION.as_millis()).ok(),
        cancel: None,
        max_stack_depth: Some(DEEPEST_RECURSION),
        max_sequence_length: Some(LONGEST_SEQUENCE),
    };
    let mut evaluator = Evaluator::with_options(Context::new(), options);
    #[expect(clippy::cast_precision_loss, reason = "JSONata knows no other numbers")]
    let millis = now as f64;
    evaluator.register_fn_override("millis", move |_: &[JValue]| Ok(JValue::from_f64(millis)))?;
    let formatted = formatted_now(millis)?;
    evaluator.register_fn_override("now", move |_: &[JValue]| Ok(formatted.clone()))?;
    evaluator.register_fn_override("pad", pad)?;
    evaluator.register_fn(LIMITED, |arguments: &[JValue]| {
        let value = arguments.first().cloned().unwrap_or(JValue::Undefined);
        let length = match &value {
            JValue::String(text) => text.len(),
            JValue::Array(items) => items.iter().filter_map(JValue::as_str).map(str::len).sum(),
            _ => 0,
        };
        if length > LONGEST_STRING {
            Err(too_long())
        } else {
            Ok(value)
        }
    })?;
    Ok(evaluator)
}

/// `$now()` without a picture; with one it is rewritten, see [`limit`].
fn formatted_now(millis: f64) -> Result<JValue, EvaluatorError> {
    let call = AstNode::Function {
        name: "fromMillis".into(),
        args: vec![AstNode::Number(millis)],
        is_builtin: true,
    };
    Evaluator::new().evaluate(&call, &JValue::Null)
}

/// Puts a guard around everything that makes long strings out of short ones, and `$now(picture)`
/// on our clock: a function registered by us cannot call another one.
fn limit(tree: &mut AstNode) {
    expression_names::each_child_mut(tree, &mut limit);
    match tree {
        AstNode::Binary {
            op: BinaryOp::Concatenate,
            ..
        } => guard(tree),
        AstNode::Function { name, args, .. } if name == "join" => {
            if let Some(first) = args.first_mut() {
                guard(first);
            }
        }
        AstNode::Function {
            name,
            args,
            is_builtin: true,
        } if name == "now" && !args.is_empty() => {
            *name = "fromMillis".into();
            args.insert(
                0,
                AstNode::Function {
                    name: "millis".into(),
                    args: Vec::new(),
                    is_builtin: true,
                },
            );
        }
        _ => {}
    }
}

fn guard(tree: &mut AstNode) {
    let inner = std::mem::replace(tree, AstNode::Null);
    *tree = AstNode::Function {
        name: LIMITED.into(),
        args: vec![inner],
        is_builtin: true,
    };
}

/// JSONata's `$pad(text, width, char)`; the crate's own takes any width.
fn pad(arguments: &[JValue]) -> Result<JValue, EvaluatorError> {
    let wrong = |what| {
        Err(EvaluatorError::TypeError(format!(
            "T0410: $pad takes a string and a width: {what}"
        )))
    };
    let text = match arguments.first() {
        None | Some(JValue::Undefined) => return Ok(JValue::Undefined),
        Some(JValue::String(text)) => text,
        Some(_) => return wrong("the first argument is not a string"),
    };
    let Some(width) = arguments.get(1).and_then(JValue::as_f64) else {
        return wrong("the second argument is not a number");
    };
    let filler = match arguments.get(2).and_then(JValue::as_str) {
        None | Some("") => " ",
        Some(filler) => filler,
    };
    if width.abs() > (LONGEST_STRING / 4) as f64 {
        return Err(too_long());
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked above"
    )]
    let missing = (width.abs() as usize).saturating_sub(text.chars().count());
    let padding: String = filler.chars().cycle().take(missing).collect();
    Ok(JValue::from(if width < 0.0 {
        padding + text
    } else {
        format!("{text}{padding}")
    }))
}

fn too_long() -> EvaluatorError {
    EvaluatorError::EvaluationError(format!(
        "a string would be longer than {LONGEST_STRING} bytes"
    ))
}

fn evaluation_error(error: &EvaluatorError) -> ExpressionError {
    let (code, message) = split_code(error.message());
    let message = match code.as_deref() {
        Some("D1012") => format!(
            "the expression did not end within {} ms: look for an endless recursion",
            LONGEST_EVALUATION.as_millis()
        ),
        Some("D1011" | "U1001") => format!(
            "the expression nests more than {DEEPEST_RECURSION} levels deep: look for an endless recursion"
        ),
        Some("D2014" | "D2015") => {
            format!("a range or a result of the expression has more than {LONGEST_SEQUENCE} items")
        }
        _ => message,
    };
    ExpressionError {
        message,
        offset: 0,
        code,
    }
}

/// Takes JSONata's code from the front of a message, and makes the rest lower-case.
fn split_code(text: &str) -> (Option<String>, String) {
    let code = error_code_prefix(text).map(str::to_owned);
    let rest = code
        .as_ref()
        .map_or(text, |it| &text[it.len() + 1..])
        .trim();
    let mut letters = rest.chars();
    let message = letters.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(letters).collect()
    });
    let mut message = message.trim_end_matches('.').to_owned();
    // The crate prints its tokens' Rust names.
    for (name, sign) in [
        ("RightParen", "`)`"),
        ("LeftParen", "`(`"),
        ("RightBracket", "`]`"),
        ("LeftBracket", "`[`"),
        ("RightBrace", "`}`"),
        ("LeftBrace", "`{`"),
        ("Colon", "`:`"),
        ("Comma", "`,`"),
        ("Eof", "the end"),
    ] {
        message = message.replace(name, sign);
    }
    (code, message)
}

/// Where a text that is not JSONata stops being the beginning of one. The crate does not say, so
/// this looks for the longest prefix that could still go on.
fn failing_offset(source: &str) -> usize {
    let could_go_on = |prefix: &str| match parser::parse(prefix) {
        Ok(_) => true,
        Err(error) => {
            let text = error.to_string();
            let (code, _) = split_code(text.strip_prefix("Invalid syntax: ").unwrap_or(&text));
            matches!(
                code.as_deref(),
                Some("S0101" | "S0105" | "S0203" | "S0207" | "S0302")
            )
        }
    };
    if could_go_on(source) {
        return source.len();
    }
    // Long expressions are rare and wrong ones rarer; still, the search is quadratic.
    const LONGEST_SEARCHED: usize = 512;
    let searched = source.floor_char_boundary(LONGEST_SEARCHED);
    let ends = source[..searched].char_indices().map(|(at, _)| at).rev();
    let prefix = ends
        .clone()
        .find(|&at| could_go_on(&source[..at]))
        .unwrap_or(0);
    prefix + (source[prefix..].len() - source[prefix..].trim_start().len())
}

fn to_jsonata(value: &Value) -> JValue {
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

fn from_jsonata(value: &JValue) -> Result<Option<Value>, String> {
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
