//! What an update does next, from what it knows of its device (contract 1.2 and 1.6).

use fotalab_wire::{coap::Code, lwm2m::Value, net::UnixMillis};

use super::{
    messages::{
        Ask, DELIVERY, Outcome, PACKAGE_VERSION, PROTOCOLS, RESULT, STATE, Scheme, State, Transfer,
        VERSION,
    },
    update::{Stage, Update},
    verdict::{self, Verdict},
};
use crate::{core::time::millis, limits};

impl Update {
    /// Takes in an answer of class 2.
    pub(super) fn succeeded(&mut self, now: UnixMillis, ask: Ask, values: Vec<Value>) {
        match ask {
            Ask::Read(path) | Ask::Observe(path) => {
                // An observation's first answer is a read as well, but an older one than a
                // notification that came before it would be; the endpoint orders those.
                if !values.is_empty() || path == PROTOCOLS {
                    self.learn(path, &values);
                }
            }
            Ask::ClearUri | Ask::ClearPackage => {}
            Ask::Uri(_) => {
                self.note(now, "wrote the package URI");
                self.look_later(now);
            }
            Ask::Package => {
                self.note(now, "wrote the package");
                self.look();
            }
            Ask::Execute => {
                self.tally.acknowledged = true;
                self.enter(now, State::Updating, "the device acknowledged Execute");
                // What it said before is old now, unless it told of the step itself.
                self.knows.state = self.knows.state.filter(|it| *it != 2);
                self.look_later(now);
            }
        }
    }

    /// Takes in an answer of another class.
    pub(super) fn refused(&mut self, now: UnixMillis, ask: Ask, code: Code) {
        self.knows.refusal = Some((ask, code));
        let said = format!("{}.{:02}", code.class(), code.detail());
        match ask {
            Ask::Read(DELIVERY | PROTOCOLS | PACKAGE_VERSION | VERSION) | Ask::Observe(_) => {}
            Ask::Read(_) => self.fail(now, &format!("/5/0 cannot be read: {said}")),
            Ask::ClearUri => self.plan.push_front(Ask::ClearPackage),
            Ask::ClearPackage => {}
            Ask::Uri(_) => {
                self.note(
                    now,
                    &format!("the device refused the package URI with {said}"),
                );
                self.look();
            }
            Ask::Package => {
                self.note(now, &format!("the device refused the package with {said}"));
                self.look();
            }
            Ask::Execute => {
                self.note(now, &format!("the device refused Execute with {said}"));
                self.look();
            }
        }
    }

    /// Nothing came back. An Execute may have arrived all the same: only the device's State says
    /// (contract 1.6, 5).
    pub(super) fn lost(&mut self, now: UnixMillis, ask: Ask, outcome: &Outcome) {
        let why = match outcome {
            Outcome::Rejected => "was answered by a Reset",
            _ => "got no answer",
        };
        match ask {
            Ask::Execute => {
                self.note(now, &format!("Execute {why}: the device's State will tell"));
                self.look();
                self.pause(now, limits::SILENCE_PAUSE);
            }
            Ask::Package => {
                self.note(now, &format!("the package {why} to its end"));
                self.look();
                self.pause(now, limits::SILENCE_PAUSE);
            }
            _ => {
                self.plan.push_front(ask);
                self.pause(now, limits::SILENCE_PAUSE);
            }
        }
    }

    /// The plan is empty: what now? `false` when there is nothing to do but to wait.
    pub(super) fn decide(&mut self, now: UnixMillis) -> bool {
        let (Some(state), Some(result)) = (self.knows.state, self.knows.result) else {
            // Nothing is known yet but that there is something to know.
            if self.look_at.is_none() {
                self.look();
                return true;
            }
            return false;
        };
        match self.stage {
            Stage::Inspecting => self.inspected(now, state, result),
            Stage::Resetting => self.reset_done(now, state, result),
            Stage::Downloading { push } => self.downloading(now, push, state, result),
            Stage::Installing => self.installing(now, state, result),
            Stage::Soaking => self.soaking(now),
            Stage::Ended => false,
        }
    }

    /// A deadline passed.
    pub(super) fn out_of_time(&mut self, now: UnixMillis) {
        match self.stage {
            Stage::Soaking => {
                self.stage = Stage::Ended;
                self.plan.clear();
                self.note(now, "still runs the new version");
            }
            Stage::Installing => self.fail(now, "the device did not come back in time"),
            Stage::Downloading { .. } => self.fail(now, "the image did not arrive in time"),
            _ => self.fail(now, "the device did not come in time"),
        }
    }

