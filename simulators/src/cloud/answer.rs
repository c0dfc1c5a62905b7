//! What the cloud is told to answer.

use std::time::Duration;

use bytes::Bytes;

use super::{
    target::{self, QueryPattern, Target},
    text::{self, TextError},
};

/// In which order queued answers are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// In the order queued, each as its [`Use`] says; paths and queries match exactly.
    #[default]
    InOrder,
    /// As the reference's mock does: the newest first and never consumed (whatever its [`Use`]),
    /// a request also finds answers whose path only begins with its own, and a request may have
    /// more query parameters than the answer names.
    NewestFirst,
}

/// How often an answer is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Use {
    /// To GET and HEAD until another answer for the same request is queued, otherwise once.
    #[default]
    Default,
    /// One time.
    Once,
    /// Always, except while an answer that was queued later has to be given.
    Kept,
}

/// An answer to wait in the cloud's queue for its request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The request's method.
    pub method: String,
    /// The request's path, exact; escapes of unreserved characters count as the characters.
    pub path: String,
    /// The request's parameters, decoded. Empty: any query will do. Otherwise the request has all
    /// of these and no others. A value `/re/` or `/re/i` is a regular expression to be found in
    /// the actual value.
    pub query: Vec<(String, String)>,
    /// Status, 200 to 599.
    pub status: u16,
    /// Headers; `Connection`, `Content-Length` and `Transfer-Encoding` are the front's own.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Bytes,
    /// How often it is given.
    pub usage: Use,
    /// Time to let pass before answering.
    pub after: Option<Duration>,
    /// Cut the connection after this many bytes of the response, the status line included.
    pub cut_after: Option<usize>,
    /// Says who queued it; the cloud only carries it along.
    pub tag: Option<u64>,
}

impl Answer {
    /// Reads an answer as scenarios write it.
    ///
    /// `method_and_target` is `GET /v1/x?y=1`. `http_text` is a status line, headers, a blank line
    /// and the body, which is taken as it stands. Header values may hold colons. As in the
    /// reference, a body of nothing but lower-case hex digits stands for the bytes it spells, sent
    /// as `application/octet-stream`; unlike there, only if no `Content-Type` is given.
    ///
    /// # Errors
    /// What is wrong, on which line, and what to write instead.
    pub fn parse(method_and_target: &str, http_text: &str) -> Result<Self, TextError> {
        let (method, target) = read_request(method_and_target, 0)?;
        QueryPattern::compile(&target.query).map_err(|why| {
            TextError::new(
                0,
                why.to_string(),
                "correct the expression between the slashes",
            )
        })?;
        let message = text::read(http_text)?;
        let status = read_status(message.first_line)?;
        let mut headers = message.headers;
        let mut body = Bytes::copy_from_slice(message.body.as_bytes());
        if text::header(&headers, "content-type").is_none()
            && let Some(bytes) = bytes_of_hex(message.body)
        {
            body = bytes.into();
            headers.push((
                "Content-Type".to_owned(),
                "application/octet-stream".to_owned(),
            ));
        }
        let Target { path, query } = target;
        Ok(Self {
            method,
            path,
            query,
            status,
            headers,
            body,
            ..Self::new("", "", 0)
        })
    }

    /// An answer without query, headers or body, used as by default.
    #[must_use]
    pub fn new(method: &str, path: &str, status: u16) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: Vec::new(),
            status,
            headers: Vec::new(),
            body: Bytes::new(),
            usage: Use::Default,
            after: None,
            cut_after: None,
            tag: None,
        }
    }

    /// What it costs to hold.
    pub(super) fn weight(&self) -> usize {
        self.path.len() + weight(&self.query) + weight(&self.headers) + self.body.len()
    }
}

pub(super) fn weight(pairs: &[(String, String)]) -> usize {
    pairs
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum()
}

/// `METHOD /path?query`.
pub(super) fn read_request(text: &str, line: usize) -> Result<(String, Target), TextError> {
    let mend = "write the method and the path, as in `GET /v1/fota-jobs?pageLimit=10`";
    let fail = |what: String| Err(TextError::new(line, what, mend));
    let mut words = text.split_whitespace();
    let (Some(method), Some(target), None) = (words.next(), words.next(), words.next()) else {
        return fail(format!("`{}` is not a method and a path", text.trim()));
    };
    if !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return fail(format!("`{method}` is not a method"));
    }
    if !target.starts_with('/') {
        return fail(format!("the path `{target}` does not begin with `/`"));
    }
    Ok((method.to_owned(), target::read_wanted(target)))
}

