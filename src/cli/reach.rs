//! Whether the target is there at all, before a run begins.

use std::{net::TcpStream, time::Duration};

use super::Failure;
use crate::target::TargetChoice;

/// Whether somebody listens where the target says it does.
pub(super) fn reachable(target: &TargetChoice) -> Result<(), Failure> {
    let TargetChoice::Profile(profile) = target else {
        return Ok(());
    };
    for (name, value) in &profile.context {
        let Some(uri) = value.as_str().and_then(|it| it.parse::<http::Uri>().ok()) else {
            continue;
        };
        if !matches!(uri.scheme_str(), Some("http" | "ws")) {
            continue;
        }
        let Some(host) = uri.host() else { continue };
        let port = uri.port_u16().unwrap_or(80);
        let addresses =
            std::net::ToSocketAddrs::to_socket_addrs(&(host, port)).map_err(|error| {
                Failure::environment(format!(
                    "{name} names `{host}`, which is not found: {error}"
                ))
            })?;
        let mut last = None;
        let reached = addresses.into_iter().any(|it| {
            match TcpStream::connect_timeout(&it, CONNECT_TIMEOUT) {
                Ok(_) => true,
                Err(error) => {
                    last = Some(error);
                    false
                }
            }
        });
        if !reached {
            let why = last.map_or_else(String::new, |it| format!(": {it}"));
            return Err(Failure::environment(format!(
                "the target \"{}\" does not answer at {host}:{port} ({name}){why}",
                profile.name
            )));
        }
    }
    Ok(())
}

/// Time for a target to take a connection before the run.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
