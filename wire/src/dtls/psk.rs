//! `PskSession`: a [`SecureSession`] over dimpl.

use std::{
    fmt,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use dimpl::{
    Config, Dtls, PskResolver, SecurityError,
    crypto::{Dtls12CipherSuite, SupportedDtls12CipherSuite, SupportedDtls13CipherSuite},
};

use super::{
    Failure, KeyLog, Output, SecureSession, key_log,
    limits::{
        FLIGHT_RETRIES, FLIGHT_TIMEOUT, HANDSHAKE_TIMEOUT, MAX_IDENTITY_BYTES, MAX_KEY_BYTES,
        MAX_PLAINTEXT_BYTES, MTU_BYTES, RECEIVE_QUEUE, TRANSMIT_QUEUE,
    },
    time,
};

/// The key for an identity, if there is one. Asked once in a handshake.
pub type PskLookup = Arc<dyn Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync>;

/// Room for a datagram on the stack; larger ones take the heap.
const STACK_BYTES: usize = 2_048;
/// dimpl's way of saying that no timer runs is one in ten years.
const NO_TIMER: Duration = Duration::from_secs(5 * 365 * 24 * 3_600);

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

/// DTLS 1.2 with `TLS_PSK_WITH_AES_128_CCM_8`, one end of one association.
pub struct PskSession {
    dtls: Dtls,
    resolver: Arc<Resolver>,
    key_log: Option<KeyLog>,
    /// The `Instant` that stands for the beginning of the world.
    origin: Instant,
    identity: Bytes,
    /// Whether there is a key for it.
    known: bool,
    established: bool,
    /// Set by every input: dimpl has not been asked since.
    unread: bool,
    timeout: Option<Duration>,
}

impl PskSession {
    /// The client's end. Its first flight comes out of `poll_output` at once.
    ///
    /// # Errors
    /// The identity or the key is longer than the limits, or the options make no sense to dimpl.
    pub fn client(
        options: &PskOptions,
        identity: &[u8],
        key: &[u8],
        now: Duration,
    ) -> Result<Self, Failure> {
        if identity.len() > MAX_IDENTITY_BYTES || key.len() > MAX_KEY_BYTES {
            return Err(Failure::TooLarge);
        }
        let key = key.to_vec();
        let resolver = Arc::new(Resolver::new(Arc::new(move |_: &[u8]| Some(key.clone()))));
        let psk = Arc::clone(&resolver) as Arc<dyn PskResolver>;
        let config = config(options, options.randomness, |config| {
            config.with_psk_client(identity.to_vec(), psk)
        })?;
        let mut session = Self::new(Arc::new(config), resolver, options, now);
        session.identity = Bytes::copy_from_slice(identity);
        session.dtls.set_active(true);
        session.handle_timeout(now)?;
        Ok(session)
    }

    fn new(
        config: Arc<Config>,
        resolver: Arc<Resolver>,
        options: &PskOptions,
        now: Duration,
    ) -> Self {
        let origin = match options.randomness {
            Randomness::System => time::origin(),
            Randomness::Seeded(_) => time::seeded_origin(unix_seconds),
        };
        Self {
            dtls: Dtls::new_12_psk(config, origin + now),
            resolver,
            key_log: options.key_log.clone(),
            origin,
            identity: Bytes::new(),
            known: true,
            established: false,
            unread: true,
            timeout: None,
        }
    }

    /// Runs one input through dimpl, with what it may have asked the resolver meanwhile.
    fn step(
        &mut self,
        input: impl FnOnce(&mut Dtls) -> Result<(), dimpl::Error>,
    ) -> Result<(), Failure> {
        self.unread = true;
        let done = input(&mut self.dtls);
        if let Some((identity, known)) = self.resolver.take_asked() {
            self.known = known;
            // The client's own resolver is asked too; it knows who it is.
            if !self.dtls.is_active() {
                self.identity = identity;
            }
        }
        if let Some(to) = &self.key_log {
            key_log::report(to);
        }
        done.map_err(|error| self.failure(&error))
    }

    fn failure(&self, error: &dimpl::Error) -> Failure {
        use dimpl::Error;
        match error {
            Error::SecurityError(SecurityError::FatalAlert { description }) => {
                Failure::Alert(*description)
            }
            Error::Timeout(_) => Failure::Timeout,
            Error::ReceiveQueueFull | Error::TransmitQueueFull | Error::TransmitHistoryFull => {
                Failure::QueueFull
            }
            Error::CryptoError(_)
            | Error::SecurityError(
                SecurityError::ClientFinishedVerificationFailed
                | SecurityError::ServerFinishedVerificationFailed,
            ) if !self.established => {
                if self.known {
                    Failure::WrongKey
                } else {
                    Failure::UnknownIdentity
                }
            }
            Error::ConnectionClosed => Failure::NotEstablished,
            _ => Failure::Handshake,
        }
    }
}

impl SecureSession for PskSession {
    fn handle_datagram(&mut self, now: Duration, datagram: &[u8]) -> Result<(), Failure> {
        let at = self.origin + now;
        self.step(|dtls| {
            dtls.handle_timeout(at)?;
            dtls.handle_packet(datagram)
        })
    }

    fn handle_timeout(&mut self, now: Duration) -> Result<(), Failure> {
        let at = self.origin + now;
        self.step(|dtls| dtls.handle_timeout(at))
    }

    fn send(&mut self, now: Duration, plaintext: &[u8]) -> Result<(), Failure> {
        if !self.established {
            return Err(Failure::NotEstablished);
        }
        if plaintext.len() > MAX_PLAINTEXT_BYTES {
            return Err(Failure::TooLarge);
        }
        let at = self.origin + now;
        self.step(|dtls| {
            dtls.handle_timeout(at)?;
            dtls.send_application_data(plaintext).map(|_| ())
        })
    }

    fn close(&mut self, now: Duration) {
        let at = self.origin + now;
        // What cannot be closed in order is dropped all the same.
        let _ = self.step(|dtls| {
            dtls.handle_timeout(at)?;
            dtls.close()
        });
        self.established = false;
    }

    fn poll_output(&mut self) -> Option<Output> {
        if !self.unread {
            return None;
        }
        let mut stack = [0; STACK_BYTES];
        loop {
            let needed = match self.dtls.poll_output(&mut stack) {
                dimpl::Output::BufferTooSmall { needed } => needed,
                output => match said(output) {
                    Said::Output(output) => return Some(output),
                    Said::Connected => {
                        self.established = true;
                        return Some(Output::Established {
                            identity: self.identity.clone(),
                        });
                    }
                    Said::Timeout(at) => {
                        let timeout = at.saturating_duration_since(self.origin);
                        self.timeout = (timeout < NO_TIMER).then_some(timeout);
                        self.unread = false;
                        return None;
                    }
                    Said::Nothing => continue,
                },
            };
            let mut heap = vec![0; needed];
            if let Said::Output(output) = said(self.dtls.poll_output(&mut heap)) {
                return Some(output);
            }
        }
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.timeout
    }
}

impl fmt::Debug for PskSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PskSession")
            .field("dtls", &self.dtls)
            .field("established", &self.established)
            .finish_non_exhaustive()
    }
}

