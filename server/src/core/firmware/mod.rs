//! The update engine for devices on the air (contract 1, LwM2M object 5).
//!
//! A state machine without I/O. What devices say and the time go in; what has to be asked of them
//! comes out of [`Firmware::poll_effect`], and [`Firmware::poll_timeout`] says when to come back
//! with [`Firmware::handle_timeout`]. A device has one update at a time.

mod answers;
mod cancel;
mod decide;
mod install;
mod messages;
mod options;
mod plain;
mod resume;
#[cfg(test)]
mod tests;
mod update;
mod verdict;
mod waiting;
mod watching;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use fotalab_wire::{
    lwm2m::{Path, Value},
    net::UnixMillis,
};

pub(crate) use cancel::TooLate;
pub(crate) use messages::{
    Arrival, Ask, CANCEL, Effect, Outcome, PACKAGE, PACKAGE_URI, STATE, Scheme, State, Transfer,
    UPDATE, VERSION, Wanted,
};
pub(crate) use options::{Elsewhere, Extension, Options, Silence, Watch};
pub(crate) use plain::{Cause, Fetched};
pub(crate) use update::Update;

/// What updates observe by themselves.
pub(crate) const OBSERVED: [Path; 4] = [
    messages::STATE,
    messages::RESULT,
    VERSION,
    options::FIRMWARE_UPDATE,
];

use super::ulid::Ulids;
use crate::limits;

/// The device has an update that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Busy {
    /// That update.
    pub(crate) update: String,
}

/// All updates over the air.
#[derive(Debug)]
pub(crate) struct Firmware {
    updates: BTreeMap<String, Update>,
    /// Oldest first.
    by_device: BTreeMap<String, Vec<String>>,
    agenda: BTreeSet<(UnixMillis, String)>,
    effects: VecDeque<Effect>,
    /// What changed, or is gone, since somebody asked.
    changed: BTreeSet<String>,
    ids: Ulids,
}

