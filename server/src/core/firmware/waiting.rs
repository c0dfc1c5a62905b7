//! What an update waits for, for who wonders why nothing happens.

use std::fmt;

use fotalab_wire::net::UnixMillis;

use super::{
    messages::{Ask, CANCEL, PACKAGE, PACKAGE_URI, UPDATE},
    update::{Stage, Update},
};

/// What an update waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waits {
    /// For what, in a word: `registration`, `answer`, `pause`, `download`, `install`,
    /// `registration after the install`, `soak`, `nothing`.
    pub(crate) what: &'static str,
    /// What was asked, where an answer is missing.
    pub(crate) asked: Option<String>,
    /// When it goes on by itself, if that is sooner than its deadline.
    pub(crate) until: Option<UnixMillis>,
    /// When it gives up.
    pub(crate) deadline: Option<UnixMillis>,
}

impl Update {
    /// What it waits for.
    pub(crate) fn waits(&self) -> Waits {
        let what = match self.stage {
            Stage::Ended => "nothing",
            Stage::Installing if !self.tally.returned && !self.connected => {
                "registration after the install"
            }
            _ if !self.connected => "registration",
            _ if self.asked.is_some() => "answer",
            _ if self.paused_until.is_some() => "pause",
            Stage::Inspecting | Stage::Resetting | Stage::Cancelling => "answer",
            Stage::Downloading { .. } => "download",
            Stage::Installing => "install",
            Stage::Soaking => "soak",
        };
        let ended = self.stage == Stage::Ended;
        Waits {
            what,
            asked: self.asked.as_ref().map(|(_, ask)| ask.to_string()),
            until: self.paused_until.or(self.look_at).filter(|_| !ended),
            deadline: (!ended).then_some(self.deadline),
        }
    }
}

impl fmt::Display for Ask {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(path) => write!(out, "Read {path}"),
            Self::Observe(path) => write!(out, "Observe {path}"),
            Self::Forget(path) => write!(out, "Cancel Observation {path}"),
            Self::ClearUri | Self::Uri(_) => write!(out, "Write {PACKAGE_URI}"),
            Self::ClearPackage | Self::Package => write!(out, "Write {PACKAGE}"),
            Self::Cancel => write!(out, "Execute {CANCEL}"),
            Self::Unhide(path) => write!(out, "Write-Attributes {path}"),
            Self::Execute => write!(out, "Execute {UPDATE}"),
            Self::Lifetime(instance, _) => write!(out, "Write /1/{instance}/1"),
        }
    }
}
