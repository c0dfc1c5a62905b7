//! Brings a server back to where its store says it was. One line for each kind of document.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    core::{
        devices::{Account, Identity},
        groups::Group,
        inventory::Record,
        owners::Owner,
        resources::Resource,
        tasks::Kept,
    },
    server::State,
    store::{
        DataError, Kind, Store,
        blob::{Blobs, Image, ImageDocument, Stored},
    },
};

/// Reads all documents, in the order in which they need each other.
pub(crate) fn restore(
    store: &dyn Store,
    blobs: &dyn Blobs,
    state: &mut State,
) -> Result<(), DataError> {
    let State {
        registry,
        images,
        owners,
        groups,
        resources,
        inventory,
        tasks,
        ..
    } = state;
    each(store, Kind::Account, |name, it: Account| {
        registry.put_account(name, it)
    })?;
    each(store, Kind::Device, |endpoint, it: Identity| {
        registry.put_device(endpoint, it)
    })?;
    each(store, Kind::Owner, |name, it: Owner| {
        tasks.set_quota(name, it.quota());
        owners.put(name, it)
    })?;
    each(store, Kind::Group, |key, it: Group| {
        let (owner, id) = pair(key)?;
        let full = |_| "there are too many groups".to_owned();
        groups.put(&owner, &id, it).map_err(full)
    })?;
    each(store, Kind::Resource, |key, it: Resource| {
        let (owner, _) = pair(key)?;
        resources.restore(&owner, it);
        Ok::<(), String>(())
    })?;
    each(store, Kind::Record, |device, it: Record| {
        inventory.restore(device, it);
        Ok::<(), String>(())
    })?;
    for (kind, kept) in [
        (Kind::TaskNumber, Kept::Number),
        (Kind::Task, Kept::Task),
        (Kind::Job, Kept::Job),
    ] {
        each(store, kind, |key, it: Value| tasks.restore(kept, key, it))?;
    }
    each(store, Kind::Image, |id, it: ImageDocument| {
        let ImageDocument { sha256, length } = it;
        blobs.adopt(Stored { sha256, length })?;
        let image = Image {
            id: id.to_owned(),
            sha256,
            length,
            bytes: blobs.resident(sha256),
        };
        images.put(image).map_err(|why| why.to_string())
    })?;
    blobs.tidy();
    Ok(())
}

/// A key of owner and id.
fn pair(key: &str) -> Result<(String, String), String> {
    serde_json::from_str(key).map_err(|why| why.to_string())
}

/// Takes in all documents of a kind, each as a `T`.
fn each<T: DeserializeOwned, E: std::fmt::Display>(
    store: &dyn Store,
    kind: Kind,
    mut take: impl FnMut(&str, T) -> Result<(), E>,
) -> Result<(), DataError> {
    for (key, document) in store.all(kind)? {
        let read = serde_json::from_value(document).map_err(|why| why.to_string());
        let taken = read.and_then(|it| take(&key, it).map_err(|why| why.to_string()));
        taken.map_err(|why| DataError::Document {
            kind: kind.name(),
            key,
            why,
        })?;
    }
    Ok(())
}
