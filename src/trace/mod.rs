//! Every message that crossed, on one timeline, with the step that was at work when it did.

mod air;
mod capture;
mod secrets;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fotalab_wire::net::{Clock, UnixMillis};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;

pub(crate) use air::{Block, Coap, Datagram, Outcome, code_name, code_named, type_name};
pub use capture::{Capture, Captured, KeyLog, MAX_CAPTURE_BYTES, Recording};
pub(crate) use secrets::Replacer;
pub use secrets::Secrets;

/// Messages kept of one feature; later ones are counted, not kept.
pub const MAX_MESSAGES: usize = 1_000_000;
/// Bytes that the messages of one feature may take, as JSON; later ones are counted, not kept.
pub const MAX_TRACE_BYTES: usize = 512 * 1024 * 1024;
/// Bytes of a body that a trace keeps.
pub const MAX_BODY_BYTES: usize = 256 * 1024;

/// The timeline of one group. Clones share it.
#[derive(Clone, Debug)]
pub struct Trace {
    clock: Clock,
    capture: Capture,
    inner: Arc<Mutex<Inner>>,
    arrivals: watch::Sender<u64>,
    air: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Inner {
    messages: Vec<Message>,
    bytes: usize,
    step: Option<StepPlace>,
    dropped: u64,
    recording: Recording,
}

/// One message.
#[derive(Clone, Debug)]
pub struct Message {
    /// Number in its group, from 0.
    pub seq: u64,
    /// When, on the group's clock.
    pub at: UnixMillis,
    /// Between whom.
    pub lane: Lane,
    /// Which way, seen from the server under test.
    pub kind: Kind,
    /// The step at work.
    pub step: Option<StepPlace>,
    /// One line for people.
    pub summary: String,
    /// What was in it, as JSON text: a fifth of what the tree of values takes.
    pub detail: Box<str>,
    /// Of a datagram, what others would have to read out of that text again.
    pub(crate) air: Option<Box<Datagram>>,
}

impl Message {
    /// What was in it.
    #[must_use]
    pub fn detail(&self) -> Value {
        serde_json::from_str(&self.detail).unwrap_or_default()
    }
}

/// A datagram as the timeline shows it.
pub(crate) struct Shown {
    pub(crate) kind: Kind,
    pub(crate) summary: String,
    pub(crate) detail: Value,
    pub(crate) air: Box<Datagram>,
}

/// Who talks with the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lane {
    /// The operator's REST requests.
    Rest,
    /// A browser's websocket.
    Websocket,
    /// The cloud that the server asks.
    Upstream,
    /// Devices, and scripted peers: each datagram.
    Air,
}

impl Lane {
    /// As `trace.ndjson` names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Websocket => "websocket",
            Self::Upstream => "upstream",
            Self::Air => "air",
        }
    }
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A request, or a message to the server.
    Request,
    /// An answer, or a message from the server.
    Answer,
    /// A connection opened, refused or closed.
    Connection,
}

impl Kind {
    /// As `trace.ndjson` names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Answer => "answer",
            Self::Connection => "connection",
        }
    }
}

/// Where a step stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepPlace {
    /// The scenario's id.
    pub scenario: Arc<str>,
    /// The step's line in its file.
    pub line: usize,
}

