//! What survives: documents by kind and key, written as they change, read once at the start.
//!
//! The truth at run time is in `core` (or in a face's own state); a store only has to remember.
//! Whoever changes something worth remembering puts its document, and `restore` reads all of them
//! when a server starts. To remember another kind of thing takes a line in [`Kind`], a `put` where
//! it changes, and a line in `restore.rs`.

pub(crate) mod blob;
mod error;
#[cfg(feature = "sqlite")]
pub(crate) mod folder;
mod memory;

use std::sync::Arc;

use fotalab_wire::net::BoxFuture;
use serde_json::Value;

use crate::config::Storage;
use blob::{Blobs, InMemory};
pub use error::DataError;
pub use memory::Memory;

/// Names each kind once. The name is what a database says, so it never changes.
macro_rules! kinds {
    ($($(#[$doc:meta])+ $kind:ident = $name:literal,)+) => {
        /// The kinds of documents.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) enum Kind {
            $($(#[$doc])+ $kind,)+
        }

        impl Kind {
            /// As a database and messages name it.
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }
        }
    };
}

kinds! {
    /// An upstream account; the key is its name.
    Account = "account",
    /// A device's identity; the key is its endpoint name.
    Device = "device",
    /// An account of our own; the key is its name.
    Owner = "owner",
    /// A collection of Horde, by its id.
    HordeCollection = "horde-collection",
    /// A device of Horde, by its id.
    HordeDevice = "horde-device",
    /// A firmware image of Horde, by its id.
    HordeImage = "horde-image",
    /// A device of IoTaaP, by its id.
    IotaapDevice = "iotaap-device",
    /// A group of IoTaaP, by its id.
    IotaapGroup = "iotaap-group",
    /// An OTA of IoTaaP, by the id of its device or group.
    IotaapOta = "iotaap-ota",
    /// A firmware image; the key is its id.
    Image = "image",
    /// What upstream told of a device; the key is its endpoint name.
    Shadow = "shadow",
    /// A registration over the air; the key is its endpoint name.
    Registration = "registration",
    /// An update over the air; the key is its id.
    FirmwareUpdate = "firmware update",
    /// An update by upstream jobs; the key is its id.
    Update = "update",
    /// The server itself.
    Server = "server",
    /// A group; the key is owner and id.
    Group = "group",
    /// A resource; the key is owner and id.
    Resource = "resource",
    /// What is known of a device beyond who it is; the key is its endpoint name.
    Record = "record",
    /// A task; the key is owner and id.
    Task = "task",
    /// A task on one device; the key is owner, id and device.
    Job = "job",
    /// The last number given to a task; the key is owner and device or group.
    TaskNumber = "task-number",
}

/// A place that remembers. No method waits: what is put is written behind the caller's back, in
/// the order in which it was put, and [`Store::flush`] tells when it is safe.
pub(crate) trait Store: Send + Sync {
    /// Remembers a document, in place of one with the same kind and key.
    fn put(&self, kind: Kind, key: &str, document: Value) {
        self.put_text(kind, key, document.to_string());
    }
    /// The same of a document that is JSON text already.
    fn put_text(&self, kind: Kind, key: &str, document: String);
    /// Forgets a document; one that is not there is no error.
    fn remove(&self, kind: Kind, key: &str);
    /// All documents of a kind, by key. For the start: it may read a disk.
    fn all(&self, kind: Kind) -> Result<Vec<(String, Value)>, DataError>;
    /// Is ready when all that was put and removed before this call would survive the loss of
    /// power. It is ready at once where nothing is missing.
    fn flush(&self) -> BoxFuture<'static, ()>;
    /// Whether it remembers at all. Where documents are made by the thousand, they need not be made
    /// for one that does not.
    fn remembers(&self) -> bool {
        true
    }
    /// Whether more may be put without harm. Without room, what can wait should be refused.
    fn has_room(&self) -> bool {
        true
    }
}

/// The store of a server that nothing outlives.
#[derive(Debug)]
pub(crate) struct Nowhere;

impl Store for Nowhere {
    fn put_text(&self, _kind: Kind, _key: &str, _document: String) {}

    fn remove(&self, _kind: Kind, _key: &str) {}

    fn all(&self, _kind: Kind) -> Result<Vec<(String, Value)>, DataError> {
        Ok(Vec::new())
    }

    fn flush(&self) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }

    fn remembers(&self) -> bool {
        false
    }
}

/// Opens what the configuration says, for documents and for images.
pub(crate) async fn open(storage: &Storage) -> Result<(Arc<dyn Store>, Arc<dyn Blobs>), DataError> {
    Ok(match storage {
        Storage::Nowhere => (Arc::new(Nowhere), Arc::new(InMemory::default())),
        Storage::Memory(memory) => {
            let (documents, images) = memory.opened();
            (Arc::new(documents), Arc::new(images))
        }
        #[cfg(feature = "sqlite")]
        Storage::Folder(path) => {
            let opened = path.clone();
            let opened = tokio::task::spawn_blocking(move || folder::open(&opened)).await;
            let (documents, images) = opened.map_err(|panic| DataError::Io {
                path: path.clone(),
                source: std::io::Error::other(panic),
            })??;
            (Arc::new(documents), Arc::new(images))
        }
    })
}

/// A document as it was put.
fn parsed(kind: Kind, key: String, text: &str) -> Result<(String, Value), DataError> {
    match serde_json::from_str(text) {
        Ok(document) => Ok((key, document)),
        Err(why) => Err(DataError::Document {
            kind: kind.name(),
            key,
            why: why.to_string(),
        }),
    }
}
