//! What a device is asked and what waits for it, in words.

use std::fmt;

use fotalab_wire::net::UnixMillis;

use super::{Air, Operation};

/// What stands between the server and a registered device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Downlink {
    /// It would not hear a request now.
    pub(crate) asleep: bool,
    /// In queue mode, until when it listens, or listened.
    pub(crate) awake_until: Option<UnixMillis>,
    /// It did not answer the last request.
    pub(crate) silent: bool,
    /// When it is forgotten without another word of it.
    pub(crate) expires: UnixMillis,
    /// What it was asked and has not answered.
    pub(crate) asking: Option<String>,
    /// What waits for its turn, in that order.
    pub(crate) queued: Vec<String>,
}

impl Air {
    /// What stands between the server and a device; `None` when it is not registered.
    pub(crate) fn downlink(&self, now: UnixMillis, endpoint: &str) -> Option<Downlink> {
        let device = self.registrations.get(endpoint)?;
        let running = device.running.and_then(|it| self.running.get(&it));
        let queued = device.queue.iter();
        Some(Downlink {
            asleep: device.sleeps(now),
            awake_until: device.said.queue.then_some(device.awake_until),
            silent: device.silent,
            expires: device.expires,
            asking: running.map(|it| it.call.operation.to_string()),
            queued: queued.map(|it| it.operation.to_string()).collect(),
        })
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self {
            Self::Read(_) => "Read",
            Self::ReadMany(..) => "Read-Composite",
            Self::Observe(_) => "Observe",
            Self::ObserveMany(..) => "Observe-Composite",
            Self::Forget(_) | Self::ForgetMany(_) => "Cancel Observation",
            Self::Discover(_) => "Discover",
            Self::Write { .. } | Self::Update { .. } | Self::WriteLong { .. } => "Write",
            Self::WriteMany { .. } => "Write-Composite",
            Self::Attributes { .. } => "Write-Attributes",
            Self::Execute { .. } => "Execute",
            Self::Create { .. } => "Create",
            Self::Delete(_) => "Delete",
        };
        write!(out, "{verb} {}", self.path())
    }
}
