//! From what a run left behind to what people and machines read.

mod capture;
mod console;
mod github;
mod html;
mod json;
mod junit;
mod kept;
mod messages;
mod progress;
pub mod sequence;
mod trace;

pub use self::{
    capture::captures,
    console::{console, failed},
    github::{github_annotations, github_summary},
    html::{MAX_PAGE_BYTES, Packed, write_page},
    json::write_json,
    junit::junit,
    kept::{Kept, KeptError},
    messages::write_messages,
    progress::Progress,
};

use std::io::{self, Write};

use crate::run::{Difference, StepRecord};

/// Bytes that are gathered before they are written, and written at once at most. Linux keeps what is
/// written at once in pages in a row, and has up to 32 KiB of these at hand for each processor; for
/// more it takes memory that nobody had before, which on a virtual machine may cost ten times as much.
const WRITTEN_AT_ONCE: usize = 32 * 1024;

/// Writes no more than [`WRITTEN_AT_ONCE`].
struct InParts<W>(W);

impl<W: Write> Write for InParts<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(&bytes[..bytes.len().min(WRITTEN_AT_ONCE)])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// What a value is, short enough for a line.
fn short(value: Option<&serde_json::Value>) -> String {
    const LONGEST: usize = 300;
    let text = value.map_or_else(|| "(nothing)".to_owned(), ToString::to_string);
    if text.chars().count() <= LONGEST {
        return text;
    }
    let mut cut: String = text.chars().take(LONGEST).collect();
    cut.push_str(" …");
    cut
}

/// `$.a: expected 1, was 2`.
fn in_one_line(difference: &Difference) -> String {
    let Difference {
        path,
        expected,
        actual,
    } = difference;
    format!(
        "{path}: expected {}, was {}",
        short(expected.as_ref()),
        short(actual.as_ref())
    )
}

/// Why a step failed, in one line.
pub(crate) fn cause(step: &StepRecord) -> String {
    if let Some(defect) = &step.defect {
        return format!("defect: {defect}");
    }
    let Some(mismatch) = step.attempts.last().and_then(|it| it.mismatch.as_ref()) else {
        return "it did not hold".to_owned();
    };
    match mismatch.differences.first() {
        Some(first) => format!("{} ({})", mismatch.message, in_one_line(first)),
        None => mismatch.message.clone(),
    }
}