    fn inspected(&mut self, now: UnixMillis, state: i64, result: i64) -> bool {
        if self.before.is_none() {
            self.before.clone_from(&self.knows.version);
        }
        let ours = self.tally.transfers > 0;
        match state {
            // X-FW-S04: somebody's update runs.
            3 => {
                self.look_later(now);
                false
            }
            2 if ours => {
                // X-FW-S13: it had arrived. X-FW-S18: it is what was sent.
                self.stage = Stage::Downloading { push: false };
                true
            }
            1 if ours && !self.pushes() => {
                // X-FW-S20
                self.note(now, "the device goes on downloading");
                self.stage = Stage::Downloading { push: false };
                true
            }
            0 if ours && result > 1 => self.judge(now, result),
            _ if ours => self.again(now, "the transfer was cut"),
            0 if result == 0 => self.start(now),
            _ => {
                self.note(
                    now,
                    &format!("found State {state}, Result {result}: resets first"),
                );
                self.reset(now)
            }
        }
    }

    /// X-FW-S03 and contract 1.6, 2.
    fn reset(&mut self, now: UnixMillis) -> bool {
        self.tally.resets += 1;
        if self.tally.resets > limits::MAX_RESETS {
            self.fail(now, "the device does not let itself be reset");
            return false;
        }
        self.stage = Stage::Resetting;
        let push_only = self.knows.delivery == Some(1);
        let clear = if push_only {
            Ask::ClearPackage
        } else {
            Ask::ClearUri
        };
        self.plan
            .extend([clear, Ask::Read(STATE), Ask::Read(RESULT)]);
        true
    }

    fn reset_done(&mut self, now: UnixMillis, state: i64, _result: i64) -> bool {
        match state {
            // An old Result in Idle does no harm: a transfer sets it to 0.
            0 => self.start(now),
            _ => self.reset(now),
        }
    }

    /// X-FW-S01 and S02: only what the device offers.
    fn start(&mut self, now: UnixMillis) -> bool {
        let ask = match self.method() {
            Ok(ask) => ask,
            Err(why) => {
                self.fail(now, &why);
                return false;
            }
        };
        self.tally.transfers += 1;
        self.tally.resets = 0;
        self.tally.under_way = false;
        self.tally.returned = false;
        let push = ask == Ask::Package;
        self.stage = Stage::Downloading { push };
        self.knows.refusal = None;
        self.knows.result = Some(0);
        self.deadline = now + millis(limits::DOWNLOAD_DEADLINE);
        let how = match ask {
            Ask::Uri(scheme) => format!("pull over {}", scheme.name()),
            _ => "push".to_owned(),
        };
        self.enter(now, State::Downloading, &how);
        self.plan.push_back(ask);
        true
    }

    fn method(&self) -> Result<Ask, String> {
        let delivery = self.knows.delivery.unwrap_or(2);
        let offered = self.knows.protocols.clone();
        // Absent means CoAP (contract 1.1); an empty or unknown list offers nothing.
        let offered = offered.unwrap_or_else(|| vec![Scheme::Coap.protocol()]);
        let can = |scheme: &Scheme| offered.contains(&scheme.protocol());
        let any = [Scheme::Coap, Scheme::Http].into_iter().find(can);
        let pull = |scheme: Option<Scheme>| match scheme.filter(can) {
            _ if delivery == 1 => Err("the device takes images by push only".to_owned()),
            Some(scheme) => Ok(Ask::Uri(scheme)),
            None => Err(format!(
                "the device pulls by protocols {offered:?} of /5/0/8 only"
            )),
        };
        match self.wanted.transfer {
            Transfer::Push if delivery == 0 => Err("the device pulls its images only".to_owned()),
            Transfer::Push => Ok(Ask::Package),
            Transfer::Pull => pull(any),
            Transfer::PullBy(scheme) => pull(Some(scheme)),
            Transfer::Any if delivery == 1 => Ok(Ask::Package),
            Transfer::Any => pull(any).or_else(|why| match delivery {
                2 => Ok(Ask::Package),
                _ => Err(why),
            }),
        }
    }

    fn pushes(&self) -> bool {
        matches!(self.method(), Ok(Ask::Package))
    }

    fn downloading(&mut self, now: UnixMillis, push: bool, state: i64, result: i64) -> bool {
        match state {
            2 => self.downloaded(now),
            // Automatic upgrade (/5/0/14), or a short look away.
            3 => {
                self.installs(now, "the device installs by itself");
                true
            }
            0 | 1 if self.too_large() => {
                self.fail(now, "the image is too large for the device: 4.13");
                false
            }
            1 if push => {
                // No one sends any more, so it will never be whole.
                self.again(now, "the package was not taken whole")
            }
            1 => {
                if !self.tally.under_way {
                    self.tally.under_way = true;
                    self.note(now, "the device downloads");
                }
                self.look_later(now);
                false
            }
            _ if result > 0 => self.judge(now, result),
            _ => match self.knows.refusal.take() {
                Some((Ask::Uri(_), code)) => {
                    let said = format!("{}.{:02}", code.class(), code.detail());
                    self.fail(now, &format!("the package URI was refused with {said}"));
                    false
                }
                _ if push => self.again(now, "the package was not taken"),
                _ if self.tally.under_way => self.again(now, "the device forgot the download"),
                _ => {
                    // X-FW-S06: "at next practical opportunity".
                    self.look_later(now);
                    false
                }
            },
        }
    }

    fn too_large(&self) -> bool {
        let refusal = self.knows.refusal;
        refusal == Some((Ask::Package, Code::REQUEST_ENTITY_TOO_LARGE))
    }

