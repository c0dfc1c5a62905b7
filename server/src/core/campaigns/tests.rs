//! X-FW-S34 and S35, a campaign together with the engine that does its updates.

use fotalab_wire::{
    coap::Code,
    lwm2m::{Path, Value, Version},
    net::UnixMillis,
};

use super::*;
use crate::core::firmware::{
    Arrival, Ask, Effect as Wish, Firmware, Options, Outcome, Scheme, State, Transfer, Wanted,
};

const STATE: Path = Path::resource(5, 0, 3);
const RESULT: Path = Path::resource(5, 0, 5);
const VERSION: Path = Path::resource(3, 0, 3);

/// Each of them has the object, and no DTLS.
const ARRIVAL: Arrival = Arrival {
    object: Some(Version::V1_0),
    secured: false,
};

#[derive(Clone, Copy)]
struct Device {
    state: i64,
    result: i64,
    installed: bool,
    executes: usize,
    /// Result 5 in place of an install.
    fails: bool,
}

/// Devices that answer at once, a campaign, and the engine between them.
struct Field {
    campaign: Campaign,
    firmware: Firmware,
    now: UnixMillis,
    devices: BTreeMap<String, Device>,
    updates: BTreeMap<String, String>,
    began: Vec<String>,
    most_at_once: usize,
}

fn name(number: usize) -> String {
    format!("d-{number:05}")
}

impl Field {
    fn new(size: usize, pace: Pace, fails: impl Fn(usize) -> bool) -> Self {
        let device = |number| Device {
            state: 0,
            result: 0,
            installed: false,
            executes: 0,
            fails: fails(number),
        };
        Self {
            campaign: Campaign::new(pace, (0..size).map(name)),
            firmware: Firmware::new(1),
            now: 0,
            devices: (0..size).map(|it| (name(it), device(it))).collect(),
            updates: BTreeMap::new(),
            began: Vec::new(),
            most_at_once: 0,
        }
    }

    /// Carries out what campaign and engine want, until neither wants anything.
    fn settle(&mut self) {
        loop {
            if let Some(effect) = self.campaign.poll_effect() {
                match effect {
                    Effect::Begin { device } => self.begin(&device),
                    Effect::Stop { device } => {
                        let update = self.updates[&device].clone();
                        self.firmware.stop(self.now, &update, "halted");
                    }
                }
            } else if let Some(wish) = self.firmware.poll_effect() {
                match wish {
                    Wish::Ask {
                        update,
                        device,
                        serial,
                        ask,
                    } => {
                        let outcome = self.answer(&device, ask);
                        self.firmware.answered(self.now, &update, serial, outcome);
                    }
                    Wish::Changed { update } => self.changed(&update),
                    Wish::Withdraw { .. } => {}
                }
            } else {
                break;
            }
            self.most_at_once = self.most_at_once.max(self.campaign.tally().running);
        }
    }

    fn begin(&mut self, device: &str) {
        self.began.push(device.to_owned());
        let wanted = Wanted {
            device: device.to_owned(),
            image: "i".into(),
            length: 50_001,
            slot: None,
            version: None,
            transfer: Transfer::PullBy(Scheme::Coap),
            options: Options::default(),
            asked_by: None,
        };
        let update = self.firmware.create(self.now, wanted, Some(ARRIVAL));
        let update = update.expect("not busy").id.clone();
        self.updates.insert(device.to_owned(), update);
    }

    fn changed(&mut self, id: &str) {
        let Some(update) = self.firmware.get(id) else {
            return;
        };
        let device = update.wanted.device.clone();
        match update.state {
            State::Succeeded => self.campaign.ended(&device, true),
            State::Failed => self.campaign.ended(&device, false),
            _ => {}
        }
    }

    fn answer(&mut self, device: &str, ask: Ask) -> Outcome {
        let device = self.devices.get_mut(device).expect("a device");
        let number = |it| Outcome::Answered(Code::CONTENT, vec![Value::Integer(it)]);
        match ask {
            Ask::Read(STATE) | Ask::Observe(STATE) => number(device.state),
            Ask::Read(RESULT) | Ask::Observe(RESULT) => number(device.result),
            Ask::Read(VERSION) | Ask::Observe(VERSION) => {
                let version = if device.installed { "2.0" } else { "1.0" };
                let version = Value::String(version.into());
                Outcome::Answered(Code::CONTENT, vec![version])
            }
            Ask::Read(_) | Ask::Observe(_) => Outcome::Answered(Code::NOT_FOUND, Vec::new()),
            Ask::Uri(_) => {
                (device.state, device.result) = (1, 0);
                Outcome::Answered(Code::CHANGED, Vec::new())
            }
            Ask::Execute => {
                device.executes += 1;
                device.state = 3;
                Outcome::Answered(Code::CHANGED, Vec::new())
            }
            _ => Outcome::Answered(Code::CHANGED, Vec::new()),
        }
    }

    /// All devices that downloaded, or installed, take the next step.
    fn step(&mut self) {
        let devices: Vec<String> = self.devices.keys().cloned().collect();
        for id in devices {
            let Some(device) = self.devices.get_mut(&id) else {
                continue;
            };
            match (device.state, device.fails) {
                (1, true) => (device.state, device.result) = (0, 5),
                (1, false) => device.state = 2,
                (3, _) => {
                    (device.state, device.result, device.installed) = (0, 1, true);
                    self.firmware.registered(self.now, &id, ARRIVAL);
                    self.settle();
                    continue;
                }
                _ => continue,
            }
            for (path, value) in [(STATE, device.state), (RESULT, device.result)] {
                let value = Value::Integer(value);
                self.firmware.notified(self.now, &id, path, &value);
            }
            self.settle();
        }
        self.now += 1_000;
        self.firmware.handle_timeout(self.now);
        self.settle();
    }

