//! Observations that the server holds, and when they are notified (contract 2.4).

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use fotalab_wire::coap::{Code, ExchangeId, ObserverId, Response};
use fotalab_wire::lwm2m::attributes::{Attributes, Decision, Notifier, Rules, Sample};
use fotalab_wire::lwm2m::{ContentFormat, Path, Value};

use super::fault::Fault;
use super::{Device, body};

#[derive(Debug)]
pub(super) struct Observed {
    pub(super) observer: ObserverId,
    path: Path,
    format: ContentFormat,
    notifier: Notifier<Seen>,
    /// When to look again though nothing happened.
    pub(super) due: Option<Duration>,
}

/// What was sent last: a value, or the hash of more than one.
#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Value(Value),
    Hash(u64),
}

impl Sample for Seen {
    fn number(&self) -> Option<f64> {
        match self {
            Self::Value(value) => value.number(),
            Self::Hash(_) => None,
        }
    }

    fn truth(&self) -> Option<bool> {
        match self {
            Self::Value(value) => value.truth(),
            Self::Hash(_) => None,
        }
    }

    fn differs(&self, other: &Self) -> bool {
        self != other
    }
}

impl Device {
    pub(super) fn observe(
        &mut self,
        now: Duration,
        exchange: ExchangeId,
        path: Path,
        format: ContentFormat,
        response: Response,
    ) {
        let Some(seen) = self.seen(now, path) else {
            return self.respond(now, exchange, response);
        };
        let rules = self.rules(path);
        if let Ok(Some(observer)) = self.coap.respond_observing(now, exchange, response) {
            self.observed.retain(|it| it.observer != observer);
            self.observed.push(Observed {
                observer,
                path,
                format,
                notifier: Notifier::new(rules, now, seen),
                due: rules.pmax.map(|pmax| now + pmax),
            });
        }
    }

    /// Notifies of what changed, or of what is due by `pmax`.
    pub(super) fn notify(&mut self, now: Duration) {
        for index in 0..self.observed.len() {
            let Some(observed) = self.observed.get(index) else {
                return;
            };
            let (path, format) = (observed.path, observed.format);
            let Some(seen) = self.seen(now, path) else {
                continue;
            };
            let Some(observed) = self.observed.get_mut(index) else {
                return;
            };
            match observed.notifier.should_notify(now, &seen) {
                Decision::At(at) => observed.due = Some(at),
                Decision::Now => {
                    observed.notifier.sent(now, seen.clone());
                    let next = observed.notifier.should_notify(now, &seen);
                    observed.due = match next {
                        Decision::At(at) => Some(at),
                        _ => None,
                    };
                    let observer = observed.observer;
                    self.send_notification(now, observer, path, format);
                }
                _ => observed.due = None,
            }
        }
    }

    /// The attributes in force at a path: its own, and what it has from above.
    pub(super) fn attributes_of(&self, path: Path) -> Attributes {
        (1..=path.depth()).fold(Attributes::default(), |above, depth| {
            match self.attributes.get(&path.prefix(depth)) {
                Some(own) => own.inheriting(&above),
                None => above,
            }
        })
    }

    /// Attributes changed.
    pub(super) fn renew_rules(&mut self, now: Duration) {
        for index in 0..self.observed.len() {
            let path = self.observed.get(index).map(|it| it.path);
            let rules = path.map(|path| self.rules(path)).unwrap_or_default();
            if let Some(observed) = self.observed.get_mut(index) {
                observed.notifier.set_rules(rules);
                observed.due = Some(now);
            }
        }
    }

    fn rules(&self, path: Path) -> Rules {
        let registration = &self.registration;
        Rules::new(
            &self.attributes_of(path),
            Some(registration.pmin),
            Some(registration.pmax),
        )
    }

    fn send_notification(
        &mut self,
        now: Duration,
        observer: ObserverId,
        path: Path,
        format: ContentFormat,
    ) {
        let of_state = path.starts_with(&Path::object(5));
        if of_state
            && self
                .kind
                .persona
                .fault(Fault::LosesStateNotifications)
                .is_some()
        {
            return;
        }
        let response = match self.representation(now, path, Some(format.number())) {
            Ok((format, bytes)) => {
                Response::with(Code::CONTENT, body(bytes)).format(format.number())
            }
            Err(code) => Response::new(code),
        };
        self.stay_awake(now);
        let confirmable = self.kind.persona.confirmable_notifications;
        let _: Result<(), _> = self.coap.notify(now, observer, response, confirmable);
    }

    fn seen(&self, now: Duration, path: Path) -> Option<Seen> {
        if let Some(value) = self.value(now, path) {
            return Some(Seen::Value(value));
        }
        let tree = self.read(now, path).ok()?;
        let mut hasher = DefaultHasher::new();
        for (at, value) in tree.values() {
            // The clock always changes; that is no news.
            if at != Path::resource(3, 0, 13) {
                (at, format!("{value:?}")).hash(&mut hasher);
            }
        }
        Some(Seen::Hash(hasher.finish()))
    }
}
