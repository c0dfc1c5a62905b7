//! When an observed value is notified: a state machine without a clock.
//!
//! Readings where the specification leaves room: thresholds and steps compare with the value last
//! *sent*, so that a crossing and its way back within `pmin` cancel out; an edge is latched, since
//! it is an event. With any of `gt`, `lt`, `st` (or `edge`) other changes do not notify.

use std::time::Duration;

use super::{Attributes, Name};
use crate::lwm2m::node::Tree;
use crate::lwm2m::value::Value;

/// What to do about an observed value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Notify, then call [`Notifier::sent`].
    Now,
    /// Ask again at this time, on the clock of `now`, or before it when the value changes.
    At(Duration),
    /// Ask again when the value changes.
    No,
}

/// Attributes as times and thresholds.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Rules {
    /// Time between two notifications, at least.
    pub pmin: Duration,
    /// Time between two notifications, at most.
    pub pmax: Option<Duration>,
    /// Time between two looks at the value, at least.
    pub epmin: Duration,
    /// Time between two looks at the value, at most.
    pub epmax: Option<Duration>,
    /// Threshold.
    pub gt: Option<f64>,
    /// Threshold.
    pub lt: Option<f64>,
    /// Step.
    pub st: Option<f64>,
    /// Rising (true) or falling edges of a boolean only.
    pub edge: Option<bool>,
}

/// What is observed: a value, or a node with several.
pub trait Sample: Clone {
    /// As a number, if thresholds apply.
    fn number(&self) -> Option<f64>;
    /// As a boolean, if edges apply.
    fn truth(&self) -> Option<bool>;
    /// Whether it is not the same.
    fn differs(&self, other: &Self) -> bool;
}

/// One observation of one node.
#[derive(Clone, Debug)]
pub struct Notifier<V> {
    rules: Rules,
    sent: V,
    sent_at: Duration,
    seen: V,
    seen_at: Duration,
    /// An edge was seen and not yet sent.
    edge: bool,
}

impl Rules {
    /// From the attributes in force for a node and the defaults of the server, /1/x/2 and /1/x/3,
    /// in seconds. `pmax` of 0 or below `pmin` counts as absent, and so does `epmax`.
    #[must_use]
    pub fn new(
        attributes: &Attributes,
        default_pmin: Option<u32>,
        default_pmax: Option<u32>,
    ) -> Self {
        let duration = |name, default: Option<u32>| {
            let seconds = attributes.get(name).or(default.map(f64::from));
            seconds.map(|seconds| Duration::from_secs(seconds as u64))
        };
        let pmin = duration(Name::Pmin, default_pmin).unwrap_or_default();
        let epmin = duration(Name::Epmin, None).unwrap_or_default();
        Self {
            pmin,
            pmax: duration(Name::Pmax, default_pmax)
                .filter(|pmax| !pmax.is_zero() && *pmax >= pmin),
            epmin,
            epmax: duration(Name::Epmax, None).filter(|epmax| !epmax.is_zero() && *epmax >= epmin),
            gt: attributes.get(Name::Gt),
            lt: attributes.get(Name::Lt),
            st: attributes.get(Name::St),
            edge: attributes.get(Name::Edge).map(|edge| edge != 0.0),
        }
    }
}

impl<V: Sample> Notifier<V> {
    /// An observation that began now, its first value in the answer to the observe request.
    #[must_use]
    pub fn new(rules: Rules, now: Duration, value: V) -> Self {
        Self {
            rules,
            sent: value.clone(),
            sent_at: now,
            seen: value,
            seen_at: now,
            edge: false,
        }
    }

    /// Other rules from now on; what was sent, and when, stays.
    pub fn set_rules(&mut self, rules: Rules) {
        self.rules = rules;
    }

