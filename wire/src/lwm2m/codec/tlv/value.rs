//! Values in TLV (TS 1.1 C, appendix C): integers in 1, 2, 4 or 8 bytes, floats in 4 or 8, big endian.

use bytes::Bytes;

use super::ERRORS;
use crate::lwm2m::codec::{At, utf8};
use crate::lwm2m::value::{Kind, ObjectLink, Value};

/// The value that bytes are, as a resource of this kind; or what is wrong with them.
pub(super) fn value_of(bytes: &[u8], kind: Kind) -> Result<Value, String> {
    let wrong = |sizes: &str| format!("{} bytes are no {kind} ({sizes})", bytes.len());
    let signed = || match *bytes {
        [a] => Ok(i64::from(a as i8)),
        [a, b] => Ok(i64::from(i16::from_be_bytes([a, b]))),
        [a, b, c, d] => Ok(i64::from(i32::from_be_bytes([a, b, c, d]))),
        [a, b, c, d, e, f, g, h] => Ok(i64::from_be_bytes([a, b, c, d, e, f, g, h])),
        _ => Err(wrong("1, 2, 4 or 8")),
    };
    let text = || utf8(ERRORS, At::Byte, bytes).map_err(|error| error.problem.to_string());
    match kind {
        Kind::String => text().map(Value::String),
        Kind::CoreLink => text().map(Value::CoreLink),
        Kind::Integer => signed().map(Value::Integer),
        Kind::Time => signed().map(Value::Time),
        Kind::Unsigned if matches!(bytes.len(), 1 | 2 | 4 | 8) => Ok(Value::Unsigned(
            bytes
                .iter()
                .fold(0, |number, byte| (number << 8) | u64::from(*byte)),
        )),
        Kind::Unsigned => Err(wrong("1, 2, 4 or 8")),
        Kind::Float => match *bytes {
            [a, b, c, d] => Ok(Value::Float(f64::from(f32::from_be_bytes([a, b, c, d])))),
            [a, b, c, d, e, f, g, h] => {
                Ok(Value::Float(f64::from_be_bytes([a, b, c, d, e, f, g, h])))
            }
            _ => Err(wrong("4 or 8")),
        },
        Kind::Boolean => match *bytes {
            [truth @ 0..=1] => Ok(Value::Boolean(truth == 1)),
            _ => Err("a boolean is one byte, 0 or 1".to_owned()),
        },
        Kind::Opaque => Ok(Value::Opaque(Bytes::copy_from_slice(bytes))),
        Kind::ObjectLink => match *bytes {
            [a, b, c, d] => Ok(Value::ObjectLink(ObjectLink {
                object: u16::from_be_bytes([a, b]),
                instance: u16::from_be_bytes([c, d]),
            })),
            _ => Err(wrong("4")),
        },
    }
}

/// A value in the fewest bytes that its kind may have.
pub(super) fn bytes_of(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) | Value::CoreLink(text) => text.as_bytes().to_vec(),
        Value::Integer(number) | Value::Time(number) => {
            let bytes = number.to_be_bytes();
            let fits = |bits: u32| number << bits >> bits == *number;
            bytes[if fits(56) {
                7
            } else if fits(48) {
                6
            } else if fits(32) {
                4
            } else {
                0
            }..]
                .to_vec()
        }
        Value::Unsigned(number) => {
            let bytes = number.to_be_bytes();
            bytes[match *number {
                0x1_0000_0000.. => 0,
                0x1_0000.. => 4,
                0x100.. => 6,
                _ => 7,
            }..]
                .to_vec()
        }
        #[expect(clippy::float_cmp, reason = "whether nothing at all is lost")]
        Value::Float(number) if f64::from(*number as f32) == *number => {
            (*number as f32).to_be_bytes().to_vec()
        }
        Value::Float(number) => number.to_be_bytes().to_vec(),
        Value::Boolean(truth) => vec![u8::from(*truth)],
        Value::Opaque(bytes) => bytes.to_vec(),
        Value::ObjectLink(link) => {
            [link.object.to_be_bytes(), link.instance.to_be_bytes()].concat()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_take_the_fewest_bytes() {
        for (number, bytes) in [
            (0, &[0][..]),
            (-128, &[0x80]),
            (128, &[0, 0x80]),
            (-32_769, &[0xff, 0xff, 0x7f, 0xff]),
            (1 << 31, &[0, 0, 0, 0, 0x80, 0, 0, 0]),
        ] {
            assert_eq!(bytes_of(&Value::Integer(number)), bytes);
            assert_eq!(value_of(bytes, Kind::Integer), Ok(Value::Integer(number)));
        }
        for (number, bytes) in [(255, &[0xff][..]), (256, &[1, 0]), (65_536, &[0, 1, 0, 0])] {
            assert_eq!(bytes_of(&Value::Unsigned(number)), bytes);
            assert_eq!(value_of(bytes, Kind::Unsigned), Ok(Value::Unsigned(number)));
        }
        assert_eq!(bytes_of(&Value::Float(1.5)).len(), 4);
        assert_eq!(bytes_of(&Value::Float(0.1)).len(), 8);
    }
}
