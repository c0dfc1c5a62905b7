//! One update of one device: what comes in, what it wants, when it wants to be woken.
//!
//! It asks one thing at a time. What is left to ask stands in its plan; when that is empty,
//! `decide` looks at what is known of the device and goes on from there.

use std::{collections::VecDeque, time::Duration};

use fotalab_wire::{
    coap::Code,
    lwm2m::{Path, Value, Version},
    net::UnixMillis,
};
use serde::{Deserialize, Serialize};

use super::{
    messages::{
        AUTOMATIC, Arrival, Ask, DELIVERY, Effect, Entry, MAX_DEFER, MEMORY_FREE, Outcome,
        PACKAGE_VERSION, PROTOCOLS, RESULT, STATE, State, VERSION, Wanted,
    },
    options::Watch,
    plain::Cause,
};
use crate::{core::time::millis, limits};

/// An update over the air.
///
/// What is not remembered holds for one life of the server only.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Update {
    /// Its id.
    pub(crate) id: String,
    /// What was wanted.
    pub(crate) wanted: Wanted,
    /// Where it stands.
    pub(crate) state: State,
    /// The last Update Result that counted.
    pub(crate) result: Option<i64>,
    /// All that happened.
    pub(crate) history: Vec<Entry>,
    /// Why it failed.
    pub(super) cause: Cause,
    pub(super) stage: Stage,
    #[serde(skip)]
    pub(super) knows: Knows,
    pub(super) tally: Tally,
    /// What it ran when the update began.
    pub(crate) found: Option<String>,
    /// What it ran before.
    pub(super) before: Option<String>,
    /// What PkgVersion said of the image, when nobody else did.
    pub(super) offered: Option<String>,
    #[serde(skip)]
    pub(super) plan: VecDeque<Ask>,
    #[serde(skip)]
    pub(super) asked: Option<(u64, Ask)>,
    #[serde(skip)]
    pub(super) connected: bool,
    /// What its last registration said.
    #[serde(skip)]
    pub(super) arrival: Arrival,
    /// Holds the plan until this time.
    #[serde(skip)]
    pub(super) paused_until: Option<UnixMillis>,
    #[serde(skip)]
    pub(super) look_at: Option<UnixMillis>,
    pub(super) deadline: UnixMillis,
    /// The end of all patience.
    pub(super) limit: Option<UnixMillis>,
    #[serde(skip)]
    pub(super) effects: VecDeque<Effect>,
    #[serde(skip)]
    pub(super) serial: u64,
}

/// What the update waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Stage {
    /// To learn what the device is and can.
    Inspecting,
    /// For 0/0.
    Resetting,
    /// For the whole image to be there; by push or by pull.
    Downloading { push: bool },
    /// For the answer to Execute, and for what follows.
    Installing,
    /// For the answer to Cancel or to a reset: nobody wants it any more.
    Cancelling,
    /// For a moment in which the old version must not come back.
    Soaking,
    /// For nothing.
    Ended,
}

/// What the device said last.
#[derive(Clone, Debug, Default)]
pub(super) struct Knows {
    pub(super) state: Option<i64>,
    pub(super) result: Option<i64>,
    pub(super) version: Option<String>,
    pub(super) delivery: Option<i64>,
    pub(super) protocols: Option<Vec<i64>>,
    /// Kilobytes.
    pub(super) memory_free: Option<i64>,
    /// The device installs by itself (/5/0/14, object 1.2).
    pub(super) automatic: bool,
    /// How long its user may put it off, in seconds (/5/0/13, object 1.1).
    pub(super) max_defer: Option<i64>,
    /// The code of the last answer that was none of class 2, and to what.
    pub(super) refusal: Option<(Ask, Code)>,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Tally {
    pub(super) transfers: u32,
    pub(super) resets: u32,
    pub(super) installs: u32,
    pub(super) executes: u32,
    pub(super) boots: u32,
    /// This transfer was seen under way.
    pub(super) under_way: bool,
    /// The last Execute was acknowledged.
    pub(super) acknowledged: bool,
    /// The device registered after Execute.
    pub(super) returned: bool,
    /// Its user put the installation off.
    pub(super) deferred: bool,
    /// The lifetime was written.
    pub(super) extended: bool,
    /// The server ended during this transfer.
    pub(super) cut: bool,
    /// Transfers that were tried again because of that.
    pub(super) forgiven: u32,
    /// The device did not take the package URI.
    #[serde(default)]
    pub(super) refused: bool,
}

impl Update {
    /// One that waits for its device.
    pub(super) fn new(id: String, now: UnixMillis, wanted: Wanted) -> Self {
        let limit = wanted.options.timeout.map(|it| now.saturating_add(it));
        let mut update = Self {
            id,
            limit,
            wanted,
            state: State::Queued,
            result: None,
            history: Vec::new(),
            cause: Cause::default(),
            stage: Stage::Inspecting,
            knows: Knows::default(),
            tally: Tally::default(),
            found: None,
            before: None,
            offered: None,
            plan: VecDeque::new(),
            asked: None,
            connected: false,
            arrival: Arrival::default(),
            paused_until: None,
            look_at: None,
            deadline: now + millis(limits::QUEUED_DEADLINE),
            effects: VecDeque::new(),
            serial: 0,
        };
        update.note(now, "asked for");
        update
    }

