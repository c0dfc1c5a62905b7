//! Gives a body to the answers that hyper makes up itself.
//!
//! What is not HTTP, or has too long a head, never reaches a face: hyper answers 400, 414 or 431
//! with nothing in it. No face does that, so such an answer is recognised on its way out and
//! replaced by a problem document, as every 4xx is one (contract 1.1, recommended reading).

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
};

use fotalab_wire::net::{Accept, BoxFuture, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Problem;

/// A listener whose connections never send a bare 4xx.
pub(crate) struct NeverBare(pub(crate) Box<dyn Accept>);

struct Dressed {
    stream: Stream,
    /// What still has to be written in place of the bare answer, and that one's length.
    instead: Option<(Vec<u8>, usize)>,
}

impl Accept for NeverBare {
    fn local_addr(&self) -> SocketAddr {
        self.0.local_addr()
    }

    fn accept(&mut self) -> BoxFuture<'_, io::Result<(Stream, SocketAddr)>> {
        Box::pin(async move {
            let (stream, peer) = self.0.accept().await?;
            let dressed = Dressed {
                stream,
                instead: None,
            };
            Ok((Box::new(dressed) as Stream, peer))
        })
    }
}

impl AsyncRead for Dressed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Dressed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.instead.is_none() && is_bare(buf) {
            this.instead = Some((document(), buf.len()));
        }
        while let Some((rest, bare)) = &mut this.instead {
            if rest.is_empty() {
                let bare = *bare;
                this.instead = None;
                return Poll::Ready(Ok(bare));
            }
            let written = ready!(Pin::new(&mut this.stream).poll_write(cx, rest))?;
            if written == 0 {
                return Poll::Ready(Ok(0));
            }
            rest.drain(..written);
        }
        Pin::new(&mut this.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A whole head of a 4xx without a body. The faces' own 4xx all have one.
fn is_bare(buf: &[u8]) -> bool {
    let begins = buf.starts_with(b"HTTP/1.1 4") || buf.starts_with(b"HTTP/1.0 4");
    let empty = b"content-length: 0\r\n";
    begins && buf.ends_with(b"\r\n\r\n") && buf.windows(empty.len()).any(|it| it == empty)
}

fn document() -> Vec<u8> {
    let problem = Problem::bad_request("Bad Request")
        .detail("The request is not HTTP/1.1, or its head is too long.");
    let body = problem.to_json().to_string();
    let head = "HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\n\
        cache-control: no-store\r\nconnection: close\r\n";
    format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}
