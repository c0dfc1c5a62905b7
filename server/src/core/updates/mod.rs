//! The update engine: upgrade paths made to happen by upstream jobs (contract section 2).
//!
//! A state machine without I/O. Requests, answers, version reports and time go in; what has to be
//! done comes out of [`Updates::poll_effect`], and [`Updates::poll_timeout`] says when to come back
//! with [`Updates::handle_timeout`]. Both generations of the API are views of one [`Update`]: its
//! [`Step`]s are the job executions, the update as a whole is the job.

mod messages;
mod state;
mod step;
#[cfg(test)]
mod tests;
mod update;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use fotalab_wire::net::UnixMillis;

pub(crate) use messages::{AbortRefusal, Effect, PollFailure, Refusal, Wanted};
pub(crate) use state::{Ended, Flow, State};
pub(crate) use step::{JobDetails, Step, is_known_status};
pub(crate) use update::Update;

use super::{
    shadow::Firmware,
    time::{iso, millis},
    ulid::Ulids,
    upgrade_path::Target,
    version::Version,
};
use crate::limits;
use step::Polled;

/// All updates.
#[derive(Debug)]
pub(crate) struct Updates {
    updates: BTreeMap<String, Update>,
    by_device: BTreeMap<String, BTreeSet<String>>,
    firmware: BTreeMap<String, Firmware>,
    agenda: BTreeSet<(UnixMillis, String)>,
    effects: VecDeque<Effect>,
    /// What changed, or is gone, since somebody asked.
    changed: BTreeSet<String>,
    ids: Ulids,
    follow: Duration,
}

impl Updates {
    /// None yet; ids come from `seed`, upstream is asked every `follow`.
    pub(crate) fn new(seed: u64, follow: Duration) -> Self {
        Self {
            updates: BTreeMap::new(),
            by_device: BTreeMap::new(),
            firmware: BTreeMap::new(),
            agenda: BTreeSet::new(),
            effects: VecDeque::new(),
            changed: BTreeSet::new(),
            ids: Ulids::new(seed),
            follow,
        }
    }

    /// Starts an update and returns it as it is before anything happened (contract 2.3, step 1).
    pub(crate) fn create(&mut self, now: UnixMillis, wanted: Wanted) -> Result<Update, Refusal> {
        let (raw, version) = self.reported(&wanted.device, wanted.target);
        let fits = version.is_some_and(|it| wanted.path.first_match(it).is_some());
        if wanted.flow == Flow::Stepwise && !fits {
            return Err(Refusal::NoMatch {
                reported: shown(&raw, version),
            });
        }
        let same_target = |it: &&Update| it.target == wanted.target;
        if self
            .of_device(&wanted.device)
            .filter(same_target)
            .any(Update::holds_lock)
        {
            return Err(Refusal::Exists);
        }
        self.make_room(&wanted.device);
        // A path that waits for the next version gives way to the new one.
        let superseded: Vec<String> = self
            .of_device(&wanted.device)
            .filter(|it| same_target(it) && !it.has_ended())
            .map(|it| it.id.clone())
            .collect();
        for id in superseded {
            self.with(&id, |update, effects| update.give_way(now, effects));
        }
        let id = self.ids.draw(now);
        let update = Update::new(id.clone(), now, wanted, shown(&raw, version));
        let created = update.clone();
        self.by_device
            .entry(update.device.clone())
            .or_default()
            .insert(id.clone());
        self.updates.insert(id.clone(), update);
        self.changed.insert(id.clone());
        self.with(&id, |update, effects| {
            update.next_step(now, &raw, version, effects)
        });
        Ok(created)
    }

    /// Takes in an update of a former life.
    pub(crate) fn restore(&mut self, now: UnixMillis, update: Update) {
        let id = update.id.clone();
        let ids = self.by_device.entry(update.device.clone()).or_default();
        ids.insert(id.clone());
        self.updates.insert(id.clone(), update);
        self.with(&id, |update, effects| update.restored(now, effects));
        // A caller who waited for its first job is gone, and was promised nothing.
        if self.updates.get(&id).is_some_and(Update::never_began) {
            self.forget(&id);
        }
    }

    /// What a device said it runs, in a former life.
    pub(crate) fn restore_firmware(&mut self, device: &str, firmware: Firmware) {
        self.firmware.insert(device.to_owned(), firmware);
    }

    /// The next update that has to be remembered as it is now, or forgotten if it is not there.
    pub(crate) fn poll_changed(&mut self) -> Option<String> {
        self.changed.pop_first()
    }

    /// Upstream created the job that [`Effect::Create`] asked for, or refused.
    pub(crate) fn created(&mut self, now: UnixMillis, id: &str, outcome: Result<String, String>) {
        self.with(id, |update, effects| update.created(now, outcome, effects));
        self.check(now, id);
        let forgotten = self.updates.get(id).is_some_and(Update::never_began);
        if forgotten {
            self.forget(id);
        }
    }

    /// Upstream told about the job that [`Effect::Follow`] asked for.
    pub(crate) fn followed(
        &mut self,
        now: UnixMillis,
        id: &str,
        answer: Result<JobDetails, PollFailure>,
    ) {
        let follow = self.follow;
        self.with(id, |update, effects| {
            if let Some(Polled::Ended) = update.followed(now, answer, follow) {
                update.step_ended(now, effects);
            }
        });
        self.check(now, id);
    }

