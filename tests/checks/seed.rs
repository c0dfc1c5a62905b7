//! The scenario this project was asked for passes as it is, and no line of it can be wrong
//! without being named.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use fotalab::scenario::{
    self,
    ast::{Child, Step},
};
use serde_json::{Value, json};

use crate::support::{Ran, directory, fotalab, long, seeds};

#[test]
fn it_passes_unchanged_again_and_again_on_both_clocks() {
    let Some(seeds) = seeds() else { return };
    // 20 times on sockets take most of a minute: CI asks for them.
    let on_sockets = if long() { 20 } else { 2 };
    for (clock, times) in [("virtual", 20), ("real", on_sockets)] {
        for nth in 0..times {
            let ran = fotalab(
                &seeds,
                &[
                    "run",
                    "DeviceFOTA.feature.md",
                    "--clock",
                    clock,
                    "--seed",
                    &nth.to_string(),
                ],
            );
            assert_eq!(ran.code, Some(0), "{clock} {nth}\n{}{}", ran.out, ran.err);
        }
    }
}

#[test]
fn it_passes_with_the_references_mock() {
    let Some(seeds) = seeds() else { return };
    let ran = fotalab(
        &seeds,
        &["run", "DeviceFOTA.feature.md", "--upstream", "newest-first"],
    );
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
}

/// One change of the seed: its text, the line of the step it is in, what the report has to name.
struct Change {
    what: String,
    text: String,
    line: usize,
    names: String,
}

#[test]
fn every_expectation_of_it_can_fail_and_is_named() {
    let Some(seeds) = seeds() else { return };
    let source = std::fs::read_to_string(seeds.join("DeviceFOTA.feature.md")).expect("it is there");
    let changes = changes(&source);
    assert!(
        changes.len() > 30,
        "only {} changes: is this the seed?",
        changes.len()
    );
    each_fails_and_is_named(&directory("changed-seed"), changes);
}

/// The same of the project's own sentence. All of its expectations take minutes: CI asks for them.
#[test]
fn every_expectation_of_the_whole_story_can_fail_and_is_named() {
    let story = Path::new(env!("CARGO_MANIFEST_DIR")).join("features/whole-story.feature.md");
    let source = std::fs::read_to_string(story).expect("it is there");
    let mut changes = changes(&source);
    assert!(changes.len() > 50, "only {} changes", changes.len());
    if !long() {
        let mut nth = 0;
        changes.retain(|_| {
            nth += 1;
            nth % 9 == 0
        });
    }
    each_fails_and_is_named(&directory("changed-story"), changes);
}

