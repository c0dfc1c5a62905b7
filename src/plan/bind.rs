//! Binds every step of a feature to its definition and reports all that does not fit.

use std::{
    path::Path,
    sync::{Arc, LazyLock},
};

use regex::Regex;
use serde_json::Value;

use super::{
    Definition, Part, Vocabulary,
    requirements::{check_arguments, check_block, check_expressions, check_files, check_waiting},
    variables::{GIVEN, Known, stored_names},
    vocabulary::Captures,
};
use crate::scenario::{
    Diagnostic, Expression, Span, Text,
    ast::{Block, Step},
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
    doubtful: bool,
    directory: &Path,
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
            // With a variable unknown the title is no real one: that has been said already.
            if problems.len() == before {
                problems.push(unmatched(sentence, &step.title, known));
            }
            known.assume(sentence);
            return None;
        }
        _ => {
            problems.push(ambiguous(sentence, &step.title, &found));
            known.assume(sentence);
            return None;
        }
    };
    let definition = Arc::clone(definition);
    if !doubtful {
        check_block(&step, &definition, &title, known, problems);
    }
    check_waiting(&step, &definition, limit.map(|(kind, ..)| kind), problems);
    check_expressions(&step, &definition, &captures, problems);
    if whole {
        check_arguments(&step, &definition, &captures, problems);
        check_files(&step, &definition, &captures, directory, problems);
    }
    check_stored(&step, &definition, &captures, problems);
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
    let binding = Value::Object(known.binding().clone());
    for found in placeholder::find(&text.value, json) {
        let written = &text.value[found.expression.clone()];
        let source = placeholder::with_variants(written, &binding, BINDING_TIME);
        let source = source.unwrap_or_else(|_| written.to_owned());
        // What does not compile was reported when the file was read.
        let Ok(expression) = Expression::compile(&source) else {
            continue;
        };
        for name in expression.free_names() {
            if known.has(&name.name) || known.open {
                continue;
            }
            // With a variant put in, places in the expression are not those of the file.
            let start = found.expression.start + name.offset;
            let place = if source == written {
                start..start + name.name.len()
            } else {
                found.range.clone()
            };
            problems.push(unknown_variable(&name.name, text.source(place), known));
        }
    }
}

fn unknown_variable(name: &str, span: Span, known: &Known) -> Diagnostic {
    if name == "variant" {
        let message = "this file has no variants";
        return Diagnostic::new("plan::unknown-variable", span, message)
            .help("list them in front matter, for example: variants: [{ network: ltem }]");
    }
    let message = format!("no step before this one stores `{name}`");
    let problem = Diagnostic::new("plan::unknown-variable", span, message);
    match known.nearest(name) {
        Some(nearest) => problem.help(format!("did you mean `{nearest}`?")),
        None => problem.help(
            "store it first, for example: Given I store `$millis()` into `…`; values of \
             `exampleContext` only stand in while steps are bound",
        ),
    }
}

/// The title with every placeholder replaced, and whether all of it is a value that could be real.
pub(super) fn with_stand_ins(title: &str, known: &Known) -> (String, bool) {
    let binding = Value::Object(known.binding().clone());
    let mut text = String::with_capacity(title.len());
    let mut from = 0;
    let mut whole = true;
    for found in placeholder::find(title, false) {
        text.push_str(&title[from..found.range.start]);
        let written = &title[found.expression.clone()];
        let value = placeholder::with_variants(written, &binding, BINDING_TIME)
            .ok()
            .and_then(|source| Expression::compile(&source).ok())
            .and_then(|it| it.evaluate(&binding, BINDING_TIME).ok().flatten());
        match value {
            Some(value) => text.push_str(&printed(&value)),
            None => {
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

/// Where a second step begins in a title: two steps without an empty line between them.
fn second_step(sentence: &str) -> Option<&'static str> {
    ["Given", "When", "Then", "Soon", "And"]
        .into_iter()
        .find(|keyword| {
            sentence
                .match_indices(&format!(" {keyword} "))
                .any(|(at, _)| {
                    !Vocabulary::of_this_process()
                        .find(&sentence[..at])
                        .is_empty()
                })
        })
}

fn unmatched(sentence: &str, title: &Text, known: &Known) -> Diagnostic {
    if let Some(keyword) = second_step(sentence) {
        let message = format!("two steps in one paragraph: no step says \"{sentence}\"");
        return Diagnostic::new("plan::unmatched-step", title.span(), message)
            .help(format!("put an empty line before `{keyword}`"));
    }
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

/// Given variables belong to the target; names have to be readable by expressions.
fn check_stored(
    step: &Step,
    definition: &Definition,
    captures: &Captures,
    problems: &mut Vec<Diagnostic>,
) {
    for name in stored_names(definition, captures) {
        let span = step.title.span();
        if GIVEN.iter().any(|(given, _)| *given == name) {
            let message = format!("`{name}` is given by the target and cannot be stored");
            problems.push(
                Diagnostic::new("plan::given-variable", span, message)
                    .help("choose another name, or give it another value with --set"),
            );
        } else if !is_name(&name) {
            let message = format!("`{name}` is not a name that an expression can read");
            problems.push(
                Diagnostic::new("plan::variable-name", span, message)
                    .help("a name is letters, digits and _, and begins with no digit"),
            );
        }
    }
}

/// Whether JSONata reads this as a name.
pub(super) fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars
        .next()
        .is_some_and(|it| it.is_alphabetic() || it == '_')
        && chars.all(|it| it.is_alphanumeric() || it == '_')
}

fn uses(step: &Step, definition: &Definition) -> Vec<Part> {
    let mut uses = definition.entry.map_or_else(
        // A step that declares nothing may need everything there is.
        || {
            if cfg!(feature = "embedded") {
                vec![Part::Server, Part::Upstream]
            } else {
                Vec::new()
            }
        },
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
