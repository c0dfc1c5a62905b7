//! What answers behind the proxy: wiremock over real sockets, hyper in this process over pipes.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use fotalab_wire::net::{
    Connect, InMemory, Network, Sockets, Stream,
    http::{Limits, serve},
};
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, service::service_fn};
use tokio::task::JoinHandle;
use wiremock::{Mock, MockServer, Respond, ResponseTemplate, matchers::any};

use super::{Cloud, Reply, lock};
use crate::limits::{WIREMOCK_BYTES, WIREMOCK_REQUESTS};

/// Names the exchange in the forwarded request.
pub(super) const TICKET: &str = "x-fotalab-ticket";

/// Where the proxy leaves what the backend's HTTP would lose, and learns where to cut.
pub(super) struct Desk {
    cloud: Cloud,
    exchanges: Mutex<(u64, BTreeMap<u64, Exchange>)>,
}

struct Exchange {
    target: String,
    headers: Vec<(String, String)>,
    cut: Arc<AtomicUsize>,
}

/// An exchange under way; the desk forgets it with this.
pub(super) struct Ticket<'a> {
    desk: &'a Desk,
    cut: Arc<AtomicUsize>,
    /// What goes into the header [`TICKET`].
    pub(super) number: u64,
}

impl Ticket<'_> {
    /// After how many bytes of the response to cut; `usize::MAX` until the answer is chosen, and
    /// if it is not to be cut.
    pub(super) fn cut_after(&self) -> usize {
        self.cut.load(Ordering::SeqCst)
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        lock(&self.desk.exchanges).1.remove(&self.number);
    }
}

impl Desk {
    pub(super) fn new(cloud: Cloud) -> Arc<Self> {
        Arc::new(Self {
            cloud,
            exchanges: Mutex::default(),
        })
    }

    /// Registers a request about to be forwarded.
    pub(super) fn register(&self, target: String, headers: Vec<(String, String)>) -> Ticket<'_> {
        let cut = Arc::new(AtomicUsize::new(usize::MAX));
        let mut exchanges = lock(&self.exchanges);
        exchanges.0 += 1;
        let number = exchanges.0;
        exchanges.1.insert(
            number,
            Exchange {
                target,
                headers,
                cut: Arc::clone(&cut),
            },
        );
        Ticket {
            desk: self,
            cut,
            number,
        }
    }

    /// The cloud's reply; `None` for a request that did not come through the proxy.
    fn answer(&self, ticket: Option<&HeaderValue>, method: &str, body: Bytes) -> Option<Reply> {
        let ticket = ticket?.to_str().ok()?.parse::<u64>().ok()?;
        let Exchange {
            target,
            headers,
            cut,
        } = lock(&self.exchanges).1.remove(&ticket)?;
        let reply = self.cloud.receive(method, &target, headers, body);
        cut.store(reply.cut_after.unwrap_or(usize::MAX), Ordering::SeqCst);
        Some(reply)
    }
}

/// One of the two.
pub(super) enum Backend {
    InProcess {
        network: InMemory,
        address: SocketAddr,
        task: JoinHandle<()>,
    },
    Wiremock {
        desk: Arc<Desk>,
        current: tokio::sync::Mutex<Generation>,
    },
}

/// A wiremock server, with what it has been given: it keeps every request that it answered.
pub(super) struct Generation {
    server: Arc<MockServer>,
    requests: usize,
    bytes: usize,
}

impl Backend {
    /// hyper, in the current runtime and with its clock.
    pub(super) fn in_process(desk: Arc<Desk>) -> io::Result<Self> {
        let network = InMemory::new();
        let listener = network.listen((Ipv4Addr::LOCALHOST, 0).into())?;
        let address = listener.local_addr();
        let service = service_fn(move |request: http::Request<Incoming>| {
            let desk = Arc::clone(&desk);
            async move { Ok::<_, Infallible>(answer_in_process(&desk, request).await) }
        });
        let task = tokio::spawn(serve(listener, service, Limits::default()));
        Ok(Self::InProcess {
            network,
            address,
            task,
        })
    }

    /// A wiremock server of its own.
    pub(super) async fn wiremock(desk: Arc<Desk>) -> io::Result<Self> {
        let current = tokio::sync::Mutex::new(Generation::start(&desk).await?);
        Ok(Self::Wiremock { desk, current })
    }

