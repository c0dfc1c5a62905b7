//! What kind of device one is: chosen once, shared by all devices of its kind.
//!
//! A persona file is TOML with the fields of [`Persona`], each with a default:
//!
//! ```toml
//! lwm2m = "1.0"
//! queue-mode = true
//! delivery = "pull"
//! protocols = ["coap", "http"]
//! flash-bytes = 524288
//! erase = "8 s"
//! faults = ["out of flash at 60 %", "loses power while downloading"]
//! ```

use std::time::Duration;

use fotalab_wire::lwm2m::Version;
use serde::{Deserialize, Deserializer};
use thiserror::Error;

use super::fault::{Fault, Faults, Strike};
use crate::limits;

/// Which ways of getting a package it has (/5/0/9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Delivery {
    /// By Package URI only.
    Pull = 0,
    /// By Package only.
    Push = 1,
    /// Both.
    Both = 2,
}

/// What a package may be fetched over (/5/0/8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// `coap://`
    Coap = 0,
    /// `coaps://`
    Coaps = 1,
    /// `http://`
    Http = 2,
    /// `https://`
    Https = 3,
}

/// What is left of a download after a power cut (contract 1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AfterPowerCut {
    /// Goes on where it was, as Anjay does. A push has nothing to go on with: Idle/0.
    Resume,
    /// Idle/0, as Zephyr does.
    Forget,
    /// Idle/4.
    ConnectionLost,
}

/// How it tells the server how an update goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reports {
    /// To those who observe /5/0/3 and /5/0/5.
    Notify,
    /// By Send too (LwM2M 1.1), as Anjay with `--fw-update-use-send`.
    Send,
}

/// Which SenML it writes where nobody chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Senml {
    /// 112.
    Cbor,
    /// 110; it says so in its registration.
    Json,
}

/// What it speaks with its server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Speaks {
    /// LwM2M.
    #[default]
    Lwm2m,
    /// Horde's simple CoAP protocol; its lifetime is the time between two reports.
    Horde,
    /// HTTP as devices of IoTaaP do, and MQTT; its lifetime is the time between two polls.
    Iotaap,
}

/// A kind of device.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Persona {
    /// What it speaks with its server.
    pub speaks: Speaks,
    /// The version it registers with.
    pub lwm2m: Version,
    /// The version of its object 5.
    pub firmware_object: Version,
    /// Lifetime of its registration.
    #[serde(deserialize_with = "duration")]
    pub lifetime: Duration,
    /// Sleeps when nothing is to be said (contract 2.2).
    pub queue_mode: bool,
    /// How long it stays awake after its last message.
    #[serde(deserialize_with = "duration")]
    pub awake: Duration,
    /// ACK_TIMEOUT; 5 to 15 s are normal on NB-IoT.
    #[serde(deserialize_with = "duration")]
    pub ack_timeout: Duration,
    /// Largest block it sends and takes, 16 to 1024 bytes.
    pub block_bytes: usize,
    /// NSTART: confirmable messages under way to one peer.
    pub nstart: usize,
    /// Notifies by CON, so that a lost notification is sent again.
    pub confirmable_notifications: bool,
    /// How it tells the states of its updates.
    pub reports: Reports,
    /// Which SenML it writes by itself.
    pub senml: Senml,
    /// The alternate path below which all of its objects are, such as `/lwm2m`; usually empty.
    pub root: String,
    /// Writes the versions of its objects with quotation marks: `;ver="1.1"`.
    pub quotes_versions: bool,
    /// Has object 16, whose resource 0 has instances that can be written.
    pub portfolio: bool,
    /// How it gets packages.
    pub delivery: Delivery,
    /// What it can fetch over. Empty: /5/0/8 is not there, which means CoAP.
    pub protocols: Vec<Protocol>,
    /// Room for a package.
    pub flash_bytes: usize,
    /// Time to erase a slot, before the first block is written.
    #[serde(deserialize_with = "duration")]
    pub erase: Duration,
    /// How fast flash is written, in bytes a second; 0: at once.
    pub flash_bytes_per_second: u32,
    /// From the write of a URI to the first request for it.
    #[serde(deserialize_with = "duration")]
    pub fetch_after: Duration,
    /// How often a pull is tried again without progress.
    pub fetch_retries: u32,
    /// Between two tries.
    #[serde(deserialize_with = "duration")]
    pub fetch_retry_after: Duration,
    /// How long a download stalls until the device gives it up itself, with result 4. 0: it waits
    /// for a reset or a reboot.
    #[serde(deserialize_with = "duration")]
    pub watchdog: Duration,
    /// Between the 2.04 of Execute and the reboot.
    #[serde(deserialize_with = "duration")]
    pub update_after: Duration,
    /// How long a reboot takes.
    #[serde(deserialize_with = "duration")]
    pub reboot: Duration,
    /// How long it takes to install, on top of the reboot.
    #[serde(deserialize_with = "duration")]
    pub install: Duration,
    /// What a power cut leaves of a download.
    pub after_power_cut: AfterPowerCut,
    /// Whether a package in state 2 survives a power cut.
    pub keeps_package: bool,
    /// Where a failed update goes in object 1.1: to Idle, or as in 1.0 to Downloaded.
    pub failed_to_idle: bool,
    /// Takes only packages with the header of fotalab's images.
    pub insists_on_header: bool,
    /// Its installer refuses a version lower than the one that runs: result 8, as a boot loader
    /// does that prevents downgrades.
    pub refuses_older: bool,
    /// Starts to install without Execute (/5/0/14).
    pub upgrades_by_itself: bool,
    /// What it does wrong, in words.
    #[serde(deserialize_with = "faults")]
    pub faults: Faults,
}

