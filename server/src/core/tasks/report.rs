//! What a task did on one device, and how many it did what on.

use fotalab_wire::net::UnixMillis;
use serde::{Deserialize, Serialize};

/// How a task ended on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Status {
    /// Well.
    Success,
    /// Ill.
    Error,
}

/// What is told of a task that ended on a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// When it began.
    pub(crate) started: UnixMillis,
    /// When it ended.
    pub(crate) finished: UnixMillis,
    /// When the report changed last.
    pub(crate) updated: UnixMillis,
    /// How it ended.
    pub(crate) status: Status,
    /// What happened, in a sentence.
    pub(crate) summary: Option<String>,
    /// Names and values, in order.
    pub(crate) properties: Vec<(String, String)>,
}

/// How many devices are where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// All of them.
    pub(crate) scheduled: usize,
    /// The task runs there.
    pub(crate) in_progress: usize,
    /// It ended well.
    pub(crate) successes: usize,
    /// It ended ill.
    pub(crate) failures: usize,
}

impl Summary {
    /// It ended, well or ill.
    pub(crate) fn completed(self) -> usize {
        self.successes + self.failures
    }
}
