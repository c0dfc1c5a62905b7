//! Reads one whole HTTP/1 request from a connection, within limits.

use std::io;

use fotalab_wire::net::Stream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::limits::{REQUEST_BODY_BYTES, REQUEST_HEAD_BYTES, REQUEST_HEADERS};

/// A request as it came over the connection, its body with the chunks put together.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) target: String,
    /// In the order and with the case of the names as sent.
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Vec<u8>,
}

/// Why there is no request.
#[derive(Debug)]
pub(super) enum Unread {
    /// The client left.
    Gone,
    /// The client gets this status, with these words.
    Refused(u16, &'static str),
}

impl From<io::Error> for Unread {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

const NOT_HTTP: Unread = Unread::Refused(400, "Bad Request");
const HEAD_TOO_LARGE: Unread = Unread::Refused(431, "Request Header Fields Too Large");
const BODY_TOO_LARGE: Unread = Unread::Refused(413, "Content Too Large");

/// Reads one request. What comes behind it stays unread or is lost, so the connection has to end
/// with the response.
pub(super) async fn read(stream: &mut Stream) -> Result<Request, Unread> {
    let mut input = Input {
        stream,
        unread: Vec::new(),
    };
    let (mut request, length) = loop {
        if let Some(read) = read_head(&mut input.unread)? {
            break read;
        }
        if input.unread.len() > REQUEST_HEAD_BYTES {
            return Err(HEAD_TOO_LARGE);
        }
        input.more().await?;
    };
    let waits = request.headers.iter().any(|(name, value)| {
        name.eq_ignore_ascii_case("expect") && value.eq_ignore_ascii_case(b"100-continue")
    });
    if waits && length != Length::Bytes(0) && input.unread.is_empty() {
        input
            .stream
            .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
            .await?;
        input.stream.flush().await?;
    }
    request.body = match length {
        Length::Bytes(length) => input.take(length).await?,
        Length::Chunks => input.chunks().await?,
    };
    Ok(request)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Bytes(usize),
    Chunks,
}

/// Takes a head off the front of `unread`, as soon as it is there as a whole.
fn read_head(unread: &mut Vec<u8>) -> Result<Option<(Request, Length)>, Unread> {
    let mut headers = [httparse::EMPTY_HEADER; REQUEST_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let size = match parsed.parse(unread) {
        Ok(httparse::Status::Complete(size)) if size > REQUEST_HEAD_BYTES => {
            return Err(HEAD_TOO_LARGE);
        }
        Ok(httparse::Status::Complete(size)) => size,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(HEAD_TOO_LARGE),
        Err(_) => return Err(NOT_HTTP),
    };
    let (Some(method), Some(target)) = (parsed.method, parsed.path) else {
        return Err(NOT_HTTP);
    };
    let request = Request {
        method: method.to_owned(),
        target: origin_form(target).to_owned(),
        headers: parsed
            .headers
            .iter()
            .map(|it| (it.name.to_owned(), it.value.to_vec()))
            .collect(),
        body: Vec::new(),
    };
    let length = length_of_body(&request.headers)?;
    unread.drain(..size);
    Ok(Some((request, length)))
}

/// `http://host/path` as a proxy would be asked, without what is before the path.
fn origin_form(target: &str) -> &str {
    let Some(authority) = target.strip_prefix("http://") else {
        return target;
    };
    authority
        .find(['/', '?'])
        .map_or("/", |at| &authority[at..])
}

fn length_of_body(headers: &[(String, Vec<u8>)]) -> Result<Length, Unread> {
    let mut length = Length::Bytes(0);
    for (name, value) in headers {
        let value = str::from_utf8(value).unwrap_or_default().trim();
        if name.eq_ignore_ascii_case("transfer-encoding") {
            if !value.eq_ignore_ascii_case("chunked") {
                return Err(Unread::Refused(501, "Not Implemented"));
            }
            length = Length::Chunks;
        } else if name.eq_ignore_ascii_case("content-length") && length != Length::Chunks {
            let bytes = value.parse::<u64>().map_err(|_| NOT_HTTP)?;
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            if bytes > REQUEST_BODY_BYTES {
                return Err(BODY_TOO_LARGE);
            }
            length = Length::Bytes(bytes);
        }
    }
    Ok(length)
}

struct Input<'a> {
    stream: &'a mut Stream,
    unread: Vec<u8>,
}

impl Input<'_> {
    async fn more(&mut self) -> Result<(), Unread> {
        let read = self.stream.read_buf(&mut self.unread).await?;
        if read == 0 { Err(Unread::Gone) } else { Ok(()) }
    }

    async fn take(&mut self, length: usize) -> Result<Vec<u8>, Unread> {
        while self.unread.len() < length {
            self.more().await?;
        }
        Ok(self.unread.drain(..length).collect())
    }

