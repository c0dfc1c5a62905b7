//! Asks an LwM2M device that registered or updated its registration for what a target needs to
//! know: /5/0/3, then /3/0 as a whole, both in TLV (contract A7, 2 and 3).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use fotalab_wire::{
    lwm2m::{Path, Value},
    net::UnixMillis,
};

use super::Report;
use crate::{
    core::{
        firmware::{STATE, VERSION},
        time::millis,
    },
    limits,
};

/// /3/0
const DEVICE: Path = Path::instance(3, 0);

/// How a device is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// As Horde asks: state and device object, in TLV.
    Tlv,
    /// For its version only, in what it likes to answer.
    Version,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// /5/0/3, where that was asked.
    pub(crate) state: Option<i64>,
    /// /3/0.
    pub(crate) said: Report,
}

/// What has to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Read this; the answer comes back with the serial.
    Read {
        /// Of whom.
        endpoint: String,
        /// Which question it is.
        serial: u64,
        /// What.
        path: Path,
        /// How.
        how: How,
    },
    /// Give up what was asked with this serial.
    Withdraw {
        /// Of whom.
        endpoint: String,
        /// Which question it was.
        serial: u64,
    },
    /// The inspection is over: what was found, or the path that could not be read.
    Over {
        /// Whose.
        endpoint: String,
        /// What came of it.
        found: Result<Found, &'static str>,
    },
}

/// All inspections under way, at most one for each device.
#[derive(Debug, Default)]
pub(crate) struct Inspections {
    running: BTreeMap<String, Inspection>,
    agenda: BTreeSet<(UnixMillis, String)>,
    effects: VecDeque<Effect>,
    serial: u64,
}

#[derive(Debug)]
struct Inspection {
    serial: u64,
    how: How,
    path: Path,
    state: Option<i64>,
    deadline: UnixMillis,
}

impl Inspections {
    /// Begins one; one that is under way for the same device is void.
    pub(crate) fn begin(&mut self, now: UnixMillis, endpoint: &str, how: How) {
        self.forget(endpoint);
        let path = match how {
            How::Tlv => STATE,
            How::Version => VERSION,
        };
        self.ask(now, endpoint, how, path, None);
    }

    /// The device is gone: nothing comes of it.
    pub(crate) fn forget(&mut self, endpoint: &str) {
        if let Some(running) = self.running.remove(endpoint) {
            self.agenda.remove(&(running.deadline, endpoint.to_owned()));
        }
    }

    /// A new registration cut this question: the device is asked anew.
    pub(crate) fn cut(&mut self, endpoint: &str, serial: u64) {
        let running = self.running.get(endpoint);
        if running.is_some_and(|it| it.serial == serial) {
            self.forget(endpoint);
        }
    }

    /// The device answered with these values, or did not; an answer to an older question counts
    /// for nothing.
    pub(crate) fn answered(
        &mut self,
        now: UnixMillis,
        endpoint: &str,
        serial: u64,
        values: Option<&[(Path, Value)]>,
    ) {
        let running = self.running.get(endpoint);
        let Some(running) = running.filter(|it| it.serial == serial) else {
            return;
        };
        let (how, path) = (running.how, running.path);
        let known = running.state;
        self.forget(endpoint);
        let Some(values) = values else {
            return self.over(endpoint, Err(name(path)));
        };
        let text = |id: u16| {
            let at = Path::resource(3, 0, id);
            let value = values.iter().find(|(path, _)| *path == at);
            let text = value.and_then(|(_, value)| value.as_str());
            text.map(|it| it.trim().to_owned()).unwrap_or_default()
        };
        if path == STATE {
            let state = values.iter().find(|(path, _)| *path == STATE);
            match state.and_then(|(_, value)| value.as_i64()) {
                Some(state) => self.ask(now, endpoint, how, DEVICE, Some(state)),
                None => self.over(endpoint, Err(name(STATE))),
            }
        } else {
            let said = Report {
                manufacturer: text(0),
                model: text(1),
                serial: text(2),
                version: text(3),
            };
            self.over(endpoint, Ok(Found { state: known, said }));
        }
    }

    /// Does what is due: a device that does not answer in time has not answered.
    pub(crate) fn handle_timeout(&mut self, now: UnixMillis) {
        while let Some((due, endpoint)) = self.agenda.first().cloned() {
            if due > now {
                return;
            }
            let late = self.running.get(&endpoint);
            let late = late.map(|it| (it.serial, it.path));
            self.forget(&endpoint);
            self.agenda.remove(&(due, endpoint.clone()));
            if let Some((serial, path)) = late {
                self.effects.push_back(Effect::Withdraw {
                    endpoint: endpoint.clone(),
                    serial,
                });
                self.over(&endpoint, Err(name(path)));
            }
        }
    }

    /// When [`Inspections::handle_timeout`] has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<UnixMillis> {
        self.agenda.first().map(|(due, _)| *due)
    }

    /// The next thing to do.
    pub(crate) fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    fn ask(&mut self, now: UnixMillis, endpoint: &str, how: How, path: Path, state: Option<i64>) {
        self.serial += 1;
        let deadline = now + millis(limits::TARGET_REQUEST_TIME);
        let inspection = Inspection {
            serial: self.serial,
            how,
            path,
            state,
            deadline,
        };
        self.running.insert(endpoint.to_owned(), inspection);
        self.agenda.insert((deadline, endpoint.to_owned()));
        self.effects.push_back(Effect::Read {
            endpoint: endpoint.to_owned(),
            serial: self.serial,
            path,
            how,
        });
    }

    fn over(&mut self, endpoint: &str, found: Result<Found, &'static str>) {
        self.effects.push_back(Effect::Over {
            endpoint: endpoint.to_owned(),
            found,
        });
    }
}

/// As a state's message names what could not be read.
fn name(path: Path) -> &'static str {
    if path == STATE { "/5/0/3" } else { "/3/0" }
}
