//! Reads what clients send: query parameters and JSON, as strictly as the contract is known and as
//! loosely as its clients are (contract 0).

use http::Request;
use hyper::body::Incoming;
use serde_json::{Map, Value};

use super::Refusal;
use crate::{
    api::{self, body},
    core::tasks::boolean,
    limits,
    server::Server,
};

/// The query of a request.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads it. What is not percent-encoded UTF-8 is refused.
    pub(super) fn of(request: &Request<Incoming>) -> Self {
        Self(api::query(request))
    }

    /// The last value of a name.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let last = self.0.iter().rev().find(|(it, _)| it == name);
        last.map(|(_, value)| value.as_str())
    }

    /// All values of a name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let all = self.0.iter().filter(move |(it, _)| it == name);
        all.map(|(_, value)| value.as_str())
    }

    /// `true` and `false` in any case; Python writes `True`.
    pub(super) fn truth(&self, name: &str, default: bool) -> Result<bool, Refusal> {
        match self.text(name) {
            None => Ok(default),
            Some(text) => boolean(text).ok_or_else(|| {
                Refusal::malformed(format!("{name} is true or false, not `{text}`"))
            }),
        }
    }
}

/// Reads a body as JSON.
pub(super) async fn json(server: &Server, request: Request<Incoming>) -> Result<Value, Refusal> {
    let read = body::read(server, request.into_body()).await?;
    serde_json::from_slice(&read.bytes)
        .map_err(|why| Refusal::malformed(format!("The body is not JSON: {why}")))
}

/// Reads a body as a form.
pub(super) async fn form(
    server: &Server,
    request: Request<Incoming>,
) -> Result<Vec<(String, String)>, Refusal> {
    let read = body::read(server, request.into_body()).await?;
    Ok(form_urlencoded::parse(&read.bytes).into_owned().collect())
}

/// A JSON object under inspection; the first mistake is told.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    object: &'a Map<String, Value>,
    /// Where it stands, for messages.
    place: &'a str,
}

impl<'a> Fields<'a> {
    /// `value` has to be an object.
    pub(super) fn of(value: &'a Value, place: &'a str) -> Result<Self, Refusal> {
        let object = value.as_object();
        let object = object.ok_or_else(|| Refusal::malformed(format!("{place} is no object")))?;
        Ok(Self { object, place })
    }

    /// A member; `null` is none.
    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.object.get(name).filter(|it| !it.is_null())
    }

    /// A text, not empty and not too long, if it is there.
    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>, Refusal> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let text = value.as_str().ok_or_else(|| self.wrong(name, "a text"))?;
        if text.len() > limits::MAX_NAME_BYTES {
            let most = limits::MAX_NAME_BYTES;
            return Err(self.wrong(name, &format!("a text of at most {most} bytes")));
        }
        Ok(Some(text))
    }

    /// A text that has to be there.
    pub(super) fn needed(&self, name: &str) -> Result<&'a str, Refusal> {
        let text = self.text(name)?.filter(|it| !it.is_empty());
        text.ok_or_else(|| self.wrong(name, "a text, and has to be there"))
    }

    /// One of some texts, if it is there.
    pub(super) fn one_of(&self, name: &str, known: &[&str]) -> Result<Option<&'a str>, Refusal> {
        let text = self.text(name)?;
        match text.filter(|it| !known.contains(it)) {
            None => Ok(text),
            Some(_) => Err(self.wrong(name, &format!("one of {}", known.join(", ")))),
        }
    }

    /// A truth value, if it is there.
    pub(super) fn truth(&self, name: &str) -> Result<Option<bool>, Refusal> {
        let value = self.get(name);
        let truth = value.map(|it| {
            it.as_bool()
                .ok_or_else(|| self.wrong(name, "true or false"))
        });
        truth.transpose()
    }

    /// A list of texts; none where it is not there.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, Refusal> {
        let Some(value) = self.get(name) else {
            return Ok(Vec::new());
        };
        let list = value.as_array().into_iter().flatten();
        let texts: Option<Vec<String>> = list.map(|it| it.as_str().map(str::to_owned)).collect();
        let texts = texts.filter(|_| value.is_array());
        let texts = texts.ok_or_else(|| self.wrong(name, "a list of texts"))?;
        let short = texts.iter().all(|it| it.len() <= limits::MAX_NAME_BYTES);
        if texts.len() > limits::MAX_PROPERTIES || !short {
            return Err(self.wrong(name, "a shorter list of shorter texts"));
        }
        Ok(texts)
    }

    /// Names with texts; none where it is not there.
    pub(super) fn pairs(&self, name: &str) -> Result<Vec<(String, String)>, Refusal> {
        let Some(value) = self.get(name) else {
            return Ok(Vec::new());
        };
        let wrong = || self.wrong(name, "an object of texts");
        let object = value.as_object().ok_or_else(wrong)?;
        let pairs = object.iter();
        let pairs = pairs.map(|(name, it)| Some((name.clone(), it.as_str()?.to_owned())));
        let pairs: Vec<(String, String)> = pairs.collect::<Option<_>>().ok_or_else(wrong)?;
        let long = |it: &str| it.len() > limits::MAX_SECRET_BYTES;
        if pairs.len() > limits::MAX_PROPERTIES || pairs.iter().any(|(a, b)| long(a) || long(b)) {
            return Err(self.wrong(name, "fewer and shorter texts"));
        }
        Ok(pairs)
    }

    /// A member that is something else than it has to be.
    pub(super) fn wrong(&self, name: &str, is: &str) -> Refusal {
        Refusal::malformed(format!("{}.{name} is {is}", self.place))
    }
}
