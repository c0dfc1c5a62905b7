//! One group: its world, its laboratory, its features in order.

use std::{path::Path, sync::Arc, time::Duration};

use fotalab_wire::net::{Clock, InMemory, Network, Sockets};
use rand::{SeedableRng as _, rngs::StdRng};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use tokio::{sync::watch, time::Instant};

use super::{
    Event, Lab, Settings, StepRecord, Verdict,
    attempts::{Conditions, DEFAULT_TIMEOUT, blank_record, run_step},
    lab::Equipment,
    record::{FeatureRecord, ScenarioRecord},
};
use crate::{
    plan::{Group, PartKey, PlannedFeature, PlannedScenario, Role},
    scenario::ast::ClockChoice,
    target::{DEFAULT_PROFILE, Target, TargetError},
    trace::{Recording, Secrets, StepPlace, Trace},
};

/// The virtual clock says this when a group begins: 2026-01-01T00:00:00Z.
pub const VIRTUAL_EPOCH: i64 = 1_767_225_600_000;

/// Runs a group in a runtime of its own on this thread.
///
/// # Errors
/// The laboratory could not be set up.
pub(super) fn run_group(
    group: &Group,
    index: usize,
    settings: &Settings,
    secrets: &Secrets,
    cancelled: &watch::Receiver<bool>,
    events: &dyn Fn(Event),
) -> Result<Vec<FeatureRecord>, TargetError> {
    let clock = group.clock.unwrap_or(settings.clock);
    let mut builder = tokio::runtime::Builder::new_current_thread();
    match clock {
        ClockChoice::Real => builder.enable_all(),
        ClockChoice::Virtual => builder.enable_time().start_paused(true),
    };
    let runtime = builder
        .build()
        .map_err(|error| TargetError::new("start a runtime", error))?;
    runtime.block_on(async {
        let in_memory = (clock == ClockChoice::Virtual).then(InMemory::new);
        let (network, time): (Arc<dyn Network>, _) = match &in_memory {
            None => (Arc::new(Sockets), Clock::of_machine()),
            Some(memory) => (Arc::new(memory.clone()), Clock::starting_at(VIRTUAL_EPOCH)),
        };
        let trace = Trace::capturing(time, settings.capture);
        let seed = seed_of(settings.seed, &group_name(group));
        let target = Target::start(group, settings, &network, time, seed, &trace, secrets).await?;
        let equipment = Equipment {
            network,
            in_memory,
            clock: time,
            trace,
            secrets: secrets.clone(),
            target: Arc::new(target),
        };
        let mut run = GroupRun {
            group,
            index,
            settings,
            cancelled,
            events,
            equipment,
            clock,
            seed,
        };
        Ok(run.features().await)
    })
}

/// The records of a group that never began: what did not run is in every report.
pub(super) fn not_begun(group: &Group, reason: &str) -> Vec<FeatureRecord> {
    let scenario = |feature: &PlannedFeature, scenario: &PlannedScenario| ScenarioRecord {
        id: scenario.id.clone(),
        title: scenario.title.clone(),
        rule: scenario.rule.clone(),
        tags: scenario.tags.clone(),
        row: scenario.row.clone(),
        line: scenario.line,
        prerequisite: scenario.role == Role::Prerequisite,
        verdict: Verdict::Skipped,
        reason: Some(reason.to_owned()),
        took_ms: 0,
        capture: None,
        steps: scenario
            .steps
            .iter()
            .map(|it| blank_record(it, &feature.document))
            .collect(),
    };
    let record = |feature: &PlannedFeature| FeatureRecord {
        path: feature.document.path.display().to_string(),
        title: feature.title.clone(),
        source: feature.document.source.to_string(),
        variant: feature.variant.as_ref().map(|(_, values)| values.clone()),
        covers: Vec::new(),
        clock: "none".into(),
        verdict: Verdict::Skipped,
        reason: Some(reason.to_owned()),
        took_ms: 0,
        clock_ms: 0,
        scenarios: feature
            .scenarios
            .iter()
            .filter(|it| it.role != Role::LeftOut)
            .map(|it| scenario(feature, it))
            .collect(),
        messages: Vec::new(),
        messages_dropped: 0,
        captured: Recording::default(),
    };
    group.features.iter().map(record).collect()
}

