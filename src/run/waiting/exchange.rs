//! A request on its way between a device or peer and the server, or refused.

use fotalab_wire::net::UnixMillis;

use super::{
    facts::{Device, Facts, Open},
    words::{time, times},
};

/// A request of either side that has no answer, or was refused.
pub(super) fn explain(device: &Device, now: UnixMillis, said: &mut Vec<String>) {
    let name = &device.name;
    let at_server = device.server.as_ref();
    let registration = at_server.and_then(|it| it.registration.as_ref());
    let asking = registration.and_then(|it| it.asking.as_ref());
    let update = at_server.and_then(|it| it.update.as_ref());
    match (&device.air.open, asking) {
        (Some(open), _) if open.up => said.push(asks(name, open, now)),
        (Some(open), asking) => {
            let pauses = asking.is_none() && update.is_some_and(|it| it.what == "pause");
            let (since, fate) = (time(now, open.first), fate(open, now));
            said.push(if open.given_up || pauses {
                let what = &open.what;
                format!(
                    "the server asked device {name} for {what} at {since}, had no answer and gave \
                     that up: {fate}"
                )
            } else {
                let what = asking.unwrap_or(&open.what);
                format!("the server waits for device {name} to answer {what} since {since}: {fate}")
            });
        }
        (None, Some(asking)) => said.push(format!(
            "the server waits for device {name} to answer {asking}"
        )),
        (None, None) => {}
    }
    // What was refused before the update began says nothing of it.
    let began = update
        .filter(|it| it.is_under_way())
        .and_then(|it| it.began);
    let refused = device.air.refused.as_ref();
    if let Some(refused) = refused.filter(|it| began.is_none_or(|began| it.at >= began)) {
        let (what, code, at) = (&refused.what, &refused.code, time(now, refused.at));
        said.push(match (refused.up, code.as_str()) {
            (true, "RST") => format!("the server reset {what} of device {name} at {at} (RST)"),
            (true, _) => format!("the server answered {what} of device {name} with {code} at {at}"),
            (false, "RST") => format!("device {name} reset {what} at {at} (RST)"),
            (false, _) => format!("device {name} answered {what} with {code} at {at}"),
        });
    }
}

/// What a scripted peer waits for.
pub(super) fn of_peer(peer: &Device, facts: &Facts) -> String {
    let (name, now) = (&peer.name, facts.now);
    match (&peer.air.open, peer.air.heard) {
        (Some(open), _) if open.up => format!(
            "peer {name} has no answer to {} since {}: {}",
            open.what,
            time(now, open.first),
            fate(open, now)
        ),
        (Some(open), _) => format!(
            "peer {name} was asked for {} at {}, and has not answered: {}",
            open.what,
            time(now, open.first),
            fate(open, now)
        ),
        (None, Some(at)) => format!(
            "peer {name} last sent something at {}, and no request is open between it and the \
             others",
            time(now, at)
        ),
        (None, None) => format!("peer {name} has sent nothing that arrived"),
    }
}

/// Somebody has no answer of the server.
fn asks(name: &str, open: &Open, now: UnixMillis) -> String {
    let (what, since, fate) = (&open.what, time(now, open.first), fate(open, now));
    if what.starts_with("notifications ") {
        return format!("device {name} sends {what} since {since} in vain: {fate}");
    }
    match open.given_up {
        true => {
            format!(
                "device {name} asked the server for {what} since {since}, and had no answer: {fate}"
            )
        }
        false => {
            format!(
                "device {name} asks the server for {what} since {since} and has no answer: {fate}"
            )
        }
    }
}

/// What became of a request and its answers, as the link tells it.
pub(super) fn fate(open: &Open, now: UnixMillis) -> String {
    let sent = match open.sent {
        1 => "sent once".to_owned(),
        sent => format!("sent {sent} times, last at {}", time(now, open.last)),
    };
    let back = open.answers_lost + open.answers_damaged;
    let how = match (open.answers_lost, open.answers_damaged) {
        (_, 0) => "lost",
        (0, _) => "damaged",
        _ => "lost or damaged",
    };
    match (open.lost, open.damaged) {
        (0, 0) if open.acknowledged && back > 0 => format!(
            "{sent}; it was acknowledged, and its answer was {how} on the way {}",
            times(back)
        ),
        (0, 0) if back > 0 => format!(
            "{sent}; it arrived, and its acknowledgement was {how} on the way {}",
            times(back)
        ),
        (0, 0) if open.acknowledged => {
            format!("{sent}; it was acknowledged, and the answer has not come")
        }
        (0, 0) => sent,
        (gone, 0) if gone == open.sent => format!("{sent}, and lost on the way each time"),
        (0, bad) if bad == open.sent => format!("{sent}, and damaged on the way each time"),
        (gone, bad) => {
            let mut parts = Vec::new();
            if gone > 0 {
                parts.push(format!("lost on the way {}", times(gone)));
            }
            if bad > 0 {
                parts.push(format!("damaged on the way {}", times(bad)));
            }
            if back > 0 {
                parts.push(format!("and its acknowledgement {}", times(back)));
            }
            format!("{sent}, {}", parts.join(", "))
        }
    }
}
