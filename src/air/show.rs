//! A crossing as the timeline shows it: one line for people, JSON for machines.

use std::{fmt::Write as _, sync::Arc};

use bytes::Bytes;
use fotalab_wire::coap::{Message, message::number};
use serde_json::{Map, Value, json};

use super::{
    Crossing,
    limits::{SHOWN_BLOCK_BYTES, SHOWN_PAYLOAD_BYTES, SHOWN_RAW_BYTES},
};
use crate::trace::{self, Block, Coap, Datagram, Shown, code_name, type_name};

/// How an option's value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A number.
    Number,
    /// Text.
    Text,
    /// Bytes.
    Bytes,
    /// A block: number, more, size.
    Block,
    /// Nothing.
    Empty,
}

/// The options that have names, by number.
pub(crate) const OPTIONS: &[(u16, &str, Form)] = &[
    (number::IF_MATCH, "If-Match", Form::Bytes),
    (number::URI_HOST, "Uri-Host", Form::Text),
    (number::ETAG, "ETag", Form::Bytes),
    (number::IF_NONE_MATCH, "If-None-Match", Form::Empty),
    (number::OBSERVE, "Observe", Form::Number),
    (number::URI_PORT, "Uri-Port", Form::Number),
    (number::LOCATION_PATH, "Location-Path", Form::Text),
    (number::URI_PATH, "Uri-Path", Form::Text),
    (number::CONTENT_FORMAT, "Content-Format", Form::Number),
    (number::MAX_AGE, "Max-Age", Form::Number),
    (number::URI_QUERY, "Uri-Query", Form::Text),
    (number::ACCEPT, "Accept", Form::Number),
    (number::LOCATION_QUERY, "Location-Query", Form::Text),
    (number::BLOCK2, "Block2", Form::Block),
    (number::BLOCK1, "Block1", Form::Block),
    (number::SIZE2, "Size2", Form::Number),
    (number::PROXY_URI, "Proxy-Uri", Form::Text),
    (number::PROXY_SCHEME, "Proxy-Scheme", Form::Text),
    (number::SIZE1, "Size1", Form::Number),
    (number::REQUEST_TAG, "Request-Tag", Form::Bytes),
];

/// An option's name and how its value is written; `Option 65000` for one without a name.
pub(crate) fn option_named(number: u16) -> (String, Form) {
    match OPTIONS.iter().find(|(it, ..)| *it == number) {
        Some((_, name, form)) => ((*name).to_owned(), *form),
        None => (format!("Option-{number}"), Form::Bytes),
    }
}

/// An option's value as people write it.
pub(crate) fn option_value(form: Form, value: &[u8]) -> String {
    let number = fotalab_wire::coap::message::uint(value);
    match (form, number) {
        (Form::Number, Some(number)) => number.to_string(),
        (Form::Block, Some(number)) => block_text(number),
        (Form::Text, _) => match std::str::from_utf8(value) {
            Ok(text) => text.to_owned(),
            Err(_) => format!("hex:{}", hex(value)),
        },
        (Form::Empty, _) if value.is_empty() => String::new(),
        _ => format!("hex:{}", hex(value)),
    }
}

/// NUM/M/bytes; the reserved size exponent 7 as `reserved`.
fn block_text(value: u32) -> String {
    let (number, more, exponent) = (value >> 4, value >> 3 & 1, value & 7);
    match exponent {
        7 => format!("{number}/{more}/reserved"),
        exponent => format!("{number}/{more}/{}", 16 << exponent),
    }
}

/// Hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(DIGITS[usize::from(digit)]));
        }
    }
    text
}

/// The Uri-Query options.
pub(crate) fn queries(message: &Message) -> Vec<String> {
    let items = message.options.iter();
    items
        .filter(|(it, _)| *it == number::URI_QUERY)
        .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
        .collect()
}

