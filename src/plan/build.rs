//! Plans documents: groups and variants, every step bound, scenarios named.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use serde_json::{Map, Value};

use super::{
    FileDiagnostic, Group, Offered, Plan, PlannedFeature, PlannedScenario, Role, Selection, bind,
    groups, in_reading_order,
    planned::{bring_earlier, bring_needed, uses_of},
    variables::Known,
};
use crate::{
    scenario::{
        Diagnostic, Instance, Span, Text,
        ast::{Background, Child, Document, Scenario, Step},
        instances,
    },
    target::PROFILES,
};

/// Binds all documents.
///
/// # Errors
/// Every mistake of every document.
pub fn plan(
    documents: Vec<Document>,
    selection: &Selection,
    set: &Map<String, Value>,
) -> Result<Plan, Vec<FileDiagnostic>> {
    let mut problems = Vec::new();
    let members = groups::groups(&documents, &mut problems);
    let skipped = groups::skipped(&documents);
    let needs: Vec<Vec<usize>> = (0..documents.len())
        .map(|index| groups::needed_by(index, &documents))
        .collect();
    let mut planner = Planner {
        documents: documents.into_iter().map(Arc::new).collect(),
        needs,
        skipped,
        selection,
        set,
        problems,
    };
    let all: Vec<Group> = members.iter().flat_map(|it| planner.groups(it)).collect();
    let mut problems = planner.problems;
    if !problems.is_empty() {
        in_reading_order(&mut problems);
        return Err(problems);
    }
    let offered = offered(&all);
    let mut groups = all;
    groups.retain(|group| is_asked_for(group, selection));
    Ok(Plan { groups, offered })
}

struct Planner<'a> {
    documents: Vec<Arc<Document>>,
    needs: Vec<Vec<usize>>,
    skipped: BTreeMap<usize, String>,
    selection: &'a Selection,
    set: &'a Map<String, Value>,
    problems: Vec<FileDiagnostic>,
}

impl Planner<'_> {
    /// A file alone makes one group for each of its variants; files joined by `needs` make one.
    fn groups(&mut self, members: &[usize]) -> Vec<Group> {
        let joined = members.len() > 1;
        check_clocks(members, &self.documents, &mut self.problems);
        let mut groups = Vec::new();
        let mut known = Known::at_start(self.set);
        let mut features: Vec<PlannedFeature> = Vec::new();
        let mut in_group: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for &member in members {
            let document = Arc::clone(&self.documents[member]);
            for variant in variants(&document) {
                if !joined {
                    known = Known::at_start(self.set);
                }
                let (selection, problems) = (self.selection, &mut self.problems);
                let mut feature = plan_feature(&document, variant, &mut known, selection, problems);
                feature.skip = self.skipped.get(&member).cloned();
                let needs = self.needs[member].iter();
                feature.needs = needs
                    .flat_map(|it| in_group.get(it).cloned().unwrap_or_default())
                    .collect();
                if joined {
                    in_group.entry(member).or_default().push(features.len());
                    features.push(feature);
                } else {
                    groups.push(group_of(vec![feature]));
                }
            }
        }
        if joined {
            bring_needed(&mut features);
            groups.push(group_of(features));
        }
        groups
    }
}

fn is_asked_for(group: &Group, selection: &Selection) -> bool {
    group.features.iter().any(|feature| {
        feature.skip.is_some() && selection.is_everything()
            || feature.scenarios.iter().any(|it| it.role != Role::LeftOut)
    })
}

fn offered(groups: &[Group]) -> Vec<Offered> {
    let features = groups.iter().flat_map(|it| &it.features);
    let of_feature = |feature: &PlannedFeature| {
        let path = feature.document.path.clone();
        let offer = |it: &PlannedScenario| Offered {
            path: path.clone(),
            line: it.line,
            lines: it.lines,
            title: it.title.clone(),
            tags: it.tags.clone(),
        };
        feature.scenarios.iter().map(offer).collect::<Vec<_>>()
    };
    features.flat_map(of_feature).collect()
}

fn variants(document: &Document) -> Vec<Option<(usize, Map<String, Value>)>> {
    let variants = &document.front_matter.variants;
    if variants.is_empty() {
        return vec![None];
    }
    variants
        .iter()
        .cloned()
        .enumerate()
        .map(|(nth, it)| Some((nth + 1, it)))
        .collect()
}

