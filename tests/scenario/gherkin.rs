//! Our reading of Gherkin against that of `@cucumber/gherkin`, byte for byte.
//!
//! Beside each file of `gherkin/good` and `gherkin/bad` stands what `oracle.mjs` printed for it.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use fotalab::scenario::{gherkin_document, parse};

/// Files of a folder whose name ends so, sorted.
pub(crate) fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder can be listed");
    let mut files: Vec<_> = entries
        .map(|it| it.expect("the entry can be read").path())
        .collect();
    files.retain(|it| {
        endings
            .iter()
            .any(|end| it.to_string_lossy().ends_with(end))
    });
    files.sort();
    files
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenario/gherkin")
}

/// Compares all files of `good` or `bad`; gives how many there are and what differs.
fn compare(kind: &str) -> (usize, String) {
    let mut differences = String::new();
    let files = files(&folder().join(kind), &[".feature", ".feature.md"]);
    for file in &files {
        let name = file.file_name().expect("it has a name").to_string_lossy();
        let source = fs::read_to_string(file).expect("the file can be read");
        let expected = fs::read_to_string(format!("{}.ndjson", file.display()))
            .expect("what the oracle printed stands beside it");
        let printed = match gherkin_document(Path::new(&format!("{kind}/{name}")), &source) {
            Ok(message) => vec![message],
            Err(messages) => messages,
        };
        let printed = printed
            .iter()
            .fold(String::new(), |all, it| all + &it.to_string() + "\n");
        if printed != expected {
            let _ = writeln!(
                differences,
                "{kind}/{name}\n ours: {printed}\n  its: {expected}"
            );
        }
    }
    (files.len(), differences)
}

#[test]
fn good_files_give_the_same_document() {
    let (count, differences) = compare("good");
    assert!(differences.is_empty(), "{differences}");
    assert!(count >= 40, "only {count} good files");
    println!("{count} good files are equal");
}

#[test]
fn bad_files_give_the_same_mistakes() {
    let (count, differences) = compare("bad");
    assert!(differences.is_empty(), "{differences}");
    assert!(count >= 12, "only {count} bad files");
    println!("{count} bad files are equal");
}

/// The tree's places: every title and code block stands in the source where it says.
#[test]
fn the_tree_knows_its_places() {
    use fotalab::scenario::ast::{Child, Scenario};
    for file in files(&folder().join("good"), &[".feature", ".feature.md"]) {
        let source = fs::read_to_string(&file).expect("the file can be read");
        let parsed = parse(&file, source.as_str().into());
        let Some(feature) = parsed.document.feature else {
            continue;
        };
        let mut scenarios: Vec<Scenario> = Vec::new();
        for child in feature.children {
            match child {
                Child::Scenario(it) => scenarios.push(it),
                Child::Rule(it) => scenarios.extend(it.scenarios),
            }
        }
        for scenario in scenarios {
            for step in &scenario.steps {
                let span = step.title.span();
                assert_eq!(
                    &source[span.start..span.end],
                    step.title.value,
                    "{}",
                    file.display()
                );
                let line = &source[step.span.start..step.span.end];
                assert!(
                    line.contains(step.keyword.as_str()),
                    "{}: {line}",
                    file.display()
                );
                if let Some(block) = &step.block {
                    for (at, letter) in block.code.value.char_indices() {
                        let span = block.code.source(at..at + letter.len_utf8());
                        let there = &source[span.start..span.end];
                        let same =
                            there.starts_with(letter) || letter == '\n' || there.contains('\\');
                        assert!(same, "{}: {letter:?} is {there:?}", file.display());
                    }
                }
            }
        }
    }
}
