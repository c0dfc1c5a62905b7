//! Two endpoints and the network between them, in the style of quinn-proto's `Pair`.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::coap::endpoint::*;
use crate::coap::message::{Code, Kind, Message, number};

pub(super) const CLIENT: u8 = 1;
pub(super) const SERVER: u8 = 2;

/// When copies of a datagram arrive, counted from its sending. None: it is lost.
pub(super) type Fate = Vec<Duration>;

/// What became of every datagram sent.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) at: Duration,
    pub(super) from: u8,
    pub(super) bytes: Bytes,
}

impl Sent {
    pub(super) fn message(&self) -> Message {
        Message::parse(&self.bytes).unwrap()
    }
}

/// Decides what becomes of the nth datagram.
type Network = Box<dyn FnMut(usize, &Sent) -> Fate>;
/// The application of the server.
type Application = Box<dyn FnMut(&mut Endpoint<u8>, Duration, Event<u8>)>;

pub(super) struct Pair {
    pub(super) client: Endpoint<u8>,
    pub(super) server: Endpoint<u8>,
    pub(super) time: Duration,
    pub(super) network: Network,
    pub(super) application: Application,
    /// Everything that was sent, in order.
    pub(super) log: Vec<Sent>,
    /// Where bodies that come in parts come from, and how large a part is.
    pub(super) source: (Bytes, usize),
    /// What the client was told.
    pub(super) told: Vec<Event<u8>>,
    under_way: BTreeMap<(Duration, usize), (u8, Bytes)>,
    arrivals: usize,
}

pub(super) const LATENCY: Duration = Duration::from_millis(50);

pub(super) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) fn random(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

impl Pair {
    pub(super) fn new(
        application: impl FnMut(&mut Endpoint<u8>, Duration, Event<u8>) + 'static,
    ) -> Self {
        Self::with(Config::default(), Config::default(), 1, application)
    }

    pub(super) fn with(
        client: Config,
        server: Config,
        seed: u64,
        application: impl FnMut(&mut Endpoint<u8>, Duration, Event<u8>) + 'static,
    ) -> Self {
        Self {
            client: Endpoint::new(client, random(seed)),
            server: Endpoint::new(server, random(seed + 1000)),
            time: Duration::ZERO,
            network: Box::new(|_, _| vec![LATENCY]),
            application: Box::new(application),
            log: Vec::new(),
            source: (Bytes::new(), 0),
            told: Vec::new(),
            under_way: BTreeMap::new(),
            arrivals: 0,
        }
    }

    pub(super) fn request(&mut self, request: Request) -> RequestId {
        self.client.request(self.time, SERVER, request).unwrap()
    }

    /// Puts bytes on their way that no endpoint made.
    pub(super) fn inject(&mut self, to: u8, bytes: &[u8]) {
        self.arrivals += 1;
        let bytes = Bytes::copy_from_slice(bytes);
        self.under_way
            .insert((self.time, self.arrivals), (to, bytes));
    }

    /// Everything that happens now, without time passing.
    pub(super) fn settle(&mut self) {
        loop {
            let mut quiet = true;
            while let Some(event) = self.client.poll_event() {
                quiet = false;
                if let Event::Block {
                    request,
                    more: true,
                    ..
                } = &event
                {
                    self.client.proceed(self.time, *request).unwrap();
                }
                if let Event::Wanted { request, offset } = &event {
                    let (body, part) = &self.source;
                    let bytes = body.slice(*offset..body.len().min(offset + part));
                    let supplied = self.client.supply(self.time, *request, *offset, bytes);
                    supplied.unwrap();
                }
                self.told.push(event);
            }
            while let Some(event) = self.server.poll_event() {
                quiet = false;
                (self.application)(&mut self.server, self.time, event);
            }
            while let Some(transmit) = self.client.poll_transmit() {
                quiet = false;
                assert_eq!(transmit.to, SERVER);
                self.send(CLIENT, transmit.payload);
            }
            while let Some(transmit) = self.server.poll_transmit() {
                quiet = false;
                assert_eq!(transmit.to, CLIENT);
                self.send(SERVER, transmit.payload);
            }
            if quiet {
                return;
            }
        }
    }

    fn send(&mut self, from: u8, bytes: Bytes) {
        let sent = Sent {
            at: self.time,
            from,
            bytes: bytes.clone(),
        };
        for delay in (self.network)(self.log.len(), &sent) {
            self.arrivals += 1;
            let at = self.time + delay;
            let to = CLIENT + SERVER - from;
            self.under_way
                .insert((at, self.arrivals), (to, bytes.clone()));
        }
        self.log.push(sent);
    }

    /// Lets the next thing happen; `false` when nothing will, or not before `until`.
    fn step(&mut self, until: Duration) -> bool {
        self.settle();
        let arrival = self.under_way.keys().next().map(|(at, _)| *at);
        let timeouts = [self.client.poll_timeout(), self.server.poll_timeout()];
        let next = timeouts.into_iter().flatten().chain(arrival).min();
        let Some(next) = next.filter(|next| *next <= until) else {
            return false;
        };
        self.time = self.time.max(next);
        while let Some(entry) = self
            .under_way
            .first_entry()
            .filter(|e| e.key().0 <= self.time)
        {
            let (to, bytes) = entry.remove();
            if to == SERVER {
                self.server.handle_datagram(self.time, CLIENT, &bytes);
            } else {
                self.client.handle_datagram(self.time, SERVER, &bytes);
            }
        }
        self.client.handle_timeout(self.time);
        self.server.handle_timeout(self.time);
        self.settle();
        true
    }

    /// Until both ends have nothing more to do and remember nobody.
    pub(super) fn drive(&mut self) {
        for _ in 0..200_000 {
            if !self.step(Duration::MAX) {
                return;
            }
        }
        panic!("it does not end: {:?}", self.log.last());
    }

    /// Until this much time has passed.
    pub(super) fn drive_for(&mut self, duration: Duration) {
        let until = self.time + duration;
        while self.step(until) {}
        self.time = until;
    }

    pub(super) fn messages(&self, from: u8) -> Vec<Message> {
        let of_side = self.log.iter().filter(|sent| sent.from == from);
        of_side.map(Sent::message).collect()
    }

    /// The only answer that the client got.
    pub(super) fn response(&self) -> &Message {
        let mut responses = self.told.iter().filter_map(|event| match event {
            Event::Response { message, .. } => Some(message),
            _ => None,
        });
        let first = responses
            .next()
            .unwrap_or_else(|| panic!("no response: {:?}", self.told));
        assert!(responses.next().is_none(), "two responses");
        first
    }

    pub(super) fn failure(&self) -> Option<Failure> {
        self.told.iter().find_map(|event| match event {
            Event::Failed { reason, .. } => Some(*reason),
            _ => None,
        })
    }

    /// The payloads of blocks, those before a restart left out.
    pub(super) fn body_of_blocks(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for event in &self.told {
            match event {
                Event::Block {
                    offset, message, ..
                } => {
                    assert_eq!(*offset, body.len());
                    body.extend_from_slice(&message.payload);
                }
                Event::Restarted { .. } => body.clear(),
                _ => {}
            }
        }
        body
    }

    pub(super) fn notifications(&self) -> Vec<Bytes> {
        let payload = |event: &Event<u8>| match event {
            Event::Notification { message, .. } => Some(message.payload.clone()),
            _ => None,
        };
        self.told.iter().filter_map(payload).collect()
    }
}

/// A body whose every place differs.
pub(super) fn image(length: usize) -> Bytes {
    (0..length as u32)
        .flat_map(|n| {
            (n / 2)
                .wrapping_mul(2_654_435_761)
                .to_le_bytes()
                .into_iter()
                .take(1)
        })
        .collect()
}

/// Answers everything with 2.05 and these bytes.
pub(super) fn serving(body: Bytes) -> impl FnMut(&mut Endpoint<u8>, Duration, Event<u8>) {
    move |server, now, event| {
        if let Event::Request { exchange, .. } = event {
            let response = Response::with(Code::CONTENT, body.clone()).etag(b"v1");
            server.respond(now, exchange, response).unwrap();
        }
    }
}

/// What a server that takes uploads has got.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    pub(super) growing: Vec<u8>,
    pub(super) complete: Vec<Vec<u8>>,
    pub(super) abandoned: usize,
}

