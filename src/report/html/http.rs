//! What every row shows of a message over HTTP.

use std::borrow::Cow;

use serde::Deserialize;

use crate::trace::{Lane, Message};

/// Of one of them.
pub(super) struct OverHttp<'a> {
    /// A method, or a status.
    pub(super) code: Cow<'a, str>,
    /// Of its body, where it says that.
    pub(super) bytes: Option<u64>,
}

impl<'a> OverHttp<'a> {
    /// Of this one; of others there is nothing.
    pub(super) fn of(message: &'a Message) -> Self {
        let http: Http<'a> = match message.lane {
            Lane::Rest | Lane::Upstream => {
                serde_json::from_str(&message.detail).unwrap_or_default()
            }
            _ => Http::default(),
        };
        let status = || http.status.map(|it| it.to_string().into());
        Self {
            code: http.method.or_else(status).unwrap_or_default(),
            bytes: http.bytes,
        }
    }
}

/// `GET http://host:1/a?b` as `GET /a?b`: who is asked, the lane tells.
pub(in crate::report) fn without_host(summary: &str) -> Cow<'_, str> {
    // Of most summaries the first colon tells.
    let mut colons = summary.match_indices(':').map(|it| it.0);
    let Some(at) = colons.find(|it| summary[*it..].starts_with("://")) else {
        return Cow::Borrowed(summary);
    };
    let scheme = summary[..at].rfind(' ').map_or(0, |it| it + 1);
    let rest = &summary[at + 3..];
    let end = rest.find(['/', ' ']).unwrap_or(rest.len());
    Cow::Owned(format!("{}{}", &summary[..scheme], &rest[end..]))
}

/// The part of its detail.
#[derive(Default, Deserialize)]
struct Http<'a> {
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(default)]
    status: Option<u16>,
    #[serde(default)]
    bytes: Option<u64>,
}
