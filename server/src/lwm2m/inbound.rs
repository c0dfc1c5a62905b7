//! Requests of devices: Register, Update, De-register, Send, and firmware by pull.

use std::{net::SocketAddr, ops::Range};

use bytes::Bytes;
use fotalab_wire::{
    coap::{Body, Code, ExchangeId, Message, Response, message::number},
    lwm2m::{
        ContentFormat, Path, Value, Version, codec,
        registration::{Refused, Registration, Update},
    },
    net::UnixMillis,
};
use rand::RngExt as _;

use super::{Air, Around, FIRMWARE, Peer, REPORT, Registered, Told, time};
use crate::{core::time::millis, limits, store::blob::Image};

/// The newest version that is spoken.
pub(super) const NEWEST: Version = Version::V1_1;

impl Air {
    /// Answers a request, its body whole.
    pub(super) fn on_request(
        &mut self,
        now: UnixMillis,
        exchange: ExchangeId,
        between: (Peer, SocketAddr),
        message: &Message,
        around: &Around<'_>,
    ) {
        let path = message.options.path();
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let simple = segments == [REPORT] || (segments == [FIRMWARE] && message.code == Code::GET);
        if simple {
            let message = message.clone();
            return self.told.push_back(Told::Asked {
                exchange,
                between,
                message,
            });
        }
        if let (Code::GET, [FIRMWARE, image]) = (message.code, segments.as_slice()) {
            return self.firmware(now, exchange, image, message, around);
        }
        let (answer, after) = match (message.code, segments.as_slice()) {
            (Code::POST, ["rd"]) => self.register(now, between, message, around),
            (Code::POST, ["rd", location]) => self.update(now, between, location, message),
            (Code::DELETE, ["rd", location]) => self.deregister(now, between.0, location),
            (Code::POST, ["dp"]) => self.take_values(between.0, message),
            (_, ["rd" | "dp"] | ["rd", _]) => {
                (Response::new(Code::METHOD_NOT_ALLOWED), After::Nothing)
            }
            _ => (Response::new(Code::NOT_FOUND), After::Nothing),
        };
        // The answer first: devices do not listen to requests before it (contract 2.1).
        let _over = self.coap.respond(time(now), exchange, answer);
        match after {
            After::Nothing => {}
            After::Heard(endpoint) => self.heard(now, &endpoint),
            After::Tell(told) => self.told.push_back(told),
        }
    }

    /// Answers a block of a request's body: the endpoint puts it together (X-REG-09).
    pub(super) fn on_block(
        &mut self,
        now: UnixMillis,
        exchange: ExchangeId,
        offset: usize,
        message: &Message,
    ) {
        let path = message.options.path();
        let taken = path == "/rd" || path == "/u" || path == "/dp" || path.starts_with("/rd/");
        let _over = if !taken {
            self.coap
                .respond(time(now), exchange, Response::new(Code::NOT_FOUND))
        } else if offset == 0 {
            let limit = limits::MAX_PAYLOAD_BYTES;
            self.coap
                .collect(time(now), exchange, &message.payload, limit)
        } else {
            let incomplete = Response::new(Code::REQUEST_ENTITY_INCOMPLETE);
            self.coap.respond(time(now), exchange, incomplete)
        };
    }

    /// Ends a registration.
    pub(super) fn end(&mut self, now: UnixMillis, endpoint: &str, expired: bool) {
        self.abandon(now, endpoint);
        if self.registrations.remove(endpoint).is_some() {
            self.told.push_back(Told::Left {
                endpoint: endpoint.to_owned(),
                expired,
            });
        }
    }

    /// Answers with a block of an image on disk.
    pub(crate) fn serve_block(
        &mut self,
        now: UnixMillis,
        exchange: ExchangeId,
        image: &Image,
        offset: u64,
        bytes: Bytes,
    ) {
        let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
        let body = Body::Part {
            offset: at(offset),
            total: at(image.length),
            bytes,
        };
        let _over = self.coap.respond(time(now), exchange, content(image, body));
    }

    /// Answers that a block cannot be had now.
    pub(crate) fn refuse_block(&mut self, now: UnixMillis, exchange: ExchangeId) {
        let later = Response::new(Code::SERVICE_UNAVAILABLE);
        let _over = self.coap.respond(time(now), exchange, later);
    }

    /// A block of an image; any, in any order, without a registration (contract 1.5).
    fn firmware(
        &mut self,
        now: UnixMillis,
        exchange: ExchangeId,
        image: &str,
        message: &Message,
        around: &Around<'_>,
    ) {
        match around.images.get(image) {
            None => self.answer(now, exchange, Response::new(Code::NOT_FOUND)),
            Some(image) => {
                self.serve(now, exchange, image, message);
            }
        }
    }

