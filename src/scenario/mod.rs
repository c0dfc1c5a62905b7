//! From the text of a scenario file to its tree: three dialects, one tree, every node with its place.

pub mod ast;
mod bdd_markdown;
mod diagnostic;
mod dialect;
mod duration;
mod expression;
mod expressions;
mod front_matter;
mod gherkin;
mod lines;
pub(crate) mod nearest;
mod outline;
pub mod placeholder;
mod print;
mod text;

use std::{path::Path, sync::Arc};

pub use diagnostic::Diagnostic;
pub use duration::parse_duration;
pub use expression::{
    DEEPEST_RECURSION, Expression, ExpressionError, FreeName, LONGEST_EVALUATION, LONGEST_SEQUENCE,
    LONGEST_SOURCE, LONGEST_STRING,
};
pub use gherkin::gherkin_document;
pub use outline::{Instance, instances};
pub use placeholder::{Kind, Placeholder, PlaceholderError, Replaced, find, replace};
pub use print::print as printed;
pub use text::{Position, Span, Text};

use self::ast::{Dialect, Document};

/// A file that has been read, as far as it could be.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The tree; where there are diagnostics, what could be made of the file.
    pub document: Document,
    /// All mistakes of the file, in the order of their places.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a scenario file: its dialect by `dialect:` in front matter, its extension, its content.
///
/// Finds all mistakes in one pass, ends for any text and never panics.
#[must_use]
pub fn parse(path: &Path, source: Arc<str>) -> Parsed {
    let mut diagnostics = Vec::new();
    let lines = lines::lines(&source, 0);
    let header = front_matter::read(&source, &lines, &mut diagnostics);
    let body = &lines[header.lines.min(lines.len())..];
    let choice = dialect::choose(path, header.dialect, body, &mut diagnostics);
    let dialect = choice.dialect;
    let feature = if choice.hopeless {
        None
    } else {
        match dialect {
            Dialect::BddMarkdown => {
                let mut found = Vec::new();
                let feature = bdd_markdown::parse(&source, body, &mut found);
                found.retain(|it| !choice.reported.iter().any(|at| at.start == it.span.start));
                diagnostics.append(&mut found);
                feature
            }
            Dialect::MarkdownWithGherkin | Dialect::Gherkin => {
                gherkin::parse(body, header.lines + 1, dialect, &mut diagnostics)
            }
        }
    };
    if let Some(feature) = &feature {
        expressions::check(feature, &mut diagnostics);
    }
    diagnostics.sort_by_key(|it| it.span.start);
    drop(lines);
    let front_matter = header.front_matter;
    Parsed {
        document: Document {
            path: path.to_owned(),
            source,
            dialect,
            mistakes: diagnostics.iter().map(|it| it.span).collect(),
            front_matter,
            feature,
        },
        diagnostics,
    }
}
