//! Answers that are errors: Horde's codes and texts (contract A1 to A5, D).

use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    core::horde::{Refused, tags::NotATag},
    store::blob,
};

/// An error as Horde says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    status: StatusCode,
    message: String,
}

impl Refusal {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }

    /// 400.
    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 401, without a token.
    pub(super) fn must_authenticate() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Must authenticate")
    }

    /// 401.
    pub(super) fn unknown_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Unknown API token")
    }

    /// 403.
    pub(super) fn access_denied() -> Self {
        Self::new(StatusCode::FORBIDDEN, "Access denied")
    }

    /// 404 for a path that nobody serves.
    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not found")
    }

    /// 404 for a tag.
    pub(super) fn unknown_tag() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Unknown tag")
    }

    /// 405.
    pub(super) fn method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed")
    }

    /// An image cannot be stored.
    pub(super) fn stored(why: &blob::Refused) -> Self {
        match why {
            blob::Refused::Empty => Refused::EmptyImage.into(),
            blob::Refused::Full => Refused::Full.into(),
            blob::Refused::Io(_) => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "Unable to store firmware image",
            ),
            _ => Self::bad(why.to_string()),
        }
    }

    /// Its code.
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// Its body.
    pub(super) fn document(&self) -> Value {
        json!({"status": self.status.as_u16(), "message": self.message})
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        use Refused as R;
        const BAD: StatusCode = StatusCode::BAD_REQUEST;
        const UNKNOWN: StatusCode = StatusCode::NOT_FOUND;
        const CONFLICT: StatusCode = StatusCode::CONFLICT;
        let (status, message) = match refused {
            R::InvalidCollection => (BAD, "Invalid collection ID"),
            R::InvalidDevice => (BAD, "Invalid device ID"),
            R::InvalidImage => (BAD, "Invalid firmware ID"),
            R::InvalidTarget => (BAD, "Invalid target firmware ID"),
            R::InvalidCurrent => (BAD, "Invalid current firmware ID"),
            R::UnknownCollection => (UNKNOWN, "Unknown collection"),
            R::UnknownDevice => (UNKNOWN, "Unknown device"),
            R::UnknownImage => (UNKNOWN, "Unknown firmware"),
            R::UnknownTeam => (UNKNOWN, "Unknown team"),
            R::NoSuchImageForCollection => (BAD, "Unknown firmware ID"),
            R::NoSuchImageForDevice => (UNKNOWN, "Unknown firmware ID"),
            R::CollectionInUse => (CONFLICT, "The collection still has devices or firmware"),
            R::MissingNumbers => (BAD, "Missing IMSI/IMEI on device"),
            R::InvalidNumbers => (BAD, "Invalid IMSI/IMEI on device"),
            R::NumbersTaken => (CONFLICT, "IMSI/IMEI is already in use by another device"),
            R::ManagedByCollection => (BAD, "Firmware is managed by the collection"),
            R::SameImage => (
                CONFLICT,
                "An identical image already exists in this collection",
            ),
            R::SameVersion => (
                CONFLICT,
                "A version with this number already exists in this collection",
            ),
            R::EmptyImage => (BAD, "Image buffer required"),
            R::NothingToUpdate => (BAD, "Nothing to update"),
            R::BlankVersion => (BAD, "Version can't be blank"),
            R::ImageInUse => (CONFLICT, "Firmware is in use"),
            R::Tag(NotATag::Blank) => (BAD, "Tag names can't be blank"),
            R::Tag(NotATag::Long) => (BAD, "The tag is too long"),
            R::Tag(NotATag::Many) => (BAD, "There are too many tags"),
            R::Full => (CONFLICT, "There is no room for more"),
        };
        Self::new(status, message)
    }
}
