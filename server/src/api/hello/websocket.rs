//! The websocket: who the device is, its shadow, then what happens to it (contract section 3).

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        handshake::derive_accept_key,
        protocol::{Role, WebSocketConfig},
    },
};

use super::{Generation, Problem, Reply, inputs::Inputs, render};
use crate::{
    api::query,
    core::time::millis,
    limits,
    live::{Event, Place},
    server::Server,
};

type Socket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

/// What one websocket is about.
struct Connection {
    server: Arc<Server>,
    generation: Generation,
    device: String,
    place: Place,
    events: mpsc::Receiver<Arc<Event>>,
}

/// `GET /ws?fingerprint=`: lets complete devices in (contract 3.1).
pub(super) fn open(
    server: &Arc<Server>,
    generation: Generation,
    request: &mut Request<Incoming>,
) -> Result<Reply, Problem> {
    let accept = handshake(request.headers())?;
    let mut inputs = Inputs::merge(&[], query(request), b"");
    let fingerprint = inputs.fingerprint();
    inputs.finish()?;
    let device = {
        let state = server.state();
        let device = state.registry.device_by_fingerprint(&fingerprint);
        let device = device.filter(|it| it.is_complete()).map(|it| it.id.clone());
        device.ok_or_else(|| Problem::forbidden("Forbidden").detail(fingerprint))?
    };
    let (place, events) = server
        .live
        .reserve(&device)
        .ok_or_else(|| Problem::forbidden("Too many websockets are open"))?;
    let connection = Connection {
        server: Arc::clone(server),
        generation,
        device,
        place,
        events,
    };
    server.spawn(connection.run(hyper::upgrade::on(request)));
    let mut reply = Response::new(Full::<Bytes>::default());
    *reply.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = reply.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    Ok(reply)
}

/// RFC 6455, section 4.2: the key for the answer.
fn handshake(headers: &HeaderMap) -> Result<HeaderValue, Problem> {
    let has = |name, word: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|it| it.to_str().ok())
            .any(|it| it.split(',').any(|it| it.trim().eq_ignore_ascii_case(word)))
    };
    let no = |detail: &str| Err(Problem::bad_request("This is a websocket").detail(detail));
    if !has(header::CONNECTION, "upgrade") || !has(header::UPGRADE, "websocket") {
        return no("Ask for an upgrade to `websocket`.");
    }
    if !has(header::SEC_WEBSOCKET_VERSION, "13") {
        return no("Ask for `Sec-WebSocket-Version: 13`.");
    }
    let key = headers
        .get(header::SEC_WEBSOCKET_KEY)
        .filter(|it| it.len() == 24);
    let key = key.map(|key| HeaderValue::from_str(&derive_accept_key(key.as_bytes())));
    match key {
        Some(Ok(accept)) => Ok(accept),
        _ => no("Send a `Sec-WebSocket-Key` of 16 bytes in base64."),
    }
}

impl Connection {
    async fn run(mut self, upgrade: OnUpgrade) {
        let Ok(Ok(upgraded)) = timeout(limits::HEAD_TIMEOUT, upgrade).await else {
            return;
        };
        let config = WebSocketConfig::default()
            .read_buffer_size(limits::WEBSOCKET_BUFFER_BYTES)
            .write_buffer_size(limits::WEBSOCKET_BUFFER_BYTES)
            // Pongs are written without `send` and its time limit: a peer that pings and never
            // reads is dropped when they fill this.
            .max_write_buffer_size(limits::MAX_WEBSOCKET_UNSENT_BYTES)
            .max_message_size(Some(limits::MAX_WEBSOCKET_MESSAGE_BYTES))
            .max_frame_size(Some(limits::MAX_WEBSOCKET_MESSAGE_BYTES));
        let io = TokioIo::new(upgraded);
        let mut socket = Socket::from_raw_socket(io, Role::Server, Some(config)).await;
        if self.greet(&mut socket).await.is_some() && self.talk(&mut socket).await.is_some() {
            drop(timeout(self.server.config.timing.websocket_send, socket.close(None)).await);
        }
    }

    /// The identity, then the stored shadow; from then on, what changes (contract 3.2).
    async fn greet(&self, socket: &mut Socket) -> Option<()> {
        let (identity, shadow) = {
            // Under the lock that shadows change under: nothing is lost or told twice.
            let mut state = self.server.state();
            let device = state.registry.device_mut(&self.device)?;
            device.same_version_counts = true;
            let identity = render::identity(device, true)?;
            let shadow = device.visible_shadow().map(|it| render::shadow(&it));
            self.refresh();
            (identity, shadow)
        };
        self.send(socket, identity.to_string()).await?;
        if let Some(shadow) = shadow {
            self.send(socket, shadow.to_string()).await?;
        }
        self.server.shadows_wake.notify_one();
        Some(())
    }

    /// Until the client leaves (`Some`), or cannot be talked to (`None`).
    async fn talk(&mut self, socket: &mut Socket) -> Option<()> {
        let idle = self.server.config.timing.websocket_idle;
        let mut last_frame = Instant::now();
        loop {
            // A year is for ever here, and fits into every clock.
            let patience = idle.unwrap_or(Duration::from_secs(365 * 24 * 3_600));
            let told = tokio::select! {
                frame = socket.next() => {
                    last_frame = Instant::now();
                    match frame?.ok()? {
                        Message::Close(_) => return Some(()),
                        Message::Text(text) => self.answer_to(&text),
                        Message::Binary(_) => Some(self.unrouted()),
                        Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => None,
                    }
                }
                event = self.events.recv() => {
                    // The queue closes when it overflowed: this client does not read.
                    render::event(self.generation, &*event?)
                }
                () = sleep_until(last_frame + patience) => return Some(()),
            };
            if let Some(message) = told {
                self.send(socket, message.to_string()).await?;
            }
        }
    }

    /// `{"message":"message"}` keeps the registration alive; anything else is not routed
    /// (contract 3.3).
    fn answer_to(&self, text: &str) -> Option<Value> {
        let message: Value = serde_json::from_str(text).unwrap_or_default();
        if message["message"] != "message" {
            return Some(self.unrouted());
        }
        self.refresh();
        self.server.shadows_wake.notify_one();
        None
    }

    /// What the gateway says to a frame that no route takes.
    fn unrouted(&self) -> Value {
        json!({"message": "Forbidden", "connectionId": self.place.id().to_string()})
    }

    fn refresh(&self) {
        let lifetime = millis(self.server.config.timing.registration);
        self.place
            .listen_until(self.server.now().saturating_add(lifetime));
    }

    async fn send(&self, socket: &mut Socket, text: String) -> Option<()> {
        let limit = self.server.config.timing.websocket_send;
        timeout(limit, socket.send(Message::text(text)))
            .await
            .ok()?
            .ok()
    }
}
