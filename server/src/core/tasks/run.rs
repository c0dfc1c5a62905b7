//! How jobs begin and go on.

use fotalab_wire::net::UnixMillis;

use super::{
    Argument, Definition, Effect, JobKey, Key, Operation, Plan, Status, Step, Tasks, Work,
    job::{Job, Stand},
    keys,
};
use crate::{core::campaigns, limits};

impl Tasks {
    /// The device can be asked now: what waits for it begins, or only the task `only`.
    pub(crate) fn session(&mut self, now: UnixMillis, device: &str, only: Option<&str>) {
        if !self.open.contains_key(device) {
            return;
        }
        if only.is_none() {
            self.sessions.insert(device.to_owned());
        }
        self.offer_all(now, device, only);
        self.end_session(device);
    }

    /// Its registration ended: it has no turn before it is back.
    pub(crate) fn left(&mut self, device: &str) {
        self.sessions.remove(device);
        for key in self.open.get(device).cloned().unwrap_or_default() {
            let campaign = self.tasks.get_mut(&key).and_then(|it| {
                let waits = it.jobs.get(device).is_some_and(Job::is_waiting);
                it.campaign.as_mut().filter(|_| waits)
            });
            if let Some(campaign) = campaign {
                campaign.went(device);
            }
        }
    }

    /// An update was made for a job.
    pub(crate) fn began(&mut self, job: &JobKey, update: &str) {
        let key = job.task_key();
        if let Some(known) = self.job_mut(&key, &job.device) {
            known.update = Some(update.to_owned());
            self.updates.insert(update.to_owned(), job.clone());
            self.note_job(&key, &job.device);
        }
    }

    /// No update can be made for a job now: it waits for another session.
    pub(crate) fn put_off(&mut self, now: UnixMillis, job: &JobKey) {
        let key = job.task_key();
        let Some(known) = self.job_mut(&key, &job.device) else {
            return;
        };
        known.stand = Stand::Waiting;
        known.started = None;
        self.note_job(&key, &job.device);
        let Some(task) = self.tasks.get_mut(&key) else {
            return;
        };
        if let Some(campaign) = task.campaign.as_mut() {
            campaign.went(&job.device);
        }
        let definition = task.definition.clone();
        self.give_back(&key, &definition);
        self.sessions.remove(&job.device);
        self.pump(now, &key);
    }

    /// Something ended on a device: what waits may begin while its session lasts.
    pub(super) fn go_on(&mut self, now: UnixMillis, device: &str) {
        if self.sessions.contains(device) {
            self.offer_all(now, device, None);
            self.end_session(device);
        }
    }

    /// Returns the share of the quota that a job held.
    pub(super) fn give_back(&mut self, key: &Key, definition: &Definition) {
        let held = matches!(plan(definition), Some(Ok(plan)) if plan.quota);
        if let Some(shares) = self.shares.get_mut(&key.0).filter(|_| held) {
            *shares = shares.saturating_sub(1);
        }
    }

    /// Counts the share of the quota that a job takes.
    pub(super) fn take_share(&mut self, key: &Key, plan: &Plan) {
        if plan.quota {
            *self.shares.entry(key.0.clone()).or_default() += 1;
        }
    }

    /// Takes a task off a device's list.
    pub(super) fn close(&mut self, key: &Key, device: &str) {
        if let Some(open) = self.open.get_mut(device) {
            open.retain(|it| it != key);
            if open.is_empty() {
                self.open.remove(device);
            }
        }
    }

    fn offer_all(&mut self, now: UnixMillis, device: &str, only: Option<&str>) {
        for key in self.open.get(device).cloned().unwrap_or_default() {
            if only.is_none_or(|only| only == key.1) {
                self.offer(now, &key, device);
            }
        }
    }

    fn end_session(&mut self, device: &str) {
        let open = self.open.get(device).into_iter().flatten();
        let mut jobs = open.filter_map(|key| self.tasks.get(key)?.jobs.get(device));
        if !jobs.any(Job::is_running) {
            self.sessions.remove(device);
        }
    }

    /// A job could begin, as far as its device goes.
    fn offer(&mut self, now: UnixMillis, key: &Key, device: &str) {
        let Some(task) = self.tasks.get(key) else {
            return;
        };
        let waits = task.jobs.get(device).is_some_and(Job::is_waiting);
        if !waits || !task.definition.active || !self.is_free(key, device) {
            return;
        }
        let Some(task) = self.tasks.get_mut(key) else {
            return;
        };
        let wrong = plan(&task.definition).and_then(Result::err);
        match (wrong, task.campaign.as_mut()) {
            (Some(why), _) => self.end(now, key, device, Status::Error, Some(&why), Vec::new()),
            (None, None) => self.begin(now, key, device),
            (None, Some(campaign)) => {
                campaign.arrived(device);
                self.pump(now, key);
            }
        }
    }

