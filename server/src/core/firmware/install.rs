//! From the whole image to the version that runs (contract 1.6, 4 to 8).

use fotalab_wire::net::UnixMillis;

use super::{
    messages::{Ask, PACKAGE_VERSION, State},
    update::{Stage, Update},
    verdict,
};
use crate::{core::time::millis, limits};

impl Update {
    pub(super) fn downloaded(&mut self, now: UnixMillis) -> bool {
        if self.state != State::Downloaded {
            self.enter(now, State::Downloaded, "the device has the whole image");
            if self.wanted.version.is_none() && !self.wanted.options.any_version {
                self.plan.push_back(Ask::Read(PACKAGE_VERSION));
                return true;
            }
        }
        self.stage = Stage::Installing;
        self.deadline = now + millis(limits::INSTALL_DEADLINE);
        self.tally.executes = 0;
        self.tally.boots = 0;
        self.tally.deferred = false;
        if self.knows.automatic {
            // /5/0/14 (object 1.2): it goes on by itself.
            self.note(now, "the device installs by itself: /5/0/14");
            self.look_later(now);
            return false;
        }
        self.plan.push_back(Ask::Execute);
        true
    }

    /// X-FW-S28: after the time in /5/0/13 the device installs without asking anybody; one that
    /// does not tell gets [`limits::DEFER_DEADLINE`].
    pub(super) fn patience_when_deferred(&self) -> UnixMillis {
        let told = self.knows.max_defer.filter(|it| *it > 0);
        told.map_or(millis(limits::DEFER_DEADLINE), |seconds| {
            let seconds = seconds.min(limits::MAX_DEFER.as_secs().cast_signed());
            seconds * 1_000 + millis(limits::INSTALL_DEADLINE)
        })
    }

    pub(super) fn installs(&mut self, now: UnixMillis, how: &str) {
        self.stage = Stage::Installing;
        self.deadline = now + millis(limits::INSTALL_DEADLINE);
        if self.state != State::Updating {
            self.enter(now, State::Updating, how);
        }
    }

    pub(super) fn installing(&mut self, now: UnixMillis, state: i64, result: i64) -> bool {
        match (state, result) {
            (3, _) => {
                if self.state != State::Updating {
                    self.enter(now, State::Updating, "the device installs the image");
                }
                self.look_later(now);
                false
            }
            (2, 0) if self.knows.automatic => {
                self.look_later(now);
                false
            }
            (2, 0) => self.not_installed_yet(now),
            // X-FW-S40: there was an image, and nobody here took it away.
            (0, 0) if matches!(self.knows.refusal, Some((Ask::Execute, _))) => {
                self.again(now, "found State 0: somebody else reset the device")
            }
            (1, _) => self.again(now, "the device downloads again"),
            (_, 0 | 1) => self.compare(now, result),
            _ => self.judge(now, result),
        }
    }

    /// Still Downloaded after Execute. Only a device that cannot have taken it is told again.
    pub(super) fn not_installed_yet(&mut self, now: UnixMillis) -> bool {
        if let Some((Ask::Execute, code)) = self.knows.refusal.take() {
            let said = format!("{}.{:02}", code.class(), code.detail());
            self.fail(now, &format!("the device refuses Execute with {said}"));
            return false;
        }
        let never_arrived = !self.tally.acknowledged || self.tally.returned;
        if !never_arrived {
            self.look_later(now);
            return false;
        }
        if self.tally.executes >= limits::MAX_EXECUTES {
            self.fail(now, "the device does not take Execute");
            return false;
        }
        self.note(
            now,
            "still Downloaded: Execute never arrived and is repeated",
        );
        self.plan.push_back(Ask::Execute);
        true
    }

    /// State 0 with Result 0 or 1: the version has the last word (contract 1.6, 6).
    pub(super) fn compare(&mut self, now: UnixMillis, result: i64) -> bool {
        let expected = self.wanted.version.as_deref().or(self.offered.as_deref());
        let running = self.knows.version.as_deref();
        let new = verdict::runs_new_version(self.before.as_deref(), expected, running);
        let shown = running.unwrap_or("an unknown version").to_owned();
        // The same version again shows nothing by itself.
        let changed = self.before.as_deref() != running;
        self.result = Some(result);
        match (result, new) {
            (1, new) if new != Some(false) || self.wanted.options.any_version => {
                self.installs(now, "the device installed the image");
                self.succeed(now, &format!("runs {shown}, Result 1"));
            }
            (_, Some(true)) if changed => {
                // X-FW-S22
                self.installs(now, "the device installed the image");
                self.succeed(now, &format!("runs {shown}, though it lost its Result"));
            }
            (1, _) => {
                // X-FW-S23
                self.fail(now, &format!("says Result 1 but runs {shown}"));
                return false;
            }
            // The Execute may never have arrived: then a reboot took the image, not the boot loader.
            _ if self.tally.returned
                && !self.tally.acknowledged
                && self.tally.installs < limits::MAX_INSTALL_RETRIES =>
            {
                self.tally.installs += 1;
                return self.again(now, "the device came back without the image");
            }
            _ if self.tally.returned => {
                self.fail(
                    now,
                    &format!("came back with Result 0 and runs {shown}: rolled back"),
                );
                return false;
            }
            // It forgot the image, or is about to reboot: its next Register or a look decides.
            _ => {
                self.look_later(now);
                return false;
            }
        }
        true
    }

    pub(super) fn succeed(&mut self, now: UnixMillis, how: &str) {
        self.stage = Stage::Soaking;
        self.enter(now, State::Succeeded, how);
        self.deadline = now + millis(limits::SOAK);
        let polls = self.wanted.options.watch.poll().is_some();
        self.look_at = polls.then(|| now + millis(limits::SOAK) / 2);
        let farewell = self.farewell();
        self.plan.extend(farewell);
        self.before = self
            .before
            .take()
            .filter(|it| Some(it) != self.knows.version.as_ref());
    }

    /// Contract 1.6, 8: MCUboot reverts an image that nobody confirmed.
    pub(super) fn soaking(&mut self, now: UnixMillis) -> bool {
        if self.before.is_some() && self.before == self.knows.version {
            let version = self.before.clone().unwrap_or_default();
            self.fail(now, &format!("went back to {version} after its success"));
        }
        false
    }
}
