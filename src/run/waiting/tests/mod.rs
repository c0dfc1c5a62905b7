//! Made situations, and what has to be said of each.

mod presence;
mod shown;
mod sides;
mod updates;

use fotalab_simulators::device::Speaks;
use serde_json::{Value, json};

use super::{
    calls, explain,
    facts::{
        Asked, AtServer, Call, Device, Facts, Itself, Link, OnAir, Open, Others, Refusal, Refused,
        Registration, Transfer, Update, Upstream, Websocket,
    },
    wire,
    words::time,
};
use crate::trace::{Datagram, Kind, Lane, Message};

/// 12:00:00 of some day.
const NOON: i64 = 1_767_268_800_000;

const fn at(minutes: i64, seconds: i64) -> i64 {
    NOON + (minutes * 60 + seconds) * 1_000
}

/// A device that is on, registered and awake, and a server that says so.
fn well(device: impl FnOnce(&mut Device, &mut Facts)) -> Facts {
    let mut facts = Facts {
        now: at(3, 0),
        server: Asked::Yes,
        messages: 10,
        ..Facts::default()
    };
    let mut meter = Device {
        name: "meter-7".to_owned(),
        itself: Some(Itself {
            on: true,
            registered: true,
            ..Itself::default()
        }),
        server: Some(AtServer {
            known: true,
            registration: Some(Registration {
                expires: Some(at(60, 0)),
                ..Registration::default()
            }),
            update: None,
        }),
        air: OnAir {
            heard: Some(at(1, 0)),
            messages: 8,
            ..OnAir::default()
        },
        ..Device::default()
    };
    device(&mut meter, &mut facts);
    facts.devices.push(meter);
    facts
}

fn itself(device: &mut Device) -> &mut Itself {
    device.itself.get_or_insert_default()
}

fn server(device: &mut Device) -> &mut AtServer {
    device.server.get_or_insert_default()
}

fn registration(device: &mut Device) -> &mut Registration {
    server(device).registration.get_or_insert_default()
}

fn update(device: &mut Device, state: &str, what: &str) {
    server(device).update = Some(Update {
        state: state.to_owned(),
        what: what.to_owned(),
        deadline: Some(at(30, 0)),
        ..Update::default()
    });
}

fn gone(device: &mut Device) {
    server(device).registration = None;
    itself(device).registered = false;
    device.air = OnAir::default();
}

fn asks(what: &str, up: bool, (sent, lost, answers_lost): (u32, u32, u32)) -> Option<Open> {
    Some(Open {
        what: what.to_owned(),
        up,
        first: at(2, 0),
        last: at(2, 30),
        sent,
        lost,
        answers_lost,
        ..Open::default()
    })
}

fn refused(what: &str, up: bool, code: &str) -> Option<Refused> {
    Some(Refused {
        what: what.to_owned(),
        up,
        code: code.to_owned(),
        at: at(2, 0),
        ..Refused::default()
    })
}

fn refusal(status: u16, said: &str, by_fingerprint: bool) -> Facts {
    Facts {
        messages: 2,
        refusals: vec![Refusal {
            what: "GET /device/1".to_owned(),
            status,
            said: said.to_owned(),
            times: 12,
            by_fingerprint,
        }],
        ..Facts::default()
    }
}

/// What it is called, what is known, and what is said.
type Situation = (&'static str, Facts, &'static [&'static str]);

#[test]
fn each_situation_is_said_in_words() {
    let situations = [
        presence::situations(),
        updates::situations(),
        sides::situations(),
    ]
    .concat();
    assert!(situations.len() >= 15);
    let said = situations
        .iter()
        .map(|(name, facts, _)| (*name, explain(facts)));
    for ((name, said), (.., expected)) in said.zip(&situations) {
        assert_eq!(said, *expected, "{name}");
    }
}
