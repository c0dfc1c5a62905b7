//! From Downloaded to running: Execute, the reboot, and what it may come to (contract 1.2, 1.6).

use std::time::Duration;

use fotalab_wire::coap::Code;

use super::{Answer, Due, Effect, Firmware, Reply, State, UpdateResult};
use crate::device::fault::Fault;
use crate::device::slot::Package;

impl Firmware {
    /// Executes /5/0/2.
    pub fn execute_update(&mut self, now: Duration) -> Reply {
        if self.strikes(Fault::RefusesExecute).is_some() {
            return Reply::code(Code::BAD_REQUEST);
        }
        if self.state != State::Downloaded {
            return Reply::code(Code::METHOD_NOT_ALLOWED);
        }
        if self.is_v1_1()
            && self.defer_period > 0
            && let Some(seconds) = self.strikes(Fault::DefersUpdate)
        {
            // Its user's time, but not beyond what the server allows.
            let period = u64::try_from(self.defer_period).unwrap_or(u64::MAX);
            let at = now + Duration::from_secs(period.min(seconds.into()));
            self.enter(now, State::Downloaded, UpdateResult::Deferred);
            self.set_timer(at, Due::Defer);
            return Reply::code(Code::CHANGED);
        }
        self.begin_update(now);
        if self.strikes(Fault::LosesExecuteAcknowledgement).is_some() {
            self.clear_timer(Due::Install);
            self.install(now);
            return Answer::Silence.into();
        }
        Reply::code(Code::CHANGED)
    }

    /// Starts again after a reboot of whatever cause.
    pub fn start(&mut self, now: Duration) {
        self.stuck = false;
        self.timers.clear();
        self.effects.clear();
        match self.state {
            State::Updating => self.finish_update(now),
            State::Downloading => self.resume_download(now),
            State::Downloaded if !self.persona.keeps_package => {
                self.forget_package();
                self.enter(now, State::Idle, UpdateResult::Initial);
            }
            State::Idle if !self.uri.is_empty() => {
                self.set_timer(now + self.persona.fetch_after, Due::Fetch);
            }
            _ => {}
        }
        if self.previous.is_some()
            && let Some(strike) = self.persona.fault(Fault::BootLoops)
        {
            let starts = self.struck.iter().find(|(it, _)| *it == Fault::BootLoops);
            if starts.is_none_or(|(_, count)| *count < strike.amount) {
                self.count(Fault::BootLoops);
                self.set_timer(now + Duration::from_secs(30), Due::Crash);
            }
        }
    }

    // Helpers.

    pub(super) fn begin_update(&mut self, now: Duration) {
        self.clear_timer(Due::PowerCut);
        self.enter(now, State::Updating, UpdateResult::Initial);
        self.set_timer(now + self.persona.update_after, Due::Install);
    }

    pub(super) fn install(&mut self, now: Duration) {
        if self.state == State::Downloaded {
            // The time it was put off for is over.
            return self.begin_update(now);
        }
        if self.state == State::Idle {
            // It was cancelled; see `Fault::InstallsAfterCancel`.
            self.enter(now, State::Updating, UpdateResult::Initial);
        }
        if self.strikes(Fault::NeverComesBack).is_some() {
            return self.restart(None);
        }
        let mut dark = self.persona.reboot + self.persona.install;
        if self.strikes(Fault::LosesPowerWhileUpdating).is_some() {
            // It starts, finds itself in the middle, and does it again.
            dark += dark;
        }
        self.restart(Some(dark));
    }

    pub(super) fn restart(&mut self, after: Option<Duration>) {
        self.timers.clear();
        let deregister =
            self.state == State::Updating && self.strikes(Fault::DeregistersBeforeUpdate).is_some();
        self.effects
            .push_back(Effect::Restart { after, deregister });
    }

    /// Goes back to the image before, and says nothing of it.
    pub(super) fn revert_silently(&mut self) {
        if let Some(previous) = self.previous.take() {
            self.running = previous;
            self.restart(Some(self.persona.reboot));
        }
    }

