//! Object 5, Firmware Update, as a state machine without I/O (contract 1.1 to 1.3, 1.7).
//!
//! Writes and executions come in as methods that say how to answer; what the device then has to do
//! is read from [`Firmware::poll_effect`], and what it waits for from [`Firmware::poll_timeout`].
//! `download.rs` and `fetch.rs` have the way to state 2, `update.rs` what comes after it.

mod download;
mod fetch;
#[cfg(test)]
mod tests;
mod update;
mod uri;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use fotalab_wire::coap::Code;
pub use fotalab_wire::lwm2m::firmware::{State, UpdateResult};

pub use self::uri::{Target, UriError};
use super::fault::{Fault, Times};
use fotalab_wire::lwm2m::Version;

use super::persona::{Delivery, Persona};
use super::slot::{Package, Slot};
use crate::limits;

/// A pair of state and result, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// When it was entered.
    pub at: Duration,
    /// /5/0/3.
    pub state: State,
    /// /5/0/5.
    pub outcome: UpdateResult,
}

/// How to answer a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// With this code.
    Code(Code),
    /// With 5.03 and Max-Age.
    Busy,
    /// With a Reset.
    Reset,
    /// Not at all.
    Silence,
}

/// An answer, and how long it takes until it can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What.
    pub answer: Answer,
    /// After how long: flash is slow.
    pub after: Duration,
}

/// A piece of a package that is pushed.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a> {
    /// Where it belongs.
    pub offset: usize,
    /// None follows.
    pub last: bool,
    /// The whole package, where the sender told.
    pub total: Option<usize>,
    /// The piece.
    pub bytes: &'a [u8],
}

/// What the device has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Get the package, from `offset` on.
    Fetch {
        /// From where.
        uri: String,
        /// Bytes that are there.
        offset: usize,
        /// Of what is there.
        etag: Option<Vec<u8>>,
    },
    /// Stop getting it.
    StopFetching,
    /// Go dark, and start again `after`; never, if that is `None`.
    Restart {
        /// How long it is dark.
        after: Option<Duration>,
        /// De-register before.
        deregister: bool,
    },
}

/// How a fetch ended badly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchFailure {
    /// 4.04, 404, or no such host.
    NotFound,
    /// Any other error that was answered.
    Refused,
    /// Nobody answers.
    Lost,
    /// What came is not what was sent.
    Damaged,
    /// What came is no firmware.
    Foreign,
}

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Fetch,
    Install,
    Revert,
    PowerCut,
    Defer,
    Crash,
    Watchdog,
}

/// The object, and the firmware that runs.
#[derive(Debug)]
pub struct Firmware {
    persona: Arc<Persona>,
    state: State,
    outcome: UpdateResult,
    running: String,
    previous: Option<String>,
    uri: String,
    slot: Option<Box<Slot>>,
    package: Option<Box<Package>>,
    flashed: Option<Box<Package>>,
    timers: Vec<(Duration, Due)>,
    effects: VecDeque<Effect>,
    history: Vec<Step>,
    steps: usize,
    struck: Vec<(Fault, u32)>,
    /// The numbers that they had when they last did.
    amounts: BTreeMap<Fault, u32>,
    fetching: bool,
    tries: u32,
    stuck: bool,
    stalled: bool,
    /// A fetch waits until the radio is on again.
    paused: bool,
    /// The push under way goes in smaller blocks than it began with.
    reduced: bool,
    /// /5/0/14.
    automatic: bool,
    severity: i64,
    defer_period: i64,
    changed_at: Option<Duration>,
    reports: Option<String>,
}

impl Firmware {
    /// A device that runs `version`.
    #[must_use]
    pub fn new(now: Duration, persona: Arc<Persona>, version: &str) -> Self {
        let mut firmware = Self {
            automatic: persona.upgrades_by_itself,
            persona,
            state: State::Idle,
            outcome: UpdateResult::Initial,
            running: version.to_owned(),
            previous: None,
            uri: String::new(),
            slot: None,
            package: None,
            flashed: None,
            timers: Vec::new(),
            effects: VecDeque::new(),
            history: Vec::new(),
            steps: 1,
            struck: Vec::new(),
            amounts: BTreeMap::new(),
            fetching: false,
            tries: 0,
            stuck: false,
            stalled: false,
            paused: false,
            reduced: false,
            severity: 1,
            defer_period: 0,
            changed_at: None,
            reports: None,
        };
        firmware.history.push(Step {
            at: now,
            state: State::Idle,
            outcome: UpdateResult::Initial,
        });
        firmware.begin_in_the_middle(now);
        firmware
    }

    /// /5/0/3.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// /5/0/5.
    #[must_use]
    pub fn outcome(&self) -> UpdateResult {
        self.outcome
    }

    /// The version that runs, whatever is reported.
    #[must_use]
    pub fn running(&self) -> &str {
        &self.running
    }

    /// /3/0/3: the version that runs, unless a fault says another.
    #[must_use]
    pub fn reported(&self) -> &str {
        self.reports.as_deref().unwrap_or(&self.running)
    }

    /// /5/0/1.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// /5/0/7, which can be read while there is a package.
    #[must_use]
    pub fn package_version(&self) -> Option<&str> {
        let package = self
            .package
            .as_ref()
            .filter(|_| self.state == State::Downloaded)?;
        package.has_header.then_some(package.version.as_str())
    }

    /// /5/0/11.
    #[must_use]
    pub fn severity(&self) -> i64 {
        self.severity
    }

