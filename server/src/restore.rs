//! Brings a server back to where its store says it was. One line for each kind of document.

use std::convert::Infallible;

use serde::de::DeserializeOwned;

use crate::{
    core::{
        devices::{Account, Identity},
        horde, iotaap,
        owners::Owner,
    },
    server::State,
    store::{Kind, Store},
};

/// A document that was stored is of no use.
#[derive(Debug, thiserror::Error)]
#[error(
    "failed to restore the {kind} `{key}`: {why}; the data may be from another version of fotalab: \
     start with that one, or with another folder"
)]
pub(crate) struct Unusable {
    kind: &'static str,
    key: String,
    why: String,
}

/// Reads all documents, in the order in which they need each other.
pub(crate) fn restore(store: &dyn Store, state: &mut State) -> Result<(), Unusable> {
    let State {
        registry,
        owners,
        horde,
        iotaap,
        ..
    } = state;
    each(store, Kind::Account, |name, it: Account| {
        registry.put_account(name, it)
    })?;
    each(store, Kind::Device, |endpoint, it: Identity| {
        registry.put_device(endpoint, it)
    })?;
    each(store, Kind::Owner, |name, it: Owner| owners.put(name, it))?;
    each(store, Kind::HordeCollection, |_, it: horde::Collection| {
        horde.restore_collection(it);
        Ok::<_, Infallible>(())
    })?;
    each(store, Kind::HordeImage, |_, it: horde::Image| {
        horde.restore_image(it);
        Ok::<_, Infallible>(())
    })?;
    each(store, Kind::HordeDevice, |_, it: horde::Device| {
        horde.restore_device(it)
    })?;
    each(store, Kind::IotaapGroup, |_, it: iotaap::Group| {
        iotaap.restore_group(it);
        Ok::<_, Infallible>(())
    })?;
    each(store, Kind::IotaapDevice, |_, it: iotaap::Device| {
        iotaap.restore_device(it);
        Ok::<_, Infallible>(())
    })?;
    each(store, Kind::IotaapOta, |_, it: iotaap::Ota| {
        iotaap.restore_ota(it);
        Ok::<_, Infallible>(())
    })?;
    Ok(())
}

/// Takes in all documents of a kind, each as a `T`.
fn each<T: DeserializeOwned, E: std::fmt::Display>(
    store: &dyn Store,
    kind: Kind,
    mut take: impl FnMut(&str, T) -> Result<(), E>,
) -> Result<(), Unusable> {
    for (key, document) in store.all(kind) {
        let read = serde_json::from_value(document).map_err(|why| why.to_string());
        let taken = read.and_then(|it| take(&key, it).map_err(|why| why.to_string()));
        taken.map_err(|why| Unusable {
            kind: kind.name(),
            key,
            why,
        })?;
    }
    Ok(())
}