    /// The server does not take it back, so often already: the new image must be to blame.
    pub(in crate::device) fn not_registered(&mut self, now: Duration, tries: u32) {
        let fault = Fault::RollsBackUnregistered;
        let enough = self
            .persona
            .fault(fault)
            .is_some_and(|it| tries >= it.amount);
        if enough && let Some(previous) = self.previous.take() {
            self.count(fault);
            self.running = previous;
            self.enter(now, State::Idle, UpdateResult::UpdateFailed);
            self.restart(Some(self.persona.reboot));
        }
    }

    /// Faults that are there from the start.
    pub(super) fn begin_in_the_middle(&mut self, now: Duration) {
        let foreign = Package {
            version: "0.0.0-foreign".to_owned(),
            sha256: [0; 32],
            length: 1,
            intact: true,
            has_header: true,
        };
        if self.strikes(Fault::StartsDownloaded).is_some() {
            self.package = Some(Box::new(foreign));
            self.enter(now, State::Downloaded, UpdateResult::Initial);
        } else if let Some(seconds) = self.strikes(Fault::StartsUpdating) {
            self.package = Some(Box::new(foreign));
            self.enter(now, State::Updating, UpdateResult::Initial);
            self.set_timer(now + Duration::from_secs(seconds.into()), Due::Install);
        }
    }

    fn finish_update(&mut self, now: Duration) {
        let package = self.package.take();
        let oversize = |package: &Package| package.length > self.persona.flash_bytes;
        let Some(package) = package.filter(|package| !oversize(package)) else {
            return self.fail_update(now, None);
        };
        if !package.intact {
            self.forget_package();
            return self.enter(now, State::Idle, UpdateResult::IntegrityFailure);
        }
        if self.strikes(Fault::FailsToInstall).is_some() || self.strikes(Fault::RollsBack).is_some()
        {
            return self.fail_update(now, Some(package));
        }
        if self.persona.refuses_older && is_older(&package.version, &self.running) {
            return self.fail_update(now, Some(package));
        }
        self.forget_package();
        let old = std::mem::replace(&mut self.running, package.version.clone());
        if self.strikes(Fault::ReportsOldVersion).is_some() {
            self.reports = Some(old.clone());
        } else {
            self.reports = None;
        }
        self.previous = Some(old);
        if let Some(seconds) = self.strikes(Fault::RollsBackSilently) {
            self.set_timer(now + Duration::from_secs(seconds.into()), Due::Revert);
        }
        let forgets = self.strikes(Fault::ForgetsResult).is_some();
        let outcome = if forgets {
            UpdateResult::Initial
        } else {
            UpdateResult::Success
        };
        self.enter(now, State::Idle, outcome);
    }

    /// Result 8: object 1.0 keeps the package, 1.1 may.
    fn fail_update(&mut self, now: Duration, package: Option<Box<Package>>) {
        self.stuck |= self.persona.fault(Fault::StuckUntilReboot).is_some();
        let to_idle = self.is_v1_1() && self.persona.failed_to_idle;
        if to_idle {
            self.forget_package();
            return self.enter(now, State::Idle, UpdateResult::UpdateFailed);
        }
        self.package = package;
        self.enter(now, State::Downloaded, UpdateResult::UpdateFailed);
    }

    fn count(&mut self, fault: Fault) {
        if let Some(strike) = self.persona.fault(fault) {
            self.amounts.insert(fault, strike.amount);
        }
        match self.struck.iter_mut().find(|(known, _)| *known == fault) {
            Some((_, count)) => *count += 1,
            None => self.struck.push((fault, 1)),
        }
    }
}

/// Whether one version comes before another; where one of them is no numbers with dots between,
/// nobody can say, and it does not.
fn is_older(version: &str, than: &str) -> bool {
    let numbers = |text: &str| -> Option<Vec<u64>> {
        let parts = text.split('.').map(|part| part.parse().ok());
        parts.collect()
    };
    match (numbers(version), numbers(than)) {
        (Some(version), Some(than)) => version < than,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_older;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert!(is_older("1.9.0", "1.10.0"));
        assert!(is_older("0.9.0", "1.0.0"));
        for (version, than) in [("1.0.0", "1.0.0"), ("2.0.0", "1.9.9"), ("5f3a9c", "1.0.0")] {
            assert!(!is_older(version, than), "{version} {than}");
        }
    }
}
