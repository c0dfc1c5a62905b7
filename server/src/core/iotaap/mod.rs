//! What IoTaaP's API knows: devices, groups, and one OTA for each (contract B2 to B5).
//!
//! A device in a group takes the group's OTA, never its own. Most devices ask `latest` and decide
//! by themselves; one that is on LwM2M has its OTA as a target (contract E), and what its report
//! leads to is decided by `core::targets`.

pub(crate) mod id;
mod otas;

use std::collections::{BTreeMap, VecDeque};

use fotalab_wire::net::UnixMillis;
use id::Ids;
pub(crate) use otas::{Listing, Ota, Page, Scoped};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{horde::Change, owners::Model, targets::Standing};
use crate::{limits, store::Kind};

/// Letters and digits of a device's token.
const DEVICE_TOKEN: usize = 12;
/// Of a group's.
const GROUP_TOKEN: usize = 16;
/// Of a name that nobody gave.
const RANDOM_NAME: usize = 10;

/// Why something was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Not there, or not this owner's.
    NoSuchDevice,
    /// Not there, or not this owner's.
    NoSuchGroup,
    /// An id that is none.
    GroupIdNotValid,
    /// What is paid for allows no more devices.
    TooManyDevices,
    /// What is paid for has no groups.
    NoGroups,
    /// There is no room.
    Full,
}

/// A device.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Device {
    /// Its id.
    pub(crate) id: String,
    /// The account that it belongs to.
    pub(crate) owner: String,
    /// What it is called.
    pub(crate) name: String,
    /// Its secret.
    pub(crate) token: String,
    /// When it was made.
    pub(crate) created: UnixMillis,
    /// When it was last heard of.
    #[serde(default)]
    pub(crate) last_contact: Option<UnixMillis>,
    /// The group that it is in.
    #[serde(default)]
    pub(crate) group: Option<String>,
    /// What it runs and shall run, where it is on LwM2M; what it said over MQTT otherwise.
    #[serde(default)]
    pub(crate) standing: Standing,
}

/// A group.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Group {
    /// Its id.
    pub(crate) id: String,
    /// The account that it belongs to.
    pub(crate) owner: String,
    /// What it is called.
    pub(crate) name: String,
    /// Its secret.
    pub(crate) token: String,
    /// When it was made.
    pub(crate) created: UnixMillis,
}

/// All that IoTaaP's API knows.
#[derive(Debug)]
pub(crate) struct Iotaap {
    devices: BTreeMap<String, Device>,
    groups: BTreeMap<String, Group>,
    /// By the id of their device or group.
    otas: BTreeMap<String, Ota>,
    ids: Ids,
    changes: VecDeque<Change>,
}

