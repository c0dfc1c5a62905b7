//! What survives: documents by kind and key, written as they change, read once at the start.
//!
//! The truth at run time is in `core` (or in a face's own state); a store only has to remember.
//! Whoever changes something worth remembering puts its document, and `restore` reads all of them
//! when a server starts. To remember another kind of thing takes a line in [`Kind`], a `put` where
//! it changes, and a line in `restore.rs`.

pub(crate) mod blob;
mod memory;

pub use memory::Memory;

use fotalab_wire::net::BoxFuture;
use serde_json::Value;

/// Names each kind once. The name is what a database says, so it never changes.
macro_rules! kinds {
    ($($(#[$doc:meta])+ $kind:ident = $name:literal,)+) => {
        /// The kinds of documents.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
}

/// A place that remembers. No method waits: what is put is written behind the caller's back, in
/// the order in which it was put, and [`Store::flush`] tells when it is safe.
pub(crate) trait Store: Send + Sync {
    /// Remembers a document, in place of one with the same kind and key.
    fn put(&self, kind: Kind, key: &str, document: Value);
    /// Forgets a document; one that is not there is no error.
    fn remove(&self, kind: Kind, key: &str);
    /// All documents of a kind, by key. For the start: it may read a disk.
    fn all(&self, kind: Kind) -> Vec<(String, Value)>;
    /// Is ready when all that was put and removed before this call would survive the loss of
    /// power. It is ready at once where nothing is missing.
    fn flush(&self) -> BoxFuture<'static, ()>;
}

/// The store of a server that nothing outlives.
#[derive(Debug)]
pub(crate) struct Nowhere;

impl Store for Nowhere {
    fn put(&self, _kind: Kind, _key: &str, _document: Value) {}

    fn remove(&self, _kind: Kind, _key: &str) {}

    fn all(&self, _kind: Kind) -> Vec<(String, Value)> {
        Vec::new()
    }

    fn flush(&self) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}
