//! The tree of a scenario file, the same for all three dialects.

use std::{path::PathBuf, sync::Arc, time::Duration};

use serde_json::{Map, Value};

use super::{Span, Text};

/// One scenario file.
#[derive(Clone, Debug)]
pub struct Document {
    /// The path as the user gave it or as it was found.
    pub path: PathBuf,
    /// The file's text as it was read; every [`Span`] points into it.
    pub source: Arc<str>,
    /// The language it is written in.
    pub dialect: Dialect,
    /// Where reading it found mistakes: what stands there is not what was meant.
    pub mistakes: Vec<Span>,
    /// What stands between the `---` lines; empty where there is none.
    pub front_matter: FrontMatter,
    /// The feature. `None` for an empty classic file, and where the title could not be read.
    pub feature: Option<Feature>,
}

/// The languages a scenario can be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// bdd-markdown: paragraphs are steps; one context for the file; `Soon` and `${}`.
    BddMarkdown,
    /// Markdown with Gherkin: bulleted steps.
    MarkdownWithGherkin,
    /// Classic `.feature`.
    Gherkin,
}

impl Dialect {
    /// Whether scenarios of a file run in order and share one context (bdd-markdown), rather than
    /// each for itself with the Background before it (Gherkin).
    #[must_use]
    pub const fn shares_context(self) -> bool {
        matches!(self, Self::BddMarkdown)
    }
}

/// Front matter, checked.
#[derive(Clone, Debug, Default)]
pub struct FrontMatter {
    /// Where it stands, with both `---` lines.
    pub span: Span,
    /// `run: never | only`.
    pub run: Option<RunWhen>,
    /// Titles of the features that must have run before.
    pub needs: Vec<Text>,
    /// `order: first | last`.
    pub order: Option<Order>,
    /// One run of the file for each; empty for one plain run.
    pub variants: Vec<Map<String, Value>>,
    /// Values that stand in for variables while steps are bound, never while they run.
    pub example_context: Map<String, Value>,
    /// The generation of the hello API this file is for.
    pub profile: Option<Text>,
    /// Tags of the whole file, each with its `@`.
    pub tags: Vec<Text>,
    /// The limit of one attempt at a step.
    pub timeout: Option<Duration>,
    /// The clock this file insists on.
    pub clock: Option<ClockChoice>,
    /// Ids of the rows of a conformance catalogue that this file covers.
    pub covers: Vec<Text>,
}

/// `run:` in front matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunWhen {
    /// Skipped, and so is what needs it.
    Never,
    /// Only this one and what it needs.
    Only,
}

/// `order:` in front matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Before all others, as far as `needs` allows.
    First,
    /// After all others, as far as `needs` allows.
    Last,
}

/// `clock:` in front matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockChoice {
    /// Real sockets, the machine's clock.
    Real,
    /// No socket, a clock that jumps.
    Virtual,
}

/// A feature.
#[derive(Clone, Debug)]
pub struct Feature {
    /// Title; empty where the file gives none.
    pub title: Text,
    /// Tags written at the feature (front matter's are not repeated here), each with its `@`.
    pub tags: Vec<Text>,
    /// Paragraphs of the description.
    pub description: Vec<String>,
    /// The Background of a Gherkin file. A bdd-markdown `## Background` is a scenario.
    pub background: Option<Background>,
    /// Scenarios and rules in file order.
    pub children: Vec<Child>,
}

/// What a feature is made of.
#[derive(Clone, Debug)]
pub enum Child {
    /// A scenario of the feature itself.
    Scenario(Scenario),
    /// A rule with scenarios of its own.
    Rule(Rule),
}

/// A rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Title; may be empty.
    pub title: Text,
    /// Tags, each with its `@`.
    pub tags: Vec<Text>,
    /// Paragraphs of the description.
    pub description: Vec<String>,
    /// The rule's own Background (Gherkin only).
    pub background: Option<Background>,
    /// Its scenarios.
    pub scenarios: Vec<Scenario>,
    /// Its heading line.
    pub span: Span,
}

/// Steps that Gherkin runs before each scenario.
#[derive(Clone, Debug)]
pub struct Background {
    /// Title; may be empty.
    pub title: Text,
    /// Its steps.
    pub steps: Vec<Step>,
    /// Its heading line.
    pub span: Span,
}

/// A scenario or a scenario outline.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The keyword as written, or as implied by the heading's level.
    pub keyword: String,
    /// Title; may be empty.
    pub title: Text,
    /// Tags, each with its `@`.
    pub tags: Vec<Text>,
    /// Paragraphs of the description.
    pub description: Vec<String>,
    /// Its steps. Never empty in bdd-markdown.
    pub steps: Vec<Step>,
    /// Example tables; a scenario with none runs once as it is.
    pub examples: Vec<Examples>,
    /// Its heading line.
    pub span: Span,
}

/// A table of example rows.
#[derive(Clone, Debug)]
pub struct Examples {
    /// Title; may be empty.
    pub title: Text,
    /// Tags, each with its `@`.
    pub tags: Vec<Text>,
    /// Header and rows; `None` for a Gherkin `Examples:` without a table.
    pub table: Option<Table>,
    /// Its heading line.
    pub span: Span,
}

/// A table; all rows are as wide as the header.
#[derive(Clone, Debug)]
pub struct Table {
    /// Rows. For [`Examples`] the first one is the header.
    pub rows: Vec<Row>,
}

/// A row of a table.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its cells, trimmed and unescaped. An empty cell of bdd-markdown stands for `null`.
    pub cells: Vec<Text>,
    /// Its line.
    pub span: Span,
}

/// A step.
#[derive(Clone, Debug)]
pub struct Step {
    /// The keyword as written: `Given`, `And`, `*`, a translation.
    pub keyword: String,
    /// What the keyword means here; `And` and `But` are as the step before them.
    pub kind: StepKind,
    /// The sentence, lines joined with one space.
    pub title: Text,
    /// The code block or doc string below it.
    pub block: Option<Block>,
    /// The data table below it (Gherkin only).
    pub table: Option<Table>,
    /// Paragraphs of the description (bdd-markdown only).
    pub description: Vec<String>,
    /// From the keyword to the end of the sentence.
    pub span: Span,
}

/// What a step's keyword means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// Puts something in place.
    Given,
    /// Does something.
    When,
    /// Holds now.
    Then,
    /// Holds before its budget is used.
    Soon,
}

/// A code block or doc string.
#[derive(Clone, Debug)]
pub struct Block {
    /// `json` of ```` ```json ````; absent where nothing is said.
    pub language: Option<String>,
    /// Its content, without the fences and without a final line break.
    pub code: Text,
    /// From the opening fence to the closing one.
    pub span: Span,
}
