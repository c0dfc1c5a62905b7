//! The call that a scenario expects, and how near a received one comes to it.

use std::{fmt, sync::Arc};

use serde_json::Value;

use super::{
    answer::read_request,
    difference::{self, Difference},
    journal::Received,
    target::{QueryPattern, Target, normal_path},
    text::{self, TextError},
};

/// A call that should have been received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedCall {
    /// Method.
    pub method: String,
    /// Path; escapes of unreserved characters count as the characters.
    pub path: String,
    /// Exactly these query parameters, decoded, in any order; a value may be a `/regex/`.
    pub query: Vec<(String, String)>,
    /// Headers that it must have among others; the case of names does not count.
    pub headers: Vec<(String, String)>,
    /// The body, compared as text. `None` and empty: there is none, or `{}`, as the reference's
    /// mock records a call without body. `{}` without a `Content-Type` also takes none.
    pub body: Option<String>,
}

impl ExpectedCall {
    /// Reads a call as scenarios write it: `POST /v1/x HTTP/1.1`, headers, a blank line, the body.
    ///
    /// With a JSON `Content-Type` the expected body is compacted, key order kept. The line break
    /// at the body's end does not count.
    ///
    /// # Errors
    /// What is wrong, on which line, and what to write instead.
    pub fn parse(http_text: &str) -> Result<Self, TextError> {
        let message = text::read(http_text)?;
        let line = message.first_line;
        let request = match line.rsplit_once(char::is_whitespace) {
            Some((request, version)) if version.starts_with("HTTP/") => request,
            _ => line,
        };
        let (method, Target { path, query }) = read_request(request, 1)?;
        QueryPattern::compile(&query).map_err(|why| {
            TextError::new(
                1,
                why.to_string(),
                "correct the expression between the slashes",
            )
        })?;
        let mut body = message.body.trim_end_matches(['\r', '\n']).to_owned();
        let json = text::header(&message.headers, "content-type")
            .is_some_and(|it| it.to_ascii_lowercase().contains("application/json"));
        if json && !body.trim().is_empty() {
            let value = serde_json::from_str::<Value>(&body).map_err(|why| {
                let line = message.body_line + why.line().saturating_sub(1);
                let what = format!("the body is not JSON: {why}");
                TextError::new(line, what, "correct it, or take the `Content-Type` away")
            })?;
            body = value.to_string();
        }
        let body = Some(body).filter(|it| !it.is_empty());
        Ok(Self {
            method,
            path,
            query,
            headers: message.headers,
            body,
        })
    }

    pub(super) fn matcher(&self) -> Matcher<'_> {
        let query = QueryPattern::compile(&self.query);
        let query = query.unwrap_or_else(|_| QueryPattern::literal(&self.query));
        Matcher {
            expected: self,
            path: normal_path(&self.path),
            query,
        }
    }
}

/// Why no call was the expected one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closest {
    /// The nearest call, the latest of several; `None` if nothing at all was received.
    pub call: Option<Arc<Received>>,
    /// What differs from it.
    pub differences: Vec<Difference>,
    /// Calls received and compared.
    pub compared: usize,
    /// Calls that were received, but had to leave the journal before.
    pub dropped: u64,
}

impl Closest {
    /// Whether nothing at all was received.
    #[must_use]
    pub fn nothing_received(&self) -> bool {
        self.call.is_none() && self.dropped == 0
    }
}

impl fmt::Display for Closest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(call) = &self.call else {
            return f.write_str("nothing was received");
        };
        write!(
            f,
            "the nearest of {} received is number {}: ",
            self.compared, call.seq
        )?;
        write!(f, "{} {}", call.method, call.target)?;
        self.differences
            .iter()
            .try_for_each(|difference| write!(f, "\n  {difference}"))
    }
}

impl std::error::Error for Closest {}

/// An expected call, ready to be compared with many.
pub(super) struct Matcher<'a> {
    expected: &'a ExpectedCall,
    path: String,
    query: QueryPattern,
}

impl Matcher<'_> {
    /// 0 for a match; the more and the more important things differ, the higher.
    pub(super) fn distance(&self, call: &Received) -> usize {
        let method = usize::from(call.method != self.expected.method) * 4;
        let path = usize::from(call.path != self.path) * 16;
        let query = usize::from(!self.query.is_exactly(&call.query)) * 2;
        let headers = self
            .expected
            .headers
            .iter()
            .filter(|it| !has(call, it))
            .count()
            .min(3);
        method + path + query + headers + usize::from(!self.body_matches(call)) * 2
    }

    /// Whether the call has everything that is said; a query or a body that is not said is any.
    pub(super) fn takes_in(&self, call: &Received) -> bool {
        let expected = self.expected;
        call.method == expected.method
            && call.path == self.path
            && (expected.query.is_empty() || self.query.is_exactly(&call.query))
            && expected.headers.iter().all(|it| has(call, it))
            && (expected.body.is_none() || self.body_matches(call))
    }

    pub(super) fn differences(&self, call: &Received) -> Vec<Difference> {
        let mut differences = Vec::new();
        if call.method != self.expected.method {
            let (expected, actual) = (self.expected.method.clone(), call.method.clone());
            differences.push(Difference::Method { expected, actual });
        }
        if call.path != self.path {
            let (expected, actual) = (self.path.clone(), call.path.clone());
            differences.push(Difference::Path { expected, actual });
        }
        differences.extend(self.query.differences(&call.query, true));
        for wanted in self.expected.headers.iter().filter(|it| !has(call, it)) {
            let (name, expected) = wanted.clone();
            let actual = text::header(&call.headers, &name).map(str::to_owned);
            differences.push(Difference::Header {
                name,
                expected,
                actual,
            });
        }
        if !self.body_matches(call) {
            let expected = self.expected.body.as_deref().unwrap_or_default();
            differences.extend(difference::of_bodies(
                expected,
                &String::from_utf8_lossy(&call.body),
            ));
        }
        differences
    }

    fn body_matches(&self, call: &Received) -> bool {
        let expected = self.expected.body.as_deref().unwrap_or_default();
        let untyped = text::header(&self.expected.headers, "content-type").is_none();
        let accepts_none = expected.is_empty() || (expected == "{}" && untyped);
        let accepts_empty_object = expected.is_empty() || expected == "{}";
        match &call.body[..] {
            _ if call.truncated => false,
            b"" if accepts_none => true,
            b"{}" if accepts_empty_object => true,
            body => body == expected.as_bytes(),
        }
    }
}

