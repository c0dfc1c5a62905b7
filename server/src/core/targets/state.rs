//! The eight states of a device under a target, as Horde's API names them (contract A6).

use serde::{Deserialize, Serialize};

/// Where a device stands with its target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum State {
    /// It runs what it shall, or nothing is wanted of it.
    #[default]
    Current,
    /// A target is set; its next report is waited for.
    Pending,
    /// An update has begun.
    Initializing,
    /// The image is asked for, or on its way.
    Downloading,
    /// The image is there, and its installation asked for; the next report tells.
    Completed,
    /// It did not work. Nothing is tried again until somebody clears it or sets another target.
    UpdateFailed,
    /// The same, because it took too long.
    TimedOut,
    /// The image was there, and the device came back with the version before.
    Reverted,
}

impl State {
    /// As JSON has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Current => "Current",
            Self::Pending => "Pending",
            Self::Initializing => "Initializing",
            Self::Downloading => "Downloading",
            Self::Completed => "Completed",
            Self::UpdateFailed => "UpdateFailed",
            Self::TimedOut => "TimedOut",
            Self::Reverted => "Reverted",
        }
    }

    /// An update ended badly: no other begins by itself.
    pub(crate) fn is_error(self) -> bool {
        matches!(self, Self::UpdateFailed | Self::TimedOut | Self::Reverted)
    }
}

/// What is said beside a state.
pub(super) mod message {
    pub(crate) const STARTED: &str = "Update is started";
    pub(crate) const WAITING: &str = "Waiting for device to download firmware image";
    pub(crate) const DOWNLOADING: &str = "Device is downloading firmware image";
    pub(crate) const DOWNLOADED: &str = "Device has completed image download";
    pub(crate) const INSTALLING: &str =
        "Device has downloaded firmware image and is performing update";
    pub(crate) const TIMED_OUT: &str = "Device did not download the firmware image in time";
    pub(crate) const REVERTED: &str = "Device reported the version that it ran before the update";
}
