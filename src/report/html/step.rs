//! A step with its verdict, and the evidence of it.

use std::borrow::Cow;

use maud::{Markup, PreEscaped, html};

use super::{
    difference::comparison,
    markdown::{self, Sentence},
};
use crate::{
    report::in_one_line,
    run::{AttemptRecord, StepRecord, Verdict},
};

/// Bytes of a code block or a sentence that the page shows; `report.json` has all.
const MAX_SHOWN_BYTES: usize = 32 * 1024;
/// Lines of attempts, equal ones being one line.
const MAX_ATTEMPT_LINES: usize = 24;
/// Code blocks with more lines are folded.
const LONG_BLOCK: usize = 24;

/// What stands in the file where the step stands.
#[derive(Debug, Default)]
pub(super) struct AsWritten<'a> {
    pub(super) sentence: Option<&'a Sentence<'a>>,
    pub(super) block: Option<&'a str>,
    pub(super) table: Option<&'a Markup>,
}

/// The mark of a verdict; a shape as well as a colour.
pub(super) fn mark(verdict: Verdict) -> Markup {
    let (class, sign, word) = match verdict {
        Verdict::Passed => ("passed", "✓", "passed"),
        Verdict::Failed => ("failed", "✗", "failed"),
        Verdict::Skipped => ("skipped", "–", "skipped"),
        Verdict::Interrupted => ("interrupted", "!", "interrupted"),
    };
    html! { span class={ "mark " (class) } role="img" aria-label=(word) title=(word) { (sign) } }
}

/// What the verdict is called in classes and filters.
pub(super) const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Failed => "failed",
        Verdict::Skipped => "skipped",
        Verdict::Interrupted => "interrupted",
    }
}

/// One step.
pub(super) fn step(record: &StepRecord, number: usize, written: &AsWritten<'_>) -> Markup {
    let (values, written_too) = sentence(record, written.sentence);
    let with_values = html! { b.keyword { (record.keyword) " " } (values) };
    let open = matches!(record.verdict, Verdict::Failed | Verdict::Interrupted);
    let evidence = evidence(record);
    html! {
        div class={ "step " (word(record.verdict)) } data-step=(number) id={ "step-" (number) } tabindex="-1" {
            (mark(record.verdict))
            div.body {
                div.line {
                    div.sentence {
                        @match written_too {
                            Some(sentence) => {
                                div.as-written { (sentence) }
                                div.with-values { (with_values) }
                            }
                            None => div { (with_values) }
                        }
                    }
                    span.facts { (facts(record)) }
                }
                @if let Some(table) = written.table { (table) }
                (code(record.block.as_deref(), written.block))
                @if let Some(evidence) = evidence {
                    @if open { div.evidence { (evidence) } }
                    @else { details.evidence { summary { (evidence_title(record)) } (evidence) } }
                }
            }
        }
    }
}

/// A sentence with its values but without its keyword, and as it was written where that differs.
fn sentence<'a>(
    record: &StepRecord,
    written: Option<&'a Sentence<'_>>,
) -> (PreEscaped<Cow<'a, str>>, Option<&'a Markup>) {
    let rendered = |title: &str| PreEscaped(Cow::Owned(markdown::sentence(cut(title)).0));
    let Some(written) = written else {
        return (rendered(&record.title), None);
    };
    let without_keyword = |it: &'a str| {
        let rest = it.strip_prefix(record.keyword.as_str())?;
        rest.strip_prefix(' ')
    };
    let shown = without_keyword(&written.markup.0);
    match (shown, written.text.and_then(without_keyword)) {
        // Most have no placeholder.
        (Some(shown), Some(text)) if text == record.title && text == cut(text) => {
            (PreEscaped(Cow::Borrowed(shown)), None)
        }
        _ => {
            let values = rendered(&record.title);
            let differs = shown != Some(&*values.0);
            (values, differs.then_some(&written.markup))
        }
    }
}

/// A code block as written and with its values, where these differ.
fn code(values: Option<&str>, written: Option<&str>) -> Markup {
    let same = |a: &str, b: &str| a.trim_end() == b.trim_end();
    html! {
        @match (values, written) {
            (None, None) => {}
            (Some(values), Some(written)) if !same(values, written) => {
                div.as-written { (pre(written, true)) }
                div.with-values { (pre(values, false)) }
            }
            (Some(text), _) | (None, Some(text)) => (pre(text, false)),
        }
    }
}

fn pre(text: &str, placeholders: bool) -> Markup {
    let shown = cut(text.trim_end());
    html! {
        pre.code.long[shown.lines().count() > LONG_BLOCK] tabindex="0" {
            code { @if placeholders { (markdown::with_placeholders(shown)) } @else { (shown) } }
        }
        @if shown.len() < text.trim_end().len() {
            p.quiet { "… of " (text.len()) " bytes; report.json has all of them" }
        }
    }
}

fn cut(text: &str) -> &str {
    match text.len() > MAX_SHOWN_BYTES {
        true => &text[..text.floor_char_boundary(MAX_SHOWN_BYTES)],
        false => text,
    }
}

/// How often, how long, how much crossed.
fn facts(record: &StepRecord) -> Markup {
    let attempts = record.attempts.len() + record.attempts_dropped as usize;
    let messages = record.messages.1.saturating_sub(record.messages.0);
    html! {
        @if attempts > 1 { span title="attempts" { (attempts) "×" } }
        @if record.clock_ms > 0 { span title="time on its clock" { (seconds(record.clock_ms)) } }
        @if messages > 0 { span title="messages that crossed meanwhile" { (thousands(messages)) " msg" } }
    }
}

