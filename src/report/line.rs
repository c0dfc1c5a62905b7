//! A message as reports tell it: a line of `trace.ndjson`, secrets replaced.

use std::{
    borrow::Cow,
    io::{self, Write},
    ops::Deref,
};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::SCHEMA;
use crate::{
    run::RunRecord,
    trace::{Datagram, Kind, Message, Replacer, Secrets, StepPlace},
};

/// A message.
#[derive(Debug)]
pub struct Line<'a> {
    /// Index of the feature in `report.json`.
    pub feature: usize,
    /// Number in its feature, from 0.
    pub seq: u64,
    /// Milliseconds since 1970, on the clock of its world.
    pub at: i64,
    /// Who talks with the server: `rest`, `websocket`, `upstream`, `air`.
    pub lane: Cow<'a, str>,
    /// What it is.
    pub kind: Kind,
    /// The step at work.
    pub step: Option<Place<'a>>,
    /// One line for people.
    pub summary: Cow<'a, str>,
    /// What was in it, as JSON text.
    pub detail: Cow<'a, str>,
    /// What the detail says of a datagram, where nobody has to read that.
    air: Option<&'a Datagram<'a>>,
}

/// Where a step stands.
#[derive(Debug, Deserialize)]
pub struct Place<'a> {
    /// The scenario's id.
    #[serde(borrow)]
    pub scenario: Cow<'a, str>,
    /// The step's line in its file.
    pub line: usize,
}

/// All messages of a run, in the order of `trace.ndjson`.
#[must_use]
pub fn lines<'a>(record: &'a RunRecord, secrets: &Secrets) -> Vec<Line<'a>> {
    let secrets = &secrets.replacer();
    let count = record.features.iter().map(|it| it.messages.len()).sum();
    let mut lines = Vec::with_capacity(count);
    for (number, feature) in record.features.iter().enumerate() {
        let mut place: Option<(&StepPlace, Cow<'a, str>)> = None;
        for message in &feature.messages {
            let step = message.step.as_ref();
            if place.as_ref().map(|it| it.0) != step {
                place = step.map(|it| (it, secrets.text(&it.scenario)));
            }
            let place = place.as_ref().map(|(step, scenario)| Place {
                scenario: scenario.clone(),
                line: step.line,
            });
            lines.push(Line::of(number, message, place, secrets));
        }
    }
    lines
}

/// Writes `trace.ndjson`: a line for each message, in the order they crossed within each feature.
/// The record is one without secrets.
///
/// # Errors
/// What `out` says.
pub fn write_trace(record: &RunRecord, lines: &[Line<'_>], mut out: impl Write) -> io::Result<()> {
    let mut head = (usize::MAX, String::new());
    let mut place = (None, String::new());
    let mut text = Vec::new();
    for line in lines {
        if head.0 != line.feature {
            let path = record.features.get(line.feature).map(|it| it.path.as_str());
            let path = json(path.unwrap_or_default());
            let number = line.feature;
            let written =
                format!("{{\"schema\":{SCHEMA},\"feature\":{number},\"path\":{path},\"seq\":");
            head = (number, written);
        }
        let step = line.step.as_ref().map(|it| (it.scenario.as_ref(), it.line));
        if place.0 != step {
            let written = step.map_or_else(String::new, |(scenario, line)| {
                let scenario = json(scenario);
                format!(",\"step\":{{\"scenario\":{scenario},\"line\":{line}}}")
            });
            place = (step, written);
        }
        let kind = match line.kind {
            Kind::Request => "request",
            Kind::Answer => "answer",
            Kind::Connection => "connection",
        };
        let (number, at) = (line.seq.to_string(), line.at.to_string());
        for part in [
            &head.1,
            &number,
            ",\"at\":",
            &at,
            ",\"lane\":\"",
            &line.lane,
            "\",\"kind\":\"",
            kind,
            "\"",
            &place.1,
            ",\"summary\":",
        ] {
            text.extend_from_slice(part.as_bytes());
        }
        serde_json::to_writer(&mut text, &line.summary)?;
        for part in [",\"detail\":", &line.detail, "}\n"] {
            text.extend_from_slice(part.as_bytes());
        }
        if text.len() >= WRITTEN_AT_ONCE {
            out.write_all(&text)?;
            text.clear();
        }
    }
    out.write_all(&text)
}

/// Bytes of a trace that are gathered before they are written.
const WRITTEN_AT_ONCE: usize = 128 * 1024;

impl<'a> Line<'a> {
    fn of(
        feature: usize,
        message: &'a Message,
        step: Option<Place<'a>>,
        secrets: &Replacer<'_>,
    ) -> Self {
        let detail = secrets.json_text(message.detail.get());
        let air = message.air.as_deref();
        // What was replaced in the detail may stand there too.
        let air = air.filter(|_| matches!(detail, Cow::Borrowed(_)));
        Self {
            feature,
            seq: message.seq,
            at: message.at,
            lane: Cow::Borrowed(message.lane.name()),
            kind: message.kind,
            step,
            summary: match air {
                // It says nothing that the detail does not.
                Some(_) => Cow::Borrowed(&message.summary),
                None => secrets.text(&message.summary),
            },
            air,
            detail,
        }
    }

    /// Reads a line of `trace.ndjson`, and the number of its schema.
    pub(super) fn read(text: &'a str) -> serde_json::Result<(u32, Self)> {
        #[derive(Deserialize)]
        struct Read<'a> {
            schema: u32,
            feature: usize,
            seq: u64,
            at: i64,
            #[serde(borrow)]
            lane: Cow<'a, str>,
            kind: Kind,
            #[serde(borrow)]
            step: Option<Place<'a>>,
            #[serde(borrow)]
            summary: Cow<'a, str>,
            #[serde(borrow)]
            detail: &'a RawValue,
        }
        let read: Read<'a> = serde_json::from_str(text)?;
        let line = Self {
            feature: read.feature,
            seq: read.seq,
            at: read.at,
            lane: read.lane,
            kind: read.kind,
            step: read.step,
            summary: read.summary,
            detail: Cow::Borrowed(read.detail.get()),
            air: None,
        };
        Ok((read.schema, line))
    }

    /// What it says of a datagram, if it is one.
    pub(super) fn datagram(&self) -> Option<Told<'_>> {
        if let Some(air) = self.air {
            return Some(Told::Known(air));
        }
        let read = || serde_json::from_str(&self.detail).ok();
        let air = (self.lane == "air").then(read)?;
        air.map(|it| Told::Read(Box::new(it)))
    }
}

/// A datagram, known or read.
pub(super) enum Told<'a> {
    Known(&'a Datagram<'a>),
    Read(Box<Datagram<'a>>),
}

impl<'a> Deref for Told<'a> {
    type Target = Datagram<'a>;

    fn deref(&self) -> &Datagram<'a> {
        match self {
            Self::Known(air) => air,
            Self::Read(air) => air,
        }
    }
}

fn json(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}
