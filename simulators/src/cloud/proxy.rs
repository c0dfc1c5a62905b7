//! The TCP fault in front of a mock: forwards a request and its response, and cuts on demand.
//!
//! One request per connection: every response says `Connection: close`. A client that would like
//! to keep its connection opens another, and the end of a response is the end of the connection,
//! so that nothing here has to understand responses.

use std::{io, sync::Arc, time::Duration};

use fotalab_wire::net::{Accept, Stream};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::Semaphore,
    task::JoinSet,
    time::timeout,
};

use super::{
    backend::{Backend, Desk, TICKET},
    request::{self, Request, Unread},
};
use crate::limits::{
    FRONT_CONNECTIONS, LINGER_TIME, REQUEST_BODY_BYTES, REQUEST_TIME, RESPONSE_PIECE_TIME,
};

/// Accepts connections until the future is dropped; they end with it.
pub(super) async fn run(mut listener: Box<dyn Accept>, desk: Arc<Desk>, backend: Backend) {
    let backend = Arc::new(backend);
    let slots = Arc::new(Semaphore::new(FRONT_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let Ok((client, _peer)) = accepted else {
            // Out of file descriptors or a client that gave up: let others finish first.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let (desk, backend) = (Arc::clone(&desk), Arc::clone(&backend));
        connections.spawn(async move {
            // A client that breaks its own connection is not our error.
            drop(exchange(client, &desk, &backend).await);
            drop(slot);
        });
    }
}

async fn exchange(mut client: Stream, desk: &Desk, backend: &Backend) -> io::Result<()> {
    let request = match timeout(REQUEST_TIME, request::read(&mut client)).await {
        Ok(Ok(request)) => request,
        Ok(Err(Unread::Gone)) => return Ok(()),
        Ok(Err(Unread::Refused(status, reason))) => return refuse(client, status, reason).await,
        Err(_) => return refuse(client, 408, "Request Timeout").await,
    };
    let ticket = desk.register(request.target.clone(), as_text(&request.headers));
    let forwarded = forwarded(&request, ticket.number);
    let sent = async {
        // The whole request is in memory before: wiremock panics at one that breaks off.
        let (mut server, held) = backend.connect(forwarded.len()).await?;
        server.write_all(&forwarded).await?;
        server.flush().await?;
        io::Result::Ok((server, held))
    };
    let (mut server, _held) = match sent.await {
        Ok(server) => server,
        Err(_) => return refuse(client, 502, "Bad Gateway").await,
    };
    let mut piece = vec![0; 16 * 1024];
    let mut passed = 0_usize;
    loop {
        let read = server.read(&mut piece).await?;
        if read == 0 {
            return end(client).await;
        }
        // The answer was chosen, and its cut set, before the first byte of it came.
        let room = read.min(ticket.cut_after() - passed);
        timeout(RESPONSE_PIECE_TIME, client.write_all(&piece[..room])).await??;
        passed += room;
        if passed == ticket.cut_after() {
            return client.flush().await;
        }
    }
}

/// The request for the backend: asks for `/`, since wiremock rewrites other targets and panics at
/// some; the true one waits at the desk.
fn forwarded(request: &Request, ticket: u64) -> Vec<u8> {
    const OF_CONNECTION: [&str; 8] = [
        "connection",
        "content-length",
        "expect",
        "http2-settings",
        "keep-alive",
        "transfer-encoding",
        "upgrade",
        TICKET,
    ];
    let length = request.body.len();
    let first = format!("{} / HTTP/1.1\r\n", request.method);
    let mut head = first.into_bytes();
    for (name, value) in &request.headers {
        if !OF_CONNECTION.iter().any(|it| name.eq_ignore_ascii_case(it)) {
            head.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
    }
    let own = format!("{TICKET}: {ticket}\r\nContent-Length: {length}\r\n\r\n");
    head.extend(own.into_bytes());
    head.extend(&request.body);
    head
}

fn as_text(headers: &[(String, Vec<u8>)]) -> Vec<(String, String)> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    headers
        .iter()
        .map(|(name, value)| (name.clone(), text(value)))
        .collect()
}

async fn refuse(mut client: Stream, status: u16, reason: &str) -> io::Result<()> {
    let head =
        format!("HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    client.write_all(head.as_bytes()).await?;
    end(client).await
}

/// Closes after the last byte was taken, not before.
async fn end(mut client: Stream) -> io::Result<()> {
    client.shutdown().await?;
    let limit = u64::try_from(REQUEST_BODY_BYTES).unwrap_or(u64::MAX);
    let mut rest = client.take(limit);
    let mut nowhere = tokio::io::sink();
    timeout(LINGER_TIME, tokio::io::copy(&mut rest, &mut nowhere)).await??;
    Ok(())
}
