//! Brings a server back to where its store says it was. One line for each kind of document.

use serde::de::DeserializeOwned;

use crate::{
    core::devices::{Account, Identity},
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
        registry, images, ..
    } = state;
    each(store, Kind::Account, |name, it: Account| {
        registry.put_account(name, it)
    })?;
    each(store, Kind::Device, |endpoint, it: Identity| {
        registry.put_device(endpoint, it)
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
