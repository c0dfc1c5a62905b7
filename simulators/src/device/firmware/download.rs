//! From Idle to Downloaded: push by Package, the write of a Package URI, and what both share
//! (contract 1.2, 1.4). `fetch` has what follows from a URI.

use std::time::Duration;

use fotalab_wire::coap::{Block, Code};

use super::uri::{Target, UriError};
use super::{Answer, Due, Effect, Firmware, Piece, Reply, State, UpdateResult};
use crate::device::fault::Fault;
use crate::device::slot::Slot;
use crate::limits;

impl Firmware {
    /// Writes /5/0/0 whole. One NUL byte, or nothing, resets.
    pub fn write_package(&mut self, now: Duration, bytes: &[u8]) -> Reply {
        self.push(
            now,
            Piece {
                offset: 0,
                last: true,
                total: Some(bytes.len()),
                bytes,
            },
        )
    }

    /// A piece of a write of /5/0/0, in order; offset 0 begins anew.
    pub fn push(&mut self, now: Duration, piece: Piece<'_>) -> Reply {
        let resets = piece.last && piece.offset == 0 && matches!(piece.bytes, [] | [0]);
        match self.state {
            State::Updating => return Reply::code(Code::METHOD_NOT_ALLOWED),
            _ if resets => return self.reset(now),
            State::Downloaded => return Reply::code(Code::BAD_REQUEST),
            // A pull is under way.
            State::Downloading if !self.uri.is_empty() => return Reply::code(Code::BAD_REQUEST),
            _ => {}
        }
        if !self.takes_push() {
            return Reply::code(Code::METHOD_NOT_ALLOWED);
        }
        let again = piece.offset == 0 && self.received() > 0;
        if again && self.strikes(Fault::KeepsOldPush).is_some() {
            return Reply::code(Code::REQUEST_ENTITY_INCOMPLETE);
        }
        if piece.offset == 0 {
            if let Some(refusal) = self.begin_push(now, piece.total) {
                return refusal;
            }
        } else if self.slot.as_ref().map(|slot| slot.received()) != Some(piece.offset) {
            return Reply::code(Code::REQUEST_ENTITY_INCOMPLETE);
        }
        if self.stalled {
            return Answer::Silence.into();
        }
        if let Some(answer) = self.push_fault(now, piece) {
            return answer.into();
        }
        let after = self.time_to_write(piece.offset, piece.bytes.len());
        let code = match self.take(now, piece.bytes) {
            Ok(()) if piece.last => match self.complete(now) {
                Ok(()) => Code::CHANGED,
                Err(_) => Code::BAD_REQUEST,
            },
            Ok(()) => Code::CONTINUE,
            Err(UpdateResult::NotEnoughFlash) => Code::REQUEST_ENTITY_TOO_LARGE,
            Err(UpdateResult::UnsupportedPackage) => Code::UNSUPPORTED_CONTENT_FORMAT,
            Err(_) => Code::INTERNAL_SERVER_ERROR,
        };
        Reply::code(code).later(after)
    }

    /// Faults in how blocks are counted: the code to refuse this one with.
    pub(in crate::device) fn refuses_block(&mut self, block: Block) -> Option<Code> {
        if self.state == State::Updating || self.state == State::Downloaded {
            return None;
        }
        if block.number == 0 {
            let larger = block.size.bytes() > self.persona.block_size();
            self.reduced = larger;
            let asks = larger && self.strikes(Fault::AsksForSmallerBlocks).is_some();
            return asks.then_some(Code::REQUEST_ENTITY_TOO_LARGE);
        }
        let miscounts = self.reduced && self.strikes(Fault::MiscountsBlocks).is_some();
        if miscounts {
            self.forget_package();
            return Some(Code::REQUEST_ENTITY_INCOMPLETE);
        }
        None
    }

    /// The last block came again: whether it is rejected for it.
    pub(in crate::device) fn block_came_again(&mut self, is_first: bool, bytes: &[u8]) -> bool {
        if self.state != State::Downloading {
            return false;
        }
        if is_first && self.strikes(Fault::WritesFirstBlockTwice).is_some() {
            if let Some(slot) = &mut self.slot {
                slot.spoil(bytes);
            }
            return false;
        }
        self.strikes(Fault::RejectsRepeatedBlock).is_some()
    }

