//! Which of the three languages a file is written in
//! (`contracts/scenario-dialect.md`, section 5, last paragraph).

use std::path::Path;

use super::{Diagnostic, Span, ast::Dialect, bdd_markdown::KEYWORDS, lines::Line};

/// The dialect, and whether a mistake about it has been reported.
pub(super) struct Choice {
    pub(super) dialect: Dialect,
    /// Lines that belong to the other dialect, which the report names already.
    pub(super) reported: Vec<Span>,
    /// Nothing in the file says what it is: reading it would only report more of the same.
    pub(super) hopeless: bool,
}

impl Choice {
    const fn sure(dialect: Dialect) -> Self {
        Self {
            dialect,
            reported: Vec::new(),
            hopeless: false,
        }
    }
}

/// Chooses by front matter, then the extension, then the content.
pub(super) fn choose(
    path: &Path,
    said: Option<Dialect>,
    lines: &[Line<'_>],
    diagnostics: &mut Vec<Diagnostic>,
) -> Choice {
    if let Some(dialect) = said {
        return Choice::sure(dialect);
    }
    if path.extension().is_some_and(|it| it == "feature") {
        return Choice::sure(Dialect::Gherkin);
    }
    let evidence = Evidence::gather(lines);
    match (evidence.paragraphs.first(), evidence.bullets.first()) {
        (Some(_), None) => Choice::sure(Dialect::BddMarkdown),
        (None, Some(_)) => Choice::sure(Dialect::MarkdownWithGherkin),
        (Some(paragraph), Some(bullet)) => {
            let paragraphs = evidence.paragraphs.len() >= evidence.bullets.len();
            let (dialect, odd, usual) = if paragraphs {
                (Dialect::BddMarkdown, &evidence.bullets, paragraph)
            } else {
                (Dialect::MarkdownWithGherkin, &evidence.paragraphs, bullet)
            };
            let (first, other) = if paragraphs {
                (
                    "Markdown with Gherkin: a step in a list, or a line of tags",
                    "bdd-markdown: a step as a paragraph",
                )
            } else {
                (
                    "bdd-markdown: a step as a paragraph",
                    "Markdown with Gherkin: a step in a list, or a line of tags",
                )
            };
            let mut diagnostic = Diagnostic::new(
                "dialect::both",
                odd[0],
                "this file is written in two dialects",
            )
            .label(first)
            .related(*usual, other)
            .help(
                "write all steps in one way, or say `dialect: bdd-markdown` or \
                 `dialect: markdown-with-gherkin` in front matter",
            );
            for more in odd.iter().skip(1).take(5) {
                diagnostic = diagnostic.related(*more, first);
            }
            diagnostics.push(diagnostic);
            Choice {
                dialect,
                reported: odd.clone(),
                hopeless: false,
            }
        }
        (None, None) if evidence.misspelt => Choice::sure(Dialect::BddMarkdown),
        (None, None) => {
            let place = lines.iter().find(|it| !it.is_blank()).map_or_else(
                || lines.first().map_or_else(Span::default, Line::span),
                Line::visible,
            );
            diagnostics.push(
                Diagnostic::new("dialect::neither", place, "this file has no steps of any dialect")
                    .help(
                        "begin a paragraph with Given, When, Then or Soon, or an item of a list as in \
                         `- Given ...`; or say `dialect: bdd-markdown` or `dialect: markdown-with-gherkin` \
                         in front matter",
                    ),
            );
            Choice {
                dialect: Dialect::BddMarkdown,
                reported: Vec::new(),
                hopeless: true,
            }
        }
    }
}

#[derive(Default)]
struct Evidence {
    /// Paragraphs that begin with a keyword.
    paragraphs: Vec<Span>,
    /// Items of a list that begin with a keyword, and lines of tags.
    bullets: Vec<Span>,
    /// A paragraph begins with something like a keyword.
    misspelt: bool,
}

impl Evidence {
    fn gather(lines: &[Line<'_>]) -> Self {
        let mut evidence = Self::default();
        let mut fence: Option<&str> = None;
        let mut comment = false;
        let mut after_blank = true;
        for line in lines {
            let text = line.text.trim_start();
            if let Some(open) = fence {
                if text.trim_end() == open {
                    fence = None;
                }
                after_blank = true;
                continue;
            }
            if comment || text.starts_with("<!--") {
                comment = !text.contains("-->") && !line.is_blank();
                after_blank = !comment;
                continue;
            }
            let ticks = text.bytes().take_while(|&it| it == b'`').count();
            if ticks >= 3 && !text[ticks..].contains('`') {
                fence = Some(&text[..ticks]);
                continue;
            }
            let opens_block = after_blank;
            after_blank = line.is_blank() || text.starts_with('#') || text.starts_with('>');
            if is_bulleted_step(text) || is_tag_line(text) {
                evidence.bullets.push(line.visible());
            } else if opens_block {
                let word = line
                    .text
                    .split(|it: char| !it.is_ascii_alphabetic())
                    .next()
                    .unwrap_or_default();
                let followed = line.text.len() > word.len();
                if KEYWORDS.contains(&word) && word != "And" && followed {
                    evidence.paragraphs.push(line.visible());
                }
                evidence.misspelt |= word == "But"
                    || KEYWORDS
                        .iter()
                        .any(|it| it.eq_ignore_ascii_case(word.trim()));
            }
        }
        evidence
    }
}

fn is_bulleted_step(text: &str) -> bool {
    text.strip_prefix(['*', '-', '+'])
        .map(str::trim_start)
        .is_some_and(|it| {
            ["Given ", "When ", "Then ", "And ", "But "]
                .iter()
                .any(|word| it.starts_with(word))
        })
}

/// A line of `` `@tags` `` and nothing else.
fn is_tag_line(text: &str) -> bool {
    let mut rest = text.trim();
    let mut tags = 0;
    while let Some(tag) = rest.strip_prefix("`@") {
        let Some(end) = tag.find('`') else {
            return false;
        };
        rest = tag[end + 1..].trim_start();
        tags += 1;
    }
    tags > 0 && rest.is_empty()
}
