//! One update: its path, its steps, and the rules that lead from one to the next (contract 2.3).

use std::{collections::VecDeque, time::Duration};

use fotalab_wire::net::UnixMillis;
use serde::{Deserialize, Serialize};

use super::{
    Effect, Ended, Flow, JobDetails, PollFailure, State, Step, Wanted, after, shown, step::Polled,
};
use crate::{
    core::{
        upgrade_path::{Target, UpgradePath},
        version::Version,
    },
    limits,
};

/// One update of one device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Update {
    /// A ULID.
    pub(crate) id: String,
    /// The device.
    pub(crate) device: String,
    /// The device's upstream account.
    pub(crate) account: String,
    /// What is updated.
    pub(crate) target: Option<Target>,
    /// As it was asked for.
    pub(crate) path: UpgradePath,
    /// How its steps follow each other.
    pub(crate) flow: Flow,
    /// When it was asked for, later when it ended.
    pub(crate) timestamp: UnixMillis,
    /// Where it stands.
    pub(crate) state: State,
    /// The same in words.
    pub(crate) status_detail: String,
    /// The version its latest step began with.
    pub(crate) reported_version: String,
    /// The upstream jobs, oldest first.
    pub(crate) steps: Vec<Step>,
    pub(super) phase: Phase,
    created: UnixMillis,
    used_keys: Vec<String>,
    used_versions: Vec<String>,
}

/// What happens next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Phase {
    /// Upstream is creating a job.
    Creating {
        /// What it will install.
        bundle: String,
        /// What the device runs, raw.
        from: String,
    },
    /// Upstream is asked how the last step goes.
    Following,
    /// The last step went well; the device has to run something else.
    AwaitingVersion,
    /// Nothing.
    Ended,
}

impl Update {
    pub(super) fn new(
        id: String,
        now: UnixMillis,
        wanted: Wanted,
        reported_version: String,
    ) -> Self {
        Self {
            id,
            device: wanted.device,
            account: wanted.account,
            target: wanted.target,
            path: wanted.path,
            flow: wanted.flow,
            timestamp: now,
            state: State::New,
            status_detail: "The job has been created".to_owned(),
            reported_version,
            steps: Vec::new(),
            phase: Phase::Ended,
            created: now,
            used_keys: Vec::new(),
            used_versions: Vec::new(),
        }
    }

    /// It was just read from the store. Whether a job that was being created came about is not
    /// known, and creating it again might update the device twice: so that step has failed.
    pub(super) fn restored(&mut self, now: UnixMillis, effects: &mut VecDeque<Effect>) {
        if matches!(self.phase, Phase::Creating { .. }) {
            let unknown = "the server restarted before nRF Cloud answered";
            self.created(now, Err(unknown.to_owned()), effects);
        }
        if let Some(step) = self.steps.last_mut() {
            step.in_flight = false;
        }
    }

    /// Another one for the same device and target has to wait.
    pub(super) fn holds_lock(&self) -> bool {
        match self.flow {
            Flow::Whole => !self.has_ended(),
            Flow::Single | Flow::Stepwise => {
                matches!(self.phase, Phase::Creating { .. } | Phase::Following)
            }
        }
    }

    /// Nothing will happen any more.
    pub(super) fn has_ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// Upstream never had a job for it, and nobody was promised one.
    pub(super) fn never_began(&self) -> bool {
        self.has_ended() && self.flow != Flow::Whole && self.steps.is_empty()
    }

    /// A new version of the device would lead on, now or after the current step.
    pub(super) fn awaits_version(&self) -> bool {
        match self.flow {
            Flow::Whole => !self.has_ended(),
            Flow::Single | Flow::Stepwise => self.phase == Phase::AwaitingVersion,
        }
    }

    /// It was asked for recently.
    pub(super) fn is_young(&self, now: UnixMillis) -> bool {
        now < after(self.created, limits::YOUNG_JOB)
    }

