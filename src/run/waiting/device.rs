//! A device's part: whether it is there and listens, and how it stands with the server.

use fotalab_simulators::device::Speaks;

use super::{
    exchange,
    facts::{Device, Facts, Itself, Link, Registration},
    registration::unregistered,
    update,
    words::time,
};

/// What keeps this device, or the server with it.
pub(super) fn explain(device: &Device, facts: &Facts) -> Vec<String> {
    if device.peer {
        return vec![exchange::of_peer(device, facts)];
    }
    let now = facts.now;
    let mut said = Vec::new();
    let present = presence(device, facts, &mut said);
    let itself = device.itself.as_ref();
    let elsewhere = itself.is_some_and(|it| it.elsewhere.is_some() && it.registered);
    if present || elsewhere {
        exchange::explain(device, now, &mut said);
    }
    update::explain(device, now, present, &mut said);
    if said.is_empty() {
        said.push(nothing(device, facts));
        let at_server = device.server.as_ref();
        let registration = at_server.and_then(|it| it.registration.as_ref());
        // A NAT gives it another address, which harms nobody who asks nothing.
        said.extend(exchange::moved(device, registration).filter(|_| !device.link.nat));
        said.extend(update::was_told(device));
    }
    said
}

/// Whether it is there and listens; says why not.
fn presence(device: &Device, facts: &Facts, said: &mut Vec<String>) -> bool {
    let name = &device.name;
    let itself = device.itself.as_ref();
    if let Some(itself) = itself {
        if let Some(away) = away(name, itself, facts) {
            said.push(away);
            said.extend(kept(device, facts).filter(|_| facts.about_registration));
            return false;
        }
        match device.link {
            Link {
                up_cut: true,
                down_cut: true,
                ..
            } => {
                said.push(format!(
                    "device {name} is offline, and no step has brought it back online"
                ));
                said.extend(kept(device, facts).filter(|_| facts.about_registration));
                return false;
            }
            Link { up_cut: true, .. } => said.push(format!(
                "what device {name} sends gets nowhere: a step took it offline, and it can still \
                 receive"
            )),
            Link { down_cut: true, .. } => said.push(format!(
                "nothing reaches device {name}: a step took it offline, and it can still send"
            )),
            _ => {}
        }
        if let Some(server) = itself.elsewhere {
            said.push(format!(
                "device {name} has {server} as its server, which is not the server under test"
            ));
            // What crosses there is no business of the server under test.
            if !itself.registered {
                said.push(unregistered(device, facts));
            }
            return false;
        }
        if itself.speaks != Speaks::Lwm2m {
            return true;
        }
    }
    let at_server = device.server.as_ref();
    let registration = at_server.and_then(|it| it.registration.as_ref());
    let is_registered = match (itself, at_server) {
        (Some(itself), Some(_)) => itself.registered && registration.is_some(),
        (Some(itself), None) => itself.registered,
        (None, Some(_)) => registration.is_some(),
        (None, None) => device.air.heard.is_some(),
    };
    if !is_registered {
        said.push(unregistered(device, facts));
        said.extend(kept(device, facts));
        return false;
    }
    let at_server = registration.is_some_and(|it| it.asleep);
    let asleep = itself.map_or(at_server, |it| it.asleep);
    if asleep {
        said.push(sleeping(device, registration, facts));
    } else if at_server {
        let heard = match device.air.heard {
            Some(at) => format!(": it last heard of it at {}", time(facts.now, at)),
            None => String::new(),
        };
        let queued = registration.map_or_else(String::new, queued);
        said.push(format!(
            "device {name} is awake, and the server takes it for asleep{heard}{queued}"
        ));
    }
    !asleep
}

/// The server has a registration of one that is not there.
fn kept(device: &Device, facts: &Facts) -> Option<String> {
    let name = &device.name;
    let registration = device.server.as_ref()?.registration.as_ref()?;
    let until = match registration.expires {
        Some(at) => format!(", until {}", time(facts.now, at)),
        None => String::new(),
    };
    Some(format!(
        "the server has a registration of device {name} all the same{until}"
    ))
}

/// What waits for its turn.
fn queued(registration: &Registration) -> String {
    match registration.queued.as_slice() {
        [] => "; nothing is queued for it".to_owned(),
        [one] => format!("; {one} is queued for it"),
        [first, more @ ..] => format!("; {first} and {} more are queued for it", more.len()),
    }
}

