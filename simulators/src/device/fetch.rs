//! Pulling a package: over CoAP by itself, over HTTP with its driver's help (contract 1.5).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use fotalab_wire::coap::message::number;
use fotalab_wire::coap::{BlockSize, Code, Failure, Message, Request, RequestId, Resume};

use super::firmware::{FetchFailure, Piece, Target};
use super::persona::Protocol;
use super::{Device, Event, Peer};

#[derive(Debug)]
pub(super) struct Fetch {
    /// `None` where the driver does it.
    request: Option<RequestId>,
    peer: Option<Peer>,
    pub(super) proceed_at: Option<Duration>,
    started_at: usize,
}

impl Device {
    /// A piece of what [`Event::Fetch`] asked for arrived at the driver. Says whether, and after
    /// how long, the next one is wanted.
    pub fn fetched(
        &mut self,
        now: Duration,
        piece: Piece<'_>,
        etag: Option<&[u8]>,
    ) -> Option<Duration> {
        let next = self.firmware.fetched(now, piece, etag);
        if next.is_none() {
            self.fetch = None;
        }
        self.settle(now);
        next
    }

    /// What [`Event::Fetch`] asked for is another body now, which begins at 0.
    pub fn fetch_restarted(&mut self) {
        self.firmware.fetch_restarted();
    }

    /// What [`Event::Fetch`] asked for cannot be had.
    pub fn fetch_failed(&mut self, now: Duration, failure: FetchFailure) {
        self.fetch = None;
        self.firmware.fetch_failed(now, failure);
        self.settle(now);
    }

    pub(super) fn start_fetch(
        &mut self,
        now: Duration,
        uri: String,
        offset: usize,
        etag: Option<Vec<u8>>,
    ) {
        let Ok(target) = Target::parse(&uri) else {
            return self.firmware.fetch_failed(now, FetchFailure::NotFound);
        };
        self.stay_awake(now);
        let mut fetch = Fetch {
            request: None,
            peer: None,
            proceed_at: None,
            started_at: offset,
        };
        if matches!(target.protocol, Protocol::Http | Protocol::Https) {
            self.events.push_back(Event::Fetch { uri, offset, etag });
            self.fetch = Some(Box::new(fetch));
            return;
        }
        let Some(address) = address_of(&target.host) else {
            return self.firmware.fetch_failed(now, FetchFailure::NotFound);
        };
        let peer = Peer {
            address: SocketAddr::new(address, target.port),
            secure: target.protocol == Protocol::Coaps,
        };
        let size = BlockSize::at_most(self.kind.persona.block_bytes);
        let mut request = Request::get(&target.path).in_blocks(size);
        // Blocks begin at multiples of their size; what is there beyond is asked for again.
        request.resume = (offset > 0).then_some(Resume { offset, etag });
        match self.coap.request(now, peer, request) {
            Ok(id) => {
                fetch.request = Some(id);
                fetch.peer = Some(peer);
                self.fetch = Some(Box::new(fetch));
            }
            Err(_) => self.firmware.fetch_failed(now, FetchFailure::Lost),
        }
    }

    pub(super) fn stop_fetch(&mut self, now: Duration) {
        if let Some(fetch) = self.fetch.take() {
            match fetch.request {
                Some(request) => self.coap.cancel(now, request),
                None => self.events.push_back(Event::StopFetching),
            }
        }
    }

    pub(super) fn is_fetch(&self, request: RequestId) -> bool {
        let fetch = self.fetch.as_ref();
        fetch.is_some_and(|fetch| fetch.request == Some(request))
    }

    pub(super) fn on_fetch_block(
        &mut self,
        now: Duration,
        offset: usize,
        total: Option<usize>,
        more: bool,
        message: &Message,
    ) {
        self.stay_awake(now);
        if message.code != Code::CONTENT {
            // A 2.01 has no package in it (X-FW-C22).
            self.stop_fetch(now);
            return self.firmware.fetch_failed(now, FetchFailure::Refused);
        }
        let received = self.firmware.received();
        let resumed = self.fetch.as_ref().is_some_and(|it| it.started_at > 0);
        let mut bytes: &[u8] = &message.payload;
        let mut at = offset;
        if resumed && at < received && at + bytes.len() >= received {
            // The part of the first block that is there already.
            bytes = bytes.get(received - at..).unwrap_or_default();
            at = received;
        }
        let piece = Piece {
            offset: at,
            last: !more,
            total,
            bytes,
        };
        let next = self
            .firmware
            .fetched(now, piece, message.options.first(number::ETAG));
        match (next, &mut self.fetch) {
            (Some(after), Some(fetch)) if more => {
                fetch.proceed_at = Some(now + after);
                self.fetch_timeout(now);
            }
            _ if more => self.stop_fetch(now),
            _ => self.fetch = None,
        }
    }

    pub(super) fn on_fetch_response(&mut self, now: Duration, message: &Message) {
        if message.code == Code::CONTENT {
            let total = Some(message.payload.len());
            return self.on_fetch_block(now, 0, total, false, message);
        }
        self.fetch = None;
        let failure = if message.code == Code::NOT_FOUND {
            FetchFailure::NotFound
        } else {
            FetchFailure::Refused
        };
        self.firmware.fetch_failed(now, failure);
    }

    pub(super) fn on_fetch_failed(&mut self, now: Duration, reason: Failure) {
        let fetch = self.fetch.take();
        let failure = match reason {
            Failure::Unacknowledged | Failure::Unanswered | Failure::Reset => FetchFailure::Lost,
            _ => FetchFailure::Refused,
        };
        let peer = fetch.and_then(|fetch| fetch.peer);
        if let Some(peer) = peer.filter(|peer| peer.secure && failure == FetchFailure::Lost) {
            // The session may be to blame: the next try begins with a ClientHello (X-FW-C20).
            if peer == self.setup.server {
                self.events.push_back(Event::Unanswered);
                self.register(now);
            } else {
                self.events
                    .push_back(Event::FileServerUnanswered(peer.address));
            }
        }
        self.firmware.fetch_failed(now, failure);
    }

    pub(super) fn fetch_timeout(&mut self, now: Duration) {
        let Some(fetch) = &mut self.fetch else {
            return;
        };
        if fetch.proceed_at.is_none_or(|at| at > now) {
            return;
        }
        fetch.proceed_at = None;
        if let Some(request) = fetch.request
            && self.coap.proceed(now, request).is_err()
        {
            self.fetch = None;
            self.firmware.fetch_failed(now, FetchFailure::Lost);
        }
    }
}

/// Names other than `localhost` are not looked up: a simulated device has no resolver.
fn address_of(host: &str) -> Option<IpAddr> {
    match host {
        "localhost" => Some(Ipv4Addr::LOCALHOST.into()),
        _ => host.parse().ok(),
    }
}
