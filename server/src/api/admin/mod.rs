//! The admin face: what no vendor's API offers, under `/admin` with a bearer token.

mod accounts;
mod devices;
mod fields;
mod images;
mod operations;
mod owners;
mod updates;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use serde_json::Value;

use super::{Problem, Reply, body, names, problem::NO_STORE, segments};
use crate::{feed::FeedBody, server::Server};

/// Answers a request below `/admin`.
pub(super) async fn answer(server: &Arc<Server>, rest: &str, request: Request<Incoming>) -> Reply {
    match route(server, rest, request).await {
        Ok((status, document)) => {
            let mut reply = Response::new(Full::new(Bytes::from(document.to_string())));
            *reply.status_mut() = status;
            dressed(reply)
        }
        Err(problem) => refusal(&problem),
    }
}

/// A problem of this face.
pub(super) fn refusal(problem: &Problem) -> Reply {
    dressed(problem.reply())
}

/// The headers that all its answers have.
fn dressed(mut reply: Reply) -> Reply {
    if reply.status() == StatusCode::UNAUTHORIZED {
        let scheme = HeaderValue::from_static("Bearer");
        reply.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
    }
    let headers = reply.headers_mut();
    headers
        .entry(header::CONTENT_TYPE)
        .or_insert(HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    reply
}

async fn route(
    server: &Arc<Server>,
    rest: &str,
    request: Request<Incoming>,
) -> Result<(StatusCode, Value), Problem> {
    check_token(server, &request)?;
    let path = request.uri().path().to_owned();
    let segments = segments(rest)?;
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let method = request.method().clone();
    let methods: &[Method] = match segments.as_slice() {
        ["accounts", _] => &[Method::PUT],
        ["devices", _] => &[Method::PUT, Method::GET],
        ["devices", _, "operations"] | ["images"] | ["updates"] => &[Method::POST],
        ["images", _] => &[Method::DELETE],
        ["updates", _] => &[Method::GET, Method::DELETE],
        _ => return Err(Problem::no_route(&method, &path)),
    };
    if !methods.contains(&method) {
        let detail = format!("There is no `{method} {path}`, only {}.", names(methods));
        return Err(Problem::not_found("Not Found").detail(detail));
    }
    match segments.as_slice() {
        ["images"] => images::post(server, request.into_body()).await.map(created),
        ["images", id] => images::delete(server, id).map(ok),
        ["updates"] => updates::post(server, &json(server, request).await?).map(created),
        ["updates", id] if method == Method::DELETE => updates::delete(server, id).map(ok),
        ["updates", id] => updates::get(server, id).map(ok),
        ["accounts", name] => accounts::put(server, name, &json(server, request).await?).map(ok),
        ["devices", id, "operations"] => {
            let body = json(server, request).await?;
            operations::post(server, id, &body).await.map(ok)
        }
        ["devices", id] if method == Method::GET => devices::get(server, id).map(ok),
        ["devices", id] => devices::put(server, id, &json(server, request).await?).map(ok),
        _ => Err(Problem::no_route(&method, &path)),
    }
}

/// `GET /events`: server-sent events until somebody hangs up, each with a JSON object: `registered`,
/// `updated`, `deregistered`, `expired` (`endpoint`), `notification` (`endpoint`, `path`, `value`, `by`
/// observation or send), `update` (as `GET /updates/{id}`, with the last `detail`), `handshakeFailed`
/// (`address`, `detail`).
pub(super) fn events(
    server: &Server,
    request: &Request<Incoming>,
) -> Result<Response<FeedBody>, Problem> {
    check_token(server, request)?;
    let full = || Problem::conflict("There are too many listeners");
    let body = server.state().feed.listen().ok_or_else(full)?;
    let mut reply = Response::new(body);
    let headers = reply.headers_mut();
    let stream = HeaderValue::from_static("text/event-stream");
    headers.insert(header::CONTENT_TYPE, stream);
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    Ok(reply)
}

fn ok(document: Value) -> (StatusCode, Value) {
    (StatusCode::OK, document)
}

fn created(document: Value) -> (StatusCode, Value) {
    (StatusCode::CREATED, document)
}

fn check_token(server: &Server, request: &Request<Incoming>) -> Result<(), Problem> {
    if is_authorized(server, request) {
        return Ok(());
    }
    Err(Problem::new(StatusCode::UNAUTHORIZED, "Unauthorized")
        .detail("Send the admin token as `Authorization: Bearer ...`."))
}

/// Compares in constant time.
fn is_authorized(server: &Server, request: &Request<Incoming>) -> bool {
    let given = request
        .headers()
        .get(header::AUTHORIZATION)
        .map(HeaderValue::as_bytes);
    let Some((scheme, given)) = given.and_then(|it| it.split_at_checked(7)) else {
        return false;
    };
    let token = server.config.admin_token.as_bytes();
    let difference = given.iter().zip(token).fold(0, |all, (a, b)| all | (a ^ b));
    scheme.eq_ignore_ascii_case(b"bearer ") && given.len() == token.len() && difference == 0
}

async fn json(server: &Server, request: Request<Incoming>) -> Result<Value, Problem> {
    let read = body::read(server, request.into_body()).await?;
    serde_json::from_slice(&read.bytes).map_err(|why| {
        Problem::bad_request("Validation failed").detail(format!("/: not JSON: {why}"))
    })
}
