//! The core's resources as IoTaaP's JSON (contract B2, B4).

use serde_json::{Map, Value, json};

use crate::core::{
    iotaap::{Device, Group, Listing, Ota, Scoped},
    time::iso,
};

/// A device; `user` is its owner's id.
pub(super) fn device(device: &Device, user: &str) -> Value {
    let mut view = Map::new();
    view.insert("_id".into(), device.id.as_str().into());
    view.insert("type".into(), "Magnolia".into());
    view.insert("name".into(), device.name.as_str().into());
    view.insert("token".into(), device.token.as_str().into());
    view.insert("last_contact".into(), device.last_contact.map(iso).into());
    view.insert("created_at".into(), iso(device.created).into());
    view.insert("owner".into(), user.into());
    view.insert("__v".into(), 0.into());
    if let Some(group) = &device.group {
        view.insert("group".into(), group.as_str().into());
    }
    view.into()
}

/// A group.
pub(super) fn group(group: &Group, user: &str) -> Value {
    json!({
        "_id": group.id,
        "name": group.name,
        "token": group.token,
        "created_at": iso(group.created),
        "owner": user,
        "__v": 0,
    })
}

/// An OTA.
pub(super) fn ota(ota: &Ota, user: &str) -> Value {
    let of = match ota.scoped {
        Scoped::Device => "device",
        Scoped::Group => "group",
    };
    json!({
        "_id": ota.id,
        of: ota.of,
        "__v": 0,
        "last_updated": iso(ota.updated),
        "owner": user,
        "path": ota.path,
        "version": ota.version,
    })
}

/// A page of a list, with the `draw` of its request.
pub(super) fn listing(name: &str, listing: Listing<Value>, draw: Option<String>) -> Value {
    let mut view = Map::new();
    view.insert(name.into(), listing.shown.into());
    view.insert("recordsTotal".into(), listing.total.into());
    view.insert("recordsFiltered".into(), listing.filtered.into());
    if let Some(draw) = draw {
        view.insert("draw".into(), draw.into());
    }
    view.into()
}