    /// What to do about the value as it is now. Call it when the value changed and at the time
    /// that the last decision named.
    pub fn should_notify(&mut self, now: Duration, value: &V) -> Decision {
        let latest = self
            .rules
            .pmax
            .map(|pmax| self.sent_at.saturating_add(pmax));
        if latest.is_some_and(|latest| now >= latest) {
            return Decision::Now;
        }
        let look = self.seen_at.saturating_add(self.rules.epmin);
        if now < look {
            return Decision::At(latest.map_or(look, |latest| latest.min(look)));
        }
        self.look(now, value);
        let earliest = self.sent_at.saturating_add(self.rules.pmin);
        let condition = self.holds(value);
        if condition && now >= earliest {
            return Decision::Now;
        }
        let look = self.rules.epmax.map(|epmax| now.saturating_add(epmax));
        let again = [condition.then_some(earliest), latest, look];
        again
            .into_iter()
            .flatten()
            .min()
            .map_or(Decision::No, Decision::At)
    }

    /// Says that a notification with this value went out.
    pub fn sent(&mut self, now: Duration, value: V) {
        self.sent = value.clone();
        self.seen = value;
        self.sent_at = now;
        self.seen_at = now;
        self.edge = false;
    }

    fn look(&mut self, now: Duration, value: &V) {
        if let (Some(edge), Some(before), Some(after)) =
            (self.rules.edge, self.seen.truth(), value.truth())
        {
            self.edge |= before != after && after == edge;
        }
        self.seen = value.clone();
        self.seen_at = now;
    }

    fn holds(&self, value: &V) -> bool {
        if self.rules.edge.is_some() && value.truth().is_some() {
            return self.edge;
        }
        let Rules { gt, lt, st, .. } = self.rules;
        let numbers = self.sent.number().zip(value.number());
        match numbers.filter(|_| gt.or(lt).or(st).is_some()) {
            Some((before, after)) => {
                let crossed_gt = gt.is_some_and(|gt| (before > gt) != (after > gt));
                let crossed_lt = lt.is_some_and(|lt| (before < lt) != (after < lt));
                let step = st.is_some_and(|st| (after - before).abs() >= st);
                crossed_gt || crossed_lt || step
            }
            None => value.differs(&self.sent),
        }
    }
}

impl Sample for Value {
    fn number(&self) -> Option<f64> {
        self.as_f64()
    }

    fn truth(&self) -> Option<bool> {
        match self {
            Self::Boolean(truth) => Some(*truth),
            _ => None,
        }
    }

    fn differs(&self, other: &Self) -> bool {
        match (self, other) {
            // Else a sensor without a reading would notify for ever.
            (Self::Float(a), Self::Float(b)) if a.is_nan() && b.is_nan() => false,
            (a, b) => a != b,
        }
    }
}

impl Sample for Tree {
    fn number(&self) -> Option<f64> {
        None
    }

    fn truth(&self) -> Option<bool> {
        None
    }

