//! Mistakes in scenario files, for people and for machines.

use std::fmt::Write as _;

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, Report,
};
use serde_json::{Value, json};

use super::Paint;
use crate::{plan::FileDiagnostic, scenario::Span};

/// `check --format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON document.
    Json,
    /// Annotations of GitHub Actions.
    Github,
    /// Cucumber Messages, one JSON document a line (files of the two Gherkin dialects).
    Ast,
}

/// `1 mistake`, `2 mistakes`.
pub(super) fn count(number: usize, what: &str) -> String {
    if number == 1 {
        format!("1 {what}")
    } else {
        format!("{number} {what}s")
    }
}

/// For people: place, code frame, how to mend it.
pub(super) fn text(diagnostics: &[FileDiagnostic], paint: Paint) -> String {
    let theme = if paint.0 {
        GraphicalTheme::unicode()
    } else {
        GraphicalTheme::unicode_nocolor()
    };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(100);
    let mut text = String::new();
    for FileDiagnostic {
        path,
        source,
        diagnostic,
    } in diagnostics
    {
        let place = diagnostic.span.position(source);
        let label = diagnostic
            .label
            .clone()
            .unwrap_or_else(|| "here".to_owned());
        let mut labels = vec![LabeledSpan::new_primary_with_span(
            Some(label),
            range(diagnostic.span, source),
        )];
        labels.extend(diagnostic.related.iter().map(|(span, words)| {
            LabeledSpan::new_with_span(Some(words.clone()), range(*span, source))
        }));
        let shown = MietteDiagnostic {
            message: diagnostic.message.clone(),
            code: Some(diagnostic.code.to_owned()),
            severity: None,
            help: diagnostic.help.clone(),
            url: None,
            labels: Some(labels),
        };
        let named = NamedSource::new(path.display().to_string(), source.to_string());
        let report = Report::new(shown).with_source_code(named);
        let _ = writeln!(text, "{}:{}:{}", path.display(), place.line, place.column);
        // A frame that cannot be drawn must not hide the message.
        if handler.render_report(&mut text, report.as_ref()).is_err() {
            let _ = writeln!(text, "{}: {}", diagnostic.code, diagnostic.message);
        }
        text.push('\n');
    }
    text
}

/// For machines.
pub(super) fn json(diagnostics: &[FileDiagnostic]) -> Value {
    let all = diagnostics.iter().map(|FileDiagnostic { path, source, diagnostic }| {
        let from = diagnostic.span.position(source);
        let end = Span::new(diagnostic.span.end, diagnostic.span.end).position(source);
        json!({
            "path": path.display().to_string(),
            "line": from.line, "column": from.column, "endLine": end.line, "endColumn": end.column,
            "code": diagnostic.code, "message": diagnostic.message, "help": diagnostic.help,
        })
    });
    json!({ "schema": 1, "diagnostics": all.collect::<Vec<_>>() })
}

/// For GitHub Actions.
pub(super) fn github(diagnostics: &[FileDiagnostic]) -> String {
    let mut text = String::new();
    for FileDiagnostic {
        path,
        source,
        diagnostic,
    } in diagnostics
    {
        let place = diagnostic.span.position(source);
        let help = diagnostic
            .help
            .as_ref()
            .map_or_else(String::new, |it| format!("\n{it}"));
        let _ = writeln!(
            text,
            "::error file={},line={},col={},title={}::{}",
            property(&path.display().to_string()),
            place.line,
            place.column,
            property(diagnostic.code),
            message(&format!("{}{help}", diagnostic.message)),
        );
    }
    text
}

/// A message of a workflow command.
fn message(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// A property of a workflow command.
fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}

/// A span that the frame can show: within the source, at least one character wide.
fn range(span: Span, source: &str) -> std::ops::Range<usize> {
    let start = span.start.min(source.len());
    let end = span.end.clamp(start, source.len());
    // A frame of one line is enough where a whole block is meant.
    let line_end = source[start..]
        .find('\n')
        .map_or(source.len(), |at| start + at);
    start..end.min(line_end.max(start))
}
