//! Problem documents: every answer that is no success (contract 1.1).

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::{Map, Value};

use super::Reply;
use crate::limits;

/// Nobody may keep this answer.
pub(crate) const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const CONTEXT: &str = "https://github.com/hello-nrfcloud/proto/ProblemDetail";

/// What went wrong. The contract's statuses are 400, 403, 404, 409 and 500; 401 is the admin
/// face's, and 501 what is not built yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    status: StatusCode,
    title: String,
    detail: Option<String>,
    kind: Option<&'static str>,
    closes: bool,
}

impl Problem {
    /// A problem with this status and title.
    pub(crate) fn new(status: StatusCode, title: impl Into<String>) -> Self {
        Self {
            status,
            title: title.into(),
            detail: None,
            kind: None,
            closes: false,
        }
    }

    /// 400.
    pub(crate) fn bad_request(title: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, title)
    }

    /// 403.
    pub(crate) fn forbidden(title: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, title)
    }

    /// 404.
    pub(crate) fn not_found(title: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, title)
    }

    /// 409.
    pub(crate) fn conflict(title: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, title)
    }

    /// 500, for a failing upstream only.
    pub(crate) fn internal(title: impl Into<String>) -> Self {
        let problem = Self::new(StatusCode::INTERNAL_SERVER_ERROR, title);
        problem.kind("https://hello.nrfcloud.com/errors/InternalError")
    }

    /// 400, all mistakes at once, each with its JSON pointer.
    pub(crate) fn validation(mistakes: &[String]) -> Self {
        Self::bad_request("Validation failed").detail(mistakes.join(", "))
    }

    /// 404 for a path, or a method of a path, that nobody serves.
    pub(crate) fn no_route(method: &Method, path: &str) -> Self {
        let path: String = path.chars().take(limits::MAX_NAME_BYTES).collect();
        Self::not_found("Not Found").detail(format!("There is no `{method} {path}`."))
    }

    /// Says more.
    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Names the kind of the problem with a URI.
    pub(crate) fn kind(mut self, uri: &'static str) -> Self {
        self.kind = Some(uri);
        self
    }

    /// Nothing more can be read from this connection.
    pub(crate) fn closes_connection(mut self) -> Self {
        self.closes = true;
        self
    }

    /// Its status, what it says in one sentence, and whether the connection is closed: for faces
    /// that write problems in another way.
    pub(super) fn into_parts(self) -> (StatusCode, String, bool) {
        let message = match self.detail {
            Some(detail) => format!("{}: {detail}", self.title),
            None => self.title,
        };
        (self.status, message, self.closes)
    }

    /// What went wrong, in short.
    pub(crate) fn title(&self) -> &str {
        &self.title
    }

    /// The document.
    pub(crate) fn to_json(&self) -> Value {
        let mut document = Map::new();
        document.insert("@context".into(), CONTEXT.into());
        document.insert("title".into(), self.title.as_str().into());
        document.insert("status".into(), self.status.as_u16().into());
        if let Some(detail) = &self.detail {
            document.insert("detail".into(), detail.as_str().into());
        }
        if let Some(kind) = self.kind {
            document.insert("type".into(), kind.into());
        }
        document.into()
    }

    /// The answer.
    pub(crate) fn reply(&self) -> Reply {
        let mut reply = Response::new(Full::new(Bytes::from(self.to_json().to_string())));
        *reply.status_mut() = self.status;
        let headers = reply.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(
            header::CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=60"),
        );
        if self.closes {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        reply
    }
}
