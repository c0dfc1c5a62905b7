//! Many devices to one image, some at a time (X-FW-S34 and S35).
//!
//! A state machine without I/O and without a clock. It is told which of its members could begin
//! now and how those that began ended; [`Campaign::poll_effect`] says who begins. Members that are
//! asleep hold no place: a place is taken by who can use it, first come, first served.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::limits;

/// How fast it goes, and when it stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Pace {
    /// Members under way at once, at most.
    pub(crate) in_flight: usize,
    /// Until so many have ended well or ill, no more than these begin.
    pub(crate) canaries: usize,
    /// More failures than this halt it. `None`: none do.
    pub(crate) failures: Option<usize>,
}

/// Where a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It has not been there yet.
    Waiting,
    /// It is there and waits for its turn.
    Ready,
    /// Under way.
    Running,
    /// It runs the image.
    Succeeded,
    /// It does not.
    Failed,
}

/// What has to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The member's turn has come.
    Begin {
        /// Its endpoint name.
        device: String,
    },
    /// The campaign halted: what has not been executed on this member shall not be.
    Stop {
        /// Its endpoint name.
        device: String,
    },
}

/// How many are where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Not there yet, or waiting for their turn.
    pub(crate) waiting: usize,
    /// Under way.
    pub(crate) running: usize,
    /// Ended well.
    pub(crate) succeeded: usize,
    /// Ended ill.
    pub(crate) failed: usize,
}

/// A campaign.
#[derive(Debug)]
pub(crate) struct Campaign {
    pace: Pace,
    members: BTreeMap<String, Place>,
    /// Who waits for a turn, in order; who is not [`Place::Ready`] any more is passed over.
    ready: VecDeque<String>,
    tally: Tally,
    halted: bool,
    effects: VecDeque<Effect>,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            in_flight: limits::CAMPAIGN_IN_FLIGHT,
            canaries: 0,
            failures: None,
        }
    }
}

impl Campaign {
    /// One that nobody of has begun.
    pub(crate) fn new(pace: Pace, members: impl IntoIterator<Item = String>) -> Self {
        let members = members.into_iter().map(|it| (it, Place::Waiting));
        let members: BTreeMap<String, Place> = members.collect();
        Self {
            pace,
            tally: Tally {
                waiting: members.len(),
                ..Tally::default()
            },
            members,
            ready: VecDeque::new(),
            halted: false,
            effects: VecDeque::new(),
        }
    }

    /// Puts a member back where it was before a restart.
    pub(crate) fn restore(&mut self, device: &str, place: Place) {
        self.move_to(device, place);
        self.judge();
        // Whoever is to stop was told so, or has ended with the process.
        self.effects.clear();
    }

    /// A member could begin now.
    pub(crate) fn arrived(&mut self, device: &str) {
        if self.members.get(device) == Some(&Place::Waiting) {
            self.move_to(device, Place::Ready);
            self.ready.push_back(device.to_owned());
            self.fill();
        }
    }

    /// A member that began or was ready cannot go on now, and has not been touched.
    pub(crate) fn went(&mut self, device: &str) {
        if matches!(
            self.members.get(device),
            Some(Place::Ready | Place::Running)
        ) {
            self.move_to(device, Place::Waiting);
            self.fill();
        }
    }

    /// A member ended; one that seemed to have succeeded may still have failed.
    pub(crate) fn ended(&mut self, device: &str, well: bool) {
        let place = if well {
            Place::Succeeded
        } else {
            Place::Failed
        };
        self.move_to(device, place);
        self.judge();
        self.fill();
    }

    /// What is to be done next.
    pub(crate) fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// How many are where.
    pub(crate) fn tally(&self) -> Tally {
        self.tally
    }

    /// Too many failed: nobody begins any more.
    pub(crate) fn is_halted(&self) -> bool {
        self.halted
    }

    /// Lets begin who may.
    fn fill(&mut self) {
        while !self.halted && self.tally.running < self.room() {
            let Some(device) = self.ready.pop_front() else {
                return;
            };
            if self.members.get(&device) == Some(&Place::Ready) {
                self.move_to(&device, Place::Running);
                self.effects.push_back(Effect::Begin { device });
            }
        }
    }

    /// How many may be under way now.
    fn room(&self) -> usize {
        let ended = self.tally.succeeded + self.tally.failed;
        let most = self.pace.in_flight.max(1);
        if ended < self.pace.canaries {
            most.min(self.pace.canaries - ended)
        } else {
            most
        }
    }

    /// Halts when too many failed.
    fn judge(&mut self) {
        let most = self.pace.failures;
        if self.halted || most.is_none_or(|most| self.tally.failed <= most) {
            return;
        }
        self.halted = true;
        self.ready.clear();
        let mut running = Vec::new();
        for (device, place) in &mut self.members {
            match place {
                Place::Ready => *place = Place::Waiting,
                Place::Running => running.push(device.clone()),
                _ => {}
            }
        }
        let stop = running.into_iter().map(|device| Effect::Stop { device });
        self.effects.retain(|it| matches!(it, Effect::Stop { .. }));
        self.effects.extend(stop);
    }

    fn move_to(&mut self, device: &str, to: Place) {
        let Some(place) = self.members.get_mut(device) else {
            return;
        };
        let from = std::mem::replace(place, to);
        *self.tally.at(from) -= 1;
        *self.tally.at(to) += 1;
    }
}

impl Tally {
    fn at(&mut self, place: Place) -> &mut usize {
        match place {
            Place::Waiting | Place::Ready => &mut self.waiting,
            Place::Running => &mut self.running,
            Place::Succeeded => &mut self.succeeded,
            Place::Failed => &mut self.failed,
        }
    }
}