    /// Writes /5/0/1.
    pub fn write_uri(&mut self, now: Duration, uri: &str) -> Code {
        if uri.len() > limits::URI_BYTES {
            return Code::BAD_REQUEST;
        }
        match self.state {
            State::Updating => return Code::METHOD_NOT_ALLOWED,
            _ if uri.is_empty() => {
                self.forget_package();
                self.enter(now, State::Idle, UpdateResult::Initial);
                return Code::CHANGED;
            }
            State::Downloading | State::Downloaded => {
                let quiet = self.strikes(Fault::IgnoresSecondUri).is_some();
                return if quiet {
                    Code::CHANGED
                } else {
                    Code::BAD_REQUEST
                };
            }
            State::Idle => {}
        }
        if !self.takes_pull() {
            return Code::METHOD_NOT_ALLOWED;
        }
        let spoken = |target: &Target| {
            let protocols = &self.persona.protocols;
            let unsaid = protocols.is_empty() && target.protocol as u8 == 0;
            unsaid || protocols.contains(&target.protocol)
        };
        match Target::parse(uri) {
            Ok(target) if spoken(&target) => {}
            Err(UriError::Malformed) => {
                self.enter(now, State::Idle, UpdateResult::InvalidUri);
                return Code::CHANGED;
            }
            _ => {
                self.enter(now, State::Idle, UpdateResult::UnsupportedProtocol);
                let quiet = self.strikes(Fault::AcceptsUnsupportedScheme).is_some();
                return if quiet {
                    Code::CHANGED
                } else {
                    Code::BAD_REQUEST
                };
            }
        }
        self.forget_package();
        uri.clone_into(&mut self.uri);
        self.enter(now, State::Idle, UpdateResult::Initial);
        if self.strikes(Fault::NeverFetches).is_none() {
            self.set_timer(now + self.persona.fetch_after, Due::Fetch);
        }
        Code::CHANGED
    }

    /// Executes /5/0/10 (1.1).
    pub fn cancel(&mut self, now: Duration) -> Code {
        let possible = matches!(self.state, State::Downloading | State::Downloaded);
        if !self.is_v1_1() || !possible {
            return Code::METHOD_NOT_ALLOWED;
        }
        let kept = self.package.take();
        self.forget_package();
        self.enter(now, State::Idle, UpdateResult::Cancelled);
        if kept.is_some() && self.strikes(Fault::InstallsAfterCancel).is_some() {
            self.package = kept;
            self.set_timer(now + self.persona.update_after, Due::Install);
        }
        Code::CHANGED
    }

    // Helpers.

    /// Drops the package, or what there is of it, and stops fetching it.
    pub(super) fn forget_package(&mut self) {
        if self.fetching {
            self.effects.push_back(Effect::StopFetching);
        }
        self.fetching = false;
        self.stalled = false;
        self.paused = false;
        self.tries = 0;
        self.slot = None;
        self.package = None;
        self.uri.clear();
        for due in [Due::Fetch, Due::Defer, Due::PowerCut, Due::Watchdog] {
            self.clear_timer(due);
        }
    }

    pub(super) fn stall(&mut self, now: Duration) {
        self.stalled = true;
        if !self.persona.watchdog.is_zero() {
            self.set_timer(now + self.persona.watchdog, Due::Watchdog);
        }
    }

    pub(super) fn give_up_stalled(&mut self, now: Duration) {
        if self.stalled {
            self.fail(now, UpdateResult::ConnectionLost);
        }
    }

    /// The download failed.
    pub(super) fn fail(&mut self, now: Duration, outcome: UpdateResult) {
        if self.strikes(Fault::ClaimsDownloaded).is_some() {
            self.package = None;
            return self.enter(now, State::Downloaded, UpdateResult::Initial);
        }
        self.stuck |= self.persona.fault(Fault::StuckUntilReboot).is_some();
        self.forget_package();
        self.enter(now, State::Idle, outcome);
    }

    fn reset(&mut self, now: Duration) -> Reply {
        self.forget_package();
        self.enter(now, State::Idle, UpdateResult::Initial);
        Reply::code(Code::CHANGED)
    }

    pub(super) fn empty_slot(&self) -> Box<Slot> {
        Box::new(Slot::new(self.persona.insists_on_header))
    }

    /// Room for a package, unless it is known to be too large.
    fn begin_push(&mut self, now: Duration, total: Option<usize>) -> Option<Reply> {
        let large = self.persona.fault(Fault::RefusesLargePackages);
        if large.is_some_and(|strike| total > Some(strike.amount as usize)) {
            return Some(Reply::code(Code::REQUEST_ENTITY_TOO_LARGE));
        }
        if self.stuck {
            return Some(Reply::code(Code::INTERNAL_SERVER_ERROR));
        }
        self.forget_package();
        let mut slot = self.empty_slot();
        slot.announced = total;
        self.slot = Some(slot);
        self.enter(now, State::Downloading, UpdateResult::Initial);
        let late = self.persona.fault(Fault::FindsOversizeAtInstall).is_some();
        if total > Some(self.persona.flash_bytes) && !late {
            self.fail(now, UpdateResult::NotEnoughFlash);
            return Some(Reply::code(Code::REQUEST_ENTITY_TOO_LARGE));
        }
        None
    }

