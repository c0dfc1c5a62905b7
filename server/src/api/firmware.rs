//! Images for devices that pull over HTTP: `GET /fw/{id}` (contract 1.5).
//!
//! Ranges, `If-Match`, `If-None-Match` and `If-Range` as RFC 9110 13 and 14 say, against a strong
//! entity tag: what a device resumes is the image that it began.

use std::ops::Range;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{Either, Full, StreamBody};
use hyper::body::{Frame, Incoming};

use super::{Problem, Reply};
use crate::{
    feed::FeedBody,
    server::Server,
    store::blob::{Blobs, Hash, Image, chunk_of},
};

/// Which bytes an answer has.
type Part = Range<u64>;

/// Answers a request below `/fw/`.
pub(super) fn answer(
    server: &Server,
    id: &str,
    request: &Request<Incoming>,
) -> Response<Either<Full<Bytes>, FeedBody>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let problem = Problem::no_route(request.method(), request.uri().path());
        return problem.reply().map(Either::Left);
    }
    let image = server.state().images.get(id).cloned();
    let Some(image) = image else {
        let problem = Problem::not_found("No image found with ID!");
        return problem.reply().map(Either::Left);
    };
    let (mut reply, part) = head(image.length, &image.sha256.to_string(), request.headers());
    let Some(part) = part else {
        return reply.map(Either::Left);
    };
    if let Some(bytes) = image.bytes {
        let at = |offset: u64| usize::try_from(offset).unwrap_or(bytes.len());
        let bytes = bytes.slice(at(part.start)..at(part.end));
        return reply.map(|_| Either::Left(Full::new(bytes)));
    }
    let length = HeaderValue::from(part.end - part.start);
    reply.headers_mut().insert(header::CONTENT_LENGTH, length);
    let body = from_disk(Arc::clone(&server.blobs), image.sha256, part);
    reply.map(|_| Either::Right(body))
}

/// An answer with all of an image.
pub(super) fn whole(server: &Server, image: &Image) -> Response<Either<Full<Bytes>, FeedBody>> {
    let mut reply = Response::new(());
    let octets = HeaderValue::from_static("application/octet-stream");
    let headers = reply.headers_mut();
    headers.insert(header::CONTENT_TYPE, octets);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(image.length));
    reply.map(|()| match &image.bytes {
        Some(bytes) => Either::Left(Full::new(bytes.clone())),
        None => {
            let blobs = Arc::clone(&server.blobs);
            Either::Right(from_disk(blobs, image.sha256, 0..image.length))
        }
    })
}

/// The bytes piece by piece, as fast as they are taken. A disk that fails ends the answer short of
/// its length, which is how the other side notices.
fn from_disk(blobs: Arc<dyn Blobs>, sha256: Hash, part: Part) -> FeedBody {
    let pieces = stream::unfold((blobs, part), move |(blobs, rest)| async move {
        if rest.is_empty() {
            return None;
        }
        let (_, piece) = chunk_of(&rest, rest.end);
        let bytes = blobs.read(sha256, rest.start..piece.end).await.ok()?;
        Some((Ok(Frame::data(bytes)), (blobs, piece.end..rest.end)))
    });
    StreamBody::new(Box::pin(pieces))
}

/// The answer without its body, and what the body has.
fn head(length: u64, hex: &str, headers: &HeaderMap) -> (Reply, Option<Part>) {
    let etag = format!("\"{hex}\"");
    if header(headers, header::IF_MATCH).is_some_and(|it| !names(it, &etag)) {
        return (empty(StatusCode::PRECONDITION_FAILED, &etag, None), None);
    }
    if header(headers, header::IF_NONE_MATCH).is_some_and(|it| names(it, &etag)) {
        return (empty(StatusCode::NOT_MODIFIED, &etag, None), None);
    }
    let same = header(headers, header::IF_RANGE).is_none_or(|it| it == etag);
    let asked = header(headers, header::RANGE).filter(|_| same);
    match asked.and_then(|it| range(it, length)) {
        None => (empty(StatusCode::OK, &etag, None), Some(0..length)),
        Some(None) => {
            let says = format!("bytes */{length}");
            let reply = empty(StatusCode::RANGE_NOT_SATISFIABLE, &etag, Some(says));
            (reply, None)
        }
        Some(Some(range)) => {
            let says = format!("bytes {}-{}/{length}", range.start, range.end - 1);
            let reply = empty(StatusCode::PARTIAL_CONTENT, &etag, Some(says));
            (reply, Some(range))
        }
    }
}

