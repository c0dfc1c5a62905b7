//! Puts what changed into the store. `restore` is the other direction.

use serde::Serialize;

use crate::{
    server::State,
    store::{Kind, Store},
};

/// A device: what it is, and what it told.
pub(crate) fn device(store: &dyn Store, state: &State, id: &str) {
    if let Some(device) = state.registry.device(id).filter(|_| store.remembers()) {
        put(store, Kind::Device, id, &device.document());
    }
}

/// What upstream told of a device.
pub(crate) fn shadow(store: &dyn Store, state: &State, id: &str) {
    let device = state.registry.device(id).filter(|_| store.remembers());
    if let Some(shadow) = device.and_then(|it| it.shadow.as_ref()) {
        put(store, Kind::Shadow, id, shadow);
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
            put(store, Kind::Registration, endpoint, &registered.document());
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
        Some(update) => put(store, Kind::FirmwareUpdate, id, update),
        None => store.remove(Kind::FirmwareUpdate, id),
    }
}

/// An update by upstream jobs, or that it was forgotten.
pub(crate) fn update(store: &dyn Store, state: &State, id: &str) {
    if !store.remembers() {
        return;
    }
    match state.updates.get(id) {
        Some(update) => put(store, Kind::Update, id, update),
        None => store.remove(Kind::Update, id),
    }
}

/// Straight to text: a tree of JSON in between would cost more than all the rest.
fn put(store: &dyn Store, kind: Kind, key: &str, document: &impl Serialize) {
    let text = serde_json::to_string(document).expect("our documents have texts for keys");
    store.put_text(kind, key, text);
}
