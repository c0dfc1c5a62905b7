//! A device's part: whether it can hear, what is asked of it, how its update stands.

use fotalab_wire::{lwm2m::firmware::UpdateResult, net::UnixMillis};

use super::facts::{Asked, Device, Facts, Open, Registration, Transfer, Update};

/// A transfer without a block for so long stands still, in milliseconds: longer than a confirmable
/// message is tried (RFC 7252, 4.8.2: MAX_TRANSMIT_WAIT).
const STALLED: UnixMillis = 93_000;

/// What keeps this device, or the server with it.
pub(super) fn explain(device: &Device, facts: &Facts) -> Vec<String> {
    let now = facts.now;
    let mut said = Vec::new();
    let present = presence(device, facts, &mut said);
    if present {
        exchange(device, &mut said);
    }
    update(device, now, present, &mut said);
    if said.is_empty() {
        said.push(nothing(device));
    }
    said
}

/// Whether it is there and listens; says why not.
fn presence(device: &Device, facts: &Facts, said: &mut Vec<String>) -> bool {
    let name = &device.name;
    if device.itself.as_ref().is_some_and(|it| !it.on) {
        let was_on = device.itself.as_ref().is_some_and(|it| it.was_on);
        said.push(match device.itself.as_ref().and_then(|it| it.next) {
            Some(at) => format!("device {name} is off until {}", time(at)),
            None if was_on => {
                format!("device {name} is switched off, and no step has switched it on again")
            }
            None => format!("device {name} is switched off: no step has switched it on"),
        });
        return false;
    }
    let at_server = device.server.as_ref();
    let registration = at_server.and_then(|it| it.registration.as_ref());
    let thinks_so = device.itself.as_ref().is_some_and(|it| it.registered);
    let is_registered = match at_server {
        Some(_) => registration.is_some(),
        None => thinks_so || device.itself.is_none() && device.air.heard.is_some(),
    };
    if !is_registered {
        said.push(unregistered(device, facts, thinks_so));
        return false;
    }
    let asleep = registration.map_or_else(
        || device.itself.as_ref().is_some_and(|it| it.asleep),
        |it| it.asleep,
    );
    if asleep {
        said.push(sleeping(device, registration, facts.now));
    }
    !asleep
}

fn unregistered(device: &Device, facts: &Facts, thinks_so: bool) -> String {
    let name = &device.name;
    let refused = device.air.refused.as_ref();
    if let Some(refused) = refused.filter(|it| it.up && it.what.contains("/rd")) {
        let unknown = device.server.as_ref().is_some_and(|it| !it.known);
        let why = match refused.code.as_str() {
            "4.03" | "4.01" if unknown => ": it does not know this endpoint name",
            "4.03" | "4.01" => ": it does not let it in",
            "4.12" => ": it does not speak this version of LwM2M",
            "4.00" => ": it does not understand the registration",
            _ => "",
        };
        let (code, at) = (&refused.code, time(refused.at));
        return format!("the server refused to register device {name} at {at}, with {code}{why}");
    }
    let asks = device.air.open.as_ref();
    if let Some(open) = asks.filter(|it| it.up && it.what.contains("/rd")) {
        return format!(
            "device {name} asks the server to register it since {} and has no answer: {}",
            time(open.first),
            fate(open)
        );
    }
    if device.air.messages == 0 && device.air.records > 0 {
        return format!(
            "device {name} and the server have exchanged {} DTLS records and no message: the \
             handshake does not come through, as with a wrong identity or key",
            device.air.records
        );
    }
    if thinks_so {
        return format!(
            "device {name} takes itself for registered, but the server has no registration of it: \
             it ended there, and the device will notice with its next update"
        );
    }
    if device.itself.as_ref().is_some_and(|it| it.registering) {
        return format!(
            "device {name} asks for a registration, and nothing of that has crossed yet"
        );
    }
    match (&facts.server, device.air.heard) {
        (_, None) => {
            format!("nothing was heard of device {name}: it has not asked to be registered")
        }
        (Asked::Yes, Some(at)) => format!(
            "device {name} is not registered; it was last heard of at {}",
            time(at)
        ),
        (_, Some(at)) => format!("device {name} was last heard of at {}", time(at)),
    }
}

