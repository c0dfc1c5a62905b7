//! What is no success: a status, and `{message, code}` where the code begins with the status
//! (contract 1).

use http::StatusCode;
use serde_json::{Value, json};

use crate::api::Problem;

/// An answer that is no success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The HTTP status.
    pub(super) status: StatusCode,
    /// Its place among the codes of this status.
    digit: u16,
    message: String,
    /// Nothing more can be read from this connection.
    pub(super) closes: bool,
}

impl Refusal {
    fn new(status: StatusCode, digit: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            digit,
            message: message.into(),
            closes: false,
        }
    }

    /// 4000: what was sent cannot be understood.
    pub(super) fn malformed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, 0, message)
    }

    /// 4001: a limit that is none.
    pub(super) fn limit(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, 1, message)
    }

    /// 4010: no token, or one that is not valid.
    pub(super) fn unauthorized() -> Self {
        let message = "Send a valid token as `Authorization: Bearer ...`.";
        Self::new(StatusCode::UNAUTHORIZED, 0, message)
    }

    /// 4030: this token may not.
    pub(super) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, 0, message)
    }

    /// 4040: there is no such thing, for this token.
    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, 0, message)
    }

    /// 4041, as the how-to has it.
    pub(super) fn not_executed() -> Self {
        let message = "Task has not been executed yet.";
        Self::new(StatusCode::NOT_FOUND, 1, message)
    }

    /// 4050
    pub(super) fn method(message: impl Into<String>) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, 0, message)
    }

    /// 4090
    pub(super) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, 0, message)
    }

    /// 4290
    pub(super) fn too_many(message: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, 0, message)
    }

    /// 5010: the API has it, this server has not.
    pub(super) fn not_here(what: &str) -> Self {
        let message = format!("`{what}` is not implemented by this server.");
        Self::new(StatusCode::NOT_IMPLEMENTED, 0, message)
    }

    /// The body.
    pub(super) fn to_json(&self) -> Value {
        let code = self.status.as_u16() * 10 + self.digit;
        json!({"message": self.message, "code": code})
    }
}

/// What reading a body or an upload had against it.
impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let (status, message, closes) = problem.into_parts();
        Self {
            status,
            digit: 0,
            message,
            closes,
        }
    }
}
