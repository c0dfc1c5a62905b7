//! Runs a plan: groups side by side, features and scenarios in order, waiting, limits.

mod attempts;
pub mod cucumber;
mod group;
mod lab;
mod mismatch;
mod panics;
mod record;
mod redact;
mod schedule;
mod waiting;

use std::{
    collections::VecDeque,
    num::NonZeroUsize,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use fotalab_simulators::cloud::Mode;
use indexmap::IndexMap;
use serde_json::{Map, Value};
use tokio::sync::{mpsc, watch};

pub use self::{
    attempts::DEFAULT_TIMEOUT,
    group::VIRTUAL_EPOCH,
    lab::{Attempt, AttemptBlock, Lab},
    mismatch::{Difference, Mismatch, Sides, StepError, StepResult},
    record::{
        AttemptRecord, FeatureRecord, MAX_ATTEMPTS_KEPT, RunRecord, ScenarioRecord, StepRecord,
        Verdict,
    },
};
pub(crate) use self::{group::uses, redact::Redacting};
use crate::{
    plan::{BlockNeed, PartKey, Plan},
    scenario::ast::ClockChoice,
    target::TargetChoice,
    trace::{Capture, Secrets},
};

/// How a plan is to be run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where made-up values come from; the same seed makes the same ones.
    pub seed: u64,
    /// The clock of groups that insist on none.
    pub clock: ClockChoice,
    /// Scales every wait.
    pub patience: f64,
    /// Profile of files that name none.
    pub profile: Option<String>,
    /// In which order the mocked upstream answers.
    pub upstream: Mode,
    /// Variables that beat all others.
    pub set: Map<String, Value>,
    /// Nothing new is begun after the first failure.
    pub fail_fast: bool,
    /// Groups that run side by side; by default one for each core, and more in real time, where
    /// most of it is waiting.
    pub concurrency: Option<NonZeroUsize>,
    /// What is under test.
    pub target: TargetChoice,
    /// Whether datagrams are kept as they cross.
    pub capture: Capture,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 0,
            clock: ClockChoice::Virtual,
            patience: 1.0,
            profile: None,
            upstream: Mode::InOrder,
            set: Map::new(),
            fail_fast: false,
            concurrency: None,
            target: TargetChoice::default(),
            capture: Capture::No,
        }
    }
}

/// Groups for each core in real time.
const REAL_GROUPS_PER_CORE: usize = 8;

impl Settings {
    fn side_by_side(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let usual = match self.clock {
            ClockChoice::Virtual => cores,
            ClockChoice::Real => cores * REAL_GROUPS_PER_CORE,
        };
        self.concurrency.map_or(usual, NonZeroUsize::get)
    }
}

/// What happens while a plan runs, by numbers of the plan.
#[derive(Clone, Debug)]
#[expect(
    missing_docs,
    reason = "each field is the number of what it is named after"
)]
pub enum Event {
    /// A feature begins.
    FeatureStarted { group: usize, feature: usize },
    /// A scenario begins.
    ScenarioStarted {
        group: usize,
        feature: usize,
        scenario: usize,
    },
    /// A step ended; `words` say why it failed.
    Step {
        group: usize,
        feature: usize,
        scenario: usize,
        step: usize,
        verdict: Verdict,
        words: String,
    },
    /// A scenario ended.
    ScenarioFinished {
        group: usize,
        feature: usize,
        scenario: usize,
    },
    /// A feature ended.
    FeatureFinished { group: usize, feature: usize },
}

impl Event {
    fn step(
        group: usize,
        feature: usize,
        scenario: usize,
        step: usize,
        record: &StepRecord,
    ) -> Self {
        let mismatch = record.attempts.last().and_then(|it| it.mismatch.as_ref());
        let words = record
            .defect
            .clone()
            .or_else(|| mismatch.map(|it| it.message.clone()));
        Self::Step {
            group,
            feature,
            scenario,
            step,
            verdict: record.verdict,
            words: words.unwrap_or_default(),
        }
    }

    /// Group and feature.
    fn place(&self) -> (usize, usize) {
        match *self {
            Self::FeatureStarted { group, feature }
            | Self::ScenarioStarted { group, feature, .. }
            | Self::Step { group, feature, .. }
            | Self::ScenarioFinished { group, feature, .. }
            | Self::FeatureFinished { group, feature } => (group, feature),
        }
    }
}

/// One run of a plan.
#[derive(Debug)]
pub struct Session {
    /// The plan.
    pub plan: Arc<Plan>,
    /// How it is run.
    pub settings: Settings,
    /// What must not appear in any output.
    pub secrets: Secrets,
    cancel: watch::Sender<bool>,
    outcomes: Mutex<Vec<Outcome>>,
}

/// What came of one group.
#[derive(Debug)]
struct Outcome {
    group: usize,
    features: Result<Vec<FeatureRecord>, String>,
}

