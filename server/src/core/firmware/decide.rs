//! What an update does next, from what it knows of its device, up to the whole image being there
//! (contract 1.2 and 1.6, 1 to 3).

use fotalab_wire::{coap::Code, net::UnixMillis};

use super::{
    messages::{Ask, MEMORY_FREE, Scheme, State, Transfer},
    update::{Stage, Update},
    verdict::{self, Verdict},
};
use crate::{core::time::millis, limits};

impl Update {
    /// The plan is empty: what now? `false` when there is nothing to do but to wait.
    pub(super) fn decide(&mut self, now: UnixMillis) -> bool {
        if self.is_plain() {
            return false;
        }
        let (Some(state), Some(result)) = (self.knows.state, self.knows.result) else {
            // Nothing is known yet but that there is something to know.
            if self.look_at.is_none() && !self.is_told() {
                self.look();
                return true;
            }
            return false;
        };
        match self.stage {
            Stage::Inspecting => self.looked_at(now, state, result),
            Stage::Resetting => self.reset_done(now, state, result),
            Stage::Downloading { push } => self.downloading(now, push, state, result),
            Stage::Installing => self.installing(now, state, result),
            Stage::Cancelling => false,
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
                self.note(now, "the old version did not come back");
            }
            Stage::Installing => self.fail(now, "the device did not come back in time"),
            Stage::Downloading { .. } => self.fail(now, "the image did not arrive in time"),
            _ => self.fail(now, "the device did not come in time"),
        }
    }

    fn looked_at(&mut self, now: UnixMillis, state: i64, result: i64) -> bool {
        if self.before.is_none() {
            self.before.clone_from(&self.knows.version);
        }
        if self.found.is_none() && self.tally.transfers == 0 {
            self.found.clone_from(&self.knows.version);
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
                self.tally.cut = false;
                self.stage = Stage::Downloading { push: false };
                true
            }
            1 if ours && !self.pushes() => {
                // X-FW-S20
                self.tally.cut = false;
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
        let clear = self.clearing();
        self.plan.push_back(clear);
        self.plan.extend(self.looks_at_once());
        if self.knows.memory_free.is_some() {
            // There may be room now.
            self.plan.push_back(Ask::Read(MEMORY_FREE));
        }
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
        let ask = match self.fits().and_then(|()| self.method()) {
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
        self.expect_news();
        self.deadline = now + millis(limits::DOWNLOAD_DEADLINE);
        let how = match ask {
            Ask::Uri(scheme) => format!("pull over {}", scheme.name()),
            _ => "push".to_owned(),
        };
        self.enter(now, State::Downloading, &how);
        self.extend_lifetime();
        self.plan.push_back(ask);
        true
    }

    /// X-FW-S36: an image for which there is no room costs nobody a transfer.
    fn fits(&self) -> Result<(), String> {
        let length = self.wanted.length;
        if let Some(slot) = self.wanted.slot.filter(|slot| length > *slot) {
            return Err(format!(
                "the image has {length} bytes, the device's slot {slot}"
            ));
        }
        let free = self.knows.memory_free.and_then(|it| u64::try_from(it).ok());
        let free = free.map(|kilobytes| kilobytes.saturating_mul(1_000));
        match free.filter(|free| length > *free) {
            Some(free) => Err(format!(
                "the image has {length} bytes, the device {free} free by /3/0/21"
            )),
            None => Ok(()),
        }
    }

    fn method(&self) -> Result<Ask, String> {
        let delivery = self.knows.delivery.unwrap_or(2);
        let offered = self.knows.protocols.clone();
        // Absent means CoAP (contract 1.1); an unknown list offers nothing, an empty one tells nothing.
        let offered = offered.unwrap_or_else(|| vec![Scheme::Coap.protocol()]);
        let unchecked = self.wanted.options.unchecked || offered.is_empty();
        let can = |scheme: &Scheme| unchecked || offered.contains(&scheme.protocol());
        // Contract 1.5. The key of a device that registered without DTLS may be none of ours.
        let coaps = self.arrival.secured.then_some(Scheme::Coaps);
        let schemes = coaps.into_iter().chain([Scheme::Coap, Scheme::Http]);
        let any = schemes.into_iter().find(can);
        let pull = |scheme: Option<Scheme>| match scheme.filter(can) {
            _ if delivery == 1 => Err("the device takes images by push only".to_owned()),
            Some(scheme) => Ok(Ask::Uri(scheme)),
            None => Err(format!(
                "the device pulls by protocols {offered:?} of /5/0/8 only"
            )),
        };
        if let Some(elsewhere) = &self.wanted.options.elsewhere {
            let offered = unchecked || offered.contains(&elsewhere.protocol);
            return match delivery {
                1 => pull(None),
                _ if offered => Ok(Ask::Uri(Scheme::Http)),
                _ => Err(format!("the device does not pull from {}", elsewhere.uri)),
            };
        }
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
            Transfer::ByIdentity { .. } | Transfer::Unasked => {
                Err("the device fetches by itself".to_owned())
            }
        }
    }

    fn pushes(&self) -> bool {
        matches!(self.method(), Ok(Ask::Package))
    }

    fn downloading(&mut self, now: UnixMillis, push: bool, state: i64, result: i64) -> bool {
        match state {
            // X-FW-S40: it did not take our image, so this is another one.
            1 | 2 if self.was_refused() => {
                let found = format!("found State {state} of somebody else's image");
                self.again(now, &found)
            }
            2 => self.downloaded(now),
            3 => {
                self.installs(now, "the device installs, though nobody here told it to");
                true
            }
            0 if result > 0 => self.judge(now, result),
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

    /// The device refused the URI: it has no reason to download what is ours.
    fn was_refused(&self) -> bool {
        matches!(self.knows.refusal, Some((Ask::Uri(_), _)))
    }

    fn too_large(&self) -> bool {
        let refusal = self.knows.refusal;
        refusal == Some((Ask::Package, Code::REQUEST_ENTITY_TOO_LARGE))
    }

    pub(super) fn judge(&mut self, now: UnixMillis, result: i64) -> bool {
        self.result = Some(result);
        let said = format!("Result {result}: {}", verdict::name(result));
        match verdict::of_result(result) {
            Verdict::Retry(most) => {
                let so_far = match self.stage {
                    Stage::Installing => {
                        self.tally.installs += 1;
                        self.tally.installs
                    }
                    _ => self.counted_transfers(),
                };
                if so_far > most {
                    self.fail(now, &said);
                    return false;
                }
                self.again(now, &said)
            }
            Verdict::Deferred if self.state != State::Failed => {
                if !self.tally.deferred {
                    self.tally.deferred = true;
                    self.deadline = now + self.patience_when_deferred();
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
    pub(super) fn again(&mut self, now: UnixMillis, why: &str) -> bool {
        if self.take_cut() {
            let why = format!("{why} when the server ended; tries again");
            self.enter(now, State::Downloading, &why);
        } else if self.counted_transfers() > limits::MAX_FIRMWARE_RETRIES {
            let transfers = self.tally.transfers;
            self.fail(now, &format!("{why}; gave up after {transfers} transfers"));
            return false;
        } else {
            let doublings = self.counted_transfers().saturating_sub(1);
            let doublings = doublings.min(limits::MAX_BACKOFF_DOUBLINGS);
            self.enter(now, State::Downloading, &format!("{why}; tries again"));
            self.pause(now, limits::RETRY_PAUSE * 2_u32.pow(doublings));
        }
        self.offered = None;
        self.reset(now)
    }
}
