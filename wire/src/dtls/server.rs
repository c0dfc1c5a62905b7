//! `Server`: many DTLS peers on one UDP socket.

use std::{collections::VecDeque, fmt, net::SocketAddr, time::Duration};

use bytes::Bytes;

use super::{
    End, Failure, Output, PskLookup, PskOptions, SecureSession, ServerEvent,
    limits::{HALF_OPEN_SESSIONS, SESSION_IDLE, SESSIONS, TIMEOUTS_PER_CALL},
    paced::Paced,
    psk::PskAcceptor,
    record::{self, Record},
    table::{Route, Table},
};

/// What a [`Server`] may choose.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Of each session.
    pub psk: PskOptions,
    /// Most handshakes in progress.
    pub half_open_sessions: usize,
    /// Most established sessions.
    pub sessions: usize,
    /// How long a session may be silent.
    pub session_idle: Duration,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            psk: PskOptions::default(),
            half_open_sessions: HALF_OPEN_SESSIONS,
            sessions: SESSIONS,
            session_idle: SESSION_IDLE,
        }
    }
}

/// What a [`Server`] has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerStatistics {
    /// Handshakes in progress now.
    pub half_open: usize,
    /// Sessions now.
    pub established: usize,
    /// Datagrams that were nobody's: no DTLS, or records of sessions that are not here.
    pub ignored: u64,
    /// Handshakes given up to make room for younger ones.
    pub evicted_half_open: u64,
}

type MakeSession = Box<dyn FnMut(Duration) -> Result<Box<dyn SecureSession>, Failure> + Send>;

/// Many peers on one socket, told apart by their addresses. No socket, no clock: give it
/// datagrams and the time, then poll until it has nothing more to say.
pub struct Server {
    options: ServerOptions,
    make_session: MakeSession,
    table: Table,
    transmits: VecDeque<(SocketAddr, Bytes)>,
    events: VecDeque<ServerEvent>,
    ignored: u64,
    evicted_half_open: u64,
}

impl Server {
    /// A server whose peers have the keys that `lookup` knows.
    #[must_use]
    pub fn new(options: ServerOptions, lookup: PskLookup) -> Self {
        let mut acceptor = PskAcceptor::new(options.psk.clone(), lookup);
        Self::with_sessions(options, move |now| Ok(Box::new(acceptor.accept(now)?)))
    }

