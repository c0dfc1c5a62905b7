//! Firmware images of a collection: what they are called, not their bytes (contract A5).

use fotalab_wire::net::UnixMillis;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Collection, Horde, Refused, collections::merge, id, tags::Tags};
use crate::{limits, store::Kind};

/// A firmware image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Image {
    /// Its id.
    pub(crate) id: String,
    /// Whose it is.
    pub(crate) collection: String,
    /// What a device says that runs it; no other of the collection has the same.
    pub(crate) version: String,
    /// As it was uploaded.
    pub(crate) filename: String,
    /// Hexadecimal; no other of the collection has the same.
    pub(crate) sha256: String,
    /// In bytes.
    pub(crate) length: u64,
    /// When it was uploaded.
    pub(crate) created: UnixMillis,
    /// What is noted on it.
    #[serde(default)]
    pub(crate) tags: Tags,
    /// Where its bytes are.
    pub(crate) blob: String,
}

/// What is to be changed of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ImageChange {
    /// Its version.
    pub(crate) version: Option<String>,
    /// Added, changed, or taken away.
    pub(crate) tags: Option<Vec<(String, String)>>,
}

/// Bytes that were uploaded.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    /// As the file was called.
    pub(crate) filename: String,
    /// Hexadecimal.
    pub(crate) sha256: String,
    /// In bytes.
    pub(crate) length: u64,
    /// As it was said; else its hash.
    pub(crate) version: Option<String>,
    /// What is noted on it.
    pub(crate) tags: Vec<(String, String)>,
    /// Where its bytes are.
    pub(crate) blob: String,
}

/// Who has an image, and who shall.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Devices that shall run it, and do not yet.
    pub(crate) targeted: Vec<String>,
    /// Devices that run it.
    pub(crate) current: Vec<String>,
}

impl Upload {
    /// What it is called until somebody says another.
    fn version(&self) -> Result<&str, Refused> {
        let given = self.version.as_deref().map(str::trim);
        match given {
            Some("") => Err(Refused::BlankVersion),
            Some(version) => Ok(version),
            None => Ok(&self.sha256),
        }
    }
}

impl Horde {
    /// The images of a collection, by version.
    pub(crate) fn images(&self, collection: &str) -> Vec<&Image> {
        let shelf = self.shelf.get(collection).into_iter().flatten();
        let mut images: Vec<&Image> = shelf.filter_map(|key| self.images.get(key)).collect();
        images.sort_by(|a, b| a.version.cmp(&b.version));
        images
    }

    /// An image of a collection of an owner.
    pub(crate) fn image(
        &self,
        owner: &str,
        collection: &str,
        key: &str,
    ) -> Result<&Image, Refused> {
        self.collection(owner, collection)?;
        id::parse(key).ok_or(Refused::InvalidImage)?;
        self.image_of(collection, key).ok_or(Refused::UnknownImage)
    }

    /// An image of a collection.
    pub(crate) fn image_of(&self, collection: &str, key: &str) -> Option<&Image> {
        self.images
            .get(key)
            .filter(|it| it.collection == collection)
    }

    /// The image of a collection with exactly this version.
    pub(crate) fn image_with(&self, collection: &str, version: &str) -> Option<&Image> {
        let version = version.trim();
        let mut shelf = self.shelf.get(collection).into_iter().flatten();
        shelf.find_map(|key| self.images.get(key).filter(|it| it.version == version))
    }

    pub(super) fn has_image(&self, collection: &str, key: &str) -> bool {
        self.image_of(collection, key).is_some()
    }

    /// Whether an image can be taken in, before its bytes are stored. Its version is its hash until
    /// somebody says another.
    pub(crate) fn accepts_image(
        &self,
        owner: &str,
        collection: &str,
        upload: &Upload,
    ) -> Result<(), Refused> {
        self.collection(owner, collection)?;
        if upload.length == 0 {
            return Err(Refused::EmptyImage);
        }
        let version = upload.version()?;
        merge(&mut Tags::new(), &upload.tags)?;
        let shelf = self.images(collection);
        if shelf.iter().any(|it| it.sha256 == upload.sha256) {
            return Err(Refused::SameImage);
        }
        if shelf.iter().any(|it| it.version == version) {
            return Err(Refused::SameVersion);
        }
        if shelf.len() >= limits::MAX_IMAGES {
            return Err(Refused::Full);
        }
        Ok(())
    }

