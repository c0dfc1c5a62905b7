//! Packages over HTTP, for devices that pull them so: Range and If-Match (contract 1.5).

use std::sync::Arc;
use std::time::Duration;

use ::http::{Method, Request, Response, StatusCode, Uri, header};
use bytes::Bytes;
use fotalab_wire::net::{BoxFuture, Network, http};

use super::fleet::{Fleet, Wish};
use crate::device::firmware::{FetchFailure, Piece};
use crate::limits;

/// What one request brought.
pub(super) struct Answered {
    index: usize,
    serial: u64,
    result: Result<Arrived, FetchFailure>,
}

struct Arrived {
    /// Where the body begins; 0 after a range was refused.
    offset: usize,
    etag: Option<Vec<u8>>,
    body: Bytes,
}

/// A body on its way into a device's flash.
pub(super) struct Download {
    index: usize,
    base: usize,
    at: usize,
    etag: Option<Vec<u8>>,
    body: Bytes,
    pub(super) due: Duration,
}

/// Asks for a package, from `offset` on where it is still the same.
pub(super) fn fetch(
    network: Arc<dyn Network>,
    index: usize,
    serial: u64,
    wish: Wish,
) -> BoxFuture<'static, Answered> {
    Box::pin(async move {
        let asked = ask(&*network, &wish);
        let result = match tokio::time::timeout(limits::HTTP_TIME, asked).await {
            Ok(result) => result,
            Err(_) => Err(FetchFailure::Lost),
        };
        Answered {
            index,
            serial,
            result,
        }
    })
}

impl Answered {
    /// Whose answer it is.
    pub(super) fn of(&self) -> (usize, u64) {
        (self.index, self.serial)
    }

    /// Begins to write what came, or tells the device that nothing did.
    pub(super) fn begin(self, now: Duration, fleet: &mut Fleet) -> Option<Download> {
        let Self { index, result, .. } = self;
        match result {
            Ok(Arrived { offset, etag, body }) => {
                if offset == 0 {
                    fleet.with(now, index, crate::device::Device::fetch_restarted);
                }
                Some(Download {
                    index,
                    base: offset,
                    at: 0,
                    etag,
                    body,
                    due: now,
                })
            }
            Err(failure) => {
                fleet.with(now, index, |device| device.fetch_failed(now, failure));
                None
            }
        }
    }
}

impl Download {
    /// Whose it is.
    pub(super) fn index(&self) -> usize {
        self.index
    }

    /// Writes until flash is busy. False: it is over.
    pub(super) fn go_on(&mut self, now: Duration, fleet: &mut Fleet) -> bool {
        while self.due <= now {
            let end = (self.at + limits::HTTP_PIECE_BYTES).min(self.body.len());
            let piece = Piece {
                offset: self.base + self.at,
                last: end == self.body.len(),
                total: Some(self.base + self.body.len()),
                bytes: self.body.get(self.at..end).unwrap_or_default(),
            };
            let etag = self.etag.as_deref();
            let next = fleet.with(now, self.index, |device| device.fetched(now, piece, etag));
            let Some(after) = next.flatten().filter(|_| end < self.body.len()) else {
                return false;
            };
            self.at = end;
            self.due = now + after;
        }
        true
    }
}

/// Asks for a short document: its status and body, if anybody answers.
pub(super) async fn document(network: Arc<dyn Network>, uri: String) -> Option<(u16, Bytes)> {
    let request = Request::get(uri).body(Bytes::new()).ok()?;
    let sent = http::send(&*network, request, limits::HTTP_BODY_BYTES);
    let answer = tokio::time::timeout(limits::HTTP_TIME, sent).await;
    let answer = answer.ok()?.ok()?;
    Some((answer.status().as_u16(), answer.into_body()))
}

async fn ask(network: &dyn Network, wish: &Wish) -> Result<Arrived, FetchFailure> {
    if let Some(esp32) = &wish.esp32 {
        let body = esp32.download(network, &wish.uri).await?;
        return Ok(Arrived {
            offset: 0,
            etag: None,
            body,
        });
    }
    let whole = Wish {
        offset: 0,
        etag: None,
        uri: wish.uri.clone(),
        esp32: None,
    };
    let mut response = send(network, wish).await?;
    let another = matches!(
        response.status(),
        StatusCode::PRECONDITION_FAILED | StatusCode::RANGE_NOT_SATISFIABLE
    );
    let part = response.status() == StatusCode::PARTIAL_CONTENT;
    let mut from = wish.offset;
    if another || part && range_of(&response) != Some(from) {
        // It is another file now, or another part of it: once more, all of it (X-FW-C19).
        response = send(network, &whole).await?;
        from = 0;
    }
    let offset = match response.status() {
        StatusCode::OK => 0,
        StatusCode::PARTIAL_CONTENT if range_of(&response) == Some(from) => from,
        StatusCode::NOT_FOUND | StatusCode::GONE => return Err(FetchFailure::NotFound),
        _ => return Err(FetchFailure::Refused),
    };
    let etag = response.headers().get(header::ETAG);
    // A weak one says nothing about bytes.
    let etag = etag.filter(|etag| !etag.as_bytes().starts_with(b"W/"));
    Ok(Arrived {
        offset,
        etag: etag.map(|etag| etag.as_bytes().to_vec()),
        body: response.into_body(),
    })
}

/// Where the part begins that was sent: what has no Content-Range says nothing (RFC 9110, 14.4).
fn range_of(response: &Response<Bytes>) -> Option<usize> {
    let range = response.headers().get(header::CONTENT_RANGE)?;
    let (from, _) = range
        .to_str()
        .ok()?
        .strip_prefix("bytes ")?
        .split_once('-')?;
    from.trim().parse().ok()
}

async fn send(network: &dyn Network, wish: &Wish) -> Result<Response<Bytes>, FetchFailure> {
    let uri: Uri = wish.uri.parse().map_err(|_| FetchFailure::NotFound)?;
    let mut request = Request::builder().method(Method::GET).uri(uri);
    if let (1.., Some(etag)) = (wish.offset, &wish.etag) {
        request = request
            .header(header::RANGE, format!("bytes={}-", wish.offset))
            .header(header::IF_MATCH, etag.as_slice());
    }
    let request = request
        .body(Bytes::new())
        .map_err(|_| FetchFailure::NotFound)?;
    http::send(network, request, limits::HTTP_BODY_BYTES)
        .await
        .map_err(|error| match error {
            http::Error::Url { .. } => FetchFailure::NotFound,
            http::Error::TooLarge { .. } => FetchFailure::Refused,
            _ => FetchFailure::Lost,
        })
}
