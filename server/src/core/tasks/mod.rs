//! Tasks: what somebody wants done on a device, or on all of a group, when it is there.
//!
//! A state machine without I/O. A task is a job on each of its devices. Jobs wait for a session:
//! the device gave a sign of life, or somebody forced one ([`Tasks::session`]). A job of firmware
//! makes an update in `core/firmware`; one of operations asks them one after the other. Group
//! tasks are paced by a campaign (`core/campaigns`). What has to be done comes out of
//! [`Tasks::poll_effect`], what has to survive out of [`Tasks::poll_kept`].

mod cursors;
mod definition;
mod ends;
mod job;
mod kept;
pub(crate) mod keys;
mod parameters;
mod report;
mod run;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use fotalab_wire::{lwm2m::Path, net::UnixMillis};
use sha2::{Digest as _, Sha256};

pub(crate) use cursors::{Cursor, Cursors};
pub(crate) use definition::{Argument, Definition, Operation, Scope, Work};
pub(crate) use job::Job;
pub(crate) use kept::Kept;
pub(crate) use parameters::{Parameters, Plan, Protocol, Transfer, boolean};
pub(crate) use report::{Report, Status, Summary};

use super::campaigns::{Campaign, Pace};
use crate::limits;

/// A task's owner and id.
type Key = (String, String);

/// A job: a task and one of its devices.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct JobKey {
    /// Whose task it is.
    pub(crate) owner: String,
    /// The task's id.
    pub(crate) task: String,
    /// The device's endpoint name.
    pub(crate) device: String,
}

/// What has to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Ask a device; the answer comes back with the serial.
    Operate {
        /// Which ask it is.
        serial: u64,
        /// Of whom.
        device: String,
        /// What.
        step: Step,
    },
    /// Make an update, then tell [`Tasks::began`], [`Tasks::refused`] or [`Tasks::put_off`].
    Update {
        /// For which job.
        job: JobKey,
        /// What it is to be.
        plan: Plan,
        /// As the update names who asked for it.
        asked_by: String,
    },
    /// Stop an update, if it was not executed.
    Stop {
        /// Its id.
        update: String,
        /// Why.
        why: &'static str,
    },
}

/// What a device is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Read.
    Read(Path),
    /// Write a value, given as text.
    Write(Path, String),
    /// Execute with arguments.
    Execute(Path, String),
}

/// How a device answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// With success, and what it told as text.
    Done(Vec<(Path, String)>),
    /// With success, and what cannot be read; or what was to be written does not fit.
    Unfit(String),
    /// With a code of class 4 or 5, such as `4.04`.
    Refused(String),
    /// Not at all.
    Silent,
    /// It left first.
    Gone,
}

/// A task.
#[derive(Debug)]
pub(crate) struct Task {
    /// Its id.
    pub(crate) id: String,
    /// On whom.
    pub(crate) scope: Scope,
    /// What.
    pub(crate) definition: Definition,
    /// Every restart is another run.
    run: u32,
    /// Later ones are greater.
    order: u64,
    jobs: BTreeMap<String, Job>,
    pace: Pace,
    /// Of a task on a group.
    campaign: Option<Campaign>,
}

/// All tasks.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    tasks: BTreeMap<Key, Task>,
    by_scope: BTreeMap<(String, Scope), Vec<String>>,
    /// The last number given in a scope.
    numbers: BTreeMap<Key, u64>,
    /// Tasks of a device that have not ended on it, oldest first.
    open: BTreeMap<String, Vec<Key>>,
    /// Devices in a session: what waits for them goes on when something ends.
    sessions: BTreeSet<String>,
    updates: BTreeMap<String, JobKey>,
    asked: BTreeMap<u64, JobKey>,
    serial: u64,
    order: u64,
    /// How many jobs of an owner hold a share of the quota.
    shares: BTreeMap<String, usize>,
    quotas: BTreeMap<String, usize>,
    effects: VecDeque<Effect>,
    changed: BTreeSet<(Kept, Vec<String>)>,
}

