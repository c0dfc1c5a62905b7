//! One websocket connection and the messages that came over it.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use fotalab_wire::net::http::host_and_port;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_tungstenite::{
    client_async_with_config,
    tungstenite::{self, Message, protocol::WebSocketConfig},
};

use crate::{
    run::Lab,
    trace::{Kind, Lane, Trace},
};

/// Messages of one connection that are kept; the oldest go first.
const MAX_MESSAGES: usize = 10_000;
/// The largest message that is taken.
const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;
/// Messages that wait to be sent.
const MAX_UNSENT: usize = 64;

/// An open, or once open, connection.
pub(super) struct Client {
    /// Where it is connected to.
    pub(super) url: String,
    inbox: Arc<Inbox>,
    outbox: mpsc::Sender<Message>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Inbox {
    messages: Mutex<VecDeque<Incoming>>,
    closed: AtomicBool,
}

/// A message that came.
#[derive(Clone)]
pub(super) struct Incoming {
    /// Number on its connection.
    pub(super) number: u64,
    /// The message; one that is not JSON is a text.
    pub(super) json: Value,
    /// A step has matched it.
    pub(super) taken: bool,
}

/// Why a connection did not open.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    /// The handshake was answered with another status than 101.
    #[error("the server answered {0}")]
    Refused(u16),
    /// The URL, the network or the protocol.
    #[error("{0}")]
    Other(String),
}

impl Client {
    /// Connects in the lab's world.
    pub(super) async fn connect(lab: &Lab, url: String) -> Result<Self, ConnectError> {
        let trace = lab.trace().clone();
        lab.equipment.secrets.learn_url(&url);
        let opened = open(lab, &url).await;
        let (what, detail) = match &opened {
            Ok(_) => ("opened".to_owned(), json!({ "url": url, "status": 101 })),
            Err(ConnectError::Refused(status)) => (
                format!("refused with {status}"),
                json!({ "url": url, "status": status }),
            ),
            Err(error) => (format!("did not open: {error}"), json!({ "url": url })),
        };
        trace.record(
            Lane::Websocket,
            Kind::Connection,
            format!("websocket {what}"),
            detail,
        );
        let stream = opened?;
        let inbox = Arc::new(Inbox::default());
        let (outbox, unsent) = mpsc::channel(MAX_UNSENT);
        let task = tokio::spawn(pump(stream, Arc::clone(&inbox), unsent, trace));
        Ok(Self {
            url,
            inbox,
            outbox,
            task,
        })
    }

    pub(super) fn is_open(&self) -> bool {
        !self.inbox.closed.load(Ordering::Acquire)
    }

    /// All messages that are kept, oldest first.
    pub(super) fn messages(&self) -> Vec<Incoming> {
        self.inbox
            .messages
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }

    /// Marks a message as taken by a step.
    pub(super) fn take(&self, number: u64) {
        let mut messages = self
            .inbox
            .messages
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(message) = messages.iter_mut().find(|it| it.number == number) {
            message.taken = true;
        }
    }

    /// Sends a text message; `false` when the connection is closed.
    pub(super) async fn send(&self, trace: &Trace, message: &Value) -> bool {
        trace.record(
            Lane::Websocket,
            Kind::Request,
            summary(message),
            message.clone(),
        );
        self.is_open()
            && self
                .outbox
                .send(Message::text(message.to_string()))
                .await
                .is_ok()
    }

    /// Says goodbye and ends.
    pub(super) async fn close(self) {
        drop(self.outbox);
        drop(self.task.await);
    }
}

type Socket = tokio_tungstenite::WebSocketStream<fotalab_wire::net::Stream>;

async fn open(lab: &Lab, url: &str) -> Result<Socket, ConnectError> {
    let other = |error: &dyn std::fmt::Display| ConnectError::Other(error.to_string());
    let uri: http::Uri = url
        .parse()
        .map_err(|error: http::uri::InvalidUri| other(&error))?;
    let (host, port) = host_and_port(&uri).map_err(|error| other(&error))?;
    let network = lab.network();
    let stream = network
        .connect(&host, port)
        .await
        .map_err(|error| other(&error))?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES))
        .max_write_buffer_size(2 * MAX_MESSAGE_BYTES);
    match client_async_with_config(url, stream, Some(config)).await {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::Error::Http(answer)) => {
            Err(ConnectError::Refused(answer.status().as_u16()))
        }
        Err(error) => Err(other(&error)),
    }
}

/// Moves messages until either side closes.
async fn pump(
    mut socket: Socket,
    inbox: Arc<Inbox>,
    mut unsent: mpsc::Receiver<Message>,
    trace: Trace,
) {
    let mut number = 0;
    let why = loop {
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    let json = serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text.to_string()));
                    take_in(&inbox, number, json.clone());
                    number += 1;
                    trace.record(Lane::Websocket, Kind::Answer, summary(&json), json);
                }
                Some(Ok(Message::Close(_))) | None => break "closed by the server".to_owned(),
                Some(Ok(_)) => {}
                Some(Err(error)) => break format!("broken: {error}"),
            },
            message = unsent.recv() => match message {
                Some(message) => {
                    if let Err(error) = socket.send(message).await {
                        break format!("broken: {error}");
                    }
                }
                None => {
                    drop(socket.close(None).await);
                    break "closed".to_owned();
                }
            },
        }
    };
    inbox.closed.store(true, Ordering::Release);
    trace.record(
        Lane::Websocket,
        Kind::Connection,
        format!("websocket {why}"),
        Value::Null,
    );
}

fn take_in(inbox: &Inbox, number: u64, json: Value) {
    let mut messages = inbox
        .messages
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if messages.len() >= MAX_MESSAGES {
        messages.pop_front();
    }
    messages.push_back(Incoming {
        number,
        json,
        taken: false,
    });
}

/// What a message is about, in a few words.
fn summary(message: &Value) -> String {
    let context = message
        .get("@context")
        .and_then(Value::as_str)
        .unwrap_or("message");
    let context = context.rsplit("/proto/").next().unwrap_or(context);
    match message.get("status").and_then(Value::as_str) {
        Some(status) => format!("{context} {status}"),
        None => context.to_owned(),
    }
}