    /// Answers with a block of an image, now or when it was read. Says which bytes that are.
    pub(crate) fn serve(
        &mut self,
        now: UnixMillis,
        exchange: ExchangeId,
        image: &Image,
        message: &Message,
    ) -> Option<Range<usize>> {
        if has_etag(message, image.etag()) {
            let valid = Response::new(Code::VALID).etag(image.etag());
            self.answer(now, exchange, valid);
            return None;
        }
        let total = usize::try_from(image.length).unwrap_or(usize::MAX);
        let range = self.coap.wanted(exchange, total);
        match (&image.bytes, &range) {
            (Some(bytes), _) => {
                let whole = content(image, Body::Whole(bytes.clone()));
                self.answer(now, exchange, whole);
            }
            (None, Some(range)) => self.told.push_back(Told::Block {
                exchange,
                image: image.id.clone(),
                range: range.start as u64..range.end as u64,
            }),
            (None, None) => {
                let behind = Response::with(Code::BAD_REQUEST, "the block is behind the end");
                self.answer(now, exchange, behind);
            }
        }
        range
    }

    /// Answers a request; one that is over needs no answer.
    pub(crate) fn answer(&mut self, now: UnixMillis, exchange: ExchangeId, response: Response) {
        let _over = self.coap.respond(time(now), exchange, response);
    }

    fn register(
        &mut self,
        now: UnixMillis,
        (peer, to): (Peer, SocketAddr),
        message: &Message,
        around: &Around<'_>,
    ) -> (Response, After) {
        let query = match query(message) {
            Ok(query) => query,
            Err(refused) => return (refusal(&refused), After::Nothing),
        };
        let format = content_format(message);
        let query = query.iter().map(String::as_str);
        // X-REG-04: over DTLS the identity says who it is.
        let secured = match self.proven(peer) {
            Ok(endpoint) => endpoint,
            Err(refused) => return (refusal(&refused), After::Nothing),
        };
        let secured = secured.as_deref();
        let said = match Registration::parse(query, format, &message.payload, secured, NEWEST) {
            Ok(said) => said,
            Err(refused) => return (refusal(&refused), After::Nothing),
        };
        let endpoint = said.endpoint.clone();
        if let Err(why) = (around.admits)(&endpoint, peer.secured) {
            return (Response::with(Code::FORBIDDEN, why), After::Nothing);
        }
        if !(around.has_room)() {
            let mut later = Response::new(Code::SERVICE_UNAVAILABLE);
            let seconds = limits::REGISTER_LATER.as_secs() as u32;
            later.options.push_uint(number::MAX_AGE, seconds);
            return (later, After::Nothing);
        }
        if !self.registrations.has_room(&endpoint, &said.objects) {
            return (no_room(), After::Nothing);
        }
        // X-REG-05: the old location is void, and all that was going on there.
        self.abandon(now, &endpoint);
        self.registrations.remove(&endpoint);
        if self.registrations.len() >= limits::MAX_REGISTRATIONS {
            return (Response::new(Code::SERVICE_UNAVAILABLE), After::Nothing);
        }
        let location = format!("{:016x}", self.locations.random::<u64>());
        let registered = Registered::new(now, said, location.clone(), (peer, to));
        self.registrations.insert(registered);
        let mut created = Response::new(Code::CREATED);
        for segment in ["rd", &location] {
            created
                .options
                .push(number::LOCATION_PATH, segment.as_bytes());
        }
        (created, After::Tell(Told::Registered { endpoint }))
    }

    fn update(
        &mut self,
        now: UnixMillis,
        (peer, to): (Peer, SocketAddr),
        location: &str,
        message: &Message,
    ) -> (Response, After) {
        let Some(device) = self.registered_at(location, peer) else {
            return (Response::new(Code::NOT_FOUND), After::Nothing);
        };
        let endpoint = device.said.endpoint.clone();
        let moved = device.peer != peer;
        let before = device.arrival();
        let update = query(message).and_then(|query| {
            let query = query.iter().map(String::as_str);
            let format = content_format(message);
            Update::parse(query, format, &message.payload, device.said.version)
        });
        let update = match update {
            Ok(update) => update,
            Err(refused) => return (refusal(&refused), After::Nothing),
        };
        let list = update.objects.as_ref();
        if list.is_some_and(|it| !self.registrations.has_room(&endpoint, it)) {
            return (no_room(), After::Nothing);
        }
        if moved {
            self.abandon(now, &endpoint);
            self.registrations.moved(&endpoint, peer);
        }
        self.registrations.apply(&endpoint, update);
        let after = self.registrations.with(&endpoint, |device| {
            device.local = to;
            device.renew(now);
            if moved {
                device.not_before = now + millis(limits::AFTER_REGISTER);
            } else {
                device.not_before = now;
            }
            device.arrival()
        });
        let told = if moved || after != Some(before) {
            // X-FW-S16 and S38: what was known of it does not hold any more.
            Told::Registered {
                endpoint: endpoint.clone(),
            }
        } else {
            Told::Updated {
                endpoint: endpoint.clone(),
            }
        };
        self.told.push_back(told);
        (Response::new(Code::CHANGED), After::Heard(endpoint))
    }

