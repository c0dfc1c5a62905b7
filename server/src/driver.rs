//! Does what the core wants done: calls upstream, keeps time, tells listeners.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use fotalab_wire::net::UnixMillis;
use futures_util::{StreamExt as _, stream};
use tokio::time::sleep;

use crate::{
    air,
    core::{
        devices::Device,
        time::millis,
        updates::{Effect, PollFailure},
    },
    limits,
    live::Event,
    remember,
    server::{Server, State},
    upstream::{CallError, Caller, DeviceState},
};

/// A device counts as due this much before its interval is over (contract 3.6: 4.8 of 5 s).
const DUE_PERCENT: UnixMillis = 96;

/// Changes the state, then does what the update engine wants done.
pub(crate) fn change<T>(
    server: &Arc<Server>,
    change: impl FnOnce(&mut State, UnixMillis) -> T,
) -> T {
    let now = server.now();
    let mut state = server.state();
    let result = change(&mut state, now);
    while let Some(changed) = state.updates.poll_changed() {
        remember::update(&*server.store, &state, &changed);
    }
    while let Some(effect) = state.updates.poll_effect() {
        perform(server, &mut state, now, effect);
    }
    air::settle(server, &mut state, now);
    result
}

/// Keeps the update engine's time.
pub(crate) async fn keep_updates_going(server: Arc<Server>) {
    loop {
        let next = change(&server, |state, now| {
            state.updates.handle_timeout(now);
            state.updates.poll_timeout()
        });
        match next {
            None => server.updates_wake.notified().await,
            Some(at) => {
                let wait = wait_until(at, server.now());
                tokio::select! {
                    () = sleep(wait) => {}
                    () = server.updates_wake.notified() => {}
                }
            }
        }
    }
}

/// Asks for the shadows of devices that somebody watches or an update waits for, grouped by
/// account, one round per account at a time (contract 3.6).
pub(crate) async fn keep_shadows_fresh(server: Arc<Server>) {
    let interval = millis(server.config.timing.shadows);
    let busy: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    loop {
        let now = server.now();
        let (due, next) = due_devices(&server, now, interval * DUE_PERCENT / 100);
        for (account, devices) in due {
            let Some(caller) = server.caller(&account) else {
                continue;
            };
            if !busy
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(account.clone())
            {
                continue;
            }
            let (server_of_round, busy) = (Arc::clone(&server), Arc::clone(&busy));
            server.spawn(async move {
                ask_for_shadows(&server_of_round, &caller, devices).await;
                busy.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .remove(&account);
            });
        }
        match next {
            None => server.shadows_wake.notified().await,
            Some(at) => {
                tokio::select! {
                    () = sleep(wait_until(at, now)) => {}
                    () = server.shadows_wake.notified() => {}
                }
            }
        }
    }
}

/// Asks for one shadow now, because somebody needs it.
pub(crate) async fn fetch_shadow(
    server: &Arc<Server>,
    caller: &Caller,
    device: &str,
) -> Result<(), CallError> {
    let devices = [device.to_owned()];
    let states = server.upstream.shadows(caller, &devices).await?;
    take_states(server, &devices, states);
    Ok(())
}

fn perform(server: &Arc<Server>, state: &mut State, now: UnixMillis, effect: Effect) {
    match effect {
        Effect::Create {
            update,
            account,
            device,
            bundle,
        } => {
            let server = Arc::clone(server);
            let spawner = Arc::clone(&server);
            // A job that nobody remembers would be created again.
            let flushed = server.store.flush();
            spawner.spawn(async move {
                flushed.await;
                let outcome = match server.caller(&account) {
                    Some(caller) => server.upstream.create(&caller, &device, &bundle).await,
                    None => Err(no_account(&account)),
                };
                let outcome = outcome.map_err(|why| why.to_string());
                server.change(|state, now| state.updates.created(now, &update, outcome));
            });
        }
        Effect::Follow {
            update,
            account,
            job,
        } => {
            let server = Arc::clone(server);
            let spawner = Arc::clone(&server);
            spawner.spawn(async move {
                let answer = match server.caller(&account) {
                    Some(caller) => server.upstream.follow(&caller, &job).await,
                    None => Err(no_account(&account)),
                };
                let answer = answer.map_err(|why| {
                    if why.is_not_found() {
                        PollFailure::NotFound
                    } else {
                        PollFailure::Unusable
                    }
                });
                server.change(|state, now| state.updates.followed(now, &update, answer));
            });
        }
        Effect::Cancel { account, job } => {
            let server = Arc::clone(server);
            let spawner = Arc::clone(&server);
            spawner.spawn(async move {
                if let Some(caller) = server.caller(&account) {
                    // The contract only logs a failure: the update has ended for us either way.
                    drop(server.upstream.cancel(&caller, &job).await);
                }
            });
        }
        Effect::Scheduled { update, outcome } => {
            if let Some(caller) = state.scheduling.remove(&update) {
                let scheduled = state.updates.get(&update).cloned();
                let outcome = outcome.and_then(|()| scheduled.ok_or_else(String::new));
                drop(caller.send(outcome));
            }
        }
        Effect::Changed { update } => {
            if let Some(update) = state.updates.get(&update) {
                server
                    .live
                    .publish(now, &update.device, Event::UpdateChanged(update.clone()));
            }
        }
        Effect::StepEnded { update } => {
            if let Some(update) = state.updates.get(&update) {
                server
                    .live
                    .publish(now, &update.device, Event::StepEnded(update.clone()));
            }
        }
    }
}

