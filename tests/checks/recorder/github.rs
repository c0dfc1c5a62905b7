//! What GitHub Actions is told, by the command as a workflow runs it.

use std::process::Command;

use crate::support::directory;

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
    let output = Command::new(env!("CARGO_BIN_EXE_fotalab"))
        .current_dir(&directory)
        .args(["run", "Fails.feature.md"])
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_WORKSPACE", &root)
        .env("GITHUB_STEP_SUMMARY", &summary)
        .output()
        .expect("the command is built with the tests");
    let said = String::from_utf8_lossy(&output.stdout);
    let command = said.lines().find(|it| it.starts_with("::error "));
    let command = command.unwrap_or_else(|| panic!("no annotation: {said}"));
    let expected = "::error file=part/Fails.feature.md,line=7,title=A *title* › It | fails::";
    assert!(command.starts_with(expected), "{command}");
    let summary = std::fs::read_to_string(&summary).expect("the summary");
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
