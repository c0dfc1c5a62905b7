//! The store of a server without `--data`: it forgets with the process.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;

use super::{Kind, Store};

/// Remembers until it is dropped.
#[derive(Default)]
pub(crate) struct Memory {
    documents: Mutex<BTreeMap<(Kind, String), Value>>,
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<(Kind, String), Value>> {
        self.documents
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Memory {
    fn put(&self, kind: Kind, key: &str, document: Value) {
        self.lock().insert((kind, key.to_owned()), document);
    }

    fn remove(&self, kind: Kind, key: &str) {
        self.lock().remove(&(kind, key.to_owned()));
    }

    fn all(&self, kind: Kind) -> Vec<(String, Value)> {
        let documents = self.lock();
        let of_kind = documents.iter().filter(|((it, _), _)| *it == kind);
        of_kind
            .map(|((_, key), document)| (key.clone(), document.clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_last_document_of_a_key_counts() {
        let store = Memory::default();
        store.put(Kind::Device, "b", json!(1));
        store.put(Kind::Account, "a", json!(2));
        store.put(Kind::Device, "b", json!(3));
        assert_eq!(store.all(Kind::Device), [("b".to_owned(), json!(3))]);
    }
}
