//! Bodies of requests: JSON or a form of the old kind.

use std::collections::BTreeMap;

use http::{Request, header};
use hyper::body::Incoming;
use serde_json::Value;

use crate::{api::body, server::Server};

/// The members of a body by name; what is no text or number is not there.
#[derive(Debug, Default)]
pub(super) struct Inputs {
    texts: BTreeMap<String, String>,
}

impl Inputs {
    /// Reads a body; one that says nothing has no members.
    pub(super) async fn read(server: &Server, request: Request<Incoming>) -> Self {
        let kind = request.headers().get(header::CONTENT_TYPE);
        let kind = kind.and_then(|it| it.to_str().ok()).unwrap_or_default();
        let is_form = kind.starts_with("application/x-www-form-urlencoded");
        let Ok(read) = body::read(server, request.into_body()).await else {
            return Self::default();
        };
        if let Ok(Value::Object(object)) = serde_json::from_slice(&read.bytes) {
            let texts = object.into_iter().filter_map(|(name, value)| match value {
                Value::String(text) => Some((name, text)),
                Value::Number(number) => Some((name, number.to_string())),
                _ => None,
            });
            return Self {
                texts: texts.collect(),
            };
        }
        let texts = form_urlencoded::parse(&read.bytes).into_owned();
        Self {
            texts: texts.filter(|_| is_form).collect(),
        }
    }

    /// A member that is not empty.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.texts.get(name).filter(|it| !it.is_empty()).cloned()
    }
}