    /// A device said what it runs.
    pub(crate) fn firmware_reported(&mut self, now: UnixMillis, device: &str, firmware: Firmware) {
        self.firmware.insert(device.to_owned(), firmware);
        let ids: Vec<String> = self
            .by_device
            .get(device)
            .into_iter()
            .flatten()
            .cloned()
            .collect();
        for id in ids {
            self.check(now, &id);
        }
    }

    /// Stops an update and its upstream jobs (contract 1.2 and 2.3).
    pub(crate) fn abort(
        &mut self,
        now: UnixMillis,
        device: &str,
        id: &str,
    ) -> Result<(), AbortRefusal> {
        let update = self.updates.get(id).ok_or(AbortRefusal::Unknown)?;
        if let State::Ended(ended) = update.state {
            return Err(AbortRefusal::Ended(ended.execution_status()));
        }
        if update.device != device {
            return Err(AbortRefusal::NotOwned);
        }
        self.with(id, |update, effects| {
            update.fail(now, Ended::Aborted, effects)
        });
        Ok(())
    }

    /// Does what is due.
    pub(crate) fn handle_timeout(&mut self, now: UnixMillis) {
        while let Some((due, id)) = self.agenda.first().cloned() {
            if due > now {
                break;
            }
            self.agenda.pop_first();
            let Some(update) = self.updates.get(&id) else {
                continue;
            };
            if update.expires() <= now {
                self.forget(&id);
            } else {
                self.with(&id, |update, effects| update.handle_timeout(now, effects));
            }
        }
    }

    /// When [`Updates::handle_timeout`] has something to do.
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

    /// The updates of a device, oldest first.
    pub(crate) fn of_device(&self, device: &str) -> impl Iterator<Item = &Update> {
        let ids = self.by_device.get(device).into_iter().flatten();
        ids.filter_map(|id| self.updates.get(id))
    }

    /// Devices whose next version an update waits for, and whether it has not waited for long.
    pub(crate) fn awaited_devices(&self, now: UnixMillis) -> impl Iterator<Item = (&str, bool)> {
        self.by_device.keys().filter_map(move |device| {
            let waiting = self.of_device(device).filter(|it| it.awaits_version());
            let young = waiting.map(|it| it.is_young(now)).reduce(|a, b| a || b)?;
            Some((device.as_str(), young))
        })
    }

    /// What a device said it runs: raw and understood.
    fn reported(&self, device: &str, target: Option<Target>) -> (String, Option<Version>) {
        let raw = self.firmware.get(device).and_then(|it| match target? {
            Target::App => it.app.as_deref(),
            Target::Modem => it.modem_version(),
        });
        let raw = raw.unwrap_or_default();
        (raw.to_owned(), Version::parse(raw))
    }

    /// Goes on with an update whose device runs something new (bug (a) of 2.3: compares states,
    /// so a report that came before the wait counts).
    fn check(&mut self, now: UnixMillis, id: &str) {
        let Some(update) = self.updates.get(id) else {
            return;
        };
        let (raw, version) = self.reported(&update.device, update.target);
        if update.is_ready_for(&raw) {
            self.with(id, |update, effects| {
                update.next_step(now, &raw, version, effects)
            });
        }
    }

    fn with(&mut self, id: &str, change: impl FnOnce(&mut Update, &mut VecDeque<Effect>)) {
        let Some(update) = self.updates.get_mut(id) else {
            return;
        };
        let before = update.due();
        change(update, &mut self.effects);
        let after = update.due();
        self.changed.insert(id.to_owned());
        self.agenda.remove(&(before, id.to_owned()));
        self.agenda.insert((after, id.to_owned()));
    }

    fn make_room(&mut self, device: &str) {
        while self.of_device(device).count() >= limits::MAX_UPDATES_PER_DEVICE {
            let ended = self.of_device(device).find(|it| it.has_ended());
            let Some(id) = ended
                .or_else(|| self.of_device(device).next())
                .map(|it| it.id.clone())
            else {
                return;
            };
            self.forget(&id);
        }
    }

    fn forget(&mut self, id: &str) {
        let Some(update) = self.updates.remove(id) else {
            return;
        };
        self.agenda.remove(&(update.due(), id.to_owned()));
        self.changed.insert(id.to_owned());
        if let Some(ids) = self.by_device.get_mut(&update.device) {
            ids.remove(id);
            if ids.is_empty() {
                self.by_device.remove(&update.device);
            }
        }
    }
}

/// How messages spell a reported version.
fn shown(raw: &str, version: Option<Version>) -> String {
    match version {
        Some(version) => version.to_string(),
        None if raw.is_empty() => "unknown".to_owned(),
        None => raw.to_owned(),
    }
}

/// The time after `now`.
fn after(now: UnixMillis, wait: Duration) -> UnixMillis {
    now.saturating_add(millis(wait))
}

/// Now, as the contract writes it.
fn stamp(now: UnixMillis) -> String {
    iso(now)
}
