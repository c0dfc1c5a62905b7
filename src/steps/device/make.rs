//! Simulated devices are made: one, or many of a kind.

use std::{net::IpAddr, sync::Arc};

use cucumber::given;
use fotalab_simulators::device::{
    Identity, Kind, Persona, Setup, Speaks,
    drive::Psk,
    fault::{Faults, UnknownFault},
    iotaap::Keys,
};
use rand::RngExt as _;
use serde_json::{Value, json};

use crate::{
    air::{self, Air, BLUEPRINT, Blueprint, Security, limits, server_of},
    catalogue,
    plan::{BlockNeed, Part, Waiting},
    run::{Lab, Mismatch, StepError, StepResult},
};

catalogue! {
    sentence: "there is a[n (LwM2M|Horde|IoTaaP)] device `NAME` running `VERSION`",
    does: "Makes a simulated device, switched off. NAME is its endpoint name. The code block says how it differs from the usual device: any field of a persona, such as `queue-mode`, `delivery`, `faults`; `endpoint`; `server` (a URL; usually COAPURL, or COAPSURL with `security = \"psk\"`); `psk` with `identity` and `key`, made up and made known to the server where it does not say them; `values` of further objects, by path. A Horde device speaks the simple CoAP protocol; its `lifetime` is the time between two reports, and the server is told its address. An IoTaaP device polls over HTTP each `lifetime` and needs `keys` with `device`, `token`, and for one in a group `group` and `group-token`.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\n```toml\nqueue-mode = true\nlifetime = \"1 h\"\nfaults = [\"out of flash at 60 %\"]\n\n[values]\n\"/3303/0/5700\" = 21.5\n```\n\nWhen the device `meter-1` is switched on\n\nSoon the device `meter-1` should be registered",
    block: BlockNeed::Form(&BLUEPRINT),
    checks: &[("kind", kind_exists)],
    waiting: Waiting::Never,
    uses: &[Part::Server],
}
#[given(
    regex = r"^there is an? (?:(?P<kind>\w+) )?device `(?P<name>[^`]+)` running `(?P<version>[^`]+)`$"
)]
async fn one(lab: &mut Lab, kind: String, name: String, version: String) -> StepResult {
    let blueprint = blueprint(lab, &kind)?;
    make(lab, &blueprint, &[(name, String::new())], &version).await
}

catalogue! {
    sentence: "there are `N` [(LwM2M|Horde|IoTaaP) ]devices `NAME` running `VERSION`",
    does: "Makes that many devices; `{}` in NAME (and in the block's `endpoint` and psk `identity`) is the number of each, from 0. The code block is that of one device.",
    example: "Given there are `3` devices `meter-{}` running `1.0.0`\n\nWhen the devices `meter-*` are switched on\n\nSoon all of the devices `meter-*` should be registered",
    block: BlockNeed::Form(&BLUEPRINT),
    checks: &[("kind", kind_exists), ("name", numbered)],
    waiting: Waiting::Never,
    uses: &[Part::Server],
}
#[given(
    regex = r"^there are `(?P<count>\d+)` (?:(?P<kind>\w+) )?devices `(?P<name>[^`]+)` running `(?P<version>[^`]+)`$"
)]
async fn many(
    lab: &mut Lab,
    count: String,
    kind: String,
    name: String,
    version: String,
) -> StepResult {
    let count: usize = count.parse().unwrap_or(usize::MAX);
    if count > limits::DEVICES {
        let most = limits::DEVICES;
        return lab.fail(Mismatch::new(format!(
            "one step makes at most {most} devices"
        )));
    }
    if let Err((message, help)) = numbered(&name) {
        return lab.fail(Mismatch::new(message).help(help));
    }
    let blueprint = blueprint(lab, &kind)?;
    let names: Vec<(String, String)> = (0..count)
        .map(|it| (name.replace("{}", &it.to_string()), it.to_string()))
        .collect();
    make(lab, &blueprint, &names, &version).await
}

catalogue! {
    sentence: "the device `NAME` has the fault `FAULT`",
    does: "Makes a device (`*` in NAME: many) do something wrong, in words as in `faults` of its block: `stalls at 10 %, 2 times`, `rolls back`. From now on; a fault of how it starts has to be there before it is switched on.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nAnd the device `meter-1` has the fault `loses power while downloading at 40 %`",
    checks: &[("fault", fault_exists)],
    waiting: Waiting::Never,
    uses: &[Part::Server],
}
#[given(regex = r"^the device `(?P<name>[^`]+)` has the fault `(?P<fault>[^`]+)`$")]
async fn has_fault(lab: &mut Lab, name: String, fault: String) -> StepResult {
    let faults = match Faults::read(&[fault]) {
        Ok(faults) => faults,
        Err(error) => return lab.fail(Mismatch::new(error.to_string())),
    };
    let known = super::devices(lab, &name)?;
    let handle = Air::of(lab)?.handle();
    let done = handle
        .fleet(move |fleet, now| {
            for device in known {
                fleet.with(now, device.index, |it| it.add_faults(now, &faults));
            }
        })
        .await;
    done.or_else(|why| lab.fail(Mismatch::new(why)))
}

