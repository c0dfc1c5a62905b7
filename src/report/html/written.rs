//! A feature as it was written, with what became of each step.

use std::ops::Range;

use maud::{Markup, html};
use serde_json::{Map, Value};

use super::{
    markdown::{self, Block, Content},
    names::Names,
    plain,
    step::{AsWritten, mark, seconds, step, word},
};
use crate::{
    run::{FeatureRecord, ScenarioRecord, Verdict},
    scenario::printed,
};

/// The whole feature.
pub(super) fn feature(feature: &FeatureRecord, names: &Names) -> Markup {
    let blocks = match feature.path.ends_with(".md") {
        true => markdown::blocks(&feature.source),
        false => {
            let steps = feature.scenarios.iter().flat_map(|it| &it.steps);
            plain::blocks(&feature.source, &steps.map(|it| it.line).collect())
        }
    };
    let sections = Sections::of(feature, &blocks);
    html! {
        header.feature {
            h1 { (mark(feature.verdict)) (feature.title) (values(feature.variant.as_ref())) }
            p.quiet {
                (feature.path) " · " (feature.clock) " clock, " (seconds(feature.clock_ms))
                @if feature.clock == "virtual" { " in " (seconds(feature.took_ms)) }
                @if feature.messages_dropped > 0 { " · " (feature.messages_dropped) " messages were not kept" }
            }
            @if !feature.covers.is_empty() { p.quiet { "covers " (feature.covers.join(", ")) } }
            @if let Some(reason) = &feature.reason { p.reason { "Skipped: " (reason) } }
            (prose(&blocks[sections.intro.clone()]))
        }
        @for (nth, scenario) in feature.scenarios.iter().enumerate() {
            (self::scenario(scenario, nth, names, &blocks, &sections))
        }
    }
}

/// Which blocks belong to which scenario.
struct Sections {
    /// Before the first scenario.
    intro: Range<usize>,
    /// By the scenario's number.
    of_scenario: Vec<Range<usize>>,
    /// Whether this scenario is the first one that the section is written for.
    first: Vec<bool>,
}

impl Sections {
    fn of(feature: &FeatureRecord, blocks: &[Block<'_>]) -> Self {
        let headings: Vec<usize> = (0..blocks.len())
            .filter(|&it| matches!(blocks[it].content, Content::Heading))
            .collect();
        let mut of_scenario: Vec<Range<usize>> = Vec::new();
        let mut first = Vec::new();
        for scenario in &feature.scenarios {
            // A Background's steps may stand before it: its own come last.
            let anchor = scenario.steps.last().map_or(scenario.line, |it| it.line);
            let upto = headings.partition_point(|&it| blocks[it].line <= anchor);
            let from = upto.checked_sub(1).map_or(0, |it| headings[it]);
            let to = headings.get(upto).copied().unwrap_or(blocks.len());
            let range = from..to;
            first.push(!of_scenario.contains(&range));
            of_scenario.push(range);
        }
        let begins = of_scenario.iter().map(|it| it.start).min().unwrap_or(0);
        let second = headings.get(1).copied().unwrap_or(blocks.len());
        Self {
            intro: 0..begins.min(second),
            of_scenario,
            first,
        }
    }
}

fn scenario(
    scenario: &ScenarioRecord,
    nth: usize,
    names: &Names,
    blocks: &[Block<'_>],
    sections: &Sections,
) -> Markup {
    let section = &blocks[sections.of_scenario[nth].clone()];
    let first_step = names.first_steps[nth];
    let parts = parts(scenario, section, sections.first[nth]);
    html! {
        section class={ "scenario " (word(scenario.verdict)) } data-scenario=(nth) id={ "scenario-" (nth) } {
            h2 {
                (mark(scenario.verdict))
                a href={ "#" (names.feature) "/" (names.scenarios[nth]) } {
                    @if let Some(rule) = &scenario.rule { span.rule { (rule) " › " } }
                    (scenario.title)
                }
                (values(Some(&scenario.row)))
                @for tag in &scenario.tags { span.tag { (tag) } }
                @if scenario.prerequisite { span.tag title="it ran because another one needs it" { "prerequisite" } }
                @if let Some(capture) = &scenario.capture { a.tag href=(capture) title="what crossed the air, for Wireshark" { "pcapng" } }
                span.facts { span title="wall time" { (seconds(scenario.took_ms)) } }
            }
            @if let (Verdict::Skipped, Some(reason)) = (scenario.verdict, &scenario.reason) {
                p.reason { "Skipped: " (reason) }
            }
            @for part in &parts {
                @match part {
                    Part::Prose(block) => (self::block(block)),
                    Part::Step(index, written) => (step(&scenario.steps[*index], first_step + index, written)),
                }
            }
        }
    }
}

enum Part<'a> {
    Prose(&'a Block<'a>),
    Step(usize, AsWritten<'a>),
}

/// The scenario's steps in their place among its prose.
fn parts<'a>(
    scenario: &ScenarioRecord,
    section: &'a [Block<'a>],
    with_prose: bool,
) -> Vec<Part<'a>> {
    let mut parts = Vec::new();
    let lines = section
        .first()
        .map(|it| it.line)
        .zip(section.last().map(|it| it.line));
    let inside = |line: usize| lines.is_some_and(|(from, to)| (from..=to).contains(&line));
    // Steps of a Background, which stand elsewhere in the file.
    for (index, record) in scenario.steps.iter().enumerate() {
        if !inside(record.line) {
            parts.push(Part::Step(index, AsWritten::default()));
        }
    }
    let mut at = 0;
    let mut placed = 0;
    while at < section.len() {
        let block = &section[at];
        at += 1;
        let index = scenario.steps.iter().position(|it| it.line == block.line);
        let (Some(index), Content::Sentence(sentence)) = (index, &block.content) else {
            let heading = matches!(block.content, Content::Heading);
            if with_prose && !heading {
                parts.push(Part::Prose(block));
            }
            continue;
        };
        let mut written = AsWritten {
            sentence: Some(sentence),
            ..AsWritten::default()
        };
        match section.get(at).map(|it| &it.content) {
            Some(Content::Code(text)) => written.block = Some(text),
            Some(Content::Table(table)) => written.table = Some(table),
            _ => at -= 1,
        }
        at += 1;
        placed += 1;
        parts.push(Part::Step(index, written));
    }
    let known = |index: usize| {
        parts
            .iter()
            .any(|it| matches!(it, Part::Step(it, _) if *it == index))
    };
    // What the file does not show at its line any more is still shown.
    if placed < scenario.steps.len() {
        let missing: Vec<usize> = (0..scenario.steps.len()).filter(|&it| !known(it)).collect();
        parts.extend(
            missing
                .into_iter()
                .map(|it| Part::Step(it, AsWritten::default())),
        );
    }
    parts
}

fn prose(blocks: &[Block<'_>]) -> Markup {
    html! { @for block in blocks { (self::block(block)) } }
}

fn block(block: &Block<'_>) -> Markup {
    html! {
        @match &block.content {
            Content::Heading => {}
            Content::Sentence(sentence) => p.prose { (sentence.markup) },
            Content::Code(text) => pre.code { code { (text) } },
            Content::Comment(text) => p.comment { (text) },
            Content::Table(markup) | Content::Other(markup) => div.prose { (markup) },
        }
    }
}

/// The values of a variant or an example row.
pub(super) fn values(values: Option<&Map<String, Value>>) -> Markup {
    html! {
        @for (name, value) in values.into_iter().flatten() {
            span.value { (name) "=" b { (printed(value)) } }
        }
    }
}
