//! What survives of tasks: documents as they change, and all of them read again.

use fotalab_wire::net::UnixMillis;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Job, Key, Operation, Scope, Status, Task, Tasks, Work, job::Stand, run::plan};
use crate::core::{
    campaigns::{Campaign, Pace, Place},
    firmware::Firmware,
    tasks::Definition,
};

/// The kinds of documents of tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kept {
    /// A task, with the devices that it is for.
    Task,
    /// A task on one device, once that has begun.
    Job,
    /// The last number given in a scope.
    Number,
}

/// A task, without how it stands on its devices.
#[derive(Serialize, Deserialize)]
struct Document {
    scope: Scope,
    definition: Definition,
    run: u32,
    order: u64,
    pace: Pace,
    members: Vec<String>,
}

/// Why a document is of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotKept {
    /// It does not read.
    #[error("{0}")]
    Unreadable(#[from] serde_json::Error),
    /// Its key has another number of parts.
    #[error("the key has not the parts that it should have")]
    Key,
}

impl Tasks {
    /// The next document that changed: its key, and its content or that it is gone.
    pub(crate) fn poll_kept(&mut self) -> Option<(Kept, String, Option<Value>)> {
        let (kept, parts) = self.changed.pop_first()?;
        let key = json!(parts).to_string();
        let content = match (kept, parts.as_slice()) {
            (Kept::Number, [owner, prefix]) => {
                let number = self.numbers.get(&(owner.clone(), prefix.clone()));
                number.map(|it| json!(it))
            }
            (Kept::Task, [owner, id]) => self.get(owner, id).map(document),
            (Kept::Job, [owner, id, device]) => {
                let job = self.get(owner, id).and_then(|it| it.job(device));
                // One that has not begun is in its task's document already.
                let begun = job.filter(|it| it.started.is_some() || it.report().is_some());
                begun.map(|it| json!(it))
            }
            _ => None,
        };
        Some((kept, key, content))
    }

    /// Takes in a document; tasks before jobs.
    pub(crate) fn restore(&mut self, kept: Kept, key: &str, content: Value) -> Result<(), NotKept> {
        let parts: Vec<String> = serde_json::from_str(key)?;
        match (kept, parts.as_slice()) {
            (Kept::Number, [owner, prefix]) => {
                let number = serde_json::from_value(content)?;
                self.numbers.insert((owner.clone(), prefix.clone()), number);
            }
            (Kept::Task, [owner, id]) => {
                let document: Document = serde_json::from_value(content)?;
                self.take_task((owner.clone(), id.clone()), document);
            }
            (Kept::Job, [owner, id, device]) => {
                let job: Job = serde_json::from_value(content)?;
                let task = self.tasks.get_mut(&(owner.clone(), id.clone()));
                // One of an earlier run, or of a task that is gone, was about to be removed.
                if let Some(task) = task.filter(|it| it.run == job.run)
                    && let Some(known) = task.jobs.get_mut(device)
                {
                    *known = job;
                }
            }
            _ => return Err(NotKept::Key),
        }
        Ok(())
    }

    /// All documents are there: goes on where they end. Updates are known already.
    pub(crate) fn resume(&mut self, now: UnixMillis, firmware: &Firmware) {
        for update in firmware.all() {
            if let Some(word) = &update.wanted.asked_by {
                self.find_update(word, &update.id);
            }
        }
        let mut keys: Vec<(u64, Key)> = self
            .tasks
            .iter()
            .map(|(key, task)| (task.order, key.clone()))
            .collect();
        keys.sort();
        for (order, key) in keys {
            self.order = self.order.max(order);
            self.resume_task(now, &key, firmware);
        }
        for update in firmware.all() {
            self.update_changed(now, update);
        }
    }

    pub(super) fn note_task(&mut self, key: &Key) {
        let parts = vec![key.0.clone(), key.1.clone()];
        self.changed.insert((Kept::Task, parts));
    }

