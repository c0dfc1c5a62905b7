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
