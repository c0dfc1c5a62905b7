//! The report for a terminal: quiet about what held, whole about what did not, the cause last.

use std::fmt::Write as _;

use super::{cause, in_one_line, short};
use serde_json::{Map, Value};

use crate::{
    cli::Paint,
    run::{AttemptRecord, FeatureRecord, RunRecord, ScenarioRecord, StepRecord, Verdict},
    scenario::printed,
    trace::{Kind, Message, Outcome},
};

/// Messages of a failed step that are shown; `trace.ndjson` has all.
const MAX_MESSAGES_SHOWN: usize = 20;
/// Attempts shown one by one.
const MAX_ATTEMPTS_SHOWN: usize = 12;

/// The whole report.
#[must_use]
pub fn console(record: &RunRecord, paint: Paint) -> String {
    let mut text = String::new();
    for feature in &record.features {
        line_of(feature, paint, &mut text);
    }
    for feature in &record.features {
        for scenario in feature
            .scenarios
            .iter()
            .filter(|it| matches!(it.verdict, Verdict::Failed | Verdict::Interrupted))
        {
            failure(feature, scenario, paint, &mut text);
        }
    }
    for error in &record.environment {
        let _ = writeln!(text, "\n{} {error}", paint.bad("environment"));
    }
    text.push_str(&summary(record, paint));
    text
}

/// The whole story of one failed scenario.
#[must_use]
pub fn failed(feature: &FeatureRecord, scenario: &ScenarioRecord, paint: Paint) -> String {
    let mut text = String::new();
    failure(feature, scenario, paint, &mut text);
    text
}

fn mark(verdict: Verdict, paint: Paint) -> String {
    match verdict {
        Verdict::Passed => paint.good("✓"),
        Verdict::Failed => paint.bad("✗"),
        Verdict::Skipped => paint.quiet("-"),
        Verdict::Interrupted => paint.bad("!"),
    }
}

fn line_of(feature: &FeatureRecord, paint: Paint, text: &mut String) {
    let scenarios = feature.scenarios.len();
    let steps: usize = feature.scenarios.iter().map(|it| it.steps.len()).sum();
    let time = match feature.clock.as_ref() {
        "virtual" => format!("{} of virtual time", seconds(feature.clock_ms)),
        _ => seconds(feature.took_ms),
    };
    let counts = format!(
        "{}, {}, {time}",
        count(scenarios, "scenario"),
        count(steps, "step")
    );
    let facts = feature
        .reason
        .as_ref()
        .map_or(counts, |reason| format!("skipped: {reason}"));
    let _ = writeln!(
        text,
        "{} {}{}  {}",
        mark(feature.verdict, paint),
        paint.strong(&feature.title),
        variant_of(feature),
        paint.quiet(&format!("{}  {facts}", feature.path)),
    );
    if !matches!(feature.verdict, Verdict::Failed | Verdict::Interrupted)
        || feature.reason.is_some()
    {
        return;
    }
    for scenario in &feature.scenarios {
        let _ = writeln!(
            text,
            "  {} {}",
            mark(scenario.verdict, paint),
            name_of(scenario)
        );
    }
}

/// The values of a variant, which tell runs of one file apart.
pub(super) fn variant_of(feature: &FeatureRecord) -> String {
    feature.variant.as_ref().map_or_else(String::new, values)
}

/// A scenario's title, with the values of its example row.
pub(super) fn name_of(scenario: &ScenarioRecord) -> String {
    format!("{}{}", scenario.title, values(&scenario.row))
}

fn values(map: &Map<String, Value>) -> String {
    if map.is_empty() {
        return String::new();
    }
    let values: Vec<_> = map
        .iter()
        .map(|(name, value)| format!("{name}={}", printed(value)))
        .collect();
    format!(" [{}]", values.join(", "))
}

fn failure(feature: &FeatureRecord, scenario: &ScenarioRecord, paint: Paint, text: &mut String) {
    let Some(step) = scenario
        .steps
        .iter()
        .find(|it| matches!(it.verdict, Verdict::Failed | Verdict::Interrupted))
    else {
        return;
    };
    let rule = scenario
        .rule
        .as_ref()
        .map_or_else(String::new, |rule| format!("{rule} › "));
    let _ = writeln!(
        text,
        "\n{} {}{} › {rule}{}\n  {}:{}:{}",
        mark(scenario.verdict, paint),
        paint.strong(&feature.title),
        variant_of(feature),
        name_of(scenario),
        feature.path,
        step.line,
        step.column,
    );
    let _ = writeln!(text, "\n    {} {}", step.keyword, step.title);
    if let Some(block) = &step.block {
        for line in block.lines() {
            let _ = writeln!(text, "      {}", paint.quiet(line));
        }
    }
    attempts(step, paint, text);
    messages(feature, step, paint, text);
    reason(step, paint, text);
    if step.verdict == Verdict::Interrupted {
        let _ = writeln!(text, "\n    {}", paint.bad("interrupted before it held"));
    }
}

