//! Blocks of a bdd-markdown file: headings, paragraphs, quotes, code blocks, tables, comments
//! (`contracts/scenario-dialect.md`, sections 1.3 to 1.8).

use super::super::{Diagnostic, Span, Text, lines::Line};

/// Words that begin a step.
pub(in super::super) const KEYWORDS: [&str; 5] = ["Given", "When", "Then", "Soon", "And"];

/// A piece of the file, before it is known whether it stands where it may.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) span: Span,
    pub(super) content: Content,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    /// Its level, and the line behind the `#` signs.
    Heading(usize, Text),
    /// Lines joined with one space.
    Paragraph(Text),
    /// Paragraphs of a description.
    Quote(Vec<String>),
    /// The text between the comment's signs.
    Comment(Text),
    Code {
        language: Option<String>,
        code: Text,
    },
    /// Lines that begin with `|`.
    Table(Vec<(Text, Span)>),
}

/// Splits the lines into blocks. Mistakes that concern one block alone are reported here.
pub(super) fn read(lines: &[Line<'_>], diagnostics: &mut Vec<Diagnostic>) -> Vec<Piece> {
    let mut reader = Reader {
        lines,
        at: 0,
        suspicious: false,
        pieces: Vec::new(),
        diagnostics,
    };
    reader.suspicious = reader.some_fence_is_open();
    while reader.at < lines.len() {
        reader.read_block();
    }
    reader.pieces
}

pub(super) struct Reader<'s, 'a> {
    pub(super) lines: &'s [Line<'a>],
    /// The line that is read next.
    pub(super) at: usize,
    /// Some code block is not closed, so that fences cannot be trusted to come in pairs.
    pub(super) suspicious: bool,
    pieces: Vec<Piece>,
    pub(super) diagnostics: &'s mut Vec<Diagnostic>,
}

