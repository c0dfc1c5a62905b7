//! Gets the facts: asks the server as a third party would, the mocked cloud, the devices, the wire.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use fotalab_simulators::device::Phase;
use fotalab_wire::net::{UnixMillis, http as client};
use http::{Request, StatusCode, header};
use serde_json::Value;
use tokio::time::timeout;

use super::{
    facts::{Asked, AtServer, Device, Facts, Itself, Registration, Update, Upstream},
    wire,
};
use crate::{
    air::{Air, Known},
    run::{Lab, StepRecord},
};

/// Devices that are looked at.
const MAX_DEVICES: usize = 3;
/// The longest answer of an admin face that is read.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;
/// How long an admin face may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// All that can be known about a step that waited in vain.
pub(super) async fn collect(lab: &mut Lab, record: &StepRecord) -> Facts {
    let now = lab.now();
    let mut facts = Facts {
        now,
        messages: record.messages.1.saturating_sub(record.messages.0),
        upstream: upstream(lab, record),
        ..Facts::default()
    };
    (facts.refusals, facts.websocket_closed) = lab.trace().look(|messages| {
        (
            wire::refusals(messages, record.messages),
            wire::websocket_closed(messages),
        )
    });
    if !record.title.to_ascii_lowercase().contains("websocket") {
        facts.websocket_closed = None;
    }
    let (known, more) = devices(lab, record);
    facts.more_devices = more;
    let admin = Admin::of(lab);
    for device in known {
        let mut about = Device {
            name: device.name.clone(),
            ..Device::default()
        };
        about.air = lab.trace().look(|it| wire::on_air(it, &device.name, now));
        about.itself = itself(lab, &device, now).await;
        if let Some(admin) = &admin {
            match admin.device(lab, &device.endpoint).await {
                Ok(at_server) => {
                    about.server = Some(at_server);
                    facts.server = Asked::Yes;
                }
                Err(why) => facts.server = Asked::Silent(why),
            }
        }
        facts.devices.push(about);
    }
    facts
}

/// The devices that a sentence names, else all that there are, and how many more. Of many, only
/// those that the last attempt complained about.
fn devices(lab: &mut Lab, record: &StepRecord) -> (Vec<Known>, usize) {
    let Some(air) = Air::in_use(lab) else {
        return (Vec::new(), 0);
    };
    let named: Vec<Known> = record
        .title
        .split('`')
        .skip(1)
        .step_by(2)
        .flat_map(|it| air.named(it))
        .collect();
    let mut devices = match named.as_slice() {
        [] => air.known().to_vec(),
        _ => named,
    };
    let last = record.attempts.last().and_then(|it| it.mismatch.as_ref());
    let notes = last.into_iter().flat_map(|it| &it.notes);
    let complained: BTreeSet<&str> = notes
        .filter_map(|it| it.split_once(": "))
        .map(|it| it.0)
        .collect();
    let all = devices.len();
    if devices
        .iter()
        .any(|it| complained.contains(it.name.as_str()))
    {
        devices.retain(|it| complained.contains(it.name.as_str()));
    }
    devices.truncate(MAX_DEVICES);
    let more = all - devices.len();
    (devices, more)
}

async fn itself(lab: &mut Lab, device: &Known, now: UnixMillis) -> Option<Itself> {
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
        let struck = firmware.struck().iter();
        Some(Itself {
            on: device.is_on(),
            was_on: device.starts() > 0,
            registered: device.phase() == Phase::Registered,
            registering: device.phase() == Phase::Registering,
            asleep: device.is_asleep(at),
            next: next.map(time),
            state: firmware.state().number(),
            result: firmware.outcome().number(),
            changed: firmware.changed_at().map(time),
            version: firmware.running().to_owned(),
            faults: struck.map(|(fault, _)| fault.to_string()).collect(),
        })
    });
    seen.await.ok().flatten()
}

