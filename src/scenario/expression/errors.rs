//! The crate's errors in our words, with a place.

use jsonata_core::{
    evaluator::{EvaluatorError, error_code_prefix},
    parser,
};

use super::{DEEPEST_RECURSION, ExpressionError, LONGEST_EVALUATION, LONGEST_SEQUENCE};

pub(super) fn evaluation_error(error: &EvaluatorError) -> ExpressionError {
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
pub(super) fn split_code(text: &str) -> (Option<String>, String) {
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
pub(super) fn failing_offset(source: &str) -> usize {
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
