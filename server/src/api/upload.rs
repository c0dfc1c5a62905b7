//! Takes in the bytes of images, whichever face they come to.

use std::pin::pin;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::Problem;
use crate::{
    limits,
    server::Server,
    store::blob::{Expected, Refused, Stored},
};

/// Hashes and stores a body as it arrives; it never is in memory whole.
pub(super) async fn receive(server: &Server, body: Incoming) -> Result<Stored, Problem> {
    let late = || Problem::bad_request("The image did not arrive in time").closes_connection();
    let taken = timeout(limits::IMAGE_TIMEOUT, take(server, body)).await;
    taken.map_err(|_| late())?
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

/// What an image that was not taken answers.
pub(super) fn refused(why: &Refused) -> Problem {
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