    fn differs(&self, other: &Self) -> bool {
        self != other
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn notifier(query: &str, first: f64) -> Notifier<Value> {
        let changes = super::super::Changes::parse(
            query.split('&').filter(|item| !item.is_empty()),
            crate::lwm2m::Version::V1_2,
        );
        let mut attributes = Attributes::default();
        attributes
            .apply(
                &changes.unwrap(),
                crate::lwm2m::Path::resource(1, 0, 0),
                None,
            )
            .unwrap();
        Notifier::new(
            Rules::new(&attributes, None, None),
            ms(0),
            Value::Float(first),
        )
    }

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn at(millis: u64) -> Decision {
        Decision::At(ms(millis))
    }

    fn ask(notifier: &mut Notifier<Value>, now: u64, value: f64) -> Decision {
        notifier.should_notify(ms(now), &Value::Float(value))
    }

    #[test]
    fn pmin_holds_back_and_pmax_repeats() {
        let mut rules = notifier("pmin=2&pmax=10", 1.0);
        assert_eq!(ask(&mut rules, 500, 1.0), at(10_000));
        assert_eq!(ask(&mut rules, 1000, 2.0), at(2000));
        assert_eq!(ask(&mut rules, 1500, 1.0), at(10_000));
        assert_eq!(ask(&mut rules, 2000, 2.0), Decision::Now);
        rules.sent(ms(2000), Value::Float(2.0));
        assert_eq!(ask(&mut rules, 2100, 2.0), at(12_000));
        assert_eq!(ask(&mut rules, 12_000, 2.0), Decision::Now);
        assert_eq!(
            ask(&mut notifier("pmin=5&pmax=3", 1.0), 4000, 1.0),
            Decision::No
        );
        assert_eq!(ask(&mut notifier("pmax=0", 1.0), 4000, 1.0), Decision::No);
        assert_eq!(ask(&mut notifier("", 1.0), 0, 2.0), Decision::Now);
    }

    #[test]
    fn thresholds_notify_both_ways_and_nothing_between() {
        let mut rules = notifier("gt=20&lt=10", 15.0);
        assert_eq!(ask(&mut rules, 1, 19.0), Decision::No);
        assert_eq!(ask(&mut rules, 2, 20.0), Decision::No);
        assert_eq!(ask(&mut rules, 3, 20.5), Decision::Now);
        rules.sent(ms(3), Value::Float(20.5));
        assert_eq!(ask(&mut rules, 4, 30.0), Decision::No);
        assert_eq!(ask(&mut rules, 5, 15.0), Decision::Now);
        rules.sent(ms(5), Value::Float(15.0));
        assert_eq!(ask(&mut rules, 6, 9.0), Decision::Now);
        let mut step = notifier("st=5", 0.0);
        assert_eq!(ask(&mut step, 1, 4.9), Decision::No);
        assert_eq!(ask(&mut step, 2, -5.0), Decision::Now);
    }

    #[test]
    fn an_edge_is_not_forgotten_while_pmin_lasts() {
        let rules = Rules {
            pmin: ms(1000),
            edge: Some(true),
            ..Rules::default()
        };
        let mut notifier = Notifier::new(rules, ms(0), Value::Boolean(false));
        assert_eq!(
            notifier.should_notify(ms(10), &Value::Boolean(true)),
            at(1000)
        );
        assert_eq!(
            notifier.should_notify(ms(20), &Value::Boolean(false)),
            at(1000)
        );
        assert_eq!(
            notifier.should_notify(ms(1000), &Value::Boolean(false)),
            Decision::Now
        );
        notifier.sent(ms(1000), Value::Boolean(false));
        assert_eq!(
            notifier.should_notify(ms(3000), &Value::Boolean(false)),
            Decision::No
        );
    }

    #[test]
    fn values_are_looked_at_as_often_as_asked() {
        let mut rules = notifier("epmin=5&epmax=10", 1.0);
        assert_eq!(ask(&mut rules, 1000, 2.0), at(5000));
        assert_eq!(ask(&mut rules, 5000, 1.0), at(15_000));
        assert_eq!(ask(&mut rules, 15_000, 2.0), Decision::Now);
    }

    proptest! {
        #[test]
        fn notifications_keep_their_distance(
            pmin in 0..50_u64, more in 1..50_u64, values in prop::collection::vec((1..30_u64, -3..3_i64), 1..60),
        ) {
            let rules = Rules { pmin: ms(pmin), pmax: Some(ms(pmin + more)), ..Rules::default() };
            let mut notifier = Notifier::new(rules, ms(0), Value::Integer(0));
            let (pmin, more) = (ms(pmin), ms(more));
            let (mut now, mut last, mut alarm) = (ms(0), ms(0), None);
            for (pause, value) in values {
                now += ms(pause);
                // A driver that also asks at the time it was told.
                for at in alarm.into_iter().filter(|at| *at < now).chain([now]) {
                    let value = Value::Integer(value);
                    match notifier.should_notify(at, &value) {
                        Decision::Now => {
                            prop_assert!(at - last >= pmin);
                            (last, alarm) = (at, None);
                            notifier.sent(at, value);
                        }
                        Decision::At(next) => {
                            prop_assert!(next > at && next <= last + pmin + more);
                            alarm = Some(next);
                        }
                        Decision::No => prop_assert!(false, "pmax is set"),
                    }
                }
            }
        }
    }
}
