//! Broken files: beside each stands, written by hand, what a reader would want to be told.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use fotalab::scenario::{Diagnostic, parse};
use serde_json::Value;

use super::{gherkin::files, within};

/// The longest that reading one of them may take.
const LONGEST: Duration = Duration::from_secs(1);

fn expectation(file: &Path) -> Value {
    let name = file.to_string_lossy();
    let stem = name.split(".feature").next().unwrap_or_default();
    let path = PathBuf::from(format!("{stem}.expect.json"));
    let text = fs::read_to_string(&path).expect("an expectation stands beside each broken file");
    serde_json::from_str(&text).expect("the expectation is JSON")
}

/// What stands in the way of a diagnostic being the expected one.
fn difference(source: &str, found: &Diagnostic, expected: &Value) -> Option<String> {
    let position = found.span.position(source);
    let place = (position.line.into(), position.column.into());
    if (&place.0, &place.1) != (&expected["line"], &expected["column"])
        || expected["code"] != found.code
    {
        return Some(format!("expected {expected}"));
    }
    let told = format!(
        "{} {} {}",
        found.message,
        found.label.as_deref().unwrap_or_default(),
        found.help.as_deref().unwrap_or_default()
    )
    .to_lowercase();
    let says = expected["says"].as_array().expect("`says` is a list");
    let missing = says
        .iter()
        .filter_map(Value::as_str)
        .find(|it| !told.contains(&it.to_lowercase()));
    missing.map(|it| format!("does not say `{it}`"))
}

fn describe(source: &str, it: &Diagnostic) -> String {
    let at = it.span.position(source);
    format!(
        "{}:{} {}: {} ({:?})",
        at.line, at.column, it.code, it.message, it.help
    )
}

#[test]
fn broken_files_say_what_to_mend() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenario/broken");
    let mut differences = String::new();
    let mut count = 0;
    for file in files(&folder, &[".feature", ".feature.md"]) {
        let expectation = expectation(&file);
        if expectation["level"] == "plan" {
            continue;
        }
        count += 1;
        let source = fs::read_to_string(&file).expect("the file can be read");
        let (parsed, took) = within(LONGEST, || parse(&file, source.as_str().into()));
        assert!(took < LONGEST, "{} took {took:?}", file.display());
        let expected = expectation["diagnostics"]
            .as_array()
            .expect("`diagnostics` is a list");
        assert!(!expected.is_empty(), "{} expects nothing", file.display());
        let found = &parsed.diagnostics;
        let mut wrong: Vec<String> = found
            .iter()
            .zip(expected)
            .filter_map(|(it, expected)| {
                Some(format!(
                    "{}\n    {}",
                    describe(&source, it),
                    difference(&source, it, expected)?
                ))
            })
            .collect();
        let unexpected = found.iter().skip(expected.len());
        wrong.extend(unexpected.map(|it| format!("unexpected: {}", describe(&source, it))));
        wrong.extend(
            expected
                .iter()
                .skip(found.len())
                .map(|it| format!("not found: {it}")),
        );
        for it in &wrong {
            let _ = writeln!(
                differences,
                "{}: {it}",
                file.file_name().unwrap_or_default().display()
            );
        }
        for it in found {
            assert!(!it.message.ends_with('.'), "{}", it.message);
            assert!(it.help.is_some(), "{} has no help", it.code);
        }
    }
    assert!(differences.is_empty(), "{differences}");
    assert!(count >= 40, "only {count} broken files");
    println!("{count} broken files say what to mend");
}
