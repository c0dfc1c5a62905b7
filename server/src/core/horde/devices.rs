//! Devices: known by IMSI and IMEI, each in one collection (contract A4).

use fotalab_wire::net::UnixMillis;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Horde, Number, Refused, collections::merge, id, tags::Tags};
use crate::{
    core::targets::{Management, Scope, Standing},
    limits,
    store::Kind,
};

/// A device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Device {
    /// Its id.
    pub(crate) id: String,
    /// Where it is.
    pub(crate) collection: String,
    /// As it was given.
    pub(crate) imsi: String,
    /// As it was given.
    pub(crate) imei: String,
    /// What is noted on it.
    #[serde(default)]
    pub(crate) tags: Tags,
    /// What it runs and shall run.
    #[serde(default)]
    pub(crate) standing: Standing,
    /// Where it was last heard of.
    #[serde(default)]
    pub(crate) network: Option<Network>,
}

/// The address from which a device reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Network {
    /// Without a port.
    pub(crate) address: String,
    /// Since when it has it.
    pub(crate) since: UnixMillis,
}

/// What is to be changed of a device; `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DeviceChange {
    /// Where it moves.
    pub(crate) collection: Option<String>,
    /// Its numbers.
    pub(crate) imsi: Option<String>,
    /// Its numbers.
    pub(crate) imei: Option<String>,
    /// Added, changed, or taken away.
    pub(crate) tags: Vec<(String, String)>,
    /// Its target and what it is said to run; `0` takes one away.
    pub(crate) firmware: Option<Wish>,
}

/// What is said of the images of one device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wish {
    /// What it shall run.
    pub(crate) target: Option<String>,
    /// What it runs.
    pub(crate) current: Option<String>,
}

impl Horde {
    /// The devices of a collection, oldest first.
    pub(crate) fn devices(&self, collection: &str) -> impl Iterator<Item = &Device> {
        let members = self.members.get(collection).into_iter().flatten();
        members.filter_map(|key| self.devices.get(key))
    }

    /// A device of a collection of an owner.
    pub(crate) fn device(
        &self,
        owner: &str,
        collection: &str,
        key: &str,
    ) -> Result<&Device, Refused> {
        self.collection(owner, collection)?;
        id::parse(key).ok_or(Refused::InvalidDevice)?;
        let device = self.devices.get(key);
        let there = device.filter(|it| it.collection == collection);
        there.ok_or(Refused::UnknownDevice)
    }

    /// The device with this number.
    pub(crate) fn device_by(&self, number: Number, digits: &str) -> Option<&str> {
        let key = (number, canonical(digits)?);
        self.numbers.get(&key).map(String::as_str)
    }

    /// A device and the scope that it is in.
    pub(crate) fn scoped(&self, key: &str) -> Option<(&Device, &Scope)> {
        let device = self.devices.get(key)?;
        let collection = self.any_collection(&device.collection)?;
        Some((device, &collection.scope))
    }

    /// Adds a device to a collection.
    pub(crate) fn create_device(
        &mut self,
        now: UnixMillis,
        owner: &str,
        collection: &str,
        change: &DeviceChange,
    ) -> Result<&Device, Refused> {
        let scope = &self.collection(owner, collection)?.scope;
        let inherits = scope.management == Management::Collection;
        let target = scope.target.clone().filter(|_| inherits);
        let (Some(imsi), Some(imei)) = (change.imsi.clone(), change.imei.clone()) else {
            return Err(Refused::MissingNumbers);
        };
        if canonical(&imsi).is_none() || canonical(&imei).is_none() {
            return Err(Refused::InvalidNumbers);
        }
        let mut noted = Tags::new();
        merge(&mut noted, &change.tags)?;
        let members = self
            .members
            .get(collection)
            .map_or(0, std::collections::BTreeSet::len);
        if self.devices.len() >= limits::MAX_DEVICES || members >= limits::MAX_MEMBERS {
            return Err(Refused::Full);
        }
        let device = Device {
            id: self.ids.draw(now),
            collection: collection.to_owned(),
            imsi,
            imei,
            tags: noted,
            standing: Standing {
                target,
                ..Standing::default()
            },
            network: None,
        };
        self.take_numbers(&device)?;
        Ok(self.keep_device(device))
    }

