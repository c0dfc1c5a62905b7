//! Front matter (`contracts/scenario-dialect.md`, section 1.2, and the keys that are ours).

mod keys;
mod yaml;

use super::{
    Diagnostic, Span, Text,
    ast::{Dialect, FrontMatter},
    lines::{Line, byte_order_mark},
};

/// What stands between the `---` lines, and where the rest of the file begins.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub(super) front_matter: FrontMatter,
    /// `dialect:`, which decides.
    pub(super) dialect: Option<Dialect>,
    /// Lines that belong to it, with both `---`.
    pub(super) lines: usize,
}

/// Reads the front matter, if the file begins with one.
pub(super) fn read(source: &str, lines: &[Line<'_>], diagnostics: &mut Vec<Diagnostic>) -> Header {
    let Some(first) = lines.first().filter(|it| it.text == "---") else {
        let lines = misplaced(lines, diagnostics);
        return Header {
            lines,
            ..Header::default()
        };
    };
    let closing = lines
        .iter()
        .skip(1)
        .position(|it| it.text == "---")
        .map(|it| it + 1);
    let Some(closing) = closing else {
        let near = lines.iter().skip(1).find(|it| it.text.trim() == "---");
        let mut diagnostic = Diagnostic::new(
            "front-matter::unclosed",
            first.span(),
            "this front matter is not closed",
        )
        .label("opened here")
        .help("close it with a line of exactly `---`");
        if let Some(near) = near {
            diagnostic = diagnostic.related(near.span(), "this line is not exactly `---`");
        }
        diagnostics.push(diagnostic);
        // Read on at the title, if there is one.
        let title = lines
            .iter()
            .position(|it| it.text.starts_with("# "))
            .unwrap_or(lines.len());
        let end = near.map_or(title, |near| {
            lines
                .iter()
                .position(|it| it.start == near.start)
                .map_or(title, |it| it + 1)
        });
        return Header {
            lines: end.min(title),
            ..Header::default()
        };
    };
    let mut header = Header {
        lines: closing + 1,
        ..Header::default()
    };
    header.front_matter.span = Span::new(byte_order_mark(source), lines[closing].end());
    if let Some(node) = yaml::read(&lines[1..closing], diagnostics) {
        keys::read(&node, &mut header, diagnostics);
    }
    header
}

/// Front matter that does not begin at the first byte would be read as something else. Gives the
/// number of lines to read on behind.
fn misplaced(lines: &[Line<'_>], diagnostics: &mut Vec<Diagnostic>) -> usize {
    let Some(at) = lines.iter().position(|it| !it.is_blank()) else {
        return 0;
    };
    let opens = lines[at].text.trim() == "---";
    let closing = lines[at + 1..]
        .iter()
        .take(200)
        .position(|it| it.text.trim() == "---");
    let has_key = lines.get(at + 1).is_some_and(|it| {
        it.text.split_once(':').is_some_and(|(key, _)| {
            !key.is_empty() && key.bytes().all(|it| it.is_ascii_alphanumeric())
        })
    });
    let Some(closing) = closing.filter(|_| opens && has_key) else {
        return 0;
    };
    diagnostics.push(
        Diagnostic::new(
            "front-matter::misplaced",
            lines[at].visible(),
            "front matter begins at the first line of the file, with exactly `---`",
        )
        .help("take away what stands before it, and spaces beside it"),
    );
    at + closing + 2
}

/// A text that stands in the front matter.
fn text_at(value: &str, span: Span) -> Text {
    Text::at(value, span.start)
}
