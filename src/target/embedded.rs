//! Our own server in this process; beside `cli/serve.rs` the only place that names it.

use std::sync::Arc;

use fotalab_server::Config;
pub(super) use fotalab_server::Running;
use fotalab_wire::net::{Clock, Network};
use serde_json::{Map, Value};

use super::TargetError;

/// Starts a server for one group and gives the variables of one profile.
pub(super) async fn start(
    network: &Arc<dyn Network>,
    clock: Clock,
    seed: u64,
    profile: &str,
) -> Result<(Running, Map<String, Value>), TargetError> {
    let token = format!("admin-{seed:016x}");
    let config = Config::for_scenarios(token, seed);
    let server = fotalab_server::start(config, Arc::clone(network), clock)
        .await
        .map_err(|error| TargetError::new("start the embedded server", error))?;
    let mut variables = server.context();
    let profiles = variables.shift_remove("PROFILES").unwrap_or_default();
    let Some(of_profile) = profiles.get(profile).and_then(Value::as_object) else {
        let known: Vec<&String> = profiles
            .as_object()
            .map(|it| it.keys().collect())
            .unwrap_or_default();
        return Err(TargetError::new(
            format!("find the profile `{profile}`"),
            format!("the server has {known:?}"),
        ));
    };
    variables.extend(of_profile.clone());
    Ok((server, variables))
}
