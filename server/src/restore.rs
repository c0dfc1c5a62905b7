//! Brings a server back to where its store says it was. One line for each kind of document.
//!
//! First all is read; then what was under way goes on: updates look where their devices are, and
//! what was observed is observed again.

use std::convert::Infallible;

use fotalab_wire::net::UnixMillis;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{
    core::{
        devices::{Account, DeviceDocument, Identity, StoredShadow},
        firmware,
        groups::Group,
        horde,
        inventory::Record,
        iotaap,
        owners::Owner,
        resources::Resource,
        tasks::Kept,
        updates::Update,
    },
    lwm2m::{Registered, RegistrationDocument, Watched},
    reports,
    server::State,
    store::{
        DataError, Kind, Store,
        blob::{Blobs, Image, ImageDocument, Stored},
    },
};

/// How often a server was started with what `store` remembers: what is drawn from a seed must not
/// be drawn again in another life.
pub(crate) fn lives(store: &dyn Store) -> Result<u64, DataError> {
    let mut lives = 0;
    each(store, Kind::Server, |_, it: u64| {
        lives = it;
        done()
    })?;
    store.put(Kind::Server, "lives", json!(lives + 1));
    Ok(lives)
}

/// Reads all documents, in the order in which they need each other.
pub(crate) fn restore(
    store: &dyn Store,
    blobs: &dyn Blobs,
    state: &mut State,
    now: UnixMillis,
) -> Result<(), DataError> {
    each(store, Kind::Account, |name, it: Account| {
        state.registry.put_account(name, it)
    })?;
    each(store, Kind::Device, |endpoint, it: DeviceDocument| {
        state.registry.restore_device(endpoint, it)
    })?;
    each(store, Kind::Shadow, |endpoint, it: StoredShadow| {
        let firmware = it.firmware.clone();
        state.updates.restore_firmware(endpoint, firmware);
        state.registry.restore_shadow(endpoint, it);
        done()
    })?;
    each(store, Kind::Owner, |name, it: Owner| {
        state.tasks.set_quota(name, it.quota());
        state.owners.put(name, it)
    })?;
    each(store, Kind::Group, |key, it: Group| {
        let (owner, id) = pair(key)?;
        let full = |_| "there are too many groups".to_owned();
        state.groups.put(&owner, &id, it).map_err(full)
    })?;
    each(store, Kind::Resource, |key, it: Resource| {
        let (owner, _) = pair(key)?;
        state.resources.restore(&owner, it);
        done()
    })?;
    each(store, Kind::Record, |device, it: Record| {
        state.inventory.restore(device, it);
        done()
    })?;
    for (kind, kept) in [
        (Kind::TaskNumber, Kept::Number),
        (Kind::Task, Kept::Task),
        (Kind::Job, Kept::Job),
    ] {
        each(store, kind, |key, it: Value| {
            state.tasks.restore(kept, key, it)
        })?;
    }
    each(store, Kind::HordeCollection, |_, it: horde::Collection| {
        state.horde.restore_collection(it);
        Ok::<_, Infallible>(())
    })?;
    each(store, Kind::HordeImage, |_, it: horde::Image| {
        state.horde.restore_image(it);
        Ok::<_, Infallible>(())
    })?;
    each(store, Kind::HordeDevice, |_, it: horde::Device| {
        state.horde.restore_device(it)
    })?;
    each(store, Kind::IotaapGroup, |_, it: iotaap::Group| {
        state.iotaap.restore_group(it);
        Ok::<_, Infallible>(())
    })?;
    each(store, Kind::IotaapDevice, |_, it: iotaap::Device| {
        state.iotaap.restore_device(it);
        Ok::<_, Infallible>(())
    })?;
    each(store, Kind::IotaapOta, |_, it: iotaap::Ota| {
        state.iotaap.restore_ota(it);
        Ok::<_, Infallible>(())
    })?;
    each(store, Kind::Image, |id, it: ImageDocument| {
        restore_image(blobs, state, id, it)
    })?;
    blobs.tidy();
    each(store, Kind::Update, |_, it: Update| {
        state.updates.restore(now, it);
        done()
    })?;
    each(store, Kind::FirmwareUpdate, |_, it: firmware::Update| {
        state.firmware.restore(now, it);
        done()
    })?;
    let mut registered = Vec::new();
    each(
        store,
        Kind::Registration,
        |endpoint, it: RegistrationDocument| {
            registered.push((endpoint.to_owned(), it.observed().collect()));
            if state.registry.device(endpoint).is_none() {
                let _full = state.registry.put_device(endpoint, Identity::default());
            }
            match &mut state.air {
                Some(air) => air.restore(now, it),
                None => Ok(()),
            }
        },
    )?;
    state.tasks.resume(now, &state.firmware);
    go_on(state, now, registered);
    Ok(())
}

/// Goes on with what was under way.
fn go_on(state: &mut State, now: UnixMillis, registered: Vec<(String, Vec<Watched>)>) {
    let State { air, firmware, .. } = state;
    let Some(air) = air else {
        return;
    };
    let mut targeted = Vec::new();
    for (endpoint, mut observed) in registered {
        let updates = firmware.of_device(&endpoint).any(|it| !it.has_ended());
        // An update under way observes what it needs by itself.
        observed.retain(|watched| match watched {
            Watched::One(path) => !updates || !firmware::OBSERVED.contains(path),
            Watched::Many(_) => true,
        });
        air.observe_again(now, &endpoint, observed);
        if let Some(arrival) = air.registered(&endpoint).map(Registered::arrival) {
            firmware.resume(now, &endpoint, arrival);
        }
        let last = firmware.of_device(&endpoint).last();
        if last.is_some_and(|it| it.is_plain() && !it.has_ended()) {
            targeted.push(endpoint);
        }
    }
    for endpoint in targeted {
        reports::seen(state, now, &endpoint, true);
    }
}

fn restore_image(
    blobs: &dyn Blobs,
    state: &mut State,
    id: &str,
    document: ImageDocument,
) -> Result<(), String> {
    let ImageDocument { sha256, length } = document;
    blobs.adopt(Stored { sha256, length })?;
    let image = Image {
        id: id.to_owned(),
        sha256,
        length,
        bytes: blobs.resident(sha256),
    };
    state.images.put(image).map_err(|why| why.to_string())
}

/// Nothing can be wrong with it.
fn done() -> Result<(), String> {
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
