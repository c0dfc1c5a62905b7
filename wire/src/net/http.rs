//! HTTP/1.1 over [`Connect`] and [`Accept`]: one client and one accept loop for the workspace.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, header};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::{
    body::{Body, Incoming},
    client::conn::http1 as client,
    server::conn::http1 as server,
    service::Service,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{sync::Semaphore, task::JoinSet};

use super::{Accept, Connect};

/// The largest answer the client takes unless told otherwise.
pub const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL is not one this client can ask.
    #[error("cannot ask `{url}`: {why}")]
    Url {
        /// The URL as given.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// No connection.
    #[error("failed to connect to {authority}: {source}")]
    Connect {
        /// `host:port`.
        authority: String,
        /// What the network said.
        source: io::Error,
    },
    /// The connection broke, or what came over it is not HTTP.
    #[error("the connection to {authority} broke: {source}")]
    Broken {
        /// `host:port`.
        authority: String,
        /// What hyper said.
        source: hyper::Error,
    },
    /// The answer is larger than the client takes.
    #[error("the answer of {authority} is larger than {limit} bytes")]
    TooLarge {
        /// `host:port`.
        authority: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// The answer's body broke off.
    #[error("the answer of {authority} broke off: {why}")]
    BrokeOff {
        /// `host:port`.
        authority: String,
        /// What was said about it.
        why: String,
    },
}

/// Sends one request on a connection of its own and reads the whole answer.
///
/// The URI is absolute (`http://host[:port]/path?query`); `Host`, `Content-Length` and
/// `Connection: close` are added. Header names go out as `Content-Type`, not `content-type`,
/// since clouds and mocks that compare raw text exist. Set a time limit around it.
///
/// # Errors
/// See [`Error`].
pub async fn send(
    network: &dyn Connect,
    request: Request<Bytes>,
    max_answer_bytes: usize,
) -> Result<Response<Bytes>, Error> {
    let Answering {
        parts,
        body,
        authority,
        driver: _driver,
    } = open(network, request).await?;
    let collected = Limited::new(body, max_answer_bytes)
        .collect()
        .await
        .map_err(|why| {
            if why.is::<LengthLimitError>() {
                Error::TooLarge {
                    authority: authority.clone(),
                    limit: max_answer_bytes,
                }
            } else {
                Error::BrokeOff {
                    authority: authority.clone(),
                    why: why.to_string(),
                }
            }
        });
    Ok(Response::from_parts(parts, collected?.to_bytes()))
}

/// An answer whose body is read as it comes. Dropping it ends the connection.
#[derive(Debug)]
pub struct Answering {
    /// Its status and headers.
    pub parts: http::response::Parts,
    body: Incoming,
    authority: String,
    driver: JoinSet<Result<(), hyper::Error>>,
}

impl Answering {
    /// The next bytes of the body; `None` at its end. Nothing is lost when this future is dropped.
    ///
    /// # Errors
    /// [`Error::BrokeOff`].
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let frame = match self.body.frame().await {
                None => return Ok(None),
                Some(frame) => frame.map_err(|why| Error::BrokeOff {
                    authority: self.authority.clone(),
                    why: why.to_string(),
                })?,
            };
            // What is no data is a trailer.
            if let Ok(bytes) = frame.into_data() {
                return Ok(Some(bytes));
            }
        }
    }
}

/// Sends one request as [`send`] does, and returns when the head of the answer is there.
///
/// # Errors
/// See [`Error`].
pub async fn open(network: &dyn Connect, request: Request<Bytes>) -> Result<Answering, Error> {
    let (mut parts, body) = request.into_parts();
    let (host, port) = host_and_port(&parts.uri)?;
    let authority = format!("{host}:{port}");
    let stream = network
        .connect(&host, port)
        .await
        .map_err(|source| Error::Connect {
            authority: authority.clone(),
            source,
        })?;
    let broken = |source| Error::Broken {
        authority: authority.clone(),
        source,
    };
    let (mut sender, connection) = client::Builder::new()
        .title_case_headers(true)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    // In a set, so that a caller who gives up also ends the connection.
    let mut driver = JoinSet::new();
    driver.spawn(connection);

    let host_header = parts
        .uri
        .authority()
        .map(|it| it.as_str().to_owned())
        .unwrap_or_default();
    if let Ok(value) = HeaderValue::from_str(&host_header) {
        parts.headers.insert(header::HOST, value);
    }
    parts
        .headers
        .entry(header::CONNECTION)
        .or_insert(HeaderValue::from_static("close"));
    parts.uri = parts
        .uri
        .path_and_query()
        .map_or_else(|| Uri::from_static("/"), |path| Uri::from(path.clone()));
    let answer = sender
        .send_request(Request::from_parts(parts, Full::new(body)))
        .await
        .map_err(broken)?;
    let (parts, body) = answer.into_parts();
    Ok(Answering {
        parts,
        body,
        authority,
        driver,
    })
}

