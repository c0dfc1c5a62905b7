//! The CoAP code that an error of this module should be answered with.

use std::fmt;

/// A CoAP response code as on the wire: three bits of class, five of detail (RFC 7252, 3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(pub u8);

impl Code {
    /// 4.00
    pub const BAD_REQUEST: Self = Self::new(4, 0);
    /// 4.03
    pub const FORBIDDEN: Self = Self::new(4, 3);
    /// 4.04
    pub const NOT_FOUND: Self = Self::new(4, 4);
    /// 4.05
    pub const METHOD_NOT_ALLOWED: Self = Self::new(4, 5);
    /// 4.06
    pub const NOT_ACCEPTABLE: Self = Self::new(4, 6);
    /// 4.12
    pub const PRECONDITION_FAILED: Self = Self::new(4, 12);
    /// 4.13
    pub const REQUEST_ENTITY_TOO_LARGE: Self = Self::new(4, 13);
    /// 4.15
    pub const UNSUPPORTED_CONTENT_FORMAT: Self = Self::new(4, 15);

    /// `class.detail`; class 0..=7, detail 0..=31.
    #[must_use]
    pub const fn new(class: u8, detail: u8) -> Self {
        Self((class << 5) | (detail & 31))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 >> 5, self.0 & 31)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_the_specification_writes_it() {
        assert_eq!(Code::PRECONDITION_FAILED.to_string(), "4.12");
        assert_eq!(Code::BAD_REQUEST.0, 0x80);
    }
}
