//! The same run as cucumber sees it: our [`Parser`], our [`Runner`], anybody's writer.
//!
//! cucumber's own runner makes a World for each scenario and knows no order, waiting or skipping
//! between scenarios; this one does, and yields cucumber's own events, so that every writer made
//! for it works.

use std::{collections::BTreeMap, pin::Pin, sync::Arc};

use cucumber::{
    Event as Envelope, Parser, Runner, cli,
    event::{self, Retries, RetryableScenario, Source},
    parser::Result as Parsed,
    step::Location,
};
use futures_util::{Stream, StreamExt as _, stream};
use gherkin::{LineCol, StepType};

use super::{Event, Lab, Session, Verdict};
use crate::{
    plan::{BoundStep, Plan, PlannedFeature, PlannedScenario, Role},
    scenario::{
        Span,
        ast::{self, StepKind},
    },
};

/// Hands the features of a plan to cucumber.
pub struct PlanParser(pub Arc<Plan>);

impl Parser<()> for PlanParser {
    type Cli = cli::Empty;
    type Output = stream::Iter<std::vec::IntoIter<Parsed<gherkin::Feature>>>;

    fn parse(self, (): (), _: cli::Empty) -> Self::Output {
        let features: Vec<_> = self
            .0
            .groups
            .iter()
            .flat_map(|it| &it.features)
            .map(|it| Ok(feature(it)))
            .collect();
        stream::iter(features)
    }
}

/// Runs a plan as cucumber's runner.
pub struct PlanRunner(pub Arc<Session>);

/// cucumber's events of our World.
type Item = Parsed<Envelope<event::Cucumber<Lab>>>;

impl Runner<Lab> for PlanRunner {
    type Cli = cli::Empty;
    type EventStream = Pin<Box<dyn Stream<Item = Item>>>;

    fn run<S>(self, features: S, _: cli::Empty) -> Self::EventStream
    where
        S: Stream<Item = Parsed<gherkin::Feature>> + 'static,
    {
        let session = self.0;
        Box::pin(
            stream::once(async move {
                let features: Vec<_> = features.filter_map(|it| async { it.ok() }).collect().await;
                let mut events = Events::new(&session.plan, features);
                let ran = Arc::clone(&session);
                let own = stream::unfold(ran.start(), |mut receiver| async {
                    receiver.recv().await.map(|event| (event, receiver))
                });
                let started = stream::iter(events.started());
                let running =
                    own.map(move |event| stream::iter(events.translate(&session.plan, &event)));
                let finished = stream::iter([event::Cucumber::Finished]);
                started
                    .chain(running.flatten())
                    .chain(finished)
                    .map(|it| Ok(Envelope::new(it)))
            })
            .flatten(),
        )
    }
}

/// Keeps the identity of every feature, rule, scenario and step, which cucumber compares by
/// address.
struct Events {
    features: Vec<Source<gherkin::Feature>>,
    /// Number of the first feature of each group.
    first: Vec<usize>,
    rules: BTreeMap<(usize, String), Source<gherkin::Rule>>,
    scenarios: BTreeMap<(usize, usize), Source<gherkin::Scenario>>,
}

impl Events {
    fn new(plan: &Plan, features: Vec<gherkin::Feature>) -> Self {
        let mut first = Vec::new();
        let mut count = 0;
        for group in &plan.groups {
            first.push(count);
            count += group.features.len();
        }
        Self {
            features: features.into_iter().map(Source::new).collect(),
            first,
            rules: BTreeMap::new(),
            scenarios: BTreeMap::new(),
        }
    }

    fn started(&self) -> Vec<event::Cucumber<Lab>> {
        let all = || self.features.iter();
        let scenarios = || {
            all().flat_map(|it| {
                it.scenarios
                    .iter()
                    .chain(it.rules.iter().flat_map(|it| &it.scenarios))
            })
        };
        vec![
            event::Cucumber::Started,
            event::Cucumber::ParsingFinished {
                features: self.features.len(),
                rules: all().map(|it| it.rules.len()).sum(),
                scenarios: scenarios().count(),
                steps: scenarios().map(|it| it.steps.len()).sum(),
                parser_errors: 0,
            },
        ]
    }

    fn translate(&mut self, plan: &Plan, event: &Event) -> Vec<event::Cucumber<Lab>> {
        let (group, in_group) = event.place();
        let number = self.first[group] + in_group;
        let source = self.features[number].clone();
        let planned = &plan.groups[group].features[in_group];
        match event {
            Event::FeatureStarted { .. } => vec![event::Cucumber::feature_started(source)],
            Event::FeatureFinished { .. } => vec![event::Cucumber::feature_finished(source)],
            Event::ScenarioStarted { scenario, .. } => {
                vec![self.scenario(number, planned, *scenario, event::Scenario::Started)]
            }
            Event::ScenarioFinished { scenario, .. } => {
                vec![self.scenario(number, planned, *scenario, event::Scenario::Finished)]
            }
            Event::Step {
                scenario,
                step,
                verdict,
                words,
                ..
            } => {
                let bound = &planned.scenarios[*scenario].steps[*step];
                let source = Source::new(gherkin_step(bound, planned));
                let location: Option<Location> = Some(bound.definition.location);
                let captures = || bound.definition.regex().capture_locations();
                let ended = match verdict {
                    Verdict::Passed => event::Step::Passed(captures(), location),
                    Verdict::Failed => event::Step::Failed(
                        Some(captures()),
                        location,
                        None,
                        event::StepError::Panic(Arc::new(words.clone())),
                    ),
                    Verdict::Skipped | Verdict::Interrupted => event::Step::Skipped,
                };
                let both = [event::Step::Started, ended];
                both.map(|it| {
                    self.scenario(
                        number,
                        planned,
                        *scenario,
                        event::Scenario::Step(source.clone(), it),
                    )
                })
                .into()
            }
        }
    }

