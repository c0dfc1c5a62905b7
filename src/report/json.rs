//! `report.json`: what a run came to, for machines.

use serde::Serialize;
use serde_json::{Value, json};

use crate::run::{FeatureRecord, RunRecord, Verdict};

/// The number of this format and of `trace.ndjson`; it changes when a reader of the old one would misread the new one.
pub(super) const SCHEMA: u32 = 1;

/// `report.json`.
#[must_use]
pub fn json(record: &RunRecord) -> String {
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
    text
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
