//! How an update goes about it, where somebody wants it another way than what suits most devices
//! (the Coiote contract 3.3 names each of these).

use std::time::Duration;

use fotalab_wire::{lwm2m::Path, net::UnixMillis};
use serde::{Deserialize, Serialize};

use super::messages::{RESULT, STATE, VERSION};
use crate::limits;

/// What may be chosen about an update. The default is what suits most devices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Options {
    /// How it learns where the device is.
    pub(crate) watch: Watch,
    /// State and Result as they were told before; the device is not asked for them at first.
    pub(crate) start: Option<(i64, i64)>,
    /// What the device offers (/5/0/8 and /5/0/9) is not looked at: it gets what is wanted.
    pub(crate) unchecked: bool,
    /// What a request without an answer means.
    pub(crate) silence: Silence,
    /// It fails when it has not succeeded after this time, in milliseconds.
    pub(crate) timeout: Option<UnixMillis>,
    /// A longer lifetime while it runs.
    pub(crate) lifetime: Option<Extension>,
    /// Result 1 is success, whichever version the device runs then.
    pub(crate) any_version: bool,
    /// The image is fetched there, not from this server.
    pub(crate) elsewhere: Option<Elsewhere>,
}

/// An image that somebody else serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Elsewhere {
    /// Where.
    pub(crate) uri: String,
    /// The protocol's number in /5/0/8.
    pub(crate) protocol: i64,
}

/// How an update learns where its device is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Watch {
    /// Observes State, Result and version, and looks when nothing is told for a while.
    #[default]
    Observed,
    /// Observes State and Result, and takes what is told.
    StateAndResult,
    /// Observes State and Result, and reads when something is told.
    Triggered,
    /// Observes the whole instance; what is told takes the place of reads.
    Instance,
    /// Only reads: each time the device gives a sign of life, and seldom in between.
    Uplinks,
    /// Only what the device sends by itself (Send, LwM2M 1.1).
    Sent,
}

/// What a request without an answer means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Silence {
    /// It is tried again after a while.
    #[default]
    Again,
    /// It is tried again when the device gives a sign of life.
    UntilHeard,
    /// The update has failed. Not after Execute: then devices are silent while they install.
    Fatal,
}

/// A lifetime that outlasts the update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Extension {
    /// The instance of object 1 that is this server's.
    pub(crate) instance: u16,
    /// What it is written back to, in seconds.
    pub(crate) usual: u32,
    /// What it is written to before the transfer, in seconds.
    pub(crate) extended: u32,
}

/// /5/0
pub(crate) const FIRMWARE_UPDATE: Path = Path::instance(5, 0);

impl Watch {
    /// What is observed.
    pub(super) fn observes(self) -> &'static [Path] {
        match self {
            Self::Observed => &[STATE, RESULT, VERSION],
            Self::StateAndResult | Self::Triggered => &[STATE, RESULT],
            Self::Instance => &[FIRMWARE_UPDATE],
            Self::Uplinks | Self::Sent => &[],
        }
    }

    /// What stays observed when the update has ended would never end.
    pub(super) fn forgets(self) -> bool {
        self != Self::Observed
    }

    /// After which time it looks again by itself (contract 1.6, 4), if it does.
    pub(super) fn poll(self) -> Option<Duration> {
        match self {
            Self::Sent => None,
            Self::Uplinks => Some(limits::UPLINK_POLL),
            _ => Some(limits::FIRMWARE_POLL),
        }
    }
}
