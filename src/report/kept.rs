//! What `--report` kept, read back: `report.json` and the lines of `trace.ndjson`.

use std::{borrow::Cow, ops::Range};

use serde::Deserialize;

use super::{json::SCHEMA, line::Line};
use crate::run::RunRecord;

/// A run as its two files tell it, secrets already replaced.
#[derive(Debug)]
pub struct Kept<'a> {
    /// The version of fotalab that wrote it.
    pub version: String,
    /// `report.json`.
    pub run: Cow<'a, RunRecord>,
    /// `trace.ndjson`, ordered by feature and number.
    lines: Vec<Line<'a>>,
    /// Where the lines of each feature are.
    of_feature: Vec<Range<usize>>,
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
    /// Reads `report.json` and `trace.ndjson`.
    ///
    /// # Errors
    /// Which of them cannot be read, where, and why.
    pub fn read(report: &str, trace: &'a str) -> Result<Self, KeptError> {
        let (version, run) = run_of(report)?;
        let mut lines = Vec::new();
        for (number, text) in trace.lines().enumerate().filter(|(_, it)| !it.is_empty()) {
            let (schema, line) = Line::read(text).map_err(|error| KeptError::Broken {
                file: TRACE,
                line: number + 1,
                why: error.to_string(),
            })?;
            if schema != SCHEMA {
                return Err(KeptError::Schema {
                    file: TRACE,
                    found: schema,
                });
            }
            if line.feature >= run.features.len() {
                return Err(KeptError::Broken {
                    file: TRACE,
                    line: number + 1,
                    why: format!(
                        "it names feature {}, and `{REPORT}` has {} of them, from 0: the two are not of one run",
                        line.feature,
                        run.features.len()
                    ),
                });
            }
            lines.push(line);
        }
        // They were written in this order; a file put together by hand may not be.
        lines.sort_by_key(|it| (it.feature, it.seq));
        Ok(Self::of_version(version, Cow::Owned(run), lines))
    }

    /// What is written as `report.json` and `trace.ndjson`: a record without secrets.
    #[must_use]
    pub fn of(record: &'a RunRecord, lines: Vec<Line<'a>>) -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Self::of_version(version, Cow::Borrowed(record), lines)
    }

    fn of_version(version: String, run: Cow<'a, RunRecord>, lines: Vec<Line<'a>>) -> Self {
        let of_feature = (0..run.features.len())
            .map(|feature| {
                let from = lines.partition_point(|it| it.feature < feature);
                from..lines.partition_point(|it| it.feature <= feature)
            })
            .collect();
        Self {
            version,
            run,
            lines,
            of_feature,
        }
    }

    /// All messages.
    #[must_use]
    pub fn lines(&self) -> &[Line<'a>] {
        &self.lines
    }

    /// The messages that crossed while a feature ran.
    #[must_use]
    pub fn messages(&self, feature: usize) -> &[Line<'a>] {
        let range = self.of_feature.get(feature).cloned().unwrap_or_default();
        self.lines.get(range).unwrap_or_default()
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

fn broken(error: serde_json::Error) -> KeptError {
    KeptError::Broken {
        file: REPORT,
        line: error.line(),
        why: error.to_string(),
    }
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
        let newer = report.replace("\"schema\":1", "\"schema\":2");
        let error = Kept::read(&newer, "").expect_err("another schema");
        assert!(error.to_string().contains("schema 2"), "{error}");
    }
}