impl Trace {
    /// An empty timeline.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self::capturing(clock, Capture::No)
    }

    /// An empty timeline that keeps datagrams as they crossed, too.
    #[must_use]
    pub fn capturing(clock: Clock, capture: Capture) -> Self {
        Self {
            clock,
            capture,
            inner: Arc::default(),
            arrivals: watch::Sender::new(0),
            air: watch::Sender::new(0),
        }
    }

    /// Says which step is at work from now on.
    pub fn at_step(&self, step: Option<StepPlace>) {
        self.inner().step = step;
    }

    /// Adds a message and wakes who waits for one.
    pub fn record(&self, lane: Lane, kind: Kind, summary: impl Into<String>, detail: Value) {
        self.add(lane, kind, summary.into(), &detail, None);
        self.arrivals.send_modify(|it| *it += 1);
    }

    /// Adds a datagram without waking anybody, and tells its number where it was kept.
    pub(crate) fn show(&self, shown: Shown) -> Option<u64> {
        let Shown {
            kind,
            summary,
            detail,
            air,
        } = shown;
        self.add(Lane::Air, kind, summary, &detail, Some(air))
    }

    /// Counts a datagram that is not shown.
    pub(crate) fn not_shown(&self) {
        self.inner().dropped += 1;
    }

    /// Says more of a datagram, now that more is known.
    pub(crate) fn amend(&self, number: u64, shown: Shown) {
        let mut inner = self.inner();
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        let message = inner.messages.get_mut(at);
        if let Some(message) = message.filter(|it| it.lane == Lane::Air) {
            message.kind = shown.kind;
            message.summary = shown.summary;
            message.detail = json(&shown.detail);
            message.air = Some(shown.air);
        }
    }

    /// Something happened on the air or to a device: wakes who waits for that.
    pub(crate) fn wake(&self) {
        self.air.send_modify(|it| *it += 1);
    }

    /// Wakes on each [`Trace::wake`] after this call.
    pub(crate) fn on_air(&self) -> watch::Receiver<u64> {
        self.air.subscribe()
    }

    fn add(
        &self,
        lane: Lane,
        kind: Kind,
        summary: String,
        detail: &Value,
        air: Option<Box<Datagram>>,
    ) -> Option<u64> {
        let detail = json(detail);
        let bytes = summary.len() + detail.len();
        {
            let mut inner = self.inner();
            if inner.messages.len() >= MAX_MESSAGES || inner.bytes + bytes > MAX_TRACE_BYTES {
                inner.dropped += 1;
                None
            } else {
                let seq = inner.messages.len() as u64;
                let message = Message {
                    seq,
                    at: self.clock.now(),
                    lane,
                    kind,
                    step: inner.step.clone(),
                    summary,
                    detail,
                    air,
                };
                inner.bytes += bytes;
                inner.messages.push(message);
                Some(seq)
            }
        }
    }

    /// Looks at the messages that are there; do not hold on to more than is needed.
    pub(crate) fn look<T>(&self, at: impl FnOnce(&[Message]) -> T) -> T {
        at(&self.inner().messages)
    }

    /// How many were not kept, because there were too many before them.
    pub(crate) fn dropped(&self) -> u64 {
        self.inner().dropped
    }

    /// How many there are; the number the next one gets.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.inner().messages.len() as u64
    }

    /// Whether nothing crossed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Wakes on each message after this call.
    #[must_use]
    pub fn arrivals(&self) -> watch::Receiver<u64> {
        self.arrivals.subscribe()
    }

    /// All messages since the last call, and how many of them were not kept.
    #[must_use]
    pub fn take(&self) -> (Vec<Message>, u64) {
        let mut inner = self.inner();
        inner.bytes = 0;
        let dropped = std::mem::take(&mut inner.dropped);
        (std::mem::take(&mut inner.messages), dropped)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn json(detail: &Value) -> Box<str> {
    // Values have no keys but texts.
    let text = serde_json::to_string(detail).unwrap_or_else(|_| "null".to_owned());
    text.into()
}

/// A body as the trace shows it: JSON as JSON, text as text, the rest as its length.
#[must_use]
pub fn body(bytes: &[u8]) -> Value {
    if bytes.is_empty() {
        return Value::Null;
    }
    if bytes.len() > MAX_BODY_BYTES {
        return Value::String(format!("({} bytes, not kept)", bytes.len()));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())),
        Err(_) => Value::String(format!("({} bytes, binary)", bytes.len())),
    }
}

/// Headers as the trace shows them.
#[must_use]
pub fn headers(headers: &http::HeaderMap) -> Value {
    // The server's clock is not the group's: `Date` would make every trace another one.
    let kept = headers
        .iter()
        .filter(|(name, _)| *name != http::header::DATE);
    let pairs = kept.map(|(name, value)| {
        (
            name.to_string(),
            Value::String(String::from_utf8_lossy(value.as_bytes()).into_owned()),
        )
    });
    Value::Object(pairs.collect())
}
