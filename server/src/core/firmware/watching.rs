//! What an update's options change: how it learns where its device is, and what it leaves as it
//! found it.

use fotalab_wire::{
    lwm2m::{Path, Value},
    net::UnixMillis,
};

use super::{
    messages::{Ask, DELIVERY, MEMORY_FREE, PROTOCOLS, RESULT, STATE, VERSION},
    options::{FIRMWARE_UPDATE, Silence, Watch},
    update::{Stage, Update},
};

/// A pause that only a sign of life ends.
const UNTIL_HEARD: UnixMillis = UnixMillis::MAX;

impl Update {
    /// The device gave a sign of life.
    pub(super) fn uplink(&mut self, now: UnixMillis) {
        if self.paused_until == Some(UNTIL_HEARD) {
            self.paused_until = None;
            return self.go_on(now);
        }
        let idle = self.connected && self.asked.is_none() && self.plan.is_empty();
        if !idle || self.paused_until.is_some() || self.wanted.options.watch != Watch::Uplinks {
            return;
        }
        match self.stage {
            Stage::Ended => return,
            Stage::Soaking => self.plan.push_back(Ask::Read(VERSION)),
            _ => self.look(),
        }
        self.go_on(now);
    }

    /// Takes in what a device told by itself, where that is not read once more. True: all is done.
    pub(super) fn told(&mut self, now: UnixMillis, path: Path, value: &Value) -> bool {
        let idle = self.connected && self.asked.is_none() && self.plan.is_empty();
        match self.wanted.options.watch {
            Watch::Observed | Watch::StateAndResult => return false,
            Watch::Uplinks => {}
            Watch::Triggered => {
                if matches!(path, STATE | RESULT) && idle {
                    self.look();
                    self.go_on(now);
                }
            }
            Watch::Instance | Watch::Sent => {
                self.learn_one(path, value);
                // Idle says nothing without its Result, which the same message has.
                let whole = match path {
                    STATE => self.knows.state != Some(0),
                    RESULT => true,
                    _ => false,
                };
                if path == STATE && whole {
                    self.knows.result = Some(0);
                }
                if whole && idle {
                    self.go_on(now);
                }
            }
        }
        true
    }

    /// Takes in a part of an answer that is still to be told of.
    pub(super) fn learned(&mut self, serial: u64, path: Path, value: &Value) {
        let asked = self.asked.filter(|(asked, _)| *asked == serial);
        if matches!(asked, Some((_, Ask::Read(it) | Ask::Observe(it))) if it != path) {
            self.learn_one(path, value);
        }
    }

    /// Ends it, unless it was executed. The device keeps what it has; the next update resets it.
    pub(super) fn stop(&mut self, now: UnixMillis, why: &str) -> bool {
        let executed = self.stage == Stage::Installing && self.tally.executes > 0;
        if executed || matches!(self.stage, Stage::Soaking | Stage::Ended) {
            return false;
        }
        self.fail(now, why);
        true
    }

    /// Nothing came back, and it is not known what that means.
    pub(super) fn unheard(&mut self, now: UnixMillis, ask: Ask) {
        // A look decides nothing: it may be the device's way of downloading.
        let looks = matches!(ask, Ask::Read(STATE | RESULT)) && self.tally.transfers > 0;
        match self.wanted.options.silence {
            Silence::Again => self.pause(now, crate::limits::SILENCE_PAUSE),
            Silence::Fatal if self.stage != Stage::Installing && !looks => {
                self.fail(
                    now,
                    &format!("the device gave no answer to {}", ask.words()),
                );
            }
            Silence::Fatal | Silence::UntilHeard => self.paused_until = Some(UNTIL_HEARD),
        }
    }

    /// Somebody will tell its State; it is not asked for now.
    pub(super) fn is_told(&self) -> bool {
        self.wanted.options.watch == Watch::Sent
    }

    /// A transfer begins: where nobody looks, only what is told from now on counts.
    pub(super) fn expect_news(&mut self) {
        if self.wanted.options.watch == Watch::Sent {
            self.knows.state = None;
        }
    }

    /// What shows State and Result, to an update that looks.
    pub(super) fn looks(&self) -> Vec<Ask> {
        match self.wanted.options.watch {
            Watch::Sent => Vec::new(),
            Watch::Instance => vec![Ask::Observe(FIRMWARE_UPDATE)],
            _ => vec![Ask::Read(STATE), Ask::Read(RESULT)],
        }
    }

    /// What shows State and Result now; nobody sends by himself that he was reset.
    pub(super) fn looks_at_once(&self) -> Vec<Ask> {
        match self.wanted.options.watch {
            Watch::Instance => self.looks(),
            _ => vec![Ask::Read(STATE), Ask::Read(RESULT)],
        }
    }

    /// All that has to be read before a method is chosen (contract 1.6, 1), but for what is known
    /// already or observed at once.
    pub(super) fn first_reads(&mut self) -> Vec<Ask> {
        let instance = self.wanted.options.watch == Watch::Instance;
        let unchecked = self.wanted.options.unchecked;
        let start = self.wanted.options.start.take();
        let mut reads = vec![VERSION];
        if let Some((state, result)) = start {
            (self.knows.state, self.knows.result) = (Some(state), Some(result));
        } else if !instance {
            reads.extend([STATE, RESULT]);
        }
        if !unchecked && !instance {
            reads.extend([DELIVERY, PROTOCOLS, MEMORY_FREE]);
        }
        reads.into_iter().map(Ask::Read).collect()
    }

    /// Plans the longer lifetime, once.
    pub(super) fn extend_lifetime(&mut self) {
        if let Some(extension) = self.wanted.options.lifetime
            && !self.tally.extended
        {
            self.tally.extended = true;
            let ask = Ask::Lifetime(extension.instance, extension.extended);
            self.plan.push_back(ask);
        }
    }

    /// What leaves the device as it was found.
    pub(super) fn farewell(&self) -> impl Iterator<Item = Ask> + use<> {
        let watch = self.wanted.options.watch;
        let began = self.tally.transfers > 0 || self.knows.state.is_some();
        let observed = watch.observes().iter();
        let forgotten = observed.filter(move |_| watch.forgets() && began);
        let extension = self.wanted.options.lifetime;
        let extension = extension.filter(|_| self.tally.extended);
        let usual = extension.map(|it| Ask::Lifetime(it.instance, it.usual));
        forgotten.map(|path| Ask::Forget(*path)).chain(usual)
    }

    fn learn_one(&mut self, path: Path, value: &Value) {
        let ids = path.ids();
        if ids.len() == 4 && ids.starts_with(PROTOCOLS.ids()) {
            let all = self.knows.protocols.get_or_insert_default();
            all.extend(value.as_i64().filter(|it| !all.contains(it)));
        } else {
            self.learn(path, std::slice::from_ref(value));
        }
    }
}

impl Ask {
    /// As a person would say it.
    fn words(self) -> String {
        match self {
            Self::Read(path) => format!("Read {path}"),
            Self::Observe(path) | Self::Forget(path) => format!("Observe {path}"),
            Self::ClearUri | Self::Uri(_) => "Write /5/0/1".to_owned(),
            Self::ClearPackage | Self::Package => "Write /5/0/0".to_owned(),
            Self::Execute => "Execute /5/0/2".to_owned(),
            Self::Cancel => "Execute /5/0/10".to_owned(),
            Self::Unhide(path) => format!("Write-Attributes {path}"),
            Self::Lifetime(instance, _) => format!("Write /1/{instance}/1"),
        }
    }
}
