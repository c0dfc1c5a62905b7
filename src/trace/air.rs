//! What is in a message on the air, as far as reports and explanations ask. Its detail tells much
//! more.

use std::{borrow::Cow, hash::BuildHasher as _, sync::Arc};

use fotalab_wire::coap::message::{Code, Kind, Token};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

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
    /// How long it is under way, in milliseconds; 0 in a trace that was read back.
    pub(crate) delay: u32,
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
    /// It comes to whom it was sent, whole.
    pub(crate) const fn arrives(self) -> bool {
        !matches!(self, Self::Lost | Self::Corrupted)
    }

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
            delay: 0,
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
    #[serde(default, deserialize_with = "number")]
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
    #[serde(default, deserialize_with = "number")]
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
            code: code_named(&self.code)?,
            mid: self.mid,
            token: token(&self.token),
            path: self.path.map(Box::from),
            block1: self.block1,
            block2: self.block2,
            payload: self.payload.map_or(0, |it| it.length),
        })
    }
}

/// The code of this name: GET, or 2.05.
pub(crate) fn code_named(name: &str) -> Option<Code> {
    if let Some((method, _)) = METHODS.iter().find(|it| it.1 == name) {
        return Some(*method);
    }
    let (class, detail) = name.split_once('.')?;
    let digits = |it: &str| it.bytes().all(|it| it.is_ascii_digit());
    if class.len() != 1 || !digits(class) || !digits(detail) || detail.len() != 2 {
        return None;
    }
    let (class, detail): (u8, u8) = (class.parse().ok()?, detail.parse().ok()?);
    (class < 8 && detail < 32).then_some(Code(class << 5 | detail))
}

/// What stands for a secret still tells tokens apart.
fn token(digits: &str) -> Token {
    let byte = |it: &[u8]| u8::from_str_radix(std::str::from_utf8(it).ok()?, 16).ok();
    let plain = digits.bytes().all(|it| it.is_ascii_hexdigit());
    let bytes: Option<Vec<u8>> = digits.as_bytes().chunks(2).map(byte).collect();
    let token = bytes.filter(|_| plain).and_then(|it| Token::new(&it));
    token.unwrap_or_else(|| {
        let hash = foldhash::fast::FixedState::default().hash_one(digits);
        Token::new(&hash.to_be_bytes()).unwrap_or_default()
    })
}

/// 0 where something else stands, as it does for a secret that is a number.
fn number<'de, D: Deserializer<'de>, N: TryFrom<u64> + Default>(from: D) -> Result<N, D::Error> {
    let value = Value::deserialize(from)?;
    let number = value.as_u64().and_then(|it| N::try_from(it).ok());
    Ok(number.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_tokens_are_read_as_they_are_written() {
        for number in 0..=u8::MAX {
            assert_eq!(code_named(&code_name(Code(number))), Some(Code(number)));
        }
        assert_eq!(code_name(Code::IPATCH), "iPATCH");
        assert_eq!(code_named("8.00"), None);
        for strange in ["2.5", "2.050", "+2.05", "2.+5", "2.a5", "205"] {
            assert_eq!(code_named(strange), None, "{strange}");
        }
        assert_eq!(token("0aff").as_bytes(), [0x0a, 0xff]);
        assert_eq!(token("").as_bytes(), [0_u8; 0]);
        let stand_ins = ["[token 5f3c9a]", "[token 5f3c9b]", "001122334455667788"].map(token);
        assert_eq!(stand_ins[0], token("[token 5f3c9a]"));
        assert!(stand_ins[0] != stand_ins[1] && stand_ins[1] != stand_ins[2]);
    }

    #[test]
    fn a_number_that_is_a_secret_leaves_the_rest_of_a_datagram() {
        let told = Datagram::told(
            r#"{"device":"a","direction":"up","bytes":"[PIN 1]","coap":{"type":"CON","code":"GET","mid":"[PIN 1]"}}"#,
        );
        let told = told.expect("a datagram");
        assert_eq!((told.bytes, told.coap.expect("CoAP").code), (0, Code::GET));
    }
}
