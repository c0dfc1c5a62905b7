//! What an update makes of an answer, or of none (contract 1.2).

use fotalab_wire::{coap::Code, lwm2m::Value, net::UnixMillis};

use super::{
    messages::{
        AUTOMATIC, Ask, DELIVERY, MAX_DEFER, MEMORY_FREE, Outcome, PACKAGE_VERSION, PROTOCOLS,
        State, VERSION,
    },
    update::Update,
};
use crate::limits;

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
            Ask::ClearUri
            | Ask::ClearPackage
            | Ask::Cancel
            | Ask::Unhide(_)
            | Ask::Lifetime(..)
            | Ask::Forget(_) => {}
            Ask::Uri(_) => {
                self.note(now, "wrote the package URI");
                self.look_later(now);
            }
            Ask::Package => {
                self.note(now, "wrote the package");
                // A State that is told, not read, may still be on its way.
                self.knows.state = self.knows.state.filter(|it| *it != 1);
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
        if !matches!(ask, Ask::Read(_) | Ask::Observe(_) | Ask::Unhide(_)) {
            self.knows.refusal = Some((ask, code));
        }
        let said = format!("{}.{:02}", code.class(), code.detail());
        match ask {
            Ask::Read(DELIVERY | PROTOCOLS | PACKAGE_VERSION | VERSION)
            | Ask::Read(MEMORY_FREE | MAX_DEFER | AUTOMATIC)
            | Ask::Observe(_)
            | Ask::Unhide(_)
            | Ask::Lifetime(..)
            | Ask::Forget(_)
            | Ask::Cancel => {}
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
                self.unheard(now, ask);
            }
            // The device is the one that ends it now, and some do not even refuse the other.
            Ask::Forget(_) | Ask::Unhide(_) => {}
            _ => {
                self.plan.push_front(ask);
                match outcome {
                    Outcome::Silent => self.unheard(now, ask),
                    _ => self.pause(now, limits::SILENCE_PAUSE),
                }
            }
        }
    }
}
