//! `Client`: one device and its server.

use std::{
    collections::VecDeque,
    fmt,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    net::SocketAddr,
    time::Duration,
};

use bytes::Bytes;

use super::{
    ClientEvent, End, Failure, Output, PskOptions, PskSession, Randomness, SecureSession,
    config::mixed,
    record::{self, Record},
};

/// One end of one association, with the server at one address. No socket, no clock.
pub struct Client {
    options: PskOptions,
    server: SocketAddr,
    identity: Bytes,
    key: Bytes,
    session: Option<Box<PskSession>>,
    established: bool,
    attempts: u64,
    transmits: VecDeque<Bytes>,
    events: VecDeque<ClientEvent>,
}

impl Client {
    /// A client that has done nothing yet: see [`connect`](Self::connect).
    #[must_use]
    pub fn new(options: PskOptions, server: SocketAddr, identity: &[u8], key: &[u8]) -> Self {
        Self {
            options,
            server,
            identity: Bytes::copy_from_slice(identity),
            key: Bytes::copy_from_slice(key),
            session: None,
            established: false,
            attempts: 0,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// A client of another server, with the same identity and key.
    #[must_use]
    pub fn with_server(&self, server: SocketAddr) -> Self {
        let mut options = self.options.clone();
        if let Randomness::Seeded(seed) = options.randomness {
            let mut hasher = DefaultHasher::new();
            server.hash(&mut hasher);
            options.randomness = Randomness::Seeded(mixed(seed, hasher.finish()));
        }
        Self {
            identity: self.identity.clone(),
            key: self.key.clone(),
            ..Self::new(options, server, &[], &[])
        }
    }

    /// Begins a handshake. A session from before is forgotten without a word, as by a device that
    /// rebooted.
    ///
    /// # Errors
    /// Identity or key are longer than the limits.
    pub fn connect(&mut self, now: Duration) -> Result<(), Failure> {
        self.attempts += 1;
        let mut options = self.options.clone();
        if let Randomness::Seeded(seed) = options.randomness {
            options.randomness = Randomness::Seeded(mixed(seed, self.attempts));
        }
        let session = PskSession::client(&options, &self.identity, &self.key, now)?;
        self.session = Some(Box::new(session));
        self.established = false;
        self.settle(Ok(()), false);
        Ok(())
    }

    /// Takes a datagram; those that are not from the server are ignored.
    pub fn handle_datagram(&mut self, now: Duration, from: SocketAddr, datagram: &[u8]) {
        if from != self.server || Record::first(datagram).is_none() {
            return;
        }
        if let Some(session) = &mut self.session {
            let result = session.handle_datagram(now, datagram);
            self.settle(result, true);
        }
    }

    /// Does what is due by `now`.
    pub fn handle_timeout(&mut self, now: Duration) {
        let due = self.poll_timeout().is_some_and(|at| at <= now);
        if let (true, Some(session)) = (due, &mut self.session) {
            let result = session.handle_timeout(now);
            self.settle(result, false);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.session.as_ref()?.poll_timeout()
    }

    /// The next datagram to send to the server.
    pub fn poll_transmit(&mut self) -> Option<(SocketAddr, Bytes)> {
        let bytes = pop(&mut self.transmits)?;
        Some((self.server, bytes))
    }

    /// What happened next.
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        pop(&mut self.events)
    }

    /// Seals `plaintext` for the server, as one datagram.
    ///
    /// # Errors
    /// There is no session yet or any more, or the plaintext is larger than a record.
    pub fn send(&mut self, now: Duration, plaintext: &[u8]) -> Result<(), Failure> {
        let session = self.session.as_mut().ok_or(Failure::NotEstablished)?;
        match session.send(now, plaintext) {
            Err(why @ (Failure::NotEstablished | Failure::TooLarge)) => Err(why),
            result => {
                self.settle(result, false);
                result
            }
        }
    }

    /// Ends the session with a `close_notify`.
    pub fn close(&mut self, now: Duration) {
        if let Some(session) = &mut self.session {
            session.close(now);
            let was_established = self.established;
            self.settle(Ok(()), false);
            self.drop_session();
            if was_established {
                self.events.push_back(ClientEvent::Closed(End::Local));
            }
        }
    }

    /// Forgets the session without a word.
    pub fn forget(&mut self) {
        self.drop_session();
    }

    /// Whether there is a session.
    #[must_use]
    pub fn is_established(&self) -> bool {
        self.established
    }

    /// The server's address.
    #[must_use]
    pub fn server(&self) -> SocketAddr {
        self.server
    }

    fn settle(&mut self, result: Result<(), Failure>, answering: bool) {
        while let Some(output) = self.session.as_mut().and_then(|it| it.poll_output()) {
            match output {
                Output::Transmit(bytes) => self.transmits.push_back(bytes),
                Output::Established { .. } => {
                    self.established = true;
                    self.events.push_back(ClientEvent::Established);
                }
                Output::Data(bytes) => self.events.push_back(ClientEvent::Data(bytes)),
                Output::Closed => {
                    self.drop_session();
                    self.events.push_back(ClientEvent::Closed(End::Peer));
                    return;
                }
            }
        }
        if let Err(reason) = result {
            if self.established {
                self.events
                    .push_back(ClientEvent::Closed(End::Failed(reason)));
            } else {
                if let (true, Some(alert)) = (answering, reason.alert()) {
                    self.transmits.push_back(record::fatal_alert(alert));
                }
                self.events.push_back(ClientEvent::Failed(reason));
            }
            self.drop_session();
        }
    }

    fn drop_session(&mut self) {
        self.session = None;
        self.established = false;
    }
}

/// Takes the first and, after the last one, the queue's memory: a fleet has a client each.
fn pop<T>(queue: &mut VecDeque<T>) -> Option<T> {
    let first = queue.pop_front();
    if queue.is_empty() {
        *queue = VecDeque::new();
    }
    first
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("server", &self.server)
            .field("established", &self.established)
            .finish_non_exhaustive()
    }
}
