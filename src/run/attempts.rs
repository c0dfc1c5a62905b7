//! One step: its values put in, its attempts, its waits.

use std::{
    cell::RefCell,
    panic::{self, AssertUnwindSafe},
    sync::{Arc, Once},
    time::Duration,
};

use cucumber::step::Context;
use futures_util::FutureExt as _;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout_at},
};

use super::{
    Attempt, Lab, Mismatch, StepRecord, Verdict,
    lab::AttemptBlock,
    record::{AttemptRecord, MAX_ATTEMPTS_KEPT},
};
use crate::{
    plan::{BoundStep, Budget, Captures, LimitKind, Waiting, is_json, time_limit},
    scenario::{
        ast::{Document, StepKind},
        parse_duration, placeholder,
    },
};

/// The limit of one attempt where front matter says nothing.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// Attempts at one step at most, early ones on an arrival included.
const MAX_ATTEMPTS: u32 = 20_000;

/// What holds for all steps of a feature.
pub(super) struct Conditions<'a> {
    pub document: &'a Document,
    pub timeout: Duration,
    pub patience: f64,
    pub cancelled: watch::Receiver<bool>,
}

/// How one step is to be tried.
enum Schedule {
    Once,
    /// Until it holds or the waits are used up.
    Retry(Vec<Duration>),
    /// Until it holds or the time is over.
    Within(Duration, Budget),
    /// It has to hold for the whole time.
    Hold(Duration),
}

/// How one attempt ended.
enum Ended {
    Held,
    Not(Mismatch),
    Defect(String),
    Interrupted,
}

/// Runs a step to its verdict.
pub(super) async fn run_step(
    lab: &mut Lab,
    bound: &BoundStep,
    conditions: &mut Conditions<'_>,
) -> StepRecord {
    let mut record = blank_record(bound, conditions.document);
    record.messages = (lab.trace().len(), 0);
    let began = Instant::now();
    match prepare(lab, bound, conditions) {
        Ok(prepared) => {
            record.title.clone_from(&prepared.title);
            record.block = prepared.block.as_ref().map(|it| it.code.clone());
            attempts(lab, bound, &prepared, conditions, &mut record).await;
        }
        Err(mismatch) => {
            record.verdict = Verdict::Failed;
            record.attempts.push(AttemptRecord {
                number: 1,
                at_ms: 0,
                mismatch: Some(mismatch),
            });
        }
    }
    record.messages.1 = lab.trace().len();
    record.clock_ms = millis(began.elapsed());
    record
}

/// The record of a step that has not run.
pub(super) fn blank_record(bound: &BoundStep, document: &Document) -> StepRecord {
    let place = bound.step.span.position(&document.source);
    StepRecord {
        keyword: bound.step.keyword.trim().to_owned(),
        title: bound.step.title.value.clone(),
        block: None,
        line: place.line,
        column: place.column,
        verdict: Verdict::Skipped,
        defect: None,
        attempts: Vec::new(),
        attempts_dropped: 0,
        notes: Vec::new(),
        messages: (0, 0),
        clock_ms: 0,
    }
}

struct Prepared {
    /// The whole title, values put in.
    title: String,
    block: Option<AttemptBlock>,
    captures: Captures,
    limit: Option<(LimitKind, Duration)>,
}

/// Puts the values in and matches the sentence again: with real values it may be another one.
fn prepare(
    lab: &Lab,
    bound: &BoundStep,
    conditions: &Conditions<'_>,
) -> Result<Prepared, Mismatch> {
    let now = lab.now();
    let replace = |text: &str, json: bool| {
        placeholder::replace(text, json, lab.variables(), now)
            .map(|it| it.text)
            .map_err(|error| Mismatch::new(error.to_string()))
    };
    let title = replace(&bound.step.title.value, false)?;
    let block = bound
        .step
        .block
        .as_ref()
        .map(|block| {
            let code = replace(&block.code.value, is_json(block))?;
            Ok(AttemptBlock {
                language: block.language.clone(),
                code,
            })
        })
        .transpose()?;
    let limit = bound.limit.and_then(|_| time_limit(&title));
    let sentence = limit.map_or(title.as_str(), |(.., rest)| &title[rest..]);
    let captures = bound.definition.captures(sentence).ok_or_else(|| {
        Mismatch::new(format!(
            "with its values in, this step is no longer the sentence \"{}\"",
            bound.definition.sentence()
        ))
        .note(format!("it says: {sentence}"))
    })?;
    let limit = limit
        .map(|(kind, time, _)| {
            let duration = parse_duration(time)
                .map_err(|why| Mismatch::new(format!("`{time}` is not a duration: {why}")))?;
            Ok((kind, duration.mul_f64(conditions.patience)))
        })
        .transpose()?;
    Ok(Prepared {
        title,
        block,
        captures,
        limit,
    })
}

