//! Reads request bodies, within limits of size and time.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::{sync::OwnedSemaphorePermit, time::timeout};

use super::Problem;
use crate::{limits, server::Server};

/// A body, and its share of the memory for large ones.
pub(super) struct Read {
    /// The bytes.
    pub(super) bytes: Bytes,
    _share: Option<OwnedSemaphorePermit>,
}

/// Reads a body whole. One that is too large is read to its end, as far as that takes no longer
/// than any other, and dropped, so that its sender gets to see the answer.
pub(super) async fn read(server: &Server, body: Incoming) -> Result<Read, Problem> {
    let too_slow = || {
        Problem::bad_request("The request body did not arrive in time")
            .detail(format!("It may take {} s.", limits::BODY_TIMEOUT.as_secs()))
            .closes_connection()
    };
    timeout(limits::BODY_TIMEOUT, read_all(server, body))
        .await
        .unwrap_or_else(|_| Err(too_slow()))
}

async fn read_all(server: &Server, mut body: Incoming) -> Result<Read, Problem> {
    let mut bytes = BytesMut::new();
    let mut share = None;
    let mut refused = None;
    while let Some(frame) = body.frame().await {
        let broken = |_| Problem::bad_request("The request body broke off").closes_connection();
        let Ok(part) = frame.map_err(broken)?.into_data() else {
            continue;
        };
        if refused.is_some() {
            continue;
        }
        if bytes.len() + part.len() > limits::MAX_BODY_BYTES {
            refused = Some(
                Problem::bad_request("The request body is too large")
                    .detail(format!("It may have {} bytes.", limits::MAX_BODY_BYTES))
                    .closes_connection(),
            );
        } else if bytes.len() + part.len() > limits::SMALL_BODY_BYTES && share.is_none() {
            let whole = u32::try_from(limits::MAX_BODY_BYTES).unwrap_or(u32::MAX);
            share = Arc::clone(&server.large_bodies)
                .try_acquire_many_owned(whole)
                .ok();
            if share.is_none() {
                refused = Some(
                    Problem::bad_request("The request body is too large for now")
                        .detail("Too many large ones are arriving; try again.")
                        .closes_connection(),
                );
            }
        }
        if refused.is_none() {
            bytes.extend_from_slice(&part);
        } else {
            bytes = BytesMut::new();
            share = None;
        }
    }
    match refused {
        Some(problem) => Err(problem),
        None => Ok(Read {
            bytes: bytes.freeze(),
            _share: share,
        }),
    }
}
