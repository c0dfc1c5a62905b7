//! Steps with what belongs to them (`contracts/scenario-dialect.md`, sections 1.4, 1.6, 1.7).

use super::{
    super::{
        Diagnostic, Span, Text,
        ast::{Block, Step, StepKind},
        nearest::nearest,
    },
    Last, Parser,
    blocks::{Content, KEYWORDS},
    first_line, join_quotes,
};

/// The keyword that a paragraph begins with.
pub(super) fn keyword(text: &str) -> Option<&'static str> {
    let end = text
        .find(|it: char| !it.is_ascii_alphabetic())
        .unwrap_or(text.len());
    KEYWORDS.into_iter().find(|it| *it == &text[..end])
}

impl Parser<'_> {
    /// Something that is not a heading, below the heading of a scenario.
    pub(super) fn in_scenario(&mut self, content: Content, span: Span) {
        let last = self.scenario.as_ref().map_or(Last::Wrong, |it| it.last);
        if matches!(content, Content::Paragraph(_)) {
            self.comments.clear();
        }
        let next = match content {
            Content::Paragraph(text) if last == Last::Examples => {
                self.after_examples(&text, span);
                Last::Examples
            }
            Content::Paragraph(text) => self.step(text, span),
            Content::Code { language, code } => self.block(language, code, span, last),
            Content::Quote(paragraphs) => self.description(paragraphs, span, last),
            Content::Table(_) => {
                if last != Last::Wrong {
                    self.table_on_step(span, last);
                }
                last
            }
            Content::Heading(..) | Content::Comment(_) => last,
        };
        if let Some(open) = &mut self.scenario {
            open.last = next;
        }
    }

    fn step(&mut self, text: Text, span: Span) -> Last {
        let Some(word) = keyword(&text.value) else {
            self.not_a_step(&text, span);
            if let Some(open) = &mut self.scenario {
                open.has_wrong_step = true;
            }
            return Last::Wrong;
        };
        let rest = &text.value[word.len()..];
        let start = word.len() + rest.len() - rest.trim_start().len();
        let mut title = Text::new();
        title.push_text(&text, start..text.value.len());
        let mut span = span;
        if title.value.is_empty() {
            // Even an empty line may stand between a keyword and its text.
            let next = self
                .pieces
                .next_if(|it| matches!(it.content, Content::Paragraph(_)));
            match next.map(|it| (it.content, it.span)) {
                Some((Content::Paragraph(next), at)) => {
                    title = next;
                    span.end = at.end;
                }
                _ => {
                    self.diagnostics.push(
                        Diagnostic::new(
                            "syntax::empty-step",
                            span,
                            format!("there is nothing behind `{word}`"),
                        )
                        .help("write the sentence of the step behind it"),
                    );
                    if let Some(open) = &mut self.scenario {
                        open.has_wrong_step = true;
                    }
                    return Last::Wrong;
                }
            }
        }
        let previous = self.last_step().map(|it| it.kind);
        let kind = match (word, previous) {
            ("Given", _) => StepKind::Given,
            ("When", _) => StepKind::When,
            ("Then", _) => StepKind::Then,
            ("Soon", _) => StepKind::Soon,
            (_, Some(previous)) => previous,
            (_, None) => {
                if !self.scenario.as_ref().is_some_and(|it| it.has_wrong_step) {
                    self.diagnostics.push(
                        Diagnostic::new(
                            "syntax::first-and",
                            Span::new(span.start, span.start + word.len()),
                            "the first step of a scenario cannot begin with `And`",
                        )
                        .help("begin it with Given, When, Then or Soon"),
                    );
                }
                StepKind::Given
            }
        };
        if let Some(open) = &mut self.scenario {
            open.scenario.steps.push(Step {
                keyword: word.to_owned(),
                kind,
                title,
                block: None,
                table: None,
                description: Vec::new(),
                span,
            });
        }
        Last::Step
    }

    fn block(&mut self, language: Option<String>, code: Text, span: Span, last: Last) -> Last {
        let fence = first_line(self.source, span);
        let (code_of_mistake, message, help) = match last {
            Last::Wrong => return Last::Block,
            Last::Step => {
                if let Some(step) = self.last_step() {
                    step.block = Some(Block {
                        language,
                        code,
                        span,
                    });
                }
                return Last::Block;
            }
            Last::Block => (
                "syntax::second-block",
                "a step has one code block, and this is its second",
                "give it a step of its own",
            ),
            Last::StepDescription => (
                "syntax::block-after-description",
                "the code block of a step comes before its description",
                "put the description below the code block",
            ),
            Last::Heading | Last::HeadingDescription | Last::Examples => (
                "syntax::stray",
                "this code block belongs to no step",
                "put it below the step that it is for",
            ),
        };
        self.diagnostics
            .push(Diagnostic::new(code_of_mistake, fence, message).help(help));
        Last::Wrong
    }

    fn description(&mut self, paragraphs: Vec<String>, span: Span, last: Last) -> Last {
        match last {
            Last::Step | Last::Block | Last::StepDescription => {
                if let Some(step) = self.last_step() {
                    join_quotes(&mut step.description, paragraphs);
                }
                Last::StepDescription
            }
            // A comment before it has been reported, or what it describes has.
            Last::Heading | Last::HeadingDescription | Last::Wrong => last,
            Last::Examples => {
                self.diagnostics.push(
                    Diagnostic::new(
                        "syntax::stray",
                        first_line(self.source, span),
                        "examples have no description",
                    )
                    .help("describe the scenario outline, directly below its heading"),
                );
                last
            }
        }
    }

    fn table_on_step(&mut self, span: Span, last: Last) {
        let line = first_line(self.source, span);
        self.diagnostics.push(match last {
            Last::Examples => Diagnostic::new(
                "syntax::second-examples",
                line,
                "these examples have a second table",
            )
            .help("put its rows into the first table"),
            _ => Diagnostic::new(
                "syntax::table-on-step",
                line,
                "a step of this dialect has no table",
            )
            .help(
                "put the values into a code block, or make a scenario outline with `### Examples`",
            ),
        });
    }

    fn after_examples(&mut self, text: &Text, span: Span) {
        let line = first_line(self.source, span);
        self.diagnostics.push(if keyword(&text.value).is_some() {
            Diagnostic::new(
                "syntax::step-after-examples",
                line,
                "a step cannot follow the examples of its scenario",
            )
            .help("put it above the `Examples` heading, or begin a new scenario")
        } else {
            Diagnostic::new("syntax::stray", line, "this text belongs to nothing")
                .help("put it into a comment, `<!-- ... -->`")
        });
    }

    fn not_a_step(&mut self, text: &Text, span: Span) {
        let value = text.value.as_str();
        let end = value
            .find(|it: char| !it.is_ascii_alphabetic())
            .unwrap_or(value.len());
        let word = &value[..end];
        let bullet = value.trim_start_matches(['-', '*', '+']).trim_start();
        let is_bullet = bullet.len() < value.len();
        let (marked, message, help) = if word == "But" {
            (
                3,
                "`But` is not a keyword of this dialect".to_owned(),
                "write `And` instead".to_owned(),
            )
        } else if is_bullet && keyword(bullet).is_some() {
            (
                value.len() - bullet.len(),
                "a step of this dialect is a paragraph, not an item of a list".to_owned(),
                "take the bullet away, or write `dialect: markdown-with-gherkin` in front matter"
                    .to_owned(),
            )
        } else if is_rule(value) {
            (
                value.len(),
                "a horizontal line is not part of this dialect".to_owned(),
                "take it out".to_owned(),
            )
        } else if let Some(near) = nearest(word, KEYWORDS) {
            (
                word.len(),
                format!("`{word}` is not a keyword"),
                format!(
                    "did you mean `{near}`? Prose goes into a description: lines that begin with `>`"
                ),
            )
        } else {
            (
                0,
                "this text is not a step".to_owned(),
                "begin it with Given, When, Then, Soon or And; begin each line with `>` to make it a \
                 description, directly below a heading or step; or put it into a comment, `<!-- ... -->`"
                    .to_owned(),
            )
        };
        let line = first_line(self.source, span);
        let marked = if marked == 0 {
            line
        } else {
            Span::new(span.start, (span.start + marked).min(line.end))
        };
        self.diagnostics
            .push(Diagnostic::new("syntax::not-a-step", marked, message).help(help));
    }
}

fn is_rule(text: &str) -> bool {
    let text = text.trim();
    text.len() >= 3
        && ["-", "*", "_"]
            .iter()
            .any(|it| text.replace(it, "").trim().is_empty())
}
