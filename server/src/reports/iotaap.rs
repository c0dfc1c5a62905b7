//! Devices of IoTaaP: what they run, and the version that is meant for them.

use fotalab_wire::net::UnixMillis;

use super::{moved, wanted};
use crate::{
    core::{
        firmware::Transfer,
        iotaap,
        targets::{Found, Verdict},
    },
    lwm2m::Registered,
    server::State,
};

pub(super) fn inspected_by_iotaap(
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
