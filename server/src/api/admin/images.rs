//! Images: bytes in, id and hash out.

use std::{pin::pin, sync::Arc};

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::Problem;
use crate::{
    limits,
    server::Server,
    store::blob::{Expected, Refused, Stored},
};

/// `POST /images`: the body is the image, hashed and stored as it arrives.
pub(super) async fn post(server: &Arc<Server>, body: Incoming) -> Result<Value, Problem> {
    let late = || Problem::bad_request("The image did not arrive in time").closes_connection();
    let taken = timeout(limits::IMAGE_TIMEOUT, take(server, body)).await;
    let stored = taken.map_err(|_| late())??;
    let image = server.keep_image(stored).map_err(|why| refused(&why))?;
    Ok(json!({
        "id": image.id,
        "sha256": image.sha256,
        "length": image.length,
    }))
}

/// `DELETE /images/{id}`, unless an update still needs it.
pub(super) fn delete(server: &Server, id: &str) -> Result<Value, Problem> {
    let state = server.state();
    let needed = state.firmware.needs_image(id).map(str::to_owned);
    drop(state);
    if let Some(update) = needed {
        let detail = format!("The update {update} has not ended.");
        return Err(Problem::conflict("The image is needed").detail(detail));
    }
    if server.forget_image(id) {
        Ok(json!({"id": id}))
    } else {
        Err(Problem::not_found("No image found with ID!").detail(id))
    }
}

async fn take(server: &Server, body: Incoming) -> Result<Stored, Problem> {
    let refused = |why: Refused| refused(&why);
    let mut upload = server.blobs.begin().await.map_err(refused)?;
    let mut body = pin!(body);
    while let Some(frame) = body.frame().await {
        let broken = |_| Problem::bad_request("The image broke off").closes_connection();
        if let Ok(part) = frame.map_err(broken)?.into_data() {
            upload.write(part).await.map_err(refused)?;
        }
    }
    let finished = upload.finish(Expected::default()).await;
    finished.map_err(refused)
}

fn refused(why: &Refused) -> Problem {
    match why {
        Refused::Empty => Problem::validation(&["/: the image is empty".to_owned()]),
        Refused::TooLarge { most } => Problem::bad_request("The image is too large")
            .detail(format!("It may have {most} bytes."))
            .closes_connection(),
        Refused::Full => {
            Problem::conflict("There is no room for another image").closes_connection()
        }
        Refused::Unexpected { .. } => {
            Problem::bad_request("The image is another").detail(why.to_string())
        }
        Refused::Io(_) => Problem::internal("The image cannot be stored").detail(why.to_string()),
    }
}