    async fn line(&mut self) -> Result<Vec<u8>, Unread> {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                return Ok(self.unread.drain(..=end).collect());
            }
            if self.unread.len() > REQUEST_HEAD_BYTES {
                return Err(HEAD_TOO_LARGE);
            }
            self.more().await?;
        }
    }

    async fn chunks(&mut self) -> Result<Vec<u8>, Unread> {
        let mut body = Vec::new();
        loop {
            let line = self.line().await?;
            let Ok(httparse::Status::Complete((_, size))) = httparse::parse_chunk_size(&line)
            else {
                return Err(NOT_HTTP);
            };
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            if size == 0 {
                break;
            }
            if size.saturating_add(body.len()) > REQUEST_BODY_BYTES {
                return Err(BODY_TOO_LARGE);
            }
            body.append(&mut self.take(size).await?);
            if !self.line().await?.trim_ascii().is_empty() {
                return Err(NOT_HTTP);
            }
        }
        // Trailers, which nobody needs, up to the blank line.
        for _ in 0..REQUEST_HEADERS {
            if self.line().await?.trim_ascii().is_empty() {
                return Ok(body);
            }
        }
        Err(HEAD_TOO_LARGE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The result of reading what arrives in pieces of that size.
    async fn read_in_pieces(text: &[u8], size: usize) -> Result<Request, Unread> {
        let (near, mut far) = tokio::io::duplex(size);
        let text = text.to_vec();
        let client = tokio::spawn(async move {
            let sent = far.write_all(&text).await;
            far.shutdown().await.and(sent)
        });
        let request = read(&mut (Box::new(near) as Stream)).await;
        drop(client.await);
        request
    }

    #[tokio::test]
    async fn requests_are_read_whatever_the_pieces() {
        let length =
            b"POST /a?b=%20c HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello".to_vec();
        let chunked = b"POST /a?b=%20c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\
            2;x=y\r\nhe\r\n03\r\nllo\r\n0\r\nTrailer: t\r\n\r\n";
        for text in [length, chunked.to_vec()] {
            for size in [1, 7, 4_096] {
                let request = read_in_pieces(&text, size).await.expect("a request");
                assert_eq!(
                    (request.method.as_str(), request.target.as_str()),
                    ("POST", "/a?b=%20c")
                );
                assert_eq!(request.headers[0], ("Host".to_owned(), b"x".to_vec()));
                assert_eq!(request.body, b"hello");
            }
        }
        let request = read_in_pieces(b"GET http://x:1/a?b HTTP/1.0\r\n\r\n", 64).await;
        assert_eq!(request.expect("a request").target, "/a?b");
    }

    #[tokio::test]
    async fn what_is_no_request_is_refused() {
        let many = format!(
            "GET / HTTP/1.1\r\n{}\r\n",
            "a: b\r\n".repeat(REQUEST_HEADERS + 1)
        );
        let long = format!(
            "GET /{} HTTP/1.1\r\n\r\n",
            "x".repeat(2 * REQUEST_HEAD_BYTES)
        );
        let chunk = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        for (text, status) in [
            ("hello\r\n\r\n", 400),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
            (&format!("{chunk}zz\r\n"), 400),
            (&format!("{chunk}1\r\nabc\r\n"), 400),
            (&format!("{chunk}fffffff\r\n"), 413),
            (
                "POST / HTTP/1.1\r\nContent-Length: 99999999999999999\r\n\r\n",
                413,
            ),
            (&many, 431),
            (&long, 431),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        ] {
            let read = read_in_pieces(text.as_bytes(), 1 << 18).await;
            let start = &text[..text.len().min(60)];
            assert!(
                matches!(read, Err(Unread::Refused(actual, _)) if actual == status),
                "{start}: {read:?}"
            );
        }
        for text in [
            "",
            "GET / HT",
            "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhell",
        ] {
            let read = read_in_pieces(text.as_bytes(), 64).await;
            assert!(matches!(read, Err(Unread::Gone)), "{text}: {read:?}");
        }
    }

    #[tokio::test]
    async fn a_client_that_expects_to_be_told_is_told() {
        let (near, mut far) = tokio::io::duplex(1_024);
        let server = tokio::spawn(async move { read(&mut (Box::new(near) as Stream)).await });
        let head = b"PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
        far.write_all(head).await.expect("sent");
        let mut told = [0; 25];
        far.read_exact(&mut told).await.expect("told");
        assert_eq!(&told, b"HTTP/1.1 100 Continue\r\n\r\n");
        far.write_all(b"ok").await.expect("sent");
        assert_eq!(
            server.await.expect("no panic").expect("a request").body,
            b"ok"
        );
    }
}
