//! Takes the secrets out of a record, once, before anything is told of it.
//!
//! Each part is named: a new one does not compile until somebody has said whether it can have
//! secrets in it.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use serde_json::{Map, Value};

use super::{
    AttemptRecord, FeatureRecord, RunRecord, ScenarioRecord, StepRecord,
    mismatch::{Difference, Mismatch, Sides},
};
use crate::{
    air::limits::SHOWN_BLOCK_BYTES,
    trace::{Datagram, Message, Replacer, Secrets},
};

impl RunRecord {
    /// Replaces every secret in it, but for its messages: what a report tells of them is
    /// [`RunRecord::redact_messages`]'s, and the console's few are redacted as text.
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

    /// Replaces every secret in its messages.
    pub fn redact_messages(&mut self, secrets: &Secrets) {
        let secrets = secrets.replacer();
        let mut redacting = Redacting::with(&secrets);
        for feature in &mut self.features {
            feature
                .messages
                .iter_mut()
                .for_each(|it| redacting.message(it));
        }
    }
}

/// Takes the secrets out of messages, one after the other.
pub(crate) struct Redacting<'a> {
    secrets: &'a Replacer<'a>,
    /// Messages of one scenario share its id: as it was, and redacted.
    scenario: Option<(Arc<str>, Arc<str>)>,
    /// What is not on the air crosses again and again, since servers poll.
    summaries: Known,
    details: Known,
}

impl<'a> Redacting<'a> {
    /// Replaces these.
    pub(crate) fn with(secrets: &'a Replacer<'a>) -> Self {
        Self {
            secrets,
            scenario: None,
            summaries: Known::default(),
            details: Known::default(),
        }
    }

    /// Replaces every secret in a message.
    pub(crate) fn message(&mut self, message: &mut Message) {
        let Message {
            seq: _,
            at: _,
            lane: _,
            kind: _,
            step,
            summary,
            detail,
            air,
        } = message;
        if let Some(step) = step {
            step.scenario = self.id(&step.scenario);
        }
        let secrets = self.secrets;
        let Some(datagram) = air else {
            if let Some(redacted) = self.summaries.redacted(summary, |it| secrets.text(it)) {
                *summary = redacted.into();
            }
            if let Some(redacted) = self.details.redacted(detail, |it| secrets.json_text(it)) {
                *detail = redacted;
            }
            return;
        };
        // Bytes may have been cut within a secret, and a line joins what its detail has in parts: the
        // options of a query. Else it says nothing more.
        let coap = datagram.coap.as_ref();
        let cut = coap.is_none_or(|it| it.payload > SHOWN_BLOCK_BYTES as u64);
        let joins = cut || summary.contains('?');
        let mut changed = without_secrets(detail, secrets, cut, Replacer::json_text);
        if (joins || changed.is_some())
            && let Some(redacted) = without_secrets(summary, secrets, cut, Replacer::text)
        {
            *summary = redacted;
            let detail = changed.as_deref().unwrap_or(detail);
            changed = joined(detail, secrets).or(changed);
        }
        if let Some(changed) = changed {
            *air = Datagram::told(&changed);
            *detail = changed.into();
        }
    }

    fn id(&mut self, id: &Arc<str>) -> Arc<str> {
        if let Some((was, redacted)) = &self.scenario
            && Arc::ptr_eq(was, id)
        {
            return Arc::clone(redacted);
        }
        let redacted = self.secrets.replaced(id);
        let redacted = redacted.map_or_else(|| Arc::clone(id), Arc::from);
        self.scenario = Some((Arc::clone(id), Arc::clone(&redacted)));
        redacted
    }
}

