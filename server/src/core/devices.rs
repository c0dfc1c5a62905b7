//! Who is known: devices, and the upstream accounts they belong to.

use std::{collections::BTreeMap, net::SocketAddr, ops::Bound};

use fotalab_wire::net::UnixMillis;
use serde::{Deserialize, Serialize};

use super::{
    keys::{Keys, read_key},
    shadow::{Firmware, Shadow, difference, keep_newer_times},
    time::iso,
};
use crate::limits;

/// Devices of this model are only identified: they need no account (contract 3.1).
pub(crate) const UNSUPPORTED_MODEL: &str = "unsupported";

/// What the admin face was told about a device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// What the hello API takes as proof of ownership.
    pub(crate) fingerprint: Option<String>,
    /// The product.
    pub(crate) model: Option<String>,
    /// The name of its upstream account.
    pub(crate) account: Option<String>,
    /// The pre-shared key, hexadecimal.
    pub(crate) psk: Option<String>,
    /// The PSK identity, where it is not the endpoint name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) psk_identity: Option<String>,
    /// The longest firmware image that it takes, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) slot: Option<u64>,
    /// The modem's number.
    pub(crate) imei: Option<String>,
    /// The subscriber's number.
    pub(crate) imsi: Option<String>,
    /// From where it sends, as `IP` or `IP:PORT`: what tells one that says no name who it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<String>,
    /// Names of groups it is in.
    pub(crate) groups: Vec<String>,
}

/// A device.
#[derive(Clone, Debug, Default)]
pub(crate) struct Device {
    /// Its endpoint name, which is also its id in the APIs.
    pub(crate) id: String,
    /// What it is.
    pub(crate) identity: Identity,
    /// What happened before stays hidden.
    pub(crate) hide_data_before: Option<UnixMillis>,
    /// The firmware version that it told over the air (/3/0/3).
    pub(crate) reported_version: Option<String>,
    /// What upstream told last.
    pub(crate) shadow: Option<StoredShadow>,
    /// When upstream was last asked for the shadow, with an answer or without.
    pub(crate) shadow_asked: Option<UnixMillis>,
    /// A new websocket takes the stored version once more (contract 3.5: last version *processed
    /// for the connection*).
    pub(crate) same_version_counts: bool,
}

/// A device as it is remembered, without its shadow; the key is its id.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeviceDocument {
    identity: Identity,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hide_data_before: Option<UnixMillis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reported_version: Option<String>,
}

/// A shadow as it was taken from upstream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StoredShadow {
    /// Upstream's number for this state.
    pub(crate) version: f64,
    /// When it was taken.
    pub(crate) at: UnixMillis,
    /// The objects.
    pub(crate) shadow: Shadow,
    /// What decides about updates.
    pub(crate) firmware: Firmware,
}

/// An upstream account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Account {
    /// Where its API is, ending in a slash.
    pub(crate) endpoint: String,
    /// The bearer token.
    pub(crate) api_key: String,
}

/// Why something was not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotTaken {
    /// Another device has this fingerprint.
    #[error("another one has its fingerprint")]
    FingerprintTaken,
    /// Another device has this address.
    #[error("another device has this address")]
    AddressTaken,
    /// Another device has this PSK identity.
    #[error("another device has this PSK identity")]
    IdentityTaken,
    /// There are too many.
    #[error("there are too many")]
    Full,
}

/// All devices and accounts.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    devices: BTreeMap<String, Box<Device>>,
    by_fingerprint: BTreeMap<String, String>,
    by_address: BTreeMap<String, String>,
    keys: Keys,
    accounts: BTreeMap<String, Account>,
}

impl Identity {
    /// The PSK identity of a device of this endpoint name, if it has a key.
    pub(crate) fn psk_identity<'a>(&'a self, endpoint: &'a str) -> Option<&'a str> {
        self.psk.as_ref()?;
        Some(self.psk_identity.as_deref().unwrap_or(endpoint))
    }
}

impl Device {
    /// As it is remembered.
    pub(crate) fn document(&self) -> DeviceDocument {
        DeviceDocument {
            identity: self.identity.clone(),
            hide_data_before: self.hide_data_before,
            reported_version: self.reported_version.clone(),
        }
    }

    /// May open a websocket (contract 3.1).
    pub(crate) fn is_complete(&self) -> bool {
        self.identity
            .model
            .as_deref()
            .is_some_and(|model| model == UNSUPPORTED_MODEL || self.identity.account.is_some())
    }

    /// When it was last heard of, unless that is hidden.
    pub(crate) fn last_seen(&self) -> Option<String> {
        let seen = self
            .shadow
            .as_ref()?
            .shadow
            .last_seen()?
            .saturating_mul(1_000);
        let visible = self.hide_data_before.is_none_or(|hidden| seen >= hidden);
        visible.then(|| iso(seen))
    }

