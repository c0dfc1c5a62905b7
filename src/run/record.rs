//! What a run leaves behind: verdicts and attempts, the source of every report.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Mismatch;
use crate::trace::{Message, Recording};

/// Attempts of one step that are kept whole; of more, the first ones and the last one are.
pub const MAX_ATTEMPTS_KEPT: usize = 100;

/// How something ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It held.
    Passed,
    /// It did not.
    Failed,
    /// It was not tried, since something before it did not hold or it is not to run.
    Skipped,
    /// The run was interrupted before it ended.
    Interrupted,
}

/// A whole run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunRecord {
    /// The seed it ran with.
    pub seed: u64,
    /// `embedded`, or the name of the target.
    pub target: String,
    /// Wall time in milliseconds.
    pub took_ms: u64,
    /// Whether it was interrupted.
    pub interrupted: bool,
    /// Every feature run, in the plan's order.
    pub features: Vec<FeatureRecord>,
    /// Groups that could not start: which, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environment: Vec<String>,
}

impl RunRecord {
    /// How many scenarios ended so.
    #[must_use]
    pub fn scenarios(&self, verdict: Verdict) -> usize {
        self.features
            .iter()
            .flat_map(|it| &it.scenarios)
            .filter(|it| it.verdict == verdict)
            .count()
    }

    /// How many steps ended so.
    #[must_use]
    pub fn steps(&self, verdict: Verdict) -> usize {
        let scenarios = self.features.iter().flat_map(|it| &it.scenarios);
        scenarios
            .flat_map(|it| &it.steps)
            .filter(|it| it.verdict == verdict)
            .count()
    }
}

/// One run of one file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FeatureRecord {
    /// The file as it was named.
    pub path: String,
    /// Title.
    pub title: String,
    /// The file's text, as it was when it ran.
    #[serde(default)]
    pub source: String,
    /// The variant's values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<Map<String, Value>>,
    /// Rows of a conformance catalogue that it covers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub covers: Vec<String>,
    /// `real` or `virtual`.
    pub clock: Cow<'static, str>,
    /// How it ended.
    pub verdict: Verdict,
    /// Why it was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Wall time in milliseconds.
    pub took_ms: u64,
    /// Time on its own clock in milliseconds.
    pub clock_ms: u64,
    /// Its scenarios.
    pub scenarios: Vec<ScenarioRecord>,
    /// What crossed while it ran. Reports write it to a file of its own.
    #[serde(skip)]
    pub messages: Vec<Message>,
    /// Messages that were not kept.
    pub messages_dropped: u64,
    /// Datagrams as they crossed, where that was asked for. Reports write captures of them.
    #[serde(skip)]
    pub captured: Recording,
}

impl FeatureRecord {
    /// Says where the captures of its failed scenarios are to be.
    pub(super) fn name_captures(&mut self, number: usize) {
        let file = self.path.rsplit(['/', '\\']).next().unwrap_or_default();
        let stem = file.split('.').next().unwrap_or_default();
        for scenario in &mut self.scenarios {
            if matches!(scenario.verdict, Verdict::Failed | Verdict::Interrupted) {
                let name = format!("captures/{number}-{stem}-{}.pcapng", scenario.line);
                scenario.capture = Some(name);
            }
        }
    }
}

/// One scenario.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScenarioRecord {
    /// Its id, unique in the run.
    pub id: String,
    /// Title.
    pub title: String,
    /// Rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Values of its example row.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub row: Map<String, Value>,
    /// Line of its heading or example row.
    pub line: usize,
    /// It ran only because another one needs it.
    pub prerequisite: bool,
    /// How it ended.
    pub verdict: Verdict,
    /// Why it was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Wall time in milliseconds.
    pub took_ms: u64,
    /// The capture of what crossed up to its end, beside the report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture: Option<String>,
    /// Its steps.
    pub steps: Vec<StepRecord>,
}

/// One step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StepRecord {
    /// Keyword as written.
    pub keyword: String,
    /// The sentence, values put in.
    pub title: String,
    /// The code block, values put in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block: Option<String>,
    /// Line of the step, from 1.
    pub line: usize,
    /// Column of the step, from 1.
    pub column: usize,
    /// How it ended.
    pub verdict: Verdict,
    /// A panic or another defect of the step itself, as opposed to a mismatch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub defect: Option<String>,
    /// Every attempt.
    pub attempts: Vec<AttemptRecord>,
    /// Attempts that were not kept.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attempts_dropped: u32,
    /// What the step had to say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What each side was waiting for when a wait ended without what it waited for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<String>,
    /// Numbers of the messages that crossed while it was at work: first, one past the last.
    pub messages: (u64, u64),
    /// Time on the clock of its world, in milliseconds.
    pub clock_ms: u64,
}

/// One attempt at a step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// From 1.
    pub number: u32,
    /// When it began, in milliseconds after the step did.
    pub at_ms: u64,
    /// Why it did not hold; absent when it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mismatch: Option<Mismatch>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}