    /// The endpoint name that a peer proved to have; `None` of one without DTLS.
    pub(super) fn proven(&self, peer: Peer) -> Result<Option<String>, Refused> {
        if !peer.secured {
            return Ok(None);
        }
        let sessions = self.sessions.as_ref();
        let endpoint = sessions.and_then(|it| it.endpoint(peer.address));
        endpoint.map(Some).ok_or_else(|| Refused {
            code: Code::BAD_REQUEST,
            why: "the security identity belongs to no device".to_owned(),
        })
    }

    /// The registration of a location, if `peer` may speak for it: one made over DTLS only who
    /// proved to be the device, one made without only who comes without.
    fn registered_at(&self, location: &str, peer: Peer) -> Option<&Registered> {
        let device = self.registrations.at_location(location)?;
        let proven = self.proven(peer).ok()?;
        let same = proven.is_none_or(|it| it == device.said.endpoint);
        (same && device.peer.secured == peer.secured).then_some(device)
    }

    fn deregister(&mut self, now: UnixMillis, peer: Peer, location: &str) -> (Response, After) {
        let Some(device) = self.registered_at(location, peer) else {
            return (Response::new(Code::NOT_FOUND), After::Nothing);
        };
        let endpoint = device.said.endpoint.clone();
        self.end(now, &endpoint, false);
        (Response::new(Code::DELETED), After::Nothing)
    }

    /// Send (contract 2.5).
    fn take_values(&mut self, peer: Peer, message: &Message) -> (Response, After) {
        // An address may have another session by now, of another device.
        let proven = self.proven(peer).unwrap_or_default();
        let device = self.registrations.at_peer(peer);
        let is_there =
            |it: &&Registered| !peer.secured || proven.as_ref() == Some(&it.said.endpoint);
        let Some(device) = device.filter(is_there) else {
            return (Response::new(Code::NOT_FOUND), After::Nothing);
        };
        let format = content_format(message).and_then(ContentFormat::from_number);
        let Some(format @ (ContentFormat::SenmlJson | ContentFormat::SenmlCbor)) = format else {
            let unsupported = Response::new(Code::UNSUPPORTED_CONTENT_FORMAT);
            return (unsupported, After::Nothing);
        };
        let decoded = codec::decode(format, Path::ROOT, &message.payload, device.definitions());
        let tree = match decoded {
            Ok(tree) => tree,
            Err(why) => {
                let refused = Response::with(why.code(), why.to_string());
                return (refused, After::Nothing);
            }
        };
        let values = tree.values().map(|(path, value)| (path, value.clone()));
        let values: Vec<(Path, Value)> = values.collect();
        if values.is_empty() {
            let refused = Response::with(Code::BAD_REQUEST, "no values");
            return (refused, After::Nothing);
        }
        let objects = &device.said.objects;
        let unlisted = values
            .iter()
            .find(|(path, _)| !objects.contains(path.prefix(2)));
        if let Some((path, _)) = unlisted {
            let why = format!("{} is not registered", path.prefix(2));
            return (Response::with(Code::NOT_FOUND, why), After::Nothing);
        }
        let endpoint = device.said.endpoint.clone();
        self.tell_values(&endpoint, values, true);
        (Response::new(Code::CHANGED), After::Heard(endpoint))
    }
}

/// What follows when the answer is on its way.
enum After {
    Nothing,
    Heard(String),
    Tell(Told),
}

/// The device has what this tag stands for.
fn has_etag(message: &Message, etag: &[u8]) -> bool {
    let mut options = message.options.iter();
    options.any(|(option, value)| option == number::ETAG && value == etag)
}

fn content(image: &Image, body: Body) -> Response {
    let mut content = Response::new(Code::CONTENT)
        .etag(image.etag())
        .format(ContentFormat::Opaque.number());
    content.body = body;
    content
}

fn query(message: &Message) -> Result<Vec<String>, Refused> {
    let options = message.options.iter();
    let items = options.filter(|(option, _)| *option == number::URI_QUERY);
    items
        .map(|(_, item)| {
            String::from_utf8(item.to_vec()).map_err(|_| Refused {
                code: Code::BAD_REQUEST,
                why: "a parameter is not UTF-8".to_owned(),
            })
        })
        .collect()
}

fn content_format(message: &Message) -> Option<u16> {
    let number = message.options.uint(number::CONTENT_FORMAT)?;
    u16::try_from(number).ok()
}

/// Too many long lists are here already.
fn no_room() -> Response {
    let why = "there is no room for so long a list of objects";
    Response::with(Code::SERVICE_UNAVAILABLE, why)
}

fn refusal(refused: &Refused) -> Response {
    Response::with(refused.code, refused.why.clone())
}
