//! Puts what changed into the store. `restore` is the other direction.

use serde_json::json;

use crate::{
    server::State,
    store::{Kind, Store},
};

/// A device: what it is, and what it told.
pub(crate) fn device(store: &dyn Store, state: &State, id: &str) {
    if let Some(device) = state.registry.device(id).filter(|_| store.remembers()) {
        store.put(Kind::Device, id, json!(device.document()));
    }
}

/// What upstream told of a device.
pub(crate) fn shadow(store: &dyn Store, state: &State, id: &str) {
    let device = state.registry.device(id).filter(|_| store.remembers());
    if let Some(shadow) = device.and_then(|it| it.shadow.as_ref()) {
        store.put(Kind::Shadow, id, json!(shadow));
    }
}

/// A registration, or that there is none any more.
pub(crate) fn registration(store: &dyn Store, state: &State, endpoint: &str) {
    if !store.remembers() {
        return;
    }
    let air = state.air.as_ref();
    match air.and_then(|air| air.registered(endpoint)) {
        Some(registered) => {
            store.put(Kind::Registration, endpoint, json!(registered.document()));
        }
        None => store.remove(Kind::Registration, endpoint),
    }
}

/// An update over the air, or that it was forgotten.
pub(crate) fn firmware_update(store: &dyn Store, state: &State, id: &str) {
    if !store.remembers() {
        return;
    }
    match state.firmware.get(id) {
        Some(update) => store.put(Kind::FirmwareUpdate, id, json!(update)),
        None => store.remove(Kind::FirmwareUpdate, id),
    }
}

/// An update by upstream jobs, or that it was forgotten.
pub(crate) fn update(store: &dyn Store, state: &State, id: &str) {
    if !store.remembers() {
        return;
    }
    match state.updates.get(id) {
        Some(update) => store.put(Kind::Update, id, json!(update)),
        None => store.remove(Kind::Update, id),
    }
}
