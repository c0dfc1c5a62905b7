//! From documents to a plan: every step bound, every mistake found, before anything runs.

mod bind;
mod catalogue;
mod groups;
mod selection;
mod variables;
mod vocabulary;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use serde_json::{Map, Value};

pub use self::{
    bind::{BoundStep, LimitKind, is_json, time_limit},
    catalogue::{BlockNeed, Budget, Entry, MAX_RETRIES, Part, Waiting},
    selection::{Selection, TagExpression},
    variables::{GIVEN, stored_names},
    vocabulary::{Captures, Definition, Nearest, Vocabulary},
};
#[doc(hidden)]
pub use inventory;

use self::variables::Known;
use crate::{
    scenario::{
        Diagnostic, Instance, Span, Text,
        ast::{Background, Child, ClockChoice, Document, Scenario, Step},
        instances,
    },
    target::PROFILES,
};

/// A mistake and the file it is in.
#[derive(Clone, Debug)]
pub struct FileDiagnostic {
    /// The file.
    pub path: PathBuf,
    /// Its text.
    pub source: Arc<str>,
    /// The mistake.
    pub diagnostic: Diagnostic,
}

impl FileDiagnostic {
    /// A mistake in this document.
    #[must_use]
    pub fn new(document: &Document, diagnostic: Diagnostic) -> Self {
        Self {
            path: document.path.clone(),
            source: Arc::clone(&document.source),
            diagnostic,
        }
    }
}

/// Sorts mistakes as a reader meets them; each is said once.
pub fn in_reading_order(problems: &mut Vec<FileDiagnostic>) {
    problems.sort_by(|a, b| {
        (&a.path, a.diagnostic.span, a.diagnostic.code).cmp(&(
            &b.path,
            b.diagnostic.span,
            b.diagnostic.code,
        ))
    });
    problems.dedup_by(|a, b| a.path == b.path && a.diagnostic == b.diagnostic);
}

/// What is to be run.
#[derive(Debug)]
pub struct Plan {
    /// Groups share nothing and may run side by side.
    pub groups: Vec<Group>,
}

impl Plan {
    /// How many scenarios were asked for.
    #[must_use]
    pub fn selected(&self) -> usize {
        self.scenarios()
            .filter(|it| it.role == Role::Selected)
            .count()
    }

    /// Keeps only the selected scenarios that `wanted` takes, and what they need.
    pub fn narrow(&mut self, wanted: impl Fn(&PlannedScenario) -> bool) {
        for group in &mut self.groups {
            for feature in &mut group.features {
                for scenario in &mut feature.scenarios {
                    let keep = scenario.role == Role::Selected && wanted(scenario);
                    scenario.role = if keep { Role::Selected } else { Role::LeftOut };
                }
                bring_earlier(&feature.document, &mut feature.scenarios);
            }
            bring_needed(&mut group.features);
            group.uses = uses_of(&group.features);
        }
    }

    /// Every scenario of every group.
    pub fn scenarios(&self) -> impl Iterator<Item = &PlannedScenario> {
        self.groups
            .iter()
            .flat_map(|it| &it.features)
            .flat_map(|it| &it.scenarios)
    }
}

/// Features that share a context, a server and a mock.
#[derive(Debug)]
pub struct Group {
    /// Features in the order they run.
    pub features: Vec<PlannedFeature>,
    /// The clock that a file of it insists on.
    pub clock: Option<ClockChoice>,
    /// What has to be running.
    pub uses: BTreeSet<PartKey>,
}

/// A part of the laboratory, as a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PartKey {
    /// The server under test.
    Server,
    /// The mock of the cloud upstream.
    Upstream,
}

impl From<Part> for PartKey {
    fn from(part: Part) -> Self {
        match part {
            Part::Server => Self::Server,
            Part::Upstream => Self::Upstream,
        }
    }
}

/// One run of one file.
#[derive(Debug)]
pub struct PlannedFeature {
    /// The file.
    pub document: Arc<Document>,
    /// The feature's title.
    pub title: String,
    /// The variant of this run, with its number from 1.
    pub variant: Option<(usize, Map<String, Value>)>,
    /// Limit of one attempt at a step.
    pub timeout: Option<Duration>,
    /// The profile that the file names.
    pub profile: Option<String>,
    /// Scenarios in the order they run.
    pub scenarios: Vec<PlannedScenario>,
    /// Why it does not run at all.
    pub skip: Option<String>,
    /// Features of this group (by index) that must have held before.
    pub needs: Vec<usize>,
}

/// One scenario, or one row of an outline.
#[derive(Debug)]
pub struct PlannedScenario {
    /// `path::title`, made unique with a number: the name of the test.
    pub id: String,
    /// Title, with row values put in.
    pub title: String,
    /// The rule it belongs to.
    pub rule: Option<String>,
    /// The example row: header and value.
    pub row: Vec<(String, String)>,
    /// All its tags: the feature's, the rule's, its own, its examples'.
    pub tags: Vec<String>,
    /// Its heading (or its row).
    pub span: Span,
    /// Line of the heading or row, from 1.
    pub line: usize,
    /// Background steps (Gherkin) and its own.
    pub steps: Vec<BoundStep>,
    /// Asked for, or brought along.
    pub role: Role,
}

