//! The simple CoAP protocol of Horde and Span: what a device says by `POST /u`, and what it is told.
//!
//! Both are entries of one byte id, one byte length, and the value, one after the other; texts are
//! raw bytes without a NUL, the order of a report is free. The field ids of a report that are
//! spoken are those of Span's documentation and of all device samples; Horde's own server had 2 and
//! 4 the other way round ([`Fields`]).

use thiserror::Error;

/// Longest value: its length is one byte.
pub const LONGEST: usize = 255;

/// What a device says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What it runs.
    pub version: String,
    /// Its model.
    pub model: String,
    /// Its serial number.
    pub serial: String,
    /// Who made it.
    pub manufacturer: String,
}

/// What a device is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Where the image is; device samples have room for 24 characters.
    pub host: String,
    /// The port there.
    pub port: u32,
    /// The path there; device samples have room for 9 characters.
    pub path: String,
    /// There is an image for it.
    pub available: bool,
}

/// Which field ids 2 and 4 mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fields {
    /// 2 is the model, 4 the manufacturer.
    #[default]
    Span,
    /// 2 is the manufacturer, 4 the model.
    Horde,
}

/// Bytes that are no report and no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Malformed {
    /// An entry goes on behind the end.
    #[error("the entry at byte {0} goes on behind the end")]
    CutOff(usize),
    /// Nobody knows this field.
    #[error("field {0} is not known")]
    UnknownField(u8),
    /// A field of another length than its value has.
    #[error("field {0} has a wrong length")]
    Length(u8),
    /// A text that is none.
    #[error("field {0} is not UTF-8")]
    Text(u8),
    /// A field that has to be there is not.
    #[error("field {0} is missing")]
    Missing(u8),
}

/// A value that no length byte can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("field {0} is longer than {LONGEST} bytes")]
pub struct TooLong(u8);

impl Report {
    /// As a payload; what is empty is left out.
    pub fn to_bytes(&self, fields: Fields) -> Result<Vec<u8>, TooLong> {
        let (second, fourth) = match fields {
            Fields::Span => (&self.model, &self.manufacturer),
            Fields::Horde => (&self.manufacturer, &self.model),
        };
        let texts = [&self.version, second, &self.serial, fourth];
        let mut out = Vec::new();
        for (id, text) in (1_u8..).zip(texts) {
            if !text.is_empty() {
                put(&mut out, id, text.as_bytes())?;
            }
        }
        Ok(out)
    }

    /// From a payload.
    pub fn parse(payload: &[u8], fields: Fields) -> Result<Self, Malformed> {
        let mut report = Self::default();
        for entry in Entries::of(payload) {
            let (id, value) = entry?;
            let field = match (id, fields) {
                (1, _) => &mut report.version,
                (2, Fields::Span) | (4, Fields::Horde) => &mut report.model,
                (3, _) => &mut report.serial,
                (2, Fields::Horde) | (4, Fields::Span) => &mut report.manufacturer,
                _ => return Err(Malformed::UnknownField(id)),
            };
            *field = text(id, value)?;
        }
        Ok(report)
    }
}

impl Answer {
    /// As a payload: always all four fields, in this order.
    pub fn to_bytes(&self) -> Result<Vec<u8>, TooLong> {
        let mut out = Vec::new();
        put(&mut out, 1, self.host.as_bytes())?;
        put(&mut out, 2, &self.port.to_be_bytes())?;
        put(&mut out, 3, self.path.as_bytes())?;
        put(&mut out, 4, &[u8::from(self.available)])?;
        Ok(out)
    }

    /// From a payload.
    pub fn parse(payload: &[u8]) -> Result<Self, Malformed> {
        let (mut host, mut port, mut path, mut available) = (None, None, None, None);
        for entry in Entries::of(payload) {
            let (id, value) = entry?;
            match (id, value) {
                (1, _) => host = Some(text(id, value)?),
                (2, _) => {
                    let bytes = value.try_into().map_err(|_| Malformed::Length(id))?;
                    port = Some(u32::from_be_bytes(bytes));
                }
                (3, _) => path = Some(text(id, value)?),
                (4, [byte]) => available = Some(*byte == 1),
                (4, _) => return Err(Malformed::Length(id)),
                _ => return Err(Malformed::UnknownField(id)),
            }
        }
        Ok(Self {
            host: host.ok_or(Malformed::Missing(1))?,
            port: port.ok_or(Malformed::Missing(2))?,
            path: path.ok_or(Malformed::Missing(3))?,
            available: available.ok_or(Malformed::Missing(4))?,
        })
    }
}

