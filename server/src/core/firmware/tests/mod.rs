//! The rows of contract 3.7 that the engine alone decides, each under its id.

use fotalab_wire::{coap::Code, lwm2m::Version};

use super::{
    messages::{AUTOMATIC, DELIVERY, MAX_DEFER, MEMORY_FREE, PROTOCOLS, RESULT, STATE, State},
    options::FIRMWARE_UPDATE,
    *,
};

mod cancel;
mod install;
mod options;
mod others;
mod transfer;

const SECOND: UnixMillis = 1_000;
const MINUTE: UnixMillis = 60 * SECOND;

/// A device that answers what it is asked, and writes down what it was.
struct Bench {
    firmware: Firmware,
    now: UnixMillis,
    id: String,
    state: i64,
    result: i64,
    version: &'static str,
    delivery: i64,
    protocols: Option<Vec<i64>>,
    memory_free: Option<i64>,
    /// What a reset adds to that.
    reclaimed: i64,
    arrival: Arrival,
    /// What was done to it, without reads and observations.
    done: Vec<Ask>,
    reads: usize,
    unhidden: usize,
    /// /5/0/13 and /5/0/14
    max_defer: Option<i64>,
    automatic: Option<bool>,
    /// Asks that the engine gave up.
    withdrawn: usize,
    /// The State that somebody else brings it to when it next refuses something.
    foreign: Option<i64>,
    /// Does not answer these for now.
    holds: Option<Ask>,
    /// All that it was asked.
    asked: Vec<Ask>,
    /// Answers to the next asks of a kind, in place of the usual.
    instead: Vec<(Ask, Outcome)>,
}

impl Bench {
    fn new(version: Option<&str>, transfer: Transfer) -> Self {
        Self::with(transfer, |it| it.version = version.map(str::to_owned))
    }

    fn with(transfer: Transfer, adjust: impl FnOnce(&mut Wanted)) -> Self {
        let mut firmware = Firmware::new(1);
        let mut wanted = Wanted {
            device: "d".into(),
            image: "i".into(),
            length: 50_001,
            slot: None,
            version: None,
            transfer,
            options: Options::default(),
            asked_by: None,
        };
        adjust(&mut wanted);
        let id = firmware.create(0, wanted, None).map(|it| it.id.clone());
        Self {
            firmware,
            now: 0,
            id: id.expect("not busy"),
            state: 0,
            result: 0,
            version: "1.0",
            delivery: 2,
            protocols: None,
            memory_free: None,
            reclaimed: 0,
            arrival: Arrival {
                object: Some(Version::V1_0),
                secured: false,
            },
            done: Vec::new(),
            reads: 0,
            unhidden: 0,
            max_defer: None,
            automatic: None,
            withdrawn: 0,
            foreign: None,
            holds: None,
            asked: Vec::new(),
            instead: Vec::new(),
        }
    }

    fn register(&mut self) {
        self.firmware.registered(self.now, "d", self.arrival);
        self.settle();
    }

    fn tell(&mut self, state: i64, result: i64) {
        (self.state, self.result) = (state, result);
        let told = [(STATE, state), (RESULT, result)];
        for (path, value) in told {
            self.firmware
                .notified(self.now, "d", path, &Value::Integer(value));
        }
        self.settle();
    }

    fn comes_back(&mut self, state: i64, result: i64, version: &'static str) {
        (self.state, self.result, self.version) = (state, result, version);
        self.register();
    }

    fn pass(&mut self, time: UnixMillis) {
        let end = self.now + time;
        while let Some(due) = self.firmware.poll_timeout().filter(|due| *due <= end) {
            self.now = due.max(self.now);
            self.firmware.handle_timeout(self.now);
            self.settle();
        }
        self.now = end;
    }