impl Firmware {
    /// None yet; ids come from `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            updates: BTreeMap::new(),
            by_device: BTreeMap::new(),
            agenda: BTreeSet::new(),
            effects: VecDeque::new(),
            changed: BTreeSet::new(),
            ids: Ulids::new(seed ^ 0xF1),
        }
    }

    /// Starts an update. `registered` is what the device's registration says, if it is there.
    pub(crate) fn create(
        &mut self,
        now: UnixMillis,
        wanted: Wanted,
        registered: Option<Arrival>,
    ) -> Result<&Update, Busy> {
        let device = wanted.device.clone();
        if let Some(busy) = self.of_device(&device).find(|it| !it.has_ended()) {
            return Err(Busy {
                update: busy.id.clone(),
            });
        }
        self.with_last(&device, Update::end_soak);
        let ids = self.by_device.entry(device).or_default();
        if ids.len() >= limits::MAX_FIRMWARE_UPDATES_PER_DEVICE {
            let oldest = ids.remove(0);
            self.updates.remove(&oldest);
            self.changed.insert(oldest);
        }
        let id = self.ids.draw(now);
        ids.push(id.clone());
        self.changed.insert(id.clone());
        self.updates
            .insert(id.clone(), Update::new(id.clone(), now, wanted));
        self.with(&id, |update| {
            if let Some(arrival) = registered {
                update.registered(now, arrival);
            }
        });
        Ok(&self.updates[&id])
    }

    /// Takes in an update of a former life; oldest first.
    pub(crate) fn restore(&mut self, now: UnixMillis, update: Update) {
        let id = update.id.clone();
        let device = update.wanted.device.clone();
        self.by_device.entry(device).or_default().push(id.clone());
        self.updates.insert(id.clone(), update);
        self.with(&id, |update| update.restored(now));
    }

    /// A device is registered since a former life.
    pub(crate) fn resume(&mut self, now: UnixMillis, device: &str, arrival: Arrival) {
        self.with_last(device, |it| it.resumed(now, arrival));
    }

    /// The next update that has to be remembered as it is now, or forgotten if it is not there.
    pub(crate) fn poll_changed(&mut self) -> Option<String> {
        self.changed.pop_first()
    }

    /// A device registered.
    pub(crate) fn registered(&mut self, now: UnixMillis, device: &str, arrival: Arrival) {
        self.with_last(device, |it| it.registered(now, arrival));
    }

    /// A registration ended, by the device or by time.
    pub(crate) fn left(&mut self, device: &str) {
        self.with_last(device, Update::left);
    }

    /// A device gave a sign of life.
    pub(crate) fn heard(&mut self, now: UnixMillis, device: &str) {
        self.with_last(device, |it| it.heard(now));
    }

    /// A device told a value by itself.
    pub(crate) fn notified(&mut self, now: UnixMillis, device: &str, path: Path, value: &Value) {
        self.with_last(device, |it| it.notified(now, path, value));
    }

    /// Takes an update back. `None`: there is no such update.
    pub(crate) fn cancel(&mut self, now: UnixMillis, id: &str) -> Option<Result<(), TooLate>> {
        let mut cancelled = None;
        self.with(id, |update| cancelled = Some(update.cancel(now)));
        cancelled
    }

    /// A device gave a sign of life by itself: Register, Update, a notification or Send.
    pub(crate) fn uplink(&mut self, now: UnixMillis, device: &str) {
        self.with_last(device, |it| it.uplink(now));
    }

    /// Part of an answer that [`Firmware::answered`] will tell of.
    pub(crate) fn learned(&mut self, id: &str, serial: u64, path: Path, value: &Value) {
        self.with(id, |update| update.learned(serial, path, value));
    }

    /// Ends an update that has not been executed. False: it is too late.
    pub(crate) fn stop(&mut self, now: UnixMillis, id: &str, why: &str) -> bool {
        let mut stopped = false;
        self.with(id, |update| stopped = update.stop(now, why));
        stopped
    }

    /// A device answered what [`Effect::Ask`] asked, or did not.
    pub(crate) fn answered(&mut self, now: UnixMillis, id: &str, serial: u64, outcome: Outcome) {
        self.with(id, |update| update.answered(now, serial, outcome));
    }

    /// A device fetches by itself; its last update is about that.
    pub(crate) fn fetches(&mut self, now: UnixMillis, device: &str) {
        self.with_last(device, |it| it.begin_fetched(now));
    }

    /// A device fetched a part of the image of its last update.
    pub(crate) fn fetched(&mut self, now: UnixMillis, device: &str, part: Fetched) {
        self.with_last(device, |it| it.fetched(now, part));
    }

    /// An inspection found this /5/0/3 while an update was under way.
    pub(crate) fn inspected(&mut self, now: UnixMillis, device: &str, state: i64) {
        self.with_last(device, |it| it.inspected(now, state));
    }

    /// A device reported what it runs by itself.
    pub(crate) fn reported(&mut self, now: UnixMillis, device: &str, version: &str) {
        self.with_last(device, |it| it.reported(now, version));
    }

    /// An inspection failed at this path.
    pub(crate) fn unreadable(&mut self, now: UnixMillis, device: &str, path: &str) {
        self.with_last(device, |it| it.unreadable(now, path));
    }

    /// Something else is wanted of the device now.
    pub(crate) fn supersede(&mut self, now: UnixMillis, id: &str) {
        self.with(id, |it| it.supersede(now));
    }

    /// Does what is due.
    pub(crate) fn handle_timeout(&mut self, now: UnixMillis) {
        while let Some((due, id)) = self.agenda.first().cloned() {
            if due > now {
                break;
            }
            self.agenda.pop_first();
            self.with(&id, |update| update.handle_timeout(now));
        }
    }

    /// When [`Firmware::handle_timeout`] has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<UnixMillis> {
        self.agenda.first().map(|(due, _)| *due)
    }

    /// The next thing to do.
    pub(crate) fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// One update.
    pub(crate) fn get(&self, id: &str) -> Option<&Update> {
        self.updates.get(id)
    }

    /// The device of an update that still waits for the answer to this ask.
    pub(crate) fn asks(&self, id: &str, serial: u64) -> Option<&str> {
        let update = self.updates.get(id)?;
        let waits = update.asked.is_some_and(|(asked, _)| asked == serial);
        waits.then_some(update.wanted.device.as_str())
    }

    /// An update that still has to send an image.
    pub(crate) fn needs_image(&self, image: &str) -> Option<&str> {
        let mut updates = self.updates.values();
        let needs = updates.find(|it| !it.has_ended() && it.wanted.image == image)?;
        Some(&needs.id)
    }

    /// The updates of a device, oldest first.
    pub(crate) fn of_device(&self, device: &str) -> impl Iterator<Item = &Update> {
        let ids = self.by_device.get(device).into_iter().flatten();
        ids.filter_map(|id| self.updates.get(id))
    }

    /// All updates, in no order that means anything.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Update> {
        self.updates.values()
    }

    fn with_last(&mut self, device: &str, act: impl FnOnce(&mut Update)) {
        let last = self
            .by_device
            .get(device)
            .and_then(|ids| ids.last())
            .cloned();
        if let Some(id) = last {
            self.with(&id, act);
        }
    }

    /// Lets an update do something, then takes what it wants done and when it wants to be woken.
    fn with(&mut self, id: &str, act: impl FnOnce(&mut Update)) {
        let Some(update) = self.updates.get_mut(id) else {
            return;
        };
        if let Some(due) = update.poll_timeout() {
            self.agenda.remove(&(due, id.to_owned()));
        }
        let mark = update.mark();
        act(update);
        if mark != update.mark() {
            self.changed.insert(id.to_owned());
        }
        self.effects.append(&mut update.effects);
        if let Some(due) = update.poll_timeout() {
            self.agenda.insert((due, id.to_owned()));
        }
    }
}
