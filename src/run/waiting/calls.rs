//! What crossed over HTTP and websockets: the operator's side.

use serde::Deserialize;

use super::facts::{Call, Refusal, Websocket};
use crate::trace::{Kind, Lane, Message};

/// Characters of an answer that are quoted.
const MAX_QUOTED: usize = 200;

/// The operator's requests that were refused, each once.
pub(super) fn refusals(messages: &[Message], during: (u64, u64)) -> Vec<Refusal> {
    #[derive(Deserialize)]
    struct Answer {
        status: u16,
        #[serde(default)]
        body: serde_json::Value,
    }
    let mut refusals: Vec<Refusal> = Vec::new();
    let during = messages
        .iter()
        .filter(|it| it.lane == Lane::Rest && it.kind == Kind::Answer)
        .filter(|it| (during.0..during.1).contains(&it.seq));
    for message in during {
        let answer: Result<Answer, _> = serde_json::from_str(&message.detail);
        let Ok(answer) = answer else { continue };
        let (_, what) = message.summary.split_once(' ').unwrap_or_default();
        let short = shortened(what);
        // What succeeded since is no reason any more.
        let before = refusals.iter().position(|it| it.what == short);
        if answer.status < 400 {
            before.map(|at| refusals.remove(at));
            continue;
        }
        match before.and_then(|at| refusals.get_mut(at)) {
            Some(before) if before.status == answer.status => before.times += 1,
            _ => {
                before.map(|at| refusals.remove(at));
                refusals.push(Refusal {
                    by_fingerprint: what.contains("fingerprint="),
                    what: short,
                    status: answer.status,
                    said: said(&answer.body),
                    times: 1,
                });
            }
        }
    }
    refusals
}

/// How it stands with websockets.
pub(super) fn websocket(messages: &[Message]) -> Websocket {
    let mut websocket = Websocket {
        never: true,
        ..Websocket::default()
    };
    let mut open = 0_u32;
    for message in messages.iter().filter(|it| it.lane == Lane::Websocket) {
        let said = message.summary.strip_prefix("websocket ");
        match (message.kind, said.unwrap_or_default()) {
            (Kind::Answer, _) => websocket.last = Some(message.at),
            (Kind::Request, _) => {}
            (Kind::Connection, "opened") => open += 1,
            (Kind::Connection, why) => {
                // One that never opened closes none.
                let opened = !why.starts_with("refused ") && !why.starts_with("did not open");
                open = open.saturating_sub(u32::from(opened));
                websocket.closed = Some(why.to_owned());
            }
        }
        websocket.never = false;
    }
    websocket.closed.take_if(|_| open > 0);
    websocket
}

/// Whether a websocket was let in while the step was at work.
pub(super) fn let_in(messages: &[Message], during: (u64, u64)) -> bool {
    let during = messages
        .iter()
        .filter(|it| it.lane == Lane::Websocket && (during.0..during.1).contains(&it.seq));
    let mut connections = during.filter(|it| it.kind == Kind::Connection);
    connections.any(|it| it.summary == "websocket opened")
}

/// The operator's last request, and what became of it.
pub(super) fn asked(messages: &[Message], during: (u64, u64)) -> Option<Call> {
    let during = messages
        .iter()
        .filter(|it| it.lane == Lane::Rest && (during.0..during.1).contains(&it.seq));
    let mut call = None::<Call>;
    for message in during {
        match message.kind {
            // Not what an adapter's command is told.
            Kind::Request if !is_http(&message.summary) => call = None,
            Kind::Request => {
                let what = shortened(&message.summary);
                let before = call.take().filter(|it| it.what == what);
                call = Some(Call {
                    times: before.map_or(0, |it| it.times) + 1,
                    what,
                    last: message.at,
                    ..Call::default()
                });
            }
            Kind::Answer => {
                let status = message.summary.split(' ').next();
                // What else the server tells has none.
                let status = status.and_then(|it| it.parse().ok());
                if let Some((call, status)) = call.as_mut().zip(status) {
                    call.status = Some(status);
                }
            }
            Kind::Connection => {
                if let Some(call) = &mut call {
                    call.why.clone_from(&message.summary);
                }
            }
        }
    }
    call
}

/// What a problem document says, or whatever stands in its place.
fn said(body: &serde_json::Value) -> String {
    let words = ["title", "detail", "message", "error"];
    let mut found = words.iter().filter_map(|it| body.get(it)?.as_str());
    let mut said = match (found.next(), found.next()) {
        (Some(title), Some(detail)) => format!("{title}: {detail}"),
        (Some(only), None) => only.to_owned(),
        _ => body.as_str().unwrap_or_default().to_owned(),
    };
    if let Some((at, _)) = said.char_indices().nth(MAX_QUOTED) {
        said.truncate(at);
        said.push('…');
    }
    said
}

fn is_http(summary: &str) -> bool {
    let method = summary.split(' ').next().unwrap_or_default();
    !method.is_empty() && method.bytes().all(|it| it.is_ascii_uppercase())
}

/// `GET http://host/a?b=c` as `GET /a`.
fn shortened(what: &str) -> String {
    let (method, url) = what.split_once(' ').unwrap_or(("", what));
    let path = url.split_once("://").map_or(url, |(_, rest)| {
        rest.find('/').map_or("/", |at| &rest[at..])
    });
    let path = path.split('?').next().unwrap_or_default();
    format!("{method} {path}").trim().to_owned()
}
