//! Classic Gherkin and Markdown with Gherkin, read as `@cucumber/gherkin` reads them
//! (`contracts/scenario-dialect.md`, section 5): its grammar as data, its token matchers ported.

mod builder;
mod classic;
mod grammar;
mod languages;
mod markdown;
mod mistakes;
mod production;
mod token;
mod tree;

use std::path::Path;

use serde_json::{Value, json};

use self::{
    classic::Classic,
    languages::Language,
    markdown::Markdown,
    token::{Mistake, is_space},
};
use super::{
    Diagnostic,
    ast::{Dialect, Feature},
    lines::Line,
};

/// What `@cucumber/gherkin` prints for a file: one `gherkinDocument`, or its `parseError`s. A name
/// that ends in `.md` is Markdown with Gherkin. Front matter is not looked for.
///
/// # Errors
/// The `parseError` messages of a file that is not Gherkin.
pub fn gherkin_document(path: &Path, source: &str) -> Result<Value, Vec<Value>> {
    let markdown = path.extension().is_some_and(|it| it == "md");
    let dialect = if markdown {
        Dialect::MarkdownWithGherkin
    } else {
        Dialect::Gherkin
    };
    // `/\r?\n/`, as there.
    let mut lines: Vec<&str> = source
        .split('\n')
        .map(|it| it.strip_suffix('\r').unwrap_or(it))
        .collect();
    if !source.ends_with('\n') && source.ends_with('\r') {
        // The last line has no `\n`, so its `\r` is its own.
        if let Some(last) = lines.last_mut() {
            *last = &source[source.rfind('\n').map_or(0, |at| at + 1)..];
        }
    }
    let uri = path.to_string_lossy();
    match document(&lines, 1, dialect) {
        Ok(mut document) => {
            document["uri"] = uri.into();
            Ok(json!({ "gherkinDocument": document }))
        }
        Err(mistakes) => Err(mistakes.iter().map(|it| parse_error(it, &uri)).collect()),
    }
}

/// Reads what follows the front matter.
pub(super) fn parse(
    lines: &[Line<'_>],
    first_line: usize,
    dialect: Dialect,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Feature> {
    let texts: Vec<&str> = lines.iter().map(|it| it.text).chain([""]).collect();
    match document(&texts, first_line, dialect) {
        Ok(document) => tree::feature(&document, lines, first_line),
        Err(mistakes) => {
            diagnostics.extend(mistakes::explain_all(&mistakes, lines, first_line));
            None
        }
    }
}

fn document(lines: &[&str], first_line: usize, dialect: Dialect) -> Result<Value, Vec<Mistake>> {
    let lines = match lines.split_last() {
        Some((last, rest)) if last.trim_matches(is_space).is_empty() => rest,
        _ => lines,
    };
    let Some(language) = Language::named("en") else {
        return Ok(Value::Null);
    };
    match dialect {
        Dialect::MarkdownWithGherkin => {
            grammar::parse(lines, first_line, &mut Markdown::new(language))
        }
        _ => grammar::parse(lines, first_line, &mut Classic::new(language)),
    }
}

fn parse_error(mistake: &Mistake, uri: &str) -> Value {
    let mut location = json!({ "line": mistake.line });
    if let Some(column) = mistake.column {
        location["column"] = column.into();
    }
    json!({
        "parseError": { "source": { "uri": uri, "location": location }, "message": mistake.message }
    })
}
