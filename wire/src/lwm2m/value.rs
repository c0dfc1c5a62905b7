//! What a resource can hold (TS 1.1 C appendix C).

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;

use super::path::parse_id;

/// The type that a definition gives to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// UTF-8 text.
    String,
    /// 64 bit, signed.
    Integer,
    /// 64 bit, unsigned (since LwM2M 1.1).
    Unsigned,
    /// IEEE 754, 32 or 64 bit.
    Float,
    /// True or false.
    Boolean,
    /// Bytes.
    Opaque,
    /// Seconds since 1970-01-01T00:00:00Z.
    Time,
    /// A reference to an object instance.
    ObjectLink,
    /// Text in CoRE link format (since LwM2M 1.1).
    CoreLink,
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// See [`Kind::String`].
    String(String),
    /// See [`Kind::Integer`].
    Integer(i64),
    /// See [`Kind::Unsigned`].
    Unsigned(u64),
    /// See [`Kind::Float`].
    Float(f64),
    /// See [`Kind::Boolean`].
    Boolean(bool),
    /// See [`Kind::Opaque`].
    Opaque(Bytes),
    /// See [`Kind::Time`]; seconds.
    Time(i64),
    /// See [`Kind::ObjectLink`].
    ObjectLink(ObjectLink),
    /// See [`Kind::CoreLink`].
    CoreLink(String),
}

/// `object:instance`; `65535:65535` ([`ObjectLink::NULL`]) points nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ObjectLink {
    /// Object id.
    pub object: u16,
    /// Object instance id.
    pub instance: u16,
}

impl ObjectLink {
    /// The link that points nowhere.
    pub const NULL: Self = Self {
        object: u16::MAX,
        instance: u16::MAX,
    };
}

impl Value {
    /// The kind of this value.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::String(_) => Kind::String,
            Self::Integer(_) => Kind::Integer,
            Self::Unsigned(_) => Kind::Unsigned,
            Self::Float(_) => Kind::Float,
            Self::Boolean(_) => Kind::Boolean,
            Self::Opaque(_) => Kind::Opaque,
            Self::Time(_) => Kind::Time,
            Self::ObjectLink(_) => Kind::ObjectLink,
            Self::CoreLink(_) => Kind::CoreLink,
        }
    }

    /// As a number, for thresholds and conditions; `None` for what is none.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Integer(number) | Self::Time(number) => Some(*number as f64),
            Self::Unsigned(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            _ => None,
        }
    }

    /// As a whole number, for states and results; `None` for what is none or does not fit.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Integer(number) | Self::Time(number) => Some(*number),
            Self::Unsigned(number) => i64::try_from(*number).ok(),
            Self::Float(number) => whole(*number),
            _ => None,
        }
    }

    /// As text, for versions and names.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) | Self::CoreLink(text) => Some(text),
            _ => None,
        }
    }

    /// The same number, text or link as another kind, where nothing is lost; otherwise what is
    /// wrong. JSON and CBOR say less about a type than a definition does.
    pub fn into_kind(self, kind: Kind) -> Result<Self, String> {
        if self.kind() == kind {
            return Ok(self);
        }
        let wrong = format!("{self} is no {kind}");
        let converted = match (kind, self) {
            (Kind::Integer, value) => value.whole_number().map(Self::Integer),
            (Kind::Time, value) => value.whole_number().map(Self::Time),
            (Kind::Unsigned, Self::Integer(number)) => {
                u64::try_from(number).ok().map(Self::Unsigned)
            }
            (Kind::Unsigned, Self::Float(number)) => whole(number)
                .and_then(|n| u64::try_from(n).ok())
                .map(Self::Unsigned),
            (Kind::Float, Self::Integer(number)) => Some(Self::Float(number as f64)),
            (Kind::Float, Self::Unsigned(number)) => Some(Self::Float(number as f64)),
            (Kind::CoreLink, Self::String(text)) => Some(Self::CoreLink(text)),
            _ => None,
        };
        converted.ok_or(wrong)
    }

    fn whole_number(&self) -> Option<i64> {
        match self {
            Self::Boolean(_) => None,
            value => value.as_i64(),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Unsigned => "unsigned integer",
            Self::Float => "float",
            Self::Boolean => "boolean",
            Self::Opaque => "opaque",
            Self::Time => "time",
            Self::ObjectLink => "object link",
            Self::CoreLink => "CoRE link",
        })
    }
}

/// For messages: a kind and a value, long ones cut.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String(text) | Self::CoreLink(text) => {
                let shown: String = text.chars().take(40).collect();
                write!(f, "{} {shown:?}", self.kind())
            }
            Self::Integer(number) | Self::Time(number) => write!(f, "{} {number}", self.kind()),
            Self::Unsigned(number) => write!(f, "unsigned integer {number}"),
            Self::Float(number) => write!(f, "float {number}"),
            Self::Boolean(truth) => write!(f, "boolean {truth}"),
            Self::Opaque(bytes) => write!(f, "{} opaque bytes", bytes.len()),
            Self::ObjectLink(link) => write!(f, "object link {link}"),
        }
    }
}

impl fmt::Display for ObjectLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.object, self.instance)
    }
}

impl FromStr for ObjectLink {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split_once(':')
            .and_then(|(object, instance)| {
                Some(Self {
                    object: parse_id(object)?,
                    instance: parse_id(instance)?,
                })
            })
            .ok_or_else(|| {
                let shown: String = text.chars().take(40).collect();
                format!("`{shown}` is no object link such as 66:0")
            })
    }
}

/// The integer that a float is, exactly.
fn whole(number: f64) -> Option<i64> {
    // 2^63 is exact as a float and the first that does not fit.
    let edge = 2_f64.powi(63);
    let fits = number.fract() == 0.0 && (-edge..edge).contains(&number);
    fits.then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn converts_only_what_stays_the_same() {
        assert_eq!(
            Value::Float(3.0).into_kind(Kind::Integer),
            Ok(Value::Integer(3))
        );
        assert_eq!(Value::Integer(3).into_kind(Kind::Time), Ok(Value::Time(3)));
        assert_eq!(
            Value::Integer(-1).into_kind(Kind::Unsigned),
            Err("integer -1 is no unsigned integer".into())
        );
        assert!(Value::Float(0.5).into_kind(Kind::Integer).is_err());
        assert!(Value::Float(9.3e18).into_kind(Kind::Integer).is_err());
        assert!(Value::Boolean(true).into_kind(Kind::Integer).is_err());
        assert!(Value::String("1".into()).into_kind(Kind::Integer).is_err());
    }

    #[test]
    fn object_links_are_read_strictly() {
        assert_eq!(
            "66:1".parse(),
            Ok(ObjectLink {
                object: 66,
                instance: 1
            })
        );
        assert_eq!("65535:65535".parse(), Ok(ObjectLink::NULL));
        for text in ["66", "66:", "66:-1", "66:65536", "66:1:2"] {
            assert!(text.parse::<ObjectLink>().is_err(), "{text}");
        }
    }
}
