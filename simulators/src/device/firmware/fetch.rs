//! A pull: the pieces that come, what cuts it, and what a power cut leaves (contract 1.2, 1.5).

use std::time::Duration;

use super::{Due, Effect, FetchFailure, Firmware, Piece, State, UpdateResult};
use crate::device::fault::Fault;
use crate::device::persona::AfterPowerCut;
use crate::device::slot::Slot;

impl Firmware {
    /// A piece of what `Effect::Fetch` asked for, in order. Says after how long the next one is
    /// wanted; `None`: none is.
    pub fn fetched(
        &mut self,
        now: Duration,
        piece: Piece<'_>,
        etag: Option<&[u8]>,
    ) -> Option<Duration> {
        if !self.fetching || self.stalled {
            return None;
        }
        let insist = self.persona.insists_on_header;
        let slot = self.slot.get_or_insert_with(|| Box::new(Slot::new(insist)));
        if piece.offset != slot.received() {
            // Nothing else is asked for; somebody mixes up two answers.
            self.fetch_failed(now, FetchFailure::Refused);
            return None;
        }
        slot.announced = piece.total.or(slot.announced);
        if slot.etag.as_deref() != etag {
            slot.etag = etag.map(<[u8]>::to_vec);
        }
        if self.persona.flash_bytes < slot.announced.unwrap_or(0)
            && self.persona.fault(Fault::FindsOversizeAtInstall).is_none()
        {
            self.fail(now, UpdateResult::NotEnoughFlash);
            return None;
        }
        if self.reaches(piece, Fault::LosesConnection) {
            self.fetch_failed(now, FetchFailure::Lost);
            return None;
        }
        if self.reaches(piece, Fault::Stalls) {
            self.stall(now);
            return None;
        }
        let after = self.time_to_write(piece.offset, piece.bytes.len());
        if self.take(now, piece.bytes).is_err() {
            return None;
        }
        self.tries = 0;
        if self.reaches(piece, Fault::LosesPowerWhileDownloading) {
            self.restart(Some(self.persona.reboot));
            return None;
        }
        if piece.last {
            self.fetching = false;
            // Why it failed, if it did, is in the result.
            let _: Result<(), UpdateResult> = self.complete(now);
            return None;
        }
        Some(after)
    }

    /// The body changed: what is there is void, it comes again from 0.
    pub fn fetch_restarted(&mut self) {
        if self.fetching {
            self.slot = Some(self.empty_slot());
        }
    }

    /// The fetch is over without the package.
    pub fn fetch_failed(&mut self, now: Duration, failure: FetchFailure) {
        if !self.fetching {
            return;
        }
        self.fetching = false;
        let outcome = match failure {
            FetchFailure::NotFound => UpdateResult::InvalidUri,
            FetchFailure::Refused => UpdateResult::ConnectionLost,
            FetchFailure::Damaged => UpdateResult::IntegrityFailure,
            FetchFailure::Foreign => UpdateResult::UnsupportedPackage,
            FetchFailure::Lost => {
                if self.strikes(Fault::HangsOnConnectionLoss).is_some() {
                    self.stalled = true;
                    return;
                }
                if self.tries < self.persona.fetch_retries {
                    self.tries += 1;
                    self.effects.push_back(Effect::StopFetching);
                    self.set_timer(now + self.persona.fetch_retry_after, Due::Fetch);
                    return;
                }
                UpdateResult::ConnectionLost
            }
        };
        self.fail(now, outcome);
    }

    /// The radio is off: what is fetched has to wait.
    pub fn pause(&mut self) {
        let waits = self.timers.iter().any(|(_, due)| *due == Due::Fetch);
        self.paused |= self.fetching || waits;
        self.fetching = false;
        self.clear_timer(Due::Fetch);
    }

    /// The radio is on again.
    pub fn go_on(&mut self, now: Duration) {
        if std::mem::take(&mut self.paused) && !self.uri.is_empty() {
            self.set_timer(now + self.persona.fetch_after, Due::Fetch);
        }
    }

    // Helpers.

    pub(super) fn start_fetch(&mut self, now: Duration) {
        if self.uri.is_empty() {
            return;
        }
        self.enter(now, State::Downloading, UpdateResult::Initial);
        let insist = self.persona.insists_on_header;
        let slot = self.slot.get_or_insert_with(|| Box::new(Slot::new(insist)));
        if slot.etag.is_none() {
            // Nothing tells whether it is still the same: from the start.
            **slot = Slot::new(insist);
        }
        let (mut offset, etag) = (slot.received(), slot.etag.clone());
        if offset > 0 && self.strikes(Fault::ResumesWrong).is_some() {
            // The bytes between are taken as if they came again.
            if let Some(slot) = &mut self.slot {
                slot.append_wrong(&[0; 16]);
                offset = slot.received();
            }
        }
        self.fetching = true;
        self.effects.push_back(Effect::Fetch {
            uri: self.uri.clone(),
            offset,
            etag,
        });
    }

    /// What of a download a power cut leaves (contract 1.2, last rows).
    pub(super) fn resume_download(&mut self, now: Duration) {
        self.fetching = false;
        self.stalled = false;
        self.paused = false;
        match self.persona.after_power_cut {
            AfterPowerCut::Resume if !self.uri.is_empty() => {
                self.set_timer(now + self.persona.fetch_after, Due::Fetch);
            }
            AfterPowerCut::ConnectionLost => self.fail(now, UpdateResult::ConnectionLost),
            _ => {
                self.forget_package();
                self.enter(now, State::Idle, UpdateResult::Initial);
            }
        }
    }

    pub(super) fn stop_fetching(&mut self) {
        if std::mem::take(&mut self.fetching) {
            self.effects.push_back(Effect::StopFetching);
        }
    }
}
