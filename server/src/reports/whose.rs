//! Whose a device is.
//!
//! It is found by its endpoint name: the numbers that the admin face was told, or those that the
//! name has in it (`nrf-<IMEI>`, `urn:imei:…`, an IoTaaP id). One that has no endpoint name (the
//! simple protocol) is found by its address, which the admin face was told.

use crate::{
    core::{
        horde::{Horde, Number},
        iotaap,
    },
    limits,
    lwm2m::Peer,
    server::State,
};

/// Whose device it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// One of Horde's, by its id.
    Horde(String),
    /// One of IoTaaP's, by its id.
    Iotaap(String),
}

pub(super) fn whose(state: &State, endpoint: &str) -> Option<Whose> {
    let identity = state.registry.device(endpoint).map(|it| &it.identity);
    find(&state.horde, &state.iotaap, identity, endpoint)
}

pub(super) fn find(
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

/// The endpoint name of whoever sends from an address.
pub(super) fn endpoint_of(state: &State, peer: Peer) -> Option<String> {
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