fn sleeping(device: &Device, registration: Option<&Registration>, now: UnixMillis) -> String {
    let name = &device.name;
    let next = device.itself.as_ref().and_then(|it| it.next);
    let until = match (next, registration.and_then(|it| it.expires)) {
        (Some(at), _) if at > now => format!(" until {}", time(at)),
        (_, Some(at)) => format!(", until it reports itself; it is forgotten at {}", time(at)),
        _ => String::new(),
    };
    let closed = registration.and_then(|it| it.awake_until);
    let window = match closed {
        Some(at) => format!(" (queue mode, awake window closed {})", time(at)),
        None => " (queue mode)".to_owned(),
    };
    let queued = registration
        .map(|it| it.queued.as_slice())
        .unwrap_or_default();
    let waits = match (queued, registration) {
        ([], None) => String::new(),
        ([], Some(_)) => "; nothing is queued for it".to_owned(),
        ([one], _) => format!("; {one} is queued for it"),
        ([first, more @ ..], _) => {
            format!("; {first} and {} more are queued for it", more.len())
        }
    };
    let overdue = registration
        .and_then(|it| it.expires)
        .is_some_and(|at| at <= now);
    let verdict = match overdue {
        true => "; it should have been heard of before now",
        false => "; nothing is wrong yet",
    };
    format!("device {name} sleeps{until}{window}{waits}{verdict}")
}

/// A request on its way, or refused.
fn exchange(device: &Device, said: &mut Vec<String>) {
    let name = &device.name;
    let asking = device
        .server
        .as_ref()
        .and_then(|it| it.registration.as_ref())
        .and_then(|it| it.asking.as_ref());
    match (&device.air.open, asking) {
        (Some(open), _) if open.up => said.push(format!(
            "device {name} asks the server for {} since {} and has no answer: {}",
            open.what,
            time(open.first),
            fate(open)
        )),
        (Some(open), asking) => {
            let what = asking.unwrap_or(&open.what);
            said.push(format!(
                "the server waits for device {name} to answer {what} since {}: {}",
                time(open.first),
                fate(open)
            ));
        }
        (None, Some(asking)) => said.push(format!(
            "the server waits for device {name} to answer {asking}"
        )),
        (None, None) => {}
    }
    if let Some(refused) = &device.air.refused {
        let (what, code, at) = (&refused.what, &refused.code, time(refused.at));
        said.push(match refused.up {
            true => format!("the server answered {what} of device {name} with {code} at {at}"),
            false => format!("device {name} answered {what} with {code} at {at}"),
        });
    }
}

/// What became of a request and its answers, as the link tells it.
fn fate(open: &Open) -> String {
    let times = match open.sent {
        1 => "sent once".to_owned(),
        sent => format!("sent {sent} times, last at {}", time(open.last)),
    };
    let lost = |count: u32| match count {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    };
    match (open.lost, open.answers_lost) {
        (0, 0) => format!("{times}, and it arrived"),
        (gone, 0) if gone == open.sent => format!("{times}, and lost on the way each time"),
        (gone, 0) => format!("{times}, lost on the way {}", lost(gone)),
        (0, back) => format!(
            "{times}; it arrived, and its acknowledgement was lost on the way {}",
            lost(back)
        ),
        (gone, back) => format!(
            "{times}, lost on the way {}, and its acknowledgement {}",
            lost(gone),
            lost(back)
        ),
    }
}

/// How its update stands.
fn update(device: &Device, now: UnixMillis, present: bool, said: &mut Vec<String>) {
    let name = &device.name;
    let update = device.server.as_ref().and_then(|it| it.update.as_ref());
    if let Some(itself) = &device.itself {
        let result = UpdateResult::from_number(itself.result);
        if result.is_none_or(UpdateResult::is_failure) && itself.state == 0 {
            let result = result.map_or("unknown", UpdateResult::name);
            let number = itself.result;
            said.push(format!(
                "device {name} refused the image: its Update Result (/5/0/5) is {number}, {result}"
            ));
        }
        if !itself.faults.is_empty() {
            let faults = itself.faults.join("`, `");
            said.push(format!("device {name} acts as it was told to: `{faults}`"));
        }
    }
    if let Some(update) = update.filter(|it| it.state == "failed") {
        said.push(format!(
            "the server gave up its update of {name}: {}",
            update.last
        ));
        return;
    }
    let running = update.filter(|it| it.state != "succeeded");
    let moving = update.is_none() || running.is_some_and(|it| it.what != "install");
    if let Some(transfer) = device.air.transfer.as_ref().filter(|_| moving) {
        said.extend(self::transfer(name, transfer, now, running));
    }
    if let Some(update) = running {
        said.extend(waits(device, update, now, present));
    } else if update.is_none() && present && device.itself.as_ref().is_some_and(|it| it.state == 2)
    {
        said.push(format!(
            "device {name} has the whole image and waits to be told to install it (Execute /5/0/2)"
        ));
    }
}

