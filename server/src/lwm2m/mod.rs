//! The endpoint that devices talk to: registration, queue mode, observations, downlink
//! (contract 2), and firmware at [`FIRMWARE`] for those that pull.
//!
//! No socket and no clock: datagrams and the time go in, `poll_transmit` and `poll_event` say what
//! comes out. A device has one request outstanding at a time (contract 2.7); what else it is asked
//! waits, and in queue mode as long as it sleeps (contract 2.2).
//!
//! Two sockets: one for UDP as it is, one for DTLS with pre-shared keys. A device that registered
//! over DTLS is spoken to over DTLS only, and what comes in its name without is refused.
//!
//! Spoken are LwM2M 1.0 and 1.1; a newer version is answered by 4.12, after which devices fall back
//! (X-REG-02). Not here: bootstrap, TCP, SMS.

mod answer;
mod document;
mod downlink;
mod inbound;
pub(crate) mod json;
mod operation;
mod peer;
mod registry;
mod sessions;
mod waiting;

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    ops::Range,
    time::Duration,
};

use bytes::Bytes;
use fotalab_wire::{
    coap::{Config, Endpoint, Event, ExchangeId, Message, RequestId},
    lwm2m::{Path, Value},
    net::UnixMillis,
};
use rand::{SeedableRng as _, rngs::StdRng};

pub(crate) use answer::Answer;
pub(crate) use document::RegistrationDocument;
use inbound::NEWEST;
use operation::Call;
pub(crate) use operation::{Operation, Outcome, Ticket, Watched};
pub(crate) use peer::Peer;
pub(crate) use registry::Registered;
use registry::Registrations;
use sessions::Sessions;
pub(crate) use waiting::Downlink;

use crate::{
    core::{keys::Keys, time::millis},
    limits,
    store::blob::Images,
};

/// Below this path images are read, over CoAP and HTTP: `/fw/{image id}`.
pub(crate) const FIRMWARE: &str = "fw";
/// Where a device reports by Horde's simple protocol.
pub(crate) const REPORT: &str = "u";

/// What the endpoint tells.
#[derive(Debug)]
pub(crate) enum Told {
    /// A device registered, or came to another address: all observations are void.
    Registered {
        /// Its endpoint name.
        endpoint: String,
    },
    /// It sent an Update.
    Updated {
        /// Its endpoint name.
        endpoint: String,
    },
    /// What is observed of it changed.
    Observed {
        /// Its endpoint name.
        endpoint: String,
    },
    /// Its registration ended.
    Left {
        /// Its endpoint name.
        endpoint: String,
        /// Because it said nothing in its lifetime.
        expired: bool,
    },
    /// One that was silent gave a sign of life.
    Heard {
        /// Its endpoint name.
        endpoint: String,
    },
    /// It told a value: a notification, or Send.
    Value {
        /// Its endpoint name.
        endpoint: String,
        /// Of what.
        path: Path,
        /// The value.
        value: Value,
        /// By Send, not by an observation.
        sent: bool,
    },
    /// A device wants a block of an image that is not in memory; [`Air::serve_block`] answers.
    Block {
        /// Its request.
        exchange: ExchangeId,
        /// The image's id.
        image: String,
        /// Which bytes.
        range: Range<u64>,
    },
    /// The body of a [`Operation::WriteLong`] is needed from here on; [`Air::supply`] brings it.
    Wanted {
        /// Whose operation it is.
        ticket: Ticket,
        /// The request under way.
        request: RequestId,
        /// Where the part begins.
        offset: u64,
    },
    /// It asks for something that only those above can answer: a report by the simple protocol, or
    /// the image that is meant for it. Answer with [`Air::answer`].
    Asked {
        /// Names it in the answer.
        exchange: ExchangeId,
        /// Whose it is, and which of our addresses it reached.
        between: (Peer, SocketAddr),
        /// What.
        message: Message,
    },
    /// Somebody who is really there did not come through the DTLS handshake.
    HandshakeFailed {
        /// Where it is.
        address: SocketAddr,
        /// Why, in words without secrets.
        why: String,
    },
    /// An operation is over.
    Done {
        /// Whose it was.
        ticket: Ticket,
        /// How it ended.
        outcome: Outcome,
    },
}