    fn scenario(
        &mut self,
        number: usize,
        planned: &PlannedFeature,
        scenario: usize,
        event: event::Scenario<Lab>,
    ) -> event::Cucumber<Lab> {
        let of = &planned.scenarios[scenario];
        let feature = self.features[number].clone();
        let rule = of.rule.as_ref().map(|name| {
            let key = (number, name.clone());
            let made = || {
                let found = feature.rules.iter().find(|it| it.name == *name).cloned();
                Source::new(found.unwrap_or_else(|| rule(name, of, planned)))
            };
            self.rules.entry(key).or_insert_with(made).clone()
        });
        let source = self
            .scenarios
            .entry((number, scenario))
            .or_insert_with(|| Source::new(gherkin_scenario(of, planned)))
            .clone();
        let retryable = RetryableScenario {
            event,
            retries: None::<Retries>,
        };
        event::Cucumber::scenario(feature, rule, source, retryable)
    }
}

fn feature(planned: &PlannedFeature) -> gherkin::Feature {
    let tree = planned.document.feature.as_ref();
    let mut rules: Vec<gherkin::Rule> = Vec::new();
    let mut scenarios = Vec::new();
    for scenario in planned
        .scenarios
        .iter()
        .filter(|it| it.role != Role::LeftOut)
    {
        match &scenario.rule {
            None => scenarios.push(gherkin_scenario(scenario, planned)),
            Some(name) => {
                if rules.last().is_none_or(|last| last.name != *name) {
                    rules.push(rule(name, scenario, planned));
                }
                if let Some(rule) = rules.last_mut() {
                    rule.scenarios.push(gherkin_scenario(scenario, planned));
                }
            }
        }
    }
    let title = tree.map_or_else(Span::default, |it| it.title.span());
    gherkin::Feature {
        keyword: "Feature".to_owned(),
        name: planned.title.clone(),
        description: tree
            .map(|it| it.description.join("\n\n"))
            .filter(|it| !it.is_empty()),
        background: None,
        scenarios,
        rules,
        tags: tree
            .map(|it| plain_tags(it.tags.iter().map(|tag| &tag.value)))
            .unwrap_or_default(),
        span: span(title),
        position: place(title, planned),
        path: Some(planned.document.path.clone()),
    }
}

fn rule(name: &str, scenario: &PlannedScenario, planned: &PlannedFeature) -> gherkin::Rule {
    gherkin::Rule {
        keyword: "Rule".to_owned(),
        name: name.to_owned(),
        description: None,
        background: None,
        scenarios: Vec::new(),
        tags: Vec::new(),
        span: span(scenario.span),
        position: place(scenario.span, planned),
    }
}

fn gherkin_scenario(scenario: &PlannedScenario, planned: &PlannedFeature) -> gherkin::Scenario {
    gherkin::Scenario {
        keyword: "Scenario".to_owned(),
        name: scenario.title.clone(),
        description: None,
        steps: scenario
            .steps
            .iter()
            .map(|it| gherkin_step(it, planned))
            .collect(),
        examples: Vec::new(),
        tags: plain_tags(scenario.tags.iter()),
        span: span(scenario.span),
        position: LineCol {
            line: scenario.line,
            col: 1,
        },
    }
}

fn gherkin_step(bound: &BoundStep, planned: &PlannedFeature) -> gherkin::Step {
    gherkin::Step {
        // cucumber's writers print keyword and text without a blank between them.
        keyword: format!("{} ", bound.step.keyword.trim()),
        ty: step_type(bound.step.kind),
        value: bound.step.title.value.clone(),
        docstring: bound.step.block.as_ref().map(|it| it.code.value.clone()),
        table: bound.step.table.as_ref().map(table),
        span: span(bound.step.span),
        position: place(bound.step.span, planned),
    }
}

/// cucumber knows three kinds: `Soon` is a Then.
pub(super) const fn step_type(kind: StepKind) -> StepType {
    match kind {
        StepKind::Given => StepType::Given,
        StepKind::When => StepType::When,
        StepKind::Then | StepKind::Soon => StepType::Then,
    }
}

/// A data table as cucumber's steps take it.
pub(super) fn table(table: &ast::Table) -> gherkin::Table {
    let first = table
        .rows
        .first()
        .map_or_else(Span::default, |row| row.span);
    gherkin::Table {
        rows: table
            .rows
            .iter()
            .map(|row| row.cells.iter().map(|cell| cell.value.clone()).collect())
            .collect(),
        span: span(first),
        position: LineCol { line: 0, col: 0 },
    }
}

const fn span(span: Span) -> gherkin::Span {
    gherkin::Span {
        start: span.start,
        end: span.end,
    }
}

fn place(span: Span, planned: &PlannedFeature) -> LineCol {
    let place = span.position(&planned.document.source);
    LineCol {
        line: place.line,
        col: place.column,
    }
}

/// cucumber keeps tags without their `@`.
fn plain_tags<'a>(tags: impl Iterator<Item = &'a String>) -> Vec<String> {
    tags.map(|it| it.trim_start_matches('@').to_owned())
        .collect()
}