/// The devices' names have to differ.
fn numbered(name: &str) -> Result<(), (String, String)> {
    if name.contains("{}") {
        return Ok(());
    }
    let message = format!("`{name}` has no {{}} for the number of the device: names are unique");
    Err((message, format!("write `{name}-{{}}`")))
}

fn fault_exists(text: &str) -> Result<(), (String, String)> {
    let read = Faults::read(&[text]);
    read.map(drop).map_err(|UnknownFault { text, nearest }| {
        let message = format!("no fault is called `{text}`");
        (message, format!("did you mean `{nearest}`?"))
    })
}

/// The kinds of devices that there are.
const KINDS: &[&str] = &["LwM2M", "Horde", "IoTaaP"];

fn kind_exists(kind: &str) -> Result<(), (String, String)> {
    if kind.is_empty() || KINDS.contains(&kind) {
        return Ok(());
    }
    let message = format!("there are no simulated devices of the kind `{kind}`");
    Err((message, format!("there are {}", KINDS.join(", "))))
}

fn blueprint(lab: &mut Lab, kind: &str) -> Result<Blueprint, StepError> {
    if let Err((message, help)) = kind_exists(kind) {
        return lab.fail(Mismatch::new(message).help(help));
    }
    let read = match lab.attempt.block.clone() {
        None => Ok(Blueprint::default()),
        Some(block) => air::read_blueprint(block.language.as_deref(), &block.code),
    };
    match read {
        Ok(mut blueprint) => {
            let speaks = match kind {
                "Horde" => Speaks::Horde,
                "IoTaaP" => Speaks::Iotaap,
                // Its block may say it, too.
                _ => blueprint.persona.speaks,
            };
            blueprint.persona = blueprint.persona.speaking(speaks);
            Ok(blueprint)
        }
        Err(mistake) => lab.fail(Mismatch::new(format!(
            "line {} of the code block: {}",
            mistake.line, mistake.message
        ))),
    }
}

/// Makes devices, each with a name and a number.
async fn make(
    lab: &mut Lab,
    blueprint: &Blueprint,
    names: &[(String, String)],
    version: &str,
) -> StepResult {
    let speaks = blueprint.persona.speaks;
    let url = match speaks {
        // They send no datagram.
        Speaks::Iotaap => "coap://127.0.0.1:9".to_owned(),
        _ => server_url(lab, blueprint)?,
    };
    let server = match server_of(&url) {
        Ok(server) => server,
        Err(why) => return lab.fail(Mismatch::new(format!("the server `{url}`: {why}"))),
    };
    let secured = blueprint.security != Security::NoSec;
    if secured && !cfg!(feature = "dtls") {
        return lab.fail(Mismatch::new(
            "this build of fotalab has no DTLS (feature `dtls`), which the device needs",
        ));
    }
    if server.secure != secured {
        let (is, help) = if secured {
            (
                "has a pre-shared key, but its server is coap://",
                "leave `server` out, or give a coaps:// URL",
            )
        } else {
            (
                "has no pre-shared key for its coaps:// server",
                "add: security = \"psk\"",
            )
        };
        return lab.fail(Mismatch::new(format!("the device {is}")).help(help));
    }
    let persona: Persona = blueprint.persona.clone();
    let kind = Arc::new(Kind::with_objects(
        persona,
        blueprint.definitions.clone(),
        blueprint.values.clone(),
    ));
    for (name, number) in names {
        if Air::of(lab)?.known().iter().any(|it| it.name == *name) {
            return lab.fail(Mismatch::new(format!("there is a device `{name}` already")));
        }
        let endpoint = blueprint.endpoint.as_deref().unwrap_or(name);
        let endpoint = endpoint.replace("{}", number);
        let seed: u64 = lab.random().random();
        let psk = psk(lab, blueprint, &endpoint, number, seed).await?;
        let setup = Setup {
            endpoint: endpoint.clone(),
            firmware: version.to_owned(),
            server,
            seed,
        };
        let keys = keys(lab, blueprint, number)?;
        let unsecured = psk.is_none();
        let known = Air::of(lab)?.enrol(name, &endpoint);
        let address = air::add(lab, known, Arc::clone(&kind), setup, psk).await?;
        if let Some(keys) = keys {
            let index = Air::of(lab)?.known().len() - 1;
            let handle = Air::of(lab)?.handle();
            let given = handle.fleet(move |fleet, now| {
                fleet.with(now, index, |device| device.take_keys(keys));
            });
            if let Err(why) = given.await {
                return lab.fail(Mismatch::new(why));
            }
        }
        if speaks == Speaks::Horde && unsecured && blueprint.server.is_none() {
            know_address(lab, &endpoint, address).await?;
        }
    }
    Ok(())
}

