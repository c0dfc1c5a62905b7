//! `report.json` and `trace.ndjson`: machine formats, each with its schema number.

use fotalab_wire::net::UnixMillis;
use serde::Serialize;
use serde_json::{Value, json, value::RawValue};

use crate::{
    run::{FeatureRecord, RunRecord, Verdict},
    trace::{Kind, Lane, Secrets, StepPlace},
};

/// The number of both formats; it changes when a reader of the old one would misread the new one.
pub(super) const SCHEMA: u32 = 1;

/// `report.json`.
#[must_use]
pub fn json(record: &RunRecord, secrets: &Secrets) -> String {
    let of =
        |verdict| json!({ "scenarios": record.scenarios(verdict), "steps": record.steps(verdict) });
    let report = Report {
        schema: SCHEMA,
        fotalab: env!("CARGO_PKG_VERSION"),
        totals: json!({
            "passed": of(Verdict::Passed), "failed": of(Verdict::Failed),
            "skipped": of(Verdict::Skipped), "interrupted": of(Verdict::Interrupted),
        }),
        seed: record.seed,
        target: &record.target,
        took_ms: record.took_ms,
        interrupted: record.interrupted,
        features: &record.features,
        environment: &record.environment,
    };
    // A record is made of maps with text keys, numbers and texts.
    let mut text = serde_json::to_string_pretty(&report).unwrap_or_default();
    text.push('\n');
    secrets.redact_lines(&text).unwrap_or_else(|| {
        let report: Value = serde_json::from_str(&text).unwrap_or_default();
        format!("{:#}\n", secrets.redact_json(&report))
    })
}

#[derive(Serialize)]
struct Report<'a> {
    schema: u32,
    fotalab: &'static str,
    totals: Value,
    seed: u64,
    target: &'a str,
    took_ms: u64,
    interrupted: bool,
    features: &'a [FeatureRecord],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    environment: &'a [String],
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
            text.push_str(&serde_json::to_string(&line).unwrap_or_default());
            text.push('\n');
        }
    }
    secrets
        .redact_lines(&text)
        .unwrap_or_else(|| redacted_by_value(&text, secrets))
}

fn redacted_by_value(lines: &str, secrets: &Secrets) -> String {
    let lines = lines.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap_or_default();
        format!("{}\n", secrets.redact_json(&line))
    });
    lines.collect()
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