    fn push_fault(&mut self, now: Duration, piece: Piece<'_>) -> Option<Answer> {
        if self.reaches(piece, Fault::LosesPowerWhileDownloading) {
            self.restart(Some(self.persona.reboot));
            return Some(Answer::Silence);
        }
        if self.reaches(piece, Fault::Stalls) {
            self.stall(now);
            return Some(Answer::Silence);
        }
        if self.reaches(piece, Fault::ForgetsBlocks) {
            self.forget_package();
            self.enter(now, State::Idle, UpdateResult::Initial);
            return Some(Answer::Code(Code::REQUEST_ENTITY_INCOMPLETE));
        }
        if self.reaches(piece, Fault::IsBusy) {
            return Some(Answer::Busy);
        }
        let rejects = self.reaches(piece, Fault::RejectsBlock);
        rejects.then_some(Answer::Reset)
    }

    /// Writes into flash, as far as nothing is in the way.
    pub(super) fn take(&mut self, now: Duration, bytes: &[u8]) -> Result<(), UpdateResult> {
        let done = self.received() + bytes.len();
        let too_big = done > self.persona.flash_bytes
            && self.persona.fault(Fault::FindsOversizeAtInstall).is_none();
        let piece = Piece {
            offset: self.received(),
            last: false,
            total: None,
            bytes,
        };
        let wrong = if self.stuck {
            Some(UpdateResult::OutOfRam)
        } else if too_big || self.reaches(piece, Fault::OutOfFlash) {
            Some(UpdateResult::NotEnoughFlash)
        } else if self.reaches(piece, Fault::OutOfMemory) {
            Some(UpdateResult::OutOfRam)
        } else if self.strikes(Fault::RejectsPackageType).is_some() {
            Some(UpdateResult::UnsupportedPackage)
        } else {
            None
        };
        if let Some(outcome) = wrong {
            self.stop_fetching();
            self.fail(now, outcome);
            return Err(outcome);
        }
        let corrupts = self.reaches(piece, Fault::CorruptsFlash);
        let insist = self.persona.insists_on_header;
        let slot = self.slot.get_or_insert_with(|| Box::new(Slot::new(insist)));
        if corrupts {
            slot.append_wrong(bytes);
        } else {
            slot.append(bytes);
        }
        if slot.is_refused() {
            self.stop_fetching();
            self.fail(now, UpdateResult::UnsupportedPackage);
            return Err(UpdateResult::UnsupportedPackage);
        }
        Ok(())
    }

    /// All bytes are there.
    pub(super) fn complete(&mut self, now: Duration) -> Result<(), UpdateResult> {
        let Some(slot) = self.slot.take() else {
            return Ok(());
        };
        let package = slot.finish();
        let late = self
            .persona
            .fault(Fault::FindsCorruptionAtInstall)
            .is_some();
        let wrong = if self.persona.insists_on_header && !package.has_header {
            Some(UpdateResult::UnsupportedPackage)
        } else if !package.intact && !late {
            Some(UpdateResult::IntegrityFailure)
        } else {
            None
        };
        self.flashed = Some(Box::new(package.clone()));
        if let Some(outcome) = wrong {
            self.fail(now, outcome);
            return Err(outcome);
        }
        self.package = Some(Box::new(package));
        self.enter(now, State::Downloaded, UpdateResult::Initial);
        if let Some(seconds) = self.strikes(Fault::LosesPowerWhenDownloaded) {
            let at = now + Duration::from_secs(seconds.into());
            self.set_timer(at, Due::PowerCut);
        }
        if self.automatic {
            self.begin_update(now);
        }
        Ok(())
    }

    /// Whether this piece crosses the percentage of a fault, which then strikes.
    pub(super) fn reaches(&mut self, piece: Piece<'_>, fault: Fault) -> bool {
        let Some(strike) = self.persona.fault(fault) else {
            return false;
        };
        let known = self.slot.as_ref().and_then(|slot| slot.total());
        let total = known.or(piece.total).unwrap_or(self.persona.flash_bytes);
        let done = (piece.offset + piece.bytes.len()) as u64;
        let from = total as u64 * u64::from(strike.amount) / 100;
        done >= from && self.strikes(fault).is_some()
    }

    pub(super) fn time_to_write(&mut self, offset: usize, bytes: usize) -> Duration {
        let mut time = self.persona.write_time(bytes);
        if offset == 0 {
            let slow = self.strikes(Fault::SlowErase).unwrap_or(0);
            time += self.persona.erase + Duration::from_secs(slow.into());
        }
        time
    }
}
