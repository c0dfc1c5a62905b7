//! One CoAP endpoint, client and server at once, in quinn-proto's shape.
//!
//! The caller owns the socket and the clock: it hands in datagrams and the time, gives commands,
//! and then calls `poll_transmit`, `poll_event` and `poll_timeout` until they are empty. Each
//! method that may send or wait takes `now`, a time since an epoch of the caller's choice that
//! never goes back.
//!
//! Who is who: a *call* is a request of ours, an *exchange* a request of a peer, a *watch* our
//! observation, an *observer* a peer's, an *upload* and a *fetch* are bodies of ours in blocks, a
//! *body* one that a peer sends.
//!
//! Message ids are unique among what is outstanding, and count up from a random start. At more
//! than 265 messages a second to one peer they come round within EXCHANGE_LIFETIME (RFC 7252
//! 4.4); that is not throttled. Nor is the rate of non-confirmable messages (PROBING_RATE, RFC 7641
//! 4.5.1): how often to notify is the application's to say, by pmin.

mod answers;
mod bodies;
mod calls;
mod config;
mod dispatch;
mod event;
mod exchanges;
mod fetch;
mod few;
mod observers;
mod outgoing;
mod peer;
mod peers;
mod request;
mod seen;
#[cfg(test)]
mod tests;
mod upload;
mod watch;

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rand::{Rng, RngExt as _};

pub use self::config::Config;
pub use self::event::{
    BodyId, Event, ExchangeId, Failure, Gone, ObserverId, PingId, Refused, RequestId, Statistics,
    Transmit,
};
use self::peer::{Peer, Shared};
pub use self::peers::PeerKey;
use self::peers::{PeerRef, Peers};
pub use self::request::{Body, Delivery, Observe, Request, Response, Resume};
use super::limits;
use super::message::{Code, Kind, MessageView, empty, number};
use super::parameters::TransmissionParameters;

/// A CoAP endpoint. `P` says who is on the other side.
pub struct Endpoint<P> {
    peers: Peers<P>,
    shared: Shared<P>,
}

impl<P: PeerKey> Endpoint<P> {
    /// An endpoint that knows nobody. `random` should come from a seed. Many endpoints may share
    /// one configuration.
    #[must_use]
    pub fn new(config: impl Into<Arc<Config>>, random: impl Rng + Send + 'static) -> Self {
        let config = Config::bounded(config.into());
        Self {
            peers: Peers::new(config.peers),
            shared: Shared {
                config,
                random: Box::new(random),
                events: VecDeque::new(),
                transmits: VecDeque::new(),
                replays: VecDeque::new(),
                collected: 0,
                collecting: VecDeque::new(),
                statistics: Statistics::default(),
                serial: 0,
            },
        }
    }

    // What comes in.

    /// A datagram arrived.
    pub fn handle_datagram(&mut self, now: Duration, from: P, datagram: &[u8]) {
        self.shared.statistics.received += 1;
        let view = match MessageView::parse(datagram) {
            Ok(view) => view,
            Err(error) => {
                self.shared.statistics.malformed += 1;
                if let Some(id) = error.reject {
                    self.reject_stranger(from, id);
                }
                return;
            }
        };
        let confirmable = view.kind == Kind::Confirmable;
        if view.code == Code::EMPTY && confirmable {
            // A ping (RFC 7252 4.3).
            return self.reject_stranger(from, view.id);
        }
        let place = match self.peers.find(&from) {
            Some(place) => place,
            None if view.code.is_request() && view.kind != Kind::Acknowledgement => {
                match self.place_of(from) {
                    Ok(place) => place,
                    Err(_) => {
                        self.shared.statistics.overflowed += 1;
                        return;
                    }
                }
            }
            None => {
                self.shared.statistics.ignored += 1;
                let notification = view.option(number::OBSERVE).is_some();
                if confirmable || (view.kind == Kind::NonConfirmable && notification) {
                    self.reject_stranger(from, view.id);
                }
                return;
            }
        };
        self.with(place, |peer, shared| peer.on_message(shared, now, &view));
    }

    /// Time passed. Call it when `poll_timeout` says so, or at any other time.
    pub fn handle_timeout(&mut self, now: Duration) {
        for _ in 0..limits::TIMEOUTS_PER_CALL {
            let Some(place) = self.peers.pop_due(now) else {
                return;
            };
            self.with(place, |peer, shared| peer.handle_timeout(shared, now));
            if self.peers.get(place).is_some_and(|peer| peer.is_over(now)) {
                self.peers.remove(place);
            }
        }
    }

    // What goes out.

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit<P>> {
        self.shared.next_transmit()
    }

    /// The next thing that the application should know.
    pub fn poll_event(&mut self) -> Option<Event<P>> {
        self.shared.next_event()
    }

    /// When `handle_timeout` should be called.
    pub fn poll_timeout(&mut self) -> Option<Duration> {
        self.peers.next_deadline()
    }

    // Commands of a client.

