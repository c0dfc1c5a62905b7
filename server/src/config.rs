//! What a server is started with.

#[cfg(feature = "sqlite")]
use std::path::PathBuf;
use std::{net::SocketAddr, time::Duration};

use crate::store::Memory;
use fotalab_wire::net::BrokerUrl;
pub use fotalab_wire::simple::Fields;

/// The configuration of one server.
#[derive(Clone)]
pub struct Config {
    /// Where to listen; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Where devices find the LwM2M endpoint, over UDP; port 0 picks a free one. `None`: nowhere.
    pub coap: Option<SocketAddr>,
    /// The same over DTLS with pre-shared keys.
    pub coaps: Option<SocketAddr>,
    /// Only devices that the admin face was told of may register.
    pub closed: bool,
    /// The bearer token of the admin face.
    pub admin_token: String,
    /// The tokens of the default account.
    pub tokens: Tokens,
    /// The MQTT broker of IoTaaP's devices; it needs the cargo feature `mqtt`.
    pub mqtt: Option<BrokerUrl>,
    /// Readings of Horde's protocol.
    pub horde: HordeSettings,
    /// How often upstream is asked, and how long things stay valid.
    pub timing: Timing,
    /// All ids are drawn from this seed and the clock.
    pub seed: u64,
    /// What outlives the server.
    pub storage: Storage,
    /// What `/health` and `x-backend-version` say.
    pub version: String,
}

/// The tokens of the account that a server has from the start; what is absent is drawn.
#[derive(Clone, Default)]
pub struct Tokens {
    /// For Coiote's API.
    pub coiote: Option<String>,
    /// For Horde's API, over everything.
    pub horde: Option<String>,
    /// For IoTaaP's API, as a bearer.
    pub iotaap: Option<String>,
}

/// Where Horde's own server and its documentation differ (contract A7, D14, D15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HordeSettings {
    /// A report of a device that is not managed, or whose update failed, is answered by 5.00 as
    /// Horde's own server does; else by 2.01 without an image.
    pub strict: bool,
    /// What the fields 2 and 4 of a report mean.
    pub fields: Fields,
    /// The path of the image has a slash in front, as device samples need it.
    pub slash: bool,
}

/// Where a server keeps what it knows.
#[derive(Clone, Debug, Default)]
pub enum Storage {
    /// Nowhere: it is gone when the server ends.
    #[default]
    Nowhere,
    /// In this process: the next server that is given the same one goes on where this one ended.
    Memory(Memory),
    /// In a folder, made where there is none; it is this server's alone as long as it runs.
    #[cfg(feature = "sqlite")]
    Folder(PathBuf),
}

/// Intervals and lifetimes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Between two looks at an upstream job (contract 2.4).
    pub follow: Duration,
    /// Between two looks at the shadows of devices with a websocket (contract 3.6).
    pub shadows: Duration,
    /// How long a list of bundles is remembered (contract 1.5).
    pub bundles: Duration,
    /// How long a websocket gets live messages after its last sign of life (contract 3.3).
    pub registration: Duration,
    /// A websocket without any frame for this long is closed; `None` keeps it open.
    pub websocket_idle: Option<Duration>,
    /// Time for a websocket client to take one message.
    pub websocket_send: Duration,
}

impl Config {
    /// For a run of scenarios: free ports on loopback, for CoAP and CoAPS too, and upstream asked
    /// every second.
    #[must_use]
    pub fn for_scenarios(admin_token: String, seed: u64) -> Self {
        let second = Duration::from_secs(1);
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut config = Self::for_service(free, admin_token, seed);
        config.coap = Some(free);
        config.coaps = Some(free);
        config.timing.follow = second;
        config.timing.shadows = second;
        config.timing.bundles = 5 * second;
        config.timing.websocket_idle = None;
        config
    }

    /// For a long-running service: the contract's intervals.
    #[must_use]
    pub fn for_service(listen: SocketAddr, admin_token: String, seed: u64) -> Self {
        Self {
            listen,
            coap: None,
            coaps: None,
            closed: false,
            admin_token,
            tokens: Tokens::default(),
            mqtt: None,
            horde: HordeSettings::default(),
            timing: Timing {
                follow: Duration::from_secs(60),
                shadows: Duration::from_secs(5),
                bundles: Duration::from_secs(60),
                registration: Duration::from_secs(300),
                websocket_idle: Some(Duration::from_secs(600)),
                websocket_send: Duration::from_secs(10),
            },
            seed,
            storage: Storage::default(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

impl Default for HordeSettings {
    fn default() -> Self {
        Self {
            strict: false,
            fields: Fields::Span,
            slash: true,
        }
    }
}

/// Without the tokens.
impl std::fmt::Debug for Tokens {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Tokens").finish_non_exhaustive()
    }
}

/// Without the token.
impl std::fmt::Debug for Config {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Config")
            .field("listen", &self.listen)
            .field("coap", &self.coap)
            .field("coaps", &self.coaps)
            .field("closed", &self.closed)
            .field("timing", &self.timing)
            .field("seed", &self.seed)
            .field("storage", &self.storage)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}