    /// It is over, but for the soak check.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.state, State::Succeeded | State::Failed)
    }

    /// Nothing will happen to it any more.
    pub(crate) fn is_over(&self) -> bool {
        self.stage == Stage::Ended
    }

    /// The version that the device told last.
    pub(crate) fn running(&self) -> Option<&str> {
        self.knows.version.as_deref()
    }

    /// The device registered: what was under way is void, observations too (contract 1.6, 6).
    pub(super) fn registered(&mut self, now: UnixMillis, arrival: Arrival) {
        if self.is_plain() {
            return self.begin_plain(now);
        }
        let has_firmware_object = arrival.object.is_some();
        self.arrival = arrival;
        // X-FW-S38: of a device without /5 nothing is asked.
        self.connected = has_firmware_object || self.stage == Stage::Soaking;
        self.asked = None;
        self.paused_until = None;
        self.plan.clear();
        match self.stage {
            Stage::Ended => return,
            Stage::Soaking => {
                self.boot(now);
                self.plan.push_back(Ask::Read(VERSION));
            }
            _ if !has_firmware_object && self.tally.transfers == 0 => {
                return self.fail(now, "the device lists no firmware object /5/0");
            }
            _ if !has_firmware_object => {
                // X-FW-S38: it may list it again.
                return self.note(now, "the device lists no firmware object any more");
            }
            Stage::Cancelling => return self.cancels_again(now),
            Stage::Installing => {
                self.tally.returned = true;
                self.note(now, "registered after Execute");
                self.boot(now);
                self.observe();
                self.look();
            }
            _ => {
                self.stage = Stage::Inspecting;
                self.inspect();
            }
        }
        self.go_on(now);
    }

    /// Another update begins: nobody asks any more what this one left behind.
    pub(super) fn end_soak(&mut self) {
        if self.stage == Stage::Soaking {
            self.stage = Stage::Ended;
            self.plan.clear();
            self.asked = None;
        }
    }

    /// The registration ended; the update goes on when the device comes back (contract 1.6, 7).
    pub(super) fn left(&mut self) {
        self.connected = false;
        self.asked = None;
    }

    /// The device gave a sign of life: it may be asked again.
    pub(super) fn heard(&mut self, now: UnixMillis) {
        if self.paused_until.take().is_some() {
            self.go_on(now);
        }
    }

    /// An answer; one to an older ask is not listened to.
    pub(super) fn answered(&mut self, now: UnixMillis, serial: u64, outcome: Outcome) {
        let Some((_, ask)) = self.asked.take_if(|(asked, _)| *asked == serial) else {
            return;
        };
        if self.is_plain() {
            return self.plain_answered(now, ask, &outcome);
        }
        match outcome {
            _ if self.stage == Stage::Cancelling => self.cancelled(now, ask, &outcome),
            Outcome::Answered(code, values) if code.is_success() => {
                self.succeeded(now, ask, values);
            }
            Outcome::Busy(patience) => {
                // X-FW-S12: it asked for patience.
                self.plan.push_front(ask);
                let patience = patience.unwrap_or(limits::RETRY_PAUSE);
                self.pause(now, patience.min(limits::BUSY_PAUSE_MAX));
            }
            Outcome::Answered(code, _) => self.refused(now, ask, code),
            Outcome::Silent | Outcome::Rejected | Outcome::Gone => {
                self.lost(now, ask, &outcome);
            }
        }
        self.go_on(now);
    }