/// What is compiled into a device of IoTaaP; `{}` in its id is the device's number.
fn keys(lab: &mut Lab, blueprint: &Blueprint, number: &str) -> Result<Option<Keys>, StepError> {
    if blueprint.persona.speaks != Speaks::Iotaap {
        return Ok(None);
    }
    let Some(written) = &blueprint.keys else {
        let why = "a device of IoTaaP has an id and a token compiled in";
        let help = "write below the step: [keys]\ndevice = \"...\"\ntoken = \"...\"";
        return lab.fail(Mismatch::new(why).help(help));
    };
    let url = blueprint.server.clone().or_else(|| {
        let url = lab.get("IOTAAPURL").and_then(Value::as_str);
        url.map(str::to_owned)
    });
    let Some(url) = url else {
        let why = "the target gives no IOTAAPURL, so the device has nobody to ask";
        return lab.fail(Mismatch::new(why));
    };
    for token in std::iter::once(&written.token).chain(&written.group_token) {
        lab.equipment.secrets.add("device token", token);
    }
    Ok(Some(Keys {
        url,
        device: (written.device.replace("{}", number), written.token.clone()),
        group: written.group.clone().zip(written.group_token.clone()),
    }))
}

/// Tells the server under test who sends from an address, as a network does for Horde.
async fn know_address(lab: &mut Lab, endpoint: &str, address: Option<IpAddr>) -> StepResult {
    let Some(address) = address.filter(|_| Air::is_here(lab)) else {
        let why = "a device of Horde is known by its address, and the server under test does not \
                   see the one that it has";
        let help = "such devices need a server on this machine, or `security = \"psk\"`";
        return lab.fail(Mismatch::new(why).help(help));
    };
    let body = json!({ "address": address.to_string() });
    let (target, network) = (lab.target(), lab.network());
    let known = target.know_device(&*network, endpoint, body).await;
    known.or_else(|error| lab.fail(Mismatch::new(error.to_string())))
}

/// Where the devices register.
fn server_url(lab: &mut Lab, blueprint: &Blueprint) -> Result<String, StepError> {
    if let Some(server) = &blueprint.server {
        return Ok(server.clone());
    }
    let variable = match blueprint.security {
        Security::NoSec => "COAPURL",
        Security::Psk { .. } => "COAPSURL",
    };
    match lab.get(variable).and_then(Value::as_str) {
        Some(url) => Ok(url.to_owned()),
        None => lab.fail(
            Mismatch::new(format!(
                "the target gives no {variable}, so the device has no server to register at"
            ))
            .help("say where in the code block: server = \"coap://127.0.0.1:5683\""),
        ),
    }
}

/// The device's key, made up where it is not given, and made known to the server under test.
async fn psk(
    lab: &mut Lab,
    blueprint: &Blueprint,
    endpoint: &str,
    number: &str,
    seed: u64,
) -> Result<Option<(Psk, Option<u64>)>, StepError> {
    let Security::Psk { identity, key } = &blueprint.security else {
        return Ok(None);
    };
    let identity = identity
        .as_deref()
        .unwrap_or(endpoint)
        .replace("{}", number);
    let key: Vec<u8> = match key {
        Some(key) => key.clone(),
        None => lab.random().random::<[u8; 16]>().to_vec(),
    };
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    lab.equipment.secrets.add("psk", &hex);
    if blueprint.server.is_none() {
        let imei = Identity::of_seed(seed).imei;
        let mut body = json!({ "psk": hex, "imei": imei });
        if identity != endpoint {
            body["pskIdentity"] = json!(identity);
        }
        let (target, network) = (lab.target(), lab.network());
        if let Err(error) = target.know_device(&*network, endpoint, body).await {
            return lab.fail(Mismatch::new(error.to_string()));
        }
    }
    let psk = Psk {
        identity: identity.into_bytes(),
        key,
    };
    // In the virtual world handshakes are the same each time.
    let seed = lab.network().is_virtual().then_some(seed);
    Ok(Some((psk, seed)))
}