    fn all_arrive(&mut self) {
        for number in 0..self.devices.len() {
            self.campaign.arrived(&name(number));
        }
        self.settle();
    }

    fn executes(&self) -> usize {
        self.devices.values().map(|it| it.executes).sum()
    }

    /// The tally adds up, and says what the devices are.
    fn adds_up(&self) {
        let tally = self.campaign.tally();
        let all = tally.waiting + tally.running + tally.succeeded + tally.failed;
        assert_eq!(all, self.devices.len());
        let installed = self.devices.values().filter(|it| it.installed).count();
        assert_eq!(tally.succeeded, installed);
    }
}

#[test]
fn x_fw_s34_failing_canaries_halt_the_rollout() {
    let pace = Pace {
        in_flight: 50,
        canaries: 10,
        failures: Some(2),
    };
    // Of the first ten, three fail.
    let mut field = Field::new(1_000, pace, |it| it < 3);
    field.all_arrive();
    assert_eq!(field.began.len(), 10);
    for _ in 0..20 {
        field.step();
        field.adds_up();
    }
    assert!(field.campaign.is_halted());
    assert_eq!(field.began.len(), 10, "nobody began after the canaries");
    assert_eq!(field.campaign.tally().failed, 10, "nobody went on either");
    assert_eq!(field.executes(), 0);
}

#[test]
fn x_fw_s34_a_halt_executes_nothing_more_and_lets_finish_what_installs() {
    let pace = Pace {
        in_flight: 20,
        canaries: 0,
        failures: Some(0),
    };
    let mut field = Field::new(100, pace, |it| it == 19);
    field.all_arrive();
    // Ten have the image and execute; then one of the others fails.
    for number in 0..10 {
        field.devices.get_mut(&name(number)).expect("known").state = 2;
        let told = Value::Integer(2);
        field.firmware.notified(0, &name(number), STATE, &told);
        field.settle();
    }
    assert_eq!(field.executes(), 10);
    let told = Value::Integer(5);
    field.devices.get_mut(&name(19)).expect("known").result = 5;
    field.devices.get_mut(&name(19)).expect("known").state = 0;
    field.firmware.notified(0, &name(19), RESULT, &told);
    field.settle();
    assert!(field.campaign.is_halted());
    for _ in 0..20 {
        field.step();
        field.adds_up();
    }
    assert_eq!((field.executes(), field.began.len()), (10, 20));
    let tally = field.campaign.tally();
    assert_eq!((tally.succeeded, tally.failed, tally.running), (10, 10, 0));
    assert_eq!(tally.waiting, 80);
}

#[test]
fn good_canaries_open_the_way() {
    let pace = Pace {
        in_flight: 50,
        canaries: 5,
        failures: Some(0),
    };
    let mut field = Field::new(200, pace, |_| false);
    field.all_arrive();
    assert_eq!(field.began.len(), 5);
    for _ in 0..40 {
        field.step();
        field.adds_up();
    }
    assert_eq!(field.campaign.tally().succeeded, 200);
    assert_eq!(field.most_at_once, 50);
}

#[test]
fn x_fw_s35_ten_thousand_that_come_at_once_are_paced_in_their_order() {
    let pace = Pace {
        in_flight: 100,
        ..Pace::default()
    };
    let mut field = Field::new(10_000, pace, |it| it % 1_000 == 7);
    field.all_arrive();
    let mut steps = 0;
    while field.campaign.tally().waiting + field.campaign.tally().running > 0 {
        field.step();
        field.adds_up();
        let open = field.firmware.all().filter(|it| !it.has_ended()).count();
        assert!(open <= 100, "{open} updates were open at once");
        steps += 1;
        assert!(steps < 1_000);
    }
    let expected: Vec<String> = (0..10_000).map(name).collect();
    assert_eq!(field.began, expected, "first come, first served");
    assert_eq!(field.most_at_once, 100);
    let tally = field.campaign.tally();
    assert_eq!((tally.succeeded, tally.failed), (9_990, 10));
}

#[test]
fn who_is_not_there_takes_nobodys_place() {
    let pace = Pace {
        in_flight: 1,
        ..Pace::default()
    };
    let mut campaign = Campaign::new(pace, ["a", "b", "c"].map(str::to_owned));
    let begins = |campaign: &mut Campaign, expected: Option<&str>| {
        let device = expected.map(str::to_owned);
        let expected = device.map(|device| Effect::Begin { device });
        assert_eq!(campaign.poll_effect(), expected);
    };
    campaign.arrived("b");
    begins(&mut campaign, Some("b"));
    campaign.arrived("c");
    campaign.arrived("a");
    begins(&mut campaign, None);
    // It was there, but left before its turn.
    campaign.went("c");
    campaign.ended("b", true);
    begins(&mut campaign, Some("a"));
    campaign.arrived("c");
    campaign.ended("a", false);
    begins(&mut campaign, Some("c"));
    campaign.arrived("stranger");
    begins(&mut campaign, None);
}