    /// A notification, or a value by Send.
    pub(super) fn notified(&mut self, now: UnixMillis, path: Path, value: &Value) {
        if self.stage == Stage::Ended || self.is_plain() || self.told(now, path, value) {
            return;
        }
        let before = (self.knows.state, self.knows.result);
        self.learn(path, std::slice::from_ref(value));
        let waits = self.asked.is_none() && self.plan.is_empty() && self.connected;
        let moved = before != (self.knows.state, self.knows.result);
        match path {
            _ if !waits => {}
            VERSION => self.go_on(now),
            STATE | RESULT if moved => {
                // Downloading, Downloaded and Updating say all; Idle needs its result. X-FW-S26: after
                // Execute a Downloading may be an old one that comes late.
                let late = self.stage == Stage::Installing && self.knows.state == Some(1);
                if path == STATE && self.knows.state != Some(0) && !late {
                    self.knows.result = Some(0);
                } else {
                    self.look();
                }
                self.go_on(now);
            }
            _ => {}
        }
    }

    /// Does what is due.
    pub(super) fn handle_timeout(&mut self, now: UnixMillis) {
        if self.stage == Stage::Ended {
            return;
        }
        if self.is_plain() {
            return self.plain_timeout(now);
        }
        if self.stage != Stage::Soaking && self.limit.is_some_and(|limit| limit <= now) {
            return self.fail(now, "the update took longer than it may");
        }
        if now >= self.deadline {
            return self.out_of_time(now);
        }
        if self.paused_until.is_some_and(|until| until <= now) {
            self.paused_until = None;
            self.go_on(now);
        }
        if self.look_at.is_some_and(|at| at <= now) {
            self.look_at = None;
            if self.connected && self.asked.is_none() && self.plan.is_empty() {
                self.look();
                self.go_on(now);
            } else {
                self.look_at = Some(now + millis(limits::FIRMWARE_POLL));
            }
        }
    }

    /// When `handle_timeout` has something to do.
    pub(super) fn poll_timeout(&self) -> Option<UnixMillis> {
        if self.stage == Stage::Ended {
            return None;
        }
        let limit = self.limit.filter(|_| self.stage != Stage::Soaking);
        let times = [Some(self.deadline), limit, self.paused_until, self.look_at];
        times.into_iter().flatten().min()
    }

    /// Plans the reads that show where the device is.
    pub(super) fn look(&mut self) {
        let version = matches!(self.stage, Stage::Installing | Stage::Soaking);
        let looks = self.looks().into_iter();
        let looks: Vec<Ask> = looks.filter(|it| !self.plan.contains(it)).collect();
        self.plan.extend(looks);
        self.plan.extend(version.then_some(Ask::Read(VERSION)));
    }

    /// Looks again after a while, in case no notification comes.
    pub(super) fn look_later(&mut self, now: UnixMillis) {
        let poll = self.wanted.options.watch.poll();
        self.look_at = poll.map(|poll| now + millis(poll));
    }

    /// Holds the plan for a while.
    pub(super) fn pause(&mut self, now: UnixMillis, pause: Duration) {
        self.paused_until = Some(now + millis(pause));
    }

    /// Moves to another state and says why.
    pub(super) fn enter(&mut self, now: UnixMillis, state: State, detail: &str) {
        self.state = state;
        self.note(now, detail);
    }

    /// Ends it without success.
    pub(super) fn fail(&mut self, now: UnixMillis, why: &str) {
        self.stage = Stage::Ended;
        self.plan.clear();
        // No block is sent for an update that is over.
        self.withdraw();
        if self.connected {
            let farewell: Vec<Ask> = self.farewell().collect();
            farewell.into_iter().for_each(|ask| self.ask(ask));
            self.asked = None;
        }
        self.enter(now, State::Failed, why);
    }

