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
    config::{Config, Tokens},
    core::owners::{DEFAULT, Face, Owner, Secret},
    driver, limits,
    server::{Server, Sockets, State},
    store::{self, DataError, Kind},
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
    Account(String),
    /// A broker was given to a build that speaks no MQTT.
    #[error("failed to start with a broker: this build has no MQTT (feature `mqtt`)")]
    NoMqtt,
    /// An empty token would open the admin face to everybody.
    #[error("failed to start without an admin token")]
    NoAdminToken,
    /// What was stored cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
}

/// A server that runs until it is stopped or dropped.
pub struct Running {
    server: Arc<Server>,
    address: SocketAddr,
    admin_token: String,
    tokens: Tokens,
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
    let sockets = Sockets {
        plain: bind(&*network, config.coap)?,
        secured: bind(&*network, config.coaps)?,
    };
    let admin_token = config.admin_token.clone();
    let kept = store::open(&config.storage).await?;
    let server = Server::new(config, network, sockets.clone(), clock, kept)?;
    let server = Arc::new(server);
    server.store.flush().await;
    let _first = server.http.set(address);
    let tokens = default_account(&server)?;
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
    let any = sockets.plain.is_some() || sockets.secured.is_some();
    for (socket, secured) in [(sockets.plain, false), (sockets.secured, true)] {
        if let Some(socket) = socket {
            server.spawn(air::receive(Arc::clone(&server), socket, secured));
        }
    }
    if any {
        server.spawn(air::keep_time(Arc::clone(&server)));
    }
    start_mqtt(&server)?;
    server.spawn(driver::keep_updates_going(Arc::clone(&server)));
    server.spawn(driver::keep_shadows_fresh(Arc::clone(&server)));
    Ok(Running {
        server,
        address,
        admin_token,
        tokens,
    })
}

/// Connects to the broker of the configuration.
#[cfg(feature = "mqtt")]
fn start_mqtt(server: &Arc<Server>) -> Result<(), StartError> {
    if let Some(url) = server.config.mqtt.clone() {
        crate::mqtt::connect(server, url);
    }
    Ok(())
}

/// Says that nobody can.
#[cfg(not(feature = "mqtt"))]
fn start_mqtt(server: &Arc<Server>) -> Result<(), StartError> {
    match server.config.mqtt {
        Some(_) => Err(StartError::NoMqtt),
        None => Ok(()),
    }
}

/// Gives the account that is there from the start the tokens of the configuration, or drawn ones.
/// Says them, since afterwards only their hashes are known.
fn default_account(server: &Server) -> Result<Tokens, StartError> {
    let mut tokens = server.config.tokens.clone();
    let now = server.now();
    let mut state = server.state();
    let State {
        owners,
        horde,
        iotaap,
        ..
    } = &mut *state;
    let mut owner = owners.get(DEFAULT).cloned().unwrap_or_default();
    owner.complete(now, horde, iotaap);
    for (face, token) in [
        (Face::Coiote, &mut tokens.coiote),
        (Face::Horde, &mut tokens.horde),
        (Face::Iotaap, &mut tokens.iotaap),
    ] {
        let secret = &server.config.admin_token;
        let token = token.get_or_insert_with(|| Owner::draw_token(face, secret));
        owner.tokens.insert(face, Secret::of(token));
    }
    let document = json!(owner);
    let taken = owners.put(DEFAULT, owner);
    taken.map_err(|why| StartError::Account(why.to_string()))?;
    server.store.put(Kind::Owner, DEFAULT, document);
    Ok(tokens)
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where devices find it over UDP.
    #[must_use]
    pub fn coap(&self) -> Option<SocketAddr> {
        let socket = self.server.sockets.plain.as_ref();
        socket.map(|it| it.local_addr())
    }

    /// Where devices find it over DTLS.
    #[must_use]
    pub fn coaps(&self) -> Option<SocketAddr> {
        let socket = self.server.sockets.secured.as_ref();
        socket.map(|it| it.local_addr())
    }

    /// What a scenario has to know: `ADMINURL`, `ADMINTOKEN`, `COIOTEURL`, `COIOTETOKEN`, `HORDEURL`,
    /// `HORDETOKEN`, `IOTAAPURL`, `IOTAAPTOKEN`, `COAPURL` and `COAPSURL` if devices may come, and for
    /// each profile of the hello.nrfcloud API its `APIURL` and `WSURL`. No URL ends in a slash.
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
            (
                "COIOTEURL",
                format!("http://{reachable}{}", api::coiote::BASE),
            ),
            ("HORDEURL", format!("http://{reachable}{}", horde::BASE)),
            ("IOTAAPURL", format!("http://{reachable}{}", iotaap::BASE)),
        ];
        for (name, url) in urls {
            context.insert(name.into(), url.into());
        }
        let tokens = [
            ("COIOTETOKEN", &self.tokens.coiote),
            ("HORDETOKEN", &self.tokens.horde),
            ("IOTAAPTOKEN", &self.tokens.iotaap),
        ];
        for (name, token) in tokens {
            context.insert(name.into(), token.as_deref().into());
        }
        if let Some(coap) = self.coap() {
            let coap = reachable_from_here(coap);
            context.insert("COAPURL".into(), format!("coap://{coap}").into());
        }
        if let Some(coaps) = self.coaps() {
            let coaps = reachable_from_here(coaps);
            context.insert("COAPSURL".into(), format!("coaps://{coaps}").into());
        }
        context.insert("PROFILES".into(), profiles.into());
        context
    }

    /// Ends all its tasks and connections, and returns when all that it knew is safe.
    pub async fn stop(self) {
        if let Some(mut tasks) = self.server.close() {
            tasks.shutdown().await;
        }
        // A disk that is full must not hold up the end for ever.
        let flushed = self.server.store.flush();
        let _too_late = tokio::time::timeout(limits::STORE_STOP, flushed).await;
    }
}

fn bind(
    network: &dyn Network,
    address: Option<SocketAddr>,
) -> Result<Option<Arc<dyn Datagrams>>, StartError> {
    let Some(address) = address else {
        return Ok(None);
    };
    let fail = |source| StartError::Listen { address, source };
    Ok(Some(Arc::from(network.bind(address).map_err(fail)?)))
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