struct GroupRun<'a> {
    group: &'a Group,
    index: usize,
    settings: &'a Settings,
    cancelled: &'a watch::Receiver<bool>,
    events: &'a dyn Fn(Event),
    equipment: Equipment,
    clock: ClockChoice,
    seed: u64,
}

impl GroupRun<'_> {
    async fn features(&mut self) -> Vec<FeatureRecord> {
        let mut lab = self.lab(0);
        let mut records: Vec<FeatureRecord> = Vec::new();
        for (at, feature) in self.group.features.iter().enumerate() {
            let unmet = feature
                .needs
                .iter()
                .find(|&&need| records[need].verdict != Verdict::Passed);
            let skip = feature.skip.clone().or_else(|| {
                unmet.map(|&need| {
                    format!("it needs \"{}\", which did not hold", records[need].title)
                })
            });
            (self.events)(Event::FeatureStarted {
                group: self.index,
                feature: at,
            });
            let record = self.feature(at, feature, &mut lab, skip).await;
            (self.events)(Event::FeatureFinished {
                group: self.index,
                feature: at,
            });
            records.push(record);
        }
        drop(lab);
        records
    }

    /// A laboratory with a fresh context.
    fn lab(&self, number: u64) -> Lab {
        let mut variables: Map<String, Value> = self.equipment.target.variables().clone();
        for (name, value) in &self.settings.set {
            variables.insert(name.clone(), value.clone());
        }
        let random = StdRng::seed_from_u64(self.seed.wrapping_add(number));
        Lab::new(self.equipment.clone(), variables, random)
    }

    /// Puts in what belongs to this feature: its profile's variables and its variant's values.
    fn prepare(&self, lab: &mut Lab, feature: &PlannedFeature) {
        let named = feature
            .profile
            .as_deref()
            .or(self.settings.profile.as_deref());
        let profile = self
            .equipment
            .target
            .of_profile(named.unwrap_or(DEFAULT_PROFILE));
        for (name, value) in profile.into_iter().flatten() {
            if !self.settings.set.contains_key(name) {
                lab.give(name, value.clone());
            }
        }
        lab.set_variant(feature.variant.as_ref().map(|(_, values)| values));
    }

    async fn feature(
        &self,
        at: usize,
        feature: &PlannedFeature,
        shared: &mut Lab,
        skip: Option<String>,
    ) -> FeatureRecord {
        let began = Instant::now();
        let wall = Wall::now();
        let shares = feature.document.dialect.shares_context();
        let mut conditions = Conditions {
            document: &feature.document,
            timeout: feature.timeout.unwrap_or(DEFAULT_TIMEOUT),
            patience: self.settings.patience,
            cancelled: self.cancelled.clone(),
        };
        self.prepare(shared, feature);
        let mut scenarios = Vec::new();
        let mut broken = skip.clone();
        for (number, scenario) in feature.scenarios.iter().enumerate() {
            if scenario.role == Role::LeftOut {
                continue;
            }
            let place = Place {
                group: self.index,
                feature: at,
                scenario: number,
            };
            let mut own = (!shares).then(|| {
                let mut lab = self.lab(1 + (at as u64) * 1_000_003 + number as u64);
                self.prepare(&mut lab, feature);
                lab
            });
            let lab = own.as_mut().unwrap_or(shared);
            let record = self
                .scenario(place, scenario, lab, &mut conditions, broken.clone())
                .await;
            if record.verdict != Verdict::Passed && broken.is_none() && shares {
                broken = Some(format!("\"{}\" before it did not hold", scenario.title));
            }
            scenarios.push(record);
        }
        let (messages, messages_dropped) = self.equipment.trace.take();
        let captured = self.equipment.trace.take_recording();
        let verdict = verdict_of(scenarios.iter().map(|it| it.verdict), skip.is_some());
        FeatureRecord {
            path: feature.document.path.display().to_string(),
            title: feature.title.clone(),
            source: feature.document.source.to_string(),
            variant: feature.variant.as_ref().map(|(_, values)| values.clone()),
            covers: feature
                .document
                .front_matter
                .covers
                .iter()
                .map(|it| it.value.clone())
                .collect(),
            clock: match self.clock {
                ClockChoice::Real => "real".into(),
                ClockChoice::Virtual => "virtual".into(),
            },
            verdict,
            reason: skip,
            took_ms: wall.elapsed(),
            clock_ms: millis(began.elapsed()),
            scenarios,
            messages,
            messages_dropped,
            captured,
        }
    }

    async fn scenario(
        &self,
        place: Place,
        scenario: &PlannedScenario,
        lab: &mut Lab,
        conditions: &mut Conditions<'_>,
        skip: Option<String>,
    ) -> ScenarioRecord {
        let Place {
            group,
            feature,
            scenario: number,
        } = place;
        let wall = Wall::now();
        (self.events)(Event::ScenarioStarted {
            group,
            feature,
            scenario: number,
        });
        lab.set_row(&scenario.row);
        let id: Arc<str> = Arc::from(scenario.id.as_str());
        let mut steps: Vec<StepRecord> = Vec::with_capacity(scenario.steps.len());
        for (nth, bound) in scenario.steps.iter().enumerate() {
            let go = skip.is_none() && steps.last().is_none_or(|it| it.verdict == Verdict::Passed);
            let record = if go && !*self.cancelled.borrow() {
                let line = bound.step.span.position(&conditions.document.source).line;
                self.equipment.trace.at_step(Some(StepPlace {
                    scenario: Arc::clone(&id),
                    line,
                }));
                let record = run_step(lab, bound, conditions).await;
                self.equipment.trace.at_step(None);
                record
            } else {
                let mut record = blank_record(bound, conditions.document);
                if go {
                    record.verdict = Verdict::Interrupted;
                }
                record
            };
            (self.events)(Event::step(group, feature, number, nth, &record));
            steps.push(record);
        }
        (self.events)(Event::ScenarioFinished {
            group,
            feature,
            scenario: number,
        });
        ScenarioRecord {
            id: scenario.id.clone(),
            title: scenario.title.clone(),
            rule: scenario.rule.clone(),
            tags: scenario.tags.clone(),
            row: scenario.row.clone(),
            line: scenario.line,
            prerequisite: scenario.role == Role::Prerequisite,
            verdict: verdict_of(steps.iter().map(|it| it.verdict), skip.is_some()),
            reason: skip,
            took_ms: wall.elapsed(),
            capture: None,
            steps,
        }
    }
}

