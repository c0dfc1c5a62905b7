//! What `--report` kept, read back: `report.json` and the lines of `trace.ndjson`.

use std::borrow::Cow;

use serde::Deserialize;

use super::{html, json::SCHEMA, trace::Reader};
use crate::{run::RunRecord, trace::Message};

/// A run as its two files tell it, secrets already replaced.
#[derive(Debug)]
pub struct Kept<'a> {
    /// The version of fotalab that wrote it.
    pub version: String,
    /// `report.json`, and with each feature its lines of `trace.ndjson`, ordered by number.
    pub run: Cow<'a, RunRecord>,
}

/// Why a kept run cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// Not JSON, or not ours.
    #[error("`{file}`, line {line}: {why}")]
    Broken {
        /// Which of the two files.
        file: &'static str,
        /// From 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// Written by another version.
    #[error("`{file}` has schema {found}, this fotalab reads {SCHEMA}: use the one that wrote it")]
    Schema {
        /// Which of the two files.
        file: &'static str,
        /// Its number.
        found: u32,
    },
}

impl<'a> Kept<'a> {
    /// What is written as `report.json` and `trace.ndjson`: a record without secrets, also in its
    /// messages.
    #[must_use]
    pub fn of(record: &'a RunRecord) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            run: Cow::Borrowed(record),
        }
    }

    /// Reads `report.json` and `trace.ndjson`.
    ///
    /// # Errors
    /// Which of them cannot be read, where, and why.
    pub fn read(report: &str, trace: &str) -> Result<Self, KeptError> {
        let (version, mut run) = run_of(report)?;
        let mut reader = Reader::default();
        for (text, number) in trace.lines().zip(1..).filter(|it| !it.0.is_empty()) {
            let broken = |why| KeptError::Broken {
                file: TRACE,
                line: number,
                why,
            };
            let line = reader.line(text).map_err(|it| match schema_of(text) {
                Some(found) if found != SCHEMA => KeptError::Schema { file: TRACE, found },
                _ => broken(said(&it)),
            })?;
            if line.schema != SCHEMA {
                return Err(KeptError::Schema {
                    file: TRACE,
                    found: line.schema,
                });
            }
            let features = run.features.len();
            let Some(feature) = run.features.get_mut(line.feature) else {
                return Err(broken(format!(
                    "it names feature {}, and `{REPORT}` has {features} of them, from 0: the two are not of one run",
                    line.feature
                )));
            };
            feature.messages.push(line.message);
        }
        for feature in &mut run.features {
            // They were written in this order; a file put together by hand may not be.
            feature.messages.sort_by_key(|it| it.seq);
        }
        Ok(Self {
            version,
            run: Cow::Owned(run),
        })
    }

    /// The messages that crossed while a feature ran.
    #[must_use]
    pub fn messages(&self, feature: usize) -> &[Message] {
        let feature = self.run.features.get(feature);
        feature.map_or(&[], |it| &it.messages)
    }
}

/// The version that wrote it, and what it says.
fn run_of(report: &str) -> Result<(String, RunRecord), KeptError> {
    #[derive(Deserialize)]
    struct Head {
        schema: u32,
        fotalab: String,
    }
    let head: Head = serde_json::from_str(report).map_err(broken)?;
    if head.schema != SCHEMA {
        return Err(KeptError::Schema {
            file: REPORT,
            found: head.schema,
        });
    }
    let run = serde_json::from_str(report).map_err(broken)?;
    Ok((head.fotalab, run))
}

/// Of a line that may be another version's.
fn schema_of(line: &str) -> Option<u32> {
    #[derive(Deserialize)]
    struct Head {
        schema: u32,
    }
    let head: Head = serde_json::from_str(line).ok()?;
    Some(head.schema)
}

fn broken(error: serde_json::Error) -> KeptError {
    KeptError::Broken {
        file: REPORT,
        line: error.line(),
        why: said(&error),
    }
}

/// It may quote the file, and goes to a terminal.
fn said(error: &serde_json::Error) -> String {
    html::visible(&error.to_string()).into_owned()
}

const REPORT: &str = "report.json";
const TRACE: &str = "trace.ndjson";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_broken_is_named_with_its_line() {
        let report = r#"{"schema":1,"fotalab":"0","seed":1,"target":"t","took_ms":1,"interrupted":false,"features":[]}"#;
        assert!(Kept::read(report, "").is_ok());
        let error = Kept::read(report, "{}\n").expect_err("no schema");
        assert!(
            error.to_string().starts_with("`trace.ndjson`, line 1"),
            "{error}"
        );
        let other = r#"{"schema":1,"feature":0,"seq":0,"at":1,"lane":"rest","kind":"request","summary":"x","detail":null}"#;
        let error = Kept::read(report, other).expect_err("a feature that is not there");
        assert!(
            error.to_string().contains("line 1: it names feature 0"),
            "{error}"
        );
        let newer = r#"{"schema":2,"feature":"a","lane":"modbus"}"#;
        let error = Kept::read(report, newer).expect_err("another schema");
        assert!(error.to_string().contains("schema 2"), "{error}");
        let newer = report.replace("\"schema\":1", "\"schema\":2");
        let error = Kept::read(&newer, "").expect_err("another schema");
        assert!(error.to_string().contains("schema 2"), "{error}");
    }
}