/// What is known outside, while a datagram is handled.
pub(crate) struct Around<'a> {
    /// The images that are served.
    pub(crate) images: &'a Images,
    /// Whether a device with this endpoint name may register, over DTLS (`true`) or without; the
    /// error says why not.
    pub(crate) admits: &'a dyn Fn(&str, bool) -> Result<(), &'static str>,
    /// Whether another registration could be stored in time.
    pub(crate) has_room: &'a dyn Fn() -> bool,
}

/// Where a datagram came from, where it went to, and whether that was the socket for DTLS.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    /// The sender.
    pub(crate) from: SocketAddr,
    /// Our address.
    pub(crate) to: SocketAddr,
    /// It came to the socket for DTLS.
    pub(crate) secured: bool,
}

/// A datagram to be sent.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// To whom, and from which socket.
    pub(crate) to: Peer,
    /// The UDP payload.
    pub(crate) bytes: Bytes,
}

/// The endpoint.
pub(crate) struct Air {
    coap: Endpoint<Peer>,
    sessions: Option<Sessions>,
    /// Where it listens.
    local: SocketAddr,
    registrations: Registrations,
    /// Requests under way, by whom they are for.
    running: BTreeMap<RequestId, Running>,
    observations: BTreeMap<RequestId, (String, Watched)>,
    told: VecDeque<Told>,
    locations: StdRng,
}

/// A request under way.
struct Running {
    endpoint: String,
    call: Call,
}

impl Air {
    /// An endpoint at `local` that knows nobody; message ids, tokens and locations come from `seed`.
    pub(crate) fn new(local: SocketAddr, seed: u64) -> Self {
        Self {
            coap: Endpoint::new(Config::default(), StdRng::seed_from_u64(seed)),
            sessions: None,
            local,
            registrations: Registrations::default(),
            running: BTreeMap::new(),
            observations: BTreeMap::new(),
            told: VecDeque::new(),
            locations: StdRng::seed_from_u64(seed ^ 0x10C),
        }
    }

    /// Takes DTLS too, from who has one of the `keys`. With a `seed` its handshakes are the same
    /// bytes each time: for virtual worlds only.
    pub(crate) fn secure(&mut self, now: UnixMillis, keys: Keys, seed: Option<u64>) {
        self.sessions = Some(Sessions::new(now, keys, seed));
    }

    /// Where it listens.
    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    /// The registration of a device.
    pub(crate) fn registered(&self, endpoint: &str) -> Option<&Registered> {
        self.registrations.get(endpoint)
    }

    /// Whose this is: by the registration that came from there, or by what a DTLS handshake proved.
    pub(crate) fn endpoint_at(&self, peer: Peer) -> Option<String> {
        let registered = self.registrations.at_peer(peer);
        let registered = registered.map(|it| it.said.endpoint.clone());
        registered.or_else(|| self.proven(peer).ok().flatten())
    }

    /// A datagram arrived.
    pub(crate) fn handle_datagram(
        &mut self,
        now: UnixMillis,
        way: Way,
        datagram: &[u8],
        around: &Around<'_>,
    ) {
        if way.secured {
            return self.handle_sealed(now, (way.from, way.to), datagram, around);
        }
        let peer = Peer {
            address: way.from,
            secured: false,
        };
        self.coap.handle_datagram(time(now), peer, datagram);
        self.handle_events(now, way.to, around);
    }

