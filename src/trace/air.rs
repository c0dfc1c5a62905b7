//! What is in a message on the air, as far as reports and explanations ask. Its detail tells much
//! more.

use std::{borrow::Cow, sync::Arc};

use fotalab_wire::coap::message::{Code, Kind, Token};
use serde::Deserialize;

/// A datagram.
#[derive(Clone, Debug)]
pub(crate) struct Datagram {
    /// The device or peer that sent it or that it was for.
    pub(crate) device: Arc<str>,
    /// To the server.
    pub(crate) up: bool,
    /// Bytes of UDP payload.
    pub(crate) bytes: u64,
    pub(crate) outcome: Outcome,
    pub(crate) retransmission: bool,
    pub(crate) coap: Option<Coap>,
}

/// Of a CoAP message (RFC 7252, 3).
#[derive(Clone, Debug)]
pub(crate) struct Coap {
    pub(crate) kind: Kind,
    pub(crate) code: Code,
    pub(crate) mid: u16,
    pub(crate) token: Token,
    /// Of a request.
    pub(crate) path: Option<Box<str>>,
    pub(crate) block1: Option<Block>,
    pub(crate) block2: Option<Block>,
    /// Bytes of its payload.
    pub(crate) payload: u64,
}

/// A block option (RFC 7959, 2.2).
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Block {
    pub(crate) num: u32,
    pub(crate) more: bool,
    pub(crate) size: u32,
}

impl Block {
    /// Where in the body it begins: sizes may change on the way (RFC 7959, 2.3).
    pub(crate) fn offset(self) -> u64 {
        u64::from(self.num) * u64::from(self.size)
    }
}

/// What became of a datagram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It arrived.
    #[default]
    Delivered,
    /// It did not.
    Lost,
    /// It arrived twice.
    Duplicated,
    /// It arrived with bits flipped.
    Corrupted,
    /// It was held back, so that later ones may have overtaken it.
    Late,
}

impl Outcome {
    /// Its name in traces and scenarios.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Lost => "lost",
            Self::Duplicated => "duplicated",
            Self::Corrupted => "corrupted",
            Self::Late => "late",
        }
    }
}

const OUTCOMES: [Outcome; 5] = [
    Outcome::Delivered,
    Outcome::Lost,
    Outcome::Duplicated,
    Outcome::Corrupted,
    Outcome::Late,
];

/// CON, NON, ACK, RST.
pub(crate) const fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Confirmable => "CON",
        Kind::NonConfirmable => "NON",
        Kind::Acknowledgement => "ACK",
        Kind::Reset => "RST",
    }
}

/// GET, or 2.05.
pub(crate) fn code_name(code: Code) -> Cow<'static, str> {
    match METHODS.iter().find(|it| it.0 == code) {
        Some((_, method)) => Cow::Borrowed(method),
        None => Cow::Owned(code.to_string()),
    }
}

const METHODS: [(Code, &str); 7] = [
    (Code::GET, "GET"),
    (Code::POST, "POST"),
    (Code::PUT, "PUT"),
    (Code::DELETE, "DELETE"),
    (Code::FETCH, "FETCH"),
    (Code::PATCH, "PATCH"),
    (Code::IPATCH, "iPATCH"),
];

impl Datagram {
    /// What the detail of a message says; nothing where that is no datagram. Words that no version
    /// of fotalab writes are passed over: people put traces together, too.
    pub(crate) fn told(detail: &str) -> Option<Box<Self>> {
        let told: Told<'_> = serde_json::from_str(detail).ok()?;
        let outcomes = OUTCOMES.iter().find(|it| it.name() == told.fate);
        Some(Box::new(Self {
            device: Arc::from(told.device),
            up: told.direction == "up",
            bytes: told.bytes,
            outcome: outcomes.copied().unwrap_or_default(),
            retransmission: told.retransmission,
            coap: told.coap.and_then(ToldCoap::read),
        }))
    }
}

/// The detail of a message on the air.
#[derive(Deserialize)]
struct Told<'a> {
    #[serde(borrow)]
    device: Cow<'a, str>,
    #[serde(borrow)]
    direction: Cow<'a, str>,
    #[serde(default)]
    bytes: u64,
    #[serde(borrow, default)]
    fate: Cow<'a, str>,
    #[serde(default)]
    retransmission: bool,
    #[serde(borrow, default)]
    coap: Option<ToldCoap<'a>>,
}

#[derive(Deserialize)]
struct ToldCoap<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    code: Cow<'a, str>,
    #[serde(default)]
    mid: u16,
    #[serde(borrow, default)]
    token: Cow<'a, str>,
    #[serde(borrow, default)]
    path: Option<Cow<'a, str>>,
    #[serde(default)]
    block1: Option<Block>,
    #[serde(default)]
    block2: Option<Block>,
    #[serde(default)]
    payload: Option<ToldPayload>,
}

#[derive(Deserialize)]
struct ToldPayload {
    #[serde(default)]
    length: u64,
}

impl ToldCoap<'_> {
    fn read(self) -> Option<Coap> {
        let kinds = [
            Kind::Confirmable,
            Kind::NonConfirmable,
            Kind::Acknowledgement,
            Kind::Reset,
        ];
        Some(Coap {
            kind: kinds.into_iter().find(|it| type_name(*it) == self.kind)?,
            code: code(&self.code)?,
            mid: self.mid,
            token: token(&self.token)?,
            path: self.path.map(Box::from),
            block1: self.block1,
            block2: self.block2,
            payload: self.payload.map_or(0, |it| it.length),
        })
    }
}

fn code(name: &str) -> Option<Code> {
    if let Some((method, _)) = METHODS.iter().find(|it| it.1 == name) {
        return Some(*method);
    }
    let (class, detail) = name.split_once('.')?;
    let (class, detail): (u8, u8) = (class.parse().ok()?, detail.parse().ok()?);
    (class < 8 && detail < 32).then_some(Code(class << 5 | detail))
}

fn token(digits: &str) -> Option<Token> {
    let digits = digits.as_bytes().chunks(2);
    let byte = |it: &[u8]| u8::from_str_radix(std::str::from_utf8(it).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = digits.map(byte).collect();
    Token::new(&bytes?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_tokens_are_read_as_they_are_written() {
        for number in 0..=u8::MAX {
            assert_eq!(code(&code_name(Code(number))), Some(Code(number)));
        }
        assert_eq!(code_name(Code::IPATCH), "iPATCH");
        assert_eq!(code("8.00"), None);
        assert_eq!(token("0aff").expect("two bytes").as_bytes(), [0x0a, 0xff]);
        assert_eq!(token("").expect("none").as_bytes(), [0_u8; 0]);
        assert!(token("[token 5f3c9a]").is_none() && token("001122334455667788").is_none());
    }
}
