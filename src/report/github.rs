//! For GitHub Actions: a summary of the job, and an annotation on each failed step.
//!
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>

use std::fmt::Write as _;

use super::{
    cause,
    console::{name_of, variant_of},
    kept::Kept,
    sequence,
};
use crate::run::{FeatureRecord, ScenarioRecord, StepRecord, Verdict};

/// Failures told one by one in a summary, which may have 1 MiB.
const MAX_FAILURES: usize = 40;
/// Failures that are drawn too.
const MAX_DIAGRAMS: usize = 3;
/// Annotations; GitHub shows ten errors of a step.
const MAX_ANNOTATIONS: usize = 10;
/// Bytes of a summary from which on no failure is told any more; GitHub takes 1 MiB.
const MAX_SUMMARY_BYTES: usize = 800_000;
/// Characters of one text.
const MAX_TEXT: usize = 2_000;

/// Markdown for `GITHUB_STEP_SUMMARY`.
#[must_use]
pub fn github_summary(kept: &Kept<'_>) -> String {
    let run = &kept.run;
    let all: usize = run.features.iter().map(|it| it.scenarios.len()).sum();
    let bad = run.scenarios(Verdict::Failed) + run.scenarios(Verdict::Interrupted);
    let held = run.scenarios(Verdict::Passed);
    let mut text = match bad {
        0 if !run.environment.is_empty() => "### ✗ fotalab: the environment failed\n\n".to_owned(),
        0 if run.interrupted => {
            format!("### ✗ fotalab: interrupted, {held} of {all} scenarios held\n\n")
        }
        0 if held == 1 => "### ✓ fotalab: 1 scenario held\n\n".to_owned(),
        0 => format!("### ✓ fotalab: {held} scenarios held\n\n"),
        bad => format!("### ✗ fotalab: {bad} of {all} scenarios did not hold\n\n"),
    };
    text.push_str("| | scenarios | steps |\n|---|--:|--:|\n");
    for (verdict, word) in [
        (Verdict::Passed, "passed"),
        (Verdict::Failed, "failed"),
        (Verdict::Skipped, "skipped"),
        (Verdict::Interrupted, "interrupted"),
    ] {
        let (scenarios, steps) = (run.scenarios(verdict), run.steps(verdict));
        if scenarios + steps > 0 {
            let _ = writeln!(text, "| {word} | {scenarios} | {steps} |");
        }
    }
    let _ = writeln!(
        text,
        "\ntarget {}, seed {}\n",
        inline(&run.target),
        run.seed
    );
    for error in &run.environment {
        let _ = writeln!(text, "environment: {}\n", inline(error));
    }
    let failed = failed(kept);
    let (mut told, mut drawn) = (0, 0);
    for &(number, nth, step) in failed.iter().take(MAX_FAILURES) {
        if text.len() > MAX_SUMMARY_BYTES {
            break;
        }
        let feature = &run.features[number];
        let (scenario, step) = (&feature.scenarios[nth], &feature.scenarios[nth].steps[step]);
        failure(feature, scenario, step, &mut text);
        if drawn < MAX_DIAGRAMS
            && let Some(sequence) = sequence::of_scenario(kept, number, nth)
        {
            drawn += 1;
            text.push_str(&fence("mermaid", &sequence::mermaid(&sequence)));
        }
        text.push_str("</details>\n\n");
        told += 1;
    }
    if let Some(more) = failed.len().checked_sub(told).filter(|it| *it > 0) {
        let _ = writeln!(text, "… and {more} more\n");
    }
    text
}

/// Commands that put an error on the line of each failed step. `file_of` says where in the
/// repository a feature's file is.
#[must_use]
pub fn github_annotations(kept: &Kept<'_>, file_of: impl Fn(&str) -> String) -> String {
    let mut text = String::new();
    let failed = failed(kept);
    for &(number, nth, step) in failed.iter().take(MAX_ANNOTATIONS) {
        let feature = &kept.run.features[number];
        let (scenario, step) = (&feature.scenarios[nth], &feature.scenarios[nth].steps[step]);
        let title = format!(
            "{}{} › {}",
            feature.title,
            variant_of(feature),
            name_of(scenario)
        );
        let mut said = format!("{} {}\n{}", step.keyword, step.title, cause(step));
        for waits in &step.waiting {
            let _ = write!(said, "\n{waits}");
        }
        let _ = writeln!(
            text,
            "::error file={},line={},title={}::{}",
            property(&file_of(&feature.path)),
            step.line,
            property(&title),
            data(&said)
        );
    }
    text
}

/// Feature, scenario and step, each by number.
fn failed(kept: &Kept<'_>) -> Vec<(usize, usize, usize)> {
    let bad = |it: Verdict| matches!(it, Verdict::Failed | Verdict::Interrupted);
    let mut failed = Vec::new();
    for (number, feature) in kept.run.features.iter().enumerate() {
        for (nth, scenario) in feature.scenarios.iter().enumerate() {
            let step = scenario.steps.iter().position(|it| bad(it.verdict));
            failed.extend(step.map(|step| (number, nth, step)));
        }
    }
    failed
}

/// All but the end of the element.
fn failure(
    feature: &FeatureRecord,
    scenario: &ScenarioRecord,
    step: &StepRecord,
    text: &mut String,
) {
    let _ = writeln!(
        text,
        "<details><summary>✗ {} › <b>{}</b></summary>\n",
        escaped(&format!("{}{}", feature.title, variant_of(feature))),
        escaped(&name_of(scenario))
    );
    let place = format!("{}:{}", feature.path, step.line);
    let _ = writeln!(text, "{}\n", inline(&place));
    text.push_str(&fenced("", &format!("{} {}", step.keyword, step.title)));
    text.push_str(&fenced("", &cause(step)));
    for line in &step.waiting {
        let _ = writeln!(text, "- {}", escaped(line));
    }
    text.push('\n');
}

/// Text in a fence, not too long.
fn fenced(language: &str, text: &str) -> String {
    fence(language, &short(text))
}

/// Text in a fence that it cannot end.
fn fence(language: &str, text: &str) -> String {
    let longest = text.split(|it| it != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{language}\n{}\n{fence}\n\n", text.trim_end())
}

/// Text in a line, which is only text.
fn inline(text: &str) -> String {
    format!("<code>{}</code>", escaped(text))
}

fn escaped(text: &str) -> String {
    let mut safe = String::new();
    for character in short(text).chars() {
        match character {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '\n' | '\r' => safe.push(' '),
            // What Markdown would take for a mark.
            '*' | '_' | '`' | '[' | ']' | '|' | '\\' | '~' | '#' | '!' => {
                let _ = write!(safe, "&#{};", u32::from(character));
            }
            other => safe.push(other),
        }
    }
    safe
}

fn short(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((at, _)) => format!("{} …", &text[..at]),
        None => text.to_owned(),
    }
}

/// The message of a command.
fn data(text: &str) -> String {
    let text = short(text).replace('%', "%25");
    text.replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_its_fence_or_its_command() {
        assert!(fenced("", "a\n```\nb").starts_with("````\n"));
        assert_eq!(escaped("<b>*|`"), "&lt;b&gt;&#42;&#124;&#96;");
        assert_eq!(data("100%\na"), "100%25%0Aa");
        assert_eq!(property("a:b,c"), "a%3Ab%2Cc");
    }
}
