//! SenML as CBOR (112), RFC 8428 section 6: maps with integer labels, and LwM2M's `vlo`.

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

use super::{Entry, Record, integer};
use crate::lwm2m::codec::cbor::{Reader, float};
use crate::lwm2m::definition::Definitions;
use crate::lwm2m::error::{DecodeError, EncodeError, Errors};
use crate::lwm2m::format::ContentFormat;
use crate::lwm2m::limits;
use crate::lwm2m::node::Tree;
use crate::lwm2m::path::Path;
use crate::lwm2m::value::Value;

const FORMAT: ContentFormat = ContentFormat::SenmlCbor;
const ERRORS: Errors = Errors(FORMAT);

/// Integer labels, RFC 8428 table 4.
mod label {
    pub(super) const VERSION: i64 = -1;
    pub(super) const BASE_NAME: i64 = -2;
    pub(super) const BASE_TIME: i64 = -3;
    pub(super) const BASE_UNIT: i64 = -4;
    pub(super) const BASE_VALUE: i64 = -5;
    pub(super) const BASE_SUM: i64 = -6;
    pub(super) const NAME: i64 = 0;
    pub(super) const UNIT: i64 = 1;
    pub(super) const NUMBER: i64 = 2;
    pub(super) const TEXT: i64 = 3;
    pub(super) const TRUTH: i64 = 4;
    pub(super) const SUM: i64 = 5;
    pub(super) const TIME: i64 = 6;
    pub(super) const UPDATE_TIME: i64 = 7;
    pub(super) const BYTES: i64 = 8;
}

/// All that a tree holds at or below `base`.
pub fn encode(base: Path, tree: &Tree) -> Result<Vec<u8>, EncodeError> {
    Ok(write(&super::records(ERRORS, base, tree)?))
}

/// What a pack says of `base`; of values with times, the newest.
pub fn decode(base: Path, payload: &[u8], definitions: &Definitions) -> Result<Tree, DecodeError> {
    super::tree(FORMAT, base, read(payload)?, definitions)
}

/// All values of a pack with their times, in the order written: the body of Send.
pub fn decode_entries(
    payload: &[u8],
    definitions: &Definitions,
) -> Result<Vec<Entry>, DecodeError> {
    super::entries(FORMAT, Path::ROOT, read(payload)?, definitions)
}

/// Values with times: the body of Send.
#[must_use]
pub fn encode_entries(entries: &[Entry]) -> Vec<u8> {
    write(&super::entry_records(entries))
}

/// The paths of a composite read or observe.
pub fn decode_paths(payload: &[u8]) -> Result<Vec<Path>, DecodeError> {
    super::paths(FORMAT, read(payload)?)
}

/// The body of a composite read or observe.
#[must_use]
pub fn encode_paths(paths: &[Path]) -> Vec<u8> {
    write(&super::name_records(paths))
}

/// The records of a pack, base fields not yet worked in.
pub fn read(payload: &[u8]) -> Result<Vec<Record>, DecodeError> {
    let mut reader = Reader::new(ERRORS, payload)?;
    let mut left = reader.run(Decoder::array)?;
    let mut records = Vec::new();
    while reader.another(&mut left)? {
        if records.len() == limits::VALUES {
            return Err(ERRORS.limit(reader.here(), "records", limits::VALUES));
        }
        records.push(record(&mut reader)?);
    }
    reader.end()?;
    Ok(records)
}

/// Writes records as they are, definite lengths throughout.
#[must_use]
pub fn write(records: &[Record]) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    // Writing to a vector cannot fail.
    let _ = write_all(&mut encoder, records);
    encoder.into_writer()
}

type Written = Result<(), minicbor::encode::Error<core::convert::Infallible>>;

