//! `trace.ndjson`: a line for each message, in the order they crossed within each feature.

use std::{
    collections::BTreeSet,
    io::{self, Write},
    sync::Arc,
};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    InParts, WRITTEN_AT_ONCE,
    json::{SCHEMA, push_text},
};
use crate::trace::{Datagram, Kind, Lane, Message, StepPlace};

/// Writes `trace.ndjson`, message by message.
pub(super) struct TraceWriter<W> {
    out: InParts<W>,
    /// What has not been written yet.
    text: Vec<u8>,
    /// How lines of this feature begin.
    head: Vec<u8>,
    /// What lines of the last step have.
    place: (Option<StepPlace>, Vec<u8>),
}

impl<W: Write> TraceWriter<W> {
    /// To a file, or wherever.
    pub(super) fn to(out: W) -> Self {
        Self {
            out: InParts(out),
            text: Vec::with_capacity(2 * WRITTEN_AT_ONCE),
            head: Vec::new(),
            place: (None, Vec::new()),
        }
    }

    /// The messages of another feature follow: its number in `report.json`. Its file is in the ids
    /// of its scenarios.
    pub(super) fn feature(&mut self, number: usize) {
        let head = format!("{{\"schema\":{SCHEMA},\"feature\":{number},\"seq\":");
        self.head = head.into_bytes();
    }

    /// Adds a line. The message is one without secrets.
    pub(super) fn message(&mut self, message: &Message) -> io::Result<()> {
        let Self {
            out,
            text,
            head,
            place,
        } = self;
        if place.0 != message.step {
            place.0.clone_from(&message.step);
            place.1.clear();
            if let Some(step) = &message.step {
                place.1.extend_from_slice(b",\"step\":");
                serde_json::to_writer(&mut place.1, step)?;
            }
        }
        text.extend_from_slice(head);
        serde_json::to_writer(&mut *text, &message.seq)?;
        text.extend_from_slice(b",\"at\":");
        serde_json::to_writer(&mut *text, &message.at)?;
        text.extend_from_slice(b",\"lane\":\"");
        text.extend_from_slice(message.lane.name().as_bytes());
        text.extend_from_slice(b"\",\"kind\":\"");
        text.extend_from_slice(message.kind.name().as_bytes());
        text.push(b'"');
        text.extend_from_slice(&place.1);
        text.extend_from_slice(b",\"summary\":");
        push_text(text, &message.summary);
        text.extend_from_slice(b",\"detail\":");
        text.extend_from_slice(message.detail.as_bytes());
        text.extend_from_slice(b"}\n");
        let whole = text.len() - text.len() % WRITTEN_AT_ONCE;
        if whole > 0 {
            out.write_all(&text[..whole])?;
            text.drain(..whole);
        }
        Ok(())
    }

    /// Writes what is left.
    pub(super) fn end(mut self) -> io::Result<()> {
        self.out.write_all(&self.text)
    }
}

/// A line, read.
pub(super) struct Line {
    pub(super) schema: u32,
    /// Index of the feature in `report.json`.
    pub(super) feature: usize,
    pub(super) message: Message,
}

/// Reads lines. Messages of one scenario share its id.
#[derive(Default)]
pub(super) struct Reader {
    scenarios: BTreeSet<Arc<str>>,
}

impl Reader {
    pub(super) fn line(&mut self, text: &str) -> serde_json::Result<Line> {
        #[derive(Deserialize)]
        struct Read<'a> {
            schema: u32,
            feature: usize,
            seq: u64,
            at: i64,
            lane: Lane,
            kind: Kind,
            step: Option<Place>,
            summary: String,
            #[serde(borrow)]
            detail: &'a RawValue,
        }
        #[derive(Deserialize)]
        struct Place {
            scenario: String,
            line: usize,
        }
        let read: Read<'_> = serde_json::from_str(text)?;
        let air = (read.lane == Lane::Air).then(|| Datagram::told(read.detail.get()));
        let message = Message {
            seq: read.seq,
            at: read.at,
            lane: read.lane,
            kind: read.kind,
            step: read.step.map(|it| StepPlace {
                scenario: self.scenario(&it.scenario),
                line: it.line,
            }),
            summary: read.summary,
            air: air.flatten(),
            detail: read.detail.get().into(),
        };
        Ok(Line {
            schema: read.schema,
            feature: read.feature,
            message,
        })
    }

    fn scenario(&mut self, id: &str) -> Arc<str> {
        if let Some(known) = self.scenarios.get(id) {
            return Arc::clone(known);
        }
        let id: Arc<str> = Arc::from(id);
        self.scenarios.insert(Arc::clone(&id));
        id
    }
}
