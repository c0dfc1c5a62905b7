//! An update that goes on in another process than the one it began in.
//!
//! What was known of the device is void, so it is looked at anew (contract 1.6, 1 and 6). What this
//! server cut itself by ending does not count against the device.

use fotalab_wire::net::UnixMillis;

use super::{
    messages::{Arrival, Ask, State, VERSION},
    update::{Stage, Update},
};
use crate::{core::time::millis, limits};

/// What tells a change that has to be remembered from none: all that matters comes with an entry
/// of the history, something asked, a count, or another time to end.
#[derive(PartialEq)]
pub(super) struct Mark(State, Stage, super::update::Tally, usize, u64, UnixMillis);

impl Update {
    /// What it looks like now.
    pub(super) fn mark(&self) -> Mark {
        Mark(
            self.state,
            self.stage,
            self.tally,
            self.history.len(),
            self.serial,
            self.deadline,
        )
    }

    /// It was just read from the store.
    pub(super) fn restored(&mut self, now: UnixMillis) {
        // Nobody was there to hear a device that came in time.
        self.deadline = self.deadline.max(now + millis(limits::RESTART_GRACE));
        match self.stage {
            Stage::Ended | Stage::Soaking => {}
            Stage::Installing if !self.tally.acknowledged => {
                // It may never have been sent.
                self.tally.executes = self.tally.executes.saturating_sub(1);
            }
            Stage::Installing | Stage::Cancelling => {}
            Stage::Inspecting | Stage::Resetting | Stage::Downloading { .. } => {
                self.tally.cut = self.tally.transfers > 0;
            }
        }
    }

    /// The device is still registered, as far as anybody knows: looks where it is.
    pub(super) fn resumed(&mut self, now: UnixMillis, arrival: Arrival) {
        self.arrival = arrival;
        self.connected = true;
        if self.is_plain() {
            // An inspection looks where it is.
            return;
        }
        self.wanted.options.start = None;
        match self.stage {
            Stage::Ended => return,
            Stage::Soaking => {
                let farewell = self.farewell();
                self.plan.extend(farewell);
                self.plan.push_back(Ask::Read(VERSION));
            }
            Stage::Installing => {
                self.note(now, "the server is back and looks what runs");
                self.read_newer();
                self.observe();
                self.look();
            }
            Stage::Cancelling => return self.cancels_again(now),
            Stage::Inspecting | Stage::Resetting | Stage::Downloading { .. } => {
                self.note(now, "the server is back and looks where the device is");
                self.stage = Stage::Inspecting;
                self.inspect();
            }
        }
        self.go_on(now);
    }

    /// Whether the transfer was cut by us, the first time somebody asks.
    pub(super) fn take_cut(&mut self) -> bool {
        let cut = std::mem::take(&mut self.tally.cut);
        self.tally.forgiven += u32::from(cut);
        cut
    }

    /// Transfers that ended badly by the device or its network.
    pub(super) fn counted_transfers(&self) -> u32 {
        self.tally.transfers.saturating_sub(self.tally.forgiven)
    }
}
