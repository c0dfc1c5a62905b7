//! One datagram that was sent between a device or a peer and the server.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use fotalab_wire::{
    coap::{
        Message,
        message::{Code, number},
    },
    lwm2m::{ContentFormat, Definitions, Path, Version, codec},
    net::{Fate, UnixMillis},
};
use serde_json::{Value, json};

use super::Outcome;

/// A datagram, whatever became of it.
#[derive(Clone, Debug)]
pub(crate) struct Crossing {
    /// When it was sent.
    pub(crate) at: Duration,
    /// The device or peer that sent it or that it was for.
    pub(crate) party: Arc<str>,
    /// To the server.
    pub(crate) up: bool,
    /// The sender.
    pub(crate) from: SocketAddr,
    /// The receiver.
    pub(crate) to: SocketAddr,
    /// It is a DTLS record.
    pub(crate) secure: bool,
    /// Of a DTLS record its content type (RFC 6347, 4.1).
    pub(crate) record: u8,
    /// Bytes of UDP payload.
    pub(crate) length: usize,
    /// What became of it.
    pub(crate) outcome: Outcome,
    /// How long it is under way.
    pub(crate) delay: Duration,
    /// The same message was sent before.
    pub(crate) retransmission: bool,
    /// What it says in the clear; `None` for a DTLS record that nobody here has opened.
    pub(crate) plain: Option<Bytes>,
    /// The request that it answers.
    pub(crate) answers: Option<Arc<Asked>>,
}

/// A request as its answers refer to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Its method.
    pub(crate) code: Code,
    /// Its path.
    pub(crate) path: String,
}

impl Outcome {
    /// From what the link says.
    pub(crate) fn of(fate: &Fate) -> Self {
        if fate.loss.is_some() {
            Self::Lost
        } else if fate.corrupted {
            Self::Corrupted
        } else if fate.duplicated {
            Self::Duplicated
        } else if fate.reordered {
            Self::Late
        } else {
            Self::Delivered
        }
    }
}

impl Crossing {
    /// The CoAP message, if it is one.
    pub(crate) fn message(&self) -> Option<Message> {
        Message::parse(self.plain.as_ref()?).ok()
    }

    /// As scenarios select from it: what the timeline shows, when, and its line.
    pub(crate) fn view(&self, epoch: UnixMillis) -> Value {
        let at = i64::try_from(self.at.as_millis()).unwrap_or(i64::MAX);
        let mut view = self.detail();
        view["at"] = json!(epoch.saturating_add(at));
        view["summary"] = json!(self.summary());
        view
    }

    /// The values of its payload by path, where it has some.
    pub(crate) fn values(&self, message: &Message) -> BTreeMap<String, Value> {
        let path = match &self.answers {
            Some(asked) => asked.path.clone(),
            None => message.options.path(),
        };
        values(message, &path).unwrap_or_default()
    }
}

/// Decodes a payload that is about `path`.
fn values(message: &Message, path: &str) -> Option<BTreeMap<String, Value>> {
    if message.payload.is_empty() || message.code.class() > 2 {
        return None;
    }
    let format = message.options.uint(number::CONTENT_FORMAT)?;
    let format = ContentFormat::from_number(u16::try_from(format).ok()?)?;
    // A block of a larger body says nothing by itself.
    let part = |option| {
        let block = message.options.block(option);
        block.is_some_and(|it| it.more || it.number > 0)
    };
    if part(number::BLOCK1) || part(number::BLOCK2) {
        return None;
    }
    let path = if path == "/" || path == "/dp" {
        Path::ROOT
    } else {
        path.parse().ok()?
    };
    let definitions = Definitions::core(Version::V1_1);
    let tree = codec::decode(format, path, &message.payload, &definitions).ok()?;
    let pairs = tree.values().filter_map(|(path, value)| {
        use fotalab_wire::lwm2m::Value as V;
        let value = match value {
            V::String(text) | V::CoreLink(text) => json!(text),
            V::Integer(number) | V::Time(number) => json!(number),
            V::Unsigned(number) => json!(number),
            V::Float(number) => json!(number),
            V::Boolean(truth) => json!(truth),
            V::ObjectLink(link) => json!(link.to_string()),
            // Bytes are shown as the payload already.
            V::Opaque(_) => return None,
        };
        Some((path.to_string(), value))
    });
    Some(pairs.collect())
}