/// Too much waits for this device already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Crowded;

impl Tasks {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Says how many updates of an owner may share the quota.
    pub(crate) fn set_quota(&mut self, owner: &str, quota: usize) {
        self.quotas.insert(owner.to_owned(), quota);
    }

    /// Makes a task, or runs an identical one again if `rerun` says so; its id.
    pub(crate) fn create(
        &mut self,
        owner: &str,
        scope: Scope,
        definition: Definition,
        (members, pace): (Vec<String>, Pace),
        rerun: bool,
    ) -> Result<String, Crowded> {
        let in_scope = (owner.to_owned(), scope.clone());
        let known = self.by_scope.get(&in_scope).into_iter().flatten().rev();
        let mut same = known.filter(|id| {
            let task = self.tasks.get(&(owner.to_owned(), (*id).clone()));
            task.is_some_and(|it| it.definition == definition)
        });
        if let Some(id) = same.next().filter(|_| rerun).cloned() {
            self.run_again(&(owner.to_owned(), id.clone()), members, pace);
            return Ok(id);
        }
        let full = |device: &String| {
            let open = self.open.get(device);
            open.is_some_and(|it| it.len() >= limits::MAX_OPEN_TASKS_PER_DEVICE)
        };
        if members.iter().any(full) {
            return Err(Crowded);
        }
        self.forget_oldest(&in_scope);
        let id = self.number(owner, &scope);
        self.by_scope.entry(in_scope).or_default().push(id.clone());
        self.order += 1;
        let key = (owner.to_owned(), id.clone());
        let task = Task {
            id: id.clone(),
            scope,
            definition,
            run: 0,
            order: self.order,
            jobs: BTreeMap::new(),
            pace,
            campaign: None,
        };
        self.tasks.insert(key.clone(), task);
        self.open_jobs(&key, members, pace);
        Ok(id)
    }

    /// One task.
    pub(crate) fn get(&self, owner: &str, id: &str) -> Option<&Task> {
        self.tasks.get(&(owner.to_owned(), id.to_owned()))
    }

    /// All tasks of an owner.
    pub(crate) fn of_owner<'a>(&'a self, owner: &'a str) -> impl Iterator<Item = &'a Task> {
        let from = (owner.to_owned(), String::new());
        let tasks = self.tasks.range(from..);
        tasks
            .take_while(move |((it, _), _)| it == owner)
            .map(|(_, task)| task)
    }

    /// Takes a task away, whatever it does. False: there is none.
    pub(crate) fn remove(&mut self, now: UnixMillis, owner: &str, id: &str) -> bool {
        let key = (owner.to_owned(), id.to_owned());
        let Some(task) = self.tasks.remove(&key) else {
            return false;
        };
        let scope = (key.0.clone(), task.scope.clone());
        if let Some(ids) = self.by_scope.get_mut(&scope) {
            ids.retain(|it| *it != id);
        }
        self.changed
            .insert((Kept::Task, vec![key.0.clone(), key.1.clone()]));
        for (device, job) in &task.jobs {
            self.note_job(&key, device);
            self.close(&key, device);
            if let Some(update) = &job.update {
                self.updates.remove(update);
                self.effects.push_back(Effect::Stop {
                    update: update.clone(),
                    why: "the task was deleted",
                });
            }
            if job.is_running() {
                self.give_back(&key, &task.definition);
            }
        }
        self.asked
            .retain(|_, it| (&it.owner, &it.task) != (&key.0, &key.1));
        for device in task.jobs.keys() {
            self.go_on(now, device);
        }
        true
    }

    /// Of which device something was asked.
    pub(crate) fn device_of(&self, serial: u64) -> Option<&str> {
        self.asked.get(&serial).map(|it| it.device.as_str())
    }

