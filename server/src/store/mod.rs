//! What survives: documents by kind and key, written as they change, read once at the start.
//!
//! The runtime's truth is in `core`; a store only has to remember. That is why its interface is
//! this small: SQLite behind it is one table.

pub(crate) mod blob;
mod memory;

pub(crate) use memory::Memory;
use serde_json::Value;

/// The kinds of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// An upstream account.
    Account,
    /// A device's identity.
    Device,
    /// An account of our own.
    Owner,
    /// A collection of Horde.
    HordeCollection,
    /// A device of Horde.
    HordeDevice,
    /// A firmware image of Horde.
    HordeImage,
    /// A device of IoTaaP.
    IotaapDevice,
    /// A group of IoTaaP.
    IotaapGroup,
    /// An OTA of IoTaaP.
    IotaapOta,
}

/// A place that remembers.
pub(crate) trait Store: Send + Sync {
    /// Remembers a document, in place of one with the same kind and key.
    fn put(&self, kind: Kind, key: &str, document: Value);
    /// Forgets a document; one that is not there is no error.
    fn remove(&self, kind: Kind, key: &str);
    /// All documents of a kind, by key.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "read at the start once a store outlives it")
    )]
    fn all(&self, kind: Kind) -> Vec<(String, Value)>;
}
