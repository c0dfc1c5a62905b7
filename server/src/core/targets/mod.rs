//! Which image a device shall run, said by scope: declarative, without I/O.
//!
//! Nothing happens when a target is set. When a device reports what it runs, [`Standing::report`]
//! compares that with the target that its [`Scope`] gives it, and says whether an update begins;
//! what becomes of that update is told by `core::firmware` and taken in by [`Standing::moved`].
//! [`Inspections`] asks LwM2M devices for the report that they do not make by themselves.

mod inspection;
mod state;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub(crate) use inspection::{Effect, Found, How, Inspections};
pub(crate) use state::State;
use state::message;

use super::firmware::{self, Cause, Update};

/// Who says what a device shall run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Management {
    /// Nobody: what devices report is not even looked at.
    #[default]
    Disabled,
    /// The scope, for all its devices.
    Collection,
    /// Each device has a target of its own.
    Device,
}

/// What a scope (a Horde collection, an IoTaaP group) says of its devices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Scope {
    /// Who says it.
    pub(crate) management: Management,
    /// The image that its devices shall run, by the face's id.
    pub(crate) target: Option<String>,
}

/// Where one device stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Standing {
    /// The image that it shall run where each device has its own target.
    pub(crate) target: Option<String>,
    /// The image that it runs, if its version is one of the scope's.
    pub(crate) current: Option<String>,
    /// Where it stands.
    pub(crate) state: State,
    /// Why, in words; empty with nothing to say.
    pub(crate) message: String,
    /// What it said of itself; empty before it said something.
    pub(crate) said: Report,
    /// The update that is under way for its target.
    pub(crate) update: Option<String>,
}

/// What a device says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Report {
    /// What it runs.
    pub(crate) version: String,
    /// /3/0/0.
    pub(crate) manufacturer: String,
    /// /3/0/2.
    pub(crate) serial: String,
    /// /3/0/1.
    pub(crate) model: String,
}

/// What follows from a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The scope is not managed: nothing, and nothing is kept.
    Ignored,
    /// It runs what it shall, or nothing is wanted.
    UpToDate,
    /// It should be updated, but the last attempt ended badly and nobody cleared that.
    Barred,
    /// An update begins.
    Update,
}

impl Scope {
    /// The image that a device of this scope shall run.
    pub(crate) fn goal<'a>(&'a self, standing: &'a Standing) -> Option<&'a str> {
        match self.management {
            Management::Disabled => None,
            Management::Collection => self.target.as_deref(),
            Management::Device => standing.target.as_deref(),
        }
    }

    /// Whether that is an image that it does not run yet.
    pub(crate) fn wants<'a>(&'a self, standing: &'a Standing) -> Option<&'a str> {
        self.goal(standing)
            .filter(|goal| Some(*goal) != standing.current.as_deref())
    }
}

impl Standing {
    /// A device reports what it runs (contract A6, in its order). `current` is the image of the
    /// scope with that version.
    pub(crate) fn report(
        &mut self,
        scope: &Scope,
        current: Option<String>,
        said: Report,
    ) -> Verdict {
        if scope.management == Management::Disabled {
            return Verdict::Ignored;
        }
        if !said.version.is_empty() {
            self.current = current;
        }
        if self.state == State::Completed && said.version == self.said.version {
            self.enter(State::Reverted, message::REVERTED);
        }
        self.said = said;
        let goal = scope.goal(self).map(str::to_owned);
        if goal == self.current {
            self.update = None;
            self.enter(State::Current, "");
            return Verdict::UpToDate;
        }
        if goal.is_none() {
            Verdict::UpToDate
        } else if self.state.is_error() {
            Verdict::Barred
        } else {
            Verdict::Update
        }
    }

    /// Its own target was set, or taken away. That also ends an error.
    pub(crate) fn retarget(&mut self, target: Option<String>) {
        self.target = target;
        self.update = None;
        if self.target.is_none() || self.target == self.current {
            self.enter(State::Current, "");
        } else {
            self.enter(State::Pending, "");
        }
    }

    /// Somebody allows another attempt.
    pub(crate) fn clear_error(&mut self) {
        self.update = None;
        self.enter(State::Pending, "");
    }

    /// It is a device of another scope now.
    pub(crate) fn leave_scope(&mut self) {
        self.target = None;
        self.current = None;
        self.update = None;
        self.enter(State::Current, "");
    }

    /// An update has begun for it.
    pub(crate) fn begin(&mut self, update: &str) {
        self.update = Some(update.to_owned());
        self.enter(State::Initializing, message::STARTED);
    }

    /// What it should have said could not be had; `path` is where.
    pub(crate) fn fail(&mut self, path: &str) {
        self.enter(State::UpdateFailed, path);
    }

    /// The image is there, but nobody had it installed: what it reports then is no reversion.
    pub(crate) fn is_not_installed(&mut self) {
        if self.state == State::Completed {
            self.enter(State::Downloading, message::DOWNLOADED);
        }
    }

    /// Its update moved. One that is not for this target any more says nothing.
    pub(crate) fn moved(&mut self, update: &Update) {
        if self.update.as_deref() != Some(update.id.as_str()) {
            return;
        }
        match update.state {
            firmware::State::Queued => self.enter(State::Initializing, message::STARTED),
            firmware::State::Downloading if update.is_under_way() => {
                self.enter(State::Downloading, message::DOWNLOADING);
            }
            firmware::State::Downloading => self.enter(State::Downloading, message::WAITING),
            firmware::State::Downloaded => self.enter(State::Completed, message::DOWNLOADED),
            firmware::State::Updating => self.enter(State::Completed, message::INSTALLING),
            // The device's report says the same, and which image it is.
            firmware::State::Succeeded => {}
            firmware::State::Failed => match update.cause() {
                // What it came back with is said by its report.
                Cause::CameBack | Cause::Superseded => {}
                Cause::TooLate => self.enter(State::TimedOut, message::TIMED_OUT),
                Cause::Device => {
                    let why = update.history.last().map(|it| it.detail.clone());
                    self.enter(State::UpdateFailed, &why.unwrap_or_default());
                }
            },
        }
    }

    fn enter(&mut self, state: State, message: &str) {
        self.state = state;
        message.clone_into(&mut self.message);
    }
}
