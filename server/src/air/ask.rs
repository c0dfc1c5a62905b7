//! What the engine of updates asks of a device, as operations on the air.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use fotalab_wire::{
    lwm2m::{ContentFormat, Path},
    net::UnixMillis,
};
use futures_util::FutureExt as _;
use serde_json::json;

use crate::{
    core::firmware::{Ask, CANCEL, Effect, PACKAGE, PACKAGE_URI, Scheme, Transfer, UPDATE},
    images::{self, Use},
    lwm2m::{FIRMWARE, Operation, Ticket},
    reports,
    server::{Server, State},
    store::blob::Image,
};

pub(super) fn perform(server: &Arc<Server>, state: &mut State, now: UnixMillis, effect: Effect) {
    match effect {
        Effect::Changed { update } => {
            if let Some(update) = state.firmware.get(&update) {
                let document = json!({
                    "id": update.id,
                    "device": update.wanted.device,
                    "state": update.state.name(),
                    "result": update.result,
                    "detail": update.history.last().map(|it| it.detail.as_str()),
                });
                state.feed.tell("update", &document);
                state.tasks.update_changed(now, update);
            }
            reports::moved(state, &update);
        }
        Effect::Withdraw {
            update,
            device,
            serial,
        } => {
            let ticket = Ticket::Update { update, serial };
            if let Some(air) = state.air.as_mut() {
                air.withdraw(now, &device, &ticket);
            }
        }
        Effect::Ask {
            update,
            device,
            serial,
            ask,
        } => {
            let image = state.firmware.get(&update).map(|it| &it.wanted.image);
            let image = image.and_then(|it| state.images.get(it));
            if let (Ask::Package, Some(image @ Image { bytes: None, .. })) = (ask, image) {
                let image = image.clone();
                let first = (Use::First { update, serial }, 0..image.length);
                return images::bring(server, state, now, &image, first);
            }
            if ask == Ask::Execute {
                return execute(server, state, now, (update, serial));
            }
            let operation = operation(server, state, &update, &device, ask);
            let ticket = Ticket::Update { update, serial };
            if let Some(air) = state.air.as_mut() {
                air.operate(now, &device, ticket, operation);
            }
        }
    }
}

/// The URI of an image, as a device that reached us at `local` can use it.
pub(crate) fn uri(server: &Server, scheme: Scheme, local: SocketAddr, image: &str) -> String {
    let host = match scheme {
        Scheme::Coap => coap_host(server, local, false),
        Scheme::Coaps => coap_host(server, local, true),
        Scheme::Http => host(server.http.get().copied(), local),
    };
    format!("{}://{host}/{FIRMWARE}/{image}", scheme.name())
}

/// Where a device that reached us at `local` finds us over CoAP.
pub(crate) fn coap_host(server: &Server, local: SocketAddr, secured: bool) -> SocketAddr {
    let socket = if secured {
        &server.sockets.secured
    } else {
        &server.sockets.plain
    };
    host(socket.as_ref().map(|it| it.local_addr()), local)
}

fn host(listens: Option<SocketAddr>, local: SocketAddr) -> SocketAddr {
    let mut host = listens.unwrap_or(local);
    if host.ip().is_unspecified() {
        host.set_ip(local.ip());
    }
    if host.ip().is_unspecified() {
        host.set_ip([127, 0, 0, 1].into());
    }
    host
}

/// Where we are reached by a device.
fn local(state: &State, device: &str) -> SocketAddr {
    let local = state.air.as_ref().map(|air| {
        let registered = air.registered(device);
        registered.map_or(air.local(), |it| it.local)
    });
    local.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)))
}

/// Executes when it is safe that this was going to happen: after a crash nobody could tell it from
/// an update that was never executed, and a device must not be told twice (X-FW-S30).
fn execute(server: &Arc<Server>, state: &mut State, now: UnixMillis, ask: (String, u64)) {
    let mut flushed = server.store.flush();
    if (&mut flushed).now_or_never().is_some() {
        return execute_now(state, now, ask);
    }
    let server_of_task = Arc::clone(server);
    server.spawn(async move {
        flushed.await;
        server_of_task.change(|state, now| execute_now(state, now, ask));
    });
}

fn execute_now(state: &mut State, now: UnixMillis, (update, serial): (String, u64)) {
    // Not if the update went another way meanwhile.
    let Some(device) = state.firmware.asks(&update, serial).map(str::to_owned) else {
        return;
    };
    let operation = if is_by_identity(state, &update) {
        reports::execute(UPDATE)
    } else {
        Operation::Execute {
            path: UPDATE,
            arguments: String::new(),
        }
    };
    if let Some(air) = state.air.as_mut() {
        air.operate(now, &device, Ticket::Update { update, serial }, operation);
    }
}

fn is_by_identity(state: &State, update: &str) -> bool {
    let update = state.firmware.get(update);
    update.is_some_and(|it| matches!(it.wanted.transfer, Transfer::ByIdentity { .. }))
}

fn operation(server: &Server, state: &State, update: &str, device: &str, ask: Ask) -> Operation {
    let image = state.firmware.get(update).map(|it| it.wanted.image.clone());
    let image = image.unwrap_or_default();
    let text = |payload: String| Operation::Write {
        path: PACKAGE_URI,
        payload: payload.into(),
        format: ContentFormat::Text,
    };
    let bytes = |payload: Bytes| Operation::Write {
        path: PACKAGE,
        payload,
        format: ContentFormat::Opaque,
    };
    let execute = |path| Operation::Execute {
        path,
        arguments: String::new(),
    };
    match ask {
        Ask::Uri(_) if is_by_identity(state, update) => {
            let air = state.air.as_ref();
            let registered = air.and_then(|air| air.registered(device));
            let secured = registered.is_some_and(|it| it.peer.secured);
            let host = coap_host(server, local(state, device), secured);
            let scheme = if secured { "coaps" } else { "coap" };
            reports::write_uri(format!("{scheme}://{host}/{FIRMWARE}"))
        }
        Ask::Read(path) => Operation::Read(path),
        Ask::Observe(path) => Operation::Observe(path),
        Ask::ClearUri => text(String::new()),
        Ask::ClearPackage => bytes(Bytes::from_static(&[0])),
        Ask::Forget(path) => Operation::Forget(path),
        Ask::Lifetime(instance, seconds) => Operation::Write {
            path: Path::resource(1, instance, 1),
            payload: seconds.to_string().into(),
            format: ContentFormat::Text,
        },
        Ask::Uri(scheme) => {
            let wanted = state.firmware.get(update).map(|it| &it.wanted);
            if let Some(elsewhere) = wanted.and_then(|it| it.options.elsewhere.as_ref()) {
                return text(elsewhere.uri.clone());
            }
            text(uri(server, scheme, local(state, device), &image))
        }
        Ask::Package => bytes(
            state
                .images
                .get(&image)
                .and_then(|it| it.bytes.clone())
                .unwrap_or_default(),
        ),
        Ask::Execute => execute(UPDATE),
        Ask::Cancel => execute(CANCEL),
        Ask::Unhide(path) => Operation::Attributes {
            path,
            query: vec!["pmin=0".to_owned()],
        },
    }
}
