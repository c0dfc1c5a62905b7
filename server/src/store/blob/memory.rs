//! Images in memory.

use std::{
    collections::BTreeMap,
    io,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::{Bytes, BytesMut};
use fotalab_wire::net::BoxFuture;
use sha2::{Digest as _, Sha256};

use super::{Blobs, Expected, Hash, Refused, Reservation, Room, Stored, Upload};
use crate::limits;

/// Keeps images as long as one of its copies lives; copies are the same.
#[derive(Clone)]
pub(crate) struct InMemory {
    kept: Arc<Mutex<BTreeMap<Hash, Kept>>>,
    room: Room,
}

struct Kept {
    bytes: Bytes,
    uses: usize,
}

struct Arriving {
    bytes: BytesMut,
    hash: Sha256,
    reservation: Reservation,
    store: InMemory,
}

impl Default for InMemory {
    fn default() -> Self {
        let most = limits::MAX_IMAGES_BYTES as u64;
        Self {
            kept: Arc::default(),
            room: Room::new(most, limits::MAX_IMAGE_BYTES as u64),
        }
    }
}

impl InMemory {
    /// Nobody uses anything any more: whoever starts next adopts what it knows.
    pub(crate) fn orphaned(&self) -> Self {
        let orphaned = Self::default();
        let kept = self.lock();
        let copies = kept.iter().map(|(hash, kept)| {
            orphaned.room.occupy(kept.bytes.len() as u64);
            let bytes = kept.bytes.clone();
            (*hash, Kept { bytes, uses: 0 })
        });
        *orphaned.lock() = copies.collect();
        drop(kept);
        orphaned
    }

    /// The server that used all this is gone.
    pub(crate) fn abandon(&self) {
        self.lock().values_mut().for_each(|kept| kept.uses = 0);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Hash, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Blobs for InMemory {
    fn begin(&self) -> BoxFuture<'static, Result<Box<dyn Upload>, Refused>> {
        let arriving = Arriving {
            bytes: BytesMut::new(),
            hash: Sha256::new(),
            reservation: self.room.reserve(),
            store: self.clone(),
        };
        Box::pin(async { Ok(Box::new(arriving) as Box<dyn Upload>) })
    }

    fn read(&self, sha256: Hash, range: Range<u64>) -> BoxFuture<'static, io::Result<Bytes>> {
        let bytes = self.resident(sha256);
        Box::pin(async move {
            let bytes = bytes.ok_or(io::ErrorKind::NotFound)?;
            let end = usize::try_from(range.end).unwrap_or(usize::MAX);
            let start = usize::try_from(range.start).unwrap_or(usize::MAX);
            if start > end || end > bytes.len() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            Ok(bytes.slice(start..end))
        })
    }

    fn resident(&self, sha256: Hash) -> Option<Bytes> {
        self.lock().get(&sha256).map(|it| it.bytes.clone())
    }

    fn adopt(&self, stored: Stored) -> Result<(), String> {
        let mut kept = self.lock();
        let kept = kept.get_mut(&stored.sha256);
        kept.ok_or("its bytes are not there")?.uses += 1;
        Ok(())
    }

    fn release(&self, sha256: Hash) {
        let mut kept = self.lock();
        if let Some(it) = kept.get_mut(&sha256) {
            it.uses = it.uses.saturating_sub(1);
            if it.uses == 0 {
                self.room.give_back(it.bytes.len() as u64);
                kept.remove(&sha256);
            }
        }
    }

    fn tidy(&self) {
        self.lock().retain(|_, kept| {
            let used = kept.uses > 0;
            if !used {
                self.room.give_back(kept.bytes.len() as u64);
            }
            used
        });
    }
}

impl Upload for Arriving {
    fn write(&mut self, part: Bytes) -> BoxFuture<'_, Result<(), Refused>> {
        let taken = self.reservation.grow(part.len());
        if taken.is_ok() {
            self.hash.update(&part);
            self.bytes.extend_from_slice(&part);
        }
        Box::pin(std::future::ready(taken))
    }

    fn finish(self: Box<Self>, expected: Expected) -> BoxFuture<'static, Result<Stored, Refused>> {
        let Self {
            bytes,
            hash,
            reservation,
            store,
        } = *self;
        let stored = Stored {
            sha256: Hash(hash.finalize().into()),
            length: reservation.taken(),
        };
        let checked = expected.check(stored).map(|()| {
            let mut kept = store.lock();
            if let Some(known) = kept.get_mut(&stored.sha256) {
                known.uses += 1;
            } else {
                let bytes = bytes.freeze();
                kept.insert(stored.sha256, Kept { bytes, uses: 1 });
                reservation.keep();
            }
            stored
        });
        Box::pin(std::future::ready(checked))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn upload(store: &InMemory, bytes: &'static [u8]) -> Stored {
        let now = |it: BoxFuture<'_, _>| it.now_or_never().expect("at once");
        let mut upload = store
            .begin()
            .now_or_never()
            .expect("at once")
            .expect("room");
        now(upload.write(Bytes::from_static(bytes))).expect("room");
        let finished = upload.finish(Expected::default()).now_or_never();
        finished.expect("at once").expect("kept")
    }

    #[test]
    fn equal_bytes_are_kept_until_the_last_use_ends() {
        let store = InMemory::default();
        let stored = upload(&store, b"image");
        assert_eq!(upload(&store, b"image"), stored);
        store.release(stored.sha256);
        let read = store.read(stored.sha256, 1..3).now_or_never();
        assert_eq!(read.expect("at once").expect("there"), "ma");
        let beyond = store.read(stored.sha256, 1..6).now_or_never();
        assert!(beyond.expect("at once").is_err());
        store.release(stored.sha256);
        assert!(store.resident(stored.sha256).is_none());
    }

    #[test]
    fn what_nobody_adopts_is_freed() {
        let store = InMemory::default();
        let (a, b) = (upload(&store, b"a"), upload(&store, b"b"));
        let store = store.orphaned();
        store.adopt(a).expect("there");
        store.tidy();
        assert!(store.resident(a.sha256).is_some());
        assert!(store.resident(b.sha256).is_none());
        assert!(store.adopt(b).is_err());
    }
}
