//! `report.json` and `trace.ndjson`: machine formats, each with its schema number.

use serde_json::{Map, Value, json};

use crate::{
    run::{RunRecord, Verdict},
    trace::Secrets,
};

/// The number of both formats; it changes when a reader of the old one would misread the new one.
const SCHEMA: u32 = 1;

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
            let mut line = Map::new();
            line.insert("schema".to_owned(), json!(SCHEMA));
            line.insert("feature".to_owned(), json!(number));
            line.insert("path".to_owned(), json!(feature.path));
            if let Ok(Value::Object(message)) = serde_json::to_value(message) {
                line.extend(message);
            }
            text.push_str(&secrets.redact_json(&Value::Object(line)).to_string());
            text.push('\n');
        }
    }
    text
}
