//! Types and codes of a message (RFC 7252 3 and 12.1).

use std::fmt;

/// The type of a message (RFC 7252 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Wants an acknowledgement (CON).
    Confirmable,
    /// Wants none (NON).
    NonConfirmable,
    /// Acknowledges a confirmable message (ACK).
    Acknowledgement,
    /// Says that a message could not be processed (RST).
    Reset,
}

impl Kind {
    pub(super) fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::Confirmable,
            1 => Self::NonConfirmable,
            2 => Self::Acknowledgement,
            _ => Self::Reset,
        }
    }

    pub(super) fn bits(self) -> u8 {
        match self {
            Self::Confirmable => 0,
            Self::NonConfirmable => 1,
            Self::Acknowledgement => 2,
            Self::Reset => 3,
        }
    }
}

/// A method or response code, `class.detail` (RFC 7252 3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(pub u8);

macro_rules! codes {
    ($($name:ident = $class:literal . $detail:literal, $text:literal;)*) => {
        impl Code {
            $(#[doc = $text] pub const $name: Self = Self($class << 5 | $detail);)*
        }
    };
}

codes! {
    EMPTY = 0 . 0, "0.00, an empty message";
    GET = 0 . 1, "0.01";
    POST = 0 . 2, "0.02";
    PUT = 0 . 3, "0.03";
    DELETE = 0 . 4, "0.04";
    FETCH = 0 . 5, "0.05 (RFC 8132)";
    PATCH = 0 . 6, "0.06 (RFC 8132)";
    IPATCH = 0 . 7, "0.07 (RFC 8132)";
    CREATED = 2 . 1, "2.01";
    DELETED = 2 . 2, "2.02";
    VALID = 2 . 3, "2.03";
    CHANGED = 2 . 4, "2.04";
    CONTENT = 2 . 5, "2.05";
    CONTINUE = 2 . 31, "2.31 (RFC 7959 2.9.1)";
    BAD_REQUEST = 4 . 0, "4.00";
    UNAUTHORIZED = 4 . 1, "4.01";
    BAD_OPTION = 4 . 2, "4.02";
    FORBIDDEN = 4 . 3, "4.03";
    NOT_FOUND = 4 . 4, "4.04";
    METHOD_NOT_ALLOWED = 4 . 5, "4.05";
    NOT_ACCEPTABLE = 4 . 6, "4.06";
    REQUEST_ENTITY_INCOMPLETE = 4 . 8, "4.08 (RFC 7959 2.9.2)";
    CONFLICT = 4 . 9, "4.09 (RFC 8132)";
    PRECONDITION_FAILED = 4 . 12, "4.12";
    REQUEST_ENTITY_TOO_LARGE = 4 . 13, "4.13 (RFC 7959 2.9.3)";
    UNSUPPORTED_CONTENT_FORMAT = 4 . 15, "4.15";
    INTERNAL_SERVER_ERROR = 5 . 0, "5.00";
    NOT_IMPLEMENTED = 5 . 1, "5.01";
    BAD_GATEWAY = 5 . 2, "5.02";
    SERVICE_UNAVAILABLE = 5 . 3, "5.03";
    GATEWAY_TIMEOUT = 5 . 4, "5.04";
    PROXYING_NOT_SUPPORTED = 5 . 5, "5.05";
}

impl Code {
    /// The class: 0 a request, 2 success, 4 client error, 5 server error.
    #[must_use]
    pub fn class(self) -> u8 {
        self.0 >> 5
    }

    /// The two digits after the dot.
    #[must_use]
    pub fn detail(self) -> u8 {
        self.0 & 0x1f
    }

    /// A method.
    #[must_use]
    pub fn is_request(self) -> bool {
        self.class() == 0 && self != Self::EMPTY
    }

    /// A response code (RFC 7252 12.1: 2.00 to 5.31).
    #[must_use]
    pub fn is_response(self) -> bool {
        matches!(self.class(), 2..=5)
    }

    /// A response of class 2.
    #[must_use]
    pub fn is_success(self) -> bool {
        self.class() == 2
    }

    /// A method that changes nothing (RFC 7252 5.1, RFC 8132 2).
    #[must_use]
    pub fn is_safe(self) -> bool {
        matches!(self, Self::GET | Self::FETCH)
    }

    /// One of the classes 1, 6 and 7, which make a message to be rejected (RFC 7252 4.2).
    #[must_use]
    pub fn is_reserved(self) -> bool {
        matches!(self.class(), 1 | 6 | 7)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.class(), self.detail())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A token: 0 to 8 bytes that tie a response to its request (RFC 7252 5.3.1).
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token {
    length: u8,
    bytes: [u8; 8],
}

impl Token {
    /// The longest one.
    pub const MAX: usize = 8;

    /// From its bytes; `None` above eight.
    #[must_use]
    pub fn new(value: &[u8]) -> Option<Self> {
        let mut bytes = [0; Self::MAX];
        bytes.get_mut(..value.len())?.copy_from_slice(value);
        Some(Self {
            length: value.len() as u8,
            bytes,
        })
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.as_bytes() {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}
