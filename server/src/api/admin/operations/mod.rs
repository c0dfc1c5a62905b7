//! `POST /devices/{endpoint}/operations`: what is asked of a device one by one.
//!
//! The body names an `operation` and what that takes; a `timeout` in seconds (25) is how long the
//! answer is waited for. Paths are `/object/instance/resource/instance`, as many ids as are meant.
//!
//! | `operation` | takes | is |
//! |---|---|---|
//! | `read` | `path`, `format`? | GET |
//! | `discover` | `path` | GET of links |
//! | `observe` | `path`, `format`? | GET with Observe 0 |
//! | `cancel` | `path` or `paths`, `passive`? | GET with Observe 1; `passive`: the next notification is answered by a Reset |
//! | `write` | `path`, `value`, `format`?, `partial`? | PUT, which replaces; `partial`, on an instance: POST, which leaves what is not named |
//! | `write-attributes` | `path`, `attributes` | PUT of `{"pmin": 0, "gt": null}`, `null` clears |
//! | `execute` | `path`, `arguments`? | POST |
//! | `create` | `path` of an object, `value`, `instance`?, `format`? | POST; without `instance` the device chooses one |
//! | `delete` | `path` | DELETE |
//! | `read-composite` | `paths`, `format`? | FETCH |
//! | `observe-composite` | `paths`, `format`? | FETCH with Observe 0 |
//! | `write-composite` | `values`, `format`? | iPATCH, all or nothing |
//!
//! `value` is a text, a number or a truth value; bytes are base64, links `5:0`. What has parts is an
//! object by id: `{"1": 60, "6": {"0": 1, "1": 5}}`. `values` is an object by path. `format` is one of
//! text, opaque, tlv, json, cbor, senml-json, senml-cbor: of the answer when something is read (Accept),
//! of the payload when something is written; both SenML only for the composite ones. Whether the
//! device takes what is asked is the device's to say, so that it can be asked wrong things too.
//!
//! The answer is 200 with the CoAP `code`, whatever that is, and where the device says more
//! `contentFormat`, `value` (one) or `values` (by path), `links`, `location`, `diagnostic`; what does
//! not decode is `undecoded` (why) and `payload` (base64). What is observed is told by `GET /events`:
//! `notification` with `{endpoint, path, value, by}`, `by` being `observation` or `send`.

mod asked;

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use fotalab_wire::lwm2m::{ContentFormat, Path, codec::link};
use http::StatusCode;
use serde_json::{Map, Value, json};
use tokio::{sync::oneshot, time::timeout};

use super::{Problem, fields::Fields};
use crate::{
    lwm2m::{Answer, Outcome, Ticket, json},
    server::Server,
};
use asked::{Asked, Deed, Writing};

/// Asks the device and waits for its answer.
pub(super) async fn post(
    server: &Arc<Server>,
    device: &str,
    body: &Value,
) -> Result<Value, Problem> {
    let asked = Asked::read(body)?;
    let patience = asked.patience;
    let Some((id, path, receiver)) = start(server, device, asked)? else {
        return Ok(json!({"detail": "The next notification will be answered by a Reset."}));
    };
    match timeout(patience, receiver).await {
        Ok(Ok(Outcome::Answered(answer))) => Ok(shown(&answer, path)),
        Ok(Ok(Outcome::Rejected)) => Err(failed("It answered with a Reset.")),
        Ok(Ok(Outcome::Gone) | Err(_)) => Err(failed("Its registration or its session ended.")),
        Ok(Ok(Outcome::Silent)) => Err(failed("No answer came.")),
        Err(_) => {
            server.state().operations.remove(&id);
            let seconds = patience.as_secs();
            Err(failed(&format!("No answer came in {seconds} s.")))
        }
    }
}

type Waiting = (u64, Path, oneshot::Receiver<Outcome>);

/// `None`: the device is not asked anything.
fn start(server: &Arc<Server>, device: &str, asked: Asked) -> Result<Option<Waiting>, Problem> {
    server.change(|state, now| {
        let air = state.air.as_mut();
        let Some((air, writing)) = air.and_then(|air| {
            let writing = Writing::of(air.registered(device)?);
            Some((air, writing))
        }) else {
            return Err(match state.registry.device(device) {
                Some(_) => Problem::conflict("The device is not registered").detail(device),
                None => Problem::not_found("No device found with ID!").detail(device),
            });
        };
        let accept = asked.accept();
        let operation = match asked.deed(&writing)? {
            Deed::Ask(operation) => operation,
            Deed::Cancel { watched, .. } if !air.observes(device, &watched) => {
                return Err(Problem::conflict("That is not observed").detail(device));
            }
            Deed::Cancel {
                watched,
                passive: true,
            } => {
                air.ignore(now, device, &watched);
                return Ok(None);
            }
            Deed::Cancel { watched, .. } => watched.forgotten(),
        };
        let path = operation.path();
        let id = state.next_operation;
        state.next_operation += 1;
        let (sender, receiver) = oneshot::channel();
        state.operations.insert(id, (device.to_owned(), sender));
        air.operate_in(now, device, Ticket::Admin(id), operation, accept);
        Ok(Some((id, path, receiver)))
    })
}

fn shown(answer: &Answer, path: Path) -> Value {
    let mut document = Map::new();
    let code = format!("{}.{:02}", answer.code.class(), answer.code.detail());
    document.insert("code".into(), code.into());
    if let Some(format) = answer.format {
        document.insert("contentFormat".into(), format.into());
    }
    if let Some(location) = &answer.location {
        document.insert("location".into(), location.as_str().into());
    }
    if !answer.code.is_success() && !answer.payload.is_empty() {
        let text = String::from_utf8_lossy(&answer.payload);
        document.insert("diagnostic".into(), text.into());
        return document.into();
    }
    if let Err(why) = &answer.tree {
        document.insert("undecoded".into(), why.as_str().into());
        let payload = STANDARD.encode(&answer.payload);
        document.insert("payload".into(), payload.into());
        return document.into();
    }
    if answer.format == Some(ContentFormat::Link.number()) {
        let links = link::decode(&answer.payload).unwrap_or_default();
        let links = links.iter().map(ToString::to_string).collect::<Vec<_>>();
        document.insert("links".into(), json!(links));
        return document.into();
    }
    let values = answer.values();
    match values.as_slice() {
        [] => {}
        [(only, value)] if *only == path => {
            document.insert("value".into(), json::of(value));
        }
        _ => {
            let values = values.iter();
            let values = values.map(|(path, value)| (path.to_string(), json::of(value)));
            document.insert("values".into(), Value::Object(values.collect()));
        }
    }
    document.into()
}

fn failed(detail: &str) -> Problem {
    Problem::new(StatusCode::GATEWAY_TIMEOUT, "The device did not answer").detail(detail)
}
