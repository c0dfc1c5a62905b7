//! `PskSession`: a [`SecureSession`] over dimpl.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use dimpl::{Config, Dtls, PskResolver, SecurityError};

use super::{
    Failure, KeyLog, Output, PskLookup, PskOptions, Randomness, SecureSession,
    config::{Resolver, config, mixed, unix_seconds},
    key_log,
    limits::{MAX_IDENTITY_BYTES, MAX_KEY_BYTES, MAX_PLAINTEXT_BYTES},
    time,
};

/// Room for a datagram on the stack; larger ones take the heap.
const STACK_BYTES: usize = 2_048;
/// dimpl's way of saying that no timer runs is one in ten years.
const NO_TIMER: Duration = Duration::from_secs(5 * 365 * 24 * 3_600);

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
