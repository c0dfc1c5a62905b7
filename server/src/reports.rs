//! What devices under a target report, whose they are, and what follows: between the endpoint for
//! devices, what Horde and IoTaaP know, `core::targets` and the update engine.
//!
//! A device is found by its endpoint name: the numbers that the admin face was told, or those that
//! the name has in it (`nrf-<IMEI>`, `urn:imei:…`, an IoTaaP id). One that has no endpoint name
//! (the simple protocol) is found by its address, which the admin face was told.

use std::net::SocketAddr;

use fotalab_wire::{
    coap::{Code, ExchangeId, Message, Response},
    lwm2m::{ContentFormat, Path, Tree, Value, codec},
    net::UnixMillis,
    simple,
};

use crate::{
    air,
    core::{
        firmware::{Arrival, Fetched, Options, PACKAGE_URI, Transfer, Wanted},
        horde::{Change, Horde, Network, Number},
        iotaap,
        targets::{Effect, Found, How, Management, Report, Verdict},
    },
    limits,
    lwm2m::{FIRMWARE, Operation, Peer, REPORT, Registered, Ticket},
    server::{Server, State},
};

/// Whose device it is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Whose {
    /// One of Horde's, by its id.
    Horde(String),
    /// One of IoTaaP's, by its id.
    Iotaap(String),
}

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
                inspected_by_horde(state, now, &device, &endpoint, found);
            }
            Some(Whose::Iotaap(device)) => {
                inspected_by_iotaap(state, now, &device, &endpoint, found);
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

/// Answers a request of the simple protocol: a report, or a fetch of the image that is meant for
/// whoever asks.
pub(crate) fn asked(
    server: &Server,
    state: &mut State,
    now: UnixMillis,
    exchange: ExchangeId,
    between: (Peer, SocketAddr),
    message: &Message,
) {
    let path = message.options.path();
    if path.strip_prefix('/') == Some(REPORT) {
        let response = if message.code == Code::POST {
            report(server, state, now, between, &message.payload)
        } else {
            Response::new(Code::BAD_REQUEST)
        };
        if let Some(air) = state.air.as_mut() {
            air.answer(now, exchange, response);
        }
    } else {
        fetch(state, now, exchange, between.0, message);
    }
}

/// `POST /u` (contract A7): 2.01 with where to fetch and whether; 5.00 for nobody we know.
fn report(
    server: &Server,
    state: &mut State,
    now: UnixMillis,
    (peer, to): (Peer, SocketAddr),
    payload: &[u8],
) -> Response {
    let settings = &server.config.horde;
    let said = match simple::Report::parse(payload, settings.fields) {
        Ok(said) => said,
        Err(why) => return Response::with(Code::BAD_REQUEST, why.to_string()),
    };
    let endpoint = endpoint_of(state, peer);
    let known = endpoint.and_then(|endpoint| match whose(state, &endpoint) {
        Some(Whose::Horde(device)) => Some((endpoint, device)),
        _ => None,
    });
    let Some((endpoint, device)) = known else {
        return Response::new(Code::INTERNAL_SERVER_ERROR);
    };
    note_address(state, now, &device, peer);
    let said = Report {
        version: said.version,
        manufacturer: said.manufacturer,
        serial: said.serial,
        model: said.model,
    };
    let verdict = reported_to_horde(state, now, &device, &endpoint, said);
    let available =
        verdict == Verdict::Update && begin(state, now, &device, &endpoint, Transfer::Unasked);
    let silent = matches!(verdict, Verdict::Ignored | Verdict::Barred);
    if silent && settings.strict {
        return Response::new(Code::INTERNAL_SERVER_ERROR);
    }
    let host = air::coap_host(server, to, peer.secured);
    let answer = simple::Answer {
        host: host.ip().to_string(),
        port: host.port().into(),
        path: format!("{}{FIRMWARE}", if settings.slash { "/" } else { "" }),
        available,
    };
    match answer.to_bytes() {
        Ok(payload) => Response::with(Code::CREATED, payload),
        Err(_) => Response::new(Code::INTERNAL_SERVER_ERROR),
    }
}

/// `GET /fw`: the image that is meant for whoever asks, block by block; 4.04 where none is.
fn fetch(state: &mut State, now: UnixMillis, exchange: ExchangeId, peer: Peer, message: &Message) {
    let meant = endpoint_of(state, peer).and_then(|endpoint| match whose(state, &endpoint)? {
        Whose::Horde(device) => {
            let blob = meant_for(state, now, &device, &endpoint)?;
            Some((endpoint, blob))
        }
        Whose::Iotaap(_) => None,
    });
    let image = meant.and_then(|(endpoint, blob)| {
        let image = state.images.get(&blob)?.clone();
        Some((endpoint, image))
    });
    let Some(air) = state.air.as_mut() else {
        return;
    };
    let Some((endpoint, image)) = image else {
        return air.answer(now, exchange, Response::new(Code::NOT_FOUND));
    };
    if let Some(part) = air.serve(now, exchange, &image, message) {
        let part = if part.end as u64 == image.length {
            Fetched::Whole
        } else {
            Fetched::Part
        };
        state.firmware.fetched(now, &endpoint, part);
    }
}

/// The image for a device: what its update is about, or else what it should run. A fetch without a
/// report before it begins an update of its own (contract A7, "direct download").
fn meant_for(state: &mut State, now: UnixMillis, device: &str, endpoint: &str) -> Option<String> {
    let last = state.firmware.of_device(endpoint).last();
    if let Some(update) = last.filter(|it| it.is_plain() && !it.has_ended()) {
        return Some(update.wanted.image.clone());
    }
    let (known, scope) = state.horde.scoped(device)?;
    let goal = scope.wants(&known.standing)?;
    let blob = state.horde.image_of(&known.collection, goal)?.blob.clone();
    // One on LwM2M was told to by a server that was killed since, and waits for Execute.
    let air = state.air.as_ref();
    let transfer = match air.and_then(|air| air.registered(endpoint)) {
        Some(_) => Transfer::ByIdentity { downloaded: false },
        None => Transfer::Unasked,
    };
    let begun = create(state, now, device, endpoint, transfer);
    if begun == Begun::Now {
        state.firmware.fetches(now, endpoint);
    }
    (begun != Begun::Barred).then_some(blob)
}

fn inspected_by_horde(
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
fn reported_to_horde(
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
fn begin(
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
enum Begun {
    /// It did, and asks for nothing yet.
    Now,
    /// It had before.
    Before,
    /// It cannot.
    Barred,
}

fn create(
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

fn inspected_by_iotaap(
    state: &mut State,
    now: UnixMillis,
    device: &str,
    endpoint: &str,
    found: Result<Found, &'static str>,
) {
    let Ok(Found { said, .. }) = found else {
        // It is asked again when it comes again.
        return;
    };
    let scope = state.iotaap.scope_for(device);
    let current = Some(said.version.clone());
    let report = |it: &mut iotaap::Device| it.standing.report(&scope, current, said);
    let verdict = state.iotaap.with_device(device, report);
    let ota = state.iotaap.ota_for(device);
    let (Some(Verdict::Update), Some(ota)) = (verdict, ota) else {
        return;
    };
    let (blob, version) = (ota.blob.clone(), ota.version.clone());
    let wanted = wanted(state, endpoint, blob, version, Transfer::Any);
    let registered = state.air.as_ref().and_then(|it| it.registered(endpoint));
    let arrival = registered.map(Registered::arrival);
    let created = state.firmware.create(now, wanted, arrival);
    if let Ok(id) = created.map(|it| it.id.clone()) {
        state
            .iotaap
            .with_device(device, |it| it.standing.begin(&id));
        moved(state, &id);
    }
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

/// The endpoint name of whoever sends from an address.
fn endpoint_of(state: &State, peer: Peer) -> Option<String> {
    let proven = state.air.as_ref().and_then(|air| air.endpoint_at(peer));
    // Over DTLS only the handshake says who it is.
    let told = || {
        state
            .registry
            .device_at(peer.address)
            .filter(|_| !peer.secured)
    };
    proven.or_else(|| told().map(str::to_owned))
}

fn whose(state: &State, endpoint: &str) -> Option<Whose> {
    let identity = state.registry.device(endpoint).map(|it| &it.identity);
    find(&state.horde, &state.iotaap, identity, endpoint)
}

fn find(
    horde: &Horde,
    iotaap: &iotaap::Iotaap,
    identity: Option<&crate::core::devices::Identity>,
    endpoint: &str,
) -> Option<Whose> {
    let told = identity.and_then(|identity| {
        let by = |number, digits: &Option<String>| horde.device_by(number, digits.as_deref()?);
        by(Number::Imsi, &identity.imsi).or_else(|| by(Number::Imei, &identity.imei))
    });
    let named = || {
        let mut runs = endpoint.split(|it: char| !it.is_ascii_digit());
        runs.find_map(|digits| {
            let long = digits.len() >= limits::MIN_NUMBER_DIGITS;
            let imei = || horde.device_by(Number::Imei, digits);
            long.then(|| imei().or_else(|| horde.device_by(Number::Imsi, digits)))?
        })
    };
    if let Some(device) = told.or_else(named) {
        return Some(Whose::Horde(device.to_owned()));
    }
    let mut runs = endpoint.split(|it: char| !it.is_ascii_hexdigit());
    let device = runs.find(|it| iotaap.any_device(it).is_some())?;
    Some(Whose::Iotaap(device.to_owned()))
}

fn note_address(state: &mut State, now: UnixMillis, device: &str, peer: Peer) {
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
