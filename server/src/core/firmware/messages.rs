//! What goes into an update over the air and what comes out of it.

use std::time::Duration;

use fotalab_wire::{
    coap::Code,
    lwm2m::{Path, Value, Version},
    net::UnixMillis,
};
use serde::{Deserialize, Serialize};

use super::options::Options;

/// How the image is to reach the device, as `POST /updates` says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Transfer {
    /// What the device can, pull first (contract 2.2: a push does not survive a sleep).
    #[default]
    Any,
    /// Package, by Block1.
    Push,
    /// Package URI, with the scheme that suits.
    Pull,
    /// Package URI with this scheme.
    PullBy(Scheme),
    /// As Horde does it: a URI that is the same for all devices, and the server knows by who asks
    /// which image it is. The image may be there already, `downloaded`.
    ByIdentity {
        /// /5/0/3 was 2 when the update began.
        downloaded: bool,
    },
    /// The device fetches and installs by itself.
    Unasked,
}

/// Schemes of a package URI that this server serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Scheme {
    /// `coap://`, protocol 0 of /5/0/8.
    Coap,
    /// `coaps://`, protocol 1, with the key that the device registers with.
    Coaps,
    /// `http://`, protocol 2.
    Http,
}

/// What an update is asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Wanted {
    /// The endpoint name.
    pub(crate) device: String,
    /// The image's id.
    pub(crate) image: String,
    /// Its length in bytes.
    pub(crate) length: u64,
    /// The longest image that the device takes, in bytes, if somebody knows.
    pub(crate) slot: Option<u64>,
    /// What the device should say it runs afterwards, if that is known.
    pub(crate) version: Option<String>,
    /// How it should get there.
    pub(crate) transfer: Transfer,
    /// How it is gone about.
    pub(crate) options: Options,
    /// Who asked for it, in a word of theirs.
    pub(crate) asked_by: Option<String>,
}

/// What a registration says that matters to an update.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// The version of the firmware object, if the device lists /5/0.
    pub(crate) object: Option<Version>,
    /// It came over DTLS.
    pub(crate) secured: bool,
}

/// Where an update stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum State {
    /// Nothing has been sent yet.
    Queued,
    /// The image is on its way.
    Downloading,
    /// The device has it all.
    Downloaded,
    /// The device installs it.
    Updating,
    /// It runs it.
    Succeeded,
    /// It does not.
    Failed,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// When.
    pub(crate) at: UnixMillis,
    /// Where the update stood then.
    pub(crate) state: State,
    /// What happened, for people.
    pub(crate) detail: String,
}

/// Something wanted of the device. One at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Read.
    Read(Path),
    /// Observe.
    Observe(Path),
    /// Write the empty text to /5/0/1.
    ClearUri,
    /// Write one NUL to /5/0/0.
    ClearPackage,
    /// Write the image's URI to /5/0/1.
    Uri(Scheme),
    /// Write the image to /5/0/0, block by block.
    Package,
    /// Execute /5/0/2.
    Execute,
    /// Execute /5/0/10.
    Cancel,
    /// Set pmin 0, so that no short state is hidden (contract 2.4).
    Unhide(Path),
    /// Write so many seconds to the lifetime of an instance of object 1.
    Lifetime(u16, u32),
    /// End an observation.
    Forget(Path),
}

/// How the device answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// With a code, and values where it was a read.
    Answered(Code, Vec<Value>),
    /// With 5.03: it asks for patience, for so long if it says so.
    Busy(Option<Duration>),
    /// Not at all.
    Silent,
    /// With a Reset.
    Rejected,
    /// Its registration ended or was replaced meanwhile.
    Gone,
}

/// What has to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Ask the device; the answer comes back with the serial.
    Ask {
        /// The update's id.
        update: String,
        /// Of whom.
        device: String,
        /// Which of the update's asks it is.
        serial: u64,
        /// What.
        ask: Ask,
    },
    /// Give up what was asked last, however far it got.
    Withdraw {
        /// The update's id.
        update: String,
        /// Of whom it was asked.
        device: String,
        /// Which of the update's asks it is.
        serial: u64,
    },
    /// The update moved.
    Changed {
        /// Its id.
        update: String,
    },
}

/// /5/0/0
pub(crate) const PACKAGE: Path = Path::resource(5, 0, 0);
/// /5/0/1
pub(crate) const PACKAGE_URI: Path = Path::resource(5, 0, 1);
/// /5/0/2
pub(crate) const UPDATE: Path = Path::resource(5, 0, 2);
/// /5/0/3
pub(crate) const STATE: Path = Path::resource(5, 0, 3);
/// /5/0/5
pub(crate) const RESULT: Path = Path::resource(5, 0, 5);
/// /5/0/7
pub(crate) const PACKAGE_VERSION: Path = Path::resource(5, 0, 7);
/// /5/0/8
pub(crate) const PROTOCOLS: Path = Path::resource(5, 0, 8);
/// /5/0/9
pub(crate) const DELIVERY: Path = Path::resource(5, 0, 9);
/// /5/0/10
pub(crate) const CANCEL: Path = Path::resource(5, 0, 10);
/// /5/0/13, seconds
pub(crate) const MAX_DEFER: Path = Path::resource(5, 0, 13);
/// /5/0/14
pub(crate) const AUTOMATIC: Path = Path::resource(5, 0, 14);
/// The Update Result of an update that Cancel ended.
pub(super) const CANCELLED: i64 = 10;
/// /3/0/3
pub(crate) const VERSION: Path = Path::resource(3, 0, 3);
/// /3/0/21, kilobytes of 1,000 bytes
pub(crate) const MEMORY_FREE: Path = Path::resource(3, 0, 21);

impl Scheme {
    /// Its number in /5/0/8.
    pub(crate) fn protocol(self) -> i64 {
        match self {
            Self::Coap => 0,
            Self::Coaps => 1,
            Self::Http => 2,
        }
    }

    /// As a URI begins.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Coap => "coap",
            Self::Coaps => "coaps",
            Self::Http => "http",
        }
    }
}

impl Transfer {
    /// As `POST /updates` names it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "push" => Ok(Self::Push),
            "pull" => Ok(Self::Pull),
            "pull:coap" => Ok(Self::PullBy(Scheme::Coap)),
            "pull:coaps" => Ok(Self::PullBy(Scheme::Coaps)),
            "pull:http" => Ok(Self::PullBy(Scheme::Http)),
            "pull:https" => Err("is a scheme that this server does not serve".into()),
            _ => Err("is none of push, pull, pull:coap, pull:coaps, pull:http".into()),
        }
    }
}

impl State {
    /// As the admin face shows it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Downloading => "downloading",
            Self::Downloaded => "downloaded",
            Self::Updating => "updating",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }
}
