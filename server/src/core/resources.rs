//! Files that somebody uploads, or says where they are, for devices to be updated with.

use std::{collections::BTreeMap, time::Duration};

use fotalab_wire::net::UnixMillis;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::time::millis;
use crate::limits;

/// A file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Resource {
    /// Its id, unique for its owner.
    pub(crate) id: String,
    /// What it was made with, as it came.
    pub(crate) said: Value,
    /// When.
    pub(crate) created: UnixMillis,
    /// When it is gone.
    pub(crate) expires: Option<UnixMillis>,
    /// Where somebody else serves it.
    pub(crate) elsewhere: Option<String>,
    /// The image, once it was uploaded.
    pub(crate) image: Option<String>,
}

/// All of them, by owner and id.
#[derive(Debug, Default)]
pub(crate) struct Resources {
    resources: BTreeMap<(String, String), Resource>,
}

/// Why a resource was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotMade {
    /// The owner has one with this id.
    Known,
    /// There are too many.
    Full,
}

impl Resources {
    /// Adds a resource. Expired ones make room first.
    pub(crate) fn add(
        &mut self,
        now: UnixMillis,
        owner: &str,
        resource: Resource,
    ) -> Result<(), NotMade> {
        if self.get(now, owner, &resource.id).is_some() {
            return Err(NotMade::Known);
        }
        if self.resources.len() >= limits::MAX_RESOURCES {
            self.resources.retain(|_, it| !it.is_expired(now));
        }
        if self.resources.len() >= limits::MAX_RESOURCES {
            return Err(NotMade::Full);
        }
        self.restore(owner, resource);
        Ok(())
    }

    /// One that has not expired.
    pub(crate) fn get(&self, now: UnixMillis, owner: &str, id: &str) -> Option<&Resource> {
        let found = self.resources.get(&(owner.to_owned(), id.to_owned()));
        found.filter(|it| !it.is_expired(now))
    }

    /// Gives a resource its image, or another one.
    pub(crate) fn set_image(
        &mut self,
        now: UnixMillis,
        owner: &str,
        id: &str,
        image: &str,
    ) -> Option<&Resource> {
        let found = self.resources.get_mut(&(owner.to_owned(), id.to_owned()));
        let resource = found.filter(|it| !it.is_expired(now))?;
        resource.image = Some(image.to_owned());
        Some(resource)
    }

    /// Puts one back after a restart.
    pub(crate) fn restore(&mut self, owner: &str, resource: Resource) {
        let key = (owner.to_owned(), resource.id.clone());
        self.resources.insert(key, resource);
    }
}

impl Resource {
    fn is_expired(&self, now: UnixMillis) -> bool {
        self.expires.is_some_and(|it| it <= now)
    }
}

/// How long a resource lives, as the API names it; `Some(None)`: for ever.
pub(crate) fn expiration(name: &str) -> Option<Option<UnixMillis>> {
    let days = |days: u64| Some(Some(millis(Duration::from_secs(days * 24 * 3_600))));
    match name {
        "ONE_DAY" => days(1),
        "ONE_WEEK" => days(7),
        "ONE_MONTH" => days(30),
        "FOREVER" => Some(None),
        _ => None,
    }
}