fn each_fails_and_is_named(directory: &Path, changes: Vec<Change>) {
    let changes: Vec<(usize, Change)> = changes.into_iter().enumerate().collect();
    let waiting = Mutex::new(changes);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some((number, change)) = waiting.lock().expect("no panic").pop() else {
                        return;
                    };
                    if let Some(why) = judge(directory, number, &change) {
                        wrong
                            .lock()
                            .expect("no panic")
                            .push(format!("{}: {why}", change.what));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("no panic");
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

fn judge(directory: &Path, number: usize, change: &Change) -> Option<String> {
    let name = format!("{number}.feature.md");
    std::fs::write(directory.join(&name), &change.text).expect("it can be written");
    let Ran { code, out, err } = fotalab(directory, &["run", &name]);
    let place = format!("{name}:{}:", change.line);
    if code != Some(100) {
        return Some(format!("exit code {code:?}, not 100\n{out}{err}"));
    }
    if !out.contains(&place) {
        return Some(format!("the report does not name {place}\n{out}"));
    }
    if !out.contains(&change.names) {
        return Some(format!("the report does not name {}\n{out}", change.names));
    }
    None
}

/// Every leaf of every assertion block and every asserted status, changed one at a time.
fn changes(source: &str) -> Vec<Change> {
    let parsed = scenario::parse(Path::new("DeviceFOTA.feature.md"), Arc::from(source));
    assert!(parsed.diagnostics.is_empty(), "{:#?}", parsed.diagnostics);
    let feature = parsed.document.feature.expect("it has a title");
    let mut changes = Vec::new();
    for child in &feature.children {
        let Child::Scenario(scenario) = child else {
            continue;
        };
        for step in &scenario.steps {
            of_step(source, step, &mut changes);
        }
    }
    changes
}

fn of_step(source: &str, step: &Step, changes: &mut Vec<Change>) {
    let title = step.title.value.as_str();
    let line = step.span.position(source).line;
    let mut change = |what: String, range: std::ops::Range<usize>, new: &str, names: &str| {
        let mut text = source.to_owned();
        text.replace_range(range, new);
        changes.push(Change {
            what: format!("line {line}, {what}"),
            text,
            line,
            names: names.to_owned(),
        });
    };
    if let Some(at) = title.find("should be `") {
        let start = at + "should be `".len();
        let end = start + title[start..].find('`').expect("it closes");
        let span = step.title.source(start..end);
        change(
            format!("status {}", &title[start..end]),
            span.start..span.end,
            "299",
            "299",
        );
    }
    if title.contains("I should receive a `http") {
        let start = title.find("`http").expect("it is there") + 1;
        let end = start + title[start..].find('`').expect("it closes");
        let span = step.title.source(start..end);
        change(
            "@context".to_owned(),
            span.end..span.end,
            "-changed",
            "-changed",
        );
    }
    for (before, new) in [
        ("should run `", "9.9.9"),
        ("and the result `", "8"),
        ("And exactly `", "77"),
    ] {
        if let Some(at) = title.find(before.trim_start_matches("And ")) {
            let start = at + before.trim_start_matches("And ").len();
            let end = start + title[start..].find('`').expect("it closes");
            let span = step.title.source(start..end);
            change(before.to_owned(), span.start..span.end, new, new);
        }
    }
    if title.contains("these CoAP messages should have crossed") {
        let block = step.block.as_ref().expect("it has a block");
        let span = block.code.span();
        let lines: Vec<&str> = block.code.value.lines().collect();
        for (nth, line) in lines.iter().enumerate() {
            // A payload that nobody sends.
            let mut changed = lines.clone();
            let wrong = format!("{line} [/9/9/9 = 9]");
            changed[nth] = &wrong;
            change(
                format!("message {line}"),
                span.start..span.end,
                &format!("{}\n", changed.join("\n")),
                "/9/9/9",
            );
        }
        return;
    }
    let asserts = title.contains("should match")
        || title.contains("should equal")
        || title.contains("that is equal to")
        || title.contains("that matches")
        || title.contains("should have been called with");
    let Some(block) = step.block.as_ref().filter(|_| asserts) else {
        return;
    };
    let code = &block.code.value;
    let span = block.code.span();
    // An HTTP message: its request line and headers are text, its body is JSON.
    let body_at = if code.starts_with('{') {
        0
    } else {
        code.find("\n\n").map_or(0, |at| at + 2)
    };
    for (old, new) in [
        ("POST ", "PATCH "),
        ("/v1/fota-jobs", "/v1/changed"),
        ("application/json", "text/changed"),
    ] {
        if let Some(at) = code[..body_at].find(old) {
            let text = format!("{}{new}{}", &code[..at], &code[at + old.len()..]);
            change(old.to_owned(), span.start..span.end, &text, new.trim());
        }
    }
    let body: Value =
        serde_json::from_str(&code[body_at..]).expect("assertion blocks of the seed are JSON");
    let mut leaves = Vec::new();
    collect(&body, String::new(), &mut leaves);
    for pointer in leaves {
        let mut changed = body.clone();
        let leaf = changed.pointer_mut(&pointer).expect("it was just found");
        let names = match leaf {
            Value::String(text) => {
                *text = format!("changed-{text}");
                "changed-".to_owned()
            }
            Value::Number(number) => {
                let new = number.as_i64().expect("whole numbers") + 1;
                *leaf = json!(new);
                new.to_string()
            }
            Value::Bool(flag) => {
                *flag = !*flag;
                flag.to_string()
            }
            other => panic!("no leaf: {other}"),
        };
        let text = format!("{}{changed}", &code[..body_at]);
        change(pointer, span.start..span.end, &text, &names);
    }
}

fn collect(value: &Value, pointer: String, leaves: &mut Vec<String>) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                let key = key.replace('~', "~0").replace('/', "~1");
                collect(value, format!("{pointer}/{key}"), leaves);
            }
        }
        Value::Array(items) => {
            for (nth, value) in items.iter().enumerate() {
                collect(value, format!("{pointer}/{nth}"), leaves);
            }
        }
        _ => leaves.push(pointer),
    }
}