/// Why it is not there at all.
fn away(name: &str, itself: &Itself, facts: &Facts) -> Option<String> {
    if itself.on {
        return itself.radio_off.then(|| {
            format!("device {name} has its radio off, and no step has switched that on again")
        });
    }
    let never_back = itself
        .faults
        .iter()
        .any(|it| it.starts_with("never comes back"));
    Some(match itself.starts {
        Some(at) if itself.state == 3 => {
            let at = time(facts.now, at);
            format!("device {name} installs its image, and is off until {at}")
        }
        Some(at) => format!("device {name} is off until {}", time(facts.now, at)),
        None if never_back => format!("device {name} is off, and does not start again by itself"),
        None if itself.was_on => {
            format!("device {name} is switched off, and no step has switched it on again")
        }
        None => format!("device {name} is switched off: no step has switched it on"),
    })
}

fn sleeping(device: &Device, registration: Option<&Registration>, facts: &Facts) -> String {
    let (name, now) = (&device.name, facts.now);
    let next = device.itself.as_ref().and_then(|it| it.reports);
    let expires = registration.and_then(|it| it.expires);
    let until = match (next, expires) {
        (Some(at), _) if at > now => format!(" until {}", time(now, at)),
        (_, Some(at)) => format!(
            ", until it reports itself; it is forgotten at {}",
            time(now, at)
        ),
        _ => String::new(),
    };
    let closed = registration.and_then(|it| it.awake_until);
    let window = match closed {
        Some(at) if at > now => format!(
            " (queue mode; the server takes it for awake until {})",
            time(now, at)
        ),
        Some(at) => format!(" (queue mode, awake window closed {})", time(now, at)),
        None => " (queue mode)".to_owned(),
    };
    let asking = registration.and_then(|it| it.asking.as_deref());
    let waits = match (registration, asking) {
        (None, _) => String::new(),
        (Some(it), Some(asking)) if it.queued.is_empty() => {
            format!("; {asking} was sent to it all the same")
        }
        (Some(it), _) => queued(it),
    };
    let overdue = expires.is_some_and(|at| at <= now);
    let Link {
        up_cut,
        down_cut,
        loses_all,
        nat: _,
    } = device.link;
    let bad_link = up_cut || down_cut || loses_all;
    let is_awaited = facts.about_sleep || registration.is_some_and(|it| !it.queued.is_empty());
    let no_update = device.server.as_ref().is_some_and(|it| it.update.is_none());
    let verdict = match overdue {
        true => "; it should have been heard of before now",
        false if bad_link || asking.is_some() => "",
        false if is_awaited => "; nothing is wrong yet",
        false if no_update => "; no update of it has begun",
        false => "",
    };
    format!("device {name} sleeps{until}{window}{waits}{verdict}")
}

/// It is there, and nobody wants anything.
fn nothing(device: &Device, facts: &Facts) -> String {
    let (name, now) = (&device.name, facts.now);
    let version = device.itself.as_ref().map_or("", |it| it.version.as_str());
    let runs = match version {
        "" => String::new(),
        version => format!(", runs {version}"),
    };
    let heard = device.air.heard.map(|at| time(now, at));
    if let Some(itself) = device
        .itself
        .as_ref()
        .filter(|it| it.speaks != Speaks::Lwm2m)
    {
        let last = match (itself.speaks, heard) {
            (Speaks::Iotaap, _) => " and polls over HTTP".to_owned(),
            (_, Some(at)) => format!(", and last reported at {at}"),
            (_, None) => ", and nothing of what it reports has arrived".to_owned(),
        };
        let next = match itself.reports.filter(|at| *at > now) {
            Some(at) => format!("; it asks again at {}", time(now, at)),
            None => String::new(),
        };
        return format!("device {name} is on{runs}{last}{next}");
    }
    let lossy = match device.link.loses_all {
        true => "; its link loses everything",
        false => "",
    };
    let Some(server) = &device.server else {
        return match heard {
            Some(at) => format!(
                "device {name} was last heard of at {at}, and no request is open between it and \
                 the server{lossy}"
            ),
            None => format!("nothing was heard of device {name}"),
        };
    };
    let registration = server.registration.as_ref();
    let awake = registration.and_then(|it| it.awake_until);
    let until = match awake.filter(|at| *at > now) {
        Some(at) => format!(" until {} (queue mode)", time(now, at)),
        None => String::new(),
    };
    let update = match &server.update {
        None => "no update of it has begun",
        Some(_) => "its last update has succeeded",
    };
    let observed = registration.map(|it| it.observed.join(", "));
    let observes = match observed.filter(|_| facts.about_observing) {
        Some(paths) if paths.is_empty() => "; the server observes nothing of it".to_owned(),
        Some(paths) => format!("; the server observes {paths} of it"),
        None => String::new(),
    };
    format!(
        "device {name} is registered and listens{until}{runs}; {update}, and the server asks \
         nothing of it{observes}{lossy}"
    )
}
