//! The first thing that somebody sees: what failed and why, then everything.

use std::{cmp::Reverse, collections::BTreeMap};

use maud::{Markup, html};

use super::{
    Packed,
    columns::Counts,
    names::Names,
    step::{mark, seconds, thousands, word},
    written::values,
};
use crate::{
    report::{cause, kept::Kept},
    run::{FeatureRecord, ScenarioRecord, Verdict},
};

/// Failures told one by one at the top; all of them are in the list below.
const MAX_FAILURES: usize = 50;
/// Tags to filter by that are there at once, the most used ones; the others unfold.
const MAX_TAGS: usize = 16;

const VERDICTS: [Verdict; 4] = [
    Verdict::Failed,
    Verdict::Interrupted,
    Verdict::Passed,
    Verdict::Skipped,
];

/// What the browser's tab says.
pub(super) fn title(kept: &Kept<'_>) -> String {
    let run = &kept.run;
    let failed = run.scenarios(Verdict::Failed);
    let passed = run.scenarios(Verdict::Passed);
    let all: usize = run.features.iter().map(|it| it.scenarios.len()).sum();
    match failed {
        0 if !run.environment.is_empty() => "✗ the environment failed · fotalab".to_owned(),
        0 if run.interrupted => format!("! interrupted, {passed} of {all} held · fotalab"),
        0 => format!("✓ {passed} held · fotalab"),
        failed => format!("✗ {failed} of {all} failed · fotalab"),
    }
}

/// Everything but the features themselves.
pub(super) fn overview(kept: &Kept<'_>, names: &[Names], packed: &Packed) -> Markup {
    let run = &kept.run;
    let counts = packed.features.iter().map(|it| &it.counts);
    let messages: usize = counts.clone().map(|it| it.messages).sum();
    let lost: usize = counts.clone().map(|it| it.lost).sum();
    let devices: usize = counts.map(|it| it.devices).sum();
    html! {
        header #top {
            a.home href="#" title="all features" { "fotalab" }
            nav #crumbs aria-label="where you are" { span.target { (run.target) } }
            label.search { span.visually-hidden { "search" } input #search type="search" placeholder="Search  /" autocomplete="off" spellcheck="false"; }
            button #theme type="button" title="light or dark" { "◐" }
            button #help type="button" title="keys" { "?" }
        }
        main #overview {
            h1.visually-hidden { "Scenarios run against " (run.target) }
            section.summary {
                @for verdict in VERDICTS {
                    @let count = run.scenarios(verdict);
                    @if count > 0 || verdict == Verdict::Passed {
                        button.count.(word(verdict)) type="button" data-filter=(word(verdict)) aria-pressed="false" {
                            b { (count) } " " (word(verdict))
                        }
                    }
                }
                dl {
                    (fact("target", &run.target))
                    (fact("took", &seconds(run.took_ms)))
                    (fact("seed", &run.seed.to_string()))
                    (fact("messages", &thousands(messages as u64)))
                    @if devices > 0 { (fact("devices", &thousands(devices as u64))) }
                    @if lost > 0 { (fact("lost", &thousands(lost as u64))) }
                    (fact("fotalab", &kept.version))
                }
            }
            @if run.interrupted { p.message { "The run was interrupted: what had not begun was skipped, or is missing." } }
            @for error in &run.environment { p.message { b { "environment " } (error) } }
            (failures(kept, names))
            (tags(kept))
            section.features {
                @for (folder, features) in by_folder(kept) {
                    h2 { (folder) }
                    @for number in features {
                        (feature(&run.features[number], &names[number], &packed.features[number].counts))
                    }
                }
                p.none hidden { "Nothing fits this search." }
            }
        }
        dialog #keys {
            h2 { "Keys" }
            dl.keys {
                @for (key, does) in KEYS { dt { kbd { (key) } } dd { (does) } }
            }
            form method="dialog" { button { "Close" } }
        }
    }
}

const KEYS: &[(&str, &str)] = &[
    ("/", "search"),
    ("j  k", "next and last step, or feature"),
    ("n  p", "next and last message"),
    ("f", "the next failed step"),
    ("o", "only the messages of the chosen step, or all"),
    ("v", "the scenario as written, or with its values"),
    ("s", "timeline, or sequence diagram"),
    ("Enter", "open; unfold a bar"),
    ("Esc", "back"),
    ("?", "this"),
];

fn fact(name: &str, value: &str) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