impl Crossing {
    /// All that the timeline shows of it.
    pub(crate) fn shown(&self) -> Shown {
        let message = self.message();
        let kind = match (&self.plain, &message) {
            (None, _) => trace::Kind::Connection,
            (_, Some(message)) if !message.code.is_request() => trace::Kind::Answer,
            _ => trace::Kind::Request,
        };
        Shown {
            kind,
            summary: self.summary_of(message.as_ref()),
            detail: self.detail_of(message.as_ref(), true),
            air: Box::new(facts(self, message.as_ref())),
        }
    }

    /// One line: `CON PUT /5/0/0 Block1:3/1/512 [512 bytes]`.
    pub(crate) fn summary(&self) -> String {
        self.summary_of(self.message().as_ref())
    }

    /// As scenarios select from it.
    pub(crate) fn detail(&self) -> Value {
        self.detail_of(self.message().as_ref(), false)
    }

    fn summary_of(&self, message: Option<&Message>) -> String {
        let Some(plain) = &self.plain else {
            return format!("{} ({} bytes)", record_name(self), self.length);
        };
        let Some(message) = message else {
            return format!("no CoAP message: {}", short_hex(plain));
        };
        let mut line = format!("{} {}", type_name(message.kind), code_name(message.code));
        if message.code.is_request() {
            let _ = write!(line, " {}", message.options.path());
            let query = queries(message);
            if !query.is_empty() {
                let _ = write!(line, "?{}", query.join("&"));
            }
        }
        for (number, value) in message.options.iter() {
            if matches!(number, number::URI_PATH | number::URI_QUERY) {
                continue;
            }
            let (name, form) = option_named(number);
            let _ = write!(line, " {name}:{}", option_value(form, value));
        }
        let payload = payload_text(self, message);
        if !payload.is_empty() {
            let _ = write!(line, " [{payload}]");
        }
        line
    }

    /// `brief`: without the bytes of what is decoded, and among its options without those that are
    /// told by themselves.
    fn detail_of(&self, message: Option<&Message>, brief: bool) -> Value {
        let mut detail = json!({
            "device": &*self.party,
            "direction": if self.up { "up" } else { "down" },
            "from": self.from.to_string(),
            "to": self.to.to_string(),
            "transport": if self.secure { "dtls" } else { "udp" },
            "bytes": self.length,
            "fate": self.outcome.name(),
        });
        if self.retransmission {
            detail["retransmission"] = json!(true);
        }
        if let Some(message) = message {
            detail["coap"] = coap_of(self, message, brief);
        }
        let shows = !(self.secure || brief && message.is_some());
        if let Some(plain) = self.plain.as_ref().filter(|_| shows) {
            detail["raw"] = json!(cut_hex(plain, SHOWN_RAW_BYTES));
        }
        detail
    }
}

/// What reports read most.
fn facts(crossing: &Crossing, message: Option<&Message>) -> Datagram {
    let coap = message.map(|message| {
        let block = |option| {
            let value = message.options.uint(option)?;
            Some(Block {
                num: value >> 4,
                more: value & 8 != 0,
                size: 16 << (value & 7),
            })
        };
        Coap {
            kind: message.kind,
            code: message.code,
            mid: message.id,
            token: message.token,
            path: (message.code.is_request()).then(|| message.options.path().into()),
            block1: block(number::BLOCK1),
            block2: block(number::BLOCK2),
            payload: message.payload.len() as u64,
        }
    });
    Datagram {
        device: Arc::clone(&crossing.party),
        up: crossing.up,
        bytes: crossing.length as u64,
        outcome: crossing.outcome,
        delay: u32::try_from(crossing.delay.as_millis()).unwrap_or(u32::MAX),
        retransmission: crossing.retransmission,
        coap,
    }
}

/// The message as JSON, as scenarios select from it.
pub(crate) fn coap(crossing: &Crossing, message: &Message) -> Value {
    coap_of(crossing, message, false)
}