fn write_all(e: &mut Encoder<Vec<u8>>, records: &[Record]) -> Written {
    e.array(records.len() as u64)?;
    for record in records {
        let numbers = [
            (label::BASE_TIME, record.base_time),
            (label::BASE_SUM, record.base_sum),
            (label::SUM, record.sum),
            (label::TIME, record.time),
            (label::UPDATE_TIME, record.update_time),
        ];
        let texts = [
            (label::BASE_NAME, &record.base_name),
            (label::BASE_UNIT, &record.base_unit),
            (label::NAME, &record.name),
            (label::UNIT, &record.unit),
        ];
        let values = [&record.base_value, &record.value]
            .into_iter()
            .flatten()
            .count()
            + usize::from(record.base_version.is_some());
        let fields = numbers.iter().filter(|(_, field)| field.is_some()).count()
            + texts.iter().filter(|(_, field)| field.is_some()).count()
            + values;
        e.map(fields as u64)?;
        if let Some(version) = record.base_version {
            e.i64(label::VERSION)?.i64(version)?;
        }
        for (label, text) in texts {
            if let Some(text) = text {
                e.i64(label)?.str(text)?;
            }
        }
        if let Some(base) = &record.base_value {
            e.i64(label::BASE_VALUE)?;
            write_value(e, base)?;
        }
        if let Some(value) = &record.value {
            match value {
                Value::ObjectLink(_) => e.str("vlo")?,
                Value::String(_) | Value::CoreLink(_) => e.i64(label::TEXT)?,
                Value::Boolean(_) => e.i64(label::TRUTH)?,
                Value::Opaque(_) => e.i64(label::BYTES)?,
                Value::Integer(_) | Value::Unsigned(_) | Value::Time(_) | Value::Float(_) => {
                    e.i64(label::NUMBER)?
                }
            };
            write_value(e, value)?;
        }
        for (label, number) in numbers {
            if let Some(number) = number {
                e.i64(label)?;
                // Times are mostly whole seconds: five bytes instead of nine.
                match Value::Float(number).as_i64() {
                    Some(whole) => e.i64(whole)?,
                    None => float(e, number)?,
                };
            }
        }
    }
    Ok(())
}

fn write_value(e: &mut Encoder<Vec<u8>>, value: &Value) -> Written {
    match value {
        Value::Integer(number) | Value::Time(number) => e.i64(*number)?,
        Value::Unsigned(number) => e.u64(*number)?,
        Value::Float(number) => float(e, *number)?,
        Value::String(text) | Value::CoreLink(text) => e.str(text)?,
        Value::Boolean(truth) => e.bool(*truth)?,
        Value::Opaque(bytes) => e.bytes(bytes)?,
        Value::ObjectLink(link) => e.str(&link.to_string())?,
    };
    Ok(())
}

fn record(reader: &mut Reader<'_>) -> Result<Record, DecodeError> {
    let mut record = Record::default();
    let mut left = reader.run(Decoder::map)?;
    while reader.another(&mut left)? {
        let start = reader.here();
        let text_label = matches!(reader.datatype()?, Type::String | Type::StringIndef);
        let key = if text_label {
            reader.text()?
        } else {
            reader.run(Decoder::i64)?.to_string()
        };
        let twice = match key.parse::<i64>() {
            Ok(_) if text_label => {
                return Err(ERRORS.syntax(start, "labels of digits are integers"));
            }
            Ok(label) => field(reader, &mut record, label)?,
            Err(_) if key == "vlo" => {
                let at = reader.here();
                let link = reader
                    .text()?
                    .parse()
                    .map_err(|why: String| ERRORS.value(at, why))?;
                record.value.replace(Value::ObjectLink(link)).is_some()
            }
            Err(_) if key.ends_with('_') => {
                return Err(ERRORS.syntax(start, format!("`{key}` must be understood and is not")));
            }
            Err(_) => {
                reader.skip(limits::CBOR_DEPTH)?;
                false
            }
        };
        if twice {
            let what = format!("label {key}: a record has each field, and one value, only once");
            return Err(ERRORS.syntax(start, what));
        }
    }
    Ok(record)
}

