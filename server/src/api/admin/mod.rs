//! The admin face: what no vendor's API offers, under `/admin` with a bearer token.

mod accounts;
mod devices;
mod fields;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use serde_json::Value;

use super::{Problem, Reply, body, names, problem::NO_STORE, segments};
use crate::server::Server;

/// Answers a request below `/admin`.
pub(super) async fn answer(server: &Arc<Server>, rest: &str, request: Request<Incoming>) -> Reply {
    let mut reply = match route(server, rest, request).await {
        Ok(document) => Response::new(Full::new(Bytes::from(document.to_string()))),
        Err(problem) => problem.reply(),
    };
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
) -> Result<Value, Problem> {
    if !is_authorized(server, &request) {
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "Unauthorized")
            .detail("Send the admin token as `Authorization: Bearer ...`."));
    }
    let path = request.uri().path().to_owned();
    let segments = segments(rest)?;
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let method = request.method().clone();
    let methods: &[Method] = match segments.as_slice() {
        ["accounts", _] => &[Method::PUT],
        ["devices", _] => &[Method::PUT, Method::GET],
        ["events"] => &[Method::GET],
        _ => return Err(Problem::no_route(&method, &path)),
    };
    if !methods.contains(&method) {
        let detail = format!("There is no `{method} {path}`, only {}.", names(methods));
        return Err(Problem::not_found("Not Found").detail(detail));
    }
    match segments.as_slice() {
        ["accounts", name] => accounts::put(server, name, &json(server, request).await?),
        ["devices", id] if method == Method::GET => devices::get(server, id),
        ["devices", id] => devices::put(server, id, &json(server, request).await?),
        _ => Err(Problem::new(StatusCode::NOT_IMPLEMENTED, "Not implemented")
            .detail("Events are not told here yet; open a websocket of the hello face.")),
    }
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
