//! Accounts of our own: tokens for the faces of the vendors, and how fast their updates go.

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Problem, fields::Fields};
use crate::{
    core::{
        campaigns::Pace,
        owners::{Face, HordeToken, Model, Owner, Program, Secret},
    },
    limits,
    server::{Server, State},
    store::Kind,
};

/// The members of `PUT /accounts/{name}` that make it an account of our own.
pub(super) const FIELDS: &[&str] = &[
    "coioteToken",
    "email",
    "password",
    "service",
    "domain",
    "quota",
    "campaigns",
    "hordeToken",
    "hordeTokens",
    "iotaapToken",
    "iotaapModel",
];

/// What the members say.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    tokens: BTreeMap<Face, Secret>,
    person: Option<(String, Secret)>,
    program: Option<Program>,
    domain: Option<String>,
    quota: Option<usize>,
    pace: Option<Pace>,
    horde_tokens: Option<Vec<HordeToken>>,
    model: Option<Model>,
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
///
/// `service` is `{realm, id, secret}`, what a program gets tokens for; `email` and `password` are a
/// person's. `domain` is where its devices are, between slashes. `quota` is how many updates may
/// run at once of those that ask for a share, `campaigns` is `{inFlight, canaries, failures}` of
/// tasks on groups.
pub(super) fn read(body: &Value, fields: &mut Fields<'_>) -> Said {
    let longest = limits::MAX_SECRET_BYTES;
    let mut said = Said::default();
    for (name, face) in [
        ("coioteToken", Face::Coiote),
        ("hordeToken", Face::Horde),
        ("iotaapToken", Face::Iotaap),
    ] {
        let token = fields.text(name, longest, sendable);
        said.tokens.extend(token.map(|it| (face, Secret::of(&it))));
    }
    if let Some(list) = body.get("hordeTokens") {
        match serde_json::from_value::<Vec<GivenToken>>(list.clone()) {
            Ok(list) if list.len() > limits::MAX_TOKENS => {
                let most = limits::MAX_TOKENS;
                fields.mistake("hordeTokens", &format!("has more than {most} elements"));
            }
            Ok(list)
                if list
                    .iter()
                    .any(|it| it.token.is_empty() || sendable(&it.token).is_err()) =>
            {
                fields.mistake("hordeTokens", "has a token that no header can carry");
            }
            Ok(list) => {
                let tokens = list.into_iter().map(|it| HordeToken {
                    token: Secret::of(&it.token),
                    resource: it.resource,
                    write: it.write,
                });
                said.horde_tokens = Some(tokens.collect());
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
    said.model = model.and_then(|it| serde_json::from_value(Value::String(it)).ok());
    let email = fields.text("email", longest, |_| Ok(()));
    let password = fields.text("password", longest, |_| Ok(()));
    if email.is_some() != password.is_some() {
        fields.mistake("email", "and password come together");
    }
    said.person = email.zip(password.map(|it| Secret::of(&it)));
    if let Some(service) = body.get("service") {
        let text = |name: &str| service.get(name)?.as_str().map(str::to_owned);
        match (text("realm"), text("id"), text("secret")) {
            (Some(realm), Some(id), Some(secret)) => {
                let secret = Secret::of(&secret);
                said.program = Some(Program { realm, id, secret });
            }
            _ => fields.mistake("service", "is no {realm, id, secret}"),
        }
    }
    said.domain = fields.text("domain", limits::MAX_NAME_BYTES, |text| {
        let good = text.len() > 1 && text.starts_with('/') && text.ends_with('/');
        match good && !text.contains("//") {
            true => Ok(()),
            false => Err("is no path between slashes, like /demo/".to_owned()),
        }
    });
    let most = limits::MAX_CAMPAIGN_IN_FLIGHT;
    let number = |value: &Value| {
        let number = usize::try_from(value.as_u64()?).ok()?;
        (1..=most).contains(&number).then_some(number)
    };
    if let Some(quota) = body.get("quota") {
        said.quota = number(quota);
        if said.quota.is_none() {
            fields.mistake("quota", &format!("is no number from 1 to {most}"));
        }
    }
    if let Some(campaigns) = body.get("campaigns") {
        let pace = serde_json::from_value::<Pace>(campaigns.clone()).ok();
        said.pace = pace.filter(|it| (1..=most).contains(&it.in_flight));
        if said.pace.is_none() {
            fields.mistake("campaigns", "is no {inFlight, canaries, failures}");
        }
    }
    said
}

/// Makes the account, or changes what was said of it; what belongs to it stays.
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
        owner.tokens.extend(said.tokens);
        owner.horde_tokens = said.horde_tokens.unwrap_or(owner.horde_tokens);
        owner.person = said.person.or(owner.person);
        owner.iotaap.model = said.model.unwrap_or(owner.iotaap.model);
        owner.program = said.program.or(owner.program);
        owner.domain = said.domain.or(owner.domain);
        owner.quota = said.quota.or(owner.quota);
        owner.pace = said.pace.unwrap_or(owner.pace);
        let document = json!(owner);
        let shown = shown(&owner);
        state.tasks.set_quota(name, owner.quota());
        let taken = state.owners.put(name, owner);
        taken.map_err(|why| {
            Problem::conflict("The account cannot be kept").detail(why.to_string())
        })?;
        server.store.put(Kind::Owner, name, document);
        Ok(shown)
    })
}

/// Without secrets.
fn shown(owner: &Owner) -> Map<String, Value> {
    let mut view = Map::new();
    view.insert("domain".into(), owner.domain().into());
    view.insert("quota".into(), owner.quota().into());
    view.insert("campaigns".into(), json!(owner.pace));
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