pub(super) type SharedInbox = std::rc::Rc<std::cell::RefCell<Inbox>>;

/// Takes bodies block by block and answers the last with 2.04.
pub(super) fn taking(inbox: SharedInbox) -> impl FnMut(&mut Endpoint<u8>, Duration, Event<u8>) {
    move |server, now, event| {
        let mut inbox = inbox.borrow_mut();
        match event {
            Event::BlockReceived {
                exchange,
                offset,
                more,
                message,
                ..
            } => {
                if offset == 0 {
                    inbox.growing.clear();
                }
                assert_eq!(offset, inbox.growing.len(), "a gap reached the application");
                inbox.growing.extend_from_slice(&message.payload);
                let code = if more { Code::CONTINUE } else { Code::CHANGED };
                if !more {
                    let body = std::mem::take(&mut inbox.growing);
                    inbox.complete.push(body);
                }
                server.respond(now, exchange, Response::new(code)).unwrap();
            }
            Event::Request {
                exchange, message, ..
            } => {
                inbox.complete.push(message.payload.to_vec());
                server
                    .respond(now, exchange, Response::new(Code::CHANGED))
                    .unwrap();
            }
            Event::BodyAbandoned { .. } => inbox.abandoned += 1,
            _ => {}
        }
    }
}

/// A datagram made by hand.
pub(super) fn datagram(kind: Kind, code: Code, id: u16, path: &str) -> Message {
    let mut message = Message::new(kind, code, id);
    message.options.push_path(path);
    message
}

pub(super) fn block_of(message: &Message, number: u16) -> Option<(u32, bool, usize)> {
    let block = message.options.block(number)?;
    Some((block.number, block.more, block.size.bytes()))
}

pub(super) fn has_observe(message: &Message) -> bool {
    message.options.first(number::OBSERVE).is_some()
}
