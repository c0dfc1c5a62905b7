//! Observations that the server holds, and when they are notified (contract 2.4).

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use fotalab_wire::coap::{Code, ExchangeId, ObserverId, Response};
use fotalab_wire::lwm2m::attributes::{Attributes, Decision, Notifier, Rules, Sample};
use fotalab_wire::lwm2m::{ContentFormat, Path, Value};

use super::fault::Fault;
use super::{Device, body};

#[derive(Debug)]
pub(super) struct Observed {
    pub(super) observer: ObserverId,
    target: Target,
    format: ContentFormat,
    notifier: Notifier<Seen>,
    /// When to look again though nothing happened.
    pub(super) due: Option<Duration>,
}

/// What is observed.
#[derive(Clone, Debug)]
pub(super) enum Target {
    One(Path),
    /// By Observe-Composite.
    Many(Arc<[Path]>),
}

impl From<Path> for Target {
    fn from(path: Path) -> Self {
        Self::One(path)
    }
}

impl From<Vec<Path>> for Target {
    fn from(paths: Vec<Path>) -> Self {
        Self::Many(paths.into())
    }
}

impl Target {
    fn paths(&self) -> &[Path] {
        match self {
            Self::One(path) => std::slice::from_ref(path),
            Self::Many(paths) => paths,
        }
    }
}

/// What was sent last: enough to tell whether it is still so, and to hold it against thresholds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Seen {
    hash: u64,
    number: Option<f64>,
    truth: Option<bool>,
}

impl Sample for Seen {
    fn number(&self) -> Option<f64> {
        self.number
    }

    fn truth(&self) -> Option<bool> {
        self.truth
    }

    fn differs(&self, other: &Self) -> bool {
        self.hash != other.hash
    }
}

impl Device {
    pub(super) fn observe(
        &mut self,
        now: Duration,
        exchange: ExchangeId,
        target: Target,
        format: ContentFormat,
        response: Response,
    ) {
        let Some(seen) = self.seen(now, &target) else {
            return self.respond(now, exchange, response);
        };
        let rules = self.rules(&target);
        if let Ok(Some(observer)) = self.coap.respond_observing(now, exchange, response) {
            self.observed.retain(|it| it.observer != observer);
            self.observed.reserve_exact(1);
            self.observed.push(Observed {
                observer,
                target,
                format,
                notifier: Notifier::new(rules, now, seen),
                due: rules.pmax.map(|pmax| now + pmax),
            });
        }
    }

    /// Notifies of what changed, or of what is due by `pmax`.
    pub(super) fn notify(&mut self, now: Duration) {
        // Taken out, so that what is observed can be looked at meanwhile.
        let mut observed = std::mem::take(&mut self.observed);
        for it in &mut observed {
            let Some(seen) = self.seen(now, &it.target) else {
                // It is gone, and the observation with it (RFC 7641 4.2).
                let response = Response::new(Code::NOT_FOUND);
                let _: Result<(), _> = self.coap.notify(now, it.observer, response, true);
                continue;
            };
            it.due = match it.notifier.should_notify(now, &seen) {
                Decision::At(at) => Some(at),
                Decision::Now => {
                    it.notifier.sent(now, seen);
                    self.send_notification(now, it);
                    match it.notifier.should_notify(now, &seen) {
                        Decision::At(at) => Some(at),
                        _ => None,
                    }
                }
                Decision::No => None,
            };
        }
        self.observed = observed;
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
        let mut observed = std::mem::take(&mut self.observed);
        for it in &mut observed {
            it.notifier.set_rules(self.rules(&it.target));
            it.due = Some(now);
        }
        self.observed = observed;
    }

    /// Of several paths the shortest periods count: nobody is told later than of one alone.
    fn rules(&self, target: &Target) -> Rules {
        let registration = &self.registration;
        let rules = target.paths().iter().map(|path| {
            let attributes = self.attributes_of(*path);
            Rules::new(
                &attributes,
                Some(registration.pmin),
                Some(registration.pmax),
            )
        });
        rules
            .reduce(|one, other| Rules {
                pmin: one.pmin.min(other.pmin),
                pmax: one.pmax.into_iter().chain(other.pmax).min(),
                epmin: one.epmin.min(other.epmin),
                epmax: one.epmax.into_iter().chain(other.epmax).min(),
                ..Rules::default()
            })
            .unwrap_or_default()
    }

    fn send_notification(&mut self, now: Duration, observed: &Observed) {
        let firmware = Path::object(5);
        let of_state = observed
            .target
            .paths()
            .iter()
            .any(|it| it.starts_with(&firmware));
        let loses = self.kind.persona.fault(Fault::LosesStateNotifications);
        if of_state && loses.is_some() {
            return;
        }
        let (format, observer) = (observed.format, observed.observer);
        let bytes = match &observed.target {
            Target::One(path) => self
                .representation(now, *path, Some(format.number()))
                .map(|(_, bytes)| bytes),
            Target::Many(paths) => self.composite_bytes(now, paths, format),
        };
        let response = match bytes {
            Ok(bytes) => Response::with(Code::CONTENT, body(bytes)).format(format.number()),
            Err(code) => Response::new(code),
        };
        self.stay_awake(now);
        let confirmable = self.kind.persona.confirmable_notifications;
        let _: Result<(), _> = self.coap.notify(now, observer, response, confirmable);
    }

    /// `None`: nothing is there, and that is no answer. A composite may well have nothing.
    fn seen(&self, now: Duration, target: &Target) -> Option<Seen> {
        let mut hasher = DefaultHasher::new();
        let tree = match target {
            Target::One(path) => {
                if let Some(value) = self.value(now, *path) {
                    hash(&value, &mut hasher);
                    return Some(Seen {
                        hash: hasher.finish(),
                        number: value.as_f64(),
                        truth: value.truth(),
                    });
                }
                self.read(now, *path).ok()?
            }
            Target::Many(paths) => self.read_all(now, paths),
        };
        for (at, value) in tree.values() {
            // The clock always changes; that is no news.
            if at != Path::resource(3, 0, 13) {
                at.hash(&mut hasher);
                hash(value, &mut hasher);
            }
        }
        Some(Seen {
            hash: hasher.finish(),
            number: None,
            truth: None,
        })
    }
}

fn hash(value: &Value, hasher: &mut DefaultHasher) {
    match value {
        Value::String(text) | Value::CoreLink(text) => text.hash(hasher),
        Value::Integer(number) | Value::Time(number) => number.hash(hasher),
        Value::Unsigned(number) => number.hash(hasher),
        Value::Float(number) => number.to_bits().hash(hasher),
        Value::Boolean(truth) => truth.hash(hasher),
        Value::Opaque(bytes) => bytes.hash(hasher),
        Value::ObjectLink(link) => link.hash(hasher),
    }
}
