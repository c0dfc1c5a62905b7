//! What happens on the air, told to everybody who asked for `GET /admin/events`.

use std::{convert::Infallible, pin::Pin};

use bytes::Bytes;
use futures_util::{Stream, stream};
use http_body_util::StreamBody;
use hyper::body::Frame;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::limits;

/// The body of an answer that never ends by itself.
pub(crate) type FeedBody =
    StreamBody<Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, Infallible>> + Send>>>;

/// All who listen.
#[derive(Default)]
pub(crate) struct Feed {
    listeners: Vec<mpsc::Sender<Bytes>>,
}

impl Feed {
    /// Another listener; `None` if there are too many.
    pub(crate) fn listen(&mut self) -> Option<FeedBody> {
        self.listeners.retain(|it| !it.is_closed());
        if self.listeners.len() >= limits::MAX_EVENT_LISTENERS {
            return None;
        }
        let (sender, receiver) = mpsc::channel(limits::EVENT_QUEUE);
        // Says that it is open: from now on nothing is missed.
        let _room = sender.try_send(Bytes::from_static(b": listening\n\n"));
        self.listeners.push(sender);
        let frames = stream::unfold(receiver, |mut receiver| async {
            let bytes = receiver.recv().await?;
            Some((Ok(Frame::data(bytes)), receiver))
        });
        Some(StreamBody::new(Box::pin(frames)))
    }

    /// Tells an event. A listener that does not read loses its place.
    pub(crate) fn tell(&mut self, event: &str, document: &Value) {
        if self.listeners.is_empty() {
            return;
        }
        let text = Bytes::from(format!("event: {event}\ndata: {document}\n\n"));
        self.listeners
            .retain(|it| it.try_send(text.clone()).is_ok());
    }
}