    /// The stored shadow without what is hidden.
    pub(crate) fn visible_shadow(&self) -> Option<Shadow> {
        let stored = &self.shadow.as_ref()?.shadow;
        Some(self.hide_data_before.map_or_else(
            || stored.clone(),
            |hidden| stored.since(hidden.div_euclid(1_000)),
        ))
    }

    /// Takes what upstream told; returns what changed. A version seen before is stale.
    pub(crate) fn take_shadow(
        &mut self,
        now: UnixMillis,
        version: f64,
        mut shadow: Shadow,
        firmware: Firmware,
    ) -> Option<Shadow> {
        let same_counts = std::mem::take(&mut self.same_version_counts);
        let stored = self.shadow.as_mut();
        let stale = stored
            .as_ref()
            .is_some_and(|it| version < it.version || (version == it.version && !same_counts));
        if stale {
            // The stored copy was just confirmed as the latest.
            if let Some(stored) = stored {
                stored.at = now;
            }
            return None;
        }
        let nothing = Shadow::default();
        let before = stored.as_ref().map_or(&nothing, |it| &it.shadow);
        keep_newer_times(before, &mut shadow);
        let changed = difference(before, &shadow);
        self.shadow = Some(StoredShadow {
            version,
            at: now,
            shadow,
            firmware,
        });
        changed
    }
}

impl Registry {
    /// Adds a device, or replaces what is known of it but not what it reported.
    pub(crate) fn put_device(&mut self, id: &str, identity: Identity) -> Result<(), NotTaken> {
        if let Some(fingerprint) = &identity.fingerprint
            && self
                .by_fingerprint
                .get(fingerprint)
                .is_some_and(|owner| owner != id)
        {
            return Err(NotTaken::FingerprintTaken);
        }
        if let Some(address) = &identity.address
            && self.by_address.get(address).is_some_and(|it| it != id)
        {
            return Err(NotTaken::AddressTaken);
        }
        let psk_identity = identity.psk_identity(id).map(str::as_bytes);
        if psk_identity.is_some_and(|it| self.keys.is_of_another(it, id)) {
            return Err(NotTaken::IdentityTaken);
        }
        if !self.devices.contains_key(id) && self.devices.len() >= limits::MAX_DEVICES {
            return Err(NotTaken::Full);
        }
        let device = self.devices.entry(id.to_owned()).or_default();
        if let Some(before) = &device.identity.fingerprint {
            self.by_fingerprint.remove(before);
        }
        if let Some(fingerprint) = &identity.fingerprint {
            self.by_fingerprint
                .insert(fingerprint.clone(), id.to_owned());
        }
        if let Some(before) = &device.identity.address {
            self.by_address.remove(before);
        }
        if let Some(address) = &identity.address {
            self.by_address.insert(address.clone(), id.to_owned());
        }
        if let Some(before) = device.identity.psk_identity(id) {
            self.keys.remove(before.as_bytes());
        }
        let key = identity.psk.as_deref().and_then(read_key);
        if let (Some(psk_identity), Some(key)) = (psk_identity, key) {
            self.keys.put(psk_identity, id, key);
        }
        if device.identity.account != identity.account {
            device.shadow = None;
        }
        device.id = id.to_owned();
        device.identity = identity;
        Ok(())
    }

    /// The devices' pre-shared keys; the clone stays up to date.
    pub(crate) fn keys(&self) -> Keys {
        self.keys.clone()
    }

    /// Takes in a device of a former life.
    pub(crate) fn restore_device(
        &mut self,
        id: &str,
        document: DeviceDocument,
    ) -> Result<(), NotTaken> {
        self.put_device(id, document.identity)?;
        if let Some(device) = self.devices.get_mut(id) {
            device.hide_data_before = document.hide_data_before;
            device.reported_version = document.reported_version;
        }
        Ok(())
    }

    /// Takes in what upstream told in a former life.
    pub(crate) fn restore_shadow(&mut self, id: &str, shadow: StoredShadow) {
        if let Some(device) = self.devices.get_mut(id) {
            device.shadow = Some(shadow);
        }
    }

    /// One device.
    pub(crate) fn device(&self, id: &str) -> Option<&Device> {
        self.devices.get(id).map(|it| &**it)
    }