#[derive(Clone, Copy)]
struct Place {
    group: usize,
    feature: usize,
    scenario: usize,
}

/// The worst of its parts decides; a scenario without steps passed.
fn verdict_of(parts: impl Iterator<Item = Verdict>, skipped: bool) -> Verdict {
    if skipped {
        return Verdict::Skipped;
    }
    let parts: Vec<Verdict> = parts.collect();
    let any = |verdict| parts.contains(&verdict);
    if any(Verdict::Failed) {
        Verdict::Failed
    } else if any(Verdict::Interrupted) {
        Verdict::Interrupted
    } else {
        Verdict::Passed
    }
}

/// What a group is called: its first file and variant, and the one scenario it may be cut down to.
pub(super) fn group_name(group: &Group) -> String {
    let Some(first) = group.features.first() else {
        return String::new();
    };
    let path: &Path = &first.document.path;
    let variant = first
        .variant
        .as_ref()
        .map_or_else(String::new, |(nth, _)| format!("#{nth}"));
    let name = path
        .file_name()
        .map(|it| it.to_string_lossy().into_owned())
        .unwrap_or_default();
    // The parent's name too, so that equal file names differ; not the whole path, so that a
    // checkout elsewhere draws the same numbers.
    let parent = path
        .parent()
        .and_then(Path::file_name)
        .map(|it| it.to_string_lossy().into_owned());
    let only = group.only.as_ref().map(|it| format!("::{it}"));
    format!(
        "{}/{name}{variant}{}",
        parent.unwrap_or_default(),
        only.unwrap_or_default()
    )
}

/// The seed of a group: from the run's and from where the group's first file is.
fn seed_of(seed: u64, name: &str) -> u64 {
    let digest = Sha256::new()
        .chain_update(seed.to_be_bytes())
        .chain_update(name)
        .finalize();
    digest[..8]
        .iter()
        .fold(0, |all, &byte| all << 8 | u64::from(byte))
}

/// Whether the group asks for a part of the laboratory.
pub(crate) fn uses(group: &Group, part: PartKey) -> bool {
    group.uses.contains(&part)
}

/// Wall time, also in the virtual world: reports tell people how long they waited.
struct Wall(std::time::Instant);

impl Wall {
    fn now() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "only for the report; nothing acts on it"
        )]
        Self(std::time::Instant::now())
    }

    fn elapsed(&self) -> u64 {
        millis(self.0.elapsed())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
