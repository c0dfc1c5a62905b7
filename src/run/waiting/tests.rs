//! Made situations, and what has to be said of each.

use serde_json::{Value, json};

use super::{
    device::time,
    explain,
    facts::{
        Asked, AtServer, Device, Facts, Itself, OnAir, Open, Refusal, Refused, Registration,
        Transfer, Update, Upstream,
    },
    wire,
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
    })
}

fn refused(what: &str, up: bool, code: &str) -> Option<Refused> {
    Some(Refused {
        what: what.to_owned(),
        up,
        code: code.to_owned(),
        at: at(2, 0),
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

#[test]
fn each_situation_is_said_in_words() {
    let situations: Vec<(&str, Facts, &[&str])> = vec![
        (
            "asleep",
            well(|it, _| {
                itself(it).asleep = true;
                itself(it).next = Some(at(4, 33));
                *registration(it) = Registration {
                    asleep: true,
                    awake_until: Some(at(1, 6)),
                    expires: Some(at(10, 0)),
                    queued: vec!["Write /5/0/1".to_owned()],
                    ..Registration::default()
                };
            }),
            &[
                "device meter-7 sleeps until 12:04:33 (queue mode, awake window closed 12:01:06); Write /5/0/1 is queued for it; nothing is wrong yet",
            ],
        ),
        (
            "asleep, and an update of it has begun",
            well(|it, _| {
                itself(it).asleep = true;
                registration(it).asleep = true;
                update(it, "downloading", "answer");
                if let Some(update) = &mut server(it).update {
                    update.asked = Some("Write /5/0/0".to_owned());
                }
            }),
            &[
                "device meter-7 sleeps, until it reports itself; it is forgotten at 13:00:00 (queue mode); nothing is queued for it; nothing is wrong yet",
                "the server's update of meter-7 is downloading and waits for the device to hear Write /5/0/0; it gives up at 12:30:00",
            ],
        ),
        (
            "asleep for too long",
            well(|it, _| {
                registration(it).asleep = true;
                registration(it).expires = Some(at(2, 0));
                itself(it).asleep = true;
            }),
            &[
                "device meter-7 sleeps, until it reports itself; it is forgotten at 12:02:00 (queue mode); nothing is queued for it; it should have been heard of before now",
            ],
        ),
        (
            "switched off",
            well(|it, _| {
                gone(it);
                itself(it).on = false;
            }),
            &["device meter-7 is switched off: no step has switched it on"],
        ),
        (
            "switched off again",
            well(|it, _| {
                gone(it);
                itself(it).on = false;
                itself(it).was_on = true;
            }),
            &["device meter-7 is switched off, and no step has switched it on again"],
        ),
        (
            "restarting",
            well(|it, _| {
                gone(it);
                itself(it).on = false;
                itself(it).next = Some(at(3, 20));
                update(it, "updating", "registration after the install");
            }),
            &[
                "device meter-7 is off until 12:03:20",
                "the server's update of meter-7 is updating and waits for the device to come back after it was told to install; it gives up at 12:30:00",
            ],
        ),
        (
            "no registration",
            well(|it, _| gone(it)),
            &["nothing was heard of device meter-7: it has not asked to be registered"],
        ),
        (
            "the registration is not answered",
            well(|it, _| {
                gone(it);
                itself(it).registering = true;
                it.air.messages = 4;
                it.air.open = asks("POST /rd", true, (4, 4, 0));
            }),
            &[
                "device meter-7 asks the server to register it since 12:02:00 and has no answer: sent 4 times, last at 12:02:30, and lost on the way each time",
            ],
        ),
        (
            "not let in",
            well(|it, _| {
                gone(it);
                server(it).known = false;
                it.air.messages = 2;
                it.air.refused = refused("POST /rd", true, "4.03");
            }),
            &[
                "the server refused to register device meter-7 at 12:02:00, with 4.03: it does not know this endpoint name",
            ],
        ),
        (
            "the wrong key",
            well(|it, _| {
                gone(it);
                it.air.records = 6;
            }),
            &[
                "device meter-7 and the server have exchanged 6 DTLS records and no message: the handshake does not come through, as with a wrong identity or key",
            ],
        ),
        (
            "forgotten by the server",
            well(|it, _| {
                server(it).registration = None;
                update(it, "queued", "registration");
                if let Some(update) = &mut server(it).update {
                    update.deadline = Some(at(7 * 24 * 60, 0));
                }
            }),
            &[
                "device meter-7 takes itself for registered, but the server has no registration of it: it ended there, and the device will notice with its next update",
                "the server's update of meter-7 is queued and waits for the device to register; it gives up at 12:00:00, 6 days from now",
            ],
        ),
        (
            "a lost acknowledgement",
            well(|it, _| {
                registration(it).asking = Some("Write /5/0/0".to_owned());
                it.air.open = asks("PUT /5/0/0", false, (3, 0, 3));
            }),
            &[
                "the server waits for device meter-7 to answer Write /5/0/0 since 12:02:00: sent 3 times, last at 12:02:30; it arrived, and its acknowledgement was lost on the way 3 times",
            ],
        ),
        (
            "lost both ways",
            well(|it, _| it.air.open = asks("PUT /5/0/0", false, (3, 2, 1))),
            &[
                "the server waits for device meter-7 to answer PUT /5/0/0 since 12:02:00: sent 3 times, last at 12:02:30, lost on the way 2 times, and its acknowledgement once",
            ],
        ),
        (
            "the device says nothing",
            well(|it, _| {
                registration(it).asking = Some("Read /3/0/3".to_owned());
                it.air.open = asks("GET /3/0/3", false, (1, 0, 0));
                update(it, "downloading", "answer");
            }),
            &[
                "the server waits for device meter-7 to answer Read /3/0/3 since 12:02:00: sent once, and it arrived",
            ],
        ),
        (
            "the server does not answer the device",
            well(|it, _| it.air.open = asks("GET /fw/1", true, (1, 0, 0))),
            &[
                "device meter-7 asks the server for GET /fw/1 since 12:02:00 and has no answer: sent once, and it arrived",
            ],
        ),
        (
            "the image is not there",
            well(|it, _| it.air.refused = refused("GET /fw/1", true, "4.04")),
            &["the server answered GET /fw/1 of device meter-7 with 4.04 at 12:02:00"],
        ),
        (
            "the device does not take it",
            well(|it, _| it.air.refused = refused("PUT /5/0/1", false, "4.05")),
            &["device meter-7 answered PUT /5/0/1 with 4.05 at 12:02:00"],
        ),
        (
            "a download that stands still",
            well(|it, facts| {
                facts.now = at(10, 0);
                it.air.transfer = Some(Transfer {
                    path: "/5/0/0".to_owned(),
                    bytes: 4_096,
                    whole: false,
                    at: at(2, 0),
                });
                update(it, "downloading", "download");
            }),
            &[
                "the transfer of /5/0/0 with device meter-7 stands still: 4096 bytes have crossed, the last block at 12:02:00, 8 min ago",
                "the server's update of meter-7 is downloading and waits for the whole image to be there; it gives up at 12:30:00",
            ],
        ),
        (
            "a download on its way",
            well(|it, _| {
                it.air.transfer = Some(Transfer {
                    path: "/fw/1".to_owned(),
                    bytes: 4_096,
                    whole: false,
                    at: at(2, 58),
                });
                update(it, "downloading", "download");
            }),
            &[
                "/fw/1 is on its way between the server and device meter-7: 4096 bytes have crossed, the last block at 12:02:58",
                "the server's update of meter-7 is downloading and waits for the whole image to be there; it gives up at 12:30:00",
            ],
        ),
        (
            "an image refused",
            well(|it, _| {
                itself(it).result = 5;
                itself(it).faults = vec!["corrupt download".to_owned()];
                update(it, "failed", "nothing");
                if let Some(update) = &mut server(it).update {
                    update.last = "the image is damaged".to_owned();
                }
            }),
            &[
                "device meter-7 refused the image: its Update Result (/5/0/5) is 5, integrity check failed",
                "device meter-7 acts as it was told to: `corrupt download`",
                "the server gave up its update of meter-7: the image is damaged",
            ],
        ),
        (
            "installing",
            well(|it, _| {
                itself(it).state = 3;
                itself(it).changed = Some(at(2, 40));
                update(it, "updating", "install");
                if let Some(update) = &mut server(it).update {
                    update.until = Some(at(3, 10));
                }
            }),
            &[
                "the server's update of meter-7 is updating and waits for the device to install, which it does since 12:02:40; it looks again at 12:03:10, and gives up at 12:30:00",
            ],
        ),
        (
            "asked for patience",
            well(|it, _| {
                update(it, "downloading", "pause");
                if let Some(update) = &mut server(it).update {
                    update.until = Some(at(3, 10));
                }
            }),
            &[
                "the server's update of meter-7 is downloading and waits for nothing but time: it asks again at 12:03:10",
            ],
        ),
        (
            "nobody wants anything",
            well(|_, _| ()),
            &[
                "device meter-7 is registered and listens, and the server has no update for it and asks nothing of it",
            ],
        ),
        (
            "its update has succeeded, and something else was expected",
            well(|it, _| {
                itself(it).version = "2.0.0".to_owned();
                itself(it).result = 1;
                update(it, "succeeded", "nothing");
            }),
            &[
                "device meter-7 is registered and listens, runs 2.0.0, its last update has succeeded, and the server asks nothing of it",
            ],
        ),
        (
            "a third party's server: what the wire shows",
            well(|it, facts| {
                facts.server = Asked::NoFace;
                it.server = None;
                it.air.open = asks("PUT /5/0/0", false, (2, 1, 0));
            }),
            &[
                "the server waits for device meter-7 to answer PUT /5/0/0 since 12:02:00: sent 2 times, last at 12:02:30, lost on the way once",
                "the target has no admin face to ask, so this is what the wire shows",
            ],
        ),
        (
            "upstream 404",
            Facts {
                messages: 3,
                upstream: Upstream {
                    unexpected: vec![(
                        "GET /v1/fota-jobs/2".to_owned(),
                        7,
                        Some("GET /v1/fota-jobs/1".to_owned()),
                    )],
                    ..Upstream::default()
                },
                ..Facts::default()
            },
            &[
                "the server called the cloud with GET /v1/fota-jobs/2 7 times, for which nothing is queued, so it got 404; the nearest that is queued is for GET /v1/fota-jobs/1",
            ],
        ),
        (
            "the cloud was not called",
            Facts {
                messages: 3,
                upstream: Upstream {
                    leftovers: vec!["POST /v1/fota-jobs".to_owned()],
                    failing: vec![("GET /v1/devices".to_owned(), 503)],
                    ..Upstream::default()
                },
                ..Facts::default()
            },
            &[
                "the cloud answers GET /v1/devices with 503, as was queued; the server has to live with that",
                "the cloud waits for calls that have not come: POST /v1/fota-jobs",
            ],
        ),
        (
            "a lock that somebody holds",
            refusal(
                409,
                "The device is being updated: The update u1 has not ended.",
                false,
            ),
            &[
                "the server answered GET /device/1 with 409 12 times: it is locked: something else has to end first, and it says: The device is being updated: The update u1 has not ended.",
            ],
        ),
        (
            "the wrong fingerprint",
            refusal(403, "Forbidden", true),
            &[
                "the server answered GET /device/1 with 403 12 times: this fingerprint is not the one of that device, and it says: Forbidden",
            ],
        ),
        (
            "nobody asked for it",
            Facts::default(),
            &["nothing crossed while the step waited: nobody has begun what it waits for"],
        ),
    ];
    assert!(situations.len() >= 15);
    for (situation, facts, expected) in situations {
        assert_eq!(explain(&facts), expected, "{situation}");
    }
}

fn message(seq: u64, lane: Lane, kind: Kind, summary: &str, detail: &Value) -> Message {
    Message {
        seq,
        at: at(0, i64::try_from(seq).expect("small")),
        lane,
        kind,
        step: None,
        summary: summary.to_owned(),
        detail: detail.to_string().into(),
        air: Datagram::told(&detail.to_string()),
    }
}

fn air(seq: u64, up: bool, fate: &str, coap: Value) -> Message {
    let direction = if up { "up" } else { "down" };
    let detail =
        json!({ "device": "a", "direction": direction, "bytes": 1, "fate": fate, "coap": coap });
    message(seq, Lane::Air, Kind::Request, "", &detail)
}

#[test]
fn the_wire_shows_what_is_open_what_was_lost_and_what_was_refused() {
    let put = |num: u32| {
        json!({ "type": "CON", "code": "PUT", "mid": num, "token": format!("{num:02x}"), "path": "/5/0/0",
        "block1": { "num": num, "more": num < 3, "size": 64 }, "payload": { "length": 64 } })
    };
    let ack = |num: u32, code: &str| json!({ "type": "ACK", "code": code, "mid": num, "token": format!("{num:02x}") });
    let messages = [
        air(
            0,
            true,
            "delivered",
            json!({ "type": "CON", "code": "GET", "mid": 9, "token": "ff", "path": "/fw/1" }),
        ),
        air(
            1,
            false,
            "delivered",
            json!({ "type": "ACK", "code": "4.04", "mid": 9, "token": "ff" }),
        ),
        air(2, false, "delivered", put(0)),
        air(3, true, "delivered", ack(0, "2.31")),
        air(4, false, "lost", put(1)),
        air(6, false, "delivered", put(1)),
        air(7, true, "lost", ack(1, "2.31")),
        air(10, false, "delivered", put(1)),
    ];
    let seen = wire::on_air(&messages, "a", at(0, 20));
    assert_eq!(
        seen.open,
        Some(Open {
            what: "PUT /5/0/0".to_owned(),
            up: false,
            first: at(0, 4),
            last: at(0, 10),
            sent: 3,
            lost: 1,
            answers_lost: 1,
        })
    );
    let refused = seen.refused.expect("one was");
    assert_eq!(
        (refused.what.as_str(), refused.code.as_str(), refused.up),
        ("GET /fw/1", "4.04", true)
    );
    let transfer = seen.transfer.expect("one is under way");
    assert_eq!((transfer.bytes, transfer.whole), (128, false));
    assert_eq!(seen.heard.map(time).as_deref(), Some("12:00:03"));
    assert_eq!(wire::on_air(&messages, "b", at(0, 20)).messages, 0);
    // Later it was given up, and waits for nothing any more.
    assert_eq!(wire::on_air(&messages, "a", at(2, 0)).open, None);
}

#[test]
fn a_refusal_counts_until_the_same_request_succeeds() {
    let answer = |seq, status: u16, what: &str| {
        let detail = json!({ "status": status, "body": { "title": "No", "detail": "never" } });
        let summary = format!("{status} GET http://127.0.0.1:1/{what}?fingerprint=x");
        message(seq, Lane::Rest, Kind::Answer, &summary, &detail)
    };
    let messages = [
        answer(0, 404, "a"),
        answer(1, 404, "a"),
        answer(2, 500, "b"),
        answer(3, 200, "b"),
        answer(4, 403, "c"),
    ];
    let refusals = wire::refusals(&messages, (0, 4));
    let [only] = refusals.as_slice() else {
        panic!("{refusals:?}")
    };
    assert_eq!(
        (only.what.as_str(), only.status, only.times),
        ("GET /a", 404, 2)
    );
    assert_eq!(only.said, "No: never");
    assert!(only.by_fingerprint);
}
