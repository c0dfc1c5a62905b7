//! HTTP messages as scenarios write them: a first line, headers, a blank line, a body.

use http::{HeaderName, HeaderValue};

/// A queued answer or an expected call that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} (line {line}); {mend}")]
pub struct TextError {
    /// Line in the text, from 1; 0 is the method and target that stand outside of it.
    pub line: usize,
    /// What is wrong.
    pub what: String,
    /// What to write instead.
    pub mend: String,
}

impl TextError {
    pub(super) fn new(line: usize, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            line,
            what: what.into(),
            mend: mend.into(),
        }
    }
}

/// The parts of a message, the body as it stands there.
#[derive(Debug)]
pub(super) struct Message<'a> {
    pub(super) first_line: &'a str,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: &'a str,
    /// Line of the text that the body begins on.
    pub(super) body_line: usize,
}

/// Takes a message apart. Lines of the head may end in LF or CRLF.
pub(super) fn read(text: &str) -> Result<Message<'_>, TextError> {
    let (first_line, mut rest) = cut_line(text);
    let mut headers = Vec::new();
    let mut line = 1;
    while let Some(unread) = rest {
        let (header, after) = cut_line(unread);
        rest = after;
        line += 1;
        if header.trim().is_empty() {
            break;
        }
        headers.push(read_header(header, line)?);
    }
    Ok(Message {
        first_line: first_line.trim(),
        headers,
        body: rest.unwrap_or_default(),
        body_line: line + 1,
    })
}

/// The value of a header, whatever the case of its name.
pub(super) fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = headers
        .iter()
        .find(|(given, _)| given.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str())
}

fn cut_line(text: &str) -> (&str, Option<&str>) {
    let (line, rest) = match text.split_once('\n') {
        Some((line, rest)) => (line, Some(rest)),
        None => (text, None),
    };
    (line.strip_suffix('\r').unwrap_or(line), rest)
}

fn read_header(text: &str, line: usize) -> Result<(String, String), TextError> {
    // The first colon ends the name; the value may hold more of them, as a URL does.
    let Some((name, value)) = text.split_once(':') else {
        return Err(TextError::new(
            line,
            format!("`{}` is not a header", text.trim()),
            "write `Name: value`, and a blank line before the body",
        ));
    };
    let (name, value) = (name.trim(), value.trim());
    if HeaderName::from_bytes(name.as_bytes()).is_err() {
        return Err(TextError::new(
            line,
            format!("`{name}` is not the name of a header"),
            "use letters, digits and `-`, and put a blank line before the body",
        ));
    }
    if HeaderValue::from_str(value).is_err() {
        return Err(TextError::new(
            line,
            format!("the value of `{name}` has a character that no header can carry"),
            "use printable ASCII",
        ));
    }
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_colons_and_bodies_their_bytes() {
        let text = "HTTP/1.1 200 OK\r\nLocation: http://a:1/b\nX-Empty:\n\n{\r\n  1\n}\n\n";
        let message = read(text).expect("readable");
        assert_eq!(message.first_line, "HTTP/1.1 200 OK");
        assert_eq!(header(&message.headers, "location"), Some("http://a:1/b"));
        assert_eq!(header(&message.headers, "x-empty"), Some(""));
        assert_eq!(message.body, "{\r\n  1\n}\n\n");
        assert_eq!(message.body_line, 5);
    }

    #[test]
    fn a_message_may_end_with_its_head() {
        for text in ["GET / HTTP/1.1", "GET / HTTP/1.1\n", "GET / HTTP/1.1\n\n"] {
            let message = read(text).expect("readable");
            assert_eq!((message.first_line, message.body), ("GET / HTTP/1.1", ""));
            assert!(message.headers.is_empty());
        }
    }

    #[test]
    fn errors_say_the_line_and_the_mend() {
        let error = read("HTTP/1.1 200 OK\nA: b\n{\"jobId\": 1}").expect_err("no blank line");
        assert_eq!(error.line, 3);
        assert!(error.mend.contains("blank line"), "{error}");
        let error = read("HTTP/1.1 200 OK\nnothing here").expect_err("no colon");
        assert_eq!(
            (error.line, error.what.as_str()),
            (2, "`nothing here` is not a header")
        );
        let error = read("HTTP/1.1 200 OK\nA: \u{7f}").expect_err("a control character");
        assert_eq!(error.line, 2);
    }
}