    /// Sends a request, now or when NSTART lets it.
    pub fn request(
        &mut self,
        now: Duration,
        to: P,
        request: Request,
    ) -> Result<RequestId, Refused> {
        let place = self.place_of(to)?;
        self.with(place, |peer, shared| peer.request(shared, now, request))
            .ok_or(Refused::Over)?
    }

    /// Asks for the next block of a request with [`Delivery::Blocks`].
    pub fn proceed(&mut self, now: Duration, request: RequestId) -> Result<(), Refused> {
        let RequestId { peer, serial } = request;
        self.with(peer, |peer, shared| peer.proceed(shared, now, serial))
            .ok_or(Refused::Over)?
    }

    /// Hands in the part of a body that [`Event::Wanted`] asked for: whole blocks, or all up to the
    /// end. Nothing happens if it does not begin there.
    pub fn supply(
        &mut self,
        now: Duration,
        request: RequestId,
        offset: usize,
        bytes: Bytes,
    ) -> Result<(), Refused> {
        let RequestId { peer, serial } = request;
        self.with(peer, |peer, shared| {
            peer.supply(shared, now, serial, offset, bytes)
        })
        .ok_or(Refused::Over)?
    }

    /// Forgets a request. Of an observation the next notification is answered by Reset, which ends
    /// it (RFC 7641 3.6).
    pub fn cancel(&mut self, now: Duration, request: RequestId) {
        let RequestId { peer, serial } = request;
        self.with(peer, |peer, shared| peer.cancel(shared, now, serial));
    }

    /// Ends an observation by GET with Observe 1 (RFC 7641 3.6); its answer is a
    /// [`Event::Response`]. One that is not established yet is forgotten.
    pub fn deregister(&mut self, now: Duration, request: RequestId) -> Result<(), Refused> {
        let RequestId { peer, serial } = request;
        self.with(peer, |peer, shared| peer.deregister(shared, now, serial))
            .ok_or(Refused::Over)?
    }

    /// Registers an observation again, with its token (RFC 7641 3.3.1).
    pub fn register_again(&mut self, now: Duration, request: RequestId) {
        let RequestId { peer, serial } = request;
        self.with(peer, |peer, shared| {
            peer.register_again(shared, now, serial)
        });
    }

    /// Sends an empty confirmable message (RFC 7252 4.3); the answer is [`Event::Pong`].
    pub fn ping(&mut self, now: Duration, to: P) -> Result<PingId, Refused> {
        let place = self.place_of(to)?;
        self.with(place, |peer, shared| peer.ping(shared, now))
            .flatten()
            .ok_or(Refused::Requests)
    }

    // Commands of a server.

    /// What an answer's body has to hold, of `total` bytes; `None` where the peer asks for a block
    /// behind its end, which `respond` turns into 4.00.
    pub fn wanted(&self, exchange: ExchangeId, total: usize) -> Option<Range<usize>> {
        let exchanges = &self.peers.get(exchange.peer)?.exchanges;
        let exchange = exchanges.iter().find(|e| e.serial == exchange.serial)?;
        exchange.wanted(total, self.shared.config.block_size)
    }

    /// Answers a request: in its acknowledgement, or separately when that is sent already.
    pub fn respond(
        &mut self,
        now: Duration,
        exchange: ExchangeId,
        response: Response,
    ) -> Result<(), Refused> {
        self.respond_with(now, exchange, response, false)
            .map(|_| ())
    }

    /// Answers a request that wants to observe, and enters it in the list of observers. `None`: it
    /// was not entered, and the answer says so (RFC 7641 4.1).
    pub fn respond_observing(
        &mut self,
        now: Duration,
        exchange: ExchangeId,
        response: Response,
    ) -> Result<Option<ObserverId>, Refused> {
        self.respond_with(now, exchange, response, true)
    }

    /// Sends an empty acknowledgement at once: the answer will take long (RFC 7252 5.2.2).
    pub fn acknowledge(&mut self, exchange: ExchangeId) -> Result<(), Refused> {
        let ExchangeId { peer, serial } = exchange;
        self.with(peer, |peer, shared| peer.acknowledge(shared, serial))
            .ok_or(Refused::Over)?
    }

    /// Rejects a request with a Reset.
    pub fn reset(&mut self, exchange: ExchangeId) -> Result<(), Refused> {
        let ExchangeId { peer, serial } = exchange;
        self.with(peer, |peer, shared| peer.reject(shared, serial))
            .ok_or(Refused::Over)?
    }

    /// Answers block 0 of a body with 2.31 and puts the rest together, up to `limit` bytes, for
    /// one [`Event::Request`]. `first` is the payload of block 0.
    pub fn collect(
        &mut self,
        now: Duration,
        exchange: ExchangeId,
        first: &[u8],
        limit: usize,
    ) -> Result<(), Refused> {
        let ExchangeId { peer, serial } = exchange;
        self.with(peer, |peer, shared| {
            peer.collect(shared, now, serial, first, limit)
        })
        .ok_or(Refused::Over)?
    }

