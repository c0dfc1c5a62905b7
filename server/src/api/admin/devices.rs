//! Devices: who they are, and what they reported.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Problem, fields::Fields, updates};
use crate::{
    air,
    api::hello::is_fingerprint,
    core::{
        devices::{Device, Identity, NotTaken, UNSUPPORTED_MODEL},
        keys,
        time::iso,
        updates::{State, Update},
        upgrade_path::Target,
    },
    limits,
    lwm2m::{Downlink, Registered},
    remember,
    server::Server,
};

/// The account of a device that names none (contract 4).
const DEFAULT_ACCOUNT: &str = "nordic";
/// Larger slots than 4 GiB have no firmware.
const MAX_SLOT_BYTES: u64 = 1 << 32;
const FIELDS: &[&str] = &[
    "fingerprint",
    "model",
    "account",
    "psk",
    "pskIdentity",
    "imei",
    "imsi",
    "address",
    "groups",
    "slot",
];

/// `PUT /devices/{endpoint}`: replaces what is known of a device, not what it reported.
///
/// `{fingerprint, model, account, imei, imsi, groups, slot, psk, pskIdentity}`, all as may be. `slot` is
/// the size of its firmware slot in bytes: larger images are refused. `psk` is the key that the device registers with over DTLS, 1 to 64 bytes in hexadecimal, and `pskIdentity`
/// the identity that it gives, if that is not its endpoint name. A device with a key registers over
/// DTLS only; with another key, or none, its sessions end.
pub(super) fn put(server: &Arc<Server>, id: &str, body: &Value) -> Result<Value, Problem> {
    let mut fields = Fields::of(body, FIELDS);
    if id.is_empty() || id.len() > limits::MAX_NAME_BYTES {
        fields.mistake("", "the endpoint name has 1 to 256 bytes");
    }
    let longest = limits::MAX_NAME_BYTES;
    let any = |_: &str| Ok(());
    let digits = |text: &str| {
        let fits = (6..=16).contains(&text.len()) && text.bytes().all(|it| it.is_ascii_digit());
        if fits {
            Ok(())
        } else {
            Err("is not a number of 6 to 16 digits".to_owned())
        }
    };
    let mut identity = Identity {
        fingerprint: fields.text("fingerprint", longest, |text| {
            if is_fingerprint(text) {
                Ok(())
            } else {
                Err("Expected string to match regular expression".to_owned())
            }
        }),
        model: fields.text("model", longest, any),
        account: fields.text("account", longest, any),
        psk: fields.text("psk", longest, |text| {
            let most = keys::MAX_KEY_BYTES;
            match keys::read_key(text) {
                Some(_) => Ok(()),
                None => Err(format!("is no key of 1 to {most} bytes in hexadecimal")),
            }
        }),
        psk_identity: fields.text("pskIdentity", keys::MAX_IDENTITY_BYTES, any),
        imei: fields.text("imei", longest, digits),
        imsi: fields.text("imsi", longest, digits),
        address: fields.text("address", longest, |text| {
            let ip = text.parse::<std::net::IpAddr>().map(drop);
            let with_port = text.parse::<std::net::SocketAddr>().map(drop);
            let why = |_| "is neither IP nor IP:PORT".to_owned();
            ip.or(with_port).map_err(why)
        }),
        groups: fields.texts("groups"),
        slot: fields.number("slot", 1..=MAX_SLOT_BYTES),
    };
    if identity.psk_identity.is_some() && identity.psk.is_none() {
        fields.mistake("pskIdentity", "needs a `psk`");
    }
    let too_long = identity
        .psk_identity(id)
        .is_some_and(|it| it.len() > keys::MAX_IDENTITY_BYTES);
    if too_long {
        fields.mistake(
            "psk",
            "needs a `pskIdentity`: the endpoint name is too long to be one",
        );
    }
    let names_account = fields.has("account");
    fields.finish()?;
    let supported = identity
        .model
        .as_deref()
        .is_some_and(|it| it != UNSUPPORTED_MODEL);
    if identity.fingerprint.is_some() && supported && !names_account {
        identity.account = Some(DEFAULT_ACCOUNT.to_owned());
    }
    let taken = server.change(|state, now| {
        air::put_device(state, now, id, identity)?;
        remember::device(&*server.store, state, id);
        Ok(())
    });
    taken.map_err(|why| match why {
        NotTaken::FingerprintTaken => Problem::conflict("Another device has this fingerprint"),
        NotTaken::AddressTaken => Problem::conflict("Another device has this address"),
        NotTaken::IdentityTaken => Problem::conflict("Another device has this PSK identity"),
        NotTaken::Full => Problem::conflict("There are too many devices"),
    })?;
    get(server, id)
}

