//! One step: its values put in, its attempts, its waits.

use std::{panic::AssertUnwindSafe, time::Duration};

use cucumber::step::Context;
use futures_util::FutureExt as _;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout_at},
};

use super::{
    Attempt, Lab, Mismatch, StepRecord, Verdict,
    lab::AttemptBlock,
    panics::{self, InStep, panic_message},
    record::{AttemptRecord, MAX_ATTEMPTS_KEPT},
    schedule::Schedule,
    waiting,
};
use crate::{
    plan::{BoundStep, Captures, LimitKind, is_json, time_limit},
    scenario::{ast::Document, parse_duration, placeholder},
};

/// The limit of one attempt where front matter says nothing.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// Attempts at one step at most, early ones on an arrival included.
const MAX_ATTEMPTS: u32 = 20_000;

/// The shortest moment between something on the air and the next look.
const SETTLES: Duration = Duration::from_millis(1);
/// The part of the wait so far that this moment is.
const SETTLES_PART: u32 = 1_000;

/// An attempt that took so long was a wait.
const LONG_ATTEMPT_MS: u64 = 1_000;

/// What holds for all steps of a feature.
pub(super) struct Conditions<'a> {
    pub document: &'a Document,
    pub timeout: Duration,
    pub patience: f64,
    pub cancelled: watch::Receiver<bool>,
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
    let tried = record.attempts.len() + record.attempts_dropped as usize;
    // One attempt was no wait, unless the attempt itself took its time.
    let waited = tried > 1 || record.clock_ms >= LONG_ATTEMPT_MS;
    // Whoever interrupts a run wants to know what it waited for most of all.
    let in_vain = matches!(record.verdict, Verdict::Failed | Verdict::Interrupted);
    if in_vain && record.defect.is_none() && waited {
        record.waiting = waiting::why(lab, &record).await;
    }
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
        waiting: Vec::new(),
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
    let context = lab.placeholder_context();
    let replace = |text: &str, json: bool| {
        placeholder::replace(text, json, &context, now)
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
    let Prepared {
        captures, limit, ..
    } = prepared;
    let schedule = Schedule::of(bound, captures, *limit, lab.retrying, conditions.patience);
    let entry = bound.definition.entry;
    let wakes = entry.is_some_and(|it| it.wakes);
    let on_air = entry.is_some_and(|it| it.on_air);
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
        let mut air = lab.trace().on_air();
        air.borrow_and_update();
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
        // An attempt that was cut short says nothing; the one before it does.
        if matches!(ended, Ended::Interrupted) && !record.attempts.is_empty() {
            record.verdict = Verdict::Interrupted;
            return;
        }
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
            () = settled(&mut air, began), if on_air => {}
            Ok(_) = conditions.cancelled.wait_for(|it| *it) => {
                record.verdict = Verdict::Interrupted;
                return;
            }
        }
    }
}

/// Wakes when something happened on the air, and after a moment for what follows from it: a
/// transfer is thousands of datagrams, and who waits for its end need not look at each. The moment
/// grows with the wait, so that a step of a day looks no more often than one of a minute.
async fn settled(air: &mut watch::Receiver<u64>, began: Instant) {
    if air.changed().await.is_err() {
        return std::future::pending().await;
    }
    tokio::time::sleep(SETTLES.max(began.elapsed() / SETTLES_PART)).await;
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
                panics::forget();
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
    // Documents whole are for the one that decided.
    if let Some(before) = record
        .attempts
        .last_mut()
        .and_then(|it| it.mismatch.as_mut())
    {
        before.sides = None;
    }
    if record.attempts.len() >= MAX_ATTEMPTS_KEPT {
        record.attempts.pop();
        record.attempts_dropped += 1;
    }
    record.attempts.push(attempt);
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