fn upstream(lab: &Lab, record: &StepRecord) -> Upstream {
    let target = lab.target();
    let Some(cloud) = target.cloud() else {
        return Upstream::default();
    };
    let mut unexpected: BTreeMap<String, (u32, Option<String>)> = BTreeMap::new();
    let mut failing = BTreeMap::new();
    // What was called before this step counts too: a server may have given up since.
    for call in cloud.journal() {
        let path = call.target.split('?').next().unwrap_or_default();
        let what = format!("{} {path}", call.method);
        if call.answered.unexpected {
            let closest = || {
                let answer = cloud.closest_answer(&call)?.answer;
                Some(format!("{} {}", answer.method, answer.path))
            };
            let entry = unexpected.entry(what).or_insert_with(|| (0, closest()));
            entry.0 += 1;
        } else if call.answered.status >= 400 {
            failing.insert(what, call.answered.status);
        } else {
            failing.remove(&what);
        }
    }
    let leftovers = cloud.leftovers().into_iter();
    // Answers are queued for what comes later too: they matter to who waits for a call.
    let about_calls = record.title.contains("have been called");
    Upstream {
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

/// The neutral face of the server under test (`ADMINURL`).
struct Admin {
    url: String,
    token: String,
}

impl Admin {
    fn of(lab: &Lab) -> Option<Self> {
        let text = |name: &str| lab.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            url: text("ADMINURL")?,
            token: text("ADMINTOKEN")?,
        })
    }

    async fn device(&self, lab: &Lab, endpoint: &str) -> Result<AtServer, String> {
        let Some(device) = self.get(lab, &format!("/devices/{endpoint}")).await? else {
            return Ok(AtServer::default());
        };
        let update = device["update"]["id"].as_str();
        let update = match update {
            Some(id) => self.get(lab, &format!("/updates/{id}")).await?,
            None => None,
        };
        let registration = Some(&device["registration"]).filter(|it| it.is_object());
        Ok(AtServer {
            known: true,
            registration: registration.map(registration_of),
            update: update.as_ref().map(update_of),
        })
    }

    /// `None` for what the server does not know.
    async fn get(&self, lab: &Lab, path: &str) -> Result<Option<Value>, String> {
        let request = Request::get(format!("{}{path}", self.url))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .body(Bytes::new())
            .map_err(|error| error.to_string())?;
        let network = lab.network();
        let answer = client::send(&*network, request, MAX_ANSWER_BYTES);
        let answer = timeout(PATIENCE, answer).await;
        let answer = answer.map_err(|_| "it took too long".to_owned())?;
        let answer = answer.map_err(|error| error.to_string())?;
        match answer.status() {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => serde_json::from_slice(answer.body())
                .map(Some)
                .map_err(|error| format!("it answered what is not JSON: {error}")),
            status => Err(format!("it answered {status}")),
        }
    }
}

fn registration_of(json: &Value) -> Registration {
    let texts = json["queued"].as_array().into_iter().flatten();
    Registration {
        asleep: json["asleep"] == true,
        awake_until: instant(&json["awakeUntil"]),
        expires: instant(&json["expires"]),
        asking: json["asking"].as_str().map(str::to_owned),
        queued: texts.filter_map(Value::as_str).map(str::to_owned).collect(),
    }
}

fn update_of(json: &Value) -> Update {
    let text = |it: &Value| it.as_str().map(str::to_owned);
    let waits = &json["waitsFor"];
    let history = json["history"].as_array();
    let last = history.and_then(|it| it.last()).map(|it| &it["detail"]);
    Update {
        state: text(&json["state"]).unwrap_or_default(),
        what: text(&waits["what"]).unwrap_or_default(),
        asked: text(&waits["asked"]),
        until: instant(&waits["until"]),
        deadline: instant(&waits["deadline"]),
        last: last.and_then(text).unwrap_or_default(),
    }
}

/// `2026-01-01T00:00:00.000Z`, as the admin face writes times.
fn instant(json: &Value) -> Option<UnixMillis> {
    let text = json.as_str()?.strip_suffix('Z')?;
    let (date, time) = text.split_once('T')?;
    let mut date = date.split('-').map(|it| it.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (time, millis) = time.split_once('.').unwrap_or((time, "0"));
    let mut time = time.split(':').map(|it| it.parse::<i64>().ok());
    let (hours, minutes, seconds) = (time.next()??, time.next()??, time.next()??);
    // Days since 1970 (Hinnant, days_from_civil).
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    let seconds = ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
    Some(seconds * 1_000 + millis.parse::<i64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        for (text, millis) in [
            ("1970-01-01T00:00:00.000Z", 0),
            ("2026-01-01T00:00:00.000Z", 1_767_225_600_000),
            ("2024-02-29T12:34:56.789Z", 1_709_210_096_789),
        ] {
            assert_eq!(instant(&Value::from(text)), Some(millis));
        }
        assert_eq!(instant(&Value::from("tomorrow")), None);
    }
}
