//! bdd-markdown (`contracts/scenario-dialect.md`, section 1): blocks, then their order.

mod blocks;
mod closing;
mod examples;
mod fences;
mod heading;
mod steps;

use std::mem;

pub(super) use self::blocks::KEYWORDS;
use self::{
    blocks::{Content, Piece},
    heading::{Heading, Opens},
};
use super::{
    Diagnostic, Span, Text,
    ast::{Feature, Rule, Scenario, Step},
    lines::Line,
};

/// Reads what follows the front matter.
pub(super) fn parse(
    source: &str,
    lines: &[Line<'_>],
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Feature> {
    let pieces = blocks::read(lines, diagnostics);
    let mut parser = Parser {
        source,
        pieces: pieces.into_iter().peekable(),
        diagnostics,
        comments: Vec::new(),
        feature: None,
        rule: None,
        scenario: None,
    };
    parser.file();
    parser.feature
}

/// A comment that belongs to the heading or step after it.
struct Comment {
    text: Text,
    span: Span,
}

struct Parser<'p> {
    source: &'p str,
    pieces: std::iter::Peekable<std::vec::IntoIter<Piece>>,
    diagnostics: &'p mut Vec<Diagnostic>,
    /// Since the last heading or step.
    comments: Vec<Comment>,
    feature: Option<Feature>,
    rule: Option<Rule>,
    /// The scenario that is being read; `None` also below a heading that was not understood.
    scenario: Option<Open>,
}

/// A scenario that is being read.
struct Open {
    scenario: Scenario,
    outline: bool,
    level: usize,
    /// Its heading was not understood: it may be anything, and nothing is missing in it.
    recovered: bool,
    /// A paragraph below it was not understood as a step, and has been reported.
    has_wrong_step: bool,
    /// Whether the last thing read was a step, or its block or description.
    last: Last,
}

/// What was read last in a scenario.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Heading,
    HeadingDescription,
    Step,
    Block,
    StepDescription,
    Examples,
    /// Something that was reported; what belongs to it is not reported again.
    Wrong,
}