fn read_status(line: &str) -> Result<u16, TextError> {
    let mut words = line.split_whitespace();
    let http = words.next().is_some_and(|word| word.starts_with("HTTP/"));
    let code = words.next().filter(|word| word.len() == 3 && http);
    let mend = "write the status first, as in `HTTP/1.1 200 OK`";
    let Some(status) = code.and_then(|word| word.parse::<u16>().ok()) else {
        return Err(TextError::new(
            1,
            format!("`{line}` is not a status line"),
            mend,
        ));
    };
    if !(200..=599).contains(&status) {
        let what = format!("{status} is not the status of a final answer");
        return Err(TextError::new(1, what, "use one from 200 to 599"));
    }
    Ok(status)
}

fn bytes_of_hex(body: &str) -> Option<Vec<u8>> {
    let body = body.trim().as_bytes();
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    if body.is_empty() || !body.len().is_multiple_of(2) {
        return None;
    }
    body.chunks_exact(2)
        .map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_the_dialect_is_read() {
        let text = "HTTP/1.1 200 OK\nContent-Type: application/json\n\n{\"jobId\": \"1\"}\n";
        let answer = Answer::parse("GET /v1/fota-jobs?a=x%20y", text).expect("an answer");
        assert_eq!(
            (answer.method.as_str(), answer.path.as_str()),
            ("GET", "/v1/fota-jobs")
        );
        assert_eq!(answer.query, [("a".to_owned(), "x y".to_owned())]);
        assert_eq!(answer.status, 200);
        assert_eq!(
            answer.headers,
            [("Content-Type".to_owned(), "application/json".to_owned())]
        );
        assert_eq!(answer.body, "{\"jobId\": \"1\"}\n");
        assert_eq!(
            (answer.usage, answer.after, answer.cut_after),
            (Use::Default, None, None)
        );
    }

    #[test]
    fn the_reason_may_be_missing() {
        for line in [
            "HTTP/1.1 202",
            "HTTP/1.1 202 ",
            "HTTP/1.0 202 Not what you think",
        ] {
            assert_eq!(
                Answer::parse("PUT /x", line).map(|it| it.status),
                Ok(202),
                "{line}"
            );
        }
    }

    #[test]
    fn a_body_of_hex_digits_is_bytes_unless_its_type_is_said() {
        let answer = Answer::parse("GET /x", "HTTP/1.1 200 OK\n\n00ff7f\n").expect("an answer");
        assert_eq!(answer.body, [0, 255, 127].as_slice());
        assert_eq!(
            text::header(&answer.headers, "content-type"),
            Some("application/octet-stream")
        );
        let text = "HTTP/1.1 200 OK\ncontent-type: text/plain\n\n1234";
        assert_eq!(
            Answer::parse("GET /x", text).expect("an answer").body,
            "1234"
        );
        for body in ["123", "12 34", "FF"] {
            let text = format!("HTTP/1.1 200 OK\n\n{body}");
            assert_eq!(
                Answer::parse("GET /x", &text).expect("an answer").body,
                body
            );
        }
    }

    #[test]
    fn errors_say_line_and_mend() {
        let ok = "HTTP/1.1 200 OK";
        for (request, text, line, mend) in [
            ("GET", ok, 0, "GET /v1/fota-jobs"),
            ("GET x", ok, 0, "GET /v1/fota-jobs"),
            ("get /x", ok, 0, "GET /v1/fota-jobs"),
            ("GET /x?a=/(/", ok, 0, "expression"),
            ("GET /x", "", 1, "HTTP/1.1 200 OK"),
            ("GET /x", "{\"a\": 1}", 1, "HTTP/1.1 200 OK"),
            ("GET /x", "HTTP/1.1 2000 OK", 1, "HTTP/1.1 200 OK"),
            ("GET /x", "HTTP/1.1 101 Switching", 1, "200 to 599"),
            ("GET /x", "HTTP/1.1 200 OK\n{\"a\"}", 2, "blank line"),
        ] {
            let error = Answer::parse(request, text).expect_err(text);
            assert_eq!(error.line, line, "{error}");
            assert!(error.mend.contains(mend), "{error}");
        }
    }
}