    fn downloaded(&mut self, now: UnixMillis) -> bool {
        if self.state != State::Downloaded {
            self.enter(now, State::Downloaded, "the device has the whole image");
            if self.wanted.version.is_none() {
                self.plan.push_back(Ask::Read(PACKAGE_VERSION));
                return true;
            }
        }
        self.stage = Stage::Installing;
        self.deadline = now + millis(limits::INSTALL_DEADLINE);
        self.tally.executes = 0;
        self.tally.boots = 0;
        self.plan.push_back(Ask::Execute);
        true
    }

    fn installs(&mut self, now: UnixMillis, how: &str) {
        self.stage = Stage::Installing;
        self.deadline = now + millis(limits::INSTALL_DEADLINE);
        if self.state != State::Updating {
            self.enter(now, State::Updating, how);
        }
    }

    fn installing(&mut self, now: UnixMillis, state: i64, result: i64) -> bool {
        match (state, result) {
            (3, _) => {
                if self.state != State::Updating {
                    self.enter(now, State::Updating, "the device installs the image");
                }
                self.look_later(now);
                false
            }
            (2, 0) => self.not_installed_yet(now),
            (1, _) => self.again(now, "the device downloads again"),
            (_, 0 | 1) => self.compare(now, result),
            _ => self.judge(now, result),
        }
    }

    /// Still Downloaded after Execute. Only a device that cannot have taken it is told again.
    fn not_installed_yet(&mut self, now: UnixMillis) -> bool {
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
    fn compare(&mut self, now: UnixMillis, result: i64) -> bool {
        let expected = self.wanted.version.as_deref().or(self.offered.as_deref());
        let running = self.knows.version.as_deref();
        let new = verdict::runs_new_version(self.before.as_deref(), expected, running);
        let shown = running.unwrap_or("an unknown version").to_owned();
        // The same version again shows nothing by itself.
        let changed = self.before.as_deref() != running;
        self.result = Some(result);
        match (result, new) {
            (1, Some(true) | None) => {
                self.installs(now, "the device installed the image");
                self.succeed(now, &format!("runs {shown}, Result 1"));
            }
            (_, Some(true)) if changed => {
                // X-FW-S22
                self.installs(now, "the device installed the image");
                self.succeed(now, &format!("runs {shown}, though it lost its Result"));
            }
            (1, Some(false)) => {
                // X-FW-S23
                self.fail(now, &format!("says Result 1 but runs {shown}"));
                return false;
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

    fn succeed(&mut self, now: UnixMillis, how: &str) {
        self.stage = Stage::Soaking;
        self.enter(now, State::Succeeded, how);
        self.deadline = now + millis(limits::SOAK);
        self.look_at = Some(now + millis(limits::SOAK) / 2);
        self.before = self
            .before
            .take()
            .filter(|it| Some(it) != self.knows.version.as_ref());
    }

    /// Contract 1.6, 8: MCUboot reverts an image that nobody confirmed.
    fn soaking(&mut self, now: UnixMillis) -> bool {
        if self.before.is_some() && self.before == self.knows.version {
            let version = self.before.clone().unwrap_or_default();
            self.fail(now, &format!("went back to {version} after its success"));
        }
        false
    }

    fn judge(&mut self, now: UnixMillis, result: i64) -> bool {
        self.result = Some(result);
        let said = format!("Result {result}: {}", verdict::name(result));
        match verdict::of_result(result) {
            Verdict::Retry(most) => {
                let so_far = match self.stage {
                    Stage::Installing => {
                        self.tally.installs += 1;
                        self.tally.installs
                    }
                    _ => self.tally.transfers,
                };
                if so_far > most {
                    self.fail(now, &said);
                    return false;
                }
                self.again(now, &said)
            }
            Verdict::Deferred if self.state != State::Failed => {
                if self.deadline < now + millis(limits::DEFER_DEADLINE) / 2 {
                    self.deadline = now + millis(limits::DEFER_DEADLINE);
                    self.note(now, &said);
                }
                self.look_later(now);
                false
            }
            Verdict::Open | Verdict::Success | Verdict::Deferred => {
                self.look_later(now);
                false
            }
            Verdict::Final => {
                self.fail(now, &said);
                false
            }
        }
    }

    /// Another transfer after a pause, if there are any left (X-FW-S10, S19, S27).
    fn again(&mut self, now: UnixMillis, why: &str) -> bool {
        if self.tally.transfers > limits::MAX_FIRMWARE_RETRIES {
            let transfers = self.tally.transfers;
            self.fail(now, &format!("{why}; gave up after {transfers} transfers"));
            return false;
        }
        let doublings = self
            .tally
            .transfers
            .saturating_sub(1)
            .min(limits::MAX_BACKOFF_DOUBLINGS);
        self.enter(now, State::Downloading, &format!("{why}; tries again"));
        self.pause(now, limits::RETRY_PAUSE * 2_u32.pow(doublings));
        self.offered = None;
        self.reset(now)
    }
}
