//! What a sentence asks of its step: a code block of the right kind, arguments that mean something,
//! a way of waiting that fits.

use std::path::Path;

use fotalab_simulators::cloud::{Answer, ExpectedCall};
use regex::Regex;
use serde_json::Value;

use super::{
    BlockNeed, Definition, Form, MAX_RETRIES, Waiting,
    bind::{LimitKind, is_json, with_stand_ins},
    variables::Known,
    vocabulary::Captures,
};
use crate::scenario::{
    Diagnostic, Expression,
    ast::{Block, Step, StepKind},
    parse_duration, placeholder,
};

pub(super) fn check_block(
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
        (
            None,
            BlockNeed::Json | BlockNeed::Text | BlockNeed::HttpRequest | BlockNeed::HttpResponse,
        ) => {
            let (what, example) = match need {
                BlockNeed::Json => ("JSON", "```json\n{ }\n```"),
                BlockNeed::HttpResponse => ("an HTTP message", "```\nHTTP/1.1 200 OK\n```"),
                BlockNeed::HttpRequest => ("an HTTP message", "```\nGET /path HTTP/1.1\n```"),
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
        (None, BlockNeed::Form(form)) if form.required => problems.push(
            Diagnostic::new(
                "plan::missing-block",
                span,
                format!("this step needs {} in a code block below it", form.name),
            )
            .help(format!(
                "add, after an empty line:\n```\n{}\n```",
                form.example
            )),
        ),
        (Some(block), BlockNeed::Form(form)) => check_form(block, form, problems),
        (Some(block), BlockNeed::None) => problems.push(
            Diagnostic::new(
                "plan::unused-block",
                block.span,
                "this step takes no code block, so this one would be ignored",
            )
            .help("remove it, or check the sentence: some say `with` at the end"),
        ),
        (Some(block), BlockNeed::Json) => check_json(block, problems),
        (Some(block), BlockNeed::HttpRequest | BlockNeed::HttpResponse) => {
            check_http(block, need, known, problems);
        }
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
fn check_json(block: &Block, problems: &mut Vec<Diagnostic>) {
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

/// What stands there as it is can be wrong before anything runs; with values to come only then.
fn check_form(block: &Block, form: &Form, problems: &mut Vec<Diagnostic>) {
    let code = &block.code.value;
    if !placeholder::find(code, is_json(block)).is_empty() {
        return;
    }
    if let Err(mistake) = (form.check)(block.language.as_deref(), code) {
        let line = mistake.line.saturating_sub(1);
        let start: usize = code.split_inclusive('\n').take(line).map(str::len).sum();
        let length = code[start..].lines().next().map_or(0, str::len);
        let span = block.code.source(start..start + length);
        let problem = Diagnostic::new("plan::block", span, mistake.message);
        problems.push(match mistake.help {
            Some(help) => problem.help(help),
            None => problem.help(format!(
                "it is {}, for example:\n{}",
                form.name, form.example
            )),
        });
    }
}

/// An HTTP message has to be one, once its placeholders have values.
fn check_http(block: &Block, need: BlockNeed, known: &Known, problems: &mut Vec<Diagnostic>) {
    let (text, _) = with_stand_ins(&block.code.value, known);
    let broken = match need {
        BlockNeed::HttpResponse => Answer::parse("GET /", &text).err(),
        _ => ExpectedCall::parse(&text).err(),
    };
    if let Some(error) = broken {
        let code = &block.code.value;
        let line = error.line.saturating_sub(1);
        let start: usize = code.split_inclusive('\n').take(line).map(str::len).sum();
        let length = code[start..].lines().next().map_or(0, str::len);
        problems.push(
            Diagnostic::new(
                "plan::http",
                block.code.source(start..start + length),
                error.what,
            )
            .help(error.mend),
        );
    }
}

/// Durations and patterns that stand there as they are can be wrong before anything runs.
pub(super) fn check_arguments(
    step: &Step,
    definition: &Definition,
    captures: &Captures,
    problems: &mut Vec<Diagnostic>,
) {
    let Some(entry) = definition.entry else {
        return;
    };
    for (name, text) in captures.iter().filter(|(_, text)| !text.is_empty()) {
        let Some(name) = name.as_deref() else {
            continue;
        };
        let wrong = if entry.durations.contains(&name) {
            let why = parse_duration(text).err();
            why.map(|why| {
                (
                    format!("`{text}` is not a duration: {why}"),
                    "write a number and a unit, for example `90 seconds` or `1 h 30 min`",
                )
            })
        } else if entry.patterns.contains(&name) {
            let why = Regex::new(text).err();
            why.map(|_| {
                (
                    format!("`{text}` is not a regular expression"),
                    "escape what is meant as it is: `\\(`",
                )
            })
        } else if entry.json_paths.contains(&name) {
            let why = jsonpath_rust::parser::parse_json_path(text).err();
            why.map(|_| {
                (
                    format!("`{text}` is not a JSONPath"),
                    "write it as in RFC 9535, for example `$.tasks[0].state`",
                )
            })
        } else if name == "retries" && !text.parse().is_ok_and(|it: u32| it <= MAX_RETRIES) {
            Some((
                format!("`{text}` retries are more than the {MAX_RETRIES} there may be"),
                "say how long it may take instead: Within `10 minutes` …",
            ))
        } else {
            None
        };
        let check = entry.checks.iter().find(|(group, _)| *group == name);
        if let Some((_, check)) = check
            && let Err((message, help)) = check(text)
        {
            let problem = Diagnostic::new("plan::argument", step.title.span(), message);
            problems.push(problem.help(help));
        }
        if let Some((message, help)) = wrong {
            problems.push(Diagnostic::new("plan::argument", step.title.span(), message).help(help));
        }
    }
}

/// A file that is named as it is has to be there before anything runs.
pub(super) fn check_files(
    step: &Step,
    definition: &Definition,
    captures: &Captures,
    directory: &Path,
    problems: &mut Vec<Diagnostic>,
) {
    let Some(entry) = definition.entry else {
        return;
    };
    let named = captures.iter().filter(|(name, _)| {
        let name = name.as_deref();
        name.is_some_and(|name| entry.files.contains(&name))
    });
    for (_, path) in named {
        let full = directory.join(path);
        if full.is_file() {
            continue;
        }
        let message = format!("there is no file `{}`", full.display());
        problems.push(
            Diagnostic::new("plan::file", step.title.span(), message)
                .help("write its path relative to the directory of the scenario"),
        );
    }
}

pub(super) fn check_waiting(
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

pub(super) fn check_expressions(
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
