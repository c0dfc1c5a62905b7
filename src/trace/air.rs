//! The detail of a message on the air, as far as reports and explanations read it. Steps put much
//! more into it.

use std::borrow::Cow;

use serde::Deserialize;

/// A datagram.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Datagram<'a> {
    #[serde(borrow)]
    pub(crate) device: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) direction: Cow<'a, str>,
    #[serde(default)]
    pub(crate) bytes: u64,
    /// `delivered`, `lost`, `duplicated`, `corrupted` or `late`.
    #[serde(borrow, default)]
    pub(crate) fate: Cow<'a, str>,
    #[serde(default)]
    pub(crate) retransmission: bool,
    #[serde(borrow, default)]
    pub(crate) coap: Option<Coap<'a>>,
}

/// Of a CoAP message (RFC 7252, 3).
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Coap<'a> {
    #[serde(borrow, rename = "type")]
    pub(crate) kind: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) code: Cow<'a, str>,
    pub(crate) mid: u16,
    #[serde(borrow, default)]
    pub(crate) token: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(crate) path: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(crate) block1: Option<Block>,
    #[serde(default)]
    pub(crate) block2: Option<Block>,
    #[serde(default)]
    pub(crate) payload: Option<Payload>,
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

/// A payload, or what the page has to know of it.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Payload {
    #[serde(default)]
    pub(crate) length: u64,
}
