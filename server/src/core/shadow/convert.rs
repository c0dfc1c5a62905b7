//! One device of `GET /v1/devices`, as LwM2M objects (contract 3.5).

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Firmware, Objects, Resources, Shadow, TIME, is_plausible_time, is_resource_value};

const VERSION: &str = "1.0";
const DEVICE_INFORMATION: u32 = 14204;
const CONNECTION_INFORMATION: u32 = 14203;
const SUPPORTED_TYPES: u32 = 14401;
/// What a device runs that does not say it.
const UNKNOWN_APP: &str = "0.0.0-unknown";

/// Converts the `state` of a device. Tolerant: what is missing or wrong is left out.
pub(crate) fn convert(state: &Value) -> (Shadow, Firmware) {
    let mut shadow = Shadow {
        reported: raw_objects(&state["reported"]["lwm2m"]),
        desired: raw_objects(&state["desired"]["lwm2m"]),
    };
    let device = &state["reported"]["device"];
    let metadata = &state["metadata"]["reported"]["device"];
    for (id, resources) in [
        (DEVICE_INFORMATION, device_information(device, metadata)),
        (
            CONNECTION_INFORMATION,
            connection_information(device, metadata),
        ),
        (SUPPORTED_TYPES, supported_types(device, metadata)),
    ] {
        if let Some(resources) = resources {
            let key = (id, VERSION.to_owned());
            shadow
                .reported
                .insert(key, BTreeMap::from([(0, resources)]));
        }
    }
    let firmware = firmware(device, &shadow.reported);
    (shadow, firmware)
}

/// Versions and types, from the raw state first, then from what is published.
fn firmware(device: &Value, reported: &Objects) -> Firmware {
    let published = |object: u32, resource: u32| {
        let instances = reported
            .iter()
            .find(|((id, _), _)| *id == object)
            .map(|(_, it)| it)?;
        instances.get(&0)?.get(&resource)
    };
    let text = |raw: &Value, object, resource| {
        let raw = raw
            .as_str()
            .or_else(|| published(object, resource)?.as_str());
        raw.filter(|it| !it.is_empty()).map(str::to_owned)
    };
    let types = match &device["serviceInfo"]["fota_v2"] {
        Value::Array(types) => Some(types),
        _ => published(SUPPORTED_TYPES, 0).and_then(Value::as_array),
    };
    Firmware {
        app: text(&device["deviceInfo"]["appVersion"], DEVICE_INFORMATION, 3),
        modem: text(
            &device["deviceInfo"]["modemFirmware"],
            DEVICE_INFORMATION,
            2,
        ),
        types: types
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
    }
}

fn device_information(device: &Value, metadata: &Value) -> Option<Resources> {
    let info = device.get("deviceInfo")?;
    let unknown = Value::from(UNKNOWN_APP);
    let mut resources = BTreeMap::from([
        (0, info.get("imei")?.clone()),
        (2, info.get("modemFirmware")?.clone()),
        (3, info.get("appVersion").unwrap_or(&unknown).clone()),
        (4, info.get("board")?.clone()),
    ]);
    if let Some(iccid) = device["simInfo"].get("iccid") {
        resources.insert(1, iccid.clone());
    }
    let strings = resources
        .values()
        .all(|it| it.as_str().is_some_and(|text| !text.is_empty()));
    let meta = &metadata["deviceInfo"];
    let iccid = &metadata["simInfo"]["iccid"];
    let at = latest(
        ["imei", "modemFirmware", "appVersion", "board"]
            .map(|it| &meta[it])
            .into_iter()
            .chain([iccid]),
    );
    resources.insert(TIME, at.into());
    (strings && is_plausible_time(at)).then_some(resources)
}

fn connection_information(device: &Value, metadata: &Value) -> Option<Resources> {
    let info = device.get("networkInfo")?;
    let mut resources = Resources::new();
    let is_text = |it: &Value| it.as_str().is_some_and(|text| !text.is_empty());
    for (id, name, fits) in [
        (0, "networkMode", &is_text as &dyn Fn(&Value) -> bool),
        (1, "currentBand", &Value::is_number),
        (2, "rsrp", &Value::is_number),
        (3, "areaCode", &Value::is_number),
        (4, "cellID", &Value::is_number),
        (6, "ipAddress", &is_text),
        (11, "eest", &Value::is_number),
    ] {
        if let Some(value) = info.get(name) {
            if !fits(value) {
                return None;
            }
            resources.insert(id, value.clone());
        }
    }
    match info.get("mccmnc") {
        Some(Value::String(digits)) => {
            resources.insert(5, digits.trim().parse::<u64>().ok()?.into());
        }
        Some(Value::Number(number)) => {
            resources.insert(5, number.as_u64()?.into());
        }
        Some(_) => return None,
        None => {}
    }
    let meta = &metadata["networkInfo"];
    // `band` is not what the value is called; it is what the contract reads.
    let at = latest(["ipAddress", "band", "areaCode", "cellID", "mccmnc"].map(|it| &meta[it]));
    resources.insert(TIME, at.into());
    is_plausible_time(at).then_some(resources)
}