/// The devices to ask for now, by account, marked as asked; and when the next ones are due.
fn due_devices(
    server: &Server,
    now: UnixMillis,
    interval: UnixMillis,
) -> (BTreeMap<String, Vec<String>>, Option<UnixMillis>) {
    let mut watched: BTreeMap<String, UnixMillis> = BTreeMap::new();
    let mut state = server.state();
    for (device, young) in state.updates.awaited_devices(now) {
        let settled = if young {
            interval
        } else {
            millis(limits::SETTLED_INTERVAL)
        };
        watched.insert(device.to_owned(), settled.max(interval));
    }
    watched.extend(
        server
            .live
            .devices(now)
            .into_iter()
            .map(|device| (device, interval)),
    );
    // When each device is due, and which accounts are called anyway.
    let mut calls: Vec<(String, String, UnixMillis, UnixMillis)> = Vec::new();
    for (id, interval) in watched {
        let Some(device) = state.registry.device(&id) else {
            continue;
        };
        if let Some(account) = device.identity.account.clone() {
            let asked = device.shadow_asked;
            let at = asked.map_or(now, |asked| asked.saturating_add(interval));
            calls.push((id, account, at, interval));
        }
    }
    let called: BTreeSet<String> = calls
        .iter()
        .filter(|(_, _, at, _)| *at <= now)
        .map(|(_, account, _, _)| account.clone())
        .collect();
    let mut due: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut next: Option<UnixMillis> = None;
    for (id, account, mut at, interval) in calls {
        // One that is due soon comes along, so that an account's devices end up in one call.
        if at <= now.saturating_add(interval / 2) && called.contains(&account) {
            if let Some(device) = state.registry.device_mut(&id) {
                device.shadow_asked = Some(now);
            }
            due.entry(account).or_default().push(id);
            at = now.saturating_add(interval);
        }
        next = Some(next.map_or(at, |it| it.min(at)));
    }
    (due, next)
}

async fn ask_for_shadows(server: &Arc<Server>, caller: &Caller, devices: Vec<String>) {
    let calls = devices
        .chunks(limits::MAX_SHADOWS_PER_CALL)
        .map(<[String]>::to_vec);
    let calls: Vec<Vec<String>> = calls.collect();
    stream::iter(calls)
        .for_each_concurrent(limits::MAX_SHADOW_CALLS, |devices| async move {
            // What fails now is asked again in the next round.
            if let Ok(states) = server.upstream.shadows(caller, &devices).await {
                take_states(server, &devices, states);
            }
        })
        .await;
}

fn take_states(server: &Arc<Server>, asked: &[String], states: Vec<DeviceState>) {
    server.change(|state, now| {
        for told in states.into_iter().filter(|it| asked.contains(&it.id)) {
            let Some(device) = state.registry.device_mut(&told.id) else {
                continue;
            };
            let before = device.shadow.as_ref().map(|it| it.version);
            let changed = device.take_shadow(now, told.version, told.shadow, told.firmware);
            let firmware = device.shadow.as_ref().map(|it| it.firmware.clone());
            let version = |it: &Device| it.shadow.as_ref().map(|it| it.version);
            let stored = changed.is_some() || version(device) != before;
            if let Some(changed) = changed {
                server
                    .live
                    .publish(now, &told.id, Event::ShadowChanged(changed));
            }
            if stored {
                remember::shadow(&*server.store, state, &told.id);
            }
            if let Some(firmware) = firmware {
                state.updates.firmware_reported(now, &told.id, firmware);
            }
        }
    });
}

fn no_account(name: &str) -> CallError {
    CallError::NoAnswer(format!("the account `{name}` is not known"))
}

fn wait_until(at: UnixMillis, now: UnixMillis) -> Duration {
    Duration::from_millis(u64::try_from(at.saturating_sub(now)).unwrap_or_default())
}