enum Said {
    Output(Output),
    Connected,
    Timeout(Instant),
    Nothing,
}

fn said(output: dimpl::Output<'_>) -> Said {
    match output {
        dimpl::Output::Packet(bytes) => {
            Said::Output(Output::Transmit(Bytes::copy_from_slice(bytes)))
        }
        dimpl::Output::ApplicationData(bytes) => {
            Said::Output(Output::Data(Bytes::copy_from_slice(bytes)))
        }
        dimpl::Output::CloseNotify => Said::Output(Output::Closed),
        dimpl::Output::Connected => Said::Connected,
        dimpl::Output::Timeout(at) => Said::Timeout(at),
        _ => Said::Nothing,
    }
}

/// Makes the server's ends: one configuration for all of them.
pub(super) struct PskAcceptor {
    options: PskOptions,
    resolver: Arc<Resolver>,
    shared: Option<Arc<Config>>,
    made: u64,
}

impl PskAcceptor {
    pub(super) fn new(options: PskOptions, lookup: PskLookup) -> Self {
        Self {
            options,
            resolver: Arc::new(Resolver::new(lookup)),
            shared: None,
            made: 0,
        }
    }

    pub(super) fn accept(&mut self, now: Duration) -> Result<PskSession, Failure> {
        let config = match (&self.shared, self.options.randomness) {
            (Some(config), Randomness::System) => Arc::clone(config),
            (_, randomness) => {
                self.made += 1;
                let psk = Arc::clone(&self.resolver) as Arc<dyn PskResolver>;
                // A seed belongs to the configuration, so seeded sessions have one each.
                let randomness = match randomness {
                    Randomness::System => Randomness::System,
                    Randomness::Seeded(seed) => Randomness::Seeded(mixed(seed, self.made)),
                };
                let config = Arc::new(config(&self.options, randomness, |config| {
                    config.with_psk_server(None, psk)
                })?);
                self.shared = Some(Arc::clone(&config));
                config
            }
        };
        let resolver = Arc::clone(&self.resolver);
        Ok(PskSession::new(config, resolver, &self.options, now))
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
struct Resolver {
    lookup: AssertUnwindSafe<PskLookup>,
    asked: Mutex<Option<(Bytes, bool)>>,
}

impl Resolver {
    fn new(lookup: PskLookup) -> Self {
        Self {
            lookup: AssertUnwindSafe(lookup),
            asked: Mutex::new(None),
        }
    }

    fn take_asked(&self) -> Option<(Bytes, bool)> {
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

fn config(
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
fn unix_seconds(at: Instant) -> Option<u32> {
    let resolver: Arc<dyn PskResolver> = Arc::new(Resolver::new(Arc::new(|_: &[u8]| None)));
    let config = config(&PskOptions::default(), Randomness::Seeded(0), |config| {
        config.with_psk_client(Vec::new(), resolver)
    });
    let mut dtls = Dtls::new_12_psk(Arc::new(config.ok()?), at);
    dtls.set_active(true);
    dtls.handle_timeout(at).ok()?;
    let mut buffer = [0; STACK_BYTES];
    let dimpl::Output::Packet(hello) = dtls.poll_output(&mut buffer) else {
        return None;
    };
    let random = super::record::Record::first(hello)?.client_hello()?.random;
    random.first_chunk().map(|it| u32::from_be_bytes(*it))
}