fn group_of(features: Vec<PlannedFeature>) -> Group {
    let documents = || features.iter().map(|it| &it.document.front_matter);
    let clock = documents().find_map(|it| it.clock);
    let uses = uses_of(&features);
    Group {
        features,
        only: None,
        clock,
        uses,
    }
}

fn plan_feature(
    document: &Arc<Document>,
    variant: Option<(usize, Map<String, Value>)>,
    known: &mut Known,
    selection: &Selection,
    problems: &mut Vec<FileDiagnostic>,
) -> PlannedFeature {
    let front = &document.front_matter;
    known.bind_with(&front.example_context);
    known.bind_variant(variant.as_ref().map(|(_, values)| values));
    let mut scenarios = Vec::new();
    let mut found = Vec::new();
    found.extend(front.profile.as_ref().and_then(unknown_profile));
    if let Some(feature) = &document.feature {
        let file_tags: Vec<&Text> = front.tags.iter().chain(&feature.tags).collect();
        let mut binder = Binder {
            document,
            known,
            selection,
            scenarios: &mut scenarios,
            problems: &mut found,
        };
        for child in &feature.children {
            match child {
                Child::Scenario(scenario) => {
                    binder.scenario(scenario, None, &file_tags, &[feature.background.as_ref()]);
                }
                Child::Rule(rule) => {
                    let tags: Vec<&Text> = file_tags.iter().copied().chain(&rule.tags).collect();
                    let backgrounds = [feature.background.as_ref(), rule.background.as_ref()];
                    for scenario in &rule.scenarios {
                        binder.scenario(scenario, Some(&rule.title.value), &tags, &backgrounds);
                    }
                }
            }
        }
    }
    problems.extend(
        found
            .into_iter()
            .map(|it| FileDiagnostic::new(document, it)),
    );
    finish(document, variant.as_ref(), &mut scenarios);
    let title = document
        .feature
        .as_ref()
        .map_or_else(String::new, |it| it.title.value.clone());
    PlannedFeature {
        document: Arc::clone(document),
        title,
        variant,
        timeout: front.timeout,
        profile: front.profile.as_ref().map(|it| it.value.clone()),
        scenarios,
        skip: None,
        needs: Vec::new(),
    }
}

/// Where the next scenario or rule begins.
fn next_heading(document: &Document, after: usize) -> usize {
    let children = document.feature.iter().flat_map(|it| &it.children);
    let starts = children.flat_map(|child| match child {
        Child::Scenario(it) => vec![it.span.start],
        Child::Rule(it) => {
            let own = it.scenarios.iter().map(|it| it.span.start);
            std::iter::once(it.span.start).chain(own).collect()
        }
    });
    starts.filter(|it| *it > after).min().unwrap_or(usize::MAX)
}

fn unknown_profile(profile: &Text) -> Option<Diagnostic> {
    if PROFILES.contains(&profile.value.as_str()) {
        return None;
    }
    let message = format!("there is no profile `{}`", profile.value);
    let help = format!("known are {}", PROFILES.join(" and "));
    Some(Diagnostic::new("plan::unknown-profile", profile.span(), message).help(help))
}

/// Files of one group share a clock, so they cannot insist on different ones.
fn check_clocks(
    members: &[usize],
    documents: &[Arc<Document>],
    problems: &mut Vec<FileDiagnostic>,
) {
    let insisting = members.iter().map(|&it| &documents[it]);
    let mut insisting = insisting.filter(|it| it.front_matter.clock.is_some());
    let Some(first) = insisting.next() else {
        return;
    };
    for other in insisting.filter(|it| it.front_matter.clock != first.front_matter.clock) {
        let message = format!(
            "it is joined by `needs` with {}, which insists on the other clock",
            first.path.display()
        );
        let problem = Diagnostic::new("plan::clock-conflict", other.front_matter.span, message)
            .help("let both say the same `clock`, or none");
        problems.push(FileDiagnostic::new(other, problem));
    }
}