/// Why a scenario runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It was asked for.
    Selected,
    /// A selected one of its file or of a feature that needs it comes after it.
    Prerequisite,
    /// It was not asked for and nothing needs it.
    LeftOut,
}

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
    let documents: Vec<Arc<Document>> = documents.into_iter().map(Arc::new).collect();
    let mut planned = Vec::new();
    for group in members {
        planned.push(plan_group(
            &group,
            &documents,
            &needs,
            &skipped,
            selection,
            set,
            &mut problems,
        ));
    }
    if problems.is_empty() {
        let groups = planned.into_iter().flatten().collect();
        Ok(Plan { groups })
    } else {
        in_reading_order(&mut problems);
        Err(problems)
    }
}

/// A file alone makes one group for each of its variants; files joined by `needs` make one.
fn plan_group(
    members: &[usize],
    documents: &[Arc<Document>],
    needs: &[Vec<usize>],
    skipped: &BTreeMap<usize, String>,
    selection: &Selection,
    set: &Map<String, Value>,
    problems: &mut Vec<FileDiagnostic>,
) -> Vec<Group> {
    let joined = members.len() > 1;
    check_clocks(members, documents, problems);
    let mut groups = Vec::new();
    let mut known = Known::at_start(set);
    let mut features: Vec<PlannedFeature> = Vec::new();
    let mut index_in_group: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &member in members {
        let document = &documents[member];
        for variant in variants(document) {
            if !joined {
                known = Known::at_start(set);
            }
            let mut feature = plan_feature(document, variant, &mut known, selection, problems);
            feature.skip = skipped.get(&member).cloned();
            feature.needs = needs[member]
                .iter()
                .flat_map(|it| index_in_group.get(it).cloned().unwrap_or_default())
                .collect();
            if joined {
                index_in_group
                    .entry(member)
                    .or_default()
                    .push(features.len());
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
    groups.retain(|group| {
        group.features.iter().any(|feature| {
            feature.skip.is_some() && selection.is_everything()
                || feature.scenarios.iter().any(|it| it.role != Role::LeftOut)
        })
    });
    groups
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
        clock,
        uses,
    }
}

fn uses_of(features: &[PlannedFeature]) -> BTreeSet<PartKey> {
    features
        .iter()
        .flat_map(|it| &it.scenarios)
        .filter(|it| it.role != Role::LeftOut)
        .flat_map(|it| &it.steps)
        .flat_map(|it| it.uses.iter().copied().map(PartKey::from))
        .collect()
}

/// A selected feature brings along the ones it needs, whole.
fn bring_needed(features: &mut [PlannedFeature]) {
    for at in (0..features.len()).rev() {
        let wanted = features[at]
            .scenarios
            .iter()
            .any(|it| it.role != Role::LeftOut);
        if wanted {
            for need in features[at].needs.clone() {
                for scenario in &mut features[need].scenarios {
                    if scenario.role == Role::LeftOut {
                        scenario.role = Role::Prerequisite;
                    }
                }
            }
        }
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

/// Where the file shares its context, a selected scenario brings the earlier ones along.
fn bring_earlier(document: &Document, scenarios: &mut [PlannedScenario]) {
    if document.dialect.shares_context()
        && let Some(last) = scenarios.iter().rposition(|it| it.role == Role::Selected)
    {
        for earlier in &mut scenarios[..last] {
            if earlier.role == Role::LeftOut {
                earlier.role = Role::Prerequisite;
            }
        }
    }
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
        let mut steps = Vec::new();
        for step in background.into_iter().chain(row.steps) {
            steps.extend(bind::bind(step, known, self.problems));
        }
        let line = row.span.position(source).line;
        let (row_line, values) = match &row.row {
            Some((span, values)) => (
                span.position(source).line,
                values
                    .iter()
                    .map(|(name, value)| (name.clone(), crate::scenario::printed(value)))
                    .collect(),
            ),
            None => (line, Vec::new()),
        };
        let own_lines = scenario.span.position(source).line
            ..Span::new(end.end, end.end).position(source).line + 1;
        let tags: Vec<String> = tags
            .iter()
            .map(|it| it.value.clone())
            .chain(row.tags.iter().cloned())
            .collect();
        let asked = |lines| {
            self.selection
                .takes(&self.document.path, lines, &row.title, &tags)
        };
        let selected = asked(own_lines) || (row.row.is_some() && asked(row_line..row_line + 1));
        self.scenarios.push(PlannedScenario {
            id: String::new(),
            title: row.title.clone(),
            rule: rule.map(str::to_owned),
            row: values,
            tags,
            span: row.span,
            line: row_line,
            steps,
            role: if selected {
                Role::Selected
            } else {
                Role::LeftOut
            },
        });
    }
}