    fn settle(&mut self) {
        while let Some(effect) = self.firmware.poll_effect() {
            match effect {
                Effect::Ask { ask, .. } if self.holds == Some(ask) => self.done.push(ask),
                Effect::Ask {
                    update,
                    serial,
                    ask,
                    ..
                } => {
                    self.asked.push(ask);
                    let outcome = self.answer(ask);
                    if ask == Ask::Observe(FIRMWARE_UPDATE) {
                        for (path, value) in [(STATE, self.state), (RESULT, self.result)] {
                            let value = Value::Integer(value);
                            self.firmware.learned(&update, serial, path, &value);
                        }
                    }
                    self.firmware.answered(self.now, &update, serial, outcome);
                }
                Effect::Withdraw { .. } => self.withdrawn += 1,
                Effect::Changed { .. } => {}
            }
        }
    }

    fn answer(&mut self, ask: Ask) -> Outcome {
        let scripted = self.instead.iter().position(|(it, _)| *it == ask);
        let scripted = scripted.map(|at| self.instead.remove(at).1);
        if let Ask::Unhide(_) = ask {
            self.unhidden += 1;
            return scripted.unwrap_or(Outcome::Answered(Code::CHANGED, Vec::new()));
        }
        if let Ask::Read(path) | Ask::Observe(path) = ask {
            self.reads += 1;
            let values = match path {
                STATE => vec![Value::Integer(self.state)],
                RESULT => vec![Value::Integer(self.result)],
                FIRMWARE_UPDATE => vec![Value::Integer(self.state)],
                VERSION => vec![Value::String(self.version.into())],
                DELIVERY => vec![Value::Integer(self.delivery)],
                MEMORY_FREE if self.memory_free.is_some() => {
                    let free = self.memory_free.unwrap_or_default();
                    vec![Value::Integer(free)]
                }
                MAX_DEFER if self.max_defer.is_some() => {
                    vec![Value::Integer(self.max_defer.unwrap_or_default())]
                }
                AUTOMATIC if self.automatic.is_some() => {
                    vec![Value::Boolean(self.automatic.unwrap_or_default())]
                }
                PROTOCOLS if self.protocols.is_some() => {
                    let all = self.protocols.iter().flatten();
                    all.map(|it| Value::Integer(*it)).collect()
                }
                _ => return scripted.unwrap_or(Outcome::Answered(Code::NOT_FOUND, Vec::new())),
            };
            return scripted.unwrap_or(Outcome::Answered(Code::CONTENT, values));
        }
        self.done.push(ask);
        if let Some(outcome) = scripted {
            self.state = self.foreign.take().unwrap_or(self.state);
            return outcome;
        }
        match ask {
            Ask::ClearUri | Ask::ClearPackage => {
                (self.state, self.result) = (0, 0);
                self.memory_free = self.memory_free.map(|it| it + self.reclaimed);
            }
            Ask::Package => (self.state, self.result) = (2, 0),
            Ask::Uri(_) => self.result = 0,
            Ask::Cancel => (self.state, self.result) = (0, 10),
            Ask::Lifetime(..) | Ask::Forget(_) => {}
            _ => self.state = 3,
        }
        Outcome::Answered(Code::CHANGED, Vec::new())
    }

    fn executes(&self) -> usize {
        self.done.iter().filter(|it| **it == Ask::Execute).count()
    }

    fn transfers(&self) -> usize {
        let all = self.done.iter();
        all.filter(|it| matches!(it, Ask::Uri(_) | Ask::Package))
            .count()
    }

    #[track_caller]
    fn is(&self, state: State) {
        let update = self.firmware.get(&self.id).expect("known");
        assert_eq!(update.state, state, "{:#?}", update.history);
    }

    fn last(&self) -> &str {
        let update = self.firmware.get(&self.id).expect("known");
        update.history.last().map_or("", |it| it.detail.as_str())
    }
}

/// A pull that is downloaded and executed.
fn executed() -> Bench {
    let mut bench = Bench::new(Some("2.0"), Transfer::Pull);
    bench.register();
    bench.tell(1, 0);
    bench.tell(2, 0);
    assert_eq!(bench.executes(), 1);
    bench
}

/// As often as an update is tried at all.
const TRANSFERS: usize = limits::MAX_FIRMWARE_RETRIES as usize + 1;
const PULL: Ask = Ask::Uri(Scheme::Coap);
