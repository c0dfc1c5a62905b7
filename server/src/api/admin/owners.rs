//! Accounts of our own: tokens for the faces of the vendors.

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Problem, fields::Fields};
use crate::{
    core::owners::{Face, HordeToken, Model, Owner, Secret},
    limits,
    server::{Server, State},
    store::Kind,
};

/// The members of `PUT /accounts/{name}` that make it an account of our own.
pub(super) const FIELDS: &[&str] = &[
    "hordeToken",
    "hordeTokens",
    "iotaapToken",
    "email",
    "password",
    "iotaapModel",
];

/// What the members say.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    tokens: BTreeMap<Face, Secret>,
    horde_tokens: Vec<HordeToken>,
    person: Option<(String, Secret)>,
    model: Model,
}

/// A token of Horde as it is given.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenToken {
    token: String,
    #[serde(default = "root")]
    resource: String,
    #[serde(default = "yes")]
    write: bool,
}

/// Whether a body has one of [`FIELDS`].
pub(super) fn are_in(body: &Value) -> bool {
    FIELDS.iter().any(|it| body.get(it).is_some())
}

/// Reads the members, and notes their mistakes.
pub(super) fn read(body: &Value, fields: &mut Fields<'_>) -> Said {
    let longest = limits::MAX_SECRET_BYTES;
    let mut said = Said::default();
    for (name, face) in [("hordeToken", Face::Horde), ("iotaapToken", Face::Iotaap)] {
        let token = fields.text(name, longest, sendable);
        said.tokens.extend(token.map(|it| (face, Secret::of(&it))));
    }
    if let Some(list) = body.get("hordeTokens") {
        match serde_json::from_value::<Vec<GivenToken>>(list.clone()) {
            Ok(list) if list.len() > limits::MAX_TOKENS => {
                let most = limits::MAX_TOKENS;
                fields.mistake("hordeTokens", &format!("has more than {most} elements"));
            }
            Ok(list) if list.iter().any(|it| it.token.is_empty() || sendable(&it.token).is_err()) => {
                fields.mistake("hordeTokens", "has a token that no header can carry");
            }
            Ok(list) => {
                let tokens = list.into_iter().map(|it| HordeToken {
                    token: Secret::of(&it.token),
                    resource: it.resource,
                    write: it.write,
                });
                said.horde_tokens = tokens.collect();
            }
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
    let model = model.and_then(|it| serde_json::from_value(Value::String(it)).ok());
    said.model = model.unwrap_or_default();
    let email = fields.text("email", longest, |_| Ok(()));
    let password = fields.text("password", longest, |_| Ok(()));
    if email.is_some() != password.is_some() {
        fields.mistake("email", "and password come together");
    }
    said.person = email.zip(password.map(|it| Secret::of(&it)));
    said
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
        owner.complete(now, horde, iotaap);
        owner.tokens.retain(|face, _| *face == Face::Coiote);
        owner.tokens.extend(said.tokens);
        owner.horde_tokens = said.horde_tokens;
        owner.person = said.person;
        owner.iotaap.model = said.model;
        let document = json!(owner);
        let shown = shown(&owner);
        let taken = owners.put(name, owner);
        taken.map_err(|why| Problem::conflict("The account cannot be kept").detail(why.to_string()))?;
        server.store.put(Kind::Owner, name, document);
        Ok(shown)
    })
}

/// Without secrets.
fn shown(owner: &Owner) -> Map<String, Value> {
    let mut view = Map::new();
    view.insert("hordeTeam".into(), owner.team.as_str().into());
    view.insert("iotaapUser".into(), owner.iotaap.id.as_str().into());
    view.insert("iotaapModel".into(), json!(owner.iotaap.model));
    view
}

fn sendable(text: &str) -> Result<(), String> {
    if text.bytes().all(|it| it.is_ascii_graphic()) {
        Ok(())
    } else {
        Err("has characters that no header can carry".to_owned())
    }
}

fn root() -> String {
    "/".to_owned()
}

fn yes() -> bool {
    true
}