fn evidence_title(record: &StepRecord) -> String {
    let attempts = record.attempts.len() + record.attempts_dropped as usize;
    match (attempts, record.notes.len()) {
        (0 | 1, 1) => "1 note".to_owned(),
        (0 | 1, notes) => format!("{notes} notes"),
        (attempts, _) => format!("held at attempt {attempts}"),
    }
}

/// Why it is as it is; nothing where the verdict says all.
fn evidence(record: &StepRecord) -> Option<Markup> {
    let mismatch = record.attempts.last().and_then(|it| it.mismatch.as_ref());
    let several = record.attempts.len() + record.attempts_dropped as usize > 1;
    let mut notes: Vec<&String> = mismatch.iter().flat_map(|it| &it.notes).collect();
    for note in &record.notes {
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    let interrupted = record.verdict == Verdict::Interrupted;
    let nothing = record.defect.is_none() && mismatch.is_none() && !several && notes.is_empty();
    if nothing && !interrupted {
        return None;
    }
    Some(html! {
        @if interrupted { p.message { "The run was interrupted before it held." } }
        @if let Some(defect) = &record.defect {
            p.message { "A defect of the step, not of the server under test:" }
            pre.code { code { (cut(defect)) } }
        }
        @if let Some(mismatch) = mismatch {
            p.message { (cut(&mismatch.message)) }
            (comparison(mismatch))
        }
        @if !record.waiting.is_empty() {
            div.waiting {
                h3 { "Why is it waiting?" }
                ul { @for line in &record.waiting { li { (cut(line)) } } }
            }
        }
        @for note in notes { p.note { (cut(note)) } }
        @if let Some(help) = mismatch.and_then(|it| it.help.as_ref()) { p.help { (cut(help)) } }
        @if several { (attempts(record)) }
    })
}

fn attempts(record: &StepRecord) -> Markup {
    let mut lines: Vec<(&AttemptRecord, &AttemptRecord, String)> = Vec::new();
    for attempt in &record.attempts {
        let said = said(attempt, record);
        match lines.last_mut() {
            Some((_, last, before)) if *before == said && last.number + 1 == attempt.number => {
                *last = attempt;
            }
            _ => lines.push((attempt, attempt, said)),
        }
    }
    let more = lines.len().saturating_sub(MAX_ATTEMPT_LINES);
    let all = record.attempts.len() + record.attempts_dropped as usize;
    html! {
        table.attempts {
            caption { (all) " attempts in " (seconds(record.clock_ms)) }
            tbody {
                @for (nth, (first, last, said)) in lines.iter().take(MAX_ATTEMPT_LINES).enumerate() {
                    // Of very many, those in the middle were not kept.
                    @let before = nth.checked_sub(1).map_or(0, |it| lines[it].1.number);
                    @if first.number > before + 1 {
                        tr { td.number { (before + 1) "–" (first.number - 1) } td {} td.quiet { "not kept" } }
                    }
                    tr {
                        td.number { (first.number) @if last.number != first.number { "–" (last.number) } }
                        td.number { (seconds(first.at_ms)) @if last.number != first.number { " – " (seconds(last.at_ms)) } }
                        td { (cut(said)) }
                    }
                }
            }
        }
        @if more > 0 { p.quiet { (more) " more lines; report.json has them" } }
    }
}

fn said(attempt: &AttemptRecord, step: &StepRecord) -> String {
    let last = step.attempts.last().map(|it| it.number) == Some(attempt.number);
    match &attempt.mismatch {
        None if last && step.defect.is_some() => "a defect of the step".to_owned(),
        None => "held".to_owned(),
        Some(mismatch) => match mismatch.differences.first() {
            Some(first) => in_one_line(first),
            None => mismatch.message.clone(),
        },
    }
}

/// `200000` as `200,000`.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `0.04 s`, `1 min 16 s`, `2 h 5 min`.
pub(super) fn seconds(millis: u64) -> String {
    match millis {
        0..60_000 => format!("{}.{:02} s", millis / 1000, millis % 1000 / 10),
        60_000..3_600_000 => format!("{} min {} s", millis / 60_000, millis % 60_000 / 1000),
        _ => format!(
            "{} h {} min",
            millis / 3_600_000,
            millis % 3_600_000 / 60_000
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::markdown::{Content, blocks};
    use super::*;

    fn rendered(source: &str, title: &str) -> String {
        let record = serde_json::json!({
            "keyword": "Given", "title": title, "line": 1, "column": 1, "verdict": "passed",
            "attempts": [], "messages": [0, 0], "clock_ms": 0,
        });
        let record = serde_json::from_value(record).expect("a step");
        let blocks = blocks(source);
        let Some(Content::Sentence(sentence)) = blocks.first().map(|it| &it.content) else {
            panic!("{source} is no sentence");
        };
        let written = AsWritten {
            sentence: Some(sentence),
            ..AsWritten::default()
        };
        step(&record, 1, &written).into_string()
    }

    #[test]
    fn a_sentence_without_placeholders_stands_there_once() {
        for source in ["Given I have `a` & *b*", "* Given I have `a` & *b*"] {
            let markup = rendered(source, "I have `a` & *b*");
            let sentence = "<b class=\"keyword\">Given </b>I have <code>a</code> &amp; <em>b</em>";
            assert_eq!(markup.matches(sentence).count(), 1, "{markup}");
            assert_eq!(markup.matches("I have").count(), 1, "{markup}");
        }
    }

    #[test]
    fn a_sentence_with_placeholders_stands_there_with_its_values_too() {
        let markup = rendered("Given I have `${a}`", "I have `1`");
        let written =
            "<div class=\"as-written\">Given I have <code><span class=\"placeholder\">${a}";
        assert!(markup.contains(written), "{markup}");
        let values =
            "<div class=\"with-values\"><b class=\"keyword\">Given </b>I have <code>1</code>";
        assert!(markup.contains(values), "{markup}");
    }
}
