//! Gets the facts: asks the server, the mocked cloud, the devices, and the wire.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Duration,
};

use fotalab_simulators::device::{Phase, Speaks};
use fotalab_wire::net::UnixMillis;

use super::{
    admin::Admin,
    calls,
    chosen::{devices, names, rank},
    facts::{Asked, Device, Facts, Itself, Link, OnAir, Upstream},
    wire,
};
use crate::{
    air::{Air, Known, server_of},
    run::{Lab, StepRecord},
};

/// From this share of datagrams on, a link loses all.
const ALL: f64 = 1.0;

/// All that can be known about a step that waited in vain.
pub(super) async fn collect(lab: &mut Lab, record: &StepRecord) -> Facts {
    let now = lab.now();
    let title = record.title.to_ascii_lowercase();
    let told = record.block.as_deref().unwrap_or_default();
    let mut facts = Facts {
        now,
        messages: record.messages.1.saturating_sub(record.messages.0),
        forgotten: lab.trace().dropped(),
        upstream: upstream(lab, record),
        about_registration: title.contains("regist") || told.contains("expired"),
        about_answer: title.contains("last response"),
        about_sleep: title.contains("asleep"),
        about_observing: title.contains("observ") || told.contains("notification"),
        ..Facts::default()
    };
    lab.trace().look(|messages| {
        facts.refusals = calls::refusals(messages, record.messages);
        facts.rest = calls::asked(messages, record.messages);
        let about_it = title.contains("websocket");
        let refuses = title.contains("should refuse");
        facts.let_in = about_it && refuses && calls::let_in(messages, record.messages);
        facts.websocket = (about_it && !refuses).then(|| calls::websocket(messages));
    });
    let (known, others, complained) = devices(lab, record);
    let ports = ports(lab);
    let admin = Admin::of(lab);
    for device in known {
        let mut about = Device {
            name: device.name.clone(),
            link: link(lab, &device),
            ..Device::default()
        };
        about.air = lab.trace().look(|it| wire::on_air(it, &device.name, now));
        strangers(lab, &mut about.air, &ports);
        about.itself = itself(lab, &device, now, &ports).await;
        if let Some(admin) = &admin {
            match admin.device(lab, &device.endpoint).await {
                Ok(at_server) => {
                    about.server = Some(at_server);
                    if facts.server == Asked::NoFace {
                        facts.server = Asked::Yes;
                    }
                }
                Err(why) => facts.server = Asked::Silent(why),
            }
        }
        facts.devices.push(about);
    }
    facts.others = rank(&mut facts.devices, others, complained);
    facts.devices.extend(peers(lab, record, now));
    facts
}

/// The scripted peers that a sentence names.
fn peers(lab: &mut Lab, record: &StepRecord, now: UnixMillis) -> Vec<Device> {
    let Some(air) = Air::in_use(lab) else {
        return Vec::new();
    };
    let known: BTreeSet<&str> = air.known().iter().map(|it| it.name.as_str()).collect();
    let peers: Vec<String> = names(record)
        .filter(|it| !known.contains(it))
        .map(str::to_owned)
        .collect();
    let peers = peers.into_iter().map(|name| Device {
        air: lab.trace().look(|it| wire::of_peer(it, &name, now)),
        name,
        peer: true,
        ..Device::default()
    });
    peers
        .filter(|it| it.air.messages + it.air.records > 0)
        .collect()
}

/// What steps did to the link of a device.
fn link(lab: &mut Lab, device: &Known) -> Link {
    let Some(air) = Air::in_use(lab) else {
        return Link::default();
    };
    let seen = air.seen();
    let conditions = seen.conditions();
    let options = conditions.numbered(conditions.number_of(device.party));
    Link {
        up_cut: conditions.is_cut(device.party, true),
        down_cut: conditions.is_cut(device.party, false),
        loses_all: options.loss >= ALL,
        nat: options.nat_idle.is_some(),
    }
}

