//! The face of IoTaaP: login, devices, groups, their OTAs, and what devices themselves ask.
//!
//! What this module says is contract B. Two hosts of the original are one here: what users ask is
//! below [`BASE`] with a token, `ota/*/latest` and `ota/*/download` without.

mod inputs;
mod otas;
mod render;
mod resources;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::{Reply, problem::NO_STORE, segments};
use crate::{
    core::{
        iotaap::{Refused, Scoped},
        jwt,
        owners::{Face, Model},
    },
    feed::FeedBody,
    server::Server,
};
use inputs::Inputs;

/// Where this face is.
pub(crate) const BASE: &str = "/iotaap/v1";

/// An answer: its code and its document.
type Answer = (StatusCode, Value);

/// Who asks.
struct Caller {
    owner: String,
    model: Model,
}

/// Answers a request below [`BASE`].
pub(super) async fn answer(
    server: &Arc<Server>,
    rest: &str,
    request: Request<Incoming>,
) -> Response<Either<Full<Bytes>, FeedBody>> {
    let segments = segments(rest).unwrap_or_default();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let method = request.method().clone();
    let reply = match segments.as_slice() {
        [
            "ota",
            scoped @ ("device" | "group"),
            what @ ("latest" | "download"),
            key,
        ] if method == Method::GET => {
            let scoped = scoped_of(scoped);
            if *what == "download" {
                return fresh(otas::download(server, scoped, key));
            }
            said(otas::latest(server, scoped, key))
        }
        ["auth", "login"] if method == Method::POST => {
            said(login(server, &Inputs::read(server, request).await))
        }
        _ if !resources::is_route(&method, &segments) => nothing_here(&method, rest),
        _ => match caller(server, request.headers()) {
            Some(caller) => {
                let answered = resources::answer(server, &caller, &segments, request).await;
                said(answered.unwrap_or_else(refusal))
            }
            None => text(StatusCode::UNAUTHORIZED, "Unauthorized"),
        },
    };
    // What somebody was told is so after a crash, too: what was done and what was seen.
    server.store.flush().await;
    fresh(reply.map(Either::Left))
}

/// Nobody keeps an answer.
fn fresh<T>(mut reply: Response<T>) -> Response<T> {
    reply.headers_mut().insert(header::CACHE_CONTROL, NO_STORE);
    reply
}

/// `POST /auth/login` (contract B1).
fn login(server: &Server, inputs: &Inputs) -> Answer {
    let (email, password) = (inputs.text("email"), inputs.text("password"));
    let (email, password) = (email.unwrap_or_default(), password.unwrap_or_default());
    let state = server.state();
    let owner = state.owners.of_person(&email, &password);
    let Some(owner) = owner.and_then(|it| state.owners.get(it)) else {
        let wrong = json!({"error": "Login or password is wrong"});
        return (StatusCode::UNAUTHORIZED, wrong);
    };
    let claims = jwt::Claims::new(&owner.iotaap.id, server.now());
    let token = claims.sign(owner.iotaap.key.as_bytes());
    let user = json!({"id": owner.iotaap.id, "role": claims.role});
    (StatusCode::OK, json!({"user": user, "token": token}))
}

/// Whose bearer token a request has: one of a login, or one that needs none.
fn caller(server: &Server, headers: &HeaderMap) -> Option<Caller> {
    let given = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = given.trim().split_once(' ')?;
    let token = token.trim();
    let state = server.state();
    let now = server.now();
    let key_of = |id: &str| {
        let (_, owner) = state.owners.of_user(id)?;
        Some(owner.iotaap.key.clone().into_bytes())
    };
    let by_login = || {
        let claims = jwt::verify(token, now, key_of)?;
        state.owners.of_user(&claims.id).map(|it| it.0)
    };
    let owner = state.owners.of_token(now, Face::Iotaap, token);
    let owner = owner.or_else(by_login);
    let owner = owner.filter(|_| scheme.eq_ignore_ascii_case("bearer"))?;
    Some(Caller {
        owner: owner.to_owned(),
        model: state.owners.get(owner)?.iotaap.model,
    })
}

/// A refusal of the core, as this face says it.
fn refusal(refused: Refused) -> Answer {
    let (status, message) = match refused {
        Refused::NoSuchDevice => (StatusCode::NOT_FOUND, "No such device"),
        Refused::NoSuchGroup => (StatusCode::NOT_FOUND, "No such group"),
        Refused::TooManyDevices => (
            StatusCode::FORBIDDEN,
            "Maximum number of devices reached. Please upgrade your account.",
        ),
        Refused::NoGroups => (
            StatusCode::FORBIDDEN,
            "Groups are not available in free model. Please upgrade your account.",
        ),
        Refused::GroupIdNotValid => {
            let error = "an id has 24 hexadecimal digits";
            return internal("Group ID is not valid", error);
        }
        Refused::Full => return internal("There is no room for more", "a limit is reached"),
    };
    (status, json!({"message": message}))
}

/// 500, with what went wrong.
fn internal(message: &str, error: &str) -> Answer {
    let document = json!({"message": message, "error": error});
    (StatusCode::INTERNAL_SERVER_ERROR, document)
}

fn scoped_of(text: &str) -> Scoped {
    if text == "group" {
        Scoped::Group
    } else {
        Scoped::Device
    }
}

fn said((status, document): Answer) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from(document.to_string())));
    *reply.status_mut() = status;
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    reply.headers_mut().insert(header::CONTENT_TYPE, json);
    reply
}

fn text(status: StatusCode, body: &'static str) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
    *reply.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    reply.headers_mut().insert(header::CONTENT_TYPE, plain);
    reply
}

/// 404 as Express writes it.
fn nothing_here(method: &Method, rest: &str) -> Reply {
    let path: String = rest.chars().take(crate::limits::MAX_NAME_BYTES).collect();
    let path = path
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;");
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <title>Error</title>\n</head>\n<body>\n<pre>Cannot {method} /v1{path}</pre>\n</body>\n</html>\n"
    );
    let mut reply = Response::new(Full::new(Bytes::from(page)));
    *reply.status_mut() = StatusCode::NOT_FOUND;
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    reply.headers_mut().insert(header::CONTENT_TYPE, html);
    reply
}