/// Gives scenarios their ids and, where the file shares its context, brings the earlier ones along.
fn finish(
    document: &Document,
    variant: Option<&(usize, Map<String, Value>)>,
    scenarios: &mut [PlannedScenario],
) {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let path = document.path.display().to_string().replace('\\', "/");
    for scenario in scenarios.iter_mut() {
        let rule = scenario
            .rule
            .as_ref()
            .map_or_else(String::new, |rule| format!("{rule}::"));
        let variant = variant.map_or_else(String::new, |(nth, _)| format!("[variant {nth}]"));
        let name = if scenario.title.is_empty() {
            "(untitled)"
        } else {
            &scenario.title
        };
        let id = format!("{path}{variant}::{rule}{name}");
        let times = seen.entry(id.clone()).or_default();
        *times += 1;
        scenario.id = if *times == 1 {
            id
        } else {
            format!("{id} #{times}")
        };
    }
    bring_earlier(document, scenarios);
}

struct Binder<'a> {
    document: &'a Document,
    known: &'a mut Known,
    selection: &'a Selection,
    scenarios: &'a mut Vec<PlannedScenario>,
    problems: &'a mut Vec<Diagnostic>,
}

impl Binder<'_> {
    fn scenario(
        &mut self,
        scenario: &Scenario,
        rule: Option<&str>,
        tags: &[&Text],
        backgrounds: &[Option<&Background>],
    ) {
        let (rows, mistakes) = instances(scenario, self.document.dialect);
        self.problems.extend(mistakes);
        for row in rows {
            let background: Vec<Step> = if row.steps.is_empty() {
                Vec::new()
            } else {
                backgrounds
                    .iter()
                    .flatten()
                    .flat_map(|it| it.steps.iter().cloned())
                    .collect()
            };
            self.instance(scenario, row, rule, tags, background);
        }
    }

    fn instance(
        &mut self,
        scenario: &Scenario,
        row: Instance,
        rule: Option<&str>,
        tags: &[&Text],
        background: Vec<Step>,
    ) {
        let source = &self.document.source;
        // Gherkin scenarios stand alone: nothing that another one stored is known to them.
        let mut fresh = (!self.document.dialect.shares_context()).then(|| self.known.clone());
        let known = fresh.as_mut().unwrap_or(self.known);
        let end = row.steps.last().map_or(row.span, |step| {
            step.block.as_ref().map_or(step.span, |it| it.span)
        });
        let values: Map<String, Value> = row.row.iter().flat_map(|(_, it)| it.clone()).collect();
        let before = known.clone();
        known.bind_row(&values);
        let directory = self.document.path.parent().unwrap_or(Path::new(""));
        let mut steps = Vec::new();
        let mut all = background.into_iter().chain(row.steps).peekable();
        while let Some(step) = all.next() {
            // A code block that could not be read is a mistake already said, not a second one.
            let end = all.peek().map_or_else(
                || next_heading(self.document, step.span.start),
                |next| next.span.start,
            );
            let doubtful = |it: &&Span| (step.span.start..end).contains(&it.start);
            let doubtful = self.document.mistakes.iter().any(|it| doubtful(&it));
            steps.extend(bind::bind(step, doubtful, directory, known, self.problems));
        }
        known.unbind_row(&values, &before);
        let row_span = row.row.as_ref().map_or(row.span, |(span, _)| *span);
        let row_line = row_span.position(source).line;
        // The body of an outline and the head of its table mean all rows, a row means itself.
        let rows: Vec<usize> = scenario
            .examples
            .iter()
            .filter_map(|it| it.table.as_ref())
            .flat_map(|it| it.rows.iter().skip(1))
            .map(|it| it.span.position(source).line)
            .collect();
        let first = scenario.span.position(source).line;
        let last = Span::new(end.end, end.end).position(source).line;
        let last = rows.iter().copied().fold(last, usize::max);
        let has =
            |line| line == row_line || ((first..=last).contains(&line) && !rows.contains(&line));
        let tags: Vec<String> = tags
            .iter()
            .map(|it| it.value.clone())
            .chain(row.tags.iter().cloned())
            .collect();
        let path = &self.document.path;
        let selected = self.selection.takes(path, has, &row.title, &tags);
        self.scenarios.push(PlannedScenario {
            id: String::new(),
            title: row.title.clone(),
            rule: rule.map(str::to_owned),
            row: values,
            tags,
            span: row.span,
            line: row_line,
            lines: (first, last),
            steps,
            role: if selected {
                Role::Selected
            } else {
                Role::LeftOut
            },
        });
    }
}
