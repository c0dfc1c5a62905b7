//! Collections: devices that belong together, and what they shall run (contract A3).

use fotalab_wire::net::UnixMillis;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Horde, Refused, id,
    tags::{self, Tags},
};
use crate::{
    core::targets::{Management, Scope},
    limits,
    store::Kind,
};

/// A collection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Collection {
    /// Its id.
    pub(crate) id: String,
    /// The account that it belongs to.
    pub(crate) owner: String,
    /// The team of that account.
    pub(crate) team: String,
    /// What is noted on it.
    #[serde(default)]
    pub(crate) tags: Tags,
    /// What of its devices is not shown.
    #[serde(default)]
    pub(crate) mask: FieldMask,
    /// Who says what its devices run, and what.
    #[serde(default)]
    pub(crate) scope: Scope,
    /// What its owner says that they run. The server never works it out.
    #[serde(default)]
    pub(crate) current: Option<String>,
}

/// What of a device is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FieldMask {
    /// Its IMSI.
    pub(crate) imsi: bool,
    /// Its IMEI.
    pub(crate) imei: bool,
    /// Its cell.
    pub(crate) location: bool,
    /// Its phone number.
    pub(crate) msisdn: bool,
}

/// What is to be changed of a collection; `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CollectionChange {
    /// Only the owner's own is known.
    pub(crate) team: Option<String>,
    /// Added, changed, or taken away.
    pub(crate) tags: Vec<(String, String)>,
    /// Members of the field mask.
    pub(crate) mask: [Option<bool>; 4],
    /// Who says what devices run.
    pub(crate) management: Option<Management>,
    /// `0` takes it away.
    pub(crate) target: Option<String>,
    /// `0` takes it away.
    pub(crate) current: Option<String>,
}

impl Default for FieldMask {
    fn default() -> Self {
        Self {
            imsi: false,
            imei: false,
            location: true,
            msisdn: false,
        }
    }
}

impl FieldMask {
    /// With some members set.
    fn with(mut self, changes: [Option<bool>; 4]) -> Self {
        let members = [
            &mut self.imsi,
            &mut self.imei,
            &mut self.location,
            &mut self.msisdn,
        ];
        for (member, change) in members.into_iter().zip(changes) {
            *member = change.unwrap_or(*member);
        }
        self
    }
}

impl Horde {
    /// The collections of an owner, oldest first.
    pub(crate) fn collections<'a>(
        &'a self,
        owner: &'a str,
    ) -> impl Iterator<Item = &'a Collection> + 'a {
        let all = self.collections.values();
        all.filter(move |it| it.owner == owner)
    }

    /// A collection of an owner.
    pub(crate) fn collection(&self, owner: &str, key: &str) -> Result<&Collection, Refused> {
        id::parse(key).ok_or(Refused::InvalidCollection)?;
        let collection = self.collections.get(key);
        let own = collection.filter(|it| it.owner == owner);
        own.ok_or(Refused::UnknownCollection)
    }

    /// Whichever owner's it is.
    pub(super) fn any_collection(&self, key: &str) -> Option<&Collection> {
        self.collections.get(key)
    }

    /// Makes one. Of what it says about firmware only the management counts.
    pub(crate) fn create_collection(
        &mut self,
        now: UnixMillis,
        (owner, team): (&str, &str),
        change: &CollectionChange,
    ) -> Result<&Collection, Refused> {
        if self.collections.len() >= limits::MAX_COLLECTIONS {
            return Err(Refused::Full);
        }
        if change.team.as_deref().is_some_and(|it| it != team) {
            return Err(Refused::UnknownTeam);
        }
        let mut noted = Tags::new();
        merge(&mut noted, &change.tags)?;
        let collection = Collection {
            id: self.ids.draw(now),
            owner: owner.to_owned(),
            team: team.to_owned(),
            tags: noted,
            mask: FieldMask::default().with(change.mask),
            scope: Scope {
                management: change.management.unwrap_or_default(),
                target: None,
            },
            current: None,
        };
        Ok(self.keep_collection(collection))
    }

    /// Changes one.
    pub(crate) fn change_collection(
        &mut self,
        owner: &str,
        key: &str,
        change: &CollectionChange,
    ) -> Result<&Collection, Refused> {
        let mut collection = self.collection(owner, key)?.clone();
        let team = change.team.as_ref();
        if team.is_some_and(|it| *it != collection.team) {
            return Err(Refused::UnknownTeam);
        }
        merge(&mut collection.tags, &change.tags)?;
        collection.mask = collection.mask.with(change.mask);
        if let Some(management) = change.management {
            collection.scope.management = management;
        }
        let unknown = Refused::NoSuchImageForCollection;
        if let Some(given) = &change.current {
            let image = self.image_or_none(key, given, Refused::InvalidCurrent, unknown)?;
            collection.current = image;
        }
        if let Some(given) = &change.target {
            let image = self.image_or_none(key, given, Refused::InvalidTarget, unknown)?;
            collection.scope.target = image;
        }
        // The states of its devices stay as they are: each moves when it reports.
        Ok(self.keep_collection(collection))
    }

    /// Removes one that is empty.
    pub(crate) fn delete_collection(&mut self, owner: &str, key: &str) -> Result<(), Refused> {
        self.collection(owner, key)?;
        let has =
            |all: Option<&std::collections::BTreeSet<String>>| all.is_some_and(|it| !it.is_empty());
        if has(self.members.get(key)) || has(self.shelf.get(key)) {
            return Err(Refused::CollectionInUse);
        }
        self.collections.remove(key);
        self.members.remove(key);
        self.shelf.remove(key);
        self.changed(Kind::HordeCollection, key, None);
        Ok(())
    }

    /// A collection that was stored.
    pub(crate) fn restore_collection(&mut self, collection: Collection) {
        self.ids.known(&collection.id);
        self.collections.insert(collection.id.clone(), collection);
    }

    fn keep_collection(&mut self, collection: Collection) -> &Collection {
        let key = collection.id.clone();
        self.changed(Kind::HordeCollection, &key, Some(json!(collection)));
        self.collections
            .entry(key)
            .insert_entry(collection)
            .into_mut()
    }

    /// The image that an id names; `0` names none.
    pub(super) fn image_or_none(
        &self,
        collection: &str,
        given: &str,
        invalid: Refused,
        unknown: Refused,
    ) -> Result<Option<String>, Refused> {
        match id::parse(given) {
            None => Err(invalid),
            Some(0) => Ok(None),
            Some(_) if self.has_image(collection, given) => Ok(Some(given.to_owned())),
            Some(_) => Err(unknown),
        }
    }
}

/// Merges tags, as resources have them.
pub(super) fn merge(tags: &mut Tags, changes: &[(String, String)]) -> Result<(), Refused> {
    let changes = changes.iter();
    let changes = changes.map(|(name, value)| (name.as_str(), value.as_str()));
    tags::merge(tags, changes).map_err(Refused::Tag)
}