struct Entries<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Entries<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<(u8, &'a [u8]), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let id = *self.bytes.get(self.at)?;
        let start = self.at + 2;
        let length = self.bytes.get(self.at + 1).copied().map(usize::from);
        let value = length.and_then(|length| self.bytes.get(start..start + length));
        let Some(value) = value else {
            let at = std::mem::replace(&mut self.at, self.bytes.len());
            return Some(Err(Malformed::CutOff(at)));
        };
        self.at = start + value.len();
        Some(Ok((id, value)))
    }
}

fn text(id: u8, value: &[u8]) -> Result<String, Malformed> {
    let text = std::str::from_utf8(value).map_err(|_| Malformed::Text(id))?;
    Ok(text.to_owned())
}

fn put(out: &mut Vec<u8>, id: u8, value: &[u8]) -> Result<(), TooLong> {
    let length = u8::try_from(value.len()).map_err(|_| TooLong(id))?;
    out.extend([id, length]);
    out.extend_from_slice(value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of Horde's own server for 127.0.0.1:5683 and /fw.
    const ANSWER: [u8; 24] = [
        0x01, 0x09, 0x31, 0x32, 0x37, 0x2e, 0x30, 0x2e, 0x30, 0x2e, 0x31, 0x02, 0x04, 0x00, 0x00,
        0x16, 0x33, 0x03, 0x03, 0x2f, 0x66, 0x77, 0x04, 0x01,
    ];

    #[test]
    fn an_answer_is_as_devices_expect_it() {
        let answer = Answer {
            host: "127.0.0.1".into(),
            port: 5683,
            path: "/fw".into(),
            available: true,
        };
        let mut bytes = ANSWER.to_vec();
        bytes.push(0x01);
        assert_eq!(answer.to_bytes().unwrap(), bytes);
        assert_eq!(Answer::parse(&bytes), Ok(answer));
        assert_eq!(Answer::parse(&ANSWER), Err(Malformed::CutOff(22)));
        assert_eq!(Answer::parse(&[4, 1, 1]), Err(Malformed::Missing(1)));
        assert_eq!(Answer::parse(&[2, 2, 1, 1]), Err(Malformed::Length(2)));
        assert_eq!(Answer::parse(&[9, 0]), Err(Malformed::UnknownField(9)));
    }

    #[test]
    fn a_report_comes_in_any_order() {
        // 4 manufacturer, 1 version, 2 model, 3 serial: by hand from the samples' description.
        let payload = b"\x04\x03ACM\x01\x031.0\x02\x02m1\x03\x01s";
        let report = Report {
            version: "1.0".into(),
            model: "m1".into(),
            serial: "s".into(),
            manufacturer: "ACM".into(),
        };
        assert_eq!(Report::parse(payload, Fields::Span), Ok(report.clone()));
        let other = Report::parse(payload, Fields::Horde).unwrap();
        assert_eq!((&*other.model, &*other.manufacturer), ("ACM", "m1"));
        for fields in [Fields::Span, Fields::Horde] {
            let bytes = report.to_bytes(fields).unwrap();
            assert_eq!(Report::parse(&bytes, fields), Ok(report.clone()));
        }
        assert_eq!(Report::parse(b"", Fields::Span), Ok(Report::default()));
        for (payload, wrong) in [
            (&b"\x05\x00"[..], Malformed::UnknownField(5)),
            (b"\x01", Malformed::CutOff(0)),
            (b"\x01\x011\x02\x09x", Malformed::CutOff(3)),
            (b"\x01\x01\xff", Malformed::Text(1)),
        ] {
            assert_eq!(Report::parse(payload, Fields::Span), Err(wrong));
        }
        let long = Report {
            version: "v".repeat(256),
            ..Report::default()
        };
        assert_eq!(long.to_bytes(Fields::Span), Err(TooLong(1)));
    }
}
