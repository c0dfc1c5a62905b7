//! What goes into the update engine and what comes out of it.

use super::Flow;
use crate::core::upgrade_path::{Target, UpgradePath};

/// What somebody wants updated.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// The device's id.
    pub(crate) device: String,
    /// The upstream account it belongs to.
    pub(crate) account: String,
    /// What is updated; `None` for bundle types that are neither.
    pub(crate) target: Option<Target>,
    /// From which version to which bundle.
    pub(crate) path: UpgradePath,
    /// How the steps follow each other.
    pub(crate) flow: Flow,
}

/// Why an update was not created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// One for this device and target has not ended.
    Exists,
    /// No key fits what the device reported (only [`Flow::Stepwise`]).
    NoMatch {
        /// What it reported.
        reported: String,
    },
}

/// Why an update was not stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AbortRefusal {
    /// There is no such update.
    Unknown,
    /// It ended before, in this way.
    Ended(&'static str),
    /// It is another device's.
    NotOwned,
}

/// Why upstream did not tell about a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PollFailure {
    /// It answered 404.
    NotFound,
    /// Anything else: no answer, an error, an answer that is not understood.
    Unusable,
}

/// What the engine wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Create an upstream job, then call [`Updates::created`].
    Create {
        /// For whom.
        update: String,
        /// The account to use.
        account: String,
        /// The device to update.
        device: String,
        /// What to install.
        bundle: String,
    },
    /// Ask for an upstream job, then call [`Updates::followed`].
    Follow {
        /// For whom.
        update: String,
        /// The account to use.
        account: String,
        /// The upstream job.
        job: String,
    },
    /// Cancel an upstream job; a failure changes nothing.
    Cancel {
        /// The account to use.
        account: String,
        /// The upstream job.
        job: String,
    },
    /// A stepwise update has its first upstream job, or will never have one (then it is forgotten).
    Scheduled {
        /// Which update.
        update: String,
        /// The cause of a failure.
        outcome: Result<(), String>,
    },
    /// The update is running or has ended; listeners want to know.
    Changed {
        /// Which update.
        update: String,
    },
    /// The last step of the update has ended; listeners want to know.
    StepEnded {
        /// Which update.
        update: String,
    },
}
