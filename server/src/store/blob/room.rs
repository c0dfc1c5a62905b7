//! How much all images together may take, those on their way included.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::Refused;

/// The room that is left. Copies are the same.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    used: Arc<AtomicU64>,
    most: u64,
    most_of_one: u64,
}

/// The room that one image takes, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    room: Room,
    taken: u64,
}

impl Room {
    /// Room for `most` bytes, `most_of_one` for one image.
    pub(crate) fn new(most: u64, most_of_one: u64) -> Self {
        Self {
            used: Arc::default(),
            most,
            most_of_one,
        }
    }

    /// For one image, nothing yet.
    pub(crate) fn reserve(&self) -> Reservation {
        Reservation {
            room: self.clone(),
            taken: 0,
        }
    }

    /// What was there at the start counts, even if it is more than there is room for.
    pub(crate) fn occupy(&self, bytes: u64) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    /// An image is gone.
    pub(crate) fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Reservation {
    /// Takes room for more bytes.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Refused> {
        let bytes = bytes as u64;
        let most = self.room.most_of_one;
        if self.taken + bytes > most {
            return Err(Refused::TooLarge { most });
        }
        let used = self.room.used.fetch_add(bytes, Ordering::Relaxed);
        self.taken += bytes;
        if used + bytes > self.room.most {
            return Err(Refused::Full);
        }
        Ok(())
    }

    /// Bytes so far.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// The image stays.
    pub(crate) fn keep(mut self) {
        self.taken = 0;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.room.give_back(self.taken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_kept_is_given_back() {
        let room = Room::new(10, 8);
        let mut first = room.reserve();
        first.grow(6).expect("room");
        assert!(matches!(first.grow(3), Err(Refused::TooLarge { most: 8 })));
        let mut second = room.reserve();
        assert!(matches!(second.grow(5), Err(Refused::Full)));
        drop(second);
        first.keep();
        let mut third = room.reserve();
        assert!(third.grow(4).is_ok());
        room.give_back(6);
        assert!(third.grow(4).is_ok());
    }
}