fn attempts(step: &StepRecord, paint: Paint, text: &mut String) {
    let all = step.attempts.len() + step.attempts_dropped as usize;
    if all < 2 {
        return;
    }
    let _ = writeln!(
        text,
        "\n    {} in {}:",
        count(all, "attempt"),
        seconds(step.clock_ms)
    );
    let mut shown = 0;
    let mut at = 0;
    while at < step.attempts.len() {
        let first = &step.attempts[at];
        // Of very many, those in the middle were not kept.
        let before = at.checked_sub(1).map_or(0, |it| step.attempts[it].number);
        if first.number > before + 1 {
            let numbers = format!("{}–{}", before + 1, first.number - 1);
            let line = format!("      {numbers:>6}  {:<16}  not kept", "");
            let _ = writeln!(text, "{}", paint.quiet(&line));
        }
        let same = (first.number..)
            .zip(&step.attempts[at..])
            .take_while(|(number, it)| it.number == *number && said(it, step) == said(first, step))
            .count();
        let numbers = match same {
            1 => first.number.to_string(),
            _ => format!("{}–{}", first.number, step.attempts[at + same - 1].number),
        };
        if shown == MAX_ATTEMPTS_SHOWN {
            let _ = writeln!(
                text,
                "      {}",
                paint.quiet("… report.json has the others")
            );
            break;
        }
        let _ = writeln!(
            text,
            "      {numbers:>6}  {:<16}  {}",
            when(first, &step.attempts[at + same - 1]),
            said(first, step)
        );
        shown += 1;
        at += same;
    }
}

/// When these attempts began: one time, or the first and the last.
fn when(first: &AttemptRecord, last: &AttemptRecord) -> String {
    if first.number == last.number {
        return seconds(first.at_ms);
    }
    let first = seconds(first.at_ms);
    format!("{}–{}", first.trim_end_matches(" s"), seconds(last.at_ms))
}

fn said(attempt: &AttemptRecord, step: &StepRecord) -> String {
    let Some(mismatch) = &attempt.mismatch else {
        let last = step.attempts.last().map(|it| it.number) == Some(attempt.number);
        return match last && step.defect.is_some() {
            true => "a defect of the step".to_owned(),
            false => "held".to_owned(),
        };
    };
    match mismatch.differences.first() {
        Some(first) => in_one_line(first),
        None => mismatch.message.clone(),
    }
}

/// What crossed while the step was at work; the same message again and again is one line.
fn messages(feature: &FeatureRecord, step: &StepRecord, paint: Paint, text: &mut String) {
    let (from, to) = step.messages;
    let of_step = || {
        feature
            .messages
            .iter()
            .filter(|it| (from..to).contains(&it.seq))
    };
    let Some(first) = of_step().next() else {
        let _ = writeln!(
            text,
            "\n    no message crossed while this step was at work: it looks at what came before"
        );
        return;
    };
    let mut rows: Vec<(&Message, String, usize)> = Vec::new();
    for message in of_step() {
        let line = line(message);
        let same = |it: &&mut (&Message, String, usize)| it.0.lane == message.lane && it.1 == line;
        match rows.iter_mut().find(same) {
            Some((.., count)) => *count += 1,
            None => rows.push((message, line, 1)),
        }
    }
    let _ = writeln!(
        text,
        "\n    {} while this step was at work:",
        count(of_step().count(), "message")
    );
    for (message, line, times) in rows.iter().take(MAX_MESSAGES_SHOWN) {
        let after = u64::try_from(message.at - first.at).unwrap_or_default();
        let times = if *times > 1 {
            format!("  {times} times")
        } else {
            String::new()
        };
        let _ = writeln!(
            text,
            "      {:>7}  {:<9} {line}{}",
            seconds(after),
            message.lane.name(),
            paint.quiet(&times)
        );
    }
    if let Some(left) = rows
        .len()
        .checked_sub(MAX_MESSAGES_SHOWN)
        .filter(|it| *it > 0)
    {
        let _ = writeln!(
            text,
            "      {}",
            paint.quiet(&format!("… and {left} more; trace.ndjson has all"))
        );
    }
}

