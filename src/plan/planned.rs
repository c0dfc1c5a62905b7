//! What is to be run: groups, features, scenarios, and which of them were asked for.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use serde_json::{Map, Value};

use super::{BoundStep, FileDiagnostic, Offered, Part};
use crate::scenario::{
    Diagnostic, Span,
    ast::{ClockChoice, Document},
};

/// What is to be run.
#[derive(Debug)]
pub struct Plan {
    /// Groups share nothing and may run side by side.
    pub groups: Vec<Group>,
    /// All scenarios of all files, whether they were asked for or not.
    pub offered: Vec<Offered>,
}

impl Plan {
    /// How many scenarios were asked for.
    #[must_use]
    pub fn selected(&self) -> usize {
        self.scenarios()
            .filter(|it| it.role == Role::Selected)
            .count()
    }

    /// Steps that need the virtual clock in groups that would run on the real one.
    #[must_use]
    pub fn out_of_time(&self, clock: ClockChoice) -> Vec<FileDiagnostic> {
        let real = |group: &&Group| group.clock.unwrap_or(clock) == ClockChoice::Real;
        let features = self.groups.iter().filter(real).flat_map(|it| &it.features);
        features
            .flat_map(|feature| {
                let wanted = feature.scenarios.iter().filter(|it| it.role != Role::LeftOut);
                let steps = wanted.flat_map(|it| &it.steps);
                let own = steps.filter(|it| it.definition.entry.is_some_and(|it| it.own_time));
                own.map(|bound| {
                    let span = bound.step.title.span();
                    let message = "this step needs the virtual clock, and this run is in real time";
                    let problem = Diagnostic::new("plan::clock", span, message).help(
                        "say `clock: virtual` in front matter, or wait for what you expect with `Soon` or `Within`",
                    );
                    FileDiagnostic::new(&feature.document, problem)
                })
            })
            .collect()
    }

    /// Leaves out, with the reason, groups that insist on the virtual clock: nobody can turn the
    /// clock of a server that runs elsewhere.
    pub fn leave_out_virtual(&mut self) {
        let virtually = |it: &&mut Group| it.clock == Some(ClockChoice::Virtual);
        for group in self.groups.iter_mut().filter(virtually) {
            for feature in &mut group.features {
                let why = "it insists on the virtual clock, and the target lives in real time";
                feature.skip.get_or_insert_with(|| why.to_owned());
            }
            // Nothing of it is started, no mock either.
            group.clock = None;
            group.uses.clear();
        }
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

    /// Gives each scenario that was asked for a group of its own, with only those before it that
    /// `sets_up` takes: one that does not hold hides no other. Files joined by `needs` stay joined.
    #[must_use]
    pub fn apart(self, sets_up: impl Fn(&PlannedScenario) -> bool) -> Self {
        let groups = self
            .groups
            .into_iter()
            .flat_map(|group| match group.features.as_slice() {
                [feature] => apart(&group, feature, &sets_up),
                _ => vec![group],
            });
        Self {
            groups: groups.collect(),
            offered: self.offered,
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
#[derive(Clone, Debug)]
pub struct Group {
    /// Features in the order they run.
    pub features: Vec<PlannedFeature>,
    /// The one scenario that it was cut down to.
    pub only: Option<String>,
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
#[derive(Clone, Debug)]
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
#[derive(Clone, Debug)]
pub struct PlannedScenario {
    /// `path::title`, made unique with a number: the name of the test.
    pub id: String,
    /// Title, with row values put in.
    pub title: String,
    /// The rule it belongs to.
    pub rule: Option<String>,
    /// The example row: values by header.
    pub row: Map<String, Value>,
    /// All its tags: the feature's, the rule's, its own, its examples'.
    pub tags: Vec<String>,
    /// Its heading (or its row).
    pub span: Span,
    /// Line of the heading or row, from 1.
    pub line: usize,
    /// All lines it occupies, first and last.
    pub lines: (usize, usize),
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

fn apart(
    group: &Group,
    feature: &PlannedFeature,
    sets_up: &impl Fn(&PlannedScenario) -> bool,
) -> Vec<Group> {
    let selected = feature.scenarios.iter().enumerate();
    let selected = selected.filter(|(_, it)| it.role == Role::Selected && !sets_up(it));
    let alone = selected.map(|(at, scenario)| {
        let before = feature.scenarios[..at].iter().filter(|it| sets_up(it));
        let before = before.cloned().map(|it| PlannedScenario {
            role: Role::Prerequisite,
            ..it
        });
        let feature = PlannedFeature {
            document: Arc::clone(&feature.document),
            scenarios: before.chain([scenario.clone()]).collect(),
            title: feature.title.clone(),
            variant: feature.variant.clone(),
            profile: feature.profile.clone(),
            skip: feature.skip.clone(),
            needs: Vec::new(),
            ..*feature
        };
        let features = vec![feature];
        Group {
            uses: uses_of(&features),
            features,
            only: Some(scenario.title.clone()),
            clock: group.clock,
        }
    });
    alone.collect()
}

pub(super) fn uses_of(features: &[PlannedFeature]) -> BTreeSet<PartKey> {
    features
        .iter()
        .flat_map(|it| &it.scenarios)
        .filter(|it| it.role != Role::LeftOut)
        .flat_map(|it| &it.steps)
        .flat_map(|it| it.uses.iter().copied().map(PartKey::from))
        .collect()
}

/// A selected feature brings along the ones it needs, whole.
pub(super) fn bring_needed(features: &mut [PlannedFeature]) {
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

/// Where the file shares its context, a selected scenario brings the earlier ones along.
pub(super) fn bring_earlier(document: &Document, scenarios: &mut [PlannedScenario]) {
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
