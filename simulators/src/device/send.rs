//! Send: values that a device tells without being asked (TS 1.1 C 6.4.6; contract 2.5).

use std::time::Duration;

use bytes::Bytes;
use fotalab_wire::coap::{Code, Request, RequestId};
use fotalab_wire::lwm2m::codec::senml::{self, Entry};
use fotalab_wire::lwm2m::{ContentFormat, Path, Value, Version};
use thiserror::Error;

use super::firmware::{Step, UpdateResult};
use super::persona::{Reports, Senml};
use super::{Device, Event, Phase};
use crate::limits;

/// /1/0/23.
const MUTE: Path = Path::resource(1, 0, 23);

/// Why nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotSent {
    /// /1/0/23 is true.
    #[error("the server muted Send, by /1/0/23")]
    Muted,
    /// It has no registration.
    #[error("the device is not registered")]
    Unregistered,
    /// It registered with LwM2M 1.0.
    #[error("LwM2M 1.0 has no Send")]
    Old,
    /// None of the paths has a value.
    #[error("there is nothing to send at these paths")]
    Nothing,
}

impl Device {
    /// Sends what is at some paths; the answer is [`Event::Sent`].
    ///
    /// # Errors
    /// There is nothing, or it may not.
    pub fn send(&mut self, now: Duration, paths: &[Path]) -> Result<(), NotSent> {
        if self.registration.phase != Phase::Registered {
            return Err(NotSent::Unregistered);
        }
        self.may_send(now)?;
        let tree = self.read_all(now, paths);
        let entries = tree.values().map(|(path, value)| Entry {
            path,
            value: Some(value.clone()),
            time: None,
        });
        let entries: Vec<Entry> = entries.collect();
        if entries.is_empty() {
            return Err(NotSent::Nothing);
        }
        self.queue_send(&entries);
        self.settle(now);
        Ok(())
    }

    /// Tells of a state of the update by Send, if that is how it tells.
    pub(super) fn report(&mut self, now: Duration, step: Step) {
        let sends = self.kind.persona.reports == Reports::Send;
        if !sends || self.may_send(now).is_err() {
            return;
        }
        let number = |id, number: i64| (Path::resource(5, 0, id), Value::Integer(number));
        let mut values = vec![number(3, step.state as i64), number(5, step.outcome as i64)];
        if step.outcome == UpdateResult::Success {
            let version = self.firmware.reported().to_owned();
            values.push((Path::resource(3, 0, 3), Value::String(version)));
        }
        let entries = values.into_iter().map(|(path, value)| Entry {
            path,
            value: Some(value),
            time: None,
        });
        self.queue_send(&entries.collect::<Vec<_>>());
    }

    /// Sends what waits, once there is a registration.
    pub(super) fn flush_sends(&mut self, now: Duration) {
        if self.registration.phase != Phase::Registered {
            return;
        }
        while let Some(payload) = self.sends.pop_front() {
            self.stay_awake(now);
            let request = Request::post("/dp", payload).format(self.send_format().number());
            if self.coap.request(now, self.setup.server, request).is_err() {
                self.events.push_back(Event::Sent(None));
            }
        }
    }

    pub(super) fn on_sent(&mut self, request: RequestId, code: Option<Code>) {
        if !self.registration.is_for(request) {
            self.events.push_back(Event::Sent(code));
        }
    }

    // Helpers.

    fn may_send(&self, now: Duration) -> Result<(), NotSent> {
        if self.registration.version() < Version::V1_1 {
            return Err(NotSent::Old);
        }
        // Absent is muted as well.
        match self.value(now, MUTE) {
            Some(Value::Boolean(false)) => Ok(()),
            _ => Err(NotSent::Muted),
        }
    }

    fn send_format(&self) -> ContentFormat {
        match self.kind.persona.senml {
            Senml::Cbor => ContentFormat::SenmlCbor,
            Senml::Json => ContentFormat::SenmlJson,
        }
    }

    fn queue_send(&mut self, entries: &[Entry]) {
        let payload = match self.send_format() {
            // Only a float that is none cannot be written.
            ContentFormat::SenmlJson => senml::json::encode_entries(entries).unwrap_or_default(),
            _ => senml::cbor::encode_entries(entries),
        };
        if self.sends.len() >= limits::SENDS_WAITING {
            self.sends.pop_front();
        }
        self.sends.push_back(Bytes::from(payload));
    }
}
