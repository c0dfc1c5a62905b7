//! Accounts of our own: tokens for the faces of the vendors, and how fast their updates go.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value, json};

use super::{Problem, fields::Fields};
use crate::{
    core::{
        campaigns::Pace,
        owners::{Face, Owner, Program, Secret},
    },
    limits,
    server::Server,
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
    let token = fields.text("coioteToken", longest, sendable);
    said.tokens
        .extend(token.map(|it| (Face::Coiote, Secret::of(&it))));
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
    server.change(|state, _| {
        let mut owner = state.owners.get(name).cloned().unwrap_or_default();
        owner.tokens.extend(said.tokens);
        owner.person = said.person.or(owner.person);
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
    view
}

fn sendable(text: &str) -> Result<(), String> {
    if text.bytes().all(|it| it.is_ascii_graphic()) {
        Ok(())
    } else {
        Err("has characters that no header can carry".to_owned())
    }
}