    /// Adds to the history.
    pub(super) fn note(&mut self, now: UnixMillis, detail: &str) {
        if self.history.len() < limits::MAX_HISTORY || self.stage == Stage::Ended {
            self.history.push(Entry {
                at: now,
                state: self.state,
                detail: detail.to_owned(),
            });
        }
        self.effects.push_back(Effect::Changed {
            update: self.id.clone(),
        });
    }

    /// Plans all that has to be known before a method is chosen (contract 1.6, 1).
    pub(super) fn inspect(&mut self) {
        self.knows = Knows::default();
        let reads = self.first_reads();
        self.plan.extend(reads);
        self.read_newer();
        self.observe();
    }

    /// Plans to read what newer versions of the object have.
    pub(super) fn read_newer(&mut self) {
        for (path, since) in [(MAX_DEFER, Version::V1_1), (AUTOMATIC, Version::V1_2)] {
            let has_it = self.arrival.object >= Some(since);
            self.plan.extend(has_it.then_some(Ask::Read(path)));
        }
    }

    /// Takes in a value that the device told.
    pub(super) fn learn(&mut self, path: Path, values: &[Value]) {
        let number = values.first().and_then(Value::as_i64);
        let text = || values.first().and_then(Value::as_str).map(str::to_owned);
        match path {
            STATE => self.knows.state = number.or(self.knows.state),
            RESULT => self.knows.result = number.or(self.knows.result),
            DELIVERY => self.knows.delivery = number,
            MEMORY_FREE => self.knows.memory_free = number,
            MAX_DEFER => self.knows.max_defer = number,
            AUTOMATIC => {
                let told = values.first();
                self.knows.automatic = matches!(told, Some(Value::Boolean(true)));
            }
            PROTOCOLS => {
                self.knows.protocols = Some(values.iter().filter_map(Value::as_i64).collect());
            }
            VERSION => self.knows.version = text().or(self.knows.version.take()),
            PACKAGE_VERSION => self.offered = text().filter(|it| !it.is_empty()),
            _ => {}
        }
    }

    /// Asks the next thing of the plan, or decides when there is none.
    pub(super) fn go_on(&mut self, now: UnixMillis) {
        // Each turn plans something, waits, or ends: more turns than stages would be a loop.
        for _ in 0..8 {
            let busy = self.asked.is_some() || self.paused_until.is_some();
            if !self.connected || busy || self.stage == Stage::Ended {
                return;
            }
            if let Some(ask) = self.plan.pop_front() {
                return self.ask(ask);
            }
            if !self.decide(now) {
                return;
            }
        }
    }

    fn ask(&mut self, ask: Ask) {
        self.serial += 1;
        self.asked = Some((self.serial, ask));
        if ask == Ask::Execute {
            self.tally.executes += 1;
            self.tally.acknowledged = false;
            self.tally.returned = false;
        }
        self.effects.push_back(Effect::Ask {
            update: self.id.clone(),
            device: self.wanted.device.clone(),
            serial: self.serial,
            ask,
        });
    }

    /// Plans the observations.
    pub(super) fn observe(&mut self) {
        let watch = self.wanted.options.watch;
        // Who chose another way to watch gets no other request than that takes.
        self.plan
            .extend((watch == Watch::Observed).then_some(Ask::Unhide(STATE)));
        let paths = watch.observes().iter();
        self.plan.extend(paths.map(|path| Ask::Observe(*path)));
    }

    /// Gives up what is asked.
    pub(super) fn withdraw(&mut self) {
        if let Some((serial, _)) = self.asked.take() {
            self.effects.push_back(Effect::Withdraw {
                update: self.id.clone(),
                device: self.wanted.device.clone(),
                serial,
            });
        }
    }

    /// X-FW-S29: one that registers again and again does not run.
    fn boot(&mut self, now: UnixMillis) {
        self.tally.boots += 1;
        if self.tally.boots > limits::MAX_BOOTS {
            let boots = limits::MAX_BOOTS;
            self.fail(
                now,
                &format!("registered more than {boots} times: a boot loop"),
            );
        }
    }
}
