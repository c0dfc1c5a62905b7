//! Payloads: one file per content format, all between bytes and a [`Tree`].
//!
//! `base` is the path that the message is about. Encoders write what the tree holds at or below
//! it; decoders refuse what is elsewhere. Definitions give the types that a format does not say.

pub mod cbor;
pub mod json;
pub mod link;
pub mod opaque;
pub mod senml;
pub mod text;
pub mod tlv;

use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};

use super::definition::Definitions;
use super::error::{At, DecodeError, EncodeError, Errors, Problem};
use super::format::ContentFormat;
use super::limits;
use super::node::{Resource, Tree};
use super::path::Path;
use super::value::Value;

/// Writes what `tree` holds at or below `base`.
pub fn encode(format: ContentFormat, base: Path, tree: &Tree) -> Result<Vec<u8>, EncodeError> {
    match format {
        ContentFormat::Text => text::encode(base, tree),
        ContentFormat::Opaque => opaque::encode(base, tree),
        ContentFormat::Cbor => cbor::encode(base, tree),
        ContentFormat::SenmlJson => senml::json::encode(base, tree),
        ContentFormat::SenmlCbor => senml::cbor::encode(base, tree),
        ContentFormat::Tlv => tlv::encode(base, tree),
        ContentFormat::Json => json::encode(base, tree),
        ContentFormat::Link => Err(Errors(format).encode(base, "values are not written in it")),
    }
}

/// Reads what a payload says of `base` and what is below it.
pub fn decode(
    format: ContentFormat,
    base: Path,
    payload: &[u8],
    definitions: &Definitions,
) -> Result<Tree, DecodeError> {
    if payload.len() > limits::PAYLOAD && format != ContentFormat::Opaque {
        let at = At::Byte(limits::PAYLOAD);
        return Err(Errors(format).limit(at, "bytes", limits::PAYLOAD));
    }
    match format {
        ContentFormat::Text => text::decode(base, payload, definitions),
        ContentFormat::Opaque => opaque::decode(base, payload, definitions),
        ContentFormat::Cbor => cbor::decode(base, payload, definitions),
        ContentFormat::SenmlJson => senml::json::decode(base, payload, definitions),
        ContentFormat::SenmlCbor => senml::cbor::decode(base, payload, definitions),
        ContentFormat::Tlv => tlv::decode(base, payload, definitions),
        ContentFormat::Json => json::decode(base, payload, definitions),
        ContentFormat::Link => {
            let what = "it carries links, no values".to_owned();
            Err(Errors(format).problem(At::Byte(0), Problem::Unsupported(what)))
        }
    }
}

/// The one value at `base`, for formats that carry no more.
fn single(errors: Errors, base: Path, tree: &Tree) -> Result<&Value, EncodeError> {
    if base.depth() < 3 {
        return Err(errors.encode(base, "it is more than one value"));
    }
    tree.value(base).ok_or_else(|| {
        errors.encode(
            base,
            match tree.resource(base) {
                Some(Resource::Multiple(_)) if base.depth() == 3 => "it has instances",
                Some(Resource::Single(_)) => "it has no instances",
                _ => "there is nothing",
            },
        )
    })
}

/// That `base` can be what a single-value payload is about.
fn check_single_base(errors: Errors, base: Path) -> Result<(), DecodeError> {
    if base.depth() >= 3 {
        return Ok(());
    }
    let what = format!("it carries one value, {base} is more");
    Err(errors.problem(At::Node(base), Problem::Unsupported(what)))
}

/// A tree with one decoded value.
fn leaf(base: Path, value: Value) -> Tree {
    Tree::of(base, value)
}

/// UTF-8, or where it breaks.
fn utf8(errors: Errors, at: impl Fn(usize) -> At, bytes: &[u8]) -> Result<String, DecodeError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => Err(errors.syntax(at(error.valid_up_to()), "not UTF-8")),
    }
}

/// Base64 as RFC 4648 defines it, with its padding.
fn base64(text: &str) -> Result<Bytes, String> {
    use base64::Engine as _;
    let decoded = base64::engine::general_purpose::STANDARD.decode(text);
    decoded
        .map(Bytes::from)
        .map_err(|error| format!("not base64: {error}"))
}

/// A JSON array of at most [`limits::VALUES`] items; it stops at the first too many.
struct Bounded<T>(Vec<T>);

/// What [`Bounded`] says, to be told apart from what serde_json says.
const TOO_MANY: &str = "too many records";

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Bounded<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Items<T> {
            type Value = Bounded<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of records")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    if items.len() == limits::VALUES {
                        return Err(de::Error::custom(TOO_MANY));
                    }
                    items.push(item);
                }
                Ok(Bounded(items))
            }
        }

        deserializer.deserialize_seq(Items(PhantomData))
    }
}

/// Where in a payload serde_json stopped, from its line and column, and why.
fn json_error(errors: Errors, payload: &[u8], error: &serde_json::Error) -> DecodeError {
    let lines = payload.split_inclusive(|byte| *byte == b'\n');
    let before: usize = lines
        .take(error.line().saturating_sub(1))
        .map(<[u8]>::len)
        .sum();
    let offset = before + error.column().saturating_sub(1);
    let at = At::Byte(offset.min(payload.len()));
    let message = error.to_string();
    let message = message
        .rsplit_once(" at line")
        .map_or(message.as_str(), |(what, _)| what);
    match message {
        TOO_MANY => errors.limit(at, "records", limits::VALUES),
        message => errors.syntax(at, message),
    }
}
