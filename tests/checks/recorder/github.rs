//! What GitHub Actions is told, by the command as a workflow runs it.

use std::{path::Path, process::Command};

use crate::support::directory;

/// What the command says on standard output, and the summary that it writes.
fn in_a_workflow(root: &Path, arguments: &[&str]) -> (String, String) {
    let summary = root.join("summary.md");
    let output = Command::new(env!("CARGO_BIN_EXE_fotalab"))
        .current_dir(root.join("part"))
        .arg("run")
        .args(arguments)
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_WORKSPACE", root)
        .env("GITHUB_STEP_SUMMARY", &summary)
        .output()
        .expect("the command is built with the tests");
    let summary = std::fs::read_to_string(&summary).expect("the summary");
    (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        summary,
    )
}

#[test]
fn a_workflow_gets_a_summary_and_the_line_of_what_failed() {
    let root = directory("recorder-github");
    let directory = root.join("part");
    std::fs::create_dir_all(&directory).expect("ours to write");
    let scenario = "# A *title*\n\n## It | fails\n\nGiven I store `1` into `one`\n\n\
        Then the variable `one` should be\n\n```json\n\"</details>\"\n```\n";
    std::fs::write(directory.join("Fails.feature.md"), scenario).expect("ours to write");
    let summary = root.join("summary.md");
    std::fs::write(&summary, "before\n").expect("ours to write");
    let (said, summary) = in_a_workflow(&root, &["Fails.feature.md"]);
    let command = said.lines().find(|it| it.starts_with("::error "));
    let command = command.unwrap_or_else(|| panic!("no annotation: {said}"));
    let expected = "::error file=part/Fails.feature.md,line=7,title=A *title* › It | fails::";
    assert!(command.starts_with(expected), "{command}");
    let (before, added) = summary.split_once('\n').expect("two parts");
    assert_eq!(before, "before", "what others wrote stays");
    assert!(
        added.starts_with("### ✗ fotalab: 1 of 1 scenarios did not hold\n"),
        "{added}"
    );
    assert!(added.contains("| failed | 1 | 1 |"), "{added}");
    assert!(
        added.contains("✗ A &#42;title&#42; › <b>It &#124; fails</b>"),
        "{added}"
    );
    // The value that differs stands in a fence, where it ends nothing.
    assert_eq!(
        added.lines().filter(|it| *it == "</details>").count(),
        1,
        "{added}"
    );
}

#[test]
fn failures_are_told_apart_and_drawn_whole() {
    let root = directory("recorder-github-apart");
    std::fs::create_dir_all(root.join("part")).expect("ours to write");
    // In classic Gherkin one scenario does not end the others.
    let rows = "Feature: Rows\n  Scenario Outline: of numbers\n    Given I store `<value>` into `it`\n    \
        Then the variable `it` should be\n      \"\"\"json\n      5\n      \"\"\"\n    \
        Examples:\n      | value |\n      | 1+1   |\n      | 2+2   |\n      | 2+3   |\n      | 3+3   |\n";
    std::fs::write(root.join("Rows.feature"), rows).expect("ours to write");
    // Long enough to be cut, if it were text.
    let push = include_str!("LossyPush.feature.md");
    std::fs::write(root.join("Push.feature.md"), push).expect("ours to write");
    let (said, summary) = in_a_workflow(&root, &["../Rows.feature", "../Push.feature.md"]);
    let first = "::error file=Rows.feature,line=4,title=Rows › of numbers [value=1+1]::";
    assert!(said.contains(first), "{said}");
    assert!(
        said.contains("title=Rows › of numbers [value=3+3]::"),
        "{said}"
    );
    assert!(
        said.contains("::error file=Push.feature.md,line=34,"),
        "{said}"
    );
    assert!(
        said.contains("%0Adevice meter-7 is registered and listens, runs 2.0.0"),
        "{said}"
    );
    assert!(
        summary.contains("<b>of numbers &#91;value=2+2&#93;</b>"),
        "{summary}"
    );
    // The first three failures had nothing to draw.
    let (_, drawn) = summary.split_once("```mermaid\n").expect("a diagram");
    let (drawn, _) = drawn.split_once("\n```").expect("its end");
    assert!(drawn.len() > 3_000, "{drawn}");
    let count = |word: &str| {
        drawn
            .lines()
            .filter(|it| it.trim_start().starts_with(word))
            .count()
    };
    assert_eq!(count("loop "), count("end"), "{drawn}");
    assert!(
        drawn
            .lines()
            .last()
            .is_some_and(|it| it.contains(": ") || it.trim() == "end"),
        "{drawn}"
    );
}

#[test]
fn what_was_skipped_did_not_hold() {
    let root = directory("recorder-github-skipped");
    std::fs::create_dir_all(root.join("part")).expect("ours to write");
    let held = "# Held\n\n## It holds\n\nGiven I store `1` into `one`\n";
    std::fs::write(root.join("part/Held.feature.md"), held).expect("ours to write");
    let never =
        "---\nrun: never\n---\n\n# Not now\n\n## It waits\n\nGiven I store `1` into `one`\n";
    std::fs::write(root.join("part/Never.feature.md"), never).expect("ours to write");
    let (_, summary) = in_a_workflow(&root, &["."]);
    assert!(
        summary.starts_with("### ✓ fotalab: 1 scenario held\n"),
        "{summary}"
    );
}
