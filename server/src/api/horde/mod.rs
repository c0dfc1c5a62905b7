//! The face of Horde, `https://api.nbiot.engineering`: collections, devices, firmware images.
//!
//! What this module says is contract A1 to A6; what a device does is nowhere below `api`. Left out
//! are the shape of Span (`/span`, which is the same service with other names), teams, outputs and
//! the data that devices send (`data`, `to`, `from`).

mod changes;
mod refusal;
mod render;
mod route;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use serde_json::{Map, Value};

use super::{Reply, body, problem::NO_STORE, segments};
use crate::server::Server;
use refusal::Refusal;

/// Where this face is.
pub(crate) const BASE: &str = "/horde";

/// An answer that is none of an error.
enum Answer {
    /// 200.
    Ok(Value),
    /// 201.
    Created(Value),
    /// 204.
    Gone,
}

/// Who asks.
struct Caller {
    owner: String,
    team: String,
}

/// Answers a request below [`BASE`].
pub(super) async fn answer(server: &Arc<Server>, rest: &str, request: Request<Incoming>) -> Reply {
    let (status, document) = match answered(server, rest, request).await {
        Ok(Answer::Ok(document)) => (StatusCode::OK, Some(document)),
        Ok(Answer::Created(document)) => (StatusCode::CREATED, Some(document)),
        Ok(Answer::Gone) => (StatusCode::NO_CONTENT, None),
        Err(refusal) => (refusal.status(), Some(refusal.document())),
    };
    // What somebody was told is so after a crash, too: what was done and what was seen.
    server.store.flush().await;
    let body = document.map(|it| it.to_string()).unwrap_or_default();
    let mut reply = Response::new(Full::new(Bytes::from(body)));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    if status != StatusCode::NO_CONTENT {
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
    }
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    reply
}

async fn answered(
    server: &Arc<Server>,
    rest: &str,
    request: Request<Incoming>,
) -> Result<Answer, Refusal> {
    let path = if rest.is_empty() { "/" } else { rest };
    let caller = caller(server, path, &request)?;
    let segments = segments(path).map_err(|_| Refusal::not_found())?;
    let mut segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    if segments.len() > 1 && segments.last() == Some(&"") {
        segments.pop();
    }
    route::answer(server, &caller, &segments, request).await
}

/// Whose token it is, if that token opens this path for this method (contract A1).
fn caller(server: &Server, path: &str, request: &Request<Incoming>) -> Result<Caller, Refusal> {
    let given = token(request.headers()).ok_or_else(Refusal::must_authenticate)?;
    let state = server.state();
    let found = state.owners.of_horde_token(given);
    let (owner, resource, write) = found.ok_or_else(Refusal::unknown_token)?;
    let changes = ![Method::GET, Method::HEAD].contains(request.method());
    let tokens = path == "/tokens" || path.starts_with("/tokens/");
    if tokens || !path.starts_with(resource) || (changes && !write) {
        return Err(Refusal::access_denied());
    }
    let team = state.owners.get(owner).map(|it| it.team.clone());
    Ok(Caller {
        owner: owner.to_owned(),
        team: team.unwrap_or_default(),
    })
}

/// The value of `X-API-Token` without what stands around it: the documentation's own example has a
/// space that is none in front (contract D11).
fn token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get("x-api-token")?.as_bytes();
    let first = value.iter().position(u8::is_ascii_graphic)?;
    let last = value.iter().rposition(u8::is_ascii_graphic)?;
    std::str::from_utf8(value.get(first..=last)?).ok()
}

/// The body as a JSON object, whatever the request says that it is; `null` is as good as absent,
/// and so is no body at all.
async fn object(
    server: &Server,
    request: Request<Incoming>,
) -> Result<Map<String, Value>, Refusal> {
    let read = body::read(server, request.into_body()).await;
    let read = read.map_err(|problem| Refusal::bad(problem.title()))?;
    if read.bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Map::new());
    }
    match serde_json::from_slice(&read.bytes) {
        Ok(Value::Object(mut object)) => {
            without_nulls(&mut object);
            Ok(object)
        }
        Ok(_) => Err(Refusal::bad("The body is not a JSON object")),
        Err(_) => Err(Refusal::bad("The body is not JSON")),
    }
}

fn without_nulls(object: &mut Map<String, Value>) {
    object.retain(|_, value| !value.is_null());
    for value in object.values_mut() {
        if let Value::Object(inner) = value {
            without_nulls(inner);
        }
    }
}
