//! How an update goes: the order of its steps, and where it stands.

use serde::{Deserialize, Serialize};

/// How the steps of an update follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Flow {
    /// One bundle, asked for by its id, whatever the device runs.
    Single,
    /// Each step is a job of its own, created while its caller waits; it ends when upstream says
    /// so, and the next one comes when the device reports a version with an unused key.
    Stepwise,
    /// One job over all steps; a step ends when upstream says so *and* the device runs another
    /// version, and the job ends when no key fits any more.
    Whole,
}

/// Where an update stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum State {
    /// Nothing happened yet.
    New,
    /// Upstream works on it.
    InProgress,
    /// It is over.
    Ended(Ended),
}

/// How an update ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Ended {
    /// No bundle is left to apply.
    Succeeded,
    /// A step failed.
    Failed,
    /// It took too long.
    TimedOut,
    /// Somebody stopped it.
    Aborted,
}

impl Ended {
    /// What the abort route calls it (contract 1.2).
    pub(crate) fn execution_status(self) -> &'static str {
        match self {
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::TimedOut => "TIMED_OUT",
            Self::Aborted => "ABORTED",
        }
    }

    /// The same in the words of the contract (2.3).
    pub(super) fn detail(self) -> &'static str {
        match self {
            Self::Succeeded => "No more bundles to apply.",
            Self::Failed => "Job execution failed.",
            Self::TimedOut => "The job timed out.",
            Self::Aborted => "The job was cancelled.",
        }
    }
}
