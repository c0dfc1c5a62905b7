//! `application/cbor` (60): one value, since 1.1 (TS 1.1 C 7.4.6); and the reader of both CBOR
//! formats.

use minicbor::data::{Tag, Type};
use minicbor::{Decoder, Encoder};

use super::senml::cbor::whole;
use super::{At, DecodeError, EncodeError, Errors, check_single_base, leaf, single};
use crate::lwm2m::definition::Definitions;
use crate::lwm2m::error::Problem;
use crate::lwm2m::format::ContentFormat;
use crate::lwm2m::limits;
use crate::lwm2m::node::Tree;
use crate::lwm2m::path::Path;
use crate::lwm2m::value::{Kind, Value};

const ERRORS: Errors = Errors(ContentFormat::Cbor);

/// Seconds since 1970 (RFC 8949, 3.4.2).
const EPOCH_TIME: Tag = Tag::new(1);
/// `[exponent, mantissa]`, a number in base 10 (RFC 8949, 3.4.4).
const DECIMAL_FRACTION: Tag = Tag::new(4);

type Written = Result<(), minicbor::encode::Error<core::convert::Infallible>>;

/// One value; a time with tag 1, an object link as the text `66:0`.
pub fn encode(base: Path, tree: &Tree) -> Result<Vec<u8>, EncodeError> {
    let mut encoder = Encoder::new(Vec::new());
    // Writing to a vector cannot fail.
    let _ = put(&mut encoder, single(ERRORS, base, tree)?);
    Ok(encoder.into_writer())
}

/// One value, of the type that `base` is defined with. A time may lack its tag.
pub fn decode(base: Path, payload: &[u8], definitions: &Definitions) -> Result<Tree, DecodeError> {
    check_single_base(ERRORS, base)?;
    let mut reader = Reader::new(ERRORS, payload)?;
    let kind = definitions.kind(base);
    let value = match reader.datatype()? {
        Type::String | Type::StringIndef if kind == Some(Kind::ObjectLink) => {
            let link = reader.text()?.parse();
            Value::ObjectLink(link.map_err(|why: String| ERRORS.value(At::Node(base), why))?)
        }
        Type::String | Type::StringIndef => Value::String(reader.text()?),
        Type::Bytes | Type::BytesIndef => Value::Opaque(reader.bytes()?.into()),
        Type::Bool => Value::Boolean(reader.run(Decoder::bool)?),
        _ => reader.number()?,
    };
    reader.end()?;
    let value = match kind {
        Some(kind) => value
            .into_kind(kind)
            .map_err(|why| ERRORS.value(At::Node(base), why))?,
        None => value,
    };
    Ok(leaf(base, value))
}

fn put(e: &mut Encoder<Vec<u8>>, value: &Value) -> Written {
    match value {
        Value::String(text) | Value::CoreLink(text) => e.str(text)?,
        Value::Integer(number) => e.i64(*number)?,
        Value::Unsigned(number) => e.u64(*number)?,
        Value::Float(number) => float(e, *number)?,
        Value::Boolean(truth) => e.bool(*truth)?,
        Value::Opaque(bytes) => e.bytes(bytes)?,
        Value::Time(seconds) => e.tag(EPOCH_TIME)?.i64(*seconds)?,
        Value::ObjectLink(link) => e.str(&link.to_string())?,
    };
    Ok(())
}

/// A float in the fewest of 4 and 8 bytes that lose nothing.
#[expect(clippy::float_cmp, reason = "whether nothing at all is lost")]
pub(super) fn float(
    e: &mut Encoder<Vec<u8>>,
    number: f64,
) -> Result<&mut Encoder<Vec<u8>>, minicbor::encode::Error<core::convert::Infallible>> {
    if f64::from(number as f32) == number {
        e.f32(number as f32)
    } else {
        e.f64(number)
    }
}