/// The one range that is asked for: `None` for what is no single range and therefore ignored,
/// `Some(None)` for one outside of the image.
fn range(text: &str, length: u64) -> Option<Option<Part>> {
    let (first, last) = text.strip_prefix("bytes=")?.trim().split_once('-')?;
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
        digits.then(|| text.parse::<u64>().unwrap_or(u64::MAX))
    };
    let range = match (number(first), number(last)) {
        (Some(first), Some(last)) if last < first => return None,
        (Some(first), Some(last)) => first..last.saturating_add(1).min(length),
        (Some(first), None) if last.is_empty() => first..length,
        (None, Some(suffix)) if first.is_empty() => length.saturating_sub(suffix)..length,
        _ => return None,
    };
    Some(Some(range).filter(|it| it.start < it.end))
}

/// Whether a list of entity tags has this one; a weak one never equals it (RFC 9110 8.8.3.2).
fn names(list: &str, etag: &str) -> bool {
    list.split(',')
        .map(str::trim)
        .any(|it| it == "*" || it == etag)
}

fn header(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn empty(status: StatusCode, etag: &str, content_range: Option<String>) -> Reply {
    let mut reply = Response::new(Full::default());
    *reply.status_mut() = status;
    let octets = HeaderValue::from_static("application/octet-stream");
    let headers = reply.headers_mut();
    headers.insert(header::CONTENT_TYPE, octets);
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let values = [
        (header::ETAG, Some(etag.to_owned())),
        (header::CONTENT_RANGE, content_range),
    ];
    for (name, value) in values {
        if let Some(value) = value.and_then(|it| HeaderValue::try_from(it).ok()) {
            headers.insert(name, value);
        }
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_one_of_the_image_or_416_or_nothing() {
        for (text, expected) in [
            ("bytes=0-", Some(Some(0..10))),
            ("bytes=4-", Some(Some(4..10))),
            ("bytes=4-5", Some(Some(4..6))),
            ("bytes=4-99", Some(Some(4..10))),
            ("bytes=-3", Some(Some(7..10))),
            ("bytes=-99", Some(Some(0..10))),
            ("bytes=10-", Some(None)),
            ("bytes=-0", Some(None)),
            ("bytes=99999999999999999999999-", Some(None)),
            ("bytes=5-4", None),
            ("bytes=0-1,3-4", None),
            ("items=0-1", None),
            ("bytes=x-", None),
        ] {
            assert_eq!(range(text, 10), expected, "{text}");
        }
    }

    #[test]
    fn the_tag_decides() {
        let status = |pairs: &[(header::HeaderName, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(name, HeaderValue::from_static(value));
            }
            head(10, "ab", &headers).0.status().as_u16()
        };
        let range = (header::RANGE, "bytes=2-");
        assert_eq!(status(&[]), 200);
        assert_eq!(status(std::slice::from_ref(&range)), 206);
        assert_eq!(status(&[range.clone(), (header::IF_MATCH, "\"ab\"")]), 206);
        assert_eq!(
            status(&[range.clone(), (header::IF_MATCH, "W/\"ab\"")]),
            412
        );
        assert_eq!(status(&[range.clone(), (header::IF_MATCH, "\"cd\"")]), 412);
        assert_eq!(status(&[range.clone(), (header::IF_RANGE, "\"cd\"")]), 200);
        assert_eq!(status(&[(header::IF_NONE_MATCH, "\"ab\"")]), 304);
        assert_eq!(status(&[(header::RANGE, "bytes=10-")]), 416);
    }
}
