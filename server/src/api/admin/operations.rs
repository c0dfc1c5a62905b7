//! Operations on a device: what a conformance run asks for one by one.

use std::{sync::Arc, time::Duration};

use fotalab_wire::lwm2m::{ContentFormat, Definitions, Path, codec::link};
use http::StatusCode;
use serde_json::{Map, Value, json};
use tokio::{sync::oneshot, time::timeout};

use super::{Problem, fields::Fields};
use crate::{
    limits,
    lwm2m::{Answer, Operation, Outcome, Ticket, json},
    server::Server,
};

/// `POST /devices/{endpoint}/operations`:
/// `{operation: read|write|execute|discover|observe, path, value, arguments, timeout}`, the last in
/// seconds. The answer has the
/// CoAP `code`, and of a read or an observation `value` (one) or `values` (by path).
pub(super) async fn post(
    server: &Arc<Server>,
    device: &str,
    body: &Value,
) -> Result<Value, Problem> {
    let (id, receiver) = start(server, device, body)?;
    let patience = body.get("timeout").and_then(Value::as_u64);
    let patience = patience.map_or(limits::OPERATION_TIMEOUT, Duration::from_secs);
    let outcome = timeout(patience, receiver).await;
    match outcome {
        Ok(Ok((Outcome::Answered(answer), path))) => Ok(shown(&answer, path)),
        Ok(Ok((Outcome::Rejected, _))) => Err(failed("It answered with a Reset.")),
        Ok(Ok((Outcome::Gone, _)) | Err(())) => Err(failed("Its registration ended.")),
        Ok(Ok((Outcome::Silent, _))) => Err(failed("No answer came.")),
        Err(_) => {
            server.state().operations.remove(&id);
            let seconds = patience.as_secs();
            Err(failed(&format!("No answer came in {seconds} s.")))
        }
    }
}

const FIELDS: &[&str] = &["operation", "path", "value", "arguments", "timeout"];

type Receiver = std::pin::Pin<Box<dyn Future<Output = Result<(Outcome, Path), ()>> + Send>>;

fn start(server: &Arc<Server>, device: &str, body: &Value) -> Result<(u64, Receiver), Problem> {
    let mut fields = Fields::of(body, FIELDS);
    for required in ["operation", "path"] {
        if !fields.has(required) {
            fields.mistake(required, "Expected required property");
        }
    }
    let longest = limits::MAX_NAME_BYTES;
    let name = fields.text("operation", longest, |text| match text {
        "read" | "write" | "execute" | "discover" | "observe" => Ok(()),
        _ => Err("is none of read, write, execute, discover, observe".to_owned()),
    });
    let path = fields.text("path", longest, |text| {
        let path = text.parse::<Path>().map_err(|why| why.to_string())?;
        match path.depth() {
            0 => Err("is no object and nothing in one".to_owned()),
            _ => Ok(()),
        }
    });
    let arguments = fields.text("arguments", longest, |_| Ok(()));
    let longest = limits::MAX_OPERATION_TIMEOUT.as_secs();
    let fits = |it: &Value| it.as_u64().is_some_and(|it| (1..=longest).contains(&it));
    if body.get("timeout").is_some_and(|it| !fits(it)) {
        fields.mistake(
            "timeout",
            &format!("is no number of seconds from 1 to {longest}"),
        );
    }
    if name.as_deref() == Some("write") && !fields.has("value") {
        fields.mistake("value", "Expected required property");
    }
    fields.finish()?;
    let path = path.and_then(|it| it.parse::<Path>().ok());
    let (Some(name), Some(path)) = (name, path) else {
        let why = "/: Expected operation and path".to_owned();
        return Err(Problem::validation(&[why]));
    };
    let value = body.get("value").cloned().unwrap_or_default();
    server.change(|state, now| {
        let air = state.air.as_mut();
        let offline = || Problem::conflict("The device is not registered").detail(device);
        let Some((air, definitions)) = air.and_then(|air| {
            let definitions = air.registered(device)?.definitions().clone();
            Some((air, definitions))
        }) else {
            return Err(match state.registry.device(device) {
                Some(_) => offline(),
                None => Problem::not_found("No device found with ID!").detail(device),
            });
        };
        let operation = operation(&name, path, &value, arguments, &definitions)?;
        let id = state.next_operation;
        state.next_operation += 1;
        let (sender, receiver) = oneshot::channel();
        state.operations.insert(id, (device.to_owned(), sender));
        air.operate(now, device, Ticket::Admin(id), operation);
        let receiver: Receiver = Box::pin(async move {
            let outcome = receiver.await.map_err(drop)?;
            Ok((outcome, path))
        });
        Ok((id, receiver))
    })
}

fn operation(
    name: &str,
    path: Path,
    value: &Value,
    arguments: Option<String>,
    definitions: &Definitions,
) -> Result<Operation, Problem> {
    let mistake = |field: &str, why: String| Problem::validation(&[format!("/{field}: {why}")]);
    Ok(match name {
        "read" => Operation::Read(path),
        "observe" => Operation::Observe(path),
        "discover" => Operation::Discover(path),
        "execute" => Operation::Execute {
            path,
            arguments: arguments.unwrap_or_default(),
        },
        _ if path.depth() < 3 => {
            let why = "names more than one resource; write them one by one".to_owned();
            return Err(mistake("path", why));
        }
        _ => {
            let written = json::payload(path, value, definitions);
            let (payload, format) = written.map_err(|why| mistake("value", why))?;
            Operation::Write {
                path,
                payload: payload.into(),
                format,
            }
        }
    })
}

fn shown(answer: &Answer, path: Path) -> Value {
    let mut document = Map::new();
    let code = format!("{}.{:02}", answer.code.class(), answer.code.detail());
    document.insert("code".into(), code.into());
    if let Some(format) = answer.format {
        document.insert("contentFormat".into(), format.into());
    }
    if let Err(why) = &answer.tree {
        document.insert("undecoded".into(), why.as_str().into());
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
