//! The OTA of a device or of a group: one each, the last that was deployed (contract B3, B4).

use fotalab_wire::net::UnixMillis;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Iotaap, Refused};
use crate::{
    core::{
        owners::same,
        targets::{Management, Scope},
    },
    store::Kind,
};

/// What an OTA is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Scoped {
    /// One device.
    Device,
    /// The devices of a group.
    Group,
}

/// A firmware that was deployed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ota {
    /// Its id, which it keeps when another firmware is deployed.
    pub(crate) id: String,
    /// The account that it belongs to.
    pub(crate) owner: String,
    /// Device or group.
    pub(crate) scoped: Scoped,
    /// The id of that.
    pub(crate) of: String,
    /// Where its owner thinks that it is stored: the token is part of it.
    pub(crate) path: String,
    /// As it was said.
    pub(crate) version: String,
    /// When it was deployed.
    pub(crate) updated: UnixMillis,
    /// Where its bytes are.
    pub(crate) blob: String,
    /// The MD5 of its bytes, hexadecimal.
    pub(crate) md5: String,
}

/// A part of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    /// Only what has this text in it, whatever its case.
    pub(crate) search: String,
    /// So many are passed over.
    pub(crate) offset: usize,
    /// So many are shown; 0 shows all.
    pub(crate) limit: usize,
    /// The last one first.
    pub(crate) descending: bool,
}

/// A page, and how much there is beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listing<T> {
    /// What the page shows.
    pub(crate) shown: Vec<T>,
    /// All.
    pub(crate) total: usize,
    /// All that have the searched text.
    pub(crate) filtered: usize,
}

impl<T> Listing<T> {
    /// The same with something else for each that is shown.
    pub(crate) fn map<U>(self, change: impl FnMut(T) -> U) -> Listing<U> {
        Listing {
            shown: self.shown.into_iter().map(change).collect(),
            total: self.total,
            filtered: self.filtered,
        }
    }
}

impl Page {
    /// Cuts the page out of `all`, which are in ascending order; `text` is where it searches.
    pub(crate) fn of<T>(&self, all: Vec<T>, text: impl Fn(&T) -> &str) -> Listing<T> {
        let total = all.len();
        let needle = self.search.to_lowercase();
        let matches = |it: &T| text(it).to_lowercase().contains(&needle);
        let mut found: Vec<T> = all.into_iter().filter(matches).collect();
        let filtered = found.len();
        if self.descending {
            found.reverse();
        }
        let limit = if self.limit == 0 {
            usize::MAX
        } else {
            self.limit
        };
        let shown = found.into_iter().skip(self.offset).take(limit).collect();
        Listing {
            shown,
            total,
            filtered,
        }
    }
}

impl Iotaap {
    /// Whether an owner may deploy to this: it is there, it is the owner's, and the token is the
    /// one that it has.
    pub(crate) fn may_deploy(
        &self,
        owner: &str,
        scoped: Scoped,
        of: &str,
        token: &str,
    ) -> Result<(), Refused> {
        let (own, refused) = match scoped {
            Scoped::Device => (&self.device(owner, of)?.token, Refused::NoSuchDevice),
            Scoped::Group => (&self.group(owner, of)?.token, Refused::NoSuchGroup),
        };
        if same(own.as_bytes(), token.as_bytes()) {
            Ok(())
        } else {
            Err(refused)
        }
    }

    /// Deploys a firmware whose bytes are stored. Says where those of the one before are.
    pub(crate) fn deploy(
        &mut self,
        now: UnixMillis,
        owner: &str,
        (scoped, of): (Scoped, &str),
        version: String,
        (blob, md5): (String, String),
    ) -> Result<Option<String>, Refused> {
        let (kind, token) = match scoped {
            Scoped::Device => ("device", self.device(owner, of)?.token.clone()),
            Scoped::Group => ("group", self.group(owner, of)?.token.clone()),
        };
        let before = self.otas.get(of);
        let replaced = before.map(|it| it.blob.clone());
        let id = before.map(|it| it.id.clone());
        let ota = Ota {
            id: id.unwrap_or_else(|| self.ids.draw(now)),
            owner: owner.to_owned(),
            scoped,
            of: of.to_owned(),
            path: format!("ota/{kind}/{of}{token}/firmware.bin"),
            version,
            updated: now,
            blob,
            md5,
        };
        self.changed(Kind::IotaapOta, of, Some(json!(ota)));
        self.otas.insert(of.to_owned(), ota);
        let devices: Vec<String> = match scoped {
            Scoped::Device => vec![of.to_owned()],
            Scoped::Group => self.members(of).map(|it| it.id.clone()).collect(),
        };
        for device in devices {
            // Another deployment is another chance.
            self.with_device(&device, |device| {
                if device.standing.state.is_error() {
                    device.standing.clear_error();
                }
            });
        }
        Ok(replaced)
    }

    /// The OTA of a device or group.
    pub(crate) fn ota(&self, of: &str) -> Option<&Ota> {
        self.otas.get(of)
    }

    /// The OTA that counts for a device: its group's, if it is in one.
    pub(crate) fn ota_for(&self, device: &str) -> Option<&Ota> {
        let device = self.any_device(device)?;
        self.ota(device.group.as_ref().unwrap_or(&device.id))
    }

    /// The scope of a device on LwM2M: it shall run what was deployed last. Images are known by
    /// their version here, since that is all that decides (contract E).
    pub(crate) fn scope_for(&self, device: &str) -> Scope {
        Scope {
            management: Management::Collection,
            target: self.ota_for(device).map(|it| it.version.clone()),
        }
    }

    /// The OTAs of an owner in the order of their deployment.
    pub(crate) fn otas(&self, owner: &str, scoped: Scoped) -> Vec<&Ota> {
        let all = self.otas.values();
        let mut own: Vec<&Ota> = all
            .filter(|it| it.owner == owner && it.scoped == scoped)
            .collect();
        own.sort_by(|a, b| (a.updated, &a.id).cmp(&(b.updated, &b.id)));
        own
    }

    /// An OTA that was stored.
    pub(crate) fn restore_ota(&mut self, ota: Ota) {
        self.otas.insert(ota.of.clone(), ota);
    }

    pub(super) fn drop_ota(&mut self, of: &str) -> Option<String> {
        let ota = self.otas.remove(of)?;
        self.changed(Kind::IotaapOta, of, None);
        Some(ota.blob)
    }
}

/// Without the path, which has a token in it.
impl std::fmt::Debug for Ota {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Ota")
            .field("of", &self.of)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}
