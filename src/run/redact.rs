//! Takes the secrets out of a record, once, before anything is told of it.
//!
//! Each part is named: a new one does not compile until somebody has said whether it can have
//! secrets in it.

use serde_json::{Map, Value};

use super::{
    AttemptRecord, FeatureRecord, RunRecord, ScenarioRecord, StepRecord,
    mismatch::{Difference, Mismatch, Sides},
};
use crate::trace::{Replacer, Secrets};

impl RunRecord {
    /// Replaces every secret in it. Messages stay as they are: reports replace theirs on the way.
    pub fn redact(&mut self, secrets: &Secrets) {
        let secrets = &secrets.replacer();
        let Self {
            seed: _,
            target,
            took_ms: _,
            interrupted: _,
            features,
            environment,
        } = self;
        text(target, secrets);
        texts(environment, secrets);
        for it in features {
            feature(it, secrets);
        }
    }
}

fn feature(feature: &mut FeatureRecord, secrets: &Replacer<'_>) {
    let FeatureRecord {
        path,
        title,
        source,
        variant,
        covers,
        clock: _,
        verdict: _,
        reason,
        took_ms: _,
        clock_ms: _,
        scenarios,
        messages: _,
        messages_dropped: _,
        captured: _,
    } = feature;
    for it in [path, title, source].into_iter().chain(reason) {
        text(it, secrets);
    }
    texts(covers, secrets);
    if let Some(variant) = variant {
        map(variant, secrets);
    }
    for it in scenarios {
        scenario(it, secrets);
    }
}

fn scenario(scenario: &mut ScenarioRecord, secrets: &Replacer<'_>) {
    let ScenarioRecord {
        id,
        title,
        rule,
        tags,
        row,
        line: _,
        prerequisite: _,
        verdict: _,
        reason,
        took_ms: _,
        // The name of a file that is written: it is made of the feature's name and a number.
        capture: _,
        steps,
    } = scenario;
    for it in [id, title].into_iter().chain(rule).chain(reason) {
        text(it, secrets);
    }
    texts(tags, secrets);
    map(row, secrets);
    for it in steps {
        step(it, secrets);
    }
}

fn step(step: &mut StepRecord, secrets: &Replacer<'_>) {
    let StepRecord {
        keyword: _,
        title,
        block,
        line: _,
        column: _,
        verdict: _,
        defect,
        attempts,
        attempts_dropped: _,
        notes,
        waiting,
        messages: _,
        clock_ms: _,
    } = step;
    for it in [title].into_iter().chain(block).chain(defect) {
        text(it, secrets);
    }
    texts(notes, secrets);
    texts(waiting, secrets);
    for attempt in attempts {
        let AttemptRecord {
            number: _,
            at_ms: _,
            mismatch,
        } = attempt;
        if let Some(it) = mismatch {
            self::mismatch(it, secrets);
        }
    }
}

fn mismatch(mismatch: &mut Mismatch, secrets: &Replacer<'_>) {
    let Mismatch {
        message,
        differences,
        notes,
        help,
        sides,
    } = mismatch;
    for it in [message].into_iter().chain(help) {
        text(it, secrets);
    }
    texts(notes, secrets);
    for it in differences {
        let Difference {
            path,
            expected,
            actual,
        } = it;
        text(path, secrets);
        for value in [expected, actual].into_iter().flatten() {
            self::value(value, secrets);
        }
    }
    if let Some(sides) = sides {
        let Sides { expected, actual } = sides.as_mut();
        value(expected, secrets);
        value(actual, secrets);
    }
}

fn texts(all: &mut [String], secrets: &Replacer<'_>) {
    for it in all {
        text(it, secrets);
    }
}

fn text(text: &mut String, secrets: &Replacer<'_>) {
    if let Some(redacted) = secrets.replaced(text) {
        *text = redacted;
    }
}

fn map(map: &mut Map<String, Value>, secrets: &Replacer<'_>) {
    if !map.is_empty() {
        let redacted = secrets.json(&Value::Object(std::mem::take(map)));
        if let Value::Object(redacted) = redacted {
            *map = redacted;
        }
    }
}

fn value(value: &mut Value, secrets: &Replacer<'_>) {
    *value = secrets.json(value);
}
