//! What a heading says: its keyword and its title (`contracts/scenario-dialect.md`, section 1.3).

use super::super::{Diagnostic, Span, Text, nearest::nearest};

/// What a heading opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opens {
    Feature,
    Rule,
    Scenario,
    Outline,
    Examples,
}

/// A heading that has been understood.
#[derive(Clone, Debug)]
pub(super) struct Heading {
    pub(super) level: usize,
    pub(super) opens: Opens,
    pub(super) keyword: String,
    pub(super) title: Text,
    pub(super) span: Span,
}

const WORDS: [(&str, Opens); 6] = [
    ("Feature", Opens::Feature),
    ("Rule", Opens::Rule),
    ("Scenario", Opens::Scenario),
    ("Example", Opens::Scenario),
    ("Scenario Outline", Opens::Outline),
    ("Examples", Opens::Examples),
];

/// Understands a heading; `in_rule` says whether it follows a rule's.
pub(super) fn understand(
    level: usize,
    line: &Text,
    span: Span,
    in_rule: bool,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Heading> {
    let text = line.value.as_str();
    let heading = |keyword: &str, opens, title| {
        Some(Heading {
            level,
            opens,
            keyword: keyword.to_owned(),
            title,
            span,
        })
    };
    let Some((before, after)) = text.split_once(':') else {
        if let Some((word, opens)) = keyword(text) {
            let end = text.len();
            return level_fits(level, opens, in_rule, word, span, diagnostics)
                .then(|| heading(word, opens, part(line, end, end)))?;
        }
        let (word, opens) = match level {
            1 => ("Feature", Opens::Feature),
            2 => ("Scenario", Opens::Scenario),
            3 if in_rule => ("Example", Opens::Scenario),
            _ => {
                diagnostics.push(wrong_level(level, "scenario", in_rule, span));
                return None;
            }
        };
        return heading(word, opens, part(line, 0, text.len()));
    };
    let word = before.trim();
    let Some((word, opens)) = keyword(word) else {
        diagnostics.push(unknown_keyword(
            level,
            word,
            after,
            line.source(0..before.len()),
        ));
        return None;
    };
    if !level_fits(level, opens, in_rule, word, span, diagnostics) {
        return None;
    }
    // Whatever follows a second colon is dropped, as in the reference.
    let title = after.split(':').next().unwrap_or_default();
    let start = before.len() + 1 + title.len() - title.trim_start().len();
    heading(word, opens, part(line, start, start + title.trim().len()))
}

fn keyword(word: &str) -> Option<(&'static str, Opens)> {
    WORDS.iter().find(|(it, _)| *it == word).copied()
}

fn part(line: &Text, start: usize, end: usize) -> Text {
    let mut text = Text::at("", line.source(start..start).start);
    text.push_text(line, start..end);
    text
}

fn level_fits(
    level: usize,
    opens: Opens,
    in_rule: bool,
    word: &str,
    span: Span,
    diagnostics: &mut Vec<Diagnostic>,
) -> bool {
    let fits = match opens {
        Opens::Feature => level == 1,
        Opens::Rule => level == 2,
        Opens::Scenario | Opens::Outline => level == 2 || level == 3 && in_rule,
        // Which level is right depends on the outline above.
        Opens::Examples => true,
    };
    if !fits {
        diagnostics.push(match opens {
            Opens::Scenario | Opens::Outline => wrong_level(level, word, in_rule, span),
            Opens::Feature => heading_level(level, "`Feature` is the title of the file", "#", span),
            Opens::Rule | Opens::Examples => {
                heading_level(level, "`Rule` is a part of the feature", "##", span)
            }
        });
    }
    fits
}

fn heading_level(level: usize, what: &str, mend: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        "syntax::heading-level",
        span,
        format!("{what}, not a heading of level {level}"),
    )
    .help(format!("begin its line with `{mend}`"))
}

fn wrong_level(level: usize, word: &str, in_rule: bool, span: Span) -> Diagnostic {
    let (message, help) = match level {
        1 => (
            format!("a `{word}` is not the title of a file"),
            "begin its line with `##`",
        ),
        3 if !in_rule => (
            "a heading of level 3 stands outside a rule".to_owned(),
            "begin its line with `##`, or put a `## Rule: ...` above it",
        ),
        _ => (
            format!("there is nothing at level {level}"),
            "begin its line with `##`, or with `###` in a rule",
        ),
    };
    Diagnostic::new("syntax::heading-level", span, message).help(help)
}

fn unknown_keyword(level: usize, word: &str, after: &str, span: Span) -> Diagnostic {
    let known: Vec<_> = match level {
        1 => vec!["Feature"],
        2 => vec!["Scenario", "Scenario Outline", "Rule", "Example"],
        3 => vec!["Examples", "Scenario", "Scenario Outline", "Example"],
        _ => vec!["Examples"],
    };
    let message = format!("`{word}` stands before a colon but is not a keyword");
    let signs = "#".repeat(level);
    let help = if word == "Background" {
        "a background of this dialect is a scenario without a colon: write `## Background`"
            .to_owned()
    } else if let Some(near) = nearest(word, known.iter().copied()) {
        format!("did you mean `{signs} {near}:{after}`?")
    } else {
        format!(
            "a title cannot contain a colon: take it out, or write `{signs} {}: ...`",
            known[0]
        )
    };
    Diagnostic::new("syntax::heading-keyword", span, message).help(help)
}