fn failures(kept: &Kept<'_>, names: &[Names]) -> Markup {
    let mut failed = Vec::new();
    for (number, feature) in kept.run.features.iter().enumerate() {
        for (nth, scenario) in feature.scenarios.iter().enumerate() {
            let bad = |it: Verdict| matches!(it, Verdict::Failed | Verdict::Interrupted);
            let step = scenario.steps.iter().position(|it| bad(it.verdict));
            if let Some(step) = step.filter(|_| bad(scenario.verdict)) {
                failed.push((number, nth, step));
            }
        }
    }
    html! {
        @if !failed.is_empty() {
            section.failures {
                @for &(number, nth, step) in failed.iter().take(MAX_FAILURES) {
                    @let feature = &kept.run.features[number];
                    @let scenario = &feature.scenarios[nth];
                    @let record = &scenario.steps[step];
                    a.failure href={ "#" (names[number].feature) "/" (names[number].scenarios[nth]) "/" (step + 1) }
                        data-verdict=(word(scenario.verdict)) data-tags=(scenario.tags.join(" ")) {
                        (mark(record.verdict))
                        span.where { (feature.title) (values(feature.variant.as_ref())) " › " b { (scenario.title) } (values(Some(&scenario.row))) }
                        span.cause { (cause(record)) }
                        @if let Some(waiting) = record.waiting.first() { span.waits { (waiting) } }
                        span.place { (feature.path) ":" (record.line) }
                    }
                }
                @if failed.len() > MAX_FAILURES { p.quiet { "… and " (failed.len() - MAX_FAILURES) " more below" } }
            }
        }
    }
}

fn tags(kept: &Kept<'_>) -> Markup {
    let scenarios = kept.run.features.iter().flat_map(|it| &it.scenarios);
    let mut uses: BTreeMap<&str, usize> = BTreeMap::new();
    for tag in scenarios.flat_map(|it| &it.tags) {
        *uses.entry(tag).or_default() += 1;
    }
    let mut tags: Vec<(&str, usize)> = uses.into_iter().collect();
    tags.sort_by_key(|(tag, uses)| (Reverse(*uses), *tag));
    let (first, more) = tags.split_at(tags.len().min(MAX_TAGS));
    let tag = |tag: &str| html! { button.tag type="button" data-tag=(tag) aria-pressed="false" { (tag) } };
    html! {
        @if !first.is_empty() {
            nav.tags aria-label="filter by tag" {
                @for (it, _) in first { (tag(it)) }
                @if !more.is_empty() {
                    details {
                        summary { (more.len()) " more tags" }
                        @for (it, _) in more { (tag(it)) }
                    }
                }
            }
        }
    }
}

fn by_folder<'a>(kept: &'a Kept<'_>) -> BTreeMap<&'a str, Vec<usize>> {
    let mut folders: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (number, feature) in kept.run.features.iter().enumerate() {
        let folder = feature.path.rsplit_once(['/', '\\']).map_or("", |it| it.0);
        folders.entry(folder).or_default().push(number);
    }
    folders
}

fn feature(feature: &FeatureRecord, names: &Names, counts: &Counts) -> Markup {
    let file = feature.path.rsplit(['/', '\\']).next().unwrap_or_default();
    let steps: usize = feature.scenarios.iter().map(|it| it.steps.len()).sum();
    html! {
        details.feature data-verdict=(word(feature.verdict)) open[feature.verdict == Verdict::Failed] {
            summary {
                (mark(feature.verdict))
                a.title href={ "#" (names.feature) } { (feature.title) }
                (values(feature.variant.as_ref()))
                span.file { (file) }
                span.bar aria-hidden="true" {
                    @for scenario in feature.scenarios.iter().take(60) { i.(word(scenario.verdict)) {} }
                }
                span.number.scenarios { (feature.scenarios.len()) @if feature.scenarios.len() == 1 { " scenario" } @else { " scenarios" } }
                span.number title="steps" { (steps) @if steps == 1 { " step" } @else { " steps" } }
                span.number title="messages" { @if counts.messages > 0 { (thousands(counts.messages as u64)) " msg" } }
                span.number title={ "time on its " (feature.clock) " clock" } { (seconds(feature.clock_ms)) }
            }
            @if let Some(reason) = &feature.reason { p.reason { "Skipped: " (reason) } }
            ol {
                @for (nth, scenario) in feature.scenarios.iter().enumerate() {
                    (self::scenario(scenario, &names.feature, &names.scenarios[nth]))
                }
            }
        }
    }
}

fn scenario(scenario: &ScenarioRecord, feature: &str, name: &str) -> Markup {
    html! {
        li data-verdict=(word(scenario.verdict)) data-tags=(scenario.tags.join(" ")) {
            (mark(scenario.verdict))
            a href={ "#" (feature) "/" (name) } {
                @if let Some(rule) = &scenario.rule { span.rule { (rule) " › " } }
                (scenario.title)
            }
            (values(Some(&scenario.row)))
            @for tag in &scenario.tags { span.tag { (tag) } }
        }
    }
}