impl Default for Persona {
    fn default() -> Self {
        Self {
            speaks: Speaks::Lwm2m,
            lwm2m: Version::V1_1,
            firmware_object: Version::V1_1,
            lifetime: Duration::from_secs(300),
            queue_mode: false,
            awake: Duration::from_secs(93),
            ack_timeout: Duration::from_secs(2),
            block_bytes: 1_024,
            nstart: 1,
            confirmable_notifications: true,
            reports: Reports::Notify,
            senml: Senml::Cbor,
            root: String::new(),
            quotes_versions: false,
            portfolio: false,
            delivery: Delivery::Both,
            protocols: vec![Protocol::Coap],
            flash_bytes: 2 * 1024 * 1024,
            erase: Duration::ZERO,
            flash_bytes_per_second: 0,
            fetch_after: Duration::from_millis(100),
            fetch_retries: 3,
            fetch_retry_after: Duration::from_secs(10),
            watchdog: Duration::from_secs(900),
            update_after: Duration::from_secs(1),
            reboot: Duration::from_secs(5),
            install: Duration::from_secs(1),
            after_power_cut: AfterPowerCut::Resume,
            keeps_package: true,
            failed_to_idle: false,
            insists_on_header: false,
            refuses_older: false,
            upgrades_by_itself: false,
            faults: Faults::default(),
        }
    }
}

/// A persona file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PersonaError {
    /// Larger than anybody's.
    #[error("a persona has at most {} bytes", limits::PERSONA_BYTES)]
    TooLong,
    /// Not TOML, an unknown field, a bad value: with its line.
    #[error("{0}")]
    Wrong(String),
}

impl Persona {
    /// Reads a persona file.
    pub fn read(text: &str) -> Result<Self, PersonaError> {
        if text.len() > limits::PERSONA_BYTES {
            return Err(PersonaError::TooLong);
        }
        let read: Self =
            toml::from_str(text).map_err(|error| PersonaError::Wrong(error.to_string()))?;
        read.checked()
    }

    /// The same from a table that has been read already.
    pub fn of_table(table: toml::Table) -> Result<Self, PersonaError> {
        let read: Self = table.try_into().map_err(|error: toml::de::Error| {
            PersonaError::Wrong(error.message().trim_end().to_owned())
        })?;
        read.checked()
    }

    fn checked(self) -> Result<Self, PersonaError> {
        if !(16..=1_024).contains(&self.block_bytes) {
            let why = format!("block-bytes is 16 to 1024, not {}", self.block_bytes);
            return Err(PersonaError::Wrong(why));
        }
        if !(self.root.is_empty() || is_root(&self.root)) {
            let why = format!("root is empty or as `/lwm2m`, not `{}`", self.root);
            return Err(PersonaError::Wrong(why));
        }
        if !(1..=limits::NSTART_MAX).contains(&self.nstart) {
            let why = format!("nstart is 1 to {}, not {}", limits::NSTART_MAX, self.nstart);
            return Err(PersonaError::Wrong(why));
        }
        Ok(self)
    }