    /// Whether the device, running `raw`, ends the wait for a version.
    pub(super) fn is_ready_for(&self, raw: &str) -> bool {
        self.phase == Phase::AwaitingVersion
            && !raw.is_empty()
            && self.steps.last().is_some_and(|step| step.from != raw)
    }

    /// The device runs `raw`: takes the bundle for it, or ends (2.3, steps 2, 3 and 6).
    pub(super) fn next_step(
        &mut self,
        now: UnixMillis,
        raw: &str,
        version: Option<Version>,
        effects: &mut VecDeque<Effect>,
    ) {
        let shown = shown(raw, version);
        let next = self.match_next(version, &shown);
        let Some((key, bundle)) = next else {
            if self.flow == Flow::Whole {
                self.status_detail =
                    format!("No more bundles to apply for {shown}. Job completed.");
                self.reported_version = shown;
                self.end(now, Ended::Succeeded, effects);
            }
            return;
        };
        self.used_keys.push(key);
        self.used_versions.push(shown.clone());
        self.reported_version = shown;
        self.phase = Phase::Creating {
            bundle: bundle.clone(),
            from: raw.to_owned(),
        };
        effects.push_back(Effect::Create {
            update: self.id.clone(),
            account: self.account.clone(),
            device: self.device.clone(),
            bundle,
        });
    }

    /// Upstream created the job, or did not (2.3, step 4).
    pub(super) fn created(
        &mut self,
        now: UnixMillis,
        outcome: Result<String, String>,
        effects: &mut VecDeque<Effect>,
    ) {
        let Phase::Creating { bundle, from } = self.phase.clone() else {
            // Stopped meanwhile: the job that came too late is not wanted.
            if let Ok(job) = outcome {
                effects.push_back(Effect::Cancel {
                    account: self.account.clone(),
                    job,
                });
            }
            return;
        };
        let update = self.id.clone();
        let first = self.steps.is_empty();
        let stepwise = self.flow != Flow::Whole;
        match outcome {
            Ok(job) => {
                self.status_detail = format!(
                    "Started job for version {} with bundle {bundle}.",
                    self.reported_version
                );
                self.steps.push(Step::new(job, bundle, from, now));
                self.phase = Phase::Following;
                self.state = State::InProgress;
                if first && stepwise {
                    effects.push_back(Effect::Scheduled {
                        update: update.clone(),
                        outcome: Ok(()),
                    });
                }
                effects.push_back(Effect::Changed { update });
                self.handle_timeout(now, effects);
            }
            Err(cause) if stepwise && first => {
                self.phase = Phase::Ended;
                effects.push_back(Effect::Scheduled {
                    update,
                    outcome: Err(cause),
                });
            }
            Err(cause) if stepwise => {
                self.steps
                    .push(Step::refused(update.clone(), bundle, from, now, &cause));
                effects.push_back(Effect::StepEnded { update });
                self.fail(now, Ended::Failed, effects);
            }
            Err(_) => self.fail(now, Ended::Failed, effects),
        }
    }

    /// Upstream told about the last step.
    pub(super) fn followed(
        &mut self,
        now: UnixMillis,
        answer: Result<JobDetails, PollFailure>,
        follow: Duration,
    ) -> Option<Polled> {
        Some(self.steps.last_mut()?.followed(now, answer, follow))
    }

    /// Upstream is done with the last step (2.3, step 5; 2.4).
    pub(super) fn step_ended(&mut self, now: UnixMillis, effects: &mut VecDeque<Effect>) {
        effects.push_back(Effect::StepEnded {
            update: self.id.clone(),
        });
        if self.phase != Phase::Following {
            return;
        }
        let succeeded = self.steps.last().is_some_and(Step::has_succeeded);
        match self.flow {
            _ if !succeeded => self.fail(now, Ended::Failed, effects),
            Flow::Whole => self.phase = Phase::AwaitingVersion,
            Flow::Stepwise if self.has_unused_key() => self.phase = Phase::AwaitingVersion,
            Flow::Single | Flow::Stepwise => {
                self.status_detail = Ended::Succeeded.detail().to_owned();
                self.end(now, Ended::Succeeded, effects);
            }
        }
    }