/// A text of a datagram without secrets, also without what a cut left of them; `None` where it has
/// none.
fn without_secrets<'a>(
    text: &str,
    secrets: &Replacer<'a>,
    cut: bool,
    redact: impl for<'t> Fn(&Replacer<'a>, &'t str) -> Cow<'t, str>,
) -> Option<String> {
    let redacted = redact(secrets, text);
    if cut && let Some(rest) = secrets.cut(&redacted) {
        return Some(rest);
    }
    match redacted {
        Cow::Owned(redacted) => Some(redacted),
        Cow::Borrowed(_) => None,
    }
}

/// The detail of a request over CoAP without a secret that its query has in several options.
fn joined(detail: &str, secrets: &Replacer<'_>) -> Option<String> {
    let mut detail: Value = serde_json::from_str(detail).ok()?;
    let query = detail.get_mut("coap")?.get_mut("query")?;
    let parts: Vec<&str> = query.as_array()?.iter().filter_map(Value::as_str).collect();
    let redacted = secrets.replaced(&parts.join("&"))?;
    *query = redacted.split('&').collect();
    Some(detail.to_string())
}

/// Texts that were looked through, and what they became if there was a secret in them.
#[derive(Default)]
struct Known {
    texts: HashMap<Box<str>, Option<Box<str>>, foldhash::fast::FixedState>,
    bytes: usize,
}

/// Bytes of texts that are remembered; later ones are looked through each by itself.
const MAX_KNOWN_BYTES: usize = 16 * 1024 * 1024;

impl Known {
    /// The text without secrets; `None` where it has none.
    fn redacted(
        &mut self,
        text: &str,
        redact: impl FnOnce(&str) -> Cow<'_, str>,
    ) -> Option<Box<str>> {
        if let Some(known) = self.texts.get(text) {
            return known.clone();
        }
        let redacted = match redact(text) {
            Cow::Owned(redacted) => Some(Box::from(redacted)),
            Cow::Borrowed(_) => None,
        };
        self.bytes += text.len() + redacted.as_deref().map_or(0, str::len);
        if self.bytes <= MAX_KNOWN_BYTES {
            self.texts.insert(text.into(), redacted.clone());
        }
        redacted
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
    // What is quoted there may have been cut within a secret.
    for it in waiting {
        if let Some(redacted) = without_secrets(it, secrets, true, Replacer::text) {
            *it = redacted;
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Kind, Lane};

    #[test]
    fn what_crosses_again_is_replaced_again() {
        let secrets = Secrets::default();
        secrets.add("token", "0123456789abcdef");
        let secrets = secrets.replacer();
        let mut redacting = Redacting::with(&secrets);
        let mut redacted = |summary: &str, detail: &str| {
            let mut message = Message {
                seq: 0,
                at: 0,
                lane: Lane::Upstream,
                kind: Kind::Request,
                step: None,
                summary: summary.to_owned(),
                detail: detail.into(),
                air: None,
            };
            redacting.message(&mut message);
            (message.summary, message.detail.into_string())
        };
        let (secret, plain) = ("\"0123456789abcdef\"", "\"0123\"");
        for _ in 0..3 {
            let (summary, detail) = redacted(secret, secret);
            assert!(!summary.contains("0123456789"), "{summary}");
            assert!(serde_json::from_str::<String>(&detail).is_ok(), "{detail}");
            assert!(!detail.contains("0123456789"), "{detail}");
            assert_eq!(redacted(plain, plain), (plain.to_owned(), plain.to_owned()));
        }
    }

    #[test]
    fn texts_that_are_not_remembered_are_replaced_too() {
        let mut known = Known::default();
        let text = "x".repeat(MAX_KNOWN_BYTES / 2);
        let mut looks = 0;
        for number in 0..6 {
            let text = format!("{text}{}", number % 3);
            let redacted = known.redacted(&text, |it| {
                looks += 1;
                Cow::Owned(it[it.len() - 1..].to_owned())
            });
            assert_eq!(redacted.as_deref(), Some(&text[text.len() - 1..]));
        }
        // The first one is remembered, and there is no room for another.
        assert_eq!(looks, 5);
    }
}
