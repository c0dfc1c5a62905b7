//! What devices under a target report, whose they are, and what follows: between the endpoint for
//! devices, what Horde and IoTaaP know, `core::targets` and the update engine.

mod horde;
mod iotaap;
mod simple;
mod whose;

use fotalab_wire::{lwm2m::ContentFormat, net::UnixMillis};

use self::whose::{Whose, find, whose};
use crate::{
    core::{
        firmware::{Options, Transfer, Wanted},
        horde::Change,
        targets::{Effect, How, Management},
    },
    lwm2m::{Operation, Ticket},
    server::State,
};

pub(crate) use self::{
    horde::{execute, write_uri},
    simple::asked,
};

/// A device on LwM2M registered, or said that it is still there: it is asked what it runs.
pub(crate) fn seen(state: &mut State, now: UnixMillis, endpoint: &str, registered: bool) {
    let how = match whose(state, endpoint) {
        Some(Whose::Horde(device)) => {
            let managed = state.horde.scoped(&device);
            if managed.is_none_or(|(_, it)| it.management == Management::Disabled) {
                return;
            }
            let last = state.firmware.of_device(endpoint).last();
            let busy = last.is_some_and(|it| {
                let fetches = it.wanted.transfer == Transfer::Unasked;
                it.is_plain() && !it.has_ended() && (fetches || !it.is_in_doubt())
            });
            if busy && !registered {
                // It goes on with what it was told; a restart would have made it register.
                return;
            }
            How::Tlv
        }
        Some(Whose::Iotaap(device)) => {
            state.iotaap.contacted(now, &device);
            if state.iotaap.ota_for(&device).is_none() {
                return;
            }
            How::Version
        }
        None => return,
    };
    state.inspections.begin(now, endpoint, how);
}

/// Does what an inspection wants done.
pub(crate) fn perform(state: &mut State, now: UnixMillis, effect: Effect) {
    match effect {
        Effect::Read {
            endpoint,
            serial,
            path,
            how,
        } => {
            let accept = (how == How::Tlv).then_some(ContentFormat::Tlv);
            let ticket = Ticket::Inspection {
                endpoint: endpoint.clone(),
                serial,
            };
            if let Some(air) = state.air.as_mut() {
                air.operate_in(now, &endpoint, ticket, Operation::Read(path), accept);
            }
        }
        Effect::Withdraw { endpoint, serial } => {
            let ticket = Ticket::Inspection {
                endpoint: endpoint.clone(),
                serial,
            };
            if let Some(air) = state.air.as_mut() {
                air.withdraw(now, &endpoint, &ticket);
            }
        }
        Effect::Over { endpoint, found } => match whose(state, &endpoint) {
            Some(Whose::Horde(device)) => {
                horde::inspected_by_horde(state, now, &device, &endpoint, found);
            }
            Some(Whose::Iotaap(device)) => {
                iotaap::inspected_by_iotaap(state, now, &device, &endpoint, found);
            }
            None => {}
        },
    }
}

/// An update moved: its device stands where that says.
pub(crate) fn moved(state: &mut State, update: &str) {
    let State {
        firmware,
        horde,
        iotaap,
        registry,
        ..
    } = state;
    let Some(update) = firmware.get(update) else {
        return;
    };
    let identity = registry.device(&update.wanted.device);
    match find(
        horde,
        iotaap,
        identity.map(|it| &it.identity),
        &update.wanted.device,
    ) {
        Some(Whose::Horde(device)) => {
            horde.with_device(&device, |it| it.standing.moved(update));
        }
        Some(Whose::Iotaap(device)) => {
            iotaap.with_device(&device, |it| it.standing.moved(update));
        }
        None => {}
    }
}

/// The documents that changed, to be stored.
pub(crate) fn poll_change(state: &mut State) -> Option<Change> {
    let horde = state.horde.poll_change();
    horde.or_else(|| state.iotaap.poll_change())
}

fn wanted(
    state: &State,
    endpoint: &str,
    image: String,
    version: String,
    transfer: Transfer,
) -> Wanted {
    let length = state.images.get(&image).map_or(0, |it| it.length);
    let device = state.registry.device(endpoint);
    Wanted {
        device: endpoint.to_owned(),
        image,
        length,
        slot: device.and_then(|it| it.identity.slot),
        version: Some(version),
        transfer,
        options: Options::default(),
        asked_by: None,
    }
}
