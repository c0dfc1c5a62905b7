//! The evaluator on the caller's clock, and what keeps an expression from running away.

use fotalab_wire::net::UnixMillis;
use jsonata_core::{
    ast::{AstNode, BinaryOp},
    evaluator::{Context, Evaluator, EvaluatorError, EvaluatorOptions},
    value::JValue,
};

use super::{DEEPEST_RECURSION, LONGEST_EVALUATION, LONGEST_SEQUENCE, LONGEST_STRING, names};

/// Guards the strings that `&` and `$join` make; no name a person would choose.
const LIMITED: &str = "fotalab_limited";

pub(super) fn evaluator(now: UnixMillis) -> Result<Evaluator, EvaluatorError> {
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
    evaluator.register_fn_override("now", move |_: &[JValue]| formatted_now(millis))?;
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
pub(super) fn limit(tree: &mut AstNode) {
    names::each_child_mut(tree, &mut limit);
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
