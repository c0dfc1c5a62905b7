//! What the endpoint for devices tells, for whom it is.

use std::{sync::Arc, time::Duration};

use fotalab_wire::{coap::Code, net::UnixMillis};
use serde_json::json;

use crate::{
    core::{
        devices::Identity,
        firmware::{Outcome as Heard, VERSION},
    },
    images::{self, Use},
    lwm2m::{Outcome, Registered, Ticket, Told, json},
    remember, reports,
    server::{Server, State},
    tasks,
};

pub(super) fn take(server: &Arc<Server>, state: &mut State, now: UnixMillis, told: Told) {
    match told {
        Told::Registered { endpoint } => {
            if state.registry.device(&endpoint).is_none() {
                // One too many is still served on the air.
                // Its registration is remembered, so it is too.
                let _full = state.registry.put_device(&endpoint, Identity::default());
            }
            remember::registration(&*server.store, state, &endpoint);
            state
                .feed
                .tell("registered", &json!({"endpoint": endpoint}));
            let air = state.air.as_ref();
            let registered = air.and_then(|air| air.registered(&endpoint));
            if let Some(arrival) = registered.map(Registered::arrival) {
                state.firmware.registered(now, &endpoint, arrival);
            }
            reports::seen(state, now, &endpoint, true);
        }
        Told::Observed { endpoint } => {
            remember::registration(&*server.store, state, &endpoint);
        }
        Told::Updated { endpoint } => {
            remember::registration(&*server.store, state, &endpoint);
            state.feed.tell("updated", &json!({"endpoint": endpoint}));
            state.firmware.uplink(now, &endpoint);
            reports::seen(state, now, &endpoint, false);
        }
        Told::Asked {
            exchange,
            between,
            message,
        } => reports::asked(server, state, now, exchange, between, &message),
        Told::Left { endpoint, expired } => {
            let event = if expired { "expired" } else { "deregistered" };
            state.feed.tell(event, &json!({"endpoint": endpoint}));
            remember::device(&*server.store, state, &endpoint);
            remember::registration(&*server.store, state, &endpoint);
            state.firmware.left(&endpoint);
            state.inspections.forget(&endpoint);
        }
        Told::HandshakeFailed { address, why } => {
            let document = json!({"address": address.to_string(), "detail": why});
            state.feed.tell("handshakeFailed", &document);
        }
        Told::Heard { endpoint } => {
            state.firmware.heard(now, &endpoint);
            state.firmware.uplink(now, &endpoint);
        }
        Told::Value {
            endpoint,
            path,
            value,
            sent,
        } => {
            let document = json!({
                "endpoint": endpoint,
                "path": path.to_string(),
                "value": json::of(&value),
                "by": if sent { "send" } else { "observation" },
            });
            state.feed.tell("notification", &document);
            if path == VERSION {
                remember_version(server, state, &endpoint, value.as_str());
            }
            state.firmware.notified(now, &endpoint, path, &value);
            state.firmware.uplink(now, &endpoint);
        }
        Told::Block {
            exchange,
            image,
            range,
        } => {
            // It was there when the request came.
            if let Some(found) = state.images.get(&image).cloned() {
                let wanted = Use::Block { exchange, image };
                images::bring(server, state, now, &found, (wanted, range));
            }
        }
        Told::Wanted {
            ticket: Ticket::Update { update, .. },
            request,
            offset,
        } => {
            let image = state.firmware.get(&update).map(|it| &it.wanted.image);
            let image = image.and_then(|it| state.images.get(it)).cloned();
            match (image, state.air.as_mut()) {
                (Some(image), _) => {
                    let rest = (Use::More { request }, offset..image.length);
                    images::bring(server, state, now, &image, rest);
                }
                (None, Some(air)) => air.give_up(now, request),
                (None, None) => {}
            }
        }
        Told::Wanted { .. } => {}
        Told::Done { ticket, outcome } => match ticket {
            Ticket::Update { update, serial } => {
                if let Outcome::Answered(answer) = &outcome {
                    for (path, value) in answer.values() {
                        state.firmware.learned(&update, serial, path, &value);
                    }
                }
                let heard = heard(&outcome);
                if let Some(device) = state
                    .firmware
                    .get(&update)
                    .map(|it| it.wanted.device.clone())
                {
                    note_version(server, state, &device, &outcome);
                }
                state.firmware.answered(now, &update, serial, heard);
            }
            Ticket::Task(serial) => tasks::answered(state, now, serial, outcome),
            Ticket::Look(device) => note_version(server, state, &device, &outcome),
            Ticket::Inspection { endpoint, serial } if matches!(outcome, Outcome::Gone) => {
                state.inspections.cut(&endpoint, serial);
            }
            Ticket::Inspection { endpoint, serial } => {
                note_version(server, state, &endpoint, &outcome);
                let values = match &outcome {
                    Outcome::Answered(answer) if answer.code.is_success() => Some(answer.values()),
                    _ => None,
                };
                let inspections = &mut state.inspections;
                inspections.answered(now, &endpoint, serial, values.as_deref());
            }
            Ticket::Admin(id) => {
                if let Some((device, sender)) = state.operations.remove(&id) {
                    note_version(server, state, &device, &outcome);
                    let _gone = sender.send(outcome);
                }
            }
            Ticket::Nobody => {}
        },
    }
}

fn note_version(server: &Server, state: &mut State, device: &str, outcome: &Outcome) {
    if let Outcome::Answered(answer) = outcome {
        for (path, value) in answer.values() {
            if path == VERSION {
                remember_version(server, state, device, value.as_str());
            }
        }
    }
}

fn remember_version(server: &Server, state: &mut State, id: &str, version: Option<&str>) {
    let device = state.registry.device_mut(id);
    if let (Some(version), Some(device)) = (version, device)
        && device.reported_version.as_deref() != Some(version)
    {
        device.reported_version = Some(version.to_owned());
        remember::device(&*server.store, state, id);
    }
}

/// An outcome as the engine takes it: what does not decode says nothing.
fn heard(outcome: &Outcome) -> Heard {
    match outcome {
        Outcome::Answered(answer) if answer.code == Code::SERVICE_UNAVAILABLE => {
            let seconds = answer.max_age.map(u64::from);
            Heard::Busy(seconds.map(Duration::from_secs))
        }
        Outcome::Answered(answer) => {
            let values = answer.values().into_iter().map(|(_, value)| value);
            Heard::Answered(answer.code, values.collect())
        }
        Outcome::Silent => Heard::Silent,
        Outcome::Rejected => Heard::Rejected,
        Outcome::Gone => Heard::Gone,
    }
}
