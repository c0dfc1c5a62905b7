//! Groups of devices: those that somebody made, and those that a device is in by what it is.

use std::collections::BTreeMap;

use fotalab_wire::lwm2m::Path;
use serde::{Deserialize, Serialize};

use super::{devices::Device, inventory::Record};
use crate::limits;

/// A group that somebody made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Group {
    /// In words.
    pub(crate) description: Option<String>,
}

/// All of them, by owner and id.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    groups: BTreeMap<(String, String), Group>,
}

/// There are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Groups {
    /// Adds or replaces a group.
    pub(crate) fn put(&mut self, owner: &str, id: &str, group: Group) -> Result<(), Full> {
        let key = (owner.to_owned(), id.to_owned());
        if !self.groups.contains_key(&key) && self.groups.len() >= limits::MAX_OWN_GROUPS {
            return Err(Full);
        }
        self.groups.insert(key, group);
        Ok(())
    }

    /// One group.
    pub(crate) fn get(&self, owner: &str, id: &str) -> Option<&Group> {
        self.groups.get(&(owner.to_owned(), id.to_owned()))
    }

    /// Takes a group away. False: there was none.
    pub(crate) fn remove(&mut self, owner: &str, id: &str) -> bool {
        let key = (owner.to_owned(), id.to_owned());
        self.groups.remove(&key).is_some()
    }
}

/// Ids begin with `root` and have dots between names of letters, digits, `-` and `_`.
pub(crate) fn is_id(text: &str) -> bool {
    let mut names = text.split('.');
    let name = |it: &str| {
        let letter = |it: u8| it.is_ascii_alphanumeric() || it == b'-' || it == b'_';
        !it.is_empty() && it.bytes().all(letter)
    };
    text.len() <= limits::MAX_NAME_BYTES && names.next() == Some("root") && names.all(name)
}

/// All groups that a device of this domain is in: its own, then the automatic ones.
pub(crate) fn of_device(device: &Device, record: &Record, domain: &str) -> Vec<String> {
    let mut all: Vec<String> = device.identity.groups.clone();
    let mut add = |id: String| {
        if !all.contains(&id) {
            all.push(id);
        }
    };
    add("root.incoming".to_owned());
    add("root.monitoring".to_owned());
    let tenant: String = domain
        .split('/')
        .filter(|it| !it.is_empty())
        .fold("root.mt".to_owned(), |before, name| {
            format!("{before}.{}", word(name))
        });
    if tenant != "root.mt" {
        add(tenant.clone());
    }
    if record.seen.first_registered.is_none() {
        return all;
    }
    let told = |id| record.value(Path::resource(3, 0, id)).map(word);
    let kind = told(0).zip(told(1)).zip(told(3));
    for root in ["root", &tenant] {
        add(format!("{root}.lwm2m"));
        add(format!("{root}.lwm2m.management"));
        if let Some(((maker, model), version)) = &kind {
            add(format!("{root}.devicetypes.{maker}.{model}.{version}"));
        }
    }
    all
}

/// As a part of an id: lower case, anything else than letters and digits as `_`.
fn word(text: &str) -> String {
    let text = text.trim();
    let letter = |it: char| match it {
        _ if it.is_ascii_alphanumeric() || it == '-' => it.to_ascii_lowercase(),
        _ => '_',
    };
    let word: String = text.chars().map(letter).collect();
    if word.is_empty() {
        "_".to_owned()
    } else {
        word
    }
}

#[cfg(test)]
mod tests {
    use fotalab_wire::lwm2m::Value;

    use super::*;
    use crate::core::inventory::Inventory;

    #[test]
    fn ids_are_dotted_names_below_root() {
        for (id, good) in [
            ("root", true),
            ("root.mt.demo.api-test", true),
            ("root.devicetypes.a.b.0_2", true),
            ("demo", false),
            ("root.", false),
            ("root..a", false),
            ("root.a b", false),
            ("root.ä", false),
            ("", false),
        ] {
            assert_eq!(is_id(id), good, "{id}");
        }
    }

    #[test]
    fn a_device_is_in_the_groups_of_the_how_to() {
        let mut device = Device::default();
        device.identity.groups = vec!["root.mt.demo.api-test".into()];
        let mut inventory = Inventory::default();
        inventory.edit(1, "d").seen.first_registered = Some(1);
        for (id, text) in [(0, "AVSystem"), (1, "Svetovid"), (3, "0.2")] {
            let value = Value::String(text.into());
            inventory.learn(1, "d", Path::resource(3, 0, id), &value);
        }
        let record = inventory.get("d").expect("known").clone();
        let mut groups = of_device(&device, &record, "/demo/");
        groups.sort();
        let mut expected = [
            "root.monitoring",
            "root.incoming",
            "root.mt.demo",
            "root.mt.demo.lwm2m.management",
            "root.mt.demo.lwm2m",
            "root.lwm2m.management",
            "root.mt.demo.devicetypes.avsystem.svetovid.0_2",
            "root.mt.demo.api-test",
            "root.lwm2m",
            "root.devicetypes.avsystem.svetovid.0_2",
        ];
        expected.sort_unstable();
        assert_eq!(groups, expected);
    }
}
