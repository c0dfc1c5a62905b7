//! One step of an update: an upstream job and what is known of it (contract 2.4, 2.5).

use std::time::Duration;

use fotalab_wire::net::UnixMillis;
use serde::{Deserialize, Serialize};

use super::{PollFailure, after, stamp};
use crate::limits;

/// What upstream says of a job; texts are kept as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JobDetails {
    /// One of the known statuses, see [`is_known_status`].
    pub(crate) status: String,
    /// In words.
    pub(crate) status_detail: Option<String>,
    /// When upstream changed it last.
    pub(crate) last_updated_at: Option<String>,
    /// The version of the firmware it installs.
    pub(crate) version: Option<String>,
}

/// An upstream job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Step {
    /// Upstream's id of the job.
    pub(crate) id: String,
    /// What it installs.
    pub(crate) bundle: String,
    /// When we asked for it.
    pub(crate) created: UnixMillis,
    /// As upstream spells it.
    pub(crate) status: String,
    /// As upstream spells it.
    pub(crate) status_detail: Option<String>,
    /// As upstream spells it.
    pub(crate) last_updated_at: String,
    /// As upstream spells it; unknown until it was asked.
    pub(crate) version: Option<String>,
    /// What the device said it runs when the step began.
    pub(super) from: String,
    pub(super) next_poll: UnixMillis,
    pub(super) in_flight: bool,
    failures: u32,
}

/// What a poll changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Polled {
    /// It goes on.
    Continues,
    /// It has ended.
    Ended,
}

const KNOWN: [&str; 11] = [
    "CREATED",
    "QUEUED",
    "IN_PROGRESS",
    "DOWNLOADING",
    "SUCCEEDED",
    "COMPLETED",
    "FAILED",
    "TIMED_OUT",
    "REJECTED",
    "CANCELLED",
    "DELETION_IN_PROGRESS",
];
/// Of the known ones, those after which upstream says nothing new.
const TERMINAL: [&str; 7] = [
    "SUCCEEDED",
    "COMPLETED",
    "FAILED",
    "TIMED_OUT",
    "REJECTED",
    "CANCELLED",
    "DELETION_IN_PROGRESS",
];

/// Whether upstream's vocabularies (contract 2.5) have this status.
pub(crate) fn is_known_status(status: &str) -> bool {
    KNOWN.contains(&status)
}

impl Step {
    /// A job that upstream just created.
    pub(super) fn new(id: String, bundle: String, from: String, now: UnixMillis) -> Self {
        Self {
            id,
            bundle,
            created: now,
            status: "QUEUED".to_owned(),
            status_detail: None,
            last_updated_at: stamp(now),
            version: None,
            from,
            next_poll: now,
            in_flight: false,
            failures: 0,
        }
    }

    /// A job that upstream refused to create.
    pub(super) fn refused(
        id: String,
        bundle: String,
        from: String,
        now: UnixMillis,
        cause: &str,
    ) -> Self {
        let mut step = Self::new(id, bundle, from, now);
        step.status = "FAILED".to_owned();
        step.status_detail = Some(format!("Scheduling FOTA update failed: {cause}"));
        step
    }

    /// Upstream says nothing new any more.
    pub(crate) fn has_ended(&self) -> bool {
        TERMINAL.contains(&self.status.as_str())
    }

    /// It ended well, as far as the contract looks (8.9).
    pub(crate) fn has_succeeded(&self) -> bool {
        matches!(self.status.as_str(), "COMPLETED" | "SUCCEEDED")
    }

    /// Upstream can still be told to stop.
    pub(super) fn can_be_cancelled(&self) -> bool {
        matches!(
            self.status.as_str(),
            "QUEUED" | "IN_PROGRESS" | "DOWNLOADING"
        )
    }

    /// Takes in what upstream said, or that it said nothing usable.
    pub(super) fn followed(
        &mut self,
        now: UnixMillis,
        answer: Result<JobDetails, PollFailure>,
        follow: Duration,
    ) -> Polled {
        self.in_flight = false;
        if self.has_ended() {
            return Polled::Continues;
        }
        let age = now.saturating_sub(self.created);
        let old = age >= after(0, limits::YOUNG_JOB);
        let interval = if old {
            follow.max(limits::SETTLED_INTERVAL)
        } else {
            follow
        };
        match answer {
            Ok(details) => {
                self.failures = 0;
                self.status = details.status;
                self.status_detail = details.status_detail;
                if let Some(at) = details.last_updated_at {
                    self.last_updated_at = at;
                }
                self.version = details.version.or(self.version.take());
                self.next_poll = after(now, interval);
            }
            Err(PollFailure::NotFound) if age > after(0, limits::LOST_AFTER) => {
                self.status = "FAILED".to_owned();
                self.status_detail = Some(
                    "The job was not found on nRF Cloud. It may have been deleted.".to_owned(),
                );
                self.last_updated_at = stamp(now);
            }
            Err(PollFailure::NotFound) => self.next_poll = after(now, interval),
            Err(PollFailure::Unusable) => {
                self.failures = (self.failures + 1).min(limits::MAX_BACKOFF_DOUBLINGS);
                self.next_poll = after(now, interval * 2_u32.pow(self.failures));
            }
        }
        if self.has_ended() {
            Polled::Ended
        } else {
            Polled::Continues
        }
    }
}