    /// The next thing to do.
    pub(crate) fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Runs a task again where it has ended, on whom it is for now. Where it has not, it goes on.
    fn run_again(&mut self, key: &Key, members: Vec<String>, pace: Pace) {
        let Some(task) = self.tasks.get_mut(key) else {
            return;
        };
        let under_way = task.jobs.values().any(|it| it.report().is_none());
        if under_way && !task.jobs.is_empty() {
            return;
        }
        let before = std::mem::take(&mut task.jobs);
        for (device, job) in &before {
            if let Some(update) = &job.update {
                self.updates.remove(update);
            }
            self.note_job(key, device);
        }
        self.order += 1;
        if let Some(task) = self.tasks.get_mut(key) {
            task.run += 1;
            task.order = self.order;
        }
        self.open_jobs(key, members, pace);
    }

    /// Gives a task its jobs.
    fn open_jobs(&mut self, key: &Key, members: Vec<String>, pace: Pace) {
        self.note_task(key);
        let Some(task) = self.tasks.get_mut(key) else {
            return;
        };
        let run = task.run;
        let jobs = members.into_iter().map(|device| (device, Job::new(run)));
        task.jobs = jobs.collect();
        task.pace = pace;
        if let Scope::Group(_) = task.scope {
            task.campaign = Some(Campaign::new(pace, task.jobs.keys().cloned()));
        }
        for device in task.jobs.keys() {
            self.open
                .entry(device.clone())
                .or_default()
                .push(key.clone());
        }
    }

    /// Makes room for another task in a scope: the oldest that ended goes.
    fn forget_oldest(&mut self, scope: &(String, Scope)) {
        let ids = self.by_scope.get(scope).cloned().unwrap_or_default();
        if ids.len() < limits::MAX_TASKS_PER_SCOPE {
            return;
        }
        let ended = ids.iter().find(|id| {
            let task = self.get(&scope.0, id);
            task.is_some_and(|it| it.jobs.values().all(|it| it.report().is_some()))
        });
        if let Some(id) = ended.cloned() {
            self.remove(0, &scope.0, &id);
        }
    }

    /// The next id in a scope: numbers are never given twice.
    fn number(&mut self, owner: &str, scope: &Scope) -> String {
        let prefix = match scope {
            Scope::Device(device) => format!("d:{}", opaque(device)),
            Scope::Group(group) => format!("g:{group}"),
        };
        let key = (owner.to_owned(), prefix.clone());
        let number = self.numbers.entry(key).or_default();
        *number += 1;
        let id = format!("{prefix}:{number}");
        self.changed
            .insert((Kept::Number, vec![owner.to_owned(), prefix]));
        id
    }
}

impl Task {
    /// The task on one device.
    pub(crate) fn job(&self, device: &str) -> Option<&Job> {
        self.jobs.get(device)
    }

    /// The task on each device.
    pub(crate) fn jobs(&self) -> impl Iterator<Item = (&String, &Job)> {
        self.jobs.iter()
    }

    /// Nobody begins any more: it was made so, or too many failed.
    pub(crate) fn is_halted(&self) -> bool {
        let campaign = self.campaign.as_ref();
        !self.definition.active || campaign.is_some_and(Campaign::is_halted)
    }

    /// How many devices are where.
    pub(crate) fn summary(&self) -> Summary {
        if let Some(campaign) = &self.campaign {
            let tally = campaign.tally();
            return Summary {
                scheduled: self.jobs.len(),
                in_progress: tally.running,
                successes: tally.succeeded,
                failures: tally.failed,
            };
        }
        let mut summary = Summary {
            scheduled: self.jobs.len(),
            ..Summary::default()
        };
        for job in self.jobs.values() {
            match job.report().map(|it| it.status) {
                Some(Status::Success) => summary.successes += 1,
                Some(Status::Error) => summary.failures += 1,
                None if job.is_running() => summary.in_progress += 1,
                None => {}
            }
        }
        summary
    }
}

/// 38 letters and digits that are a device's own in all its task ids (contract 3.1).
fn opaque(device: &str) -> String {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let halves = [0_u8, 1].map(|half| Sha256::new().chain_update([half]).chain_update(device));
    let bytes = halves.into_iter().flat_map(|it| it.finalize());
    let letters = bytes.map(|byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]));
    letters.take(38).collect()
}
