//! Devices of Horde: what they run and should run, and the update between the two.

use fotalab_wire::{
    lwm2m::{ContentFormat, Path, Tree, Value, codec},
    net::UnixMillis,
};

use super::wanted;
use crate::{
    core::{
        firmware::{Arrival, PACKAGE_URI, Transfer},
        horde::Network,
        targets::{Found, Report, Verdict},
    },
    lwm2m::{Operation, Peer},
    server::State,
};

pub(super) fn inspected_by_horde(
    state: &mut State,
    now: UnixMillis,
    device: &str,
    endpoint: &str,
    found: Result<Found, &'static str>,
) {
    if state.air.is_some() {
        let peer = state.air.as_ref().and_then(|air| air.registered(endpoint));
        if let Some(peer) = peer.map(|it| it.peer) {
            note_address(state, now, device, peer);
        }
    }
    let last = state.firmware.of_device(endpoint).last();
    let busy = last.is_some_and(|it| it.is_plain() && !it.has_ended());
    let (state_of_device, said) = match found {
        Ok(Found { state, said }) => (state.unwrap_or_default(), said),
        Err(path) => {
            state.firmware.unreadable(now, endpoint, path);
            state.horde.with_device(device, |it| it.standing.fail(path));
            return;
        }
    };
    if busy && state_of_device != 0 {
        state.firmware.inspected(now, endpoint, state_of_device);
        let last = state.firmware.of_device(endpoint).last();
        if last.is_some_and(|it| !it.has_ended()) {
            // It is in the middle of what it was told.
            return;
        }
    }
    if state_of_device == 2 {
        // A server that was started anew may have forgotten to have it installed.
        let known = |id: &String| state.firmware.get(id).is_some();
        let standing = state.horde.scoped(device).map(|it| &it.0.standing);
        let executed = standing
            .and_then(|it| it.update.as_ref())
            .is_some_and(known);
        if !executed {
            state
                .horde
                .with_device(device, |it| it.standing.is_not_installed());
        }
    }
    if matches!(state_of_device, 1 | 3) {
        state
            .horde
            .with_device(device, |it| it.standing.fail("/5/0/3"));
        return;
    }
    if reported_to_horde(state, now, device, endpoint, said) == Verdict::Update {
        let transfer = Transfer::ByIdentity {
            downloaded: state_of_device == 2,
        };
        begin(state, now, device, endpoint, transfer);
        state.firmware.inspected(now, endpoint, state_of_device);
    }
}

/// A report of a device of Horde, however it came.
pub(super) fn reported_to_horde(
    state: &mut State,
    now: UnixMillis,
    device: &str,
    endpoint: &str,
    said: Report,
) -> Verdict {
    let Some((known, scope)) = state.horde.scoped(device) else {
        return Verdict::Ignored;
    };
    let scope = scope.clone();
    let version = said.version.clone();
    let image = state.horde.image_with(&known.collection, &version);
    let current = image.map(|it| it.id.clone());
    let report = |it: &mut crate::core::horde::Device| it.standing.report(&scope, current, said);
    let verdict = state.horde.with_device(device, report);
    if verdict != Some(Verdict::Ignored) {
        state.firmware.reported(now, endpoint, &version);
    }
    verdict.unwrap_or(Verdict::Ignored)
}

/// Begins the update to the image that a device should run, unless it is under way. `false` where
/// none can be: somebody else updates the device.
pub(super) fn begin(
    state: &mut State,
    now: UnixMillis,
    device: &str,
    endpoint: &str,
    transfer: Transfer,
) -> bool {
    let begun = create(state, now, device, endpoint, transfer);
    if begun == Begun::Now {
        state.firmware.registered(now, endpoint, Arrival::default());
    }
    begun != Begun::Barred
}

/// Whether an update began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begun {
    /// It did, and asks for nothing yet.
    Now,
    /// It had before.
    Before,
    /// It cannot.
    Barred,
}

pub(super) fn create(
    state: &mut State,
    now: UnixMillis,
    device: &str,
    endpoint: &str,
    transfer: Transfer,
) -> Begun {
    let Some((known, scope)) = state.horde.scoped(device) else {
        return Begun::Barred;
    };
    let goal = scope.wants(&known.standing);
    let image = goal.and_then(|goal| state.horde.image_of(&known.collection, goal));
    let Some((version, blob)) = image.map(|it| (it.version.clone(), it.blob.clone())) else {
        return Begun::Barred;
    };
    let last = state.firmware.of_device(endpoint).last();
    if let Some(update) = last.filter(|it| !it.has_ended()) {
        let id = update.id.clone();
        if update.is_plain() && update.wanted.image == blob && update.is_downloading() {
            state
                .horde
                .with_device(device, |it| it.standing.update = Some(id));
            return Begun::Before;
        }
        if !update.is_plain() {
            return Begun::Barred;
        }
        state.firmware.supersede(now, &id);
    }
    let wanted = wanted(state, endpoint, blob, version, transfer);
    let created = state.firmware.create(now, wanted, None);
    let Ok(id) = created.map(|it| it.id.clone()) else {
        return Begun::Barred;
    };
    state.horde.with_device(device, |it| it.standing.begin(&id));
    Begun::Now
}

pub(super) fn note_address(state: &mut State, now: UnixMillis, device: &str, peer: Peer) {
    let address = peer.address.ip().to_string();
    state.horde.with_device(device, |it| {
        if it.network.as_ref().is_none_or(|it| it.address != address) {
            it.network = Some(Network {
                address,
                since: now,
            });
        }
    });
}

/// The asks of an update in Horde's way, as requests (contract A7, 4 and 6).
pub(crate) fn write_uri(uri: String) -> Operation {
    let tree = Tree::of(PACKAGE_URI, Value::String(uri));
    let payload = codec::encode(ContentFormat::Tlv, PACKAGE_URI, &tree);
    Operation::Write {
        path: PACKAGE_URI,
        payload: payload.unwrap_or_default().into(),
        format: ContentFormat::Tlv,
    }
}

/// Execute with one zero byte.
pub(crate) fn execute(path: Path) -> Operation {
    Operation::Update {
        path,
        payload: bytes::Bytes::from_static(&[0]),
        format: ContentFormat::Opaque,
    }
}