/// The host (IPv6 without brackets) and port of an `http` URL.
///
/// # Errors
/// [`Error::Url`] for a relative URL and for other schemes.
pub fn host_and_port(uri: &Uri) -> Result<(String, u16), Error> {
    let fail = |why| Error::Url {
        url: uri.to_string(),
        why,
    };
    let host = uri.host().ok_or_else(|| fail("it has no host"))?;
    let default_port = match uri.scheme_str() {
        Some("http" | "ws") => 80,
        Some("https" | "wss") => return Err(fail("TLS is not supported; use http or ws")),
        _ => return Err(fail("its scheme is neither http nor ws")),
    };
    let host = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    Ok((host, uri.port_u16().unwrap_or(default_port)))
}

/// What one listener may hold, so that no peer can exhaust the process.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections open at once; more wait in the backlog.
    pub connections: usize,
    /// Time for a peer to send a request's head, also the idle time between two requests.
    pub head: Duration,
    /// Largest request head in bytes.
    pub head_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 8_192,
            head: Duration::from_secs(30),
            head_bytes: 64 * 1024,
        }
    }
}

/// Serves `service` on every connection that `listener` accepts, until the future is dropped.
///
/// Upgrades (websocket) work. Connections are tasks of the current runtime and end with it.
pub async fn serve<S, B>(mut listener: Box<dyn Accept>, service: S, limits: Limits)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let slots = Arc::new(Semaphore::new(limits.connections));
    let mut builder = server::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(limits.head_bytes)
        .half_close(true);
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let Ok((stream, _peer)) = accepted else {
            // Out of file descriptors or a peer that gave up: let others finish first.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let connection = builder
            .serve_connection(TokioIo::new(stream), service.clone())
            .with_upgrades();
        connections.spawn(async move {
            // A peer that breaks its own connection is not our error.
            drop(connection.await);
            drop(slot);
        });
    }
}

#[cfg(test)]
mod tests {
    use std::{net::SocketAddr, sync::Arc};

    use bytes::Bytes;
    use http::{Request, Response};
    use http_body_util::{BodyExt as _, Full};
    use hyper::service::service_fn;

    use super::*;
    use crate::net::{InMemory, Network, Sockets};

    async fn echoes(network: Arc<dyn Network>) {
        let listener = network
            .listen(SocketAddr::from(([127, 0, 0, 1], 0)))
            .expect("a free port");
        let address = listener.local_addr();
        let echo = service_fn(|request: Request<Incoming>| async move {
            let body = request.into_body().collect().await.map(|it| it.to_bytes());
            Ok::<_, Infallible>(Response::new(Full::new(body.unwrap_or_default())))
        });
        tokio::spawn(serve(listener, echo, Limits::default()));
        let request = Request::post(format!("http://{address}/x?y=1"))
            .body(Bytes::from_static(b"hello"))
            .expect("a request");
        let answer = send(&*network, request, MAX_ANSWER_BYTES)
            .await
            .expect("an answer");
        assert_eq!(answer.body(), "hello");
        let request =
            Request::post(format!("http://{address}/")).body(Bytes::from_static(b"hello"));
        let refused = send(&*network, request.expect("a request"), 4).await;
        assert!(
            matches!(refused, Err(Error::TooLarge { limit: 4, .. })),
            "{refused:?}"
        );
    }

    #[tokio::test]
    async fn a_request_crosses_real_sockets() {
        echoes(Arc::new(Sockets)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_crosses_memory() {
        echoes(Arc::new(InMemory::new())).await;
    }
}
