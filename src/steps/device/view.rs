//! A device as JSON, as scenarios select from it.

use std::time::Duration;

use fotalab_simulators::device::{Device, Phase, State, Step};
use serde_json::{Value, json};

use crate::{
    air::{Air, Known, Tally, hex},
    run::{Lab, Mismatch, StepError},
};

/// All that can be said of a device.
pub(super) async fn view(lab: &mut Lab, device: &Known) -> Result<Value, StepError> {
    let air = Air::of(lab)?;
    let handle = air.handle();
    let tally = air.seen().tally(device.party);
    let (index, name) = (device.index, device.name.clone());
    let shown = handle
        .fleet(move |fleet, now| {
            let address = fleet.address(index);
            let device = fleet.device(index)?;
            let mut shown = of(device, now, tally);
            shown["name"] = json!(name);
            shown["address"] = json!(address.map(|it| it.to_string()));
            Some(shown)
        })
        .await;
    match shown {
        Ok(shown) => Ok(shown.unwrap_or_default()),
        Err(why) => lab.fail(Mismatch::new(why)),
    }
}

fn of(device: &Device, now: Duration, tally: Tally) -> Value {
    let identity = device.identity();
    let firmware = device.firmware();
    let flashed = firmware.flashed().map(|it| {
        json!({
            "version": it.version, "sha256": hex(&it.sha256), "length": it.length,
            "intact": it.intact,
        })
    });
    let struck: Vec<Value> = firmware
        .struck_in_words()
        .map(|(fault, times)| json!({ "fault": fault, "times": times }))
        .collect();
    json!({
        "endpoint": device.endpoint(),
        "serial": identity.serial,
        "imei": identity.imei,
        "manufacturer": identity.manufacturer,
        "model": identity.model,
        "on": device.is_on(),
        "asleep": device.is_asleep(now),
        "registered": device.phase() == Phase::Registered,
        "version": firmware.running(),
        "reports": firmware.reported(),
        "state": firmware.state().number(),
        "result": firmware.outcome().number(),
        "uri": firmware.uri(),
        "history": history(device),
        "flashed": flashed,
        "starts": device.starts(),
        "installs": installs(device),
        "received": { "datagrams": tally.datagrams, "bytes": tally.bytes },
        "sent": { "datagrams": tally.sent },
        "faults": struck,
    })
}

/// The states and results that it went through, as `1/0`.
pub(super) fn history(device: &Device) -> Vec<String> {
    let steps = device.firmware().history().iter();
    steps
        .map(|Step { state, outcome, .. }| format!("{}/{}", state.number(), outcome.number()))
        .collect()
}

/// How often it began to install.
pub(super) fn installs(device: &Device) -> usize {
    let steps = device.firmware().history();
    let begins = |pair: &&[Step]| {
        pair.iter()
            .map(|it| it.state)
            .eq([pair[0].state, State::Updating])
            && pair[0].state != State::Updating
    };
    steps.windows(2).filter(begins).count()
}
