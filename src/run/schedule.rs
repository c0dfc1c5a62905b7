//! How often and when a step is tried: once, until it holds, or for as long as it has to hold.

use std::time::Duration;

use crate::{
    plan::{BoundStep, Budget, Captures, LimitKind, Waiting},
    scenario::ast::StepKind,
};

/// How one step is to be tried.
pub(super) enum Schedule {
    Once,
    /// Until it holds or the waits are used up.
    Retry(Vec<Duration>),
    /// Until it holds or the time is over.
    Within(Duration, Budget),
    /// It has to hold for the whole time.
    Hold(Duration),
}

impl Schedule {
    /// What a step's catalogue entry, its keyword, its own words (``within `…` ``, ``after N
    /// retries``) and the last request's `retrying` ask for.
    pub(super) fn of(
        bound: &BoundStep,
        captures: &Captures,
        limit: Option<(LimitKind, Duration)>,
        retrying: Option<u32>,
        patience: f64,
    ) -> Self {
        let waiting = bound
            .definition
            .entry
            .map_or(Waiting::WhenSoon(Budget::REST), |it| it.waiting);
        let soon = bound.step.kind == StepKind::Soon;
        // ``after N retries`` and `retrying N times`, said by the sentence itself.
        let said: Option<u32> = captures
            .iter()
            .find(|(name, text)| name.as_deref() == Some("retries") && !text.is_empty())
            .and_then(|(_, text)| text.parse().ok());
        let with_said = |budget: Budget| {
            said.or(retrying.filter(|_| is_rest(waiting)))
                .map_or(budget, |it| budget.with_retries(it))
        };
        let scaled = |budget: Budget| {
            // No patience at all is one attempt, not a burst of them.
            if patience == 0.0 {
                return Self::Once;
            }
            Self::Retry(budget.delays().map(|it| it.mul_f64(patience)).collect())
        };
        match (waiting, limit) {
            (Waiting::Window(_), Some((_, time))) => Self::Hold(time),
            (Waiting::Window(time), None) => Self::Hold(time.mul_f64(patience)),
            (Waiting::Always(budget) | Waiting::WhenSoon(budget), Some((_, time))) => {
                Self::Within(time, budget)
            }
            (Waiting::Always(budget), None) => scaled(with_said(budget)),
            (Waiting::WhenSoon(budget), None) if soon || retrying.is_some() && is_rest(waiting) => {
                scaled(with_said(budget))
            }
            (Waiting::WhenSoon(_) | Waiting::Never, _) => Self::Once,
        }
    }

    /// All its waits together.
    pub(super) fn time(&self) -> Duration {
        match self {
            Self::Once => Duration::ZERO,
            Self::Retry(waits) => waits.iter().sum(),
            Self::Within(time, _) | Self::Hold(time) => *time,
        }
    }

    /// The waits between attempts, one after the other.
    pub(super) fn waits(&self) -> Box<dyn Iterator<Item = Duration>> {
        match self {
            Self::Once => Box::new(std::iter::empty()),
            Self::Retry(waits) => Box::new(waits.clone().into_iter()),
            Self::Within(time, budget) => {
                let (mut left, budget) = (*time, *budget);
                let mut nth = 0;
                Box::new(std::iter::from_fn(move || {
                    let wait = budget.doubled(nth).min(left);
                    nth = nth.saturating_add(1).min(31);
                    left = left.checked_sub(wait)?;
                    (!wait.is_zero()).then_some(wait)
                }))
            }
            Self::Hold(time) => Box::new(std::iter::once(*time)),
        }
    }
}

/// `retrying N times` is said by a request and holds for the assertions on its answer.
fn is_rest(waiting: Waiting) -> bool {
    waiting == Waiting::WhenSoon(Budget::REST)
}
