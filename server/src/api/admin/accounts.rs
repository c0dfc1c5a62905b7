//! Accounts: upstream ones (where the cloud is, and as whom to call it), and our own.

use std::sync::Arc;

use fotalab_wire::net::http::host_and_port;
use http::Uri;
use serde_json::{Map, Value, json};

use super::{Problem, fields::Fields, owners};
use crate::{core::devices::Account, limits, server::Server, store::Kind};

/// All members of the body: those of an upstream account, and [`owners::FIELDS`].
const KNOWN: &[&str] = &[
    "endpoint",
    "apiKey",
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

/// `PUT /accounts/{name}`: `{endpoint, apiKey}` of an upstream account, tokens of one of our own,
/// or both; no secret is ever shown again.
pub(super) fn put(server: &Arc<Server>, name: &str, body: &Value) -> Result<Value, Problem> {
    let mut fields = Fields::of(body, KNOWN);
    if name.is_empty() || name.len() > limits::MAX_NAME_BYTES {
        fields.mistake("", "the name has 1 to 256 bytes");
    }
    let own = owners::are_in(body);
    let upstream = fields.has("endpoint") || fields.has("apiKey") || !own;
    for required in ["endpoint", "apiKey"] {
        if upstream && !fields.has(required) {
            fields.mistake(required, "Expected required property");
        }
    }
    let endpoint = fields.text("endpoint", limits::MAX_SECRET_BYTES, |text| {
        let uri: Uri = text.parse().map_err(|_| "is not a URL".to_owned())?;
        host_and_port(&uri).map_err(|why| why.to_string())?;
        if uri.query().is_some() {
            Err("has a query".to_owned())
        } else {
            Ok(())
        }
    });
    let api_key = fields.text("apiKey", limits::MAX_SECRET_BYTES, |text| {
        let sendable = text.bytes().all(|it| it.is_ascii_graphic());
        if sendable {
            Ok(())
        } else {
            Err("has characters that no header can carry".to_owned())
        }
    });
    let said = owners::read(body, &mut fields);
    fields.finish()?;
    let mut shown = Map::new();
    shown.insert("name".into(), name.into());
    if own {
        shown.extend(owners::keep(server, name, said)?);
    }
    if !upstream {
        return Ok(shown.into());
    }
    let (Some(mut endpoint), Some(api_key)) = (endpoint, api_key) else {
        return Err(Problem::validation(&[
            "/: Expected endpoint and apiKey".to_owned()
        ]));
    };
    if !endpoint.ends_with('/') {
        endpoint.push('/');
    }
    shown.insert("endpoint".into(), endpoint.as_str().into());
    let account = Account { endpoint, api_key };
    let document = json!(account);
    let mut state = server.state();
    state.bundles.remove(name);
    state
        .registry
        .put_account(name, account)
        .map_err(|_| Problem::conflict("There are too many accounts"))?;
    server.store.put(Kind::Account, name, document);
    Ok(shown.into())
}