fn has(call: &Received, (name, value): &(String, String)) -> bool {
    let mut headers = call.headers.iter();
    headers.any(|(given, actual)| given.eq_ignore_ascii_case(name) && actual.trim() == value.trim())
}

#[cfg(test)]
mod tests {
    use super::{super::journal::call, *};

    fn differences(expected: &str, call: &Received) -> Vec<String> {
        let expected = ExpectedCall::parse(expected).expect("a call");
        let matcher = expected.matcher();
        let differences = matcher.differences(call);
        assert_eq!(
            differences.is_empty(),
            matcher.distance(call) == 0,
            "{differences:?}"
        );
        differences.iter().map(ToString::to_string).collect()
    }

    const JSON: (&str, &str) = ("content-type", "application/json");

    #[test]
    fn the_seeds_call_is_found() {
        let expected = "POST /v1/fota-jobs HTTP/1.1\nContent-Type: application/json\n\n\
            {\n  \"bundleId\": \"APP*1e29dfa3*v2.0.1\",\n  \"autoApply\": true\n}\n";
        let body = br#"{"bundleId":"APP*1e29dfa3*v2.0.1","autoApply":true}"#;
        let received = call("POST", "/v1/fota-jobs", &[JSON, ("accept", "*/*")], body);
        assert_eq!(differences(expected, &received), Vec::<String>::new());
        let other = call(
            "POST",
            "/v1/fota-jobs",
            &[],
            br#"{"bundleId":"x","autoApply":true}"#,
        );
        assert_eq!(
            differences(expected, &other),
            [
                "header `Content-Type`: expected `application/json`, was not there",
                "body at `$.bundleId`: expected `\"APP*1e29dfa3*v2.0.1\"`, was `\"x\"`",
            ]
        );
    }

    #[test]
    fn what_is_not_said_is_any() {
        let received = call("POST", "/v1/x?a=1", &[JSON], b"{\"b\":2}");
        for (expected, takes_in) in [
            ("POST /v1/x HTTP/1.1", true),
            ("POST /v1/x?a=1 HTTP/1.1", true),
            ("POST /v1/x?a=2 HTTP/1.1", false),
            ("POST /v1/x HTTP/1.1\n\n{\"b\":2}", true),
            ("POST /v1/x HTTP/1.1\n\n{\"b\":3}", false),
            ("POST /v1/x HTTP/1.1\nAccept: text/html", false),
            ("PUT /v1/x HTTP/1.1", false),
            ("POST /v1 HTTP/1.1", false),
        ] {
            let call = ExpectedCall::parse(expected).expect("a call");
            assert_eq!(call.matcher().takes_in(&received), takes_in, "{expected}");
        }
    }

    #[test]
    fn no_body_and_the_references_empty_object() {
        for (expected, body, matches) in [
            ("PUT /x HTTP/1.1", "", true),
            ("PUT /x HTTP/1.1\n\n", "{}", true),
            ("PUT /x HTTP/1.1\n\n{}", "", true),
            ("PUT /x HTTP/1.1\n\n{}\n", "{}", true),
            (
                "PUT /x HTTP/1.1\nContent-Type: application/json\n\n{}",
                "{}",
                true,
            ),
            (
                "PUT /x HTTP/1.1\nContent-Type: application/json\n\n{}",
                "",
                false,
            ),
            ("PUT /x HTTP/1.1", "x", false),
            ("PUT /x HTTP/1.1\n\nx", "", false),
        ] {
            let received = call("PUT", "/x", &[JSON], body.as_bytes());
            assert_eq!(
                differences(expected, &received).is_empty(),
                matches,
                "{expected} {body}"
            );
        }
    }

    #[test]
    fn queries_are_exact_in_any_order() {
        let received = call("GET", "/x?b=2&a=%31", &[], b"");
        assert!(differences("GET /x?a=1&b=2 HTTP/1.1", &received).is_empty());
        assert!(differences(r"GET /x?a=/\d/&b=2", &received).is_empty());
        assert_eq!(
            differences("GET /x?a=1", &received),
            ["query `b`: expected none, was `2`"]
        );
        assert_eq!(differences("GET /x", &received).len(), 2);
    }

    #[test]
    fn errors_say_line_and_mend() {
        let json = "Content-Type: application/json\n\n";
        for (text, line, mend) in [
            ("", 1, "method and the path"),
            ("HTTP/1.1 200 OK", 1, "method and the path"),
            ("POST /x HTTP/1.1\nnonsense", 2, "Name: value"),
            (
                &format!("POST /x HTTP/1.1\n{json}{{\n  \"a\" 1}}"),
                5,
                "Content-Type",
            ),
        ] {
            let error = ExpectedCall::parse(text).expect_err(text);
            assert_eq!(error.line, line, "{error}");
            assert!(error.mend.contains(mend), "{error}");
        }
    }
}
