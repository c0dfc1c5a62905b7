//! Drives the endpoint for devices and the engine of updates over the air: datagrams, time, and
//! what the one wants of the other.

mod ask;
mod told;

use std::{sync::Arc, time::Duration};

use fotalab_wire::net::{Datagrams, UnixMillis};
use tokio::time::sleep;

use crate::{
    core::devices::{Identity, NotTaken},
    driver,
    lwm2m::{Around, Outgoing, Way},
    remember, reports,
    server::{Server, State},
    tasks,
};

pub(crate) use self::ask::{coap_host, uri};

/// Takes datagrams from a socket, until the server ends.
pub(crate) async fn receive(server: Arc<Server>, socket: Arc<dyn Datagrams>, secured: bool) {
    let mut received = Vec::new();
    loop {
        // An error of a socket is a peer that is gone; it stays usable.
        let outcome = socket.recv(&mut received).await;
        if outcome.is_err() && received.is_empty() {
            sleep(Duration::from_millis(10)).await;
            continue;
        }
        driver::change(&server, |state, now| {
            for datagram in received.drain(..) {
                let way = Way {
                    from: datagram.from,
                    to: datagram.to,
                    secured,
                };
                with_air(&server, state, |air, around| {
                    air.handle_datagram(now, way, &datagram.bytes, around);
                });
            }
        });
    }
}

/// Keeps the time of the endpoint and of the engine.
pub(crate) async fn keep_time(server: Arc<Server>) {
    loop {
        driver::change(&server, |state, now| {
            with_air(&server, state, |air, around| {
                air.handle_timeout(now, around)
            });
            state.firmware.handle_timeout(now);
            state.inspections.handle_timeout(now);
        });
        let at = server.state().air_wakes_at;
        match at {
            None => server.air_wake.notified().await,
            Some(at) => {
                let wait = u64::try_from(at.saturating_sub(server.now())).unwrap_or_default();
                tokio::select! {
                    () = sleep(Duration::from_millis(wait)) => {}
                    () = server.air_wake.notified() => {}
                }
            }
        }
    }
}

/// Passes on what the endpoint and the engine want of each other and of the world, until neither
/// wants anything.
pub(crate) fn settle(server: &Arc<Server>, state: &mut State, now: UnixMillis) {
    loop {
        if let Some(told) = state.air.as_mut().and_then(|air| air.poll_told()) {
            let uplink = tasks::note(state, now, &told);
            told::take(server, state, now, told);
            if let Some(device) = uplink {
                state.tasks.session(now, &device, None);
            }
        } else if let Some(changed) = state.firmware.poll_changed() {
            remember::firmware_update(&*server.store, state, &changed);
        } else if let Some(effect) = state.firmware.poll_effect() {
            ask::perform(server, state, now, effect);
        } else if let Some(effect) = state.tasks.poll_effect() {
            tasks::perform(server, state, now, effect);
        } else if let Some(effect) = state.inspections.poll_effect() {
            reports::perform(state, now, effect);
        } else {
            break;
        }
    }
    tasks::keep(&*server.store, state);
    while let Some(change) = reports::poll_change(state) {
        match change.document {
            Some(document) => server.store.put(change.kind, &change.key, document),
            None => server.store.remove(change.kind, &change.key),
        }
    }
    if let Some(air) = state.air.as_mut() {
        while let Some(Outgoing { to, bytes }) = air.poll_transmit(now) {
            let socket = if to.secured {
                &server.sockets.secured
            } else {
                &server.sockets.plain
            };
            if let Some(socket) = socket {
                // A busy socket loses datagrams, as every network does.
                let _sent = socket.try_send(socket.local_addr(), to.address, &bytes);
            }
        }
    }
    let air = state.air.as_mut().and_then(|air| air.poll_timeout());
    let inspections = state.inspections.poll_timeout();
    let next = [air, state.firmware.poll_timeout(), inspections];
    let next = next.into_iter().flatten().min();
    let sooner = next.is_some_and(|next| state.air_wakes_at.is_none_or(|at| next < at));
    state.air_wakes_at = next;
    if sooner {
        server.air_wake.notify_one();
    }
}

/// Adds a device, or replaces what is known of it. Where its key changes, nobody goes on with the
/// old one.
pub(crate) fn put_device(
    state: &mut State,
    now: UnixMillis,
    id: &str,
    identity: Identity,
) -> Result<(), NotTaken> {
    let before = state.registry.device(id).map(|it| it.identity.clone());
    state.registry.put_device(id, identity)?;
    let after = state.registry.device(id).map(|it| &it.identity);
    let key = |it: &Identity| {
        let identity = it.psk_identity(id).map(str::to_owned);
        identity.zip(it.psk.clone())
    };
    let (before, after) = (before.as_ref().and_then(key), after.and_then(key));
    if let (Some((identity, _)), Some(air)) = (
        before.filter(|it| Some(it) != after.as_ref()),
        &mut state.air,
    ) {
        air.revoke(now, id, &identity);
    }
    Ok(())
}

fn with_air(
    server: &Server,
    state: &mut State,
    act: impl FnOnce(&mut crate::lwm2m::Air, &Around<'_>),
) {
    let State {
        air,
        images,
        registry,
        inventory,
        ..
    } = state;
    let closed = server.config.closed;
    let admits = |endpoint: &str, secured: bool| {
        let device = registry.device(endpoint);
        if closed && device.is_none() {
            return Err("this endpoint name is not known here");
        }
        // Or anybody could be a device whose key is known.
        if !secured && device.is_some_and(|it| it.identity.psk.is_some()) {
            return Err("this device has a key and registers over coaps");
        }
        let record = inventory.get(endpoint);
        if record.is_some_and(|it| it.provided.blacklisted) {
            return Err("this device is on the black list");
        }
        Ok(())
    };
    if let Some(air) = air {
        let around = Around {
            images,
            admits: &admits,
            has_room: &|| server.store.has_room(),
        };
        act(air, &around);
    }
}
