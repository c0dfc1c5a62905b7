//! Images: bytes in, id and hash out.

use std::{pin::pin, sync::Arc};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;

use super::Problem;
use crate::{limits, server::Server, store::blob::Image};

/// `POST /images`: the body is the image, hashed as it arrives.
pub(super) async fn post(server: &Arc<Server>, body: Incoming) -> Result<Value, Problem> {
    if body.size_hint().lower() > limits::MAX_IMAGE_BYTES as u64 {
        return Err(too_large());
    }
    let late = || Problem::bad_request("The image did not arrive in time").closes_connection();
    let read = timeout(limits::IMAGE_TIMEOUT, read(body)).await;
    let (bytes, sha256) = read.map_err(|_| late())??;
    if bytes.is_empty() {
        return Err(Problem::validation(&["/: the image is empty".to_owned()]));
    }
    let now = server.now();
    let mut state = server.state();
    let image = Image {
        id: state.image_ids.draw(now),
        sha256,
        bytes,
    };
    let document = json!({
        "id": image.id,
        "sha256": image.hex(),
        "length": image.bytes.len(),
    });
    let full = |_| Problem::conflict("There is no room for another image");
    state.images.put(image).map_err(full)?;
    Ok(document)
}

async fn read(body: Incoming) -> Result<(Bytes, [u8; 32]), Problem> {
    let mut body = pin!(body);
    let mut bytes = BytesMut::new();
    let mut hash = Sha256::new();
    while let Some(frame) = body.frame().await {
        let broken = |_| Problem::bad_request("The image broke off").closes_connection();
        let Ok(part) = frame.map_err(broken)?.into_data() else {
            continue;
        };
        if bytes.len() + part.len() > limits::MAX_IMAGE_BYTES {
            return Err(too_large());
        }
        hash.update(&part);
        bytes.extend_from_slice(&part);
    }
    Ok((bytes.freeze(), hash.finalize().into()))
}

fn too_large() -> Problem {
    Problem::bad_request("The image is too large")
        .detail(format!("It may have {} bytes.", limits::MAX_IMAGE_BYTES))
        .closes_connection()
}