impl Iotaap {
    /// One that knows nothing; ids and tokens come from `seed` and the time.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            devices: BTreeMap::new(),
            groups: BTreeMap::new(),
            otas: BTreeMap::new(),
            ids: Ids::new(seed ^ 0x107A),
            changes: VecDeque::new(),
        }
    }

    /// Ids and secrets for what is none of its resources.
    pub(crate) fn ids(&mut self) -> &mut Ids {
        &mut self.ids
    }

    /// The next document that changed.
    pub(crate) fn poll_change(&mut self) -> Option<Change> {
        self.changes.pop_front()
    }

    /// The devices of an owner, by id.
    pub(crate) fn devices<'a>(&'a self, owner: &'a str) -> impl Iterator<Item = &'a Device> + 'a {
        self.devices.values().filter(move |it| it.owner == owner)
    }

    /// The groups of an owner, by id.
    pub(crate) fn groups<'a>(&'a self, owner: &'a str) -> impl Iterator<Item = &'a Group> + 'a {
        self.groups.values().filter(move |it| it.owner == owner)
    }

    /// A device of an owner.
    pub(crate) fn device(&self, owner: &str, key: &str) -> Result<&Device, Refused> {
        let device = self.devices.get(key).filter(|it| it.owner == owner);
        device.ok_or(Refused::NoSuchDevice)
    }

    /// A group of an owner.
    pub(crate) fn group(&self, owner: &str, key: &str) -> Result<&Group, Refused> {
        let group = self.groups.get(key).filter(|it| it.owner == owner);
        group.ok_or(Refused::NoSuchGroup)
    }

    /// A device, whoever's it is.
    pub(crate) fn any_device(&self, key: &str) -> Option<&Device> {
        self.devices.get(key)
    }

    /// A group, whoever's it is.
    pub(crate) fn any_group(&self, key: &str) -> Option<&Group> {
        self.groups.get(key)
    }

    /// Makes a device; without a name it gets some letters.
    pub(crate) fn create_device(
        &mut self,
        now: UnixMillis,
        (owner, model): (&str, Model),
        name: Option<String>,
    ) -> Result<&Device, Refused> {
        if self.devices.len() >= limits::MAX_DEVICES {
            return Err(Refused::Full);
        }
        if self.devices(owner).count() >= model.devices() {
            return Err(Refused::TooManyDevices);
        }
        let device = Device {
            id: self.ids.draw(now),
            owner: owner.to_owned(),
            name: name.unwrap_or_else(|| self.ids.secret(RANDOM_NAME)),
            token: self.ids.secret(DEVICE_TOKEN),
            created: now,
            last_contact: None,
            group: None,
            standing: Standing::default(),
        };
        let key = device.id.clone();
        self.changed(Kind::IotaapDevice, &key, Some(json!(device)));
        Ok(self.devices.entry(key).insert_entry(device).into_mut())
    }

    /// Makes a group.
    pub(crate) fn create_group(
        &mut self,
        now: UnixMillis,
        (owner, model): (&str, Model),
        name: Option<String>,
    ) -> Result<&Group, Refused> {
        if !model.has_groups() {
            return Err(Refused::NoGroups);
        }
        if self.groups.len() >= limits::MAX_COLLECTIONS {
            return Err(Refused::Full);
        }
        let group = Group {
            id: self.ids.draw(now),
            owner: owner.to_owned(),
            name: name.unwrap_or_else(|| self.ids.secret(RANDOM_NAME)),
            token: self.ids.secret(GROUP_TOKEN),
            created: now,
        };
        let key = group.id.clone();
        self.changed(Kind::IotaapGroup, &key, Some(json!(group)));
        Ok(self.groups.entry(key).insert_entry(group).into_mut())
    }

    /// Renames a device, or puts it into a group or out of it. A group that is not there, or not
    /// the owner's, is not even mentioned (contract B2).
    pub(crate) fn change_device(
        &mut self,
        owner: &str,
        key: &str,
        name: Option<String>,
        group: Option<&str>,
    ) -> Result<&Device, Refused> {
        self.device(owner, key)?;
        let into = match group {
            None => None,
            Some("undefined") => Some(None),
            Some(group) if !id::is_id(group) => return Err(Refused::GroupIdNotValid),
            Some(group) => self.group(owner, group).ok().map(|it| Some(it.id.clone())),
        };
        self.with_device(key, |device| {
            if let Some(name) = name {
                device.name = name;
            }
            if let Some(into) = into.filter(|into| *into != device.group) {
                device.group = into;
                device.standing.leave_scope();
            }
        });
        self.device(owner, key)
    }

    /// Renames a group.
    pub(crate) fn change_group(
        &mut self,
        owner: &str,
        key: &str,
        name: Option<String>,
    ) -> Result<&Group, Refused> {
        let mut group = self.group(owner, key)?.clone();
        if let Some(name) = name {
            group.name = name;
        }
        self.changed(Kind::IotaapGroup, key, Some(json!(group)));
        Ok(self
            .groups
            .entry(key.to_owned())
            .insert_entry(group)
            .into_mut())
    }

    /// Removes a device with its OTA. Says where the bytes of that are.
    pub(crate) fn delete_device(
        &mut self,
        owner: &str,
        key: &str,
    ) -> Result<Option<String>, Refused> {
        self.device(owner, key)?;
        self.devices.remove(key);
        self.changed(Kind::IotaapDevice, key, None);
        Ok(self.drop_ota(key))
    }

    /// Removes a group with its OTA; its devices stay, without a group.
    pub(crate) fn delete_group(
        &mut self,
        owner: &str,
        key: &str,
    ) -> Result<Option<String>, Refused> {
        if !id::is_id(key) {
            return Err(Refused::GroupIdNotValid);
        }
        self.group(owner, key)?;
        self.groups.remove(key);
        self.changed(Kind::IotaapGroup, key, None);
        let members: Vec<String> = self.members(key).map(|it| it.id.clone()).collect();
        for member in members {
            self.with_device(&member, |device| {
                device.group = None;
                device.standing.leave_scope();
            });
        }
        Ok(self.drop_ota(key))
    }

    /// The devices of a group.
    pub(crate) fn members<'a>(&'a self, group: &'a str) -> impl Iterator<Item = &'a Device> + 'a {
        let all = self.devices.values();
        all.filter(move |it| it.group.as_deref() == Some(group))
    }

    /// A device gave a sign of life.
    pub(crate) fn contacted(&mut self, now: UnixMillis, key: &str) {
        self.with_device(key, |device| device.last_contact = Some(now));
    }

    /// Lets something happen to a device; what changed is stored.
    pub(crate) fn with_device<T>(
        &mut self,
        key: &str,
        act: impl FnOnce(&mut Device) -> T,
    ) -> Option<T> {
        let device = self.devices.get_mut(key)?;
        let before = device.clone();
        let done = act(device);
        if *device != before {
            let document = json!(device);
            self.changed(Kind::IotaapDevice, key, Some(document));
        }
        Some(done)
    }

    /// A device that was stored.
    pub(crate) fn restore_device(&mut self, device: Device) {
        self.devices.insert(device.id.clone(), device);
    }

    /// A group that was stored.
    pub(crate) fn restore_group(&mut self, group: Group) {
        self.groups.insert(group.id.clone(), group);
    }

    fn changed(&mut self, kind: Kind, key: &str, document: Option<Value>) {
        self.changes.push_back(Change {
            kind,
            key: key.to_owned(),
            document,
        });
    }
}

/// Without the token.
impl std::fmt::Debug for Device {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Device")
            .field("id", &self.id)
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}

/// Without the token.
impl std::fmt::Debug for Group {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Group")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