/// minicbor's decoder with errors that say where and what.
pub(super) struct Reader<'a> {
    errors: Errors,
    decoder: Decoder<'a>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(errors: Errors, payload: &'a [u8]) -> Result<Self, DecodeError> {
        if payload.len() > limits::PAYLOAD {
            return Err(errors.limit(At::Byte(limits::PAYLOAD), "bytes", limits::PAYLOAD));
        }
        Ok(Self {
            errors,
            decoder: Decoder::new(payload),
        })
    }

    pub(super) fn here(&self) -> At {
        At::Byte(self.decoder.position())
    }

    pub(super) fn run<T>(
        &mut self,
        read: impl FnOnce(&mut Decoder<'a>) -> Result<T, minicbor::decode::Error>,
    ) -> Result<T, DecodeError> {
        let start = self.decoder.position();
        read(&mut self.decoder).map_err(|error| self.explain(start, &error))
    }

    pub(super) fn datatype(&mut self) -> Result<Type, DecodeError> {
        let start = self.decoder.position();
        self.decoder
            .datatype()
            .map_err(|error| self.explain(start, &error))
    }

    /// Whether a definite or indefinite array or map has one more item.
    pub(super) fn another(&mut self, left: &mut Option<u64>) -> Result<bool, DecodeError> {
        match left {
            Some(0) => Ok(false),
            Some(count) => {
                *count -= 1;
                Ok(true)
            }
            None if self.datatype()? == Type::Break => {
                self.run(Decoder::skip)?;
                Ok(false)
            }
            None => Ok(true),
        }
    }

    /// A definite or indefinite text.
    pub(super) fn text(&mut self) -> Result<String, DecodeError> {
        self.run(|decoder| decoder.str_iter()?.collect())
    }

    /// A definite or indefinite byte string.
    pub(super) fn bytes(&mut self) -> Result<Vec<u8>, DecodeError> {
        self.run(|decoder| {
            let mut bytes = Vec::new();
            for chunk in decoder.bytes_iter()? {
                bytes.extend_from_slice(chunk?);
            }
            Ok(bytes)
        })
    }

    /// Integer, float of any width, decimal fraction, or a number tagged as time.
    pub(super) fn number(&mut self) -> Result<Value, DecodeError> {
        let start = self.here();
        match self.datatype()? {
            Type::Tag => {
                let tag = self.run(Decoder::tag)?;
                if tag == EPOCH_TIME {
                    return self.plain_number();
                }
                if tag != DECIMAL_FRACTION {
                    let what = format!("tag {} where a number should be", tag.as_u64());
                    return Err(self.errors.syntax(start, what));
                }
                if self.run(Decoder::array)? != Some(2) {
                    return Err(self
                        .errors
                        .syntax(start, "a decimal fraction has two numbers"));
                }
                let exponent = self.run(Decoder::i16)?;
                let mantissa = self.run(Decoder::i64)?;
                let number = format!("{mantissa}e{exponent}").parse::<f64>();
                let number = number.ok().filter(|number| number.is_finite());
                number
                    .map(Value::Float)
                    .ok_or_else(|| self.errors.value(start, "too large a number"))
            }
            _ => self.plain_number(),
        }
    }

    fn plain_number(&mut self) -> Result<Value, DecodeError> {
        match self.datatype()? {
            Type::U8
            | Type::U16
            | Type::U32
            | Type::U64
            | Type::I8
            | Type::I16
            | Type::I32
            | Type::I64
            | Type::Int => {
                let number = self.run(Decoder::int)?;
                Ok(whole(i128::from(number)))
            }
            Type::F16 | Type::F32 | Type::F64 => self.run(Decoder::f64).map(Value::Float),
            other => Err(self.errors.syntax(
                self.here(),
                format!("{} where a number should be", article(other)),
            )),
        }
    }

    /// Passes over one item, of at most `depth` containers inside each other.
    pub(super) fn skip(&mut self, depth: usize) -> Result<(), DecodeError> {
        if depth == 0 {
            return Err(self.errors.limit(
                self.here(),
                "containers inside each other",
                limits::CBOR_DEPTH,
            ));
        }
        match self.datatype()? {
            Type::Array | Type::ArrayIndef => {
                let mut left = self.run(Decoder::array)?;
                while self.another(&mut left)? {
                    self.skip(depth - 1)?;
                }
            }
            Type::Map | Type::MapIndef => {
                let mut left = self.run(Decoder::map)?;
                while self.another(&mut left)? {
                    self.skip(depth - 1)?;
                    self.skip(depth - 1)?;
                }
            }
            Type::Tag => {
                self.run(Decoder::tag)?;
                self.skip(depth - 1)?;
            }
            Type::String | Type::StringIndef => drop(self.text()?),
            Type::Bytes | Type::BytesIndef => drop(self.bytes()?),
            Type::Break => {
                return Err(self
                    .errors
                    .syntax(self.here(), "a break where an item should be"));
            }
            _ => self.run(Decoder::skip)?,
        }
        Ok(())
    }

    /// That nothing follows.
    pub(super) fn end(&self) -> Result<(), DecodeError> {
        match self.decoder.input().len() - self.decoder.position() {
            0 => Ok(()),
            left => Err(self.errors.problem(self.here(), Problem::TooLong(left))),
        }
    }

    fn explain(&self, start: usize, error: &minicbor::decode::Error) -> DecodeError {
        let end = self.decoder.input().len();
        if error.is_end_of_input() {
            return self
                .errors
                .syntax(At::Byte(end), "the payload ends in the middle of an item");
        }
        let found = Decoder::new(&self.decoder.input()[start.min(end)..]).datatype();
        let what = match (found, error.is_type_mismatch()) {
            (Ok(found), true) => format!("{} cannot be here", article(found)),
            _ => error.to_string(),
        };
        self.errors.syntax(At::Byte(start), what)
    }
}

