//! Drives the endpoint for devices and the engine of updates over the air: datagrams, time, and
//! what the one wants of the other.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use fotalab_wire::{
    coap::Code,
    lwm2m::{ContentFormat, Path},
    net::{Datagrams, UnixMillis},
};
use futures_util::FutureExt as _;
use serde_json::json;
use tokio::time::sleep;

use crate::{
    core::{
        devices::{Identity, NotTaken},
        firmware::{
            Ask, CANCEL, Effect, Outcome as Heard, PACKAGE, PACKAGE_URI, Scheme, Transfer, UPDATE,
            VERSION,
        },
    },
    driver,
    images::{self, Use},
    lwm2m::{Around, FIRMWARE, Operation, Outcome, Outgoing, Registered, Ticket, Told, Way, json},
    remember, reports,
    server::{Server, State},
    store::blob::Image,
    tasks,
};

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
            take(server, state, now, told);
            if let Some(device) = uplink {
                state.tasks.session(now, &device, None);
            }
        } else if let Some(changed) = state.firmware.poll_changed() {
            remember::firmware_update(&*server.store, state, &changed);
        } else if let Some(effect) = state.firmware.poll_effect() {
            perform(server, state, now, effect);
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

/// Where we are reached by a device.
fn local(state: &State, device: &str) -> SocketAddr {
    let local = state.air.as_ref().map(|air| {
        let registered = air.registered(device);
        registered.map_or(air.local(), |it| it.local)
    });
    local.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)))
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

fn take(server: &Arc<Server>, state: &mut State, now: UnixMillis, told: Told) {
    match told {
        Told::Registered { endpoint } => {
            if state.registry.device(&endpoint).is_none() {
                // One too many is still served on the air.
                // Its registration is remembered, so it is too.
                let _full = state.registry.put_device(&endpoint, Identity::default());
            }
            remember::registration(&*server.store, state, &endpoint);
            state
                .feed
                .tell("registered", &json!({"endpoint": endpoint}));
            let air = state.air.as_ref();
            let registered = air.and_then(|air| air.registered(&endpoint));
            if let Some(arrival) = registered.map(Registered::arrival) {
                state.firmware.registered(now, &endpoint, arrival);
            }
            reports::seen(state, now, &endpoint, true);
        }
        Told::Observed { endpoint } => {
            remember::registration(&*server.store, state, &endpoint);
        }
        Told::Updated { endpoint } => {
            remember::registration(&*server.store, state, &endpoint);
            state.feed.tell("updated", &json!({"endpoint": endpoint}));
            state.firmware.uplink(now, &endpoint);
            reports::seen(state, now, &endpoint, false);
        }
        Told::Asked {
            exchange,
            between,
            message,
        } => reports::asked(server, state, now, exchange, between, &message),
        Told::Left { endpoint, expired } => {
            let event = if expired { "expired" } else { "deregistered" };
            state.feed.tell(event, &json!({"endpoint": endpoint}));
            remember::device(&*server.store, state, &endpoint);
            remember::registration(&*server.store, state, &endpoint);
            state.firmware.left(&endpoint);
            state.inspections.forget(&endpoint);
        }
        Told::HandshakeFailed { address, why } => {
            let document = json!({"address": address.to_string(), "detail": why});
            state.feed.tell("handshakeFailed", &document);
        }
        Told::Heard { endpoint } => {
            state.firmware.heard(now, &endpoint);
            state.firmware.uplink(now, &endpoint);
        }
        Told::Value {
            endpoint,
            path,
            value,
            sent,
        } => {
            let document = json!({
                "endpoint": endpoint,
                "path": path.to_string(),
                "value": json::of(&value),
                "by": if sent { "send" } else { "observation" },
            });
            state.feed.tell("notification", &document);
            if path == VERSION {
                remember_version(server, state, &endpoint, value.as_str());
            }
            state.firmware.notified(now, &endpoint, path, &value);
            state.firmware.uplink(now, &endpoint);
        }
        Told::Block {
            exchange,
            image,
            range,
        } => {
            // It was there when the request came.
            if let Some(found) = state.images.get(&image).cloned() {
                let wanted = Use::Block { exchange, image };
                images::bring(server, state, now, &found, (wanted, range));
            }
        }
        Told::Wanted {
            ticket: Ticket::Update { update, .. },
            request,
            offset,
        } => {
            let image = state.firmware.get(&update).map(|it| &it.wanted.image);
            let image = image.and_then(|it| state.images.get(it)).cloned();
            match (image, state.air.as_mut()) {
                (Some(image), _) => {
                    let rest = (Use::More { request }, offset..image.length);
                    images::bring(server, state, now, &image, rest);
                }
                (None, Some(air)) => air.give_up(now, request),
                (None, None) => {}
            }
        }
        Told::Wanted { .. } => {}
        Told::Done { ticket, outcome } => match ticket {
            Ticket::Update { update, serial } => {
                if let Outcome::Answered(answer) = &outcome {
                    for (path, value) in answer.values() {
                        state.firmware.learned(&update, serial, path, &value);
                    }
                }
                let heard = heard(&outcome);
                if let Some(device) = state
                    .firmware
                    .get(&update)
                    .map(|it| it.wanted.device.clone())
                {
                    note_version(server, state, &device, &outcome);
                }
                state.firmware.answered(now, &update, serial, heard);
            }
            Ticket::Task(serial) => tasks::answered(state, now, serial, outcome),
            Ticket::Look(device) => note_version(server, state, &device, &outcome),
            Ticket::Inspection { endpoint, serial } if matches!(outcome, Outcome::Gone) => {
                state.inspections.cut(&endpoint, serial);
            }
            Ticket::Inspection { endpoint, serial } => {
                note_version(server, state, &endpoint, &outcome);
                let values = match &outcome {
                    Outcome::Answered(answer) if answer.code.is_success() => Some(answer.values()),
                    _ => None,
                };
                let inspections = &mut state.inspections;
                inspections.answered(now, &endpoint, serial, values.as_deref());
            }
            Ticket::Admin(id) => {
                if let Some((device, sender)) = state.operations.remove(&id) {
                    note_version(server, state, &device, &outcome);
                    let _gone = sender.send(outcome);
                }
            }
            Ticket::Nobody => {}
        },
    }
}

fn note_version(server: &Server, state: &mut State, device: &str, outcome: &Outcome) {
    if let Outcome::Answered(answer) = outcome {
        for (path, value) in answer.values() {
            if path == VERSION {
                remember_version(server, state, device, value.as_str());
            }
        }
    }
}

fn remember_version(server: &Server, state: &mut State, id: &str, version: Option<&str>) {
    let device = state.registry.device_mut(id);
    if let (Some(version), Some(device)) = (version, device)
        && device.reported_version.as_deref() != Some(version)
    {
        device.reported_version = Some(version.to_owned());
        remember::device(&*server.store, state, id);
    }
}

/// An outcome as the engine takes it: what does not decode says nothing.
fn heard(outcome: &Outcome) -> Heard {
    match outcome {
        Outcome::Answered(answer) if answer.code == Code::SERVICE_UNAVAILABLE => {
            let seconds = answer.max_age.map(u64::from);
            Heard::Busy(seconds.map(Duration::from_secs))
        }
        Outcome::Answered(answer) => {
            let values = answer.values().into_iter().map(|(_, value)| value);
            Heard::Answered(answer.code, values.collect())
        }
        Outcome::Silent => Heard::Silent,
        Outcome::Rejected => Heard::Rejected,
        Outcome::Gone => Heard::Gone,
    }
}

fn perform(server: &Arc<Server>, state: &mut State, now: UnixMillis, effect: Effect) {
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
