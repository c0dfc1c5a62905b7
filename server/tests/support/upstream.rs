//! nRF Cloud, scripted.

use std::{
    collections::VecDeque,
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use fotalab_wire::net::{
    Network,
    http::{Limits, serve},
};
use futures_util::stream;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::BoxBody};
use hyper::{
    body::{Frame, Incoming},
    service::service_fn,
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// What the scripted upstream does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Json(u16, String),
    /// The head comes, then the connection breaks.
    Cut,
    /// Nothing ever comes.
    Hang,
}

/// A request that reached the upstream.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) line: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// nRF Cloud, scripted: answers in the order queued, each once; the one marked as kept stays.
#[derive(Clone)]
pub(crate) struct Upstream {
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
    _task: Arc<Task>,
}

#[derive(Default)]
struct Script {
    queued: Vec<(String, VecDeque<Reply>)>,
    kept: Vec<(String, Reply)>,
    seen: Vec<Seen>,
}

struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Upstream {
    pub(crate) fn listen(network: &dyn Network) -> Self {
        let listener = network
            .listen(SocketAddr::from(([127, 0, 0, 1], 0)))
            .expect("a port");
        let address = listener.local_addr();
        let script = Arc::new(Mutex::new(Script::default()));
        let service = {
            let script = Arc::clone(&script);
            service_fn(move |request| answer(Arc::clone(&script), request))
        };
        let task = tokio::spawn(serve(listener, service, Limits::default()));
        Self {
            address,
            script,
            _task: Arc::new(Task(task)),
        }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}/api.nrfcloud.com/", self.address)
    }

    /// Answers the next request with this `METHOD /v1/path[?query]` once.
    pub(crate) fn queue(&self, line: &str, status: u16, body: Value) {
        self.queue_reply(line, Reply::Json(status, body.to_string()));
    }

    pub(crate) fn queue_reply(&self, line: &str, reply: Reply) {
        let mut script = self.script.lock().expect("the script");
        match script.queued.iter_mut().find(|(it, _)| it == line) {
            Some((_, replies)) => replies.push_back(reply),
            None => script
                .queued
                .push((line.to_owned(), VecDeque::from([reply]))),
        }
    }

    /// Answers every request with this line, unless something is queued for it.
    pub(crate) fn keep(&self, line: &str, reply: Reply) {
        let mut script = self.script.lock().expect("the script");
        script.kept.retain(|(it, _)| it != line);
        script.kept.push((line.to_owned(), reply));
    }

    /// Keeps a shadow for the device.
    pub(crate) fn keep_shadow(&self, device: &str, state: Value) {
        let line = format!(
            "GET /v1/devices?deviceIds={device}&includeState=true&includeStateMeta=true&pageLimit=100"
        );
        let body = json!({"items": [{"id": device, "$meta": {"createdAt": "2023-09-12T00:00:00.000Z"}, "state": state}], "total": 1});
        self.keep(&line, Reply::Json(200, body.to_string()));
    }

    pub(crate) fn seen(&self, line: &str) -> Vec<Seen> {
        let script = self.script.lock().expect("the script");
        script
            .seen
            .iter()
            .filter(|it| it.line == line)
            .cloned()
            .collect()
    }
}

async fn answer(
    script: Arc<Mutex<Script>>,
    request: Request<Incoming>,
) -> Result<Response<BoxBody<Bytes, io::Error>>, Infallible> {
    let path = request
        .uri()
        .path_and_query()
        .map(|it| it.as_str())
        .unwrap_or_default();
    let path = path.strip_prefix("/api.nrfcloud.com").unwrap_or(path);
    let line = format!("{} {path}", request.method());
    let headers = request.headers().clone();
    let body = request
        .into_body()
        .collect()
        .await
        .map(|it| it.to_bytes())
        .unwrap_or_default();
    let body = String::from_utf8_lossy(&body).into_owned();
    let reply = {
        let mut script = script.lock().expect("the script");
        script.seen.push(Seen {
            line: line.clone(),
            headers,
            body,
        });
        let queued = script.queued.iter_mut().find(|(it, _)| *it == line);
        let queued = queued.and_then(|(_, replies)| replies.pop_front());
        queued.or_else(|| {
            script
                .kept
                .iter()
                .find(|(it, _)| *it == line)
                .map(|(_, it)| it.clone())
        })
    };
    let whole = |text: String| Full::from(text).map_err(|never| match never {}).boxed();
    let (status, body) = match reply {
        Some(Reply::Json(status, text)) => (status, whole(text)),
        None => (404, whole("No responses found".to_owned())),
        Some(Reply::Cut) => {
            let broken: Result<Frame<Bytes>, _> = Err(io::Error::other("cut"));
            (200, BoxBody::new(StreamBody::new(stream::iter([broken]))))
        }
        Some(Reply::Hang) => std::future::pending().await,
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    Ok(response)
}