fn article(found: Type) -> String {
    match found {
        Type::Array | Type::ArrayIndef => "an array".to_owned(),
        Type::Map | Type::MapIndef => "a map".to_owned(),
        Type::String | Type::StringIndef => "a string".to_owned(),
        Type::Bytes | Type::BytesIndef => "a byte string".to_owned(),
        other => format!("a {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lwm2m::version::Version;

    fn read(path: &str, payload: &[u8]) -> Result<Value, String> {
        let base = path.parse().unwrap();
        let tree = decode(base, payload, &Definitions::core(Version::V1_1));
        tree.map(|tree| tree.value(base).unwrap().clone())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn reads_numbers_of_every_width() {
        // RFC 8949, appendix A.
        assert_eq!(
            read("/4711/0/0", &[0xf9, 0x3e, 0x00]),
            Ok(Value::Float(1.5))
        );
        assert_eq!(
            read("/4711/0/0", &[0xfa, 0x47, 0xc3, 0x50, 0x00]),
            Ok(Value::Float(100_000.0))
        );
        assert_eq!(
            read("/4711/0/0", &[0x39, 0x03, 0xe7]),
            Ok(Value::Integer(-1000))
        );
        assert_eq!(
            read("/4711/0/0", &[0xc4, 0x82, 0x21, 0x19, 0x6a, 0xb3]),
            Ok(Value::Float(273.15))
        );
        assert_eq!(
            read(
                "/4711/0/0",
                &[0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]
            ),
            Ok(Value::Unsigned(u64::MAX))
        );
        let time = Ok(Value::Time(1_363_896_240));
        assert_eq!(read("/3/0/13", &[0xc1, 0x1a, 0x51, 0x4b, 0x67, 0xb0]), time);
        assert_eq!(read("/3/0/13", &[0x1a, 0x51, 0x4b, 0x67, 0xb0]), time);
    }

    #[test]
    fn says_what_does_not_fit() {
        assert_eq!(
            read("/5/0/3", &[0x61, b'2']),
            Err("CBOR payload, /5/0/3: string \"2\" is no integer".into())
        );
        assert_eq!(
            read("/5/0/3", &[0x02, 0x02]),
            Err("CBOR payload, byte 1: 1 bytes too many".into())
        );
        assert_eq!(
            read("/5/0/3", &[0xf6]),
            Err("CBOR payload, byte 0: a null where a number should be".into())
        );
    }
}
