//! Who is asking: tokens in headers, and tokens for passwords (contract 1).

use std::sync::Arc;

use http::{HeaderValue, Request, StatusCode, header};
use hyper::body::Incoming;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Answer, Refusal, input};
use crate::{core::owners::Face, limits, server::Server};

/// The account behind a request's token.
pub(super) fn owner(server: &Server, request: &Request<Incoming>) -> Result<String, Refusal> {
    let token = token(request).ok_or_else(Refusal::unauthorized)?;
    let state = server.state();
    let owner = state.owners.of_token(server.now(), Face::Coiote, token);
    owner.map(str::to_owned).ok_or_else(Refusal::unauthorized)
}

/// `POST /api/auth/oauth_password`: `username` and `password` as a form -> 201. `grant_type` may be
/// left out, as the Python client does.
pub(super) async fn password(
    server: &Arc<Server>,
    request: Request<Incoming>,
) -> Result<Answer, Refusal> {
    let form = input::form(server, request).await?;
    let given = |name: &str| {
        let found = form.iter().rev().find(|(it, _)| it == name);
        found.map(|(_, value)| value.as_str())
    };
    if given("grant_type").is_some_and(|it| it != "password") {
        return Err(Refusal::malformed("grant_type is password"));
    }
    let (Some(user), Some(password)) = (given("username"), given("password")) else {
        let needed = "username and password are needed, as a form";
        return Err(Refusal::malformed(needed));
    };
    let owner = server
        .state()
        .owners
        .of_person(user, password)
        .map(str::to_owned);
    let owner = owner.ok_or_else(Refusal::unauthorized)?;
    Ok(Answer::Json(StatusCode::CREATED, issue(server, &owner)))
}

/// `POST /iam/realms/{realm}/protocol/openid-connect/token`: a program's credentials -> 200.
pub(super) async fn program(
    server: &Arc<Server>,
    realm: &str,
    request: Request<Incoming>,
) -> Result<Answer, Refusal> {
    let form = input::form(server, request).await?;
    let given = |name: &str| {
        let found = form.iter().rev().find(|(it, _)| it == name);
        found.map_or("", |(_, value)| value.as_str())
    };
    if given("grant_type") != "client_credentials" {
        return Err(Refusal::malformed("grant_type is client_credentials"));
    }
    let (id, secret) = (given("client_id"), given("client_secret"));
    let owner = server
        .state()
        .owners
        .of_program(realm, id, secret)
        .map(str::to_owned);
    let owner = owner.ok_or_else(Refusal::unauthorized)?;
    Ok(Answer::Json(StatusCode::OK, issue(server, &owner)))
}

/// `POST /api/auth/invalidate_token`: `{"token": ...}` -> 204, known or not.
pub(super) async fn invalidate(
    server: &Arc<Server>,
    request: Request<Incoming>,
) -> Result<Answer, Refusal> {
    let body = input::json(server, request).await?;
    let token = body.get("token").and_then(Value::as_str);
    let token = token.ok_or_else(|| Refusal::malformed("token is a text"))?;
    server.state().owners.revoke(token);
    Ok(Answer::Empty(StatusCode::NO_CONTENT))
}

/// Makes a token. Who does not know the admin token cannot guess it.
fn issue(server: &Server, owner: &str) -> Value {
    let now = server.now();
    let mut state = server.state();
    let number = state.image_ids.draw(now);
    let mut digest = Sha256::new();
    for part in [&server.config.admin_token, "coiote", owner, &number] {
        digest.update(part.len().to_be_bytes());
        digest.update(part);
    }
    let digest = digest.finalize();
    let token: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    state.owners.issue(now, owner, &token);
    json!({
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": limits::ISSUED_TOKEN.as_secs(),
    })
}

fn token(request: &Request<Incoming>) -> Option<&str> {
    let header = request.headers().get(header::AUTHORIZATION);
    let text = header.map(HeaderValue::to_str)?.ok()?;
    let (scheme, token) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