/// Reads the field with an integer label; whether it was there already.
fn field(reader: &mut Reader<'_>, record: &mut Record, label: i64) -> Result<bool, DecodeError> {
    Ok(match label {
        label::BASE_NAME => record.base_name.replace(reader.text()?).is_some(),
        label::BASE_UNIT => record.base_unit.replace(reader.text()?).is_some(),
        label::NAME => record.name.replace(reader.text()?).is_some(),
        label::UNIT => record.unit.replace(reader.text()?).is_some(),
        label::BASE_TIME => record.base_time.replace(seconds(reader)?).is_some(),
        label::BASE_SUM => record.base_sum.replace(seconds(reader)?).is_some(),
        label::SUM => record.sum.replace(seconds(reader)?).is_some(),
        label::TIME => record.time.replace(seconds(reader)?).is_some(),
        label::UPDATE_TIME => record.update_time.replace(seconds(reader)?).is_some(),
        label::VERSION => record
            .base_version
            .replace(reader.run(Decoder::i64)?)
            .is_some(),
        label::BASE_VALUE => record.base_value.replace(reader.number()?).is_some(),
        label::NUMBER => record.value.replace(reader.number()?).is_some(),
        label::TEXT => record
            .value
            .replace(Value::String(reader.text()?))
            .is_some(),
        label::TRUTH => record
            .value
            .replace(Value::Boolean(reader.run(Decoder::bool)?))
            .is_some(),
        label::BYTES => record
            .value
            .replace(Value::Opaque(reader.bytes()?.into()))
            .is_some(),
        _ => {
            reader.skip(limits::CBOR_DEPTH)?;
            false
        }
    })
}

fn seconds(reader: &mut Reader<'_>) -> Result<f64, DecodeError> {
    Ok(reader.number()?.as_f64().unwrap_or_default())
}

/// What [`Reader::number`] makes of a CBOR integer, which may have 65 bits.
pub(crate) fn whole(number: i128) -> Value {
    integer(number).unwrap_or(Value::Float(number as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_where_and_what() {
        for (payload, message) in [
            (
                &[0x81][..],
                "byte 1: the payload ends in the middle of an item",
            ),
            (&[0xa0], "byte 0: a map cannot be here"),
            (
                &[0x81, 0xa1, 0x02, 0x61, 0x31],
                "byte 3: a string where a number should be",
            ),
            (
                &[0x81, 0xa2, 0x02, 1, 0x03, 0x61, 0x31],
                "byte 4: label 3: a record has each field, and one value, only once",
            ),
            (
                &[0x81, 0xa1, 0x62, b'x', b'_', 0],
                "byte 2: `x_` must be understood and is not",
            ),
            (&[0x80, 0], "byte 1: 1 bytes too many"),
            (
                &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
                "byte 9: the payload ends in the middle of an item",
            ),
        ] {
            assert_eq!(
                read(payload).unwrap_err().to_string(),
                format!("SenML CBOR payload, {message}")
            );
        }
    }

    #[test]
    fn lengths_may_be_indefinite() {
        // [_ {_ -2: (_ "/5", "/0/"), 0: "3", 2: 1, "later": [1, [2]]}]
        let payload = [
            0x9f, 0xbf, 0x21, 0x7f, 0x62, b'/', b'5', 0x63, b'/', b'0', b'/', 0xff, 0x00, 0x61,
            b'3', 0x02, 0x01, 0x65, b'l', b'a', b't', b'e', b'r', 0x82, 0x01, 0x81, 0x02, 0xff,
            0xff,
        ];
        let tree = decode(Path::ROOT, &payload, &Definitions::new()).unwrap();
        assert_eq!(
            tree.value(Path::resource(5, 0, 3)),
            Some(&Value::Integer(1))
        );
    }

    #[test]
    fn depth_is_bounded() {
        let mut payload = vec![0x81, 0xa1, 0x61, b'x'];
        payload.extend([0x81; 100_000]);
        assert_eq!(read(&payload).unwrap_err().code().to_string(), "4.13");
    }
}