    /// Changes a device.
    pub(crate) fn change_device(
        &mut self,
        owner: &str,
        collection: &str,
        key: &str,
        change: &DeviceChange,
    ) -> Result<&Device, Refused> {
        let before = self.device(owner, collection, key)?.clone();
        let mut device = before.clone();
        merge(&mut device.tags, &change.tags)?;
        for (number, given) in [
            (&mut device.imsi, &change.imsi),
            (&mut device.imei, &change.imei),
        ] {
            if let Some(given) = given {
                canonical(given).ok_or(Refused::InvalidNumbers)?;
                number.clone_from(given);
            }
        }
        if let Some(to) = change.collection.as_ref().filter(|it| *it != collection) {
            self.collection(owner, to)?;
            device.collection.clone_from(to);
            device.standing.leave_scope();
        }
        if let Some(wish) = &change.firmware {
            let says_nothing = *wish == Wish::default();
            let scope = &self.collection(owner, &device.collection)?.scope;
            if scope.management == Management::Collection {
                return Err(Refused::ManagedByCollection);
            }
            if !says_nothing {
                self.wish(&mut device, wish)?;
            }
        }
        self.free_numbers(&before);
        if let Err(taken) = self.take_numbers(&device) {
            self.take_numbers(&before)?;
            return Err(taken);
        }
        if before.collection != device.collection
            && let Some(members) = self.members.get_mut(&before.collection)
        {
            members.remove(key);
        }
        Ok(self.keep_device(device))
    }

    /// Takes an error from a device.
    pub(crate) fn clear_error(
        &mut self,
        owner: &str,
        collection: &str,
        key: &str,
    ) -> Result<(), Refused> {
        self.device(owner, collection, key)?;
        self.with_device(key, |device| device.standing.clear_error());
        Ok(())
    }

    /// Removes a device.
    pub(crate) fn delete_device(
        &mut self,
        owner: &str,
        collection: &str,
        key: &str,
    ) -> Result<(), Refused> {
        let device = self.device(owner, collection, key)?.clone();
        self.free_numbers(&device);
        self.devices.remove(key);
        if let Some(members) = self.members.get_mut(collection) {
            members.remove(key);
        }
        self.changed(Kind::HordeDevice, key, None);
        Ok(())
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
            self.changed(Kind::HordeDevice, key, Some(document));
        }
        Some(done)
    }

    /// A device that was stored.
    pub(crate) fn restore_device(&mut self, device: Device) -> Result<(), &'static str> {
        self.ids.known(&device.id);
        let taken = self.take_numbers(&device);
        taken.map_err(|_| "another device has its IMSI or IMEI")?;
        self.place(device);
        Ok(())
    }

    fn wish(&self, device: &mut Device, wish: &Wish) -> Result<(), Refused> {
        let unknown = Refused::NoSuchImageForDevice;
        let collection = device.collection.clone();
        if let Some(given) = &wish.current {
            let invalid = Refused::InvalidCurrent;
            device.standing.current = self.image_or_none(&collection, given, invalid, unknown)?;
        }
        let target = match &wish.target {
            Some(given) => {
                self.image_or_none(&collection, given, Refused::InvalidTarget, unknown)?
            }
            None => device.standing.target.clone(),
        };
        device.standing.retarget(target);
        Ok(())
    }

    fn keep_device(&mut self, device: Device) -> &Device {
        let key = device.id.clone();
        self.changed(Kind::HordeDevice, &key, Some(json!(device)));
        self.place(device)
    }

    fn place(&mut self, device: Device) -> &Device {
        let key = device.id.clone();
        let members = self.members.entry(device.collection.clone()).or_default();
        members.insert(key.clone());
        self.devices.entry(key).insert_entry(device).into_mut()
    }

    fn take_numbers(&mut self, device: &Device) -> Result<(), Refused> {
        let numbers = numbers(device);
        let taken = |key: &(Number, String)| {
            let owner = self.numbers.get(key);
            owner.is_some_and(|it| *it != device.id)
        };
        if numbers.iter().any(taken) {
            return Err(Refused::NumbersTaken);
        }
        for key in numbers {
            self.numbers.insert(key, device.id.clone());
        }
        Ok(())
    }

    fn free_numbers(&mut self, device: &Device) {
        for key in numbers(device) {
            self.numbers.remove(&key);
        }
    }
}

fn numbers(device: &Device) -> Vec<(Number, String)> {
    [(Number::Imsi, &device.imsi), (Number::Imei, &device.imei)]
        .into_iter()
        .filter_map(|(number, digits)| Some((number, canonical(digits)?)))
        .collect()
}

/// A positive integer of 64 bits, without what makes it look different.
fn canonical(digits: &str) -> Option<String> {
    let plain = digits.bytes().all(|it| it.is_ascii_digit());
    let number = digits.parse::<i64>().ok().filter(|it| plain && *it > 0)?;
    Some(number.to_string())
}
