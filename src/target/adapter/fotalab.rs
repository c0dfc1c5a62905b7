//! The neutral admin face: `ADMINURL` with the bearer `ADMINTOKEN`.

use bytes::Bytes;
use fotalab_wire::net::{BoxFuture, http as client};
use http::{Method, Request, StatusCode, header};
use serde_json::{Map, Value, json};
use tokio::{sync::mpsc, task::JoinSet};

use super::{Adapter, Asked, Listening, World};
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
        body: (&str, Bytes),
    ) -> Result<Value, TargetError> {
        let summary = format!("{method} {}{path}", self.url);
        let (status, answer) = self.exchange(world, method, path, body).await?;
        held(&summary, status, answer)
    }

    async fn exchange(
        &self,
        world: World<'_>,
        method: Method,
        path: &str,
        (content_type, body): (&str, Bytes),
    ) -> Result<(StatusCode, Value), TargetError> {
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
        Ok((status, shown))
    }
}

/// Server-sent events as they come: lines of `event` and `data`, an empty one behind each.
#[derive(Default)]
struct Events {
    rest: Vec<u8>,
}

impl Events {
    /// Takes bytes in, and gives the events that are whole now.
    fn take(&mut self, bytes: &[u8]) -> Vec<Value> {
        self.rest.extend_from_slice(bytes);
        if self.rest.len() > MAX_ANSWER_BYTES {
            // Nothing of ours is that long; begin anew rather than grow.
            self.rest.clear();
        }
        let mut events = Vec::new();
        while let Some(end) = self.rest.windows(2).position(|it| it == b"\n\n") {
            let whole: Vec<u8> = self.rest.drain(..end + 2).collect();
            events.extend(event(&String::from_utf8_lossy(&whole)));
        }
        events
    }
}

fn event(text: &str) -> Option<Value> {
    let field = |name: &str| {
        let mut lines = text.lines();
        lines.find_map(|it| it.strip_prefix(name)?.strip_prefix(": "))
    };
    let mut told = json!({ "event": field("event")? });
    let data: Value = serde_json::from_str(field("data")?).ok()?;
    if let (Some(told), Value::Object(data)) = (told.as_object_mut(), data) {
        told.extend(data);
    }
    Some(told)
}

/// An answer that says that it was done.
fn held(summary: &str, status: StatusCode, answer: Value) -> Result<Value, TargetError> {
    if status.is_success() {
        return Ok(answer);
    }
    let why = format!("it answered {}: {answer}", status.as_u16());
    Err(TargetError::new(format!("ask the server: {summary}"), why))
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

    fn cancel<'a>(&'a self, world: World<'a>, update: &'a str) -> Asked<'a> {
        Box::pin(async move {
            let path = format!("/updates/{}", path_segment(update));
            self.send(world, Method::DELETE, &path, ("", Bytes::new()))
                .await
        })
    }

    fn known<'a>(&'a self, world: World<'a>, endpoint: &'a str) -> Asked<'a> {
        Box::pin(async move {
            let path = format!("/devices/{}", path_segment(endpoint));
            let (status, answer) = self
                .exchange(world, Method::GET, &path, ("", Bytes::new()))
                .await?;
            if status == StatusCode::NOT_FOUND {
                return Ok(json!({ "endpoint": endpoint, "registration": null }));
            }
            held(&format!("GET {}{path}", self.url), status, answer)
        })
    }

    fn listen<'a>(&'a self, world: World<'a>) -> BoxFuture<'a, Result<Listening, TargetError>> {
        Box::pin(async move {
            let url = format!("{}/events", self.url);
            let doing = format!("listen to the server: GET {url}");
            let fail = |why: &dyn std::fmt::Display| TargetError::new(&doing, why);
            let request = Request::get(&url)
                .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
                .body(Bytes::new())
                .map_err(|error| fail(&error))?;
            let mut answer = client::open(world.network, request)
                .await
                .map_err(|error| fail(&error))?;
            let status = answer.parts.status;
            if !status.is_success() {
                return Err(fail(&format!("it answered {status}")));
            }
            let (sender, told) = mpsc::unbounded_channel();
            let trace = world.trace.clone();
            let mut task = JoinSet::new();
            task.spawn(async move {
                let mut events = Events::default();
                while let Ok(Some(bytes)) = answer.next().await {
                    for event in events.take(&bytes) {
                        let kind = event.get("event").and_then(Value::as_str);
                        let line = format!("event {}", kind.unwrap_or_default());
                        trace.record(Lane::Rest, Kind::Answer, line, event.clone());
                        if sender.send(event).is_err() {
                            return;
                        }
                    }
                }
            });
            Ok(Listening { told, _task: task })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_whole_however_they_are_cut() {
        let text =
            ": listening\n\nevent: updated\ndata: {\"endpoint\":\"a\"}\n\nevent: x\ndata: {}\n\n";
        for cut in 1..text.len() {
            let mut events = Events::default();
            let mut found = events.take(&text.as_bytes()[..cut]);
            found.extend(events.take(&text.as_bytes()[cut..]));
            let expected = [
                json!({ "event": "updated", "endpoint": "a" }),
                json!({ "event": "x" }),
            ];
            assert_eq!(found, expected, "cut at {cut}");
        }
    }
}
