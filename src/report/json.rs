//! `report.json` and `trace.ndjson`: machine formats, each with its schema number.

use fotalab_wire::net::UnixMillis;
use serde::Serialize;
use serde_json::{Map, Value, json, value::RawValue};

use crate::{
    run::{RunRecord, Verdict},
    trace::{Kind, Lane, Secrets, StepPlace},
};

/// The number of both formats; it changes when a reader of the old one would misread the new one.
pub(super) const SCHEMA: u32 = 1;

/// `report.json`.
#[must_use]
pub fn json(record: &RunRecord, secrets: &Secrets) -> String {
    let mut report = Map::new();
    report.insert("schema".to_owned(), json!(SCHEMA));
    report.insert("fotalab".to_owned(), json!(env!("CARGO_PKG_VERSION")));
    let of =
        |verdict| json!({ "scenarios": record.scenarios(verdict), "steps": record.steps(verdict) });
    let totals = json!({
        "passed": of(Verdict::Passed), "failed": of(Verdict::Failed),
        "skipped": of(Verdict::Skipped), "interrupted": of(Verdict::Interrupted),
    });
    report.insert("totals".to_owned(), totals);
    // A record is made of maps with text keys, numbers and texts.
    if let Ok(Value::Object(record)) = serde_json::to_value(record) {
        report.extend(record);
    }
    format!("{:#}\n", secrets.redact_json(&Value::Object(report)))
}

/// `trace.ndjson`: a line for each message, in the order they crossed within each feature.
#[must_use]
pub fn trace(record: &RunRecord, secrets: &Secrets) -> String {
    let mut text = String::new();
    for (number, feature) in record.features.iter().enumerate() {
        for message in &feature.messages {
            let line = Line {
                schema: SCHEMA,
                feature: number,
                path: &feature.path,
                seq: message.seq,
                at: message.at,
                lane: message.lane,
                kind: message.kind,
                step: message.step.as_ref(),
                summary: &message.summary,
                detail: &message.detail,
            };
            // A message is made of texts, numbers and JSON.
            let line = serde_json::to_string(&line).unwrap_or_default();
            if !secrets.may_be_in_json(&line) {
                text.push_str(&line);
            } else if let Ok(line) = serde_json::from_str(&line) {
                text.push_str(&secrets.redact_json(&line).to_string());
            }
            text.push('\n');
        }
    }
    text
}

#[derive(Serialize)]
struct Line<'a> {
    schema: u32,
    feature: usize,
    path: &'a str,
    seq: u64,
    at: UnixMillis,
    lane: Lane,
    kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<&'a StepPlace>,
    summary: &'a str,
    detail: &'a RawValue,
}
