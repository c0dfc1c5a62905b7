//! A request on its way between a device or peer and the server, or refused.

use fotalab_wire::net::UnixMillis;

use super::{
    facts::{Device, Facts, Open, Registration, Update},
    words::{time, times},
};

/// A request of either side that has no answer, or was refused.
pub(super) fn explain(device: &Device, now: UnixMillis, said: &mut Vec<String>) {
    let name = &device.name;
    let at_server = device.server.as_ref();
    let registration = at_server.and_then(|it| it.registration.as_ref());
    let asking = registration.and_then(|it| it.asking.as_ref());
    let update = at_server.and_then(|it| it.update.as_ref());
    // What was given up before the update began, or in one that has ended, is over.
    let of_update = |it: &&Open| match update {
        Some(update) if update.is_under_way() => update.since().is_none_or(|at| it.last >= at),
        Some(_) => it.what.contains(" /rd"),
        None => true,
    };
    let open = device.air.open.as_ref();
    match (open.filter(|it| !it.given_up || of_update(it)), asking) {
        (Some(open), _) if open.up => said.push(asks(name, open, now)),
        (Some(open), asking) => {
            let pauses = asking.is_none() && update.is_some_and(|it| it.what == "pause");
            let (since, fate) = (time(now, open.first), fate(open, now));
            let who = open.stranger.as_deref().unwrap_or("the server");
            said.push(if open.given_up || pauses {
                let what = &open.what;
                format!(
                    "{who} asked device {name} for {what} at {since}, had no answer and gave that \
                     up: {fate}"
                )
            } else {
                let what = asking.filter(|_| open.stranger.is_none());
                let what = what.unwrap_or(&open.what);
                format!("{who} waits for device {name} to answer {what} since {since}: {fate}")
            });
            said.extend(moved(device, registration));
        }
        (None, Some(asking)) => {
            said.push(format!(
                "the server waits for device {name} to answer {asking}"
            ));
            said.extend(moved(device, registration));
        }
        (None, None) => {}
    }
    if device.air.records > 0 {
        said.push(sealed(device));
    }
    // What was refused before the update began says nothing of it.
    let began = update.and_then(Update::since);
    let refused = device.air.refused.as_ref();
    if let Some(refused) = refused.filter(|it| began.is_none_or(|began| it.at >= began)) {
        let (what, code, at) = (&refused.what, &refused.code, time(now, refused.at));
        let who = refused.stranger.as_deref().unwrap_or("the server");
        said.push(match (refused.up, code.as_str()) {
            (true, "RST") => format!("{who} reset {what} of device {name} at {at} (RST)"),
            (true, _) => format!("{who} answered {what} of device {name} with {code} at {at}"),
            (false, "RST") => format!("device {name} reset {what} at {at} (RST)"),
            (false, _) => format!("device {name} answered {what} with {code} at {at}"),
        });
    }
}

/// The server asks where the device is not, or not this one.
pub(super) fn moved(device: &Device, registration: Option<&Registration>) -> Option<String> {
    let there = registration?.address.as_deref()?;
    let here = device.air.address?.to_string();
    let nat = match device.link.nat {
        true => ", behind a NAT",
        false => "",
    };
    (there != here).then(|| {
        format!(
            "the server's registration of device {} is at {there}, and the device last sent from \
             {here}{nat}",
            device.name
        )
    })
}

/// Records that nobody opened: what is in them is not known.
fn sealed(device: &Device) -> String {
    let (name, records, lost) = (&device.name, device.air.records, device.air.records_lost);
    let lost = match lost {
        0 => "none".to_owned(),
        lost => lost.to_string(),
    };
    format!(
        "since the last message that could be opened, device {name} and the server have sent each \
         other {records} DTLS records, {lost} of them lost or damaged on the way"
    )
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
        (None, _) if peer.air.refused.is_some() => {
            let refused = peer.air.refused.clone().unwrap_or_default();
            format!(
                "{} was answered with {} at {}, which is the last that peer {name} knows",
                refused.what,
                refused.code,
                time(now, refused.at)
            )
        }
        (None, Some(at)) => format!(
            "peer {name} last sent something at {}, and no request is open between it and the \
             others",
            time(now, at)
        ),
        (None, None) => format!(
            "peer {name} and the others have sent each other {} datagrams that are no messages of \
             CoAP",
            peer.air.records
        ),
    }
}

/// A device has no answer.
fn asks(name: &str, open: &Open, now: UnixMillis) -> String {
    let (what, since, fate) = (&open.what, time(now, open.first), fate(open, now));
    let who = open.stranger.as_deref().unwrap_or("the server");
    if what.starts_with("notifications ") {
        return format!("device {name} sends {what} since {since} in vain: {fate}");
    }
    match open.given_up {
        true => {
            format!("device {name} asked {who} for {what} since {since}, and had no answer: {fate}")
        }
        false => {
            format!("device {name} asks {who} for {what} since {since} and has no answer: {fate}")
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
        _ if open.answers_coming > 0 => format!("{sent}; an answer is on its way"),
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