    /// Sends a notification; an error code ends the observation. Some are confirmable though the
    /// application does not ask for it (RFC 7641 4.5). While one waits for its acknowledgement,
    /// only the newest state is kept (4.5.2).
    pub fn notify(
        &mut self,
        now: Duration,
        observer: ObserverId,
        response: Response,
        confirmable: bool,
    ) -> Result<(), Refused> {
        let ObserverId { peer, serial } = observer;
        self.with(peer, |peer, shared| {
            peer.notify(shared, now, serial, response, confirmable)
        })
        .ok_or(Refused::Over)?
    }

    /// Takes an observer off the list; nothing is sent.
    pub fn end_observation(&mut self, observer: ObserverId) {
        let ObserverId { peer, serial } = observer;
        self.with(peer, |peer, shared| {
            peer.drop_observer(shared, serial, Gone::Ended);
        });
    }

    /// Lets a test write Block2 by itself.
    #[cfg(test)]
    fn ignore_block2(&mut self, exchange: ExchangeId) {
        let ExchangeId { peer, serial } = exchange;
        self.with(peer, |peer, _| {
            for exchange in peer.exchanges.iter_mut().filter(|e| e.serial == serial) {
                exchange.block2 = None;
            }
        });
    }

    // Peers.

    /// Gives a peer parameters of its own. It is not evicted until it is forgotten.
    pub fn set_parameters(
        &mut self,
        peer: P,
        parameters: TransmissionParameters,
    ) -> Result<(), Refused> {
        let place = self.place_of(peer)?;
        let parameters = Box::new(parameters.bounded());
        self.with(place, |peer, _| peer.parameters = Some(parameters));
        Ok(())
    }

    /// Drops all that is known of a peer, as when its DTLS session ended.
    pub fn forget(&mut self, peer: &P) {
        let place = self.peers.find(peer);
        if let Some(mut peer) = place.and_then(|place| self.peers.remove(place)) {
            peer.abandon(&mut self.shared);
        }
    }

    /// What came in and went out.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.shared.statistics
    }

    /// Peers that something is known of.
    #[must_use]
    pub fn peers(&self) -> usize {
        self.peers.len()
    }

    // Helpers.

    fn respond_with(
        &mut self,
        now: Duration,
        exchange: ExchangeId,
        response: Response,
        observing: bool,
    ) -> Result<Option<ObserverId>, Refused> {
        let ExchangeId { peer, serial } = exchange;
        let answered = self.with(peer, |peer, shared| {
            peer.respond(shared, now, serial, response, observing)
        });
        answered.ok_or(Refused::Over)?
    }

    fn place_of(&mut self, peer: P) -> Result<PeerRef, Refused> {
        match self.peers.find(&peer) {
            Some(place) => Ok(place),
            None => {
                let next_id = self.shared.random.random();
                self.peers.insert(peer, next_id).ok_or(Refused::Peers)
            }
        }
    }

    /// Lets a peer do something, then notes when it wants attention.
    fn with<T>(
        &mut self,
        place: PeerRef,
        act: impl FnOnce(&mut Peer<P>, &mut Shared<P>) -> T,
    ) -> Option<T> {
        let shared = &mut self.shared;
        let done = self.peers.with(place, |peer| act(peer, shared))?;
        self.peers.arm(place);
        while self.shared.replays.len() > limits::SAFE_REPLAYS_MAX {
            if let Some((place, id)) = self.shared.replays.pop_front()
                && let Some(peer) = self.peers.get_mut(place)
            {
                peer.seen.forget_safe(id);
            }
        }
        if self.shared.collected > limits::COLLECTED_BYTES_MAX {
            self.give_up_oldest_bodies();
        }
        if self.shared.collecting.len() > limits::COLLECTING_MAX {
            let peers = &self.peers;
            let live = |(place, serial): &(PeerRef, u64)| {
                let peer = peers.get(*place);
                peer.is_some_and(|peer| peer.collecting(*serial).is_some())
            };
            self.shared.collecting.retain(live);
        }
        Some(done)
    }

    fn give_up_oldest_bodies(&mut self) {
        while self.shared.collected > limits::COLLECTED_BYTES_MAX {
            let Some((place, serial)) = self.shared.collecting.pop_front() else {
                return;
            };
            let shared = &mut self.shared;
            self.peers
                .with(place, |peer| peer.give_up_body(shared, serial));
            self.peers.arm(place);
        }
    }

    fn reject_stranger(&mut self, to: P, id: u16) {
        let payload: Bytes = empty(Kind::Reset, id);
        self.shared.statistics.sent += 1;
        self.shared.transmits.push_back(Transmit { to, payload });
    }
}

impl<P: PeerKey> fmt::Debug for Endpoint<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("peers", &self.peers.len())
            .field("statistics", &self.shared.statistics)
            .finish_non_exhaustive()
    }
}
