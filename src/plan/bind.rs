//! Binds every step of a feature to its definition and reports all that does not fit.

use std::{sync::Arc, sync::LazyLock};

use regex::Regex;
use serde_json::Value;

use super::{
    BlockNeed, Definition, Part, Vocabulary, Waiting,
    variables::{GIVEN, Known},
    vocabulary::Captures,
};
use crate::scenario::{
    Diagnostic, Expression, Text,
    ast::{Block, Step, StepKind},
    parse_duration, placeholder, printed,
};

/// A step with its definition.
#[derive(Clone, Debug)]
pub struct BoundStep {
    /// The step, with the values of its example row put in.
    pub step: Step,
    /// What carries it out.
    pub definition: Arc<Definition>,
    /// Bytes of the title before the sentence: those of ``within `…` ``.
    pub sentence_at: usize,
    /// ``Within `…` `` or ``For `…` `` in front of the sentence.
    pub limit: Option<LimitKind>,
    /// Parts of the laboratory it needs.
    pub uses: Vec<Part>,
}

/// A time in front of a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitKind {
    /// It has to become true before this time is over.
    Within,
    /// It has to stay true for this time.
    For,
}

/// Splits ``Within `90 minutes` rest`` off a title: kind, duration text, where the rest begins.
#[must_use]
pub fn time_limit(title: &str) -> Option<(LimitKind, &str, usize)> {
    static PREFIX: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(?P<kind>[Ww]ithin|[Ff]or) `(?P<time>[^`]+)`,? (?P<rest>.+)$")
            .expect("a pattern of ours")
    });
    if !title.starts_with(['W', 'w', 'F', 'f']) {
        return None;
    }
    let found = PREFIX.captures(title)?;
    let kind = if found["kind"].eq_ignore_ascii_case("within") {
        LimitKind::Within
    } else {
        LimitKind::For
    };
    let time = found.name("time")?;
    Some((kind, &title[time.range()], found.name("rest")?.start()))
}

/// Binds one step where `known` variables have values; adds what it stores to `known`.
pub(super) fn bind(
    step: Step,
    known: &mut Known,
    problems: &mut Vec<Diagnostic>,
) -> Option<BoundStep> {
    let before = problems.len();
    check_names(&step.title, false, known, problems);
    if let Some(block) = &step.block {
        check_names(&block.code, is_json(block), known, problems);
    }
    let (title, whole) = with_stand_ins(&step.title.value, known);
    let span = step.title.span();

    let limit = time_limit(&title);
    if let Some((_, time, _)) = limit
        && whole
        && let Err(why) = parse_duration(time)
    {
        problems.push(
            Diagnostic::new(
                "plan::duration",
                span,
                format!("`{time}` is not a duration: {why}"),
            )
            .help("write a number and a unit, for example `90 seconds` or `1 h 30 min`"),
        );
    }
    let sentence = limit.map_or(title.as_str(), |(.., rest)| &title[rest..]);
    let mut found = Vocabulary::of_this_process().find(sentence);
    let (definition, captures) = match found.len() {
        1 => found.remove(0),
        0 => {
            problems.push(unmatched(sentence, &step.title, known));
            return None;
        }
        _ => {
            problems.push(ambiguous(sentence, &step.title, &found));
            return None;
        }
    };
    let definition = Arc::clone(definition);
    check_block(&step, &definition, &title, known, problems);
    check_waiting(&step, &definition, limit.map(|(kind, ..)| kind), problems);
    check_expressions(&step, &definition, &captures, problems);
    let uses = uses(&step, &definition);
    known.store(&definition, &captures);
    if problems.len() > before {
        return None;
    }
    let sentence_at = limit.map_or(0, |(.., rest)| rest);
    Some(BoundStep {
        step,
        definition,
        sentence_at,
        limit: limit.map(|(kind, ..)| kind),
        uses,
    })
}

/// Whether placeholders of JSON count in this block.
#[must_use]
pub fn is_json(block: &Block) -> bool {
    block.language.as_deref() == Some("json")
}

fn check_names(text: &Text, json: bool, known: &Known, problems: &mut Vec<Diagnostic>) {
    for found in placeholder::find(&text.value, json) {
        // What does not compile was reported when the file was read.
        let Ok(expression) = Expression::compile(&text.value[found.expression.clone()]) else {
            continue;
        };
        for name in expression.free_names() {
            if known.has(&name.name) || known.open {
                continue;
            }
            let start = found.expression.start + name.offset;
            let span = text.source(start..start + name.name.len());
            let problem = Diagnostic::new(
                "plan::unknown-variable",
                span,
                format!("no step before this one stores `{}`", name.name),
            );
            problems.push(match known.nearest(&name.name) {
                Some(nearest) => problem.help(format!("did you mean `{nearest}`?")),
                None => problem.help(
                    "store it first, for example: Given I store `$millis()` into `…`; values of \
                     `exampleContext` only stand in while steps are bound",
                ),
            });
        }
    }
}

/// The title with every placeholder replaced, and whether all of it is a value that could be real.
fn with_stand_ins(title: &str, known: &Known) -> (String, bool) {
    let mut text = String::with_capacity(title.len());
    let mut from = 0;
    let mut whole = true;
    for found in placeholder::find(title, false) {
        text.push_str(&title[from..found.range.start]);
        let value = Expression::compile(&title[found.expression.clone()])
            .and_then(|it| it.evaluate(&Value::Object(known.binding().clone()), BINDING_TIME));
        match value {
            Ok(Some(value)) => text.push_str(&printed(&value)),
            _ => {
                whole = false;
                text.push('0');
            }
        }
        from = found.range.end;
    }
    text.push_str(&title[from..]);
    (text, whole)
}

/// Any time will do to bind steps: 2026-01-01T00:00:00Z.
const BINDING_TIME: i64 = 1_767_225_600_000;

fn unmatched(sentence: &str, title: &Text, known: &Known) -> Diagnostic {
    let problem = Diagnostic::new(
        "plan::unmatched-step",
        title.span(),
        format!("no step says \"{sentence}\""),
    );
    let guessed = placeholder::find(&title.value, false).iter().any(|found| {
        Expression::compile(&title.value[found.expression.clone()]).is_ok_and(|it| {
            it.free_names()
                .iter()
                .any(|name| !known.binding().contains_key(&name.name))
        })
    });
    let hint = if guessed {
        "; give its variables values in `exampleContext`"
    } else {
        ""
    };
    match Vocabulary::of_this_process().nearest(sentence) {
        Some(nearest) if nearest.only_arguments => problem
            .label("what stands in the backticks does not fit")
            .help(format!("the sentence is: {}{hint}", nearest.sentence)),
        Some(nearest) => problem.help(format!("did you mean: {}", nearest.sentence)),
        None => problem.help("`fotalab steps` lists every sentence there is"),
    }
}

fn ambiguous(sentence: &str, title: &Text, found: &[(&Arc<Definition>, Captures)]) -> Diagnostic {
    let places: Vec<_> = found
        .iter()
        .map(|(it, _)| {
            format!(
                "{} ({}:{})",
                it.sentence(),
                it.location.path,
                it.location.line
            )
        })
        .collect();
    Diagnostic::new(
        "plan::ambiguous-step",
        title.span(),
        format!("{} steps say \"{sentence}\"", found.len()),
    )
    .help(format!("make one of them narrower: {}", places.join("; ")))
}

fn check_block(
    step: &Step,
    definition: &Definition,
    title: &str,
    known: &Known,
    problems: &mut Vec<Diagnostic>,
) {
    let need = definition
        .entry
        .map_or(BlockNeed::Free, |entry| entry.block);
    let need = match need {
        BlockNeed::JsonAfterWith if title.ends_with("with") => BlockNeed::Json,
        BlockNeed::JsonAfterWith => BlockNeed::None,
        need => need,
    };
    let span = step.title.span();
    match (&step.block, need) {
        (None, BlockNeed::Json | BlockNeed::Text | BlockNeed::Http) => {
            let (what, example) = match need {
                BlockNeed::Json => ("JSON", "```json\n{ }\n```"),
                BlockNeed::Http => ("an HTTP message", "```\nHTTP/1.1 200 OK\n```"),
                _ => ("a code block", "```\n…\n```"),
            };
            problems.push(
                Diagnostic::new(
                    "plan::missing-block",
                    span,
                    format!("this step needs {what} in a code block below it"),
                )
                .help(format!("add, after an empty line:\n{example}")),
            );
        }
        (Some(block), BlockNeed::None) => problems.push(
            Diagnostic::new(
                "plan::unused-block",
                block.span,
                "this step takes no code block, so this one would be ignored",
            )
            .help("remove it, or check the sentence: some say `with` at the end"),
        ),
        (Some(block), BlockNeed::Json) => check_json(block, known, problems),
        _ => {}
    }
    if let Some(table) = &step.table
        && definition.entry.is_some()
    {
        let span = table.rows.first().map_or(span, |row| row.span);
        problems.push(
            Diagnostic::new("plan::unused-table", span, "this step takes no data table")
                .help("remove it"),
        );
    }
}

/// JSON has to be JSON once its placeholders have values.
fn check_json(block: &Block, known: &Known, problems: &mut Vec<Diagnostic>) {
    let code = &block.code.value;
    let found = placeholder::find(code, is_json(block));
    // Stand-ins as long as what they replace keep the places right.
    let mut text = code.clone();
    for place in found.iter().rev() {
        let length = place.range.len();
        let stand_in = "0".repeat(length.max(1));
        let number = format!("1{}", &stand_in[1..]);
        text.replace_range(place.range.clone(), &number);
    }
    let _ = known;
    if let Err(error) = serde_json::from_str::<Value>(&text) {
        let line_start: usize = code
            .split_inclusive('\n')
            .take(error.line().saturating_sub(1))
            .map(str::len)
            .sum();
        let at = (line_start + error.column().saturating_sub(1)).min(code.len());
        let at = (0..=at)
            .rev()
            .find(|&it| code.is_char_boundary(it))
            .unwrap_or(0);
        let words = error.to_string();
        let words = words.split(" at line").next().unwrap_or_default();
        problems.push(
            Diagnostic::new(
                "plan::json",
                block.code.source(at..at),
                format!("this is not JSON: {words}"),
            )
            .help("JSON wants double quotes, commas between and none after the last entry"),
        );
    }
}

fn check_waiting(
    step: &Step,
    definition: &Definition,
    limit: Option<LimitKind>,
    problems: &mut Vec<Diagnostic>,
) {
    let waiting = definition
        .entry
        .map_or(Waiting::WhenSoon(super::Budget::REST), |it| it.waiting);
    let span = step.title.span();
    let soon = step.kind == StepKind::Soon;
    let problem = match (waiting, limit) {
        (Waiting::Window(_), Some(LimitKind::Within)) => Some((
            "something that should not happen cannot be waited for within a time",
            "say: For `10 seconds` …",
        )),
        (Waiting::Window(_), _) if soon => Some((
            "`Soon` does not go with something that should not happen",
            "use Then, and say for how long: Then for `10 seconds` …",
        )),
        (Waiting::Always(_) | Waiting::WhenSoon(_) | Waiting::Never, Some(LimitKind::For)) => {
            Some((
                "`For` goes with something that should not happen",
                "say: Within `10 seconds` …, if it has to become true",
            ))
        }
        (Waiting::Never, Some(LimitKind::Within)) => Some((
            "this step asserts nothing that could become true",
            "leave the time out",
        )),
        _ => None,
    };
    if let Some((message, help)) = problem {
        problems.push(Diagnostic::new("plan::waiting", span, message).help(help));
    }
}

fn check_expressions(
    step: &Step,
    definition: &Definition,
    captures: &Captures,
    problems: &mut Vec<Diagnostic>,
) {
    let groups = definition.entry.map_or(&[][..], |entry| entry.expressions);
    for (_, text) in captures.iter().filter(|(name, text)| {
        name.as_deref().is_some_and(|it| groups.contains(&it)) && !text.is_empty()
    }) {
        if let Err(error) = Expression::compile(text) {
            problems.push(
                Diagnostic::new(
                    "plan::expression",
                    step.title.span(),
                    format!("`{text}` is not valid JSONata: {error}"),
                )
                .help("the language is described at docs.jsonata.org; `$` is the answer's body"),
            );
        }
    }
}

fn uses(step: &Step, definition: &Definition) -> Vec<Part> {
    let mut uses = definition.entry.map_or_else(
        || vec![Part::Server, Part::Upstream],
        |entry| entry.uses.to_vec(),
    );
    let mentions = |text: &str| {
        GIVEN
            .iter()
            .any(|(name, _)| *name != "MOCKURL" && text.contains(name))
    };
    let block = step.block.as_ref().map_or("", |it| it.code.value.as_str());
    if mentions(&step.title.value) || mentions(block) {
        uses.push(Part::Server);
    }
    if step.title.value.contains("MOCKURL") || block.contains("MOCKURL") {
        uses.push(Part::Upstream);
    }
    uses
}