fn reason(step: &StepRecord, paint: Paint, text: &mut String) {
    if let Some(defect) = &step.defect {
        let _ = writeln!(
            text,
            "\n    {}",
            paint.bad("a defect of the step, not of the server:")
        );
        let _ = writeln!(text, "      {defect}");
        return;
    }
    let mismatch = step.attempts.last().and_then(|it| it.mismatch.as_ref());
    let Some(mismatch) = mismatch else { return };
    let mut notes = mismatch.notes.clone();
    for note in &step.notes {
        if !notes.contains(note) {
            notes.push(note.clone());
        }
    }
    if !notes.is_empty() {
        text.push('\n');
        for note in notes {
            let _ = writeln!(text, "    {note}");
        }
    }
    if !step.waiting.is_empty() {
        let _ = writeln!(text, "\n    why is it waiting?");
        for line in &step.waiting {
            let _ = writeln!(text, "      {line}");
        }
    }
    let _ = writeln!(text, "\n    {}", paint.bad(&mismatch.message));
    for difference in &mismatch.differences {
        let _ = writeln!(text, "      at {}", difference.path);
        let _ = writeln!(
            text,
            "        expected  {}",
            paint.good(&short(difference.expected.as_ref()))
        );
        let _ = writeln!(
            text,
            "        actual    {}",
            paint.bad(&short(difference.actual.as_ref()))
        );
    }
    if let Some(help) = &mismatch.help {
        let _ = writeln!(text, "      {}", paint.quiet(help));
    }
}

fn summary(record: &RunRecord, paint: Paint) -> String {
    let mut text = String::from("\n");
    let failed: Vec<String> = record
        .features
        .iter()
        .flat_map(|feature| feature.scenarios.iter().map(move |it| (feature, it)))
        .filter(|(_, scenario)| scenario.verdict == Verdict::Failed)
        .filter_map(|(feature, scenario)| {
            let step = scenario
                .steps
                .iter()
                .find(|it| it.verdict == Verdict::Failed)?;
            Some(format!("  {}:{}  {}", feature.path, step.line, cause(step)))
        })
        .collect();
    if failed.len() > 1 {
        let _ = writeln!(text, "{}\n{}\n", paint.bad("failed:"), failed.join("\n"));
    }
    let parts: Vec<String> = [
        (Verdict::Passed, "passed"),
        (Verdict::Failed, "failed"),
        (Verdict::Skipped, "skipped"),
        (Verdict::Interrupted, "interrupted"),
    ]
    .into_iter()
    .map(|(verdict, word)| (record.scenarios(verdict), word))
    .filter(|(count, word)| *count > 0 || *word == "passed")
    .map(|(count, word)| format!("{count} {word}"))
    .collect();
    let scenarios: usize = record.features.iter().map(|it| it.scenarios.len()).sum();
    let line = format!(
        "{}, {}: {}; {}",
        count(record.features.len(), "feature"),
        count(scenarios, "scenario"),
        parts.join(", "),
        seconds(record.took_ms),
    );
    let bad = record.scenarios(Verdict::Failed) > 0
        || !record.environment.is_empty()
        || record.interrupted;
    let _ = writeln!(
        text,
        "{}",
        if bad {
            paint.bad(&line)
        } else {
            paint.good(&line)
        }
    );
    if bad || record.seed != 0 {
        let _ = writeln!(text, "seed {}", record.seed);
    }
    text
}

/// What one line says of a message. On the air the arrows are those of scenarios: from the server
/// and to it.
fn line(message: &Message) -> String {
    let Some(on_air) = &message.air else {
        return format!("{} {}", arrow(message.kind), message.summary);
    };
    let arrow = if on_air.up { "<-" } else { "->" };
    let fate = match on_air.outcome {
        Outcome::Delivered => String::new(),
        other => format!(" ({})", other.name()),
    };
    let again = if on_air.retransmission {
        " (again)"
    } else {
        ""
    };
    format!(
        "{}  {arrow} {}{fate}{again}",
        on_air.device, message.summary
    )
}

const fn arrow(kind: Kind) -> &'static str {
    match kind {
        Kind::Request => "→",
        Kind::Answer => "←",
        Kind::Connection => "·",
    }
}

fn count(number: usize, what: &str) -> String {
    if number == 1 {
        format!("1 {what}")
    } else {
        format!("{number} {what}s")
    }
}

fn seconds(millis: u64) -> String {
    format!("{}.{:02} s", millis / 1000, millis % 1000 / 10)
}