    /// A connection for one request of `bytes`, and what has to live as long as it.
    pub(super) async fn connect(
        &self,
        bytes: usize,
    ) -> io::Result<(Stream, Option<Arc<MockServer>>)> {
        match self {
            Self::InProcess {
                network, address, ..
            } => Ok((network.connect("127.0.0.1", address.port()).await?, None)),
            Self::Wiremock { desk, current } => {
                let mut current = current.lock().await;
                if current.requests >= WIREMOCK_REQUESTS || current.bytes >= WIREMOCK_BYTES {
                    // The old one ends with the last exchange that holds it.
                    *current = Generation::start(desk).await?;
                }
                current.requests += 1;
                current.bytes += bytes;
                let server = Arc::clone(&current.server);
                drop(current);
                let stream = Sockets
                    .connect("127.0.0.1", server.address().port())
                    .await?;
                Ok((stream, Some(server)))
            }
        }
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        if let Self::InProcess { task, .. } = self {
            task.abort();
        }
    }
}

impl Generation {
    async fn start(desk: &Arc<Desk>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let builder = MockServer::builder()
            .listener(listener)
            .disable_request_recording();
        let server = builder.start().await;
        Mock::given(any())
            .respond_with(Responder(Arc::clone(desk)))
            .mount(&server)
            .await;
        Ok(Self {
            server: Arc::new(server),
            requests: 0,
            bytes: 0,
        })
    }
}

struct Responder(Arc<Desk>);

impl Respond for Responder {
    fn respond(&self, request: &wiremock::Request) -> ResponseTemplate {
        let body = Bytes::copy_from_slice(&request.body);
        let reply = self
            .0
            .answer(request.headers.get(TICKET), request.method.as_str(), body);
        let Some(reply) = reply else {
            return ResponseTemplate::new(404);
        };
        let mut template = ResponseTemplate::new(status(reply.status).as_u16());
        for (name, value) in headers(&reply.headers) {
            template = template.append_header(name, value);
        }
        if let Some(after) = reply.after {
            template = template.set_delay(after);
        }
        template.set_body_bytes(reply.body)
    }
}

async fn answer_in_process(desk: &Desk, request: http::Request<Incoming>) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map(|it| it.to_bytes())
        .unwrap_or_default();
    let mut response = Response::new(Full::default());
    match desk.answer(parts.headers.get(TICKET), parts.method.as_str(), body) {
        None => *response.status_mut() = StatusCode::NOT_FOUND,
        Some(reply) => {
            if let Some(after) = reply.after {
                tokio::time::sleep(after).await;
            }
            *response.status_mut() = status(reply.status);
            response.headers_mut().extend(headers(&reply.headers));
            *response.body_mut() = Full::new(reply.body);
        }
    }
    response
}

/// 500 for what is no status of a final answer; `Answer::parse` lets none through.
fn status(code: u16) -> StatusCode {
    let status = StatusCode::from_u16(code)
        .ok()
        .filter(|it| !it.is_informational());
    status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The headers that can be sent, with `Connection: close`, since the proxy forwards one request
/// per connection. Those that frame the body are hyper's.
fn headers(given: &[(String, String)]) -> Vec<(HeaderName, HeaderValue)> {
    let own = [
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
    ];
    let valid = given.iter().filter_map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_str(value).ok()?))
    });
    let close = (header::CONNECTION, HeaderValue::from_static("close"));
    valid
        .filter(|(name, _)| !own.contains(name))
        .chain([close])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{super::Mode, *};

    #[tokio::test]
    async fn a_wiremock_server_that_holds_much_is_replaced() {
        let cloud = Cloud::new(Mode::InOrder, fotalab_wire::net::Clock::starting_at(0));
        let backend = Backend::wiremock(Desk::new(cloud)).await.expect("a port");
        let mut servers = Vec::new();
        for bytes in [1, WIREMOCK_BYTES, 1] {
            let (_stream, server) = backend.connect(bytes).await.expect("a connection");
            servers.push(server.expect("wiremock"));
        }
        assert_eq!(servers[0].address(), servers[1].address());
        assert_ne!(servers[1].address(), servers[2].address());
    }

    #[test]
    fn headers_of_the_connection_are_ours() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let given = [
            pair("Content-Length", "9"),
            pair("connection", "keep-alive"),
            pair("X-A", "1"),
            pair("not a name", "1"),
            pair("X-B", "\n"),
        ];
        let sent: Vec<_> = headers(&given).iter().map(|it| it.0.to_string()).collect();
        assert_eq!(sent, ["x-a", "connection"]);
        assert_eq!(
            [200, 101, 42].map(|code| status(code).as_u16()),
            [200, 500, 500]
        );
    }
}
