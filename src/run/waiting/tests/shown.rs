//! What messages show.

use super::*;

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
            ..Open::default()
        })
    );
    let refused = seen.refused.expect("one was");
    assert_eq!(
        (refused.what.as_str(), refused.code.as_str(), refused.up),
        ("GET /fw/1", "4.04", true)
    );
    let transfer = seen.transfer.expect("one is under way");
    // The second block has arrived, and the server cannot know.
    assert_eq!((transfer.bytes, transfer.whole), (64, false));
    let heard = seen.heard.map(|it| time(NOON, it));
    assert_eq!(heard.as_deref(), Some("12:00:03"));
    assert_eq!(wire::on_air(&messages, "b", at(0, 20)).messages, 0);
    // Later it was given up, and after that the server had another answer.
    let open = |messages: &[Message]| wire::on_air(messages, "a", at(2, 0)).open;
    assert!(open(&messages).expect("nothing came since").given_up);
    let mut messages = messages.to_vec();
    let get = json!({ "type": "CON", "code": "GET", "mid": 99, "token": "63", "path": "/3/0/3" });
    messages.push(air(20, false, "delivered", get));
    assert!(
        open(&messages)
            .expect("that is open")
            .what
            .ends_with("/3/0/3")
    );
    messages.push(air(21, true, "delivered", ack(99, "2.05")));
    assert_eq!(open(&messages), None);
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
    let refusals = calls::refusals(&messages, (0, 4));
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

#[test]
fn the_wire_shows_who_asks_in_vain_again_and_again() {
    let register = |mid: u32, fate: &str| {
        let coap = json!({ "type": "CON", "code": "POST", "mid": mid, "token": format!("{mid:04x}"), "path": "/rd" });
        air(u64::from(mid), true, fate, coap)
    };
    let messages = [
        register(1, "lost"),
        register(100, "lost"),
        register(200, "corrupted"),
    ];
    let open = wire::on_air(&messages, "a", at(20, 0)).open;
    let open = open.expect("nothing came back since");
    assert_eq!((open.sent, open.lost, open.damaged), (3, 2, 1));
    assert_eq!((open.first, open.given_up), (at(0, 1), true));
    assert!(
        !wire::on_air(&messages, "a", at(3, 30))
            .open
            .expect("one")
            .given_up
    );
}

#[test]
fn a_reset_ends_a_request_and_an_acknowledgement_does_not() {
    let get = json!({ "type": "CON", "code": "GET", "mid": 7, "token": "07", "path": "/3/0/3" });
    let empty = |kind: &str| json!({ "type": kind, "code": "0.00", "mid": 7, "token": "" });
    let asked = air(0, false, "delivered", get);
    let acknowledged = [asked.clone(), air(1, true, "delivered", empty("ACK"))];
    let seen = wire::on_air(&acknowledged, "a", at(0, 5));
    assert!(seen.open.expect("it has no answer").acknowledged);
    let reset = [asked, air(1, true, "delivered", empty("RST"))];
    let seen = wire::on_air(&reset, "a", at(0, 5));
    assert_eq!(seen.open, None);
    assert_eq!(seen.refused.expect("it was").code, "RST");
}

#[test]
fn notifications_that_get_lost_are_missed_until_one_arrives() {
    let get = json!({ "type": "CON", "code": "GET", "mid": 7, "token": "07", "path": "/3/0/9" });
    let content =
        |kind: &str, mid: u32| json!({ "type": kind, "code": "2.05", "mid": mid, "token": "07" });
    let mut messages = vec![
        air(0, false, "delivered", get),
        air(1, true, "delivered", content("ACK", 7)),
        air(2, true, "lost", content("CON", 8)),
        air(4, true, "lost", content("CON", 8)),
    ];
    let open = wire::on_air(&messages, "a", at(0, 5))
        .open
        .expect("in vain");
    assert_eq!(
        (open.what.as_str(), open.sent, open.lost),
        ("notifications of /3/0/9", 2, 2)
    );
    messages.push(air(8, true, "delivered", content("CON", 8)));
    assert_eq!(wire::on_air(&messages, "a", at(0, 9)).open, None);
}

#[test]
fn what_is_on_its_way_has_not_arrived() {
    let get = json!({ "type": "CON", "code": "GET", "mid": 7, "token": "07", "path": "/3/0/3" });
    let content = json!({ "type": "ACK", "code": "2.05", "mid": 7, "token": "07" });
    let mut messages = [
        air(0, false, "delivered", get),
        air(1, true, "delivered", content),
    ];
    if let Some(datagram) = &mut messages[1].air {
        datagram.delay = 30_000;
    }
    let open = wire::on_air(&messages, "a", at(0, 20)).open;
    assert_eq!(open.expect("not yet").answers_coming, 1);
    assert_eq!(wire::on_air(&messages, "a", at(0, 40)).open, None);
}

#[test]
fn a_registration_ends_when_its_end_arrives() {
    let delete = |fate: &str| {
        let coap =
            json!({ "type": "CON", "code": "DELETE", "mid": 7, "token": "07", "path": "/rd/1" });
        [air(3, true, fate, coap)]
    };
    assert_eq!(wire::on_air(&delete("lost"), "a", at(0, 9)).left, None);
    let left = wire::on_air(&delete("delivered"), "a", at(0, 9)).left;
    assert_eq!(left, Some(at(0, 3)));
}