    /// Makes room for another path of the same device and target.
    pub(super) fn give_way(&mut self, now: UnixMillis, effects: &mut VecDeque<Effect>) {
        self.status_detail = "Another update took over.".to_owned();
        self.end(now, Ended::Succeeded, effects);
    }

    /// Ends it and cancels what upstream still has (2.3).
    pub(super) fn fail(&mut self, now: UnixMillis, how: Ended, effects: &mut VecDeque<Effect>) {
        self.status_detail = how.detail().to_owned();
        self.end(now, how, effects);
        for step in self.steps.iter().filter(|it| it.can_be_cancelled()) {
            let (account, job) = (self.account.clone(), step.id.clone());
            effects.push_back(Effect::Cancel { account, job });
        }
    }

    /// Asks upstream, or gives up, if it is time.
    pub(super) fn handle_timeout(&mut self, now: UnixMillis, effects: &mut VecDeque<Effect>) {
        if self.flow == Flow::Whole
            && !self.has_ended()
            && now >= after(self.created, limits::UPDATE_LIFETIME)
        {
            return self.fail(now, Ended::TimedOut, effects);
        }
        if self.phase == Phase::Following
            && let Some(step) = self.steps.last_mut()
            && !step.in_flight
            && step.next_poll <= now
        {
            step.in_flight = true;
            effects.push_back(Effect::Follow {
                update: self.id.clone(),
                account: self.account.clone(),
                job: step.id.clone(),
            });
        }
    }

    /// When [`Update::handle_timeout`] has something to do, or the record is dropped.
    pub(super) fn due(&self) -> UnixMillis {
        let lifetime = match self.flow {
            Flow::Whole if !self.has_ended() => after(self.created, limits::UPDATE_LIFETIME),
            _ => self.expires(),
        };
        match (&self.phase, self.steps.last()) {
            (Phase::Following, Some(step)) if !step.in_flight => lifetime.min(step.next_poll),
            _ => lifetime,
        }
    }

    /// When the record is dropped: 30 days after its creation (1.4), and not before it was shown.
    pub(super) fn expires(&self) -> UnixMillis {
        let lifetime = after(self.created, limits::UPDATE_LIFETIME);
        match (self.flow, self.has_ended()) {
            (Flow::Whole, false) => UnixMillis::MAX,
            (_, true) => lifetime.max(after(self.timestamp, limits::ENDED_SHOWN)),
            (Flow::Single | Flow::Stepwise, false) => lifetime,
        }
    }

    /// The key and bundle for the version, if the rules of the flow allow another step.
    fn match_next(&self, version: Option<Version>, shown: &str) -> Option<(String, String)> {
        let (key, bundle) = match self.flow {
            Flow::Whole => {
                let (key, bundle) = self.path.first_match(version?)?;
                // Bug (c) of 2.3: a range offers its bundle again at the new version.
                let applied = self.steps.iter().any(|step| step.bundle == bundle);
                let seen = self.used_versions.iter().any(|it| it == shown);
                (!applied && !seen).then_some((key, bundle))?
            }
            Flow::Single => {
                let key = self.path.keys().next()?;
                let bundle = self.path.bundles().next()?;
                self.used_keys.is_empty().then_some((key, bundle))?
            }
            Flow::Stepwise => self
                .path
                .matches(version?)
                .find(|(key, _)| !self.used_keys.iter().any(|it| it == key))?,
        };
        Some((key.to_owned(), bundle.to_owned()))
    }

    fn has_unused_key(&self) -> bool {
        !self
            .path
            .keys()
            .all(|key| self.used_keys.iter().any(|it| it == key))
    }

    fn end(&mut self, now: UnixMillis, how: Ended, effects: &mut VecDeque<Effect>) {
        self.phase = Phase::Ended;
        self.state = State::Ended(how);
        self.timestamp = now;
        effects.push_back(Effect::Changed {
            update: self.id.clone(),
        });
    }
}
