//! Accounts of our own: tokens for the faces of the vendors.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Problem, fields::Fields};
use crate::{
    core::owners::{HordeToken, Model, NotTaken, Owner},
    limits,
    server::{Server, State},
    store::Kind,
};

/// The members of `PUT /accounts/{name}` that make it an account of our own.
pub(super) const FIELDS: &[&str] = &[
    "hordeToken",
    "hordeTokens",
    "iotaapToken",
    "iotaapEmail",
    "iotaapPassword",
    "iotaapModel",
];

/// What the members say.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    horde_tokens: Option<Vec<HordeToken>>,
    iotaap_token: Option<String>,
    email: Option<String>,
    password: Option<String>,
    model: Option<Model>,
}

/// Whether a body has one of [`FIELDS`].
pub(super) fn are_in(body: &Value) -> bool {
    FIELDS.iter().any(|it| body.get(it).is_some())
}

/// Reads the members, and notes their mistakes.
pub(super) fn read(body: &Value, fields: &mut Fields<'_>) -> Said {
    let longest = limits::MAX_SECRET_BYTES;
    let sendable = |text: &str| {
        if text.bytes().all(|it| it.is_ascii_graphic()) {
            Ok(())
        } else {
            Err("has characters that no header can carry".to_owned())
        }
    };
    let one = fields.text("hordeToken", longest, sendable);
    let mut tokens: Option<Vec<HordeToken>> = one.map(|it| vec![HordeToken::over_all(it)]);
    if let Some(list) = body.get("hordeTokens") {
        match serde_json::from_value::<Vec<HordeToken>>(list.clone()) {
            Ok(list) if list.len() > limits::MAX_TOKENS => {
                let most = limits::MAX_TOKENS;
                fields.mistake("hordeTokens", &format!("has more than {most} elements"));
            }
            Ok(list) if list.iter().any(|it| it.token.is_empty() || sendable(&it.token).is_err()) => {
                fields.mistake("hordeTokens", "has a token that no header can carry");
            }
            Ok(list) => tokens.get_or_insert_default().extend(list),
            Err(_) => {
                let why = "is no list of {token, resource, write}";
                fields.mistake("hordeTokens", why);
            }
        }
    }
    let model = fields.text("iotaapModel", longest, |text| match text {
        "free" | "solo" | "startup" | "unlimited" => Ok(()),
        _ => Err("is none of free, solo, startup, unlimited".to_owned()),
    });
    Said {
        horde_tokens: tokens,
        iotaap_token: fields.text("iotaapToken", longest, sendable),
        email: fields.text("iotaapEmail", longest, |_| Ok(())),
        password: fields.text("iotaapPassword", longest, |_| Ok(())),
        model: model.and_then(|it| serde_json::from_value(Value::String(it)).ok()),
    }
}

/// Makes the account, or replaces its tokens; what belongs to it stays.
pub(super) fn keep(
    server: &Arc<Server>,
    name: &str,
    said: Said,
) -> Result<Map<String, Value>, Problem> {
    server.change(|state, now| {
        let State {
            owners,
            horde,
            iotaap,
            ..
        } = state;
        let mut owner = owners.get(name).cloned().unwrap_or_default();
        name.clone_into(&mut owner.name);
        owner.complete(now, horde, iotaap);
        owner.horde_tokens = said.horde_tokens.unwrap_or_default();
        let user = &mut owner.iotaap;
        user.token = said.iotaap_token;
        user.email = said.email;
        user.password = said.password;
        user.model = said.model.unwrap_or_default();
        let document = json!(owner);
        let shown = shown(&owner);
        owners.put(owner).map_err(|why| match why {
            NotTaken::TokenTaken => Problem::conflict("Another account has one of these tokens"),
            NotTaken::EmailTaken => Problem::conflict("Another account has this email"),
            NotTaken::Full => Problem::conflict("There are too many accounts"),
        })?;
        server.store.put(Kind::Owner, name, document);
        Ok(shown)
    })
}

/// Without secrets.
fn shown(owner: &Owner) -> Map<String, Value> {
    let mut view = Map::new();
    view.insert("team".into(), owner.team.as_str().into());
    view.insert("iotaapUser".into(), owner.iotaap.id.as_str().into());
    view.insert("iotaapModel".into(), json!(owner.iotaap.model));
    view.insert("hordeTokens".into(), owner.horde_tokens.len().into());
    view
}