    /// All devices in the order of their ids, those behind one only.
    pub(crate) fn devices_after<'a>(
        &'a self,
        after: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Device> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let range = self.devices.range::<str, _>((from, Bound::Unbounded));
        range.map(|(_, device)| &**device)
    }

    /// Forgets a device.
    pub(crate) fn remove_device(&mut self, id: &str) {
        let Some(device) = self.devices.remove(id) else {
            return;
        };
        if let Some(fingerprint) = &device.identity.fingerprint {
            self.by_fingerprint.remove(fingerprint);
        }
        if let Some(identity) = device.identity.psk_identity(id) {
            self.keys.remove(identity.as_bytes());
        }
    }

    /// One device.
    pub(crate) fn device_mut(&mut self, id: &str) -> Option<&mut Device> {
        self.devices.get_mut(id).map(|it| &mut **it)
    }

    /// The device with exactly this fingerprint.
    pub(crate) fn device_by_fingerprint(&self, fingerprint: &str) -> Option<&Device> {
        self.by_fingerprint
            .get(fingerprint)
            .and_then(|id| self.device(id))
    }

    /// The device that sends from an address.
    pub(crate) fn device_at(&self, address: SocketAddr) -> Option<&str> {
        let exact = self.by_address.get(&address.to_string());
        let host = || self.by_address.get(&address.ip().to_string());
        exact.or_else(host).map(String::as_str)
    }

    /// Adds or replaces an account.
    pub(crate) fn put_account(&mut self, name: &str, account: Account) -> Result<(), NotTaken> {
        if !self.accounts.contains_key(name) && self.accounts.len() >= limits::MAX_ACCOUNTS {
            return Err(NotTaken::Full);
        }
        self.accounts.insert(name.to_owned(), account);
        Ok(())
    }

    /// One account.
    pub(crate) fn account(&self, name: &str) -> Option<&Account> {
        self.accounts.get(name)
    }

    /// The account of a device, with its name.
    pub(crate) fn account_of(&self, device: &str) -> Option<(&str, &Account)> {
        let name = self.devices.get(device)?.identity.account.as_deref()?;
        Some((name, self.accounts.get(name)?))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::core::shadow::convert;

    fn state(app: &str, at: i64) -> (Shadow, Firmware) {
        convert(&json!({"reported": {"lwm2m": {"14204:1.0": {"0": {"3": app, "99": at}}}}}))
    }

    #[test]
    fn an_older_or_known_version_is_stale_until_somebody_connects() {
        let mut device = Device::default();
        let (shadow, firmware) = state("2.0.0", 1_717_409_966);
        assert!(device.take_shadow(1, 8.0, shadow, firmware).is_some());
        for version in [7.0, 8.0] {
            let (shadow, firmware) = state("9.9.9", 1_717_409_999);
            assert_eq!(device.take_shadow(2, version, shadow, firmware), None);
        }
        device.same_version_counts = true;
        let (shadow, firmware) = state("2.0.1", 1_717_409_999);
        assert!(device.take_shadow(3, 8.0, shadow, firmware).is_some());
        assert_eq!(
            device.last_seen().as_deref(),
            Some("2024-06-03T10:19:59.000Z")
        );
    }

    #[test]
    fn a_fingerprint_belongs_to_one_device() {
        let identity = |fingerprint: &str| Identity {
            fingerprint: Some(fingerprint.into()),
            ..Identity::default()
        };
        let mut registry = Registry::default();
        assert_eq!(registry.put_device("a", identity("92b.y7i24q")), Ok(()));
        assert_eq!(
            registry.put_device("b", identity("92b.y7i24q")),
            Err(NotTaken::FingerprintTaken)
        );
        assert_eq!(registry.put_device("a", identity("92b.y7i24r")), Ok(()));
        assert!(registry.device_by_fingerprint("92b.y7i24q").is_none());
        assert_eq!(registry.put_device("b", identity("92b.y7i24q")), Ok(()));
    }

    #[test]
    fn a_psk_identity_belongs_to_one_device() {
        let identity = |name: Option<&str>, key: &str| Identity {
            psk: Some(key.into()),
            psk_identity: name.map(str::to_owned),
            ..Identity::default()
        };
        let mut registry = Registry::default();
        let keys = registry.keys();
        assert_eq!(registry.put_device("a", identity(None, "00ff")), Ok(()));
        assert_eq!(keys.key(b"a"), Some(vec![0, 255]));
        assert_eq!(
            registry.put_device("b", identity(Some("a"), "01")),
            Err(NotTaken::IdentityTaken)
        );
        assert_eq!(registry.put_device("a", identity(Some("x"), "02")), Ok(()));
        assert_eq!(keys.key(b"a"), None);
        assert_eq!(keys.endpoint(b"x").as_deref(), Some("a"));
        assert_eq!(registry.put_device("a", Identity::default()), Ok(()));
        assert_eq!(keys.key(b"x"), None);
    }
}
