//! Updates of devices that fetch an image by themselves and then report what they run: by Horde's
//! simple protocol, or over LwM2M in Horde's way (contract A7). Nothing is observed and /5/0/5 is
//! not read: the server sees what it serves, and an inspection or a report tells the rest.

use fotalab_wire::{coap::Code, net::UnixMillis};
use serde::{Deserialize, Serialize};

use super::{
    messages::{Ask, Outcome, Scheme, State, Transfer},
    update::{Stage, Update},
};
use crate::{core::time::millis, limits};

/// Why an update failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Cause {
    /// The device said so, or did not answer.
    #[default]
    Device,
    /// It did not fetch the image in time.
    TooLate,
    /// It had the image, and did not come back with it, or not at all.
    CameBack,
    /// Something else is wanted now.
    Superseded,
}

/// What a device has of an image that it fetches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fetched {
    /// A part.
    Part,
    /// The last one.
    Whole,
}

impl Update {
    /// Its device fetches by itself.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(
            self.wanted.transfer,
            Transfer::ByIdentity { .. } | Transfer::Unasked
        )
    }

    /// The image is on its way.
    pub(crate) fn is_under_way(&self) -> bool {
        self.tally.under_way
    }

    /// The image is being fetched, or will be.
    pub(crate) fn is_downloading(&self) -> bool {
        matches!(self.stage, Stage::Inspecting | Stage::Downloading { .. })
    }

    /// Execute got no answer, or was never asked for: where the device is can only be looked at.
    pub(crate) fn is_in_doubt(&self) -> bool {
        let waits = self.asked.is_some() || self.look_at.is_some();
        self.stage == Stage::Installing && !self.tally.acknowledged && !waits
    }

    /// Why it failed, if it did.
    pub(crate) fn cause(&self) -> Cause {
        self.cause
    }

    /// The device is there. What it needs to be told again after a reboot an inspection finds.
    pub(super) fn begin_plain(&mut self, now: UnixMillis) {
        if !self.begin_transfer(now) {
            return;
        }
        match self.wanted.transfer {
            Transfer::ByIdentity { downloaded: true } => {
                self.have_it(now, "the device has an image already");
                self.execute(now);
            }
            Transfer::ByIdentity { .. } => self.write_uri(now),
            _ => {}
        }
    }

    /// The device fetches the image without having been told to in this life of the server.
    pub(super) fn begin_fetched(&mut self, now: UnixMillis) {
        if self.begin_transfer(now) {
            self.stage = Stage::Downloading { push: false };
        }
    }

    /// A part of the image was fetched.
    pub(super) fn fetched(&mut self, now: UnixMillis, part: Fetched) {
        if !self.is_plain() || self.stage == Stage::Ended || self.tally.acknowledged {
            return;
        }
        if self.state != State::Downloading || !self.tally.under_way {
            self.tally.under_way = true;
            self.stage = Stage::Downloading { push: false };
            self.plan.clear();
            self.look_at = None;
            self.enter(now, State::Downloading, "the device downloads");
        }
        if part == Fetched::Whole {
            self.have_it(now, "the device has the whole image");
            if self.wanted.transfer != Transfer::Unasked {
                self.plan.push_back(Ask::Execute);
                self.look_at = Some(now + millis(limits::TARGET_EXECUTE_PAUSE));
            }
        }
    }

    /// The device came back, or said that it is still there, with this /5/0/3.
    pub(super) fn inspected(&mut self, now: UnixMillis, state: i64) {
        let by_identity = matches!(self.wanted.transfer, Transfer::ByIdentity { .. });
        if !by_identity || self.stage == Stage::Ended || self.asked.is_some() {
            return;
        }
        match (self.stage, state) {
            (Stage::Downloading { .. }, 0) => {
                // It restarted, and the download is forgotten.
                self.tally.under_way = false;
                if self.tally.transfers > limits::MAX_FIRMWARE_RETRIES {
                    return self.fail(now, "/5/0/1: the device forgets its download");
                }
                self.tally.transfers += 1;
                self.write_uri(now);
            }
            (Stage::Downloading { .. }, 2) => {
                self.have_it(now, "the device has the whole image");
                self.execute(now);
            }
            (Stage::Installing, 2) if !self.tally.acknowledged => self.execute(now),
            (Stage::Installing, 1) if !self.tally.acknowledged => {
                // It still writes what it got.
                self.plan.clear();
                self.plan.push_back(Ask::Execute);
                self.look_at = Some(now + millis(limits::TARGET_EXECUTE_PAUSE));
            }
            (Stage::Installing, 2) => {
                self.cause = Cause::CameBack;
                self.fail(now, "came back with the image, but did not install it");
            }
            _ => {}
        }
    }

    /// The device says what it runs. While it fetches that is no news.
    pub(super) fn reported(&mut self, now: UnixMillis, version: &str) {
        if !self.is_plain() || self.stage == Stage::Ended {
            return;
        }
        let arrived = self.wanted.version.as_deref() == Some(version);
        if arrived {
            self.stage = Stage::Ended;
            self.plan.clear();
            self.asked = None;
            self.enter(now, State::Succeeded, &format!("runs {version}"));
        } else if self.stage == Stage::Installing {
            self.cause = Cause::CameBack;
            self.fail(now, &format!("came back with {version}"));
        }
    }

    /// An inspection failed.
    pub(super) fn unreadable(&mut self, now: UnixMillis, path: &str) {
        if self.is_plain() && self.stage != Stage::Ended {
            self.fail(now, path);
        }
    }

    /// Something else is wanted of the device.
    pub(super) fn supersede(&mut self, now: UnixMillis) {
        if self.stage != Stage::Ended {
            self.cause = Cause::Superseded;
            self.fail(now, "another image is wanted now");
        }
    }

    /// An answer, or none.
    pub(super) fn plain_answered(&mut self, now: UnixMillis, ask: Ask, outcome: &Outcome) {
        self.look_at = None;
        let succeeded = matches!(outcome, Outcome::Answered(code, _) if code.is_success());
        // X-FW-C05: a second URI is refused, the first one stays.
        let has_a_uri = matches!(outcome, Outcome::Answered(Code::BAD_REQUEST, _));
        match ask {
            // It may have begun to fetch before its answer arrived, or by a URI that it was given
            // in a former life of the server.
            Ask::Uri(_) if (succeeded || has_a_uri) && self.tally.under_way => {}
            Ask::Uri(_) if has_a_uri && !self.tally.refused => {
                self.tally.refused = true;
                self.note(now, "the device has a package URI already: it may fetch");
                self.plan.push_back(ask);
                self.look_at = Some(now + millis(limits::TARGET_EXECUTE_PAUSE));
            }
            Ask::Uri(_) if succeeded => {
                self.enter(now, State::Downloading, "wrote the package URI");
            }
            // Its registration ended: the next one is inspected.
            _ if *outcome == Outcome::Gone => self.plan.clear(),
            Ask::Execute if succeeded => {
                self.tally.acknowledged = true;
                self.enter(now, State::Updating, "the device acknowledged Execute");
            }
            // Lost, or not there yet: it may be installing (contract 1.6, 5), and its report tells.
            Ask::Execute if *outcome == Outcome::Silent => {
                self.note(now, "Execute got no answer: the next report will tell");
            }
            Ask::Execute if self.comes_too_early(outcome) => {
                self.plan.push_back(Ask::Execute);
                self.look_at = Some(now + millis(limits::TARGET_EXECUTE_PAUSE));
            }
            _ => self.fail(now, &refusal(ask, outcome)),
        }
    }

    /// Does what is due.
    pub(super) fn plain_timeout(&mut self, now: UnixMillis) {
        if now >= self.deadline {
            if self.is_downloading() {
                self.cause = Cause::TooLate;
                return self.fail(now, "the image was not fetched in time");
            }
            self.cause = Cause::CameBack;
            return self.fail(now, "the device did not come back in time");
        }
        if self.look_at.is_some_and(|at| at <= now) {
            self.look_at = None;
            let asked = self.asked;
            // Or what is asked next would wait behind it.
            self.withdraw();
            match asked {
                Some((_, Ask::Execute)) => self.plain_answered(now, Ask::Execute, &Outcome::Silent),
                Some((_, ask)) => self.fail(now, &refusal(ask, &Outcome::Silent)),
                None => self.ask_next(now),
            }
        }
    }

    /// It says that it is not in state 2: it may still write what it got.
    fn comes_too_early(&self, outcome: &Outcome) -> bool {
        matches!(outcome, Outcome::Answered(Code::METHOD_NOT_ALLOWED, _))
            && self.tally.executes < limits::MAX_EXECUTES
    }

    /// `false`: it has begun before.
    fn begin_transfer(&mut self, now: UnixMillis) -> bool {
        self.connected = true;
        self.asked = None;
        if self.stage != Stage::Inspecting || self.tally.transfers > 0 {
            return false;
        }
        self.tally.transfers = 1;
        self.deadline = now + millis(limits::TARGET_DOWNLOAD_TIME);
        true
    }

    fn have_it(&mut self, now: UnixMillis, how: &str) {
        self.stage = Stage::Installing;
        self.deadline = now + millis(limits::INSTALL_DEADLINE);
        self.enter(now, State::Downloaded, how);
    }

    fn write_uri(&mut self, now: UnixMillis) {
        self.stage = Stage::Downloading { push: false };
        self.plan.clear();
        self.plan.push_back(Ask::Uri(Scheme::Coap));
        self.ask_next(now);
    }

    fn execute(&mut self, now: UnixMillis) {
        if self.tally.executes >= limits::MAX_EXECUTES {
            return self.fail(now, "/5/0/2: the device does not take it");
        }
        self.plan.clear();
        self.plan.push_back(Ask::Execute);
        self.ask_next(now);
    }

    fn ask_next(&mut self, now: UnixMillis) {
        self.go_on(now);
        if self.asked.is_some() {
            self.look_at = Some(now + millis(limits::TARGET_REQUEST_TIME));
        }
    }
}

/// The path first: it is what a state's message names.
fn refusal(ask: Ask, outcome: &Outcome) -> String {
    let path = if ask == Ask::Execute {
        "/5/0/2"
    } else {
        "/5/0/1"
    };
    match outcome {
        Outcome::Answered(code, _) => format!("{path}: {}.{:02}", code.class(), code.detail()),
        Outcome::Busy(_) => format!("{path}: 5.03"),
        Outcome::Rejected => format!("{path}: Reset"),
        Outcome::Silent | Outcome::Gone => format!("{path}: no answer"),
    }
}
