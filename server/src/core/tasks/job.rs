//! A task as it stands on one device.

use fotalab_wire::net::UnixMillis;
use serde::{Deserialize, Serialize};

use super::report::{Report, Status};

/// A task on one device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Job {
    /// Which run of its task this is.
    pub(super) run: u32,
    /// When it began.
    pub(super) started: Option<UnixMillis>,
    /// Where it stands.
    pub(super) stand: Stand,
    /// The update of the firmware that it made.
    pub(super) update: Option<String>,
    /// How far it is with its operations.
    pub(super) progress: Progress,
}

/// Where it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Stand {
    /// It has not begun, or waits to go on after a restart.
    #[default]
    Waiting,
    /// Under way.
    Running,
    /// Over.
    Ended(Report),
}

/// How far a job is with its operations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// The next one, or the one under way.
    pub(super) next: usize,
    /// It was sent.
    pub(super) sent: bool,
    /// What was found out.
    pub(super) properties: Vec<(String, String)>,
}

impl Job {
    /// One of a certain run that has not begun.
    pub(super) fn new(run: u32) -> Self {
        Self {
            run,
            ..Self::default()
        }
    }

    /// What is told of it, once it is over.
    pub(crate) fn report(&self) -> Option<&Report> {
        match &self.stand {
            Stand::Ended(report) => Some(report),
            _ => None,
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.stand == Stand::Waiting
    }

    pub(super) fn is_running(&self) -> bool {
        self.stand == Stand::Running
    }

    /// Ends it.
    pub(super) fn end(
        &mut self,
        now: UnixMillis,
        status: Status,
        summary: Option<String>,
        properties: Vec<(String, String)>,
    ) {
        let finished = match &self.stand {
            Stand::Ended(report) => report.finished,
            _ => now,
        };
        self.stand = Stand::Ended(Report {
            started: self.started.unwrap_or(now),
            finished,
            updated: now,
            status,
            summary,
            properties,
        });
    }
}