    /// The same device that speaks something else. Without LwM2M nobody writes a URI to it or
    /// executes its update: it installs what it fetched.
    #[must_use]
    pub fn speaking(mut self, speaks: Speaks) -> Self {
        self.speaks = speaks;
        match speaks {
            Speaks::Lwm2m => return self,
            Speaks::Horde => self.protocols = vec![Protocol::Coap, Protocol::Coaps],
            Speaks::Iotaap => self.protocols = vec![Protocol::Http],
        }
        self.delivery = Delivery::Pull;
        self.upgrades_by_itself = true;
        self.queue_mode = false;
        self.reports = Reports::Notify;
        self
    }

    /// With one more fault, as it is by default.
    #[must_use]
    pub fn with(mut self, fault: Fault) -> Self {
        self.faults = self.faults.with(fault);
        self
    }

    /// A fault of it.
    pub(super) fn fault(&self, fault: Fault) -> Option<Strike> {
        self.faults.get(fault)
    }

    /// The largest block that it takes; some faults make it smaller.
    pub(super) fn block_size(&self) -> usize {
        let faults = [Fault::AsksForSmallerBlocks, Fault::MiscountsBlocks];
        let asked = faults.into_iter().filter_map(|fault| self.fault(fault));
        let smallest = asked.map(|strike| strike.amount as usize).min();
        smallest.map_or(self.block_bytes, |size| self.block_bytes.min(size.max(16)))
    }

    /// How long it takes to write so many bytes.
    pub(super) fn write_time(&self, bytes: usize) -> Duration {
        match self.flash_bytes_per_second {
            0 => Duration::ZERO,
            rate => Duration::from_secs(bytes as u64) / rate,
        }
    }
}

/// `90`, `90 s`, `250 ms`, `5 min`, `2 h`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, unit) = text.split_at(split.unwrap_or(text.len()));
    let seconds = match unit.trim() {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "min" => 60.0,
        "h" => 3_600.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()
}

/// `/lwm2m`, `/a/b`: no empty segment and nothing that a link would have to escape.
fn is_root(text: &str) -> bool {
    let plain = |segment: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        !segment.is_empty() && segment.bytes().all(fits)
    };
    let segments = text.strip_prefix('/');
    segments.is_some_and(|segments| segments.split('/').all(plain))
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Seconds(f64),
        Text(String),
    }
    let (parsed, shown) = match Written::deserialize(deserializer)? {
        Written::Seconds(seconds) => (
            Duration::try_from_secs_f64(seconds).ok(),
            seconds.to_string(),
        ),
        Written::Text(text) => (parse_duration(&text), text),
    };
    parsed.ok_or_else(|| {
        serde::de::Error::custom(format!(
            "`{shown}` is no duration such as `90 s` or `5 min`"
        ))
    })
}

fn faults<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Faults, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    Faults::read(&texts).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_only_what_differs() {
        let persona = Persona::read(
            "lwm2m = \"1.0\"\nlifetime = 60\nerase = \"250 ms\"\nprotocols = [\"coap\", \"http\"]\n\
             faults = [\"out of flash at 85 %\"]",
        )
        .expect("good");
        assert_eq!(persona.lwm2m, Version::V1_0);
        assert_eq!(persona.lifetime, Duration::from_secs(60));
        assert_eq!(persona.erase, Duration::from_millis(250));
        assert_eq!(persona.protocols, [Protocol::Coap, Protocol::Http]);
        assert_eq!(
            persona.fault(Fault::OutOfFlash).map(|it| it.amount),
            Some(85)
        );
        assert_eq!(persona.reboot, Persona::default().reboot);
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        for (text, part) in [
            ("lifetim = 3", "unknown field `lifetim`"),
            ("lifetime = \"soon\"", "no duration"),
            (
                "faults = [\"out of flsh\"]",
                "did you mean `out of flash at 60 %`",
            ),
            ("delivery = \"both ways\"", "unknown variant"),
            ("block-bytes = 8", "16 to 1024"),
            ("root = \"lwm2m\"", "as `/lwm2m`"),
            ("root = \"/a//b\"", "as `/lwm2m`"),
            ("nstart = 0", "nstart is 1 to"),
            ("reports = \"aloud\"", "unknown variant"),
        ] {
            let error = Persona::read(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn flash_takes_its_time() {
        let slow = Persona {
            flash_bytes_per_second: 50_000,
            ..Persona::default()
        };
        assert_eq!(slow.write_time(100_000), Duration::from_secs(2));
        assert_eq!(Persona::default().write_time(100_000), Duration::ZERO);
    }
}