    /// Takes an image in, whose bytes are stored as `blob`.
    pub(crate) fn create_image(
        &mut self,
        now: UnixMillis,
        owner: &str,
        collection: &str,
        upload: Upload,
    ) -> Result<&Image, Refused> {
        self.accepts_image(owner, collection, &upload)?;
        let mut noted = Tags::new();
        merge(&mut noted, &upload.tags)?;
        let image = Image {
            id: self.ids.draw(now),
            collection: collection.to_owned(),
            version: upload.version()?.to_owned(),
            filename: upload.filename,
            sha256: upload.sha256,
            length: upload.length,
            created: now,
            tags: noted,
            blob: upload.blob,
        };
        Ok(self.keep_image(image))
    }

    /// Changes version and tags.
    pub(crate) fn change_image(
        &mut self,
        owner: &str,
        collection: &str,
        key: &str,
        change: &ImageChange,
    ) -> Result<&Image, Refused> {
        let mut image = self.image(owner, collection, key)?.clone();
        if change.version.is_none() && change.tags.is_none() {
            return Err(Refused::NothingToUpdate);
        }
        if let Some(version) = change.version.as_deref().map(str::trim) {
            if version.is_empty() {
                return Err(Refused::BlankVersion);
            }
            let other = self.image_with(collection, version);
            if other.is_some_and(|it| it.id != key) {
                return Err(Refused::SameVersion);
            }
            version.clone_into(&mut image.version);
        }
        merge(&mut image.tags, change.tags.as_deref().unwrap_or_default())?;
        Ok(self.keep_image(image))
    }

    /// Removes an image that nobody has or shall have. Says where its bytes are.
    pub(crate) fn delete_image(
        &mut self,
        owner: &str,
        collection: &str,
        key: &str,
    ) -> Result<String, Refused> {
        let scope = self.collection(owner, collection)?;
        let here = [scope.scope.target.as_deref(), scope.current.as_deref()];
        let in_collection = here.contains(&Some(key));
        let blob = self.image(owner, collection, key)?.blob.clone();
        let on_devices = self.devices(collection).any(|it| {
            let standing = &it.standing;
            [standing.target.as_deref(), standing.current.as_deref()].contains(&Some(key))
        });
        if in_collection || on_devices {
            return Err(Refused::ImageInUse);
        }
        self.images.remove(key);
        if let Some(shelf) = self.shelf.get_mut(collection) {
            shelf.remove(key);
        }
        self.changed(Kind::HordeImage, key, None);
        Ok(blob)
    }

    /// Who has an image and who shall, by what counts for each device under its collection's
    /// management (contract D5).
    pub(crate) fn usage(&self, collection: &Collection, key: &str) -> Usage {
        let mut usage = Usage::default();
        for device in self.devices(&collection.id) {
            if device.standing.current.as_deref() == Some(key) {
                usage.current.push(device.id.clone());
            }
            if collection.scope.wants(&device.standing) == Some(key) {
                usage.targeted.push(device.id.clone());
            }
        }
        usage
    }

    /// An image that was stored.
    pub(crate) fn restore_image(&mut self, image: Image) {
        self.ids.known(&image.id);
        self.place_image(image);
    }

    fn keep_image(&mut self, image: Image) -> &Image {
        let key = image.id.clone();
        self.changed(Kind::HordeImage, &key, Some(json!(image)));
        self.place_image(image)
    }

    fn place_image(&mut self, image: Image) -> &Image {
        let key = image.id.clone();
        let shelf = self.shelf.entry(image.collection.clone()).or_default();
        shelf.insert(key.clone());
        self.images.entry(key).insert_entry(image).into_mut()
    }
}
