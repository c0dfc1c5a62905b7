//! A store that outlives a server, though not the process: for restarts in the virtual world.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use fotalab_wire::net::BoxFuture;
use serde_json::Value;

use super::{DataError, Kind, Store, blob::InMemory, parsed};
use crate::limits;

/// Remembers as long as one of its copies lives; copies are the same. Like a disk it has two parts:
/// what is safe, and what was only written ([`Memory::crashed`]).
#[derive(Clone, Default)]
pub struct Memory {
    content: Arc<Mutex<Content>>,
    images: InMemory,
}

#[derive(Clone, Default)]
struct Content {
    documents: BTreeMap<(Kind, String), String>,
    /// Written since the last flush, in order; `None` removes.
    written: Vec<(Kind, String, Option<String>)>,
}

impl Memory {
    /// What a crash leaves: all that was flushed, and of what was written later the first `kept`
    /// changes. The new one has nothing to do with this one.
    #[must_use]
    pub fn crashed(&self, kept: usize) -> Self {
        let mut content = self.lock().clone();
        content.written.truncate(kept);
        content.settle();
        Self {
            content: Arc::new(Mutex::new(content)),
            images: self.images.orphaned(),
        }
    }

    /// What a server that starts now goes on with.
    pub(crate) fn opened(&self) -> (Self, InMemory) {
        self.images.abandon();
        (self.clone(), self.images.clone())
    }

    /// Changes that a crash might lose.
    #[must_use]
    pub fn unflushed(&self) -> usize {
        self.lock().written.len()
    }

    fn write(&self, kind: Kind, key: &str, document: Option<String>) {
        let mut content = self.lock();
        content.written.push((kind, key.to_owned(), document));
        if content.written.len() >= limits::STORE_QUEUE {
            content.settle();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Content {
    fn settle(&mut self) {
        for (kind, key, document) in self.written.drain(..) {
            match document {
                Some(document) => self.documents.insert((kind, key), document),
                None => self.documents.remove(&(kind, key)),
            };
        }
    }
}

impl Store for Memory {
    fn put_text(&self, kind: Kind, key: &str, document: String) {
        self.write(kind, key, Some(document));
    }

    fn remove(&self, kind: Kind, key: &str) {
        self.write(kind, key, None);
    }

    fn all(&self, kind: Kind) -> Result<Vec<(String, Value)>, DataError> {
        let mut content = self.lock().clone();
        content.settle();
        let of_kind = content.documents.into_iter();
        of_kind
            .filter(|((it, _), _)| *it == kind)
            .map(|((_, key), text)| parsed(kind, key, &text))
            .collect()
    }

    fn flush(&self) -> BoxFuture<'static, ()> {
        self.lock().settle();
        Box::pin(std::future::ready(()))
    }
}

/// Without the documents: they hold keys.
impl fmt::Debug for Memory {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let documents = self.lock().documents.len();
        out.debug_struct("Memory")
            .field("documents", &documents)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_last_document_of_a_key_counts() {
        let store = Memory::default();
        store.put(Kind::Device, "b", json!(1));
        store.put(Kind::Account, "a", json!(2));
        store.put(Kind::Device, "b", json!(3));
        store.put(Kind::Device, "c", json!(4));
        store.remove(Kind::Device, "c");
        let left = store.all(Kind::Device).expect("readable");
        assert_eq!(left, [("b".to_owned(), json!(3))]);
    }

    #[test]
    fn a_crash_keeps_what_was_flushed_and_the_beginning_of_the_rest() {
        let store = Memory::default();
        store.put(Kind::Device, "a", json!(1));
        assert_eq!(store.flush().now_or_never(), Some(()));
        store.put(Kind::Device, "b", json!(2));
        store.remove(Kind::Device, "a");
        let keys = |kept| {
            let left = store.crashed(kept).all(Kind::Device).expect("readable");
            left.into_iter().map(|(key, _)| key).collect::<String>()
        };
        assert_eq!(store.unflushed(), 2);
        assert_eq!(
            (keys(0), keys(1), keys(2)),
            ("a".into(), "ab".into(), "b".into())
        );
        assert_eq!(store.all(Kind::Device).expect("readable").len(), 1);
    }
}
