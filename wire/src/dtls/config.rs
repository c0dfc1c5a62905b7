//! What a PSK session is made with, and how dimpl is told.

use std::{
    fmt,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use dimpl::{
    Config, Dtls, PskResolver,
    crypto::{Dtls12CipherSuite, SupportedDtls12CipherSuite, SupportedDtls13CipherSuite},
};

use super::{
    Failure, KeyLog, key_log,
    limits::{
        FLIGHT_RETRIES, FLIGHT_TIMEOUT, HANDSHAKE_TIMEOUT, MAX_IDENTITY_BYTES, MAX_KEY_BYTES,
        MTU_BYTES, RECEIVE_QUEUE, TRANSMIT_QUEUE,
    },
    record::Record,
};

/// The key for an identity, if there is one. Asked once in a handshake.
pub type PskLookup = Arc<dyn Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync>;

/// Where randomness comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Randomness {
    /// The operating system: the only choice for real peers.
    #[default]
    System,
    /// A seed: the same bytes on the wire for the same seed, and no secrecy at all. For virtual
    /// runs. Give each session or [`Server`](super::Server) a seed of its own.
    Seeded(u64),
}

/// What both ends of a PSK session may choose.
#[derive(Clone)]
pub struct PskOptions {
    /// Largest datagram of the handshake in bytes, at least 64.
    pub mtu: usize,
    /// From the first ClientHello to the end of the handshake.
    pub handshake_timeout: Duration,
    /// First retransmission of a flight; doubles each time.
    pub flight_timeout: Duration,
    /// Retransmissions of one flight.
    pub flight_retries: usize,
    /// Where randomness comes from.
    pub randomness: Randomness,
    /// Who is told the secrets of each session.
    pub key_log: Option<KeyLog>,
}

impl Default for PskOptions {
    fn default() -> Self {
        Self {
            mtu: MTU_BYTES,
            handshake_timeout: HANDSHAKE_TIMEOUT,
            flight_timeout: FLIGHT_TIMEOUT,
            flight_retries: FLIGHT_RETRIES,
            randomness: Randomness::System,
            key_log: None,
        }
    }
}

impl fmt::Debug for PskOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PskOptions")
            .field("mtu", &self.mtu)
            .field("randomness", &self.randomness)
            .field("key_log", &self.key_log.is_some())
            .finish_non_exhaustive()
    }
}

/// The seed of the nth session of a seed (splitmix64's mixing).
pub(super) fn mixed(seed: u64, nth: u64) -> u64 {
    let mut x = seed.wrapping_add(nth.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Answers dimpl and notes what it asked, since it does not tell the identity otherwise.
pub(super) struct Resolver {
    lookup: AssertUnwindSafe<PskLookup>,
    asked: Mutex<Option<(Bytes, bool)>>,
}

impl Resolver {
    pub(super) fn new(lookup: PskLookup) -> Self {
        Self {
            lookup: AssertUnwindSafe(lookup),
            asked: Mutex::new(None),
        }
    }

    pub(super) fn take_asked(&self) -> Option<(Bytes, bool)> {
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

impl PskResolver for Resolver {
    fn resolve(&self, identity: &[u8]) -> Option<Vec<u8>> {
        let key = (identity.len() <= MAX_IDENTITY_BYTES)
            .then(|| (self.lookup)(identity))
            .flatten()
            .filter(|key| key.len() <= MAX_KEY_BYTES);
        let shown = identity.get(..MAX_IDENTITY_BYTES).unwrap_or(identity);
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((Bytes::copy_from_slice(shown), key.is_some()));
        key
    }
}

/// A configuration; those without a seed may be shared by many sessions.
pub(super) fn config(
    options: &PskOptions,
    randomness: Randomness,
    psk: impl FnOnce(dimpl::ConfigBuilder) -> dimpl::ConfigBuilder,
) -> Result<Config, Failure> {
    let mut provider = dimpl::crypto::rust_crypto::default_provider();
    // dimpl tries out all that a provider offers whenever it builds a configuration: offer what
    // is used (of DTLS 1.3 it insists on one suite, which the next lines switch off).
    provider.cipher_suites = ccm_8(provider.cipher_suites);
    provider.dtls13_cipher_suites = first(provider.dtls13_cipher_suites);
    provider.kx_groups = &[];
    if options.key_log.is_some() {
        provider.hmac_provider = key_log::watched_hmac();
    }
    let mut builder = Config::builder()
        .with_crypto_provider(provider)
        .dtls13_cipher_suites(&[])
        .mtu(options.mtu)
        .max_queue_rx(RECEIVE_QUEUE)
        .max_queue_tx(TRANSMIT_QUEUE)
        .flight_start_rto(options.flight_timeout)
        .flight_retries(options.flight_retries)
        .handshake_timeout(options.handshake_timeout);
    if let Randomness::Seeded(seed) = randomness {
        builder = builder.dangerously_set_rng_seed(seed);
    }
    psk(builder).build().map_err(|_| Failure::Handshake)
}

fn ccm_8(
    all: &'static [&'static dyn SupportedDtls12CipherSuite],
) -> &'static [&'static dyn SupportedDtls12CipherSuite] {
    all.iter()
        .position(|it| it.suite() == Dtls12CipherSuite::PSK_AES128_CCM_8)
        .and_then(|at| all.get(at..=at))
        .unwrap_or(all)
}

fn first(
    all: &'static [&'static dyn SupportedDtls13CipherSuite],
) -> &'static [&'static dyn SupportedDtls13CipherSuite] {
    all.get(..1).unwrap_or(all)
}

/// What dimpl makes of an instant: the first four bytes of the random in a ClientHello.
pub(super) fn unix_seconds(at: Instant) -> Option<u32> {
    let resolver: Arc<dyn PskResolver> = Arc::new(Resolver::new(Arc::new(|_: &[u8]| None)));
    let config = config(&PskOptions::default(), Randomness::Seeded(0), |config| {
        config.with_psk_client(Vec::new(), resolver)
    });
    let mut dtls = Dtls::new_12_psk(Arc::new(config.ok()?), at);
    dtls.set_active(true);
    dtls.handle_timeout(at).ok()?;
    let mut buffer = [0; MTU_BYTES];
    let dimpl::Output::Packet(hello) = dtls.poll_output(&mut buffer) else {
        return None;
    };
    let random = Record::first(hello)?.client_hello()?.random;
    random.first_chunk().map(|it| u32::from_be_bytes(*it))
}
