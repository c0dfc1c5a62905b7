//! A classic `.feature` file as blocks: each line is one, blocks of text and tables are whole.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::markdown::{Block, Content, Sentence, with_placeholders};

/// The blocks of a file in classic Gherkin whose steps stand at these lines.
pub(super) fn blocks<'a>(source: &'a str, steps: &BTreeSet<usize>) -> Vec<Block<'a>> {
    let mut blocks = Vec::new();
    let mut lines = source.lines().zip(1..).peekable();
    while let Some((line, number)) = lines.next() {
        let text = line.trim();
        let content = if text.is_empty() || text.starts_with('@') {
            continue;
        } else if let Some(comment) = text.strip_prefix('#') {
            Content::Comment(comment.trim().to_owned())
        } else if let Some(fence) = ["\"\"\"", "```"].iter().find(|it| text.starts_with(**it)) {
            let indent = line.len() - line.trim_start().len();
            let inside = lines
                .by_ref()
                .take_while(|(it, _)| !it.trim().starts_with(fence));
            let inside = inside.map(|(it, _)| it.get(indent..).unwrap_or_else(|| it.trim_start()));
            Content::Code(inside.collect::<Vec<_>>().join("\n"))
        } else if text.starts_with('|') {
            let mut rows = vec![text];
            while let Some((row, _)) = lines.next_if(|(it, _)| it.trim().starts_with('|')) {
                rows.push(row.trim());
            }
            Content::Table(html! {
                table { @for row in rows { tr { @for cell in row.trim_matches('|').split('|') { td { (cell.trim()) } } } } }
            })
        } else if !steps.contains(&number) && is_heading(text) {
            Content::Heading
        } else {
            Content::Sentence(Sentence {
                markup: with_code(text),
                text: Some(text),
            })
        };
        blocks.push(Block {
            line: number,
            content,
        });
    }
    blocks
}

/// A sentence with what stands between backticks as code.
fn with_code(text: &str) -> Markup {
    // An odd one out means none of them marks code.
    if !text.matches('`').count().is_multiple_of(2) {
        return with_placeholders(text);
    }
    html! {
        @for (nth, part) in text.split('`').enumerate() {
            @if nth % 2 == 0 { (with_placeholders(part)) } @else { code { (with_placeholders(part)) } }
        }
    }
}

/// `Scenario: …` in any language: a few words and a colon.
fn is_heading(text: &str) -> bool {
    let Some((keyword, _)) = text.split_once(':') else {
        return false;
    };
    let first = keyword.chars().next();
    keyword.split(' ').count() <= 3 && first.is_some_and(char::is_uppercase)
}