impl Parser<'_> {
    fn file(&mut self) {
        // Below a heading that was not understood nothing is reported: its place is unknown.
        let mut lost = false;
        let mut title_reported = false;
        let mut end = Span::default();
        while let Some(piece) = self.pieces.next() {
            end = piece.span;
            match piece.content {
                Content::Comment(text) => {
                    self.comment_placed(piece.span);
                    self.comments.push(Comment {
                        text,
                        span: piece.span,
                    });
                }
                Content::Heading(level, line) => {
                    let comment = self.comments.last().map(|it| it.span);
                    let tags = self.take_tags();
                    let in_rule = self.rule.is_some();
                    lost = true;
                    let heading =
                        heading::understand(level, &line, piece.span, in_rule, self.diagnostics);
                    match heading {
                        Some(it) => {
                            title_reported |= self.feature.is_none() && it.opens != Opens::Feature;
                            lost = !self.open(it, tags, comment);
                        }
                        None => {
                            self.close_scenario();
                            if level == 1 && self.feature.is_none() {
                                title_reported = true;
                                self.feature = Some(untitled(piece.span));
                            } else if self.feature.is_some() && level > 1 {
                                lost = false;
                                self.open_anyway(level, line, piece.span);
                            }
                        }
                    }
                }
                _ if lost => self.comments.clear(),
                content if self.scenario.is_some() => self.in_scenario(content, piece.span),
                content => self.outside_scenario(content, piece.span, &mut title_reported),
            }
        }
        self.comments.clear();
        self.finish(end, title_reported);
    }

    /// Opens what a heading says; false where it stands wrong.
    fn open(&mut self, heading: Heading, tags: Vec<Text>, comment: Option<Span>) -> bool {
        if heading.opens == Opens::Examples {
            return self.open_examples(&heading, comment);
        }
        self.close_scenario();
        if heading.level < 3 {
            self.close_rule();
        }
        match heading.opens {
            Opens::Feature if self.feature.is_some() => {
                self.diagnostics.push(
                    Diagnostic::new(
                        "syntax::second-feature",
                        heading.span,
                        "a file has one feature, and this is its second heading of level 1",
                    )
                    .help("begin its line with `##` to make it a scenario, or give it a file of its own"),
                );
                false
            }
            Opens::Feature => {
                let description = self.take_description();
                self.feature = Some(Feature {
                    title: heading.title,
                    tags,
                    description,
                    background: None,
                    children: Vec::new(),
                });
                true
            }
            Opens::Rule => {
                self.title_expected(heading.span);
                let description = self.take_description();
                self.rule = Some(Rule {
                    title: heading.title,
                    tags,
                    description,
                    background: None,
                    scenarios: Vec::new(),
                    span: heading.span,
                });
                true
            }
            Opens::Scenario | Opens::Outline => {
                self.title_expected(heading.span);
                let description = self.take_description();
                let described = !description.is_empty();
                self.scenario = Some(Open {
                    scenario: Scenario {
                        keyword: heading.keyword,
                        title: heading.title,
                        tags,
                        description,
                        steps: Vec::new(),
                        examples: Vec::new(),
                        span: heading.span,
                    },
                    outline: heading.opens == Opens::Outline,
                    level: heading.level,
                    recovered: false,
                    has_wrong_step: false,
                    last: if described {
                        Last::HeadingDescription
                    } else {
                        Last::Heading
                    },
                });
                true
            }
            Opens::Examples => false,
        }
    }

    /// Reads what stands below a heading that was not understood, and has been reported, as a
    /// scenario, so that its other mistakes are found too.
    fn open_anyway(&mut self, level: usize, title: Text, span: Span) {
        let description = self.take_description();
        self.scenario = Some(Open {
            scenario: Scenario {
                keyword: "Scenario".to_owned(),
                title,
                tags: Vec::new(),
                description,
                steps: Vec::new(),
                examples: Vec::new(),
                span,
            },
            outline: true,
            level,
            recovered: true,
            has_wrong_step: true,
            last: Last::HeadingDescription,
        });
    }

    /// Makes a feature without a title, so that the rest of the file is read, and says so.
    fn title_expected(&mut self, span: Span) {
        if self.feature.is_none() {
            self.diagnostics.push(
                Diagnostic::new(
                    "syntax::no-feature",
                    span,
                    "the file has no title above this heading",
                )
                .help("begin the file with a line such as `# Update a device`"),
            );
            self.feature = Some(untitled(span));
        }
    }

    fn outside_scenario(&mut self, content: Content, span: Span, title_reported: &mut bool) {
        self.comments.clear();
        if self.feature.is_none() {
            if !mem::replace(title_reported, true) {
                self.diagnostics.push(
                    Diagnostic::new(
                        "syntax::no-feature",
                        first_line(self.source, span),
                        "the file does not begin with a title",
                    )
                    .help("begin the file with a line such as `# Update a device`"),
                );
            }
            return;
        }
        let what = match content {
            Content::Paragraph(text) if steps::keyword(&text.value).is_some() => {
                self.diagnostics.push(
                    Diagnostic::new(
                        "syntax::step-outside-scenario",
                        first_line(self.source, span),
                        "this step belongs to no scenario",
                    )
                    .help("put a heading such as `## Update the device` above it"),
                );
                return;
            }
            Content::Paragraph(_) => "this text belongs to no scenario",
            Content::Quote(_) => "this description does not follow its heading directly",
            Content::Table(_) => "this table belongs to no examples",
            _ => "this code block belongs to no step",
        };
        self.diagnostics.push(
            Diagnostic::new("syntax::stray", first_line(self.source, span), what)
                .help("descriptions are lines that begin with `>`, directly below a heading or step; comments stand in `<!-- -->`"),
        );
    }

    /// The description directly below a heading or step; one behind a comment stands wrong.
    fn take_description(&mut self) -> Vec<String> {
        let mut paragraphs = Vec::new();
        while let Some(piece) = self
            .pieces
            .next_if(|it| matches!(it.content, Content::Quote(_)))
        {
            if let Content::Quote(more) = piece.content {
                join_quotes(&mut paragraphs, more);
            }
        }
        paragraphs
    }

    /// A comment may not come between a heading or step and what belongs to it.
    fn comment_placed(&mut self, span: Span) {
        let step = self.scenario.as_ref().map(|it| it.last);
        let what = match (self.pieces.peek().map(|it| &it.content), step) {
            (Some(Content::Quote(_)), _) => "before a description",
            (Some(Content::Code { .. }), Some(Last::Step)) => "between a step and its code block",
            (Some(Content::Table(_)), _) => "before a table",
            _ => return,
        };
        self.diagnostics.push(misplaced_comment(span, what));
        self.take_description();
    }

    /// Tags of the heading that follows: a line of `@words` alone in a comment before it.
    fn take_tags(&mut self) -> Vec<Text> {
        let mut tags = Vec::new();
        for comment in self.comments.drain(..) {
            let text = &comment.text;
            let mut start = 0;
            for line in text.value.split_inclusive('\n') {
                let words = || line.split_whitespace();
                if words().next().is_some() && words().all(|it| it.len() > 1 && it.starts_with('@'))
                {
                    for word in words() {
                        let at = start + word.as_ptr() as usize - line.as_ptr() as usize;
                        let mut tag = Text::new();
                        tag.push_text(text, at..at + word.len());
                        tags.push(tag);
                    }
                }
                start += line.len();
            }
        }
        tags
    }

    fn last_step(&mut self) -> Option<&mut Step> {
        self.scenario
            .as_mut()
            .and_then(|it| it.scenario.steps.last_mut())
    }
}

/// Quotes that follow one another with empty lines between merge without a paragraph's end.
fn join_quotes(paragraphs: &mut Vec<String>, more: Vec<String>) {
    let mut more = more.into_iter();
    if let (Some(last), Some(first)) = (paragraphs.last_mut(), more.as_slice().first()) {
        last.push(' ');
        last.push_str(first);
        more.next();
    }
    paragraphs.extend(more);
}

/// A feature whose title could not be read, so that the rest of the file is.
fn untitled(span: Span) -> Feature {
    Feature {
        title: Text::at("", span.start),
        tags: Vec::new(),
        description: Vec::new(),
        background: None,
        children: Vec::new(),
    }
}

fn misplaced_comment(span: Span, place: &str) -> Diagnostic {
    Diagnostic::new(
        "syntax::misplaced-comment",
        span,
        format!("a comment cannot stand {place}"),
    )
    .help("put it before the heading or step that it is about")
}

/// The first line of a place, so that a long paragraph is not marked whole.
fn first_line(source: &str, span: Span) -> Span {
    let text = &source[span.start..span.end];
    let line = text.lines().next().unwrap_or_default().trim_end();
    Span::new(span.start, span.start + line.len())
}