impl<'a> Reader<'_, 'a> {
    fn read_block(&mut self) {
        let line = self.lines[self.at].trimmed_start();
        if line.is_blank() {
            self.at += 1;
        } else if line.text.starts_with("<!--") {
            self.read_comment(line);
        } else if line.text.starts_with('#') {
            self.at += 1;
            self.read_heading(line);
        } else if line.text.starts_with('>') {
            self.read_quote();
        } else if line.text.starts_with("```") {
            self.read_code(line);
        } else if line.text.starts_with("~~~") {
            self.read_tildes(line);
        } else if line.text.starts_with('|') {
            self.read_table();
        } else {
            self.read_paragraph(line);
        }
    }

    pub(super) fn push(&mut self, span: Span, content: Content) {
        self.pieces.push(Piece { span, content });
    }

    fn read_comment(&mut self, opening: Line<'a>) {
        let mut text = Text::new();
        let mut line = Line {
            text: &opening.text[4..],
            start: opening.start + 4,
        };
        let mut at = self.at;
        loop {
            if let Some(end) = line.text.find("-->") {
                text.push(&line.text[..end], line.start);
                self.push(
                    Span::new(opening.start, line.start + end + 3),
                    Content::Comment(text),
                );
                let rest = Line {
                    text: &line.text[end + 3..],
                    start: line.start + end + 3,
                };
                self.at = at;
                return self.read_after_comment(rest.trimmed_start());
            }
            text.push(line.text, line.start);
            text.push("\n", line.end());
            at += 1;
            match self.lines.get(at) {
                Some(next) => line = *next,
                None => break,
            }
        }
        self.diagnostics.push(
            Diagnostic::new(
                "syntax::unclosed-comment",
                Span::new(opening.start, opening.start + 4),
                "this comment is not closed",
            )
            .label("opened here")
            .help("close it with `-->`"),
        );
        // Read on behind its first line, so that other mistakes are found too.
        self.at += 1;
        while self.lines.get(self.at).is_some_and(|it| !it.is_blank()) {
            self.at += 1;
        }
    }

    /// What follows a comment on its last line.
    fn read_after_comment(&mut self, rest: Line<'a>) {
        if rest.is_blank() {
            self.at += 1;
        } else if rest.text.starts_with("<!--") {
            self.read_comment(rest);
        } else if rest.text.starts_with('#') {
            self.at += 1;
            self.read_heading(rest);
        } else {
            self.read_paragraph(rest);
        }
    }

    fn read_heading(&mut self, line: Line<'a>) {
        let level = line.text.bytes().take_while(|&it| it == b'#').count();
        let title = &line.text[level..];
        let trimmed = title.trim_start_matches(' ');
        if !title.starts_with(' ') {
            let got = match title.chars().next() {
                None => "nothing".to_owned(),
                Some('\t') => "a tab".to_owned(),
                Some(other) => format!("`{other}`"),
            };
            self.diagnostics.push(
                Diagnostic::new(
                    "syntax::heading-space",
                    Span::new(
                        line.start + level,
                        line.start + level + title.chars().next().map_or(0, char::len_utf8),
                    ),
                    format!("a heading needs a space after its `#` signs, and there is {got}"),
                )
                .help(format!("write `{} {}`", &line.text[..level], title.trim())),
            );
        }
        let trimmed = if title.starts_with(' ') {
            trimmed
        } else {
            title.trim_start()
        };
        let text = Text::at(trimmed, line.end() - trimmed.len());
        self.push(
            Span::new(line.start, line.visible().end),
            Content::Heading(level, text),
        );
    }

    fn read_quote(&mut self) {
        let first = self.lines[self.at].trimmed_start();
        let mut span = first.visible();
        let mut paragraphs = vec![String::new()];
        while let Some(line) = self.lines.get(self.at).map(Line::trimmed_start) {
            let Some(text) = line.text.strip_prefix('>') else {
                break;
            };
            span.end = line.visible().end;
            let text = text.trim_start();
            if text.is_empty() {
                paragraphs.push(String::new());
            } else if let Some(last) = paragraphs.last_mut() {
                if !last.is_empty() {
                    last.push(' ');
                }
                last.push_str(text);
            }
            self.at += 1;
        }
        paragraphs.retain(|it| !it.is_empty());
        self.push(span, Content::Quote(paragraphs));
    }

    fn read_table(&mut self) {
        let mut rows = Vec::new();
        let mut span = self.lines[self.at].visible();
        while let Some(line) = self
            .lines
            .get(self.at)
            .filter(|it| it.text.trim_start().starts_with('|'))
        {
            span.end = line.visible().end;
            rows.push((
                Text::at(line.text.trim(), line.visible().start),
                line.visible(),
            ));
            self.at += 1;
        }
        self.push(span, Content::Table(rows));
    }

    fn read_paragraph(&mut self, first: Line<'a>) {
        let mut text = Text::at(first.text, first.start);
        let mut end = first.visible().end;
        let mut previous = first.end();
        self.at += 1;
        while let Some(line) = self.lines.get(self.at).filter(|it| !it.is_blank()) {
            if let Some(what) = needs_blank_line(line) {
                self.diagnostics.push(
                    Diagnostic::new(
                        "syntax::missing-empty-line",
                        line.visible(),
                        format!("{what} stands directly below a sentence and would be read as part of it"),
                    )
                    .help("put an empty line before it"),
                );
                break;
            }
            text.push(" ", previous);
            text.push(line.text, line.start);
            end = line.visible().end;
            previous = line.end();
            self.at += 1;
        }
        self.push(Span::new(first.start, end), Content::Paragraph(text));
    }
}

/// What a line begins that cannot be meant as the continuation of a sentence.
fn needs_blank_line(line: &Line<'_>) -> Option<&'static str> {
    let text = line.text;
    let level = text.bytes().take_while(|&it| it == b'#').count();
    if text.starts_with("```") && !text[3..].contains('`') {
        Some("a code block")
    } else if (1..=6).contains(&level) && text[level..].starts_with(' ') {
        Some("a heading")
    } else if text.starts_with("> ") {
        Some("a description")
    } else {
        None
    }
}