impl Session {
    /// A run that has not begun.
    #[must_use]
    pub fn new(plan: Arc<Plan>, settings: Settings) -> Self {
        let secrets = Secrets::default();
        for (name, value) in &settings.set {
            secrets.learn_variable(name, value);
        }
        // Literals of steps that are never reached stand in reports too.
        for step in plan.scenarios().flat_map(|it| &it.steps) {
            secrets.learn_text(&step.step.title.value);
            let Some(block) = &step.step.block else {
                continue;
            };
            let code = &block.code.value;
            match step.definition.entry.map(|it| it.block) {
                Some(BlockNeed::Form(form)) => {
                    for (kind, secret) in (form.secrets)(block.language.as_deref(), code) {
                        secrets.add(kind, &secret);
                    }
                }
                _ => secrets.learn_text(code),
            }
        }
        Self {
            plan,
            settings,
            secrets,
            cancel: watch::Sender::new(false),
            outcomes: Mutex::default(),
        }
    }

    /// Ends the run soon: what is running is marked as interrupted, nothing new is begun.
    pub fn cancel(&self) {
        self.cancel.send_replace(true);
    }

    /// Begins: groups run on threads of their own. The channel closes when all are done.
    #[must_use]
    pub fn start(self: Arc<Self>) -> mpsc::UnboundedReceiver<Event> {
        let (events, receiver) = mpsc::unbounded_channel();
        let shared = !self.settings.target.is_embedded();
        let waiting = self.lanes();
        let lanes = waiting.len();
        let waiting = Arc::new(Mutex::new(waiting));
        // One mock has one address there: groups that use it go one after the other.
        let mut groups = self.plan.groups.iter();
        let side_by_side = if shared && groups.any(|it| uses(it, PartKey::Upstream)) {
            1
        } else {
            self.settings.side_by_side()
        };
        for _ in 0..side_by_side.min(lanes) {
            let (session, waiting, events) =
                (Arc::clone(&self), Arc::clone(&waiting), events.clone());
            std::thread::spawn(move || {
                loop {
                    let next = waiting
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .pop_front();
                    let Some(lane) = next else { return };
                    for group in lane {
                        session.run_group(group, &events);
                    }
                }
            });
        }
        receiver
    }

    /// Groups that go one after the other: at one server for all, those of one file, since their
    /// devices have the same names. Embedded servers are one for each group.
    fn lanes(&self) -> VecDeque<Vec<usize>> {
        let groups = || self.plan.groups.iter().enumerate();
        if self.settings.target.is_embedded() {
            return groups().map(|(number, _)| vec![number]).collect();
        }
        let mut lanes: IndexMap<&Path, Vec<usize>> = IndexMap::new();
        for (number, group) in groups() {
            let first = group.features.first();
            let path = first.map_or(Path::new(""), |it| it.document.path.as_path());
            lanes.entry(path).or_default().push(number);
        }
        lanes.into_values().collect()
    }

    /// Runs everything and returns when it is done.
    pub fn run_to_end(self: Arc<Self>) {
        let mut events = self.start();
        while events.blocking_recv().is_some() {}
    }

    /// Runs one group on this thread, for harnesses that have a thread of their own.
    pub fn run_group_here(&self, group: usize) -> Result<Vec<FeatureRecord>, String> {
        let run = group::run_group(
            &self.plan.groups[group],
            group,
            &self.settings,
            &self.secrets,
            &self.cancel.subscribe(),
            &|_| {},
        );
        run.map_err(|error| error.to_string())
    }

    fn run_group(&self, group: usize, events: &mpsc::UnboundedSender<Event>) {
        if *self.cancel.borrow() {
            return;
        }
        let planned = &self.plan.groups[group];
        let send = |event| drop(events.send(event));
        let run = group::run_group(
            planned,
            group,
            &self.settings,
            &self.secrets,
            &self.cancel.subscribe(),
            &send,
        );
        let features = run.map_err(|error| format!("{}: {error}", group::group_name(planned)));
        let held = features.as_ref().is_ok_and(|features| {
            features
                .iter()
                .all(|it| matches!(it.verdict, Verdict::Passed | Verdict::Skipped))
        });
        if !held && self.settings.fail_fast {
            self.cancel.send_replace(true);
        }
        self.outcomes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Outcome { group, features });
    }

    /// What the run left behind; groups that never began are missing from it.
    #[must_use]
    pub fn record(&self, took: std::time::Duration) -> RunRecord {
        let mut outcomes =
            std::mem::take(&mut *self.outcomes.lock().unwrap_or_else(PoisonError::into_inner));
        outcomes.sort_by_key(|it| it.group);
        let mut record = RunRecord {
            seed: self.settings.seed,
            target: self.settings.target.name().to_owned(),
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            interrupted: *self.cancel.borrow() && !self.settings.fail_fast,
            features: Vec::new(),
            environment: Vec::new(),
        };
        let reason = if self.settings.fail_fast && !record.interrupted {
            "not begun: something before it failed, and --fail-fast was given"
        } else {
            "not begun: the run was interrupted"
        };
        let mut outcomes = outcomes.into_iter().peekable();
        for (number, group) in self.plan.groups.iter().enumerate() {
            let Some(outcome) = outcomes.next_if(|it| it.group == number) else {
                record.features.extend(group::not_begun(group, reason));
                continue;
            };
            match outcome.features {
                Ok(features) => record.features.extend(features),
                Err(error) => record.environment.push(error),
            }
        }
        for (number, feature) in record.features.iter_mut().enumerate() {
            if !feature.captured.datagrams.is_empty() {
                feature.name_captures(number);
            }
        }
        record
    }
}
