//! The simple protocol (contract A7): a report, its answer, and the image.

use std::net::SocketAddr;

use fotalab_wire::{
    coap::{Code, ExchangeId, Message, Response},
    net::UnixMillis,
    simple,
};

use super::{
    horde::{Begun, begin, create, note_address, reported_to_horde},
    whose::{Whose, endpoint_of, whose},
};
use crate::{
    air,
    core::{
        firmware::{Fetched, Transfer},
        targets::{Report, Verdict},
    },
    lwm2m::{FIRMWARE, Peer, REPORT},
    server::{Server, State},
};

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