    pub(super) fn note_job(&mut self, key: &Key, device: &str) {
        let parts = vec![key.0.clone(), key.1.clone(), device.to_owned()];
        self.changed.insert((Kept::Job, parts));
    }

    fn take_task(&mut self, key: Key, document: Document) {
        let scope = (key.0.clone(), document.scope.clone());
        let ids = self.by_scope.entry(scope).or_default();
        ids.push(key.1.clone());
        ids.sort_by_key(|id| (id.len(), id.clone()));
        let run = document.run;
        let jobs = document.members.into_iter();
        let task = Task {
            id: key.1.clone(),
            scope: document.scope,
            definition: document.definition,
            run,
            order: document.order,
            jobs: jobs.map(|device| (device, Job::new(run))).collect(),
            pace: document.pace,
            campaign: None,
        };
        self.tasks.insert(key, task);
    }

    /// Links an update to the job that asked for it, even if the job's own document was lost.
    fn find_update(&mut self, word: &str, update: &str) {
        let parts = serde_json::from_str::<(String, String, String, u32)>(word);
        let Ok((owner, id, device, run)) = parts else {
            return;
        };
        let key = (owner, id);
        let task = self.tasks.get_mut(&key).filter(|it| it.run == run);
        let Some(job) = task.and_then(|it| it.jobs.get_mut(&device)) else {
            return;
        };
        job.update = Some(update.to_owned());
        if job.is_waiting() {
            job.stand = Stand::Running;
        }
        let job = super::JobKey::of(&key, &device);
        self.updates.insert(update.to_owned(), job);
    }

    fn resume_task(&mut self, now: UnixMillis, key: &Key, firmware: &Firmware) {
        let Some(task) = self.tasks.get_mut(key) else {
            return;
        };
        let mut unknown = Vec::new();
        for (device, job) in &mut task.jobs {
            if !job.is_running() {
                continue;
            }
            match &task.definition.work {
                Work::Firmware(_) => {
                    let update = job.update.as_deref().and_then(|it| firmware.get(it));
                    if let Some(update) = update {
                        job.started = job.started.or(update.history.first().map(|it| it.at));
                    } else {
                        // It was never made.
                        *job = Job::new(task.run);
                    }
                }
                Work::Operations { operations, .. } => {
                    job.stand = Stand::Waiting;
                    let sent = operations.get(job.progress.next);
                    let sent = sent.filter(|_| job.progress.sent);
                    if matches!(sent, Some(Operation::Execute { .. })) {
                        unknown.push(device.clone());
                    }
                }
            }
        }
        if matches!(task.scope, Scope::Group(_)) {
            let mut campaign = Campaign::new(task.pace, task.jobs.keys().cloned());
            for (device, job) in &task.jobs {
                campaign.restore(device, place(job));
            }
            task.campaign = Some(campaign);
        }
        let running = task.jobs.values().filter(|it| it.is_running()).count();
        let open = task.jobs.iter().filter(|(_, it)| it.report().is_none());
        let open: Vec<String> = open.map(|(device, _)| device.clone()).collect();
        let plan = plan(&task.definition).and_then(Result::ok);
        for device in open {
            self.open.entry(device).or_default().push(key.clone());
        }
        if let Some(plan) = plan {
            (0..running).for_each(|_| self.take_share(key, &plan));
        }
        for device in unknown {
            let why = "The server was restarted; whether Execute reached the device is not known";
            self.end_operations(now, key, &device, Some(why));
        }
    }
}

fn place(job: &Job) -> Place {
    match job.report().map(|it| it.status) {
        Some(Status::Success) => Place::Succeeded,
        Some(Status::Error) => Place::Failed,
        None if job.is_running() => Place::Running,
        None => Place::Waiting,
    }
}

fn document(task: &Task) -> Value {
    json!(Document {
        scope: task.scope.clone(),
        definition: task.definition.clone(),
        run: task.run,
        order: task.order,
        pace: task.pace,
        members: task.jobs.keys().cloned().collect(),
    })
}
