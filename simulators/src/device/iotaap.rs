//! A device of IoTaaP: it asks over HTTP which version it should run, or is told over MQTT to ask,
//! downloads another one, checks it, restarts, and asks again (contract IoTaaP B5, B6).

use std::time::Duration;

use serde_json::Value;

use super::firmware::{State, UpdateResult};
use super::registration::Phase;
use super::{Device, Event};
use crate::limits;

/// What is compiled into a device beside its version. Its tokens are secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    /// Where the API is, as IOTAAPURL says it: it ends in `/v1`.
    pub url: String,
    /// Its id and token.
    pub device: (String, String),
    /// Those of its group. One in a group asks for its group's firmware only.
    pub group: Option<(String, String)>,
}

/// What a device says on `update-response`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Response {
    /// The request was received.
    Received = 200,
    /// The update has started.
    Started = 201,
    /// It runs this version already.
    Same = 202,
    /// There is no firmware, or it cannot be had.
    Failed = 203,
}

impl Device {
    /// Gives a device of IoTaaP what is compiled into it, before it is switched on.
    pub fn take_keys(&mut self, keys: Keys) {
        self.keys = Some(Box::new(keys));
    }

    /// Somebody tells it over MQTT to look for another firmware.
    pub fn triggered(&mut self, now: Duration) {
        if !self.is_on() || self.keys.is_none() {
            return;
        }
        self.triggered = true;
        self.respond_to_trigger(Response::Received);
        self.ask_latest(now);
        self.settle(now);
    }

    /// What [`Event::Ask`] asked for: the status and the body, or nothing where nobody answered.
    pub fn answered(&mut self, now: Duration, answer: Option<(u16, &[u8])>) {
        if !self.is_on() {
            return;
        }
        match answer.map(|(status, body)| (status, version(body))) {
            Some((200, Some(version))) => {
                self.is_known(now, String::new());
                self.take_version(now, &version);
            }
            // No firmware is no mistake.
            Some((404, _)) => {
                self.is_known(now, String::new());
                self.end_trigger(Response::Failed);
            }
            _ => {
                self.end_trigger(Response::Failed);
                self.try_again(now, None);
            }
        }
        self.settle(now);
    }

    /// What it says on `status` every few seconds (contract B6).
    #[must_use]
    pub fn status(&self, now: Duration) -> Value {
        serde_json::json!({
            "battery": 100,
            "uptime": now.as_secs(),
            "core_version": "5.2.2",
            "fw_version": self.firmware.reported(),
        })
    }

    /// Its place in topics: its own id, and its group's.
    #[must_use]
    pub fn keys(&self) -> Option<&Keys> {
        self.keys.as_deref()
    }

    /// Asks which version it should run.
    pub(super) fn ask_latest(&mut self, now: Duration) {
        let Some(keys) = &self.keys else {
            return self.try_again(now, None);
        };
        let uri = match &keys.group {
            Some((group, _)) => format!("{}/ota/group/latest/{group}", keys.url),
            None => format!("{}/ota/device/latest/{}", keys.url, keys.device.0),
        };
        self.registration.phase = self.registration.phase.max(Phase::Registering);
        self.registration.wait(now, limits::HTTP_TIME);
        self.events.push_back(Event::Ask { uri });
    }

    /// An update that a trigger began has failed.
    pub(super) fn end_failed_trigger(&mut self) {
        let failed = !matches!(
            self.firmware.outcome(),
            UpdateResult::Initial | UpdateResult::Success
        );
        if self.firmware.state() == State::Idle && failed {
            self.end_trigger(Response::Failed);
        }
    }

    /// Any other text than that of the version that runs is another version, older or newer.
    fn take_version(&mut self, now: Duration, version: &str) {
        if version == self.firmware.reported() {
            return self.end_trigger(Response::Same);
        }
        let Some(keys) = &self.keys else {
            return;
        };
        if self.firmware.state() != State::Idle {
            return;
        }
        let uri = match &keys.group {
            Some((group, token)) => format!("{}/ota/group/download/{group}{token}", keys.url),
            None => {
                let (device, token) = &keys.device;
                format!("{}/ota/device/download/{device}{token}", keys.url)
            }
        };
        if self.firmware.write_uri(now, &uri).is_success() {
            if self.triggered {
                self.respond_to_trigger(Response::Started);
            }
        } else {
            self.end_trigger(Response::Failed);
        }
    }

    fn end_trigger(&mut self, response: Response) {
        if std::mem::take(&mut self.triggered) {
            self.respond_to_trigger(response);
        }
    }

    fn respond_to_trigger(&mut self, response: Response) {
        self.events.push_back(Event::Responded(response));
    }
}

/// `{"ver":"1.0.1"}`; the device has room for no more than that.
fn version(body: &[u8]) -> Option<String> {
    if body.len() > limits::LATEST_BYTES {
        return None;
    }
    let body: Value = serde_json::from_slice(body).ok()?;
    Some(body.get("ver")?.as_str()?.to_owned())
}

/// Without tokens.
impl std::fmt::Debug for Keys {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Keys")
            .field("device", &self.device.0)
            .field("group", &self.group.as_ref().map(|it| &it.0))
            .finish_non_exhaustive()
    }
}
