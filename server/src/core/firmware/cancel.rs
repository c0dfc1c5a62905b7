//! An update that is taken back (contract 1.1, resource 10, and 1.2): Cancel where the device may have
//! it, else the reset write; never while the device installs.

use fotalab_wire::{coap::Code, lwm2m::Version, net::UnixMillis};

use super::{
    messages::{Ask, CANCELLED, Outcome, State},
    update::{Stage, Update},
};

/// Why an update cannot be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TooLate {
    /// It is over.
    #[error("it has ended")]
    Ended,
    /// Execute is on its way, or the device installs: it would answer 4.05.
    #[error("the device installs")]
    Installing,
}

impl Update {
    /// Takes it back. What is under way is to be given up: [`Effect::Withdraw`](super::Effect) says so.
    pub(super) fn cancel(&mut self, now: UnixMillis) -> Result<(), TooLate> {
        // A deferred one is Downloaded still.
        let deferred = self.knows.state == Some(2) && self.tally.acknowledged;
        match self.stage {
            Stage::Soaking | Stage::Ended => return Err(TooLate::Ended),
            Stage::Installing if self.tally.executes > 0 && !deferred => {
                return Err(TooLate::Installing);
            }
            _ => {}
        }
        self.withdraw();
        self.plan.clear();
        self.paused_until = None;
        if self.tally.transfers == 0 {
            self.fail(now, "cancelled before anything was sent");
        } else if !self.connected {
            // What it has, the next update resets (X-FW-S03).
            self.fail(now, "cancelled while the device was away");
        } else {
            self.stage = Stage::Cancelling;
            self.note(now, "is cancelled");
            // X-FW-S37: an older object has no Cancel.
            let has_cancel = self.arrival.object >= Some(Version::V1_1);
            let ask = if has_cancel {
                Ask::Cancel
            } else {
                self.clearing()
            };
            self.plan.push_back(ask);
            self.go_on(now);
        }
        Ok(())
    }

    /// How it went. Whatever the device says, nobody goes on with it.
    pub(super) fn cancelled(&mut self, now: UnixMillis, ask: Ask, outcome: &Outcome) {
        let code = match outcome {
            Outcome::Answered(code, _) => Some(*code),
            _ => None,
        };
        match (ask, code) {
            (Ask::Cancel, Some(code)) if code.is_success() => {
                self.result = Some(CANCELLED);
                self.fail(now, "cancelled: the device took Cancel");
            }
            // Resource 10 is optional, and 4.05 is for Idle too.
            (Ask::Cancel, Some(_)) => self.plan.push_back(self.clearing()),
            (Ask::ClearUri, Some(code)) if !code.is_success() => {
                self.plan.push_back(Ask::ClearPackage);
            }
            (_, Some(code)) if code.is_success() => {
                self.fail(now, "cancelled: the device was reset");
            }
            (_, Some(Code(code))) => {
                let (class, detail) = (code >> 5, code & 31);
                let why =
                    format!("cancelled: the device refused its reset with {class}.{detail:02}");
                self.fail(now, &why);
            }
            (_, None) => self.fail(now, "cancelled: the device did not answer"),
        }
    }

    /// What resets the device (contract 1.6, 2).
    pub(super) fn clearing(&self) -> Ask {
        if self.knows.delivery == Some(1) {
            Ask::ClearPackage
        } else {
            Ask::ClearUri
        }
    }

    /// The device is back, and may have kept what it had.
    pub(super) fn cancels_again(&mut self, now: UnixMillis) {
        debug_assert_ne!(self.state, State::Succeeded);
        self.plan.push_back(self.clearing());
        self.go_on(now);
    }
}