    /// /5/0/13 in seconds.
    #[must_use]
    pub fn defer_period(&self) -> i64 {
        self.defer_period
    }

    /// /5/0/14: it installs without Execute.
    #[must_use]
    pub fn is_automatic(&self) -> bool {
        self.automatic
    }

    /// /5/0/12, as the time of the last change of state.
    #[must_use]
    pub fn changed_at(&self) -> Option<Duration> {
        self.changed_at
    }

    /// All states it went through, the newest last; at most [`limits::HISTORY_STEPS`].
    #[must_use]
    pub fn history(&self) -> &[Step] {
        &self.history
    }

    /// How many states it went through, those that are forgotten included.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Bytes of the download that are in flash.
    #[must_use]
    pub fn received(&self) -> usize {
        self.slot.as_ref().map_or(0, |slot| slot.received())
    }

    /// It takes nothing more of the download under way, and says nothing of it.
    #[must_use]
    pub fn is_stalled(&self) -> bool {
        self.stalled
    }

    /// The last package that arrived whole: what was flashed, to the byte.
    #[must_use]
    pub fn flashed(&self) -> Option<&Package> {
        self.flashed.as_deref()
    }

    /// The faults that struck, and how often.
    #[must_use]
    pub fn struck(&self) -> &[(Fault, u32)] {
        &self.struck
    }

    /// The same in the words of a scenario, with the numbers that they had when they last struck.
    pub fn struck_in_words(&self) -> impl Iterator<Item = (String, u32)> {
        self.struck.iter().map(|(fault, times)| {
            let amount = self.amounts.get(fault).copied();
            let amount = amount.unwrap_or_else(|| fault.usual().amount);
            (fault.with_amount(amount), *times)
        })
    }

    /// The next thing to do.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When `handle_timeout` should be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.timers.iter().map(|(at, _)| *at).min()
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Duration) {
        while let Some(index) = self.timers.iter().position(|(at, _)| *at <= now) {
            let (_, due) = self.timers.swap_remove(index);
            match due {
                Due::Fetch => self.start_fetch(now),
                Due::Install | Due::Defer => self.install(now),
                Due::Watchdog => self.give_up_stalled(now),
                Due::Revert => self.revert_silently(),
                Due::PowerCut | Due::Crash => self.restart(Some(self.persona.reboot)),
            }
        }
    }

    /// Writes /5/0/11 (1.1): 4.00 out of range.
    pub fn write_severity(&mut self, severity: i64) -> Code {
        if !(0..=2).contains(&severity) {
            return Code::BAD_REQUEST;
        }
        self.severity = severity;
        Code::CHANGED
    }

    /// Writes /5/0/13 (1.1): 4.00 below zero.
    pub fn write_defer_period(&mut self, seconds: i64) -> Code {
        if seconds < 0 {
            return Code::BAD_REQUEST;
        }
        self.defer_period = seconds;
        Code::CHANGED
    }

    /// Writes /5/0/14 (1.2).
    pub fn write_automatic(&mut self, automatic: bool) -> Code {
        self.automatic = automatic;
        Code::CHANGED
    }

    /// Is another kind of device from now on; before its first start that counts for how it starts.
    pub(super) fn take_persona(&mut self, now: Duration, persona: Arc<Persona>, unstarted: bool) {
        self.persona = persona;
        if unstarted {
            self.begin_in_the_middle(now);
        }
    }

    // Helpers.

    fn is_v1_1(&self) -> bool {
        self.persona.firmware_object >= Version::V1_1
    }

    fn enter(&mut self, now: Duration, state: State, outcome: UpdateResult) {
        if (state, outcome) == (self.state, self.outcome) {
            return;
        }
        if state != self.state {
            self.changed_at = Some(now);
        }
        (self.state, self.outcome) = (state, outcome);
        if self.history.len() >= limits::HISTORY_STEPS {
            self.history.remove(0);
        }
        self.steps += 1;
        self.history.push(Step {
            at: now,
            state,
            outcome,
        });
    }

    /// The number of a fault that strikes now; it counts as struck.
    fn strikes(&mut self, fault: Fault) -> Option<u32> {
        let strike = self.persona.fault(fault)?;
        let count = self.struck.iter_mut().find(|(known, _)| *known == fault);
        let before = count.as_ref().map_or(0, |(_, count)| *count);
        let allowed = match strike.times {
            Times::Once => 1,
            Times::First(times) => times,
            Times::Always => u32::MAX,
        };
        if before >= allowed {
            return None;
        }
        match count {
            Some((_, count)) => *count += 1,
            None => self.struck.push((fault, 1)),
        }
        self.amounts.insert(fault, strike.amount);
        Some(strike.amount)
    }

    fn set_timer(&mut self, at: Duration, due: Due) {
        self.timers.retain(|(_, other)| *other != due);
        self.timers.push((at, due));
    }

    fn clear_timer(&mut self, due: Due) {
        self.timers.retain(|(_, other)| *other != due);
    }

    fn takes_push(&self) -> bool {
        self.persona.delivery != Delivery::Pull
    }

    fn takes_pull(&self) -> bool {
        self.persona.delivery != Delivery::Push
    }
}

impl Reply {
    pub(super) fn code(code: Code) -> Self {
        Answer::Code(code).into()
    }

    fn later(self, after: Duration) -> Self {
        Self { after, ..self }
    }
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Self {
            answer,
            after: Duration::ZERO,
        }
    }
}
