//! Examples and their table (`contracts/scenario-dialect.md`, section 1.8).

use super::{
    super::{
        Diagnostic, Span, Text,
        ast::{Examples, Row, Table},
    },
    Last, Parser,
    blocks::{Content, Piece},
    heading::Heading,
    misplaced_comment,
};

impl Parser<'_> {
    /// Opens the examples of the outline above; false where there is none.
    pub(super) fn open_examples(&mut self, heading: &Heading, comment: Option<Span>) -> bool {
        if let Some(open) = &mut self.scenario {
            let expected = open.level + 1;
            if !open.outline {
                self.diagnostics.push(
                    Diagnostic::new(
                        "syntax::examples-without-outline",
                        heading.span,
                        "examples belong to a scenario outline, and the scenario above is not one",
                    )
                    .related(open.scenario.span, "this scenario")
                    .help(format!(
                        "write `{} Scenario Outline: {}`",
                        "#".repeat(open.level),
                        open.scenario.title.value
                    )),
                );
            } else if heading.level != expected && !open.recovered {
                self.diagnostics.push(
                    Diagnostic::new(
                        "syntax::heading-level",
                        heading.span,
                        format!(
                            "these examples are of level {}, not {expected}",
                            heading.level
                        ),
                    )
                    .help(format!("write `{} Examples`", "#".repeat(expected))),
                );
            } else if !open.scenario.examples.is_empty() {
                self.diagnostics.push(
                    Diagnostic::new(
                        "syntax::second-examples",
                        heading.span,
                        "a scenario outline has one table of examples, and this is its second",
                    )
                    .help("put its rows into the first table"),
                );
            } else if let Some(comment) = comment {
                self.diagnostics.push(misplaced_comment(
                    comment,
                    "between steps and their examples",
                ));
            }
        } else {
            self.title_expected(heading.span);
            self.diagnostics.push(
                Diagnostic::new(
                    "syntax::examples-without-outline",
                    heading.span,
                    "examples belong to a scenario outline, and there is none above",
                )
                .help("write a `## Scenario Outline: ...` with steps above them"),
            );
        }
        let table = self
            .pieces
            .next_if(|it| matches!(it.content, Content::Table(_)))
            .and_then(|it| table(self.source, it, self.diagnostics));
        let Some(open) = &mut self.scenario else {
            return false;
        };
        let missing = table.is_none()
            && !matches!(self.diagnostics.last(), Some(it) if it.code.starts_with("syntax::table"));
        if missing && open.outline {
            self.diagnostics.push(
                Diagnostic::new(
                    "syntax::no-table",
                    heading.span,
                    "these examples have no table",
                )
                .help("put a table with a header, a line of dashes and a row below them"),
            );
        }
        open.scenario.examples.push(Examples {
            title: heading.title.clone(),
            tags: Vec::new(),
            table,
            span: heading.span,
        });
        open.last = Last::Examples;
        true
    }
}

/// Reads a table; one with a mistake is reported and left out.
fn table(source: &str, piece: Piece, diagnostics: &mut Vec<Diagnostic>) -> Option<Table> {
    let Content::Table(lines) = piece.content else {
        return None;
    };
    let before = diagnostics.len();
    let mut rows: Vec<Row> = Vec::new();
    for (index, (line, span)) in lines.iter().enumerate() {
        let Some(cells) = cells(line) else {
            diagnostics.push(
                Diagnostic::new("syntax::table-row", *span, "this row does not end with `|`")
                    .help("close its last cell with `|`"),
            );
            continue;
        };
        if index == 1 {
            check_separator(&cells, rows.first(), *span, diagnostics);
            continue;
        }
        match rows.first() {
            None => check_header(&cells, diagnostics),
            Some(header) if header.cells.len() != cells.len() => diagnostics.push(
                Diagnostic::new(
                    "syntax::table-width",
                    *span,
                    format!(
                        "this row has {}, and the header has {}",
                        count(cells.len()),
                        header.cells.len()
                    ),
                )
                .related(header.span, "the header")
                .help("give each row one cell for each column"),
            ),
            Some(_) => {}
        }
        rows.push(Row { cells, span: *span });
    }
    if diagnostics.len() > before {
        return None;
    }
    if rows.len() < 2 {
        diagnostics.push(
            Diagnostic::new(
                "syntax::table-empty",
                piece.span,
                "this table has no row below its header",
            )
            .help("write a header, a line of dashes and at least one row"),
        );
        return None;
    }
    if piece.span.end == source.trim_end_matches([' ', '\t']).len() {
        let end = Span::new(piece.span.end, piece.span.end);
        diagnostics.push(
            Diagnostic::new(
                "syntax::table-at-end",
                end,
                "the file ends within its last table",
            )
            .help("end the last line with a line break"),
        );
    }
    Some(Table { rows })
}

fn cells(line: &Text) -> Option<Vec<Text>> {
    let inner = line.value.strip_prefix('|')?.strip_suffix('|')?;
    let mut at = 1;
    let mut cells = Vec::new();
    for cell in inner.split('|') {
        let blank = if cell.trim().is_empty() {
            0
        } else {
            cell.len() - cell.trim_start().len()
        };
        let start = at + blank;
        let mut text = Text::at("", line.source(start..start).start);
        text.push_text(line, start..start + cell.trim().len());
        cells.push(text);
        at += cell.len() + 1;
    }
    Some(cells)
}

fn check_header(cells: &[Text], diagnostics: &mut Vec<Diagnostic>) {
    for cell in cells.iter().filter(|it| it.value.is_empty()) {
        diagnostics.push(
            Diagnostic::new(
                "syntax::table-header",
                cell.span(),
                "this column has no name",
            )
            .help("give each column of the header a name"),
        );
    }
    for (at, cell) in cells.iter().enumerate() {
        let same = |it: &&Text| !cell.value.is_empty() && it.value == cell.value;
        if let Some(first) = cells[..at].iter().find(same) {
            diagnostics.push(
                Diagnostic::new(
                    "syntax::table-header",
                    cell.span(),
                    format!("this table names the column `{}` twice", cell.value),
                )
                .related(first.span(), "the first one")
                .help("give each column a name of its own"),
            );
        }
    }
}

fn check_separator(
    cells: &[Text],
    header: Option<&Row>,
    span: Span,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let dashes = |it: &Text| !it.value.is_empty() && it.value.bytes().all(|it| it == b'-');
    let Some(wrong) = cells.iter().find(|it| !dashes(it)) else {
        if header.is_some_and(|it| it.cells.len() != cells.len()) {
            diagnostics.push(
                Diagnostic::new(
                    "syntax::table-width",
                    span,
                    "this line has not as many cells as the header",
                )
                .help("give it one cell of dashes for each column"),
            );
        }
        return;
    };
    let aligned =
        wrong.value.contains(':') && wrong.value.bytes().all(|it| matches!(it, b'-' | b':'));
    let (place, message, help) = if aligned {
        (
            wrong.span(),
            "a column cannot be aligned with a colon",
            "write dashes alone",
        )
    } else {
        (
            span,
            "the second line of a table is made of dashes",
            "put a line such as `| --- |` below the header",
        )
    };
    diagnostics.push(Diagnostic::new("syntax::table-separator", place, message).help(help));
}

fn count(cells: usize) -> String {
    if cells == 1 {
        "1 cell".into()
    } else {
        format!("{cells} cells")
    }
}
