//! Why a device has no registration that both sides know of.

use super::{
    exchange::fate,
    facts::{Asked, Device, Facts, Open},
    words::time,
};

/// Why it has no registration that both sides know of.
pub(super) fn unregistered(device: &Device, facts: &Facts) -> String {
    let (name, now) = (&device.name, facts.now);
    let itself = device.itself.as_ref();
    let open = device.air.open.as_ref();
    let open = open.filter(|it| it.up && it.what.contains(" /rd"));
    let refused = device.air.refused.as_ref();
    let refused = refused.filter(|it| it.up && it.what.contains(" /rd"));
    // The newer of the two counts.
    let refused = refused.filter(|it| open.is_none_or(|open| open.last <= it.at));
    if let Some(refused) = refused {
        let (code, at) = (&refused.code, time(now, refused.at));
        if refused.what != "POST /rd" {
            return format!(
                "the server answered {} of device {name} with {code} at {at}, and the device has \
                 asked for no new registration since",
                refused.what
            );
        }
        let unknown = device.server.as_ref().is_some_and(|it| !it.known);
        let why = match code.as_str() {
            "4.03" | "4.01" if unknown => ": it does not know this endpoint name",
            "4.03" | "4.01" => ": it does not let it in",
            "4.12" => ": it does not speak this version of LwM2M",
            "4.00" => ": it does not understand the registration",
            code if code.starts_with('2') => ": only 2.01 registers a device",
            _ => "",
        };
        let who = refused.stranger.as_deref().unwrap_or("the server");
        return format!("{who} refused to register device {name} at {at}, with {code}{why}");
    }
    let sealed = device.air.records_last.filter(|_| device.air.records > 0);
    if let Some(open) = open.filter(|it| sealed.is_none_or(|at| at <= it.last)) {
        return asks(device, open, facts);
    }
    if device.air.records > 0 {
        return handshake(device);
    }
    if itself.is_some_and(|it| it.registered) {
        return format!(
            "device {name} takes itself for registered, but the server has no registration of it: \
             it ended there, and the device will notice with its next update"
        );
    }
    if let Some(at) = device.air.left {
        let at = time(now, at);
        return format!("device {name} de-registered at {at}, and has not registered since");
    }
    if itself.is_some_and(|it| it.registering) {
        return format!(
            "device {name} asks for a registration, and no answer of the server has arrived yet"
        );
    }
    match (&facts.server, device.air.heard) {
        (_, None) if device.air.messages > 0 => format!(
            "nothing of what device {name} sent has arrived: {} messages",
            device.air.messages
        ),
        (_, None) => {
            format!("nothing was heard of device {name}: it has not asked to be registered")
        }
        (Asked::Yes, Some(at)) => format!(
            "device {name} is not registered; it was last heard of at {}",
            time(now, at)
        ),
        (_, Some(at)) => format!("device {name} was last heard of at {}", time(now, at)),
    }
}

/// It has no answer about its registration.
fn asks(device: &Device, open: &Open, facts: &Facts) -> String {
    let (name, now) = (&device.name, facts.now);
    let (since, fate) = (time(now, open.first), fate(open, now));
    let wants = match open.what.split_once(' ') {
        Some(("POST", "/rd")) => "to register it".to_owned(),
        Some(("POST", _)) => "to update its registration".to_owned(),
        Some(("DELETE", _)) => "to end its registration".to_owned(),
        _ => format!("for {}", open.what),
    };
    let who = open.stranger.as_deref().unwrap_or("the server");
    let reports = device.itself.as_ref().and_then(|it| it.reports);
    match reports.filter(|at| open.given_up && *at > now) {
        Some(at) => format!(
            "device {name} asks {who} {wants} since {since} and has no answer: {fate}; it tries \
             again at {}",
            time(now, at)
        ),
        None => {
            format!("device {name} asks {who} {wants} since {since} and has no answer: {fate}")
        }
    }
}

/// DTLS records, and no message that anybody could open.
fn handshake(device: &Device) -> String {
    let (name, records, lost) = (&device.name, device.air.records, device.air.records_lost);
    if lost == records {
        return format!(
            "device {name} and the server have sent each other {records} DTLS records, and all of \
             them were lost or damaged on the way"
        );
    }
    let lost = match lost {
        0 => String::new(),
        lost => format!(" ({lost} of them lost or damaged on the way)"),
    };
    let why = match lost.is_empty() {
        true => ", as with a wrong identity or key",
        false => "",
    };
    format!(
        "device {name} and the server have exchanged {records} DTLS records{lost} and no message: \
         the handshake does not come through{why}"
    )
}
