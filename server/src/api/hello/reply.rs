//! What all answers of the hello API have in common (contract 1.1).

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::Value;

use super::Reply;
use crate::api::problem::NO_STORE;

const WEB_APPLICATION: HeaderValue = HeaderValue::from_static("https://hello.nrfcloud.com");

/// How long an answer may be kept.
#[derive(Clone, Copy, Debug)]
pub(super) enum Keep {
    /// Not at all.
    No,
    /// For a minute, the usual time.
    Minute,
    /// For a day.
    Day,
}

/// An answer with a document.
pub(super) fn json(status: StatusCode, keep: Keep, document: &Value) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from(document.to_string())));
    *reply.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    reply.headers_mut().insert(header::CONTENT_TYPE, json);
    reply
        .headers_mut()
        .insert(header::CACHE_CONTROL, keep.header());
    reply
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Reply {
    let mut reply = Response::new(Full::default());
    *reply.status_mut() = status;
    reply
        .headers_mut()
        .insert(header::CACHE_CONTROL, Keep::Minute.header());
    reply
}

/// Adds the version and the CORS headers, which every answer has.
pub(super) fn finish(
    reply: &mut Reply,
    version: &str,
    origin: Option<&HeaderValue>,
    allowed: &Method,
) {
    let headers = reply.headers_mut();
    if let Ok(version) = HeaderValue::from_str(version) {
        headers.insert("x-backend-version", version);
    }
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
        HeaderValue::from_static("true"),
    );
    let origin = origin
        .filter(|it| is_localhost(it.as_bytes()))
        .cloned()
        .unwrap_or(WEB_APPLICATION);
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    if let Ok(method) = HeaderValue::from_str(allowed.as_str()) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, method);
    }
    for (name, value) in [
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "content-type, accept, if-match, authorization",
        ),
        (
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            "x-amzn-requestid, etag, apigw-requestid",
        ),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
        (header::VARY, "Origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

impl Keep {
    fn header(self) -> HeaderValue {
        match self {
            Self::No => NO_STORE,
            Self::Minute => HeaderValue::from_static("public, max-age=60"),
            Self::Day => HeaderValue::from_static("public, max-age=86400"),
        }
    }
}

/// `^https?://localhost:`
fn is_localhost(origin: &[u8]) -> bool {
    origin.starts_with(b"http://localhost:") || origin.starts_with(b"https://localhost:")
}