fn supported_types(device: &Value, metadata: &Value) -> Option<Resources> {
    let types = device["serviceInfo"].get("fota_v2")?;
    let strings = types
        .as_array()
        .is_some_and(|list| list.iter().all(Value::is_string) && is_resource_value(types));
    let meta = &metadata["serviceInfo"]["fota_v2"];
    let at = latest(meta.as_array().into_iter().flatten());
    let resources = BTreeMap::from([(0, types.clone()), (TIME, at.into())]);
    (strings && is_plausible_time(at)).then_some(resources)
}

/// The largest whole `timestamp`, 0 if there is none.
fn latest<'a>(metadata: impl IntoIterator<Item = &'a Value>) -> i64 {
    metadata
        .into_iter()
        .filter_map(|it| it["timestamp"].as_i64())
        .max()
        .unwrap_or(0)
}

/// Keys `14201:1.0`, then instances, then resources, as they are.
fn raw_objects(value: &Value) -> Objects {
    let mut objects = Objects::new();
    for (key, instances) in value.as_object().into_iter().flatten() {
        let (id, version) = key.split_once(':').unwrap_or((key, VERSION));
        let (Ok(id), Some(instances)) = (id.parse(), instances.as_object()) else {
            continue;
        };
        for (instance, resources) in instances {
            let (Ok(instance), Some(resources)) = (instance.parse(), resources.as_object()) else {
                continue;
            };
            let resources = resources
                .iter()
                .filter_map(|(id, value)| Some((id.parse().ok()?, value.clone())))
                .collect();
            let instances: &mut BTreeMap<u32, Resources> =
                objects.entry((id, version.to_owned())).or_default();
            instances.insert(instance, resources);
        }
    }
    objects
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::render, *};

    #[test]
    fn all_three_objects_are_converted() {
        let state = json!({
            "reported": {"device": {
                "deviceInfo": {"imei": "355025930003908", "modemFirmware": "mfw_nrf91x1_2.0.1", "appVersion": "2.0.0", "board": "thingy91x"},
                "simInfo": {"iccid": "8931080620054223678"},
                "networkInfo": {"networkMode": "LTE-M", "currentBand": 20, "rsrp": -96, "areaCode": 30401, "cellID": 21679633, "mccmnc": "24201", "ipAddress": "100.74.127.55", "eest": 7},
                "serviceInfo": {"fota_v2": ["BOOT", "MODEM", "APP"]}
            }, "lwm2m": {"14230:1.0": {"1": {"0": true, "99": 1_717_409_970}}}},
            "desired": {"lwm2m": {"14240:1.0": {"0": {"0": 300}}}},
            "metadata": {"reported": {"device": {
                "deviceInfo": {"imei": {"timestamp": 1_716_801_888}, "board": {"timestamp": 1_716_801_890}},
                "simInfo": {"iccid": {"timestamp": 1_716_801_891}},
                "networkInfo": {"cellID": {"timestamp": 1_716_801_900}, "band": {"timestamp": 1_716_801_901}, "rsrp": {"timestamp": 1_799_999_999}},
                "serviceInfo": {"fota_v2": [{"timestamp": 1_717_409_966}, {"timestamp": 1_717_409_960}]}
            }}}
        });
        let (shadow, firmware) = convert(&state);
        assert_eq!(
            render(&shadow.reported),
            json!([
                {"ObjectID": 14203, "ObjectVersion": "1.0", "Resources": {"0": "LTE-M", "1": 20, "2": -96, "3": 30401, "4": 21679633, "5": 24201, "6": "100.74.127.55", "11": 7, "99": 1_716_801_901}},
                {"ObjectID": 14204, "ObjectVersion": "1.0", "Resources": {"0": "355025930003908", "1": "8931080620054223678", "2": "mfw_nrf91x1_2.0.1", "3": "2.0.0", "4": "thingy91x", "99": 1_716_801_891}},
                {"ObjectID": 14230, "ObjectVersion": "1.0", "ObjectInstanceID": 1, "Resources": {"0": true, "99": 1_717_409_970}},
                {"ObjectID": 14401, "ObjectVersion": "1.0", "Resources": {"0": ["BOOT", "MODEM", "APP"], "99": 1_717_409_966}},
            ])
        );
        assert_eq!(
            render(&shadow.desired),
            json!([{"ObjectID": 14240, "ObjectVersion": "1.0", "Resources": {"0": 300}}])
        );
        assert_eq!(firmware.app.as_deref(), Some("2.0.0"));
        assert_eq!(firmware.modem_version(), Some("2.0.1"));
        assert_eq!(firmware.types, ["BOOT", "MODEM", "APP"]);
    }

    #[test]
    fn an_incomplete_device_is_not_published_but_can_be_updated() {
        let (shadow, firmware) = convert(&json!({
            "reported": {"device": {"deviceInfo": {"appVersion": "2.0.0"}, "networkInfo": {"rsrp": "loud"}}},
            "metadata": {"reported": {"device": {"deviceInfo": {"appVersion": {"timestamp": 1_716_801_888}}}}}
        }));
        assert_eq!(shadow, Shadow::default());
        assert_eq!(firmware.app.as_deref(), Some("2.0.0"));
    }

    #[test]
    fn nonsense_converts_to_nothing() {
        for state in [
            json!(null),
            json!([]),
            json!({"reported": 5, "metadata": "x"}),
            json!({"reported": {"lwm2m": {"x:1.0": {}, "14201:1.0": {"0": 7, "x": {}}}}}),
        ] {
            assert_eq!(
                convert(&state),
                (Shadow::default(), Firmware::default()),
                "{state}"
            );
        }
    }
}