/// `GET /devices/{endpoint}`: what is known, without secrets, and what it reported.
pub(super) fn get(server: &Server, id: &str) -> Result<Value, Problem> {
    let state = server.state();
    let unknown = || Problem::not_found("No device found with ID!").detail(id);
    let device = state.registry.device(id).ok_or_else(unknown)?;
    let mut view = identity(device);
    view.insert("reported".into(), reported(device));
    let updates: Vec<Value> = state.updates.of_device(id).map(update).collect();
    view.insert("updates".into(), updates.into());
    let over_the_air = state.firmware.of_device(id).map(updates::short);
    let over_the_air: Vec<Value> = over_the_air.collect();
    view.insert(
        "update".into(),
        over_the_air.last().cloned().unwrap_or_default(),
    );
    view.insert("firmwareUpdates".into(), over_the_air.into());
    let registered = state.air.as_ref().and_then(|air| {
        let mut view = registration(air.registered(id)?);
        let downlink = air.downlink(server.now(), id)?;
        for (name, value) in waiting(&downlink) {
            view[name] = value;
        }
        Some(view)
    });
    view.insert("registration".into(), registered.unwrap_or_default());
    Ok(view.into())
}

fn identity(device: &Device) -> Map<String, Value> {
    let identity = &device.identity;
    let mut view = Map::new();
    view.insert("endpoint".into(), device.id.as_str().into());
    for (name, value) in [
        ("model", &identity.model),
        ("account", &identity.account),
        ("imei", &identity.imei),
        ("imsi", &identity.imsi),
        ("address", &identity.address),
    ] {
        if let Some(value) = value {
            view.insert(name.into(), value.as_str().into());
        }
    }
    view.insert("groups".into(), json!(identity.groups));
    if let Some(slot) = identity.slot {
        view.insert("slot".into(), slot.into());
    }
    view.insert(
        "hasFingerprint".into(),
        identity.fingerprint.is_some().into(),
    );
    view.insert("hasPsk".into(), identity.psk.is_some().into());
    if let Some(at) = device.hide_data_before {
        view.insert("hideDataBefore".into(), iso(at).into());
    }
    view
}

/// What a device on the air said of itself.
fn registration(registered: &Registered) -> Value {
    let said = &registered.said;
    let instances = said.objects.instances().map(|it| it.to_string());
    json!({
        "location": format!("/rd/{}", registered.location),
        "address": registered.peer.to_string(),
        "secured": registered.peer.secured,
        "lwm2m": said.version.to_string(),
        "lifetime": said.lifetime,
        "queueMode": said.queue,
        "objects": instances.collect::<Vec<_>>(),
        "observed": registered.observed().map(ToString::to_string).collect::<Vec<_>>(),
        "since": iso(registered.since),
        "updated": iso(registered.updated),
    })
}

/// What stands between the server and a device on the air: whether it listens, what it is asked.
fn waiting(downlink: &Downlink) -> [(&'static str, Value); 6] {
    [
        ("asleep", downlink.asleep.into()),
        ("awakeUntil", downlink.awake_until.map(iso).into()),
        ("silent", downlink.silent.into()),
        ("expires", iso(downlink.expires).into()),
        ("asking", json!(downlink.asking)),
        ("queued", json!(downlink.queued)),
    ]
}

fn reported(device: &Device) -> Value {
    let mut view = Map::new();
    if let Some(stored) = &device.shadow {
        for (name, value) in [
            ("appVersion", &stored.firmware.app),
            ("modemFirmware", &stored.firmware.modem),
        ] {
            if let Some(value) = value {
                view.insert(name.into(), value.as_str().into());
            }
        }
        view.insert("fotaTypes".into(), json!(stored.firmware.types));
        view.insert("shadowVersion".into(), json!(stored.version));
    }
    if let Some(version) = &device.reported_version {
        view.insert("firmwareVersion".into(), version.as_str().into());
    }
    if let Some(seen) = device.last_seen() {
        view.insert("lastSeen".into(), seen.into());
    }
    view.into()
}

fn update(update: &Update) -> Value {
    let state = match update.state {
        State::New => "new",
        State::InProgress => "inProgress",
        State::Ended(ended) => ended.execution_status(),
    };
    json!({
        "id": update.id,
        "target": Target::name(update.target),
        "state": state,
        "statusDetail": update.status_detail,
        "upstreamJobs": update.steps.iter().map(|it| &it.id).collect::<Vec<_>>(),
    })
}
