//! Our own server in this process; beside `cli/serve.rs` the only place that names it.

use std::sync::Arc;

use fotalab_server::Config;
pub(super) use fotalab_server::Running;
use fotalab_wire::net::{Clock, Network};
use serde_json::{Map, Value};

use super::TargetError;

/// Starts a server for one group and gives its variables, those of each profile under `PROFILES`.
pub(super) async fn start(
    network: &Arc<dyn Network>,
    clock: Clock,
    seed: u64,
) -> Result<(Running, Map<String, Value>), TargetError> {
    let token = format!("admin-{seed:016x}");
    let mut config = Config::for_scenarios(token, seed);
    if network.is_virtual() {
        // Nobody else is in this world, so CoAP has its own ports (RFC 7252, 12.6 and 12.7):
        // Wireshark knows it by them.
        config.coap = Some(([127, 0, 0, 1], 5683).into());
        config.coaps = Some(([127, 0, 0, 1], 5684).into());
    }
    let server = fotalab_server::start(config, Arc::clone(network), clock)
        .await
        .map_err(|error| TargetError::new("start the embedded server", error))?;
    let variables = server.context();
    Ok((server, variables))
}