fn transfer(
    name: &str,
    transfer: &Transfer,
    now: UnixMillis,
    update: Option<&Update>,
) -> Option<String> {
    let still = now - transfer.at;
    let (bytes, path, at) = (transfer.bytes, &transfer.path, time(transfer.at));
    if transfer.whole {
        return None;
    }
    if still >= STALLED {
        return Some(format!(
            "the transfer of {path} with device {name} stands still: {bytes} bytes have crossed, \
             the last block at {at}, {} ago",
            duration(still)
        ));
    }
    let under_way = update.is_none_or(|it| it.state == "downloading");
    under_way.then(|| {
        format!(
            "{path} is on its way between the server and device {name}: {bytes} bytes have \
             crossed, the last block at {at}"
        )
    })
}

/// What the server says that its update waits for.
fn waits(device: &Device, update: &Update, now: UnixMillis, present: bool) -> Option<String> {
    let name = &device.name;
    let until = match (update.until, update.deadline) {
        (Some(until), Some(deadline)) => format!(
            "; it looks again at {}, and gives up at {}",
            time(until),
            far(now, deadline)
        ),
        (None, Some(deadline)) => format!("; it gives up at {}", far(now, deadline)),
        (Some(until), None) => format!("; it looks again at {}", time(until)),
        (None, None) => String::new(),
    };
    let state = &update.state;
    let of = format!("the server's update of {name} is {state} and waits for");
    Some(match update.what.as_str() {
        "registration" => format!("{of} the device to register{until}"),
        "registration after the install" => {
            format!("{of} the device to come back after it was told to install{until}")
        }
        "install" => {
            let itself = device.itself.as_ref().filter(|it| it.state == 3);
            let since = itself.and_then(|it| it.changed);
            let since = since.map_or_else(String::new, |at| {
                format!(", which it does since {}", time(at))
            });
            format!("{of} the device to install{since}{until}")
        }
        "download" => format!("{of} the whole image to be there{until}"),
        "pause" => match update.until {
            Some(at) => format!("{of} nothing but time: it asks again at {}", time(at)),
            None => format!("{of} nothing but time"),
        },
        "answer" if present => {
            // What is asked was said already, where it is on the wire.
            if device.air.open.is_some() {
                return None;
            }
            let asked = update.asked.as_deref().unwrap_or("what it asked");
            format!("{of} the answer to {asked}{until}")
        }
        "answer" => match &update.asked {
            Some(asked) => format!("{of} the device to hear {asked}{until}"),
            None => format!("{of} the device to hear it{until}"),
        },
        "soak" => format!("{of} the old version to stay away{until}"),
        _ => return None,
    })
}

/// It is there, and nobody wants anything.
fn nothing(device: &Device) -> String {
    let name = &device.name;
    let version = device.itself.as_ref().map_or("", |it| it.version.as_str());
    let runs = match version {
        "" => String::new(),
        version => format!(", runs {version}"),
    };
    match &device.server {
        Some(server) if server.update.is_none() => format!(
            "device {name} is registered and listens{runs}, and the server has no update for it and \
             asks nothing of it"
        ),
        Some(_) => format!(
            "device {name} is registered and listens{runs}, its last update has succeeded, and the \
             server asks nothing of it"
        ),
        None => match device.air.heard {
            Some(at) => format!(
                "device {name} was last heard of at {}, and no request is open between it and the \
                 server",
                time(at)
            ),
            None => format!("nothing was heard of device {name}"),
        },
    }
}

/// A time of the scenario's clock: `12:04:33`.
pub(super) fn time(at: UnixMillis) -> String {
    let seconds = at.div_euclid(1_000).rem_euclid(86_400);
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}", seconds % 60)
}

/// The same of what may be days away.
fn far(now: UnixMillis, at: UnixMillis) -> String {
    match (at - now) / 86_400_000 {
        0 => time(at),
        1 => format!("{}, a day from now", time(at)),
        days => format!("{}, {days} days from now", time(at)),
    }
}

fn duration(millis: UnixMillis) -> String {
    let seconds = millis / 1_000;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3_600),
    }
}
