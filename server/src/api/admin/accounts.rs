//! Upstream accounts: where the cloud is, and as whom to call it.

use fotalab_wire::net::http::host_and_port;
use http::Uri;
use serde_json::{Value, json};

use super::{Problem, fields::Fields};
use crate::{core::devices::Account, limits, server::Server, store::Kind};

/// `PUT /accounts/{name}`: `{endpoint, apiKey}`; the key is never shown again.
pub(super) fn put(server: &Server, name: &str, body: &Value) -> Result<Value, Problem> {
    let mut fields = Fields::of(body, &["endpoint", "apiKey"]);
    if name.is_empty() || name.len() > limits::MAX_NAME_BYTES {
        fields.mistake("", "the name has 1 to 256 bytes");
    }
    for required in ["endpoint", "apiKey"] {
        if !fields.has(required) {
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
    fields.finish()?;
    let (Some(mut endpoint), Some(api_key)) = (endpoint, api_key) else {
        return Err(Problem::validation(&[
            "/: Expected endpoint and apiKey".to_owned()
        ]));
    };
    if !endpoint.ends_with('/') {
        endpoint.push('/');
    }
    let shown = json!({"name": name, "endpoint": endpoint});
    let account = Account { endpoint, api_key };
    let document = json!(account);
    let mut state = server.state();
    state.bundles.remove(name);
    state
        .registry
        .put_account(name, account)
        .map_err(|_| Problem::conflict("There are too many accounts"))?;
    server.store.put(Kind::Account, name, document);
    Ok(shown)
}
