//! What Horde's API knows: collections, devices, images, and whose they are (contract A3 to A5).
//!
//! It keeps who is who and what is set; what a report of a device leads to is decided by
//! `core::targets`. Each change is noted as a document to be stored ([`Horde::poll_change`]).

mod collections;
mod devices;
pub(crate) mod id;
mod images;
pub(crate) mod tags;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use fotalab_wire::net::UnixMillis;
use serde_json::Value;

pub(crate) use collections::{Collection, CollectionChange, FieldMask};
pub(crate) use devices::{Device, DeviceChange, Network, Wish};
use id::Ids;
pub(crate) use images::{Image, ImageChange, Upload, Usage};
pub(crate) use tags::Tags;

use crate::store::Kind;

/// Why something was not done. The face says it with a code and in Horde's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// An id that is none.
    InvalidCollection,
    /// An id that is none.
    InvalidDevice,
    /// An id that is none.
    InvalidImage,
    /// Not there, or not this owner's.
    UnknownCollection,
    /// Not there.
    UnknownDevice,
    /// Not there.
    UnknownImage,
    /// Another team than the owner's.
    UnknownTeam,
    /// Not an id.
    InvalidTarget,
    /// Not an id.
    InvalidCurrent,
    /// A collection should run what it does not have.
    NoSuchImageForCollection,
    /// A device should run what its collection does not have.
    NoSuchImageForDevice,
    /// A collection that still has devices or images.
    CollectionInUse,
    /// Not both numbers are there.
    MissingNumbers,
    /// One of them is no positive number.
    InvalidNumbers,
    /// Another device has this IMSI or IMEI.
    NumbersTaken,
    /// The collection says what its devices run.
    ManagedByCollection,
    /// The collection has these bytes already.
    SameImage,
    /// The collection has this version already.
    SameVersion,
    /// An image of no bytes.
    EmptyImage,
    /// Neither version nor tags are to be changed.
    NothingToUpdate,
    /// A version of blanks.
    BlankVersion,
    /// Some device or collection has the image as current or target.
    ImageInUse,
    /// A tag.
    Tag(tags::NotATag),
    /// There are too many of them.
    Full,
}

/// All that Horde's API knows.
#[derive(Debug)]
pub(crate) struct Horde {
    collections: BTreeMap<String, Collection>,
    devices: BTreeMap<String, Device>,
    images: BTreeMap<String, Image>,
    /// By collection.
    members: BTreeMap<String, BTreeSet<String>>,
    /// By collection.
    shelf: BTreeMap<String, BTreeSet<String>>,
    /// IMSI or IMEI, decimal without leading zeros, with which of them it is.
    numbers: BTreeMap<(Number, String), String>,
    ids: Ids,
    changes: VecDeque<Change>,
}

/// Which number of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Number {
    /// Of the subscriber.
    Imsi,
    /// Of the modem.
    Imei,
}

/// A document to be stored, or with `None` to be forgotten.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    /// Of what.
    pub(crate) kind: Kind,
    /// Its id.
    pub(crate) key: String,
    /// What it is now.
    pub(crate) document: Option<Value>,
}

impl Horde {
    /// One that knows nothing; ids come from `seed` and the time.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            collections: BTreeMap::new(),
            devices: BTreeMap::new(),
            images: BTreeMap::new(),
            members: BTreeMap::new(),
            shelf: BTreeMap::new(),
            numbers: BTreeMap::new(),
            ids: Ids::new(seed ^ 0x40D),
            changes: VecDeque::new(),
        }
    }

    /// The next document that changed.
    pub(crate) fn poll_change(&mut self) -> Option<Change> {
        self.changes.pop_front()
    }

    /// An id for something that is no resource of its own, such as a team.
    pub(crate) fn draw_id(&mut self, now: UnixMillis) -> String {
        self.ids.draw(now)
    }

    fn changed(&mut self, kind: Kind, key: &str, document: Option<Value>) {
        self.changes.push_back(Change {
            kind,
            key: key.to_owned(),
            document,
        });
    }
}