async fn attempts(
    lab: &mut Lab,
    bound: &BoundStep,
    prepared: &Prepared,
    conditions: &mut Conditions<'_>,
    record: &mut StepRecord,
) {
    let schedule = schedule(lab, bound, prepared, conditions.patience);
    let entry = bound.definition.entry;
    let wakes = entry.is_some_and(|it| it.wakes);
    let own_time = entry.is_some_and(|it| it.own_time);
    let began = Instant::now();
    // Budget plus one attempt limits the whole.
    let over = began + schedule.time() + conditions.timeout;
    let mut waits = schedule.waits();
    let mut next = began;
    let mut number = 0;
    loop {
        number += 1;
        let mut arrivals = lab.trace().arrivals();
        arrivals.borrow_and_update();
        let at_ms = millis(began.elapsed());
        let limit = if own_time {
            None
        } else {
            Some((Instant::now() + conditions.timeout).min(over))
        };
        let ended = attempt(lab, bound, prepared, number, limit, conditions).await;
        let (left, notes) = lab.end_attempt();
        record.notes.extend(notes);
        let ended = match (ended, left) {
            (Ended::Defect(_), Some(mismatch)) => Ended::Not(mismatch),
            (ended, _) => ended,
        };
        let mismatch = if let Ended::Not(mismatch) = &ended {
            Some(mismatch.clone())
        } else {
            None
        };
        let held = matches!(ended, Ended::Held);
        keep(
            record,
            AttemptRecord {
                number,
                at_ms,
                mismatch,
            },
        );
        match ended {
            Ended::Defect(defect) => {
                record.defect = Some(defect);
                record.verdict = Verdict::Failed;
                return;
            }
            Ended::Interrupted => {
                record.verdict = Verdict::Interrupted;
                return;
            }
            Ended::Held | Ended::Not(_) => {}
        }
        let holding = matches!(schedule, Schedule::Hold(_));
        // A wait ends when it holds; a window ends when it does not.
        if held != holding {
            conclude(lab, record, held);
            return;
        }
        // Due again at the end of this wait, or when something arrives.
        if Instant::now() >= next {
            match waits.next() {
                Some(wait) => next = Instant::now() + wait,
                None => {
                    conclude(lab, record, held);
                    return;
                }
            }
        }
        if number >= MAX_ATTEMPTS || Instant::now() >= over {
            record.verdict = Verdict::Failed;
            record
                .notes
                .push(format!("given up after {number} attempts"));
            return;
        }
        tokio::select! {
            () = sleep_until(next) => {}
            Ok(()) = arrivals.changed(), if wakes => {}
            Ok(_) = conditions.cancelled.wait_for(|it| *it) => {
                record.verdict = Verdict::Interrupted;
                return;
            }
        }
    }
}

/// What a passed step stored counts from now on.
fn conclude(lab: &mut Lab, record: &mut StepRecord, held: bool) {
    record.verdict = if held {
        Verdict::Passed
    } else {
        Verdict::Failed
    };
    if held {
        lab.commit();
    }
}

impl Schedule {
    fn time(&self) -> Duration {
        match self {
            Self::Once => Duration::ZERO,
            Self::Retry(waits) => waits.iter().sum(),
            Self::Within(time, _) | Self::Hold(time) => *time,
        }
    }