/// A device by itself.
async fn itself(lab: &mut Lab, device: &Known, now: UnixMillis, ports: &[u16]) -> Option<Itself> {
    let ports = ports.to_vec();
    let handle = Air::in_use(lab)?.handle();
    let index = device.index;
    let seen = handle.fleet(move |fleet, at| {
        // The devices' clock began with their world.
        let time = |it: Duration| {
            let ahead = |it: Duration| i64::try_from(it.as_millis()).unwrap_or(i64::MAX);
            now.saturating_add(ahead(it) - ahead(at))
        };
        let next = fleet.with(at, index, |it| it.poll_timeout()).flatten();
        let device = fleet.device(index)?;
        let firmware = device.firmware();
        let server = device.server().address;
        // Polls go to a URL of their own.
        let by_coap = device.speaks() != Speaks::Iotaap && !ports.is_empty();
        Some(Itself {
            on: device.is_on(),
            was_on: device.starts() > 0,
            radio_off: device.is_offline(),
            speaks: device.speaks(),
            elsewhere: (by_coap && !ports.contains(&server.port())).then_some(server),
            registered: device.phase() == Phase::Registered,
            registering: device.phase() == Phase::Registering,
            asleep: device.is_asleep(at),
            starts: next.filter(|_| !device.is_on()).map(time),
            reports: device.reports_at().map(time),
            state: firmware.state().number(),
            result: firmware.outcome().number(),
            changed: firmware.changed_at().map(time),
            version: firmware.running().to_owned(),
            faults: firmware.struck_in_words().map(|(words, _)| words).collect(),
        })
    });
    seen.await.ok().flatten()
}

/// Where the server under test listens for devices.
fn ports(lab: &Lab) -> Vec<u16> {
    let urls = ["COAPURL", "COAPSURL"].into_iter();
    let servers = urls.filter_map(|it| server_of(lab.get(it)?.as_str()?).ok());
    servers.map(|it| it.address.port()).collect()
}

/// Names those at the other end who are not the server under test.
fn strangers(lab: &mut Lab, air: &mut OnAir, ports: &[u16]) {
    let Some(room) = Air::in_use(lab).filter(|_| !ports.is_empty()) else {
        return;
    };
    let seen = room.seen();
    let name = |other: Option<SocketAddr>| {
        let other = other.filter(|it| !ports.contains(&it.port()))?;
        let party = seen.who(other).and_then(|it| seen.names().nth(it));
        Some(party.map_or_else(|| other.to_string(), |it| format!("peer {it}")))
    };
    if let Some(open) = &mut air.open {
        open.stranger = name(open.other);
    }
    if let Some(refused) = &mut air.refused {
        refused.stranger = name(refused.other);
    }
}

fn upstream(lab: &Lab, record: &StepRecord) -> Upstream {
    let target = lab.target();
    let Some(cloud) = target.cloud() else {
        return Upstream::default();
    };
    let mut unexpected: BTreeMap<String, (u32, Option<String>)> = BTreeMap::new();
    let mut failing = BTreeMap::new();
    let mut last = None;
    let mut held = None;
    let now = lab.now();
    // What was called before this step counts too: a server may have given up since.
    for call in cloud.journal() {
        let what = format!("{} {}", call.method, call.path);
        let answered = &call.answered;
        last = Some((what.clone(), call.at, answered.status));
        let after = answered.after.and_then(|it| it.as_millis().try_into().ok());
        let until = call.at.saturating_add(after.unwrap_or(0));
        if until > now {
            held = Some((what.clone(), call.at, until));
        }
        if answered.unexpected {
            let closest = cloud.closest_answer(&call).map(|closest| {
                let answer = &closest.answer;
                let differs = match closest.differences.first() {
                    Some(difference) => format!(" ({difference})"),
                    None => " (it was given as often as it may)".to_owned(),
                };
                format!("{} {}{differs}", answer.method, answer.path)
            });
            let entry = unexpected.entry(what).or_default();
            *entry = (entry.0 + 1, closest);
            continue;
        }
        // It found an answer since.
        unexpected.remove(&what);
        if answered.status >= 400 {
            failing.insert(what, answered.status);
        } else {
            failing.remove(&what);
        }
    }
    let leftovers = cloud.leftovers().into_iter();
    // Answers are queued for what comes later too: they matter to who waits for a call.
    let words = ["have been called", "should be left", "been requested"];
    let about_calls = words.iter().any(|it| record.title.contains(it));
    Upstream {
        last,
        held,
        unexpected: unexpected
            .into_iter()
            .map(|(what, (times, closest))| (what, times, closest))
            .collect(),
        leftovers: leftovers
            .filter(|_| about_calls)
            .map(|it| format!("{} {}", it.answer.method, it.answer.path))
            .collect(),
        failing: failing.into_iter().collect(),
    }
}
