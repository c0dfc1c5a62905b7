//! How jobs end: by an answer, by an update, or because there is nothing to be done any more.

use fotalab_wire::net::UnixMillis;

use super::{
    Answer, Effect, JobKey, Key, Operation, Scope, Status, Tasks, Work,
    job::{Job, Stand},
    keys,
};
use crate::{
    core::firmware::{State, Update},
    limits,
};

/// What a report calls an update that went well.
const SUCCESSFUL: &str = "Firmware update successful";

impl Tasks {
    /// No update can be made for a job.
    pub(crate) fn refused(&mut self, now: UnixMillis, job: &JobKey, why: &str) {
        let key = job.task_key();
        self.end(now, &key, &job.device, Status::Error, Some(why), Vec::new());
    }

    /// An update moved.
    pub(crate) fn update_changed(&mut self, now: UnixMillis, update: &Update) {
        let Some(job) = self.updates.get(&update.id).cloned() else {
            return;
        };
        let key = job.task_key();
        if update.is_over() {
            self.updates.remove(&update.id);
        }
        let detail = update.history.last().map_or("", |it| it.detail.as_str());
        let told = |result: &str, details: &str| {
            let found = update.found.as_deref();
            let running = update.running().or(found);
            let versions = [
                ("newFirmwareVersion", running),
                ("oldFirmwareVersion", found),
            ];
            let versions = versions
                .into_iter()
                .filter_map(|(name, it)| Some((name, it?)));
            let result = [("result", result), ("resultDetails", details)];
            let all = versions.chain(result);
            let all = all.map(|(name, it)| (name.to_owned(), it.to_owned()));
            all.collect::<Vec<_>>()
        };
        match update.state {
            State::Succeeded if self.is_running(&key, &job.device) => {
                let properties = told("SUCCESS", SUCCESSFUL);
                let summary = Some(SUCCESSFUL);
                self.end(now, &key, &job.device, Status::Success, summary, properties);
            }
            // Also after it had succeeded: it went back to the old version.
            State::Failed if !self.has_failed(&key, &job.device) => {
                let properties = told("ERROR", detail);
                let summary = Some(detail);
                self.end(now, &key, &job.device, Status::Error, summary, properties);
            }
            _ => {}
        }
    }

    /// A device answered what [`Effect::Operate`] asked, or did not.
    pub(crate) fn answered(&mut self, now: UnixMillis, serial: u64, answer: Answer) {
        let Some(job) = self.asked.remove(&serial) else {
            return;
        };
        let key = job.task_key();
        let Some(task) = self.tasks.get_mut(&key) else {
            return;
        };
        let Work::Operations { operations, .. } = &task.definition.work else {
            return;
        };
        let Some(known) = task.jobs.get_mut(&job.device) else {
            return;
        };
        let Some(operation) = operations.get(known.progress.next) else {
            return;
        };
        let (verb, of) = (operation.verb(), operation.key());
        let failed = match answer {
            Answer::Done(values) => {
                let told = values.into_iter().map(|(path, text)| {
                    let exact = keys::path(of) == Some(path);
                    let name = if exact {
                        of.to_owned()
                    } else {
                        keys::key(path)
                    };
                    (name, text)
                });
                if matches!(operation, Operation::Read { .. }) {
                    known.progress.properties.extend(told);
                }
                None
            }
            Answer::Unfit(why) => Some(format!("{verb} {of} failed: {why}")),
            Answer::Refused(code) => Some(format!("{verb} {of} failed: {code}")),
            Answer::Silent => Some(format!("{verb} {of} failed: the device did not answer")),
            // What does no harm twice waits for the device to come back.
            Answer::Gone if !matches!(operation, Operation::Execute { .. }) => {
                known.stand = Stand::Waiting;
                self.note_job(&key, &job.device);
                return;
            }
            Answer::Gone => Some(format!("{verb} {of} failed: the device left")),
        };
        if failed.is_none() {
            known.progress.next += 1;
            known.progress.sent = false;
        }
        match failed {
            None => self.next_operation(now, &key, &job.device),
            Some(why) => self.end_operations(now, &key, &job.device, Some(&why)),
        }
    }

    /// A device is not in a group any more: tasks that have not begun on it are over.
    pub(crate) fn left_group(&mut self, now: UnixMillis, owner: &str, group: &str, device: &str) {
        let scope = Scope::Group(group.to_owned());
        let ids = self.by_scope.get(&(owner.to_owned(), scope)).cloned();
        for id in ids.into_iter().flatten() {
            let key = (owner.to_owned(), id);
            let job = self.tasks.get(&key).and_then(|it| it.jobs.get(device));
            if job.is_some_and(Job::is_waiting) {
                let why = Some("The device is not in the group any more");
                self.end(now, &key, device, Status::Error, why, Vec::new());
            }
        }
    }

    /// A device was deleted: all that was to be done on it is over.
    pub(crate) fn deleted(&mut self, now: UnixMillis, device: &str) {
        for key in self.open.get(device).cloned().unwrap_or_default() {
            let job = self.tasks.get(&key).and_then(|it| it.jobs.get(device));
            if let Some(update) = job.and_then(|it| it.update.clone()) {
                self.updates.remove(&update);
                let why = "the device was deleted";
                self.effects.push_back(Effect::Stop { update, why });
            }
            let why = Some("The device was deleted");
            self.end(now, &key, device, Status::Error, why, Vec::new());
        }
    }

    pub(super) fn end_operations(
        &mut self,
        now: UnixMillis,
        key: &Key,
        device: &str,
        why: Option<&str>,
    ) {
        let Some(task) = self.tasks.get(key) else {
            return;
        };
        let (Work::Operations { operations, .. }, Some(job)) =
            (&task.definition.work, task.jobs.get(device))
        else {
            return;
        };
        let mut properties = job.progress.properties.clone();
        let done = job.progress.next.checked_sub(1);
        let last = done.and_then(|at| operations.get(at));
        if let Some(last) = last.and_then(|it| serde_json::to_string(it).ok()) {
            properties.push(("lastSuccessfulOperation".to_owned(), last));
        }
        let status = match why {
            None => Status::Success,
            Some(_) => Status::Error,
        };
        self.end(now, key, device, status, why, properties);
    }

    pub(super) fn end(
        &mut self,
        now: UnixMillis,
        key: &Key,
        device: &str,
        status: Status,
        summary: Option<&str>,
        properties: Vec<(String, String)>,
    ) {
        let Some(task) = self.tasks.get_mut(key) else {
            return;
        };
        let Some(job) = task.jobs.get_mut(device) else {
            return;
        };
        let ran = job.is_running();
        let summary = summary.map(|it| it.chars().take(limits::MAX_SUMMARY_CHARS).collect());
        job.end(now, status, summary, properties);
        if let Some(campaign) = task.campaign.as_mut() {
            campaign.ended(device, status == Status::Success);
        }
        if ran {
            let definition = task.definition.clone();
            self.give_back(key, &definition);
        }
        self.close(key, device);
        self.note_job(key, device);
        self.pump(now, key);
        self.go_on(now, device);
    }

    fn is_running(&self, key: &Key, device: &str) -> bool {
        let task = self.tasks.get(key);
        task.and_then(|it| it.jobs.get(device))
            .is_some_and(Job::is_running)
    }

    fn has_failed(&self, key: &Key, device: &str) -> bool {
        let job = self.tasks.get(key).and_then(|it| it.jobs.get(device));
        let status = job.and_then(Job::report).map(|it| it.status);
        status == Some(Status::Error)
    }
}