    /// Does what is due.
    pub(crate) fn handle_timeout(&mut self, now: UnixMillis, around: &Around<'_>) {
        self.handle_session_timeout(now, around);
        self.coap.handle_timeout(time(now));
        self.handle_events(now, self.local, around);
        while let Some(endpoint) = self.registrations.pop_due(now) {
            let Some(device) = self.registrations.get(&endpoint) else {
                continue;
            };
            if device.expires > now {
                self.pump(now, &endpoint);
            } else if device.running.is_some() {
                // X-FW-S17: an exchange that goes on shows that it is there.
                let later = now + millis(limits::LIFETIME_GRACE);
                self.registrations.with(&endpoint, |it| it.expires = later);
            } else {
                self.end(now, &endpoint, true);
            }
        }
    }

    /// When `handle_timeout` has something to do.
    pub(crate) fn poll_timeout(&mut self) -> Option<UnixMillis> {
        let coap = self.coap.poll_timeout().map(millis_up);
        let next = self.registrations.next_due();
        let sessions = self.sessions.as_ref().and_then(Sessions::poll_timeout);
        [coap, next, sessions].into_iter().flatten().min()
    }

    /// The next datagram to send.
    pub(crate) fn poll_transmit(&mut self, now: UnixMillis) -> Option<Outgoing> {
        loop {
            if let Some((address, bytes)) = self.sessions.as_mut().and_then(Sessions::poll_transmit)
            {
                let to = Peer {
                    address,
                    secured: true,
                };
                return Some(Outgoing { to, bytes });
            }
            let transmit = self.coap.poll_transmit()?;
            match &mut self.sessions {
                Some(sessions) if transmit.to.secured => {
                    sessions.send(now, transmit.to.address, &transmit.payload);
                }
                // Nobody is there to seal it.
                None if transmit.to.secured => {}
                _ => {
                    return Some(Outgoing {
                        to: transmit.to,
                        bytes: transmit.payload,
                    });
                }
            }
        }
    }

    /// The next thing to know.
    pub(crate) fn poll_told(&mut self) -> Option<Told> {
        self.told.pop_front()
    }

    fn handle_events(&mut self, now: UnixMillis, to: SocketAddr, around: &Around<'_>) {
        while let Some(event) = self.coap.poll_event() {
            match event {
                Event::Request {
                    exchange,
                    from,
                    message,
                    ..
                } => self.on_request(now, exchange, (from, to), &message, around),
                Event::BlockReceived {
                    exchange,
                    offset,
                    message,
                    ..
                } => self.on_block(now, exchange, offset, &message),
                Event::Response { request, message } => self.on_response(now, request, &message),
                Event::Notification { request, message } => {
                    self.on_notification(now, request, &message);
                }
                Event::Progress { request, .. } => {
                    if let Some(running) = self.running.get(&request) {
                        let endpoint = running.endpoint.clone();
                        self.heard(now, &endpoint);
                    }
                }
                Event::Wanted { request, offset } => {
                    if let Some(running) = self.running.get(&request) {
                        self.told.push_back(Told::Wanted {
                            ticket: running.call.ticket.clone(),
                            request,
                            offset: offset as u64,
                        });
                    }
                }
                Event::Failed { request, reason } => self.on_failure(now, request, reason),
                // Bodies are asked for and taken whole; nobody pings or observes us.
                _ => {}
            }
        }
    }

    /// A device gave a sign of life: its window is open again.
    fn heard(&mut self, now: UnixMillis, endpoint: &str) {
        let was_silent = self.registrations.with(endpoint, |device| {
            device.awake_until = now + millis(limits::AWAKE);
            device.lost = false;
            std::mem::take(&mut device.silent)
        });
        if was_silent == Some(true) {
            self.told.push_back(Told::Heard {
                endpoint: endpoint.to_owned(),
            });
        }
        self.pump(now, endpoint);
    }
}

fn time(now: UnixMillis) -> Duration {
    Duration::from_millis(now.unsigned_abs())
}

/// A time of the CoAP endpoint in whole milliseconds, never too early.
fn millis_up(at: Duration) -> UnixMillis {
    let millis = at.as_nanos().div_ceil(1_000_000);
    UnixMillis::try_from(millis).unwrap_or(UnixMillis::MAX)
}