    /// A server with sessions of another kind.
    #[must_use]
    pub fn with_sessions(
        options: ServerOptions,
        make_session: impl FnMut(Duration) -> Result<Box<dyn SecureSession>, Failure> + Send + 'static,
    ) -> Self {
        Self {
            options,
            make_session: Box::new(make_session),
            table: Table::default(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            ignored: 0,
            evicted_half_open: 0,
        }
    }

    /// Takes a datagram. What is not for one of the sessions and begins none is ignored.
    pub fn handle_datagram(&mut self, now: Duration, from: SocketAddr, datagram: &[u8]) {
        let Some(record) = Record::first(datagram) else {
            self.ignored += 1;
            return;
        };
        let route = match self.table.route(now, from, &record) {
            Route::Begin(random) => {
                let Ok(session) = (self.make_session)(now) else {
                    self.ignored += 1;
                    return;
                };
                self.make_room_for_handshake(from);
                let until = now.saturating_add(self.options.psk.handshake_timeout);
                self.table.begin(now, until, from, random, session);
                Route::HalfOpen
            }
            route => route,
        };
        let repeats =
            route == Route::HalfOpen && record.client_hello().is_some_and(|it| it.message_seq == 0);
        if repeats && let Some(verify) = self.table.unproven(from).and_then(|it| it.verify.clone())
        {
            // It was lost on its way: the same again, once for each time it is asked for.
            self.transmits.push_back((from, verify));
            return;
        }
        let Some(session) = self.session(from, route) else {
            self.ignored += 1;
            return;
        };
        let result = session.handle_datagram(now, datagram);
        self.settle(now, from, route, result, true);
    }

    /// Does what is due by `now`.
    pub fn handle_timeout(&mut self, now: Duration) {
        for _ in 0..TIMEOUTS_PER_CALL {
            let Some((at, peer)) = self.table.next_timer() else {
                break;
            };
            if at > now {
                break;
            }
            self.table.set_timer(peer, None);
            let given_up = self
                .table
                .get(peer)
                .and_then(|it| it.half_open.as_ref())
                .is_some_and(|it| it.until <= now);
            for route in [Route::HalfOpen, Route::Established] {
                let result = match self.session(peer, route) {
                    Some(_) if given_up && route == Route::HalfOpen => Err(Failure::Timeout),
                    Some(session) => session.handle_timeout(now),
                    None => continue,
                };
                self.settle(now, peer, route, result, false);
            }
        }
        for _ in 0..TIMEOUTS_PER_CALL {
            match self.table.longest_idle() {
                Some((since, peer)) if since.saturating_add(self.options.session_idle) <= now => {
                    self.end_session(now, peer, End::Idle);
                }
                _ => break,
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let idle = self.table.idle_since_at_least();
        let idle = idle.map(|since| since.saturating_add(self.options.session_idle));
        let timer = self.table.next_timer().map(|(at, _)| at);
        [idle, timer].into_iter().flatten().min()
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<(SocketAddr, Bytes)> {
        self.transmits.pop_front()
    }

    /// What happened next.
    pub fn poll_event(&mut self) -> Option<ServerEvent> {
        self.events.pop_front()
    }

    /// Seals `plaintext` for `peer`, as one datagram.
    ///
    /// # Errors
    /// There is no session with `peer`, or the plaintext is larger than a record.
    pub fn send(
        &mut self,
        now: Duration,
        peer: SocketAddr,
        plaintext: &[u8],
    ) -> Result<(), Failure> {
        let session = self.session(peer, Route::Established);
        match session.ok_or(Failure::NotEstablished)?.send(now, plaintext) {
            Err(Failure::TooLarge) => Err(Failure::TooLarge),
            result => {
                self.settle(now, peer, Route::Established, result, false);
                result
            }
        }
    }

    /// Ends the session with `peer` with a `close_notify`, and its handshake if there is one.
    pub fn close(&mut self, now: Duration, peer: SocketAddr) {
        self.table.drop_half_open(peer);
        self.end_session(now, peer, End::Local);
    }

    /// Forgets `peer` without a word, as a server does that restarts.
    pub fn forget(&mut self, peer: SocketAddr) {
        self.table.drop_half_open(peer);
        self.table.drop_established(peer);
    }

    /// Whether there is a session with `peer`.
    #[must_use]
    pub fn is_established(&self, peer: SocketAddr) -> bool {
        self.table
            .get(peer)
            .is_some_and(|it| it.established.is_some())
    }

    /// What it has counted.
    #[must_use]
    pub fn statistics(&self) -> ServerStatistics {
        ServerStatistics {
            half_open: self.table.half_open(),
            established: self.table.established(),
            ignored: self.ignored,
            evicted_half_open: self.evicted_half_open,
        }
    }

    fn session(&mut self, peer: SocketAddr, route: Route) -> Option<&mut Paced> {
        let peer = self.table.get_mut(peer)?;
        match route {
            Route::HalfOpen => Some(&mut peer.half_open.as_mut()?.session),
            Route::Established => Some(&mut peer.established.as_mut()?.session),
            Route::Begin(_) | Route::Nobody => None,
        }
    }

    /// Reads out a session after an input, and draws the consequences.
    fn settle(
        &mut self,
        now: Duration,
        peer: SocketAddr,
        mut route: Route,
        result: Result<(), Failure>,
        answering: bool,
    ) {
        while let Some(output) = self.session(peer, route).and_then(|it| it.poll_output()) {
            match output {
                Output::Transmit(bytes) => {
                    let accepts = route == Route::HalfOpen
                        && Record::first(&bytes).is_some_and(|it| it.is_server_hello());
                    if accepts {
                        self.table.prove(now, peer);
                    } else if let Some(half_open) = self.table.unproven(peer) {
                        half_open.verify.get_or_insert_with(|| bytes.clone());
                    }
                    self.transmits.push_back((peer, bytes));
                }
                Output::Established { identity } => {
                    self.make_room_for_session(now, peer);
                    let replaced = self.table.establish(now, peer).is_some();
                    route = Route::Established;
                    self.events.push_back(ServerEvent::Established {
                        peer,
                        identity,
                        replaced,
                    });
                }
                Output::Data(bytes) => {
                    self.table.heard(now, peer);
                    self.events.push_back(ServerEvent::Data { peer, bytes });
                }
                Output::Closed => {
                    // The answering close_notify was transmitted before.
                    self.drop_session(peer, End::Peer);
                    return;
                }
            }
        }
        if let Err(reason) = result {
            match route {
                Route::HalfOpen => self.fail(peer, reason, answering),
                _ => self.drop_session(peer, End::Failed(reason)),
            }
        }
        self.set_timer(peer);
    }

    fn set_timer(&mut self, peer: SocketAddr) {
        let Some(entry) = self.table.get(peer) else {
            return;
        };
        let half_open = entry.half_open.as_ref();
        let at = [
            half_open.map(|it| it.until),
            half_open.and_then(|it| it.session.poll_timeout()),
            entry
                .established
                .as_ref()
                .and_then(|it| it.session.poll_timeout()),
        ];
        self.table.set_timer(peer, at.into_iter().flatten().min());
    }

    /// Ends a handshake. The peer gets an alert only where it gets no more than it sent.
    fn fail(&mut self, peer: SocketAddr, reason: Failure, answering: bool) {
        let Some(half_open) = self.table.drop_half_open(peer) else {
            return;
        };
        if let (true, Some(alert)) = (answering, reason.alert()) {
            self.transmits.push_back((peer, record::fatal_alert(alert)));
        }
        if half_open.proven {
            self.events.push_back(ServerEvent::Failed { peer, reason });
        }
    }

    fn end_session(&mut self, now: Duration, peer: SocketAddr, end: End) {
        if let Some(session) = self.session(peer, Route::Established) {
            session.close(now);
            while let Some(output) = self
                .session(peer, Route::Established)
                .and_then(|it| it.poll_output())
            {
                if let Output::Transmit(bytes) = output {
                    self.transmits.push_back((peer, bytes));
                }
            }
            self.drop_session(peer, end);
        }
    }

    fn drop_session(&mut self, peer: SocketAddr, end: End) {
        if self.table.drop_established(peer).is_some() {
            self.events.push_back(ServerEvent::Closed { peer, end });
            self.set_timer(peer);
        }
    }

    fn make_room_for_handshake(&mut self, newcomer: SocketAddr) {
        self.table.drop_half_open(newcomer);
        while self.table.half_open() >= self.options.half_open_sessions.max(1) {
            let Some(oldest) = self.table.oldest_half_open() else {
                return;
            };
            self.table.drop_half_open(oldest);
            self.set_timer(oldest);
            self.evicted_half_open += 1;
        }
    }

    fn make_room_for_session(&mut self, now: Duration, newcomer: SocketAddr) {
        while !self.is_established(newcomer)
            && self.table.established() >= self.options.sessions.max(1)
        {
            let Some((_, peer)) = self.table.longest_idle() else {
                return;
            };
            self.end_session(now, peer, End::Evicted);
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("options", &self.options)
            .field("statistics", &self.statistics())
            .finish_non_exhaustive()
    }
}
