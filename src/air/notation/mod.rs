//! How scenarios write CoAP messages. In one line:
//!
//! ```text
//! -> CON PUT /5/0/0 Block1: 0/1/512 Content-Format: 42
//! <- ACK 2.31 Block1: 0/*
//! <- NON 2.05 /5/0/3 Observe: * [/5/0/3 = 2]
//! ```
//!
//! - `->` leaves the server, `<-` arrives at it; without an arrow either way. Where a peer or a
//!   device has another server, that is the server of its arrows.
//! - `CON`, `NON`, `ACK`, `RST`, or `*`, or nothing for any type.
//! - A method (`GET`, `POST`, `PUT`, `DELETE`, `FETCH`, `PATCH`, `iPATCH`), a code (`2.05`, `4.*`), `0.00` for an empty message, or
//!   `*`.
//! - A path: of a request its own, of an answer that of the request which it answers. Behind `?`
//!   queries that have to be there, in any order, beside others.
//! - Options by name, or by number as `Option-65000`, each with its value; `!Observe`: it has no such option. `MID` and `Token` are written like options. Options
//!   that are not written may be there.
//! - The payload in brackets: its text; `/5/0/3 = 2`, a value that it says; `16 bytes`, its length; `hex:00ff`; nothing: it is empty.
//! - `(lost)`, `(delivered)`, `(duplicated)`, `(corrupted)`, `(late)`: what became of it; `(again)`: it was sent
//!   before. Without such a word it does not matter.
//!
//! `*` stands for any text in paths, queries, values and payloads. In several lines, as a peer
//! sends it: the first is as above, then an option in each line, an empty line, the payload.

mod differ;
mod forms;
mod read;
mod sequence;
mod template;

use fotalab_wire::coap::message::{Code, Kind};

pub(crate) use self::{
    forms::{MESSAGE, MESSAGES, OUTGOING, in_one_line},
    read::{read_block, read_line, read_lines},
    sequence::{Missing, exactly, in_order, nearest},
    template::{Defaults, encode},
};
use super::Outcome;

/// A message as a scenario writes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Notation {
    /// As it is written, in one line.
    pub(crate) text: String,
    /// To the server, or from it.
    up: Option<bool>,
    kind: Option<Kind>,
    code: CodeNotation,
    path: Option<String>,
    query: Vec<String>,
    /// Number and value, as it is written.
    options: Vec<(u16, String)>,
    absent: Vec<u16>,
    id: Option<String>,
    token: Option<String>,
    payload: Option<PayloadNotation>,
    outcome: Option<Outcome>,
    again: bool,
}

/// A code, or several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum CodeNotation {
    #[default]
    Any,
    Is(Code),
    Class(u8),
}

/// A payload.
#[derive(Clone, Debug, PartialEq)]
enum PayloadNotation {
    Empty,
    Length(usize),
    Bytes(Vec<u8>),
    /// A path and the value there, as it is written.
    Value(String, String),
    Text(String),
}

/// One line of several.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Line {
    /// `...`: any messages, or none.
    Gap,
    /// A message.
    Message(Box<Notation>),
}

impl Notation {
    /// Takes bytes for its payload, whatever it says itself.
    pub(crate) fn with_payload(mut self, bytes: Vec<u8>) -> Self {
        self.payload = Some(PayloadNotation::Bytes(bytes));
        self
    }

    /// A response, or an empty acknowledgement or reset: it belongs to a message before it.
    pub(crate) fn is_answer(&self) -> bool {
        let CodeNotation::Is(code) = self.code else {
            return false;
        };
        code.is_response()
            || code == Code::EMPTY && matches!(self.kind, Some(Kind::Acknowledgement | Kind::Reset))
    }

    /// The image that its payload is a part of: name, first byte, byte behind the last.
    pub(crate) fn image(&self) -> Option<(String, Option<(usize, usize)>)> {
        let Some(PayloadNotation::Text(text)) = &self.payload else {
            return None;
        };
        let rest = text.strip_prefix("image:")?;
        let Some((name, range)) = rest.strip_suffix(']').and_then(|it| it.split_once('[')) else {
            return Some((rest.to_owned(), None));
        };
        let (from, to) = range.split_once("..")?;
        Some((
            name.to_owned(),
            Some((from.parse().ok()?, to.parse().ok()?)),
        ))
    }
}
