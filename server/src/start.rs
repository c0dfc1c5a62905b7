//! Starts a server and ends it.

use std::{io, net::SocketAddr, sync::Arc};

use fotalab_wire::net::{
    Clock, Datagrams, Network,
    http::{Limits, serve},
};
use hyper::service::service_fn;
use serde_json::{Map, Value, json};

use crate::{
    air,
    api::{self, hello::Generation, horde, iotaap},
    config::Config,
    core::owners::{self, HordeToken},
    driver, limits,
    server::{Server, State},
    store::Kind,
};

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("failed to listen on {address}: {source}")]
    Listen {
        /// The address of the configuration.
        address: SocketAddr,
        /// What the network said.
        source: io::Error,
    },
    /// The default account cannot have the tokens of the configuration.
    #[error("failed to set up the default account: {0}")]
    Account(owners::NotTaken),
    /// An empty token would open the admin face to everybody.
    #[error("failed to start without an admin token")]
    NoAdminToken,
}

/// A server that runs until it is stopped or dropped.
pub struct Running {
    server: Arc<Server>,
    address: SocketAddr,
    admin_token: String,
}

/// Starts a server in the world of `network` and `clock`, on the current runtime.
///
/// # Errors
/// See [`StartError`].
pub async fn start(
    config: Config,
    network: Arc<dyn Network>,
    clock: Clock,
) -> Result<Running, StartError> {
    if config.admin_token.is_empty() {
        return Err(StartError::NoAdminToken);
    }
    let listener = network
        .listen(config.listen)
        .map_err(|source| StartError::Listen {
            address: config.listen,
            source,
        })?;
    let address = listener.local_addr();
    let socket: Option<Arc<dyn Datagrams>> = match config.coap {
        None => None,
        Some(address) => {
            let fail = |source| StartError::Listen { address, source };
            Some(Arc::from(network.bind(address).map_err(fail)?))
        }
    };
    let admin_token = config.admin_token.clone();
    let server = Server::new(config, network, socket.clone(), clock);
    let server = Arc::new(server);
    let _first = server.http.set(address);
    default_account(&server)?;
    let service = {
        let server = Arc::clone(&server);
        service_fn(move |request| api::answer(Arc::clone(&server), request))
    };
    let limits = Limits {
        connections: limits::MAX_CONNECTIONS,
        head: limits::HEAD_TIMEOUT,
        ..Limits::default()
    };
    server.spawn(serve(Box::new(api::NeverBare(listener)), service, limits));
    if let Some(socket) = socket {
        server.spawn(air::receive(Arc::clone(&server), socket));
        server.spawn(air::keep_time(Arc::clone(&server)));
    }
    server.spawn(driver::keep_updates_going(Arc::clone(&server)));
    server.spawn(driver::keep_shadows_fresh(Arc::clone(&server)));
    Ok(Running {
        server,
        address,
        admin_token,
    })
}

/// The account that is there from the start: its tokens are those of the configuration, or those
/// that it had before, or drawn.
fn default_account(server: &Server) -> Result<(), StartError> {
    let tokens = &server.config.tokens;
    let now = server.now();
    let mut state = server.state();
    let State {
        owners,
        horde,
        iotaap,
        ..
    } = &mut *state;
    let mut owner = owners.get(owners::DEFAULT).cloned().unwrap_or_default();
    owner.name = owners::DEFAULT.to_owned();
    owner.complete(now, horde, iotaap);
    if tokens.horde.is_some() || owner.horde_tokens.is_empty() {
        let drawn = || iotaap.ids().hex(32);
        let token = tokens.horde.clone().unwrap_or_else(drawn);
        owner.horde_tokens = vec![HordeToken::over_all(token)];
    }
    if tokens.iotaap.is_some() || owner.iotaap.token.is_none() {
        let drawn = || iotaap.ids().hex(32);
        owner.iotaap.token = Some(tokens.iotaap.clone().unwrap_or_else(drawn));
    }
    let document = json!(owner);
    owners.put(owner).map_err(StartError::Account)?;
    server.store.put(Kind::Owner, owners::DEFAULT, document);
    Ok(())
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where devices find it.
    #[must_use]
    pub fn coap(&self) -> Option<SocketAddr> {
        self.server.socket.as_ref().map(|it| it.local_addr())
    }

    /// What a scenario has to know: `ADMINURL`, `ADMINTOKEN`, `HORDEURL`,
    /// `HORDETOKEN`, `IOTAAPURL`, `IOTAAPTOKEN`, `COAPURL` if devices may come, and for each profile of the
    /// hello.nrfcloud API its `APIURL` and `WSURL`. No URL ends in a slash.
    #[must_use]
    pub fn context(&self) -> Map<String, Value> {
        let reachable = reachable_from_here(self.address);
        let profiles: Map<String, Value> = Generation::ALL
            .into_iter()
            .map(|generation| {
                let base = format!("{reachable}{}", generation.base());
                let urls =
                    json!({"APIURL": format!("http://{base}"), "WSURL": format!("ws://{base}/ws")});
                (generation.profile().to_owned(), urls)
            })
            .collect();
        let mut context = Map::new();
        context.insert(
            "ADMINURL".into(),
            format!("http://{reachable}/admin").into(),
        );
        context.insert("ADMINTOKEN".into(), self.admin_token.as_str().into());
        let urls = [
            ("HORDEURL", format!("http://{reachable}{}", horde::BASE)),
            ("IOTAAPURL", format!("http://{reachable}{}", iotaap::BASE)),
        ];
        for (name, url) in urls {
            context.insert(name.into(), url.into());
        }
        let state = self.server.state();
        if let Some(owner) = state.owners.get(owners::DEFAULT) {
            let token = owner.horde_tokens.first().map(|it| it.token.as_str());
            context.insert("HORDETOKEN".into(), token.into());
            context.insert("IOTAAPTOKEN".into(), owner.iotaap.token.as_deref().into());
        }
        drop(state);
        if let Some(coap) = self.coap() {
            let coap = reachable_from_here(coap);
            context.insert("COAPURL".into(), format!("coap://{coap}").into());
        }
        context.insert("PROFILES".into(), profiles.into());
        context
    }

    /// Ends all its tasks and connections.
    pub async fn stop(self) {
        if let Some(mut tasks) = self.server.close() {
            tasks.shutdown().await;
        }
    }
}

/// The address with a host in it.
fn reachable_from_here(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip([127, 0, 0, 1].into());
    }
    address
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.server.close());
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Running")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
