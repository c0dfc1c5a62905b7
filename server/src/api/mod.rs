//! The faces of the server, one folder each. A face translates its own JSON to the core and back.

mod admin;
mod bare;
mod body;
pub(crate) mod coiote;
mod firmware;
mod form;
pub(crate) mod hello;
pub(crate) mod horde;
pub(crate) mod iotaap;
mod problem;
mod upload;

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use tokio::time::timeout;

use crate::{feed::FeedBody, limits, lwm2m::FIRMWARE, server::Server};
pub(crate) use bare::NeverBare;
use hello::Generation;
use problem::Problem;

/// An answer, whole.
pub(crate) type Reply = Response<Full<Bytes>>;

/// Answers a request. Only the events of the admin face and images have no whole answer.
pub(crate) async fn answer(
    server: Arc<Server>,
    request: Request<Incoming>,
) -> Result<Response<Either<Full<Bytes>, FeedBody>>, Infallible> {
    let is_events = request.uri().path() == "/admin/events" && request.method() == Method::GET;
    Ok(if is_events {
        match admin::events(&server, &request) {
            Ok(reply) => reply.map(Either::Right),
            Err(problem) => admin::refusal(&problem).map(Either::Left),
        }
    } else if let Some(image) = image(request.uri().path()) {
        firmware::answer(&server, image, &request)
    } else if let Some(rest) = below(request.uri().path(), iotaap::BASE) {
        let rest = rest.to_owned();
        iotaap::answer(&server, &rest, request).await
    } else {
        let only_reads = request.method().is_safe();
        let mut reply = whole(&server, request).await;
        if !only_reads && reply.status().is_success() {
            // What was answered with success survives.
            let flushed = timeout(limits::STORE_ANSWER, server.store.flush()).await;
            if flushed.is_err() {
                reply = Problem::internal("What was asked for cannot be stored").reply();
            }
        }
        reply.map(Either::Left)
    })
}

/// The image that a path names.
fn image(path: &str) -> Option<&str> {
    let path = path.strip_prefix('/')?.strip_prefix(FIRMWARE)?;
    path.strip_prefix('/')
}

/// Finds the face by the beginning of the path.
async fn whole(server: &Arc<Server>, request: Request<Incoming>) -> Reply {
    let path = request.uri().path().to_owned();
    let generation = Generation::ALL.into_iter().find_map(|generation| {
        let rest = path.strip_prefix(generation.base())?;
        (rest.is_empty() || rest.starts_with('/')).then_some((generation, rest))
    });
    if let Some((generation, rest)) = generation {
        return hello::answer(server, generation, rest, request).await;
    }
    if let Some(path) = coiote::path(&path) {
        return coiote::answer(server, path, request).await;
    }
    if let Some(rest) = below(&path, horde::BASE) {
        return horde::answer(server, rest, request).await;
    }
    if let Some(rest) = path.strip_prefix("/admin") {
        return admin::answer(server, rest, request).await;
    }
    let mut reply = Problem::no_route(request.method(), &path).reply();
    reply
        .headers_mut()
        .insert(header::CACHE_CONTROL, problem::NO_STORE);
    reply
}

/// What stands behind the base of a face.
fn below<'a>(path: &'a str, base: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(base)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

/// The decoded segments of a path that begins with a slash. `%2F` and dots mean nothing here:
/// a segment is a name, never a place.
fn segments(path: &str) -> Result<Vec<String>, Problem> {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.split('/')
        .map(|segment| decode(segment, path))
        .collect()
}

/// Percent-decodes strictly: `%` needs two digits, and the bytes have to be UTF-8.
fn decode(segment: &str, whole: &str) -> Result<String, Problem> {
    let bytes = segment.as_bytes();
    let broken = bytes.iter().enumerate().any(|(at, byte)| {
        let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
        *byte == b'%' && !(digit(at + 1) && digit(at + 2))
    });
    let decoded = percent_decode_str(segment)
        .decode_utf8()
        .ok()
        .filter(|_| !broken);
    decoded.map(std::borrow::Cow::into_owned).ok_or_else(|| {
        Problem::bad_request("Validation failed").detail(format!(
            "/: the path `{whole}` is not percent-encoded UTF-8"
        ))
    })
}

/// The query's pairs, decoded; of a name given twice the last counts.
fn query(request: &Request<Incoming>) -> Vec<(String, String)> {
    let query = request.uri().query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect()
}

/// Names of methods, for problem documents.
fn names(methods: &[Method]) -> String {
    methods
        .iter()
        .map(Method::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_names_between_slashes() {
        for (path, expected) in [
            ("/device/a/fota", Some(vec!["device", "a", "fota"])),
            ("/device/%2e%2e/x", Some(vec!["device", "..", "x"])),
            ("/device/a%2Fb", Some(vec!["device", "a/b"])),
            ("/device/", Some(vec!["device", ""])),
            ("/%C3%BC", Some(vec!["ü"])),
            ("/%zz", None),
            ("/%", None),
            ("/%4", None),
            ("/%ff", None),
        ] {
            let found = segments(path).ok();
            assert_eq!(
                found,
                expected.map(|it| it.into_iter().map(str::to_owned).collect()),
                "{path}"
            );
        }
    }
}