fn coap_of(crossing: &Crossing, message: &Message, brief: bool) -> Value {
    let mut json = Map::new();
    json.insert("type".into(), json!(type_name(message.kind)));
    json.insert("code".into(), json!(code_name(message.code)));
    json.insert("mid".into(), json!(message.id));
    json.insert("token".into(), json!(hex(message.token.as_bytes())));
    if message.code.is_request() {
        json.insert("path".into(), json!(message.options.path()));
        let query = queries(message);
        if !brief || !query.is_empty() {
            json.insert("query".into(), json!(query));
        }
    } else if let Some(asked) = &crossing.answers {
        json.insert("answers".into(), json!(asked.path));
    }
    let mut options = Vec::new();
    let mut before = None;
    for (number, value) in message.options.iter() {
        let uint = fotalab_wire::coap::message::uint(value);
        let repeated = before.replace(number) == Some(number);
        match (number, uint) {
            (number::URI_PATH | number::URI_QUERY, _) => continue,
            // Of several the first one counts; all but it are options like others.
            _ if repeated => {}
            (number::BLOCK1 | number::BLOCK2, Some(uint)) => {
                let field = if number == number::BLOCK1 {
                    "block1"
                } else {
                    "block2"
                };
                let block = json!({ "num": uint >> 4, "more": uint & 8 != 0, "size": 16_u32 << (uint & 7) });
                json.insert(field.into(), block);
                // The reserved size (RFC 7959, 2.2) is named among the options.
                if brief && uint & 7 < 7 {
                    continue;
                }
            }
            (number::CONTENT_FORMAT, Some(uint)) => {
                json.insert("format".into(), json!(uint));
                if brief {
                    continue;
                }
            }
            _ => {}
        }
        let (name, form) = option_named(number);
        let shown = match (form, uint) {
            (Form::Number, Some(uint)) => json!(uint),
            _ => json!(option_value(form, value)),
        };
        options.push(json!({ "name": name, "value": shown }));
    }
    if !brief || !options.is_empty() {
        json.insert("options".into(), Value::Array(options));
    }
    if !message.payload.is_empty() {
        let mut payload = json!({ "length": message.payload.len() });
        let text = printable(&message.payload);
        if !brief || text.is_none() {
            let block = brief && (json.contains_key("block1") || json.contains_key("block2"));
            let most = match block {
                true => SHOWN_BLOCK_BYTES,
                false => SHOWN_PAYLOAD_BYTES,
            };
            payload["hex"] = json!(cut_hex(&message.payload, most));
        }
        if let Some(text) = text {
            payload["text"] = json!(text);
        }
        let values = crossing.values(message);
        if !values.is_empty() {
            payload["values"] = json!(values);
        }
        json.insert("payload".into(), payload);
    }
    json.into()
}

/// A payload in one line: its values, its text, or its length.
pub(crate) fn payload_text(crossing: &Crossing, message: &Message) -> String {
    let payload = &message.payload;
    if payload.is_empty() {
        return String::new();
    }
    let values = crossing.values(message);
    if !values.is_empty() && values.len() <= 4 {
        let pairs = values
            .iter()
            .map(|(path, value)| format!("{path} = {value}"));
        return pairs.collect::<Vec<_>>().join(", ");
    }
    match printable(payload) {
        Some(text) if text.len() <= 80 => text.to_owned(),
        _ => format!("{} bytes", payload.len()),
    }
}

fn printable(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let shown = text.len() <= 4 * SHOWN_PAYLOAD_BYTES && !text.chars().any(char::is_control);
    shown.then_some(text)
}

fn record_name(crossing: &Crossing) -> &'static str {
    // RFC 5246, 6.2.1.
    match crossing.record {
        20 => "DTLS change of cipher",
        21 => "DTLS alert",
        22 => "DTLS handshake",
        23 => "DTLS data",
        _ => "DTLS record",
    }
}

fn short_hex(bytes: &Bytes) -> String {
    cut_hex(bytes, 32)
}

/// Digits of so many bytes at most. The mark tells that a secret may have been cut.
fn cut_hex(bytes: &[u8], most: usize) -> String {
    let mut shown = hex(&bytes[..bytes.len().min(most)]);
    if bytes.len() > most {
        shown.push('…');
    }
    shown
}
