//! `report.json`: what a run came to, for machines.

use std::io::{self, BufWriter, Write};

use serde::Serialize;
use serde_json::{Value, json};

use super::{InParts, WRITTEN_AT_ONCE};
use crate::run::{FeatureRecord, RunRecord, Verdict};

/// The number of this format and of `trace.ndjson`; it changes when a reader of the old one would misread the new one.
pub(super) const SCHEMA: u32 = 1;

/// Writes `report.json`.
///
/// # Errors
/// What `out` says.
pub fn write_json(record: &RunRecord, out: impl Write) -> io::Result<()> {
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
    let mut out = BufWriter::with_capacity(WRITTEN_AT_ONCE, InParts(out));
    serde_json::to_writer(&mut out, &report)?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Adds a text as JSON. Most have nothing to be escaped, which is seen many bytes at a time.
pub(super) fn push_text(out: &mut Vec<u8>, text: &str) {
    let escaped = |it: u8| it < 0x20 || it == b'"' || it == b'\\';
    let bytes = text.as_bytes();
    if bytes.iter().fold(false, |any, it| any | escaped(*it)) {
        // In memory there is nothing that could fail.
        drop(serde_json::to_writer(out, text));
        return;
    }
    out.push(b'"');
    out.extend_from_slice(bytes);
    out.push(b'"');
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_written_as_json() {
        for text in ["", "plain ä ✓ \u{7f}", "a\"b", "a\\b", "a\nb", "\u{1f}"] {
            let mut out = Vec::new();
            push_text(&mut out, text);
            let expected = serde_json::to_vec(text).expect("a text");
            assert_eq!(out, expected, "{text:?}");
        }
    }
}
