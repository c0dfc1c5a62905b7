//! What the wire shows: all that is known of a third party's server, and where the link lost what.

use std::collections::BTreeMap;

use fotalab_wire::{
    coap::message::{Code, Token},
    net::UnixMillis,
};
use serde::Deserialize;

use super::facts::{OnAir, Open, Refusal, Refused, Transfer};
use crate::trace::{Coap, Datagram, Kind, Lane, Message, Outcome, code_name};

/// Messages that are looked at, the last ones.
const MAX_MESSAGES: usize = 50_000;
/// Characters of an answer that are quoted.
const MAX_QUOTED: usize = 200;

/// A confirmable request that was not sent again for so long was given up, in milliseconds
/// (RFC 7252, 4.8.2: MAX_TRANSMIT_WAIT).
const GIVEN_UP: UnixMillis = 93_000;

/// What crossed between a device and the server.
pub(super) fn on_air(messages: &[Message], device: &str, now: UnixMillis) -> OnAir {
    let mut seen = Seen::default();
    for message in last(messages) {
        if let Some(datagram) = message.air.as_ref().filter(|it| *it.device == *device) {
            seen.take(message.at, datagram);
        }
    }
    let open = seen
        .open
        .into_values()
        .filter(|it| now - it.last < GIVEN_UP);
    let open = open.max_by_key(|it| it.last);
    OnAir {
        open,
        ..seen.on_air
    }
}

/// The operator's requests that were refused, each once.
pub(super) fn refusals(messages: &[Message], during: (u64, u64)) -> Vec<Refusal> {
    #[derive(Deserialize)]
    struct Answer {
        status: u16,
        #[serde(default)]
        body: serde_json::Value,
    }
    let mut refusals: Vec<Refusal> = Vec::new();
    let during = last(messages)
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

/// Why the last websocket is not open any more.
pub(super) fn websocket_closed(messages: &[Message]) -> Option<String> {
    let mut ends = messages.iter().rev();
    let last = ends.find(|it| it.lane == Lane::Websocket && it.kind == Kind::Connection)?;
    let said = last.summary.strip_prefix("websocket ")?;
    (said != "opened").then(|| said.to_owned())
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

/// `GET http://host/a?b=c` as `GET /a`.
fn shortened(what: &str) -> String {
    let (method, url) = what.split_once(' ').unwrap_or(("", what));
    let path = url.split_once("://").map_or(url, |(_, rest)| {
        rest.find('/').map_or("/", |at| &rest[at..])
    });
    let path = path.split('?').next().unwrap_or_default();
    format!("{method} {path}").trim().to_owned()
}

fn last(messages: &[Message]) -> &[Message] {
    &messages[messages.len().saturating_sub(MAX_MESSAGES)..]
}

#[derive(Default)]
struct Seen {
    on_air: OnAir,
    /// Requests without an answer that arrived, by who asks and token.
    open: BTreeMap<(bool, Token), Open>,
    /// The last request of each token.
    asked: BTreeMap<(bool, Token), String>,
}

impl Seen {
    fn take(&mut self, at: UnixMillis, datagram: &Datagram) {
        let up = datagram.up;
        let arrived = datagram.outcome != Outcome::Lost;
        let Some(coap) = &datagram.coap else {
            self.on_air.records += 1;
            return;
        };
        self.on_air.messages += 1;
        if up && arrived {
            self.on_air.heard = Some(at);
        }
        if coap.code.is_request() {
            self.request(at, up, arrived, coap);
        } else {
            self.answer(at, up, arrived, coap);
        }
    }

    fn request(&mut self, at: UnixMillis, up: bool, arrived: bool, coap: &Coap) {
        let path = coap.path.as_deref().unwrap_or("/");
        let what = format!("{} {path}", code_name(coap.code));
        let key = (up, coap.token);
        self.asked.insert(key, what.clone());
        let open = self.open.entry(key).or_insert_with(|| Open {
            what: what.clone(),
            up,
            first: at,
            ..Open::default()
        });
        if open.what != what {
            *open = Open {
                what,
                up,
                first: at,
                ..Open::default()
            };
        }
        open.last = at;
        open.sent += 1;
        open.lost += u32::from(!arrived);
        if arrived && let Some(block) = coap.block1 {
            self.block(at, path, coap, block.offset(), block.more);
        }
    }

    fn answer(&mut self, at: UnixMillis, up: bool, arrived: bool, coap: &Coap) {
        // An acknowledgement without a code says that the request arrived, no more.
        if coap.code == Code::EMPTY {
            return;
        }
        let key = (!up, coap.token);
        if !arrived {
            if let Some(open) = self.open.get_mut(&key) {
                open.answers_lost += 1;
            }
            return;
        }
        self.open.remove(&key);
        if coap.code == Code::CREATED && !up {
            // A device that registers has forgotten what it was asked before.
            self.open.retain(|(from_device, _), _| *from_device);
        }
        let Some(what) = self.asked.get(&key).cloned() else {
            return;
        };
        let refused =
            matches!(coap.code.class(), 4 | 5) && coap.code != Code::REQUEST_ENTITY_TOO_LARGE;
        if refused {
            self.on_air.refused = Some(Refused {
                what: what.clone(),
                up: !up,
                code: code_name(coap.code).into_owned(),
                at,
            });
        } else {
            let before = &mut self.on_air.refused;
            before.take_if(|it| it.what == what && it.up != up);
        }
        if let Some(block) = coap.block2 {
            let path = what.split_once(' ').map_or("/", |(_, path)| path);
            self.block(at, path, coap, block.offset(), block.more);
        }
    }

    fn block(&mut self, at: UnixMillis, path: &str, coap: &Coap, offset: u64, more: bool) {
        let length = coap.payload;
        let before = self.on_air.transfer.take().filter(|it| it.path == path);
        // A block that was sent before says nothing new.
        let known = before.as_ref().map_or(0, |it| it.bytes);
        let again = offset > 0 && offset < known;
        let bytes = if again { known } else { offset + length };
        self.on_air.transfer = Some(Transfer {
            path: path.to_owned(),
            bytes,
            whole: match before {
                Some(before) if again => before.whole,
                _ => !more,
            },
            at,
        });
    }
}
