//! Device shadows as LwM2M objects: what a device reported, what it should have (contract 3.4-3.6).

mod convert;
mod difference;
mod stored;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub(crate) use convert::convert;
pub(crate) use difference::{difference, keep_newer_times};

/// Objects that messages may contain (contract 3.4).
pub(crate) const KNOWN_OBJECTS: [u32; 12] = [
    14201, 14202, 14203, 14204, 14205, 14210, 14220, 14230, 14240, 14250, 14301, 14401,
];
/// The resource that holds the time in every object.
pub(crate) const TIME: u32 = 99;

/// One object: its id and its version, such as `1.0`.
pub(crate) type ObjectKey = (u32, String);
/// The resources of one instance.
pub(crate) type Resources = BTreeMap<u32, Value>;
/// Objects, their instances, their resources.
pub(crate) type Objects = BTreeMap<ObjectKey, BTreeMap<u32, Resources>>;

/// What a device reported, and what it was told to be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Shadow {
    /// From the device.
    #[serde(with = "stored")]
    pub(crate) reported: Objects,
    /// For the device.
    #[serde(with = "stored")]
    pub(crate) desired: Objects,
}

/// What decides about updates: raw, so that an incomplete object still counts (contract 6, traps).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Firmware {
    /// The application's version as the device spells it.
    pub(crate) app: Option<String>,
    /// The modem firmware as the device spells it, such as `mfw_nrf91x1_2.0.1`.
    pub(crate) modem: Option<String>,
    /// The FOTA types it says it supports.
    pub(crate) types: Vec<String>,
}

impl Firmware {
    /// The modem firmware without the chip's name: the last part.
    pub(crate) fn modem_version(&self) -> Option<&str> {
        self.modem.as_deref().and_then(|it| it.rsplit('_').next())
    }
}

impl Shadow {
    /// Objects older than `instant`, or exactly of it, left out (seconds).
    pub(crate) fn since(&self, instant: i64) -> Self {
        let recent = |objects: &Objects| {
            let mut objects = objects.clone();
            for instances in objects.values_mut() {
                instances
                    .retain(|_, resources| time_of(resources).is_none_or(|at| at > instant as f64));
            }
            objects.retain(|_, instances| !instances.is_empty());
            objects
        };
        Self {
            reported: recent(&self.reported),
            desired: recent(&self.desired),
        }
    }

    /// The latest time in what was reported (seconds).
    pub(crate) fn last_seen(&self) -> Option<i64> {
        self.reported
            .values()
            .flat_map(BTreeMap::values)
            .filter_map(time_of)
            .map(|it| it as i64)
            .filter(|it| is_plausible_time(*it))
            .max()
    }
}

/// Objects as the contract's messages list them; what the schema does not allow is left out.
pub(crate) fn render(objects: &Objects) -> Value {
    let mut list = Vec::new();
    for ((id, version), instances) in objects {
        if !KNOWN_OBJECTS.contains(id) || !is_object_version(version) {
            continue;
        }
        for (instance, resources) in instances {
            let resources: Map<String, Value> = resources
                .iter()
                .filter(|(_, value)| is_resource_value(value))
                .map(|(key, value)| (key.to_string(), value.clone()))
                .collect();
            let mut object = Map::new();
            object.insert("ObjectID".into(), json!(id));
            object.insert("ObjectVersion".into(), json!(version));
            if *instance != 0 {
                object.insert("ObjectInstanceID".into(), json!(instance));
            }
            object.insert("Resources".into(), resources.into());
            list.push(Value::Object(object));
        }
    }
    list.into()
}

/// A value that a resource may have: non-empty text, number, boolean, or an array of one of them.
pub(crate) fn is_resource_value(value: &Value) -> bool {
    let single = |it: &Value| match it {
        Value::String(text) => !text.is_empty(),
        Value::Number(_) | Value::Bool(_) => true,
        _ => false,
    };
    match value {
        Value::Array(list) => {
            list.iter().all(single)
                && list
                    .windows(2)
                    .all(|it| std::mem::discriminant(&it[0]) == std::mem::discriminant(&it[1]))
        }
        value => single(value),
    }
}

/// `digits`, any character, `digits`: the contract's dot is unescaped.
pub(crate) fn is_object_version(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    text.char_indices()
        .any(|(at, it)| digits(&text[..at]) && digits(&text[at + it.len_utf8()..]))
}

fn time_of(resources: &Resources) -> Option<f64> {
    resources.get(&TIME).and_then(Value::as_f64)
}

/// The contract's bounds for a time (3.5).
fn is_plausible_time(seconds: i64) -> bool {
    1_700_000_000 < seconds && seconds < 9_999_999_999
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(key: (u32, &str), instance: u32, resources: Value) -> Objects {
        let resources = resources.as_object().expect("resources").iter();
        let resources = resources
            .map(|(id, value)| (id.parse().expect("an id"), value.clone()))
            .collect();
        Objects::from([(
            (key.0, key.1.to_owned()),
            BTreeMap::from([(instance, resources)]),
        )])
    }

    #[test]
    fn messages_list_known_objects_only() {
        let mut all = objects(
            (14401, "1.0"),
            0,
            json!({"0": ["APP"], "99": 1_717_409_966}),
        );
        all.extend(objects(
            (14230, "1.0"),
            1,
            json!({"0": true, "1": null, "2": {"a": 1}, "3": ""}),
        ));
        all.extend(objects((14999, "1.0"), 0, json!({"0": 1})));
        assert_eq!(
            render(&all),
            json!([
                {"ObjectID": 14230, "ObjectVersion": "1.0", "ObjectInstanceID": 1, "Resources": {"0": true}},
                {"ObjectID": 14401, "ObjectVersion": "1.0", "Resources": {"0": ["APP"], "99": 1_717_409_966}},
            ])
        );
    }

    #[test]
    fn what_is_older_than_the_hiding_is_left_out() {
        let shadow = Shadow {
            reported: objects((14204, "1.0"), 0, json!({"99": 1_717_409_966})),
            desired: objects((14240, "1.0"), 0, json!({"0": 5})),
        };
        assert_eq!(shadow.last_seen(), Some(1_717_409_966));
        assert_eq!(shadow.since(1_717_409_965), shadow);
        let later = shadow.since(1_717_409_966);
        assert!(later.reported.is_empty() && !later.desired.is_empty());
    }
}