    fn waits(&self) -> Box<dyn Iterator<Item = Duration>> {
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

fn schedule(lab: &Lab, bound: &BoundStep, prepared: &Prepared, patience: f64) -> Schedule {
    let waiting = bound
        .definition
        .entry
        .map_or(Waiting::WhenSoon(Budget::REST), |it| it.waiting);
    let soon = bound.step.kind == StepKind::Soon;
    // ``after N retries`` and `retrying N times`, said by the sentence itself.
    let said: Option<u32> = prepared
        .captures
        .iter()
        .find(|(name, text)| name.as_deref() == Some("retries") && !text.is_empty())
        .and_then(|(_, text)| text.parse().ok());
    let with_said = |budget: Budget| {
        said.or(lab.retrying.filter(|_| is_rest(waiting)))
            .map_or(budget, |it| budget.with_retries(it))
    };
    let scaled =
        |budget: Budget| Schedule::Retry(budget.delays().map(|it| it.mul_f64(patience)).collect());
    match (waiting, prepared.limit) {
        (Waiting::Window(_), Some((_, time))) => Schedule::Hold(time),
        (Waiting::Window(time), None) => Schedule::Hold(time.mul_f64(patience)),
        (Waiting::Always(budget) | Waiting::WhenSoon(budget), Some((_, time))) => {
            Schedule::Within(time, budget)
        }
        (Waiting::Always(budget), None) => scaled(with_said(budget)),
        (Waiting::WhenSoon(budget), None) if soon || lab.retrying.is_some() && is_rest(waiting) => {
            scaled(with_said(budget))
        }
        (Waiting::WhenSoon(_) | Waiting::Never, _) => Schedule::Once,
    }
}

/// `retrying N times` is said by a request and holds for the assertions on its answer.
fn is_rest(waiting: Waiting) -> bool {
    waiting == Waiting::WhenSoon(Budget::REST)
}

async fn attempt(
    lab: &mut Lab,
    bound: &BoundStep,
    prepared: &Prepared,
    number: u32,
    limit: Option<Instant>,
    conditions: &mut Conditions<'_>,
) -> Ended {
    let directory = conditions
        .document
        .path
        .parent()
        .map(std::path::Path::to_owned)
        .unwrap_or_default();
    lab.begin_attempt(Attempt {
        number,
        block: prepared.block.clone(),
        directory,
    });
    let context = Context {
        step: gherkin_step(bound, prepared),
        matches: prepared.captures.clone(),
    };
    let running = AssertUnwindSafe((bound.definition.run)(lab, context)).catch_unwind();
    let limited = async {
        match limit {
            Some(limit) => timeout_at(limit, InStep(running)).await,
            None => Ok(InStep(running).await),
        }
    };
    tokio::select! {
        ended = limited => match ended {
            Ok(Ok(())) => {
                PANIC.set(None);
                Ended::Held
            }
            Ok(Err(panic)) => Ended::Defect(panic_message(&*panic)),
            Err(_) => Ended::Not(Mismatch::new(format!(
                "the attempt took longer than its limit of {:?}; `timeout:` in front matter sets it",
                conditions.timeout
            ))),
        },
        Ok(_) = conditions.cancelled.wait_for(|it| *it) => Ended::Interrupted,
    }
}

/// The step as cucumber's macros hand it to the function.
fn gherkin_step(bound: &BoundStep, prepared: &Prepared) -> gherkin::Step {
    gherkin::Step {
        keyword: bound.step.keyword.clone(),
        ty: super::cucumber::step_type(bound.step.kind),
        value: prepared.title.clone(),
        docstring: prepared.block.as_ref().map(|it| it.code.clone()),
        table: bound.step.table.as_ref().map(super::cucumber::table),
        span: gherkin::Span {
            start: bound.step.span.start,
            end: bound.step.span.end,
        },
        position: gherkin::LineCol { line: 0, col: 0 },
    }
}

fn keep(record: &mut StepRecord, attempt: AttemptRecord) {
    if record.attempts.len() >= MAX_ATTEMPTS_KEPT {
        record.attempts.pop();
        record.attempts_dropped += 1;
    }
    record.attempts.push(attempt);
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

thread_local! {
    /// Where the panic of the step that is running happened; `None` outside of a step.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Keeps the panic hook quiet while a step is polled and remembers where it panicked.
struct InStep<F>(F);

impl<F: Future + Unpin> Future for InStep<F> {
    type Output = F::Output;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<F::Output> {
        install_hook();
        PANIC.set(Some(String::new()));
        let polled = self.0.poll_unpin(context);
        if polled.is_pending() {
            PANIC.set(None);
        }
        polled
    }
}

/// One hook for the process: silent within steps, whose panics become part of the report.
fn install_hook() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = Arc::new(panic::take_hook());
        panic::set_hook(Box::new(move |info| {
            let within = PANIC.try_with(|it| {
                let mut it = it.borrow_mut();
                it.is_some()
                    .then(|| *it = info.location().map(ToString::to_string))
            });
            if !matches!(within, Ok(Some(()))) {
                usual(info);
            }
        }));
    });
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let words = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("(no message)");
    match PANIC.take() {
        Some(place) if !place.is_empty() => format!("the step panicked at {place}: {words}"),
        _ => format!("the step panicked: {words}"),
    }
}
