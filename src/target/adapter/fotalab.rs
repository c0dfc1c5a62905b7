//! The neutral admin face: `ADMINURL` with the bearer `ADMINTOKEN`.

use bytes::Bytes;
use fotalab_wire::net::http as client;
use http::{Method, Request, header};
use serde_json::{Map, Value, json};

use super::{Adapter, Asked, World};
use crate::{
    target::{TargetError, provision::path_segment},
    trace::{self, Kind, Lane},
};

/// The largest answer that is read.
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// A server with the admin face of the design.
pub(super) struct Fotalab {
    url: String,
    token: String,
}

impl Fotalab {
    /// The face that the variables name, if they do.
    pub(super) fn of_variables(variables: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| variables.get(name).and_then(Value::as_str);
        Some(Self {
            url: text("ADMINURL")?.to_owned(),
            token: text("ADMINTOKEN")?.to_owned(),
        })
    }

    async fn send(
        &self,
        world: World<'_>,
        method: Method,
        path: &str,
        (content_type, body): (&str, Bytes),
    ) -> Result<Value, TargetError> {
        let url = format!("{}{path}", self.url);
        let summary = format!("{method} {url}");
        let fail = |why: String| TargetError::new(format!("ask the server: {summary}"), why);
        let mut request = Request::builder()
            .method(method.clone())
            .uri(&url)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        let request = request
            .body(body.clone())
            .map_err(|error| fail(error.to_string()))?;
        let detail = json!({
            "method": method.as_str(), "url": url, "headers": trace::headers(request.headers()),
            "body": trace::body(&body),
        });
        world
            .trace
            .record(Lane::Rest, Kind::Request, &summary, detail);
        let answer = client::send(world.network, request, MAX_ANSWER_BYTES).await;
        let answer = answer.map_err(|error| fail(format!("no answer: {error}")))?;
        let status = answer.status();
        let shown = trace::body(answer.body());
        let detail = json!({ "status": status.as_u16(), "body": shown });
        let line = format!("{} {summary}", status.as_u16());
        world.trace.record(Lane::Rest, Kind::Answer, line, detail);
        if status.is_success() {
            return Ok(shown);
        }
        let said = String::from_utf8_lossy(answer.body()).into_owned();
        Err(fail(format!("it answered {}: {said}", status.as_u16())))
    }
}

/// Without its token.
impl std::fmt::Debug for Fotalab {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fotalab")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

fn as_json(value: &Value) -> (&'static str, Bytes) {
    ("application/json", Bytes::from(value.to_string()))
}

impl Adapter for Fotalab {
    fn image<'a>(&'a self, world: World<'a>, bytes: Bytes) -> Asked<'a> {
        let body = ("application/octet-stream", bytes);
        Box::pin(self.send(world, Method::POST, "/images", body))
    }

    fn update<'a>(&'a self, world: World<'a>, wanted: Value) -> Asked<'a> {
        Box::pin(async move {
            let body = as_json(&wanted);
            self.send(world, Method::POST, "/updates", body).await
        })
    }

    fn look<'a>(&'a self, world: World<'a>, update: &'a str) -> Asked<'a> {
        Box::pin(async move {
            let path = format!("/updates/{}", path_segment(update));
            self.send(world, Method::GET, &path, ("", Bytes::new()))
                .await
        })
    }

    fn operate<'a>(&'a self, world: World<'a>, device: &'a str, operation: Value) -> Asked<'a> {
        Box::pin(async move {
            let path = format!("/devices/{}/operations", path_segment(device));
            let body = as_json(&operation);
            self.send(world, Method::POST, &path, body).await
        })
    }
}
