//! Updates over the air: asked for, and looked at.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Problem, fields::Fields};
use crate::{
    core::{
        firmware::{Options, Scheme, Transfer, Update, Wanted},
        time::iso,
    },
    limits,
    lwm2m::Registered,
    server::Server,
};

/// `POST /updates`: `{device, image, transfer, version}`; `version` is what the device should say
/// it runs afterwards (/3/0/3), and without it any change counts.
pub(super) fn post(server: &Arc<Server>, body: &Value) -> Result<Value, Problem> {
    let mut fields = Fields::of(body, &["device", "image", "transfer", "version"]);
    for required in ["device", "image"] {
        if !fields.has(required) {
            fields.mistake(required, "Expected required property");
        }
    }
    let longest = limits::MAX_NAME_BYTES;
    let device = fields.text("device", longest, |_| Ok(()));
    let image = fields.text("image", longest, |_| Ok(()));
    let version = fields.text("version", longest, |_| Ok(()));
    let transfer = fields.text("transfer", longest, |text| {
        Transfer::parse(text).map(|_| ())
    });
    fields.finish()?;
    let (Some(device), Some(image)) = (device, image) else {
        return Err(Problem::validation(
            &["/: Expected device and image".into()],
        ));
    };
    let transfer = transfer.and_then(|it| Transfer::parse(&it).ok());
    server.change(|state, now| {
        if state.air.is_none() {
            return Err(Problem::conflict("This server is not reached over the air"));
        }
        if state.registry.device(&device).is_none() {
            return Err(Problem::not_found("No device found with ID!").detail(device));
        }
        let Some(length) = state.images.get(&image).map(|it| it.length) else {
            return Err(Problem::not_found("No image found with ID!").detail(image));
        };
        if transfer == Some(Transfer::PullBy(Scheme::Coaps)) && server.sockets.secured.is_none() {
            return Err(Problem::conflict("This server is not reached over coaps"));
        }
        let slot = state
            .registry
            .device(&device)
            .and_then(|it| it.identity.slot);
        let air = state.air.as_ref();
        let registered = air
            .and_then(|air| air.registered(&device))
            .map(Registered::arrival);
        let wanted = Wanted {
            device,
            image,
            length,
            slot,
            version,
            transfer: transfer.unwrap_or_default(),
            options: Options::default(),
            asked_by: None,
        };
        let created = state.firmware.create(now, wanted, registered);
        let created = created.map_err(|busy| {
            let detail = format!("The update {} has not ended.", busy.update);
            Problem::conflict("The device is being updated").detail(detail)
        });
        created.map(|it| json!({"id": it.id, "state": it.state.name()}))
    })
}

/// `DELETE /updates/{id}`: takes an update back. It ends as `failed` once the device has answered
/// Cancel (/5/0/10, result 10) or, where it has none, the reset; 409 when it has ended, or when the
/// device installs.
pub(super) fn delete(server: &Arc<Server>, id: &str) -> Result<Value, Problem> {
    let cancelled = server.change(|state, now| state.firmware.cancel(now, id));
    let unknown = || Problem::not_found("No update found with ID!").detail(id);
    match cancelled.ok_or_else(unknown)? {
        Ok(()) => get(server, id),
        Err(why) => {
            let problem = Problem::conflict("The update cannot be cancelled");
            Err(problem.detail(why.to_string()))
        }
    }
}

/// `GET /updates/{id}`.
pub(super) fn get(server: &Server, id: &str) -> Result<Value, Problem> {
    let state = server.state();
    let update = state.firmware.get(id);
    let unknown = || Problem::not_found("No update found with ID!").detail(id);
    update.map(whole).ok_or_else(unknown)
}

/// All of an update but its history.
pub(super) fn short(update: &Update) -> Value {
    json!({
        "id": update.id,
        "device": update.wanted.device,
        "image": update.wanted.image,
        "state": update.state.name(),
        "result": update.result,
    })
}

fn whole(update: &Update) -> Value {
    let mut document = short(update);
    let history = update.history.iter().map(|entry| {
        json!({
            "at": iso(entry.at),
            "state": entry.state.name(),
            "detail": entry.detail,
        })
    });
    document["history"] = history.collect();
    let waits = update.waits();
    document["waitsFor"] = json!({
        "what": waits.what,
        "asked": waits.asked,
        "until": waits.until.map(iso),
        "deadline": waits.deadline.map(iso),
    });
    document
}