    /// Whether nothing on the device, and no quota, is in the way of a job.
    fn is_free(&self, key: &Key, device: &str) -> bool {
        let Some(task) = self.tasks.get(key) else {
            return false;
        };
        let mine = plan(&task.definition);
        let open = self.open.get(device).into_iter().flatten();
        let running = open.filter_map(|other| {
            let task = self.tasks.get(other)?;
            let runs = task.jobs.get(device).is_some_and(Job::is_running);
            runs.then_some(&task.definition)
        });
        for other in running {
            match (plan(other), &mine) {
                // Operations go one after the other, and so do updates.
                (None, None) | (Some(_), Some(_)) => return false,
                (Some(Ok(theirs)), None) if theirs.blocking => return false,
                (None, Some(Ok(mine))) if mine.blocking => return false,
                _ => {}
            }
        }
        let Some(Ok(mine)) = mine else {
            return true;
        };
        let shares = self.shares.get(&key.0).copied().unwrap_or_default();
        let quota = self.quotas.get(&key.0).copied().unwrap_or(limits::QUOTA);
        !mine.quota || shares < quota
    }

    /// Does what a campaign wants.
    pub(super) fn pump(&mut self, now: UnixMillis, key: &Key) {
        loop {
            let campaign = self.tasks.get_mut(key).and_then(|it| it.campaign.as_mut());
            let Some(effect) = campaign.and_then(|it| it.poll_effect()) else {
                return;
            };
            match effect {
                campaigns::Effect::Begin { device } if self.is_free(key, &device) => {
                    self.begin(now, key, &device);
                }
                campaigns::Effect::Begin { device } => {
                    let task = self.tasks.get_mut(key);
                    if let Some(campaign) = task.and_then(|it| it.campaign.as_mut()) {
                        campaign.went(&device);
                    }
                }
                campaigns::Effect::Stop { device } => {
                    let job = self.tasks.get(key).and_then(|it| it.jobs.get(&device));
                    if let Some(update) = job.and_then(|it| it.update.clone()) {
                        let why = "the campaign was halted: too many devices failed";
                        self.effects.push_back(Effect::Stop { update, why });
                    }
                }
            }
        }
    }

    fn begin(&mut self, now: UnixMillis, key: &Key, device: &str) {
        let Some(task) = self.tasks.get_mut(key) else {
            return;
        };
        let definition = task.definition.clone();
        let run = task.run;
        if let Some(job) = task.jobs.get_mut(device) {
            job.stand = Stand::Running;
            job.started = job.started.or(Some(now));
        }
        self.note_job(key, device);
        match plan(&definition) {
            None => self.next_operation(now, key, device),
            Some(Err(why)) => self.end(now, key, device, Status::Error, Some(&why), Vec::new()),
            Some(Ok(plan)) => {
                self.take_share(key, &plan);
                let job = JobKey::of(key, device);
                let asked_by = job.word(run);
                let effect = Effect::Update {
                    job,
                    plan,
                    asked_by,
                };
                self.effects.push_back(effect);
            }
        }
    }

    pub(super) fn next_operation(&mut self, now: UnixMillis, key: &Key, device: &str) {
        self.note_job(key, device);
        let Some(task) = self.tasks.get_mut(key) else {
            return;
        };
        let Work::Operations { operations, .. } = &task.definition.work else {
            return;
        };
        let Some(job) = task.jobs.get_mut(device) else {
            return;
        };
        let Some(operation) = operations.get(job.progress.next) else {
            return self.end_operations(now, key, device, None);
        };
        let Some(path) = keys::path(operation.key()) else {
            let why = format!("Unknown data model key: {}", operation.key());
            return self.end_operations(now, key, device, Some(&why));
        };
        let step = match operation {
            Operation::Read { .. } => Step::Read(path),
            Operation::Write { value, .. } => Step::Write(path, value.clone()),
            Operation::Execute { argument_list, .. } => {
                Step::Execute(path, Argument::payload(argument_list))
            }
        };
        job.progress.sent = true;
        self.serial += 1;
        self.asked.insert(self.serial, JobKey::of(key, device));
        self.effects.push_back(Effect::Operate {
            serial: self.serial,
            device: device.to_owned(),
            step,
        });
    }

    fn job_mut(&mut self, key: &Key, device: &str) -> Option<&mut Job> {
        self.tasks.get_mut(key)?.jobs.get_mut(device)
    }
}

impl JobKey {
    /// The job of a task on a device.
    pub(super) fn of(key: &Key, device: &str) -> Self {
        Self {
            owner: key.0.clone(),
            task: key.1.clone(),
            device: device.to_owned(),
        }
    }

    /// Its task.
    pub(super) fn task_key(&self) -> Key {
        (self.owner.clone(), self.task.clone())
    }

    /// As an update names who asked for it; another one for every run.
    pub(super) fn word(&self, run: u32) -> String {
        serde_json::json!([self.owner, self.task, self.device, run]).to_string()
    }
}

/// What a task of firmware says it is to do; `None` of one that is none.
pub(super) fn plan(definition: &Definition) -> Option<Result<Plan, String>> {
    match &definition.work {
        Work::Operations { .. } => None,
        Work::Firmware(parameters) => Some(Plan::of(parameters)),
    }
}
