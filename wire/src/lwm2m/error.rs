//! What can be wrong with a payload: where, and what.

use std::fmt;

use thiserror::Error;

use super::format::ContentFormat;
use super::path::Path;
use crate::coap::Code;

/// A payload that could not be understood.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("{format} payload, {at}: {problem}")]
pub struct DecodeError {
    /// As what it was read.
    pub format: ContentFormat,
    /// Where in it.
    pub at: At,
    /// What is wrong there.
    pub problem: Problem,
}

/// A place in a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    /// Bytes from the start of the payload.
    Byte(usize),
    /// A record of a SenML pack or an entry of old JSON, from 0.
    Record(usize),
    /// The value of a node.
    Node(Path),
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum Problem {
    /// It ends where more should be.
    #[error("{needed} more bytes should follow, {left} are left")]
    CutOff {
        /// Bytes that should be there.
        needed: usize,
        /// Bytes that are.
        left: usize,
    },
    /// Something after the end.
    #[error("{0} bytes too many")]
    TooLong(usize),
    /// A bound of [`super::limits`] is crossed.
    #[error("more than {limit} {what}")]
    Limit {
        /// Of what.
        what: &'static str,
        /// The most that is taken.
        limit: usize,
    },
    /// Not the syntax of the format.
    #[error("{0}")]
    Syntax(String),
    /// A value that its resource cannot have.
    #[error("{0}")]
    Value(String),
    /// A path that is none.
    #[error("{0}")]
    Path(String),
    /// A node that was not asked for or addressed.
    #[error("{found} is outside {base}")]
    Outside {
        /// What the payload speaks of.
        found: Path,
        /// What the message is about.
        base: Path,
    },
    /// The same thing twice.
    #[error("{0} is there twice")]
    Twice(Path),
    /// The format cannot say this, or is not read here.
    #[error("{0}")]
    Unsupported(String),
}

impl DecodeError {
    /// What a request with such a payload is answered with.
    #[must_use]
    pub fn code(&self) -> Code {
        match self.problem {
            Problem::Limit { .. } => Code::REQUEST_ENTITY_TOO_LARGE,
            Problem::Unsupported(_) => Code::UNSUPPORTED_CONTENT_FORMAT,
            _ => Code::BAD_REQUEST,
        }
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Byte(offset) => write!(f, "byte {offset}"),
            Self::Record(index) => write!(f, "record {index}"),
            Self::Node(path) => write!(f, "{path}"),
        }
    }
}

/// Something that a format cannot say.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("{path} cannot be written as {format}: {why}")]
pub struct EncodeError {
    /// As what it should have been written.
    pub format: ContentFormat,
    /// What should have been written.
    pub path: Path,
    /// Why not.
    pub why: String,
}

impl EncodeError {
    /// What a read is answered with when its answer cannot be written as accepted: 4.06.
    #[must_use]
    pub fn code(&self) -> Code {
        Code::NOT_ACCEPTABLE
    }
}

/// Makes errors of one format.
#[derive(Clone, Copy)]
pub(crate) struct Errors(pub(crate) ContentFormat);

impl Errors {
    pub(crate) fn problem(self, at: At, problem: Problem) -> DecodeError {
        DecodeError {
            format: self.0,
            at,
            problem,
        }
    }

    pub(crate) fn syntax(self, at: At, what: impl Into<String>) -> DecodeError {
        self.problem(at, Problem::Syntax(what.into()))
    }

    pub(crate) fn value(self, at: At, what: impl Into<String>) -> DecodeError {
        self.problem(at, Problem::Value(what.into()))
    }

    pub(crate) fn limit(self, at: At, what: &'static str, limit: usize) -> DecodeError {
        self.problem(at, Problem::Limit { what, limit })
    }

    pub(crate) fn encode(self, path: Path, why: impl Into<String>) -> EncodeError {
        EncodeError {
            format: self.0,
            path,
            why: why.into(),
        }
    }
}
