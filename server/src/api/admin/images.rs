//! Images: bytes in, id and hash out.

use std::sync::Arc;

use hyper::body::Incoming;
use serde_json::{Value, json};

use super::Problem;
use crate::{api::upload, server::Server};

/// `POST /images`: the body is the image, hashed and stored as it arrives.
pub(super) async fn post(server: &Arc<Server>, body: Incoming) -> Result<Value, Problem> {
    let stored = upload::receive(server, body).await?;
    let image = server.keep_image(stored);
    let image = image.map_err(|why| upload::refused(&why))?;
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
