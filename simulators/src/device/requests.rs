//! What a server asks of a device: Read, Write, Execute, Discover, Observe, Write-Attributes
//! (contract 2.4, 2.6, 3.3).

use std::time::Duration;

use fotalab_wire::coap::message::number;
use fotalab_wire::coap::{Code, ExchangeId, Message, Response};
use fotalab_wire::lwm2m::attributes::{Attributes, Changes};
use fotalab_wire::lwm2m::codec::link::{self, Link};
use fotalab_wire::lwm2m::{ContentFormat, Kind, Path, Resource, Value, codec};

use super::firmware::{Answer, Piece, Reply};
use super::{Device, Peer, Pending, body};
use crate::limits;

/// /5/0/0.
const PACKAGE: Path = Path::resource(5, 0, 0);

impl Device {
    pub(super) fn on_request(
        &mut self,
        now: Duration,
        exchange: ExchangeId,
        from: Peer,
        observe: bool,
        message: &Message,
    ) {
        if from != self.setup.server || !self.knows_server() {
            // A stranger's, or one before the answer to Register (contract 2.1).
            let _: Result<(), _> = self.coap.reset(exchange);
            return;
        }
        let path = match path_of(message) {
            Some(path) => path,
            None => return self.respond(now, exchange, Response::new(Code::NOT_FOUND)),
        };
        let accept = message.options.uint(number::ACCEPT).map(clamp);
        let reply = match message.code {
            Code::GET if accept == Some(40) => return self.discover(now, exchange, path),
            Code::GET => return self.answer_read(now, exchange, path, accept, observe),
            Code::PUT if is_write_attributes(message) => {
                Reply::code(self.write_attributes(now, path, message))
            }
            Code::PUT if path.depth() >= 2 => self.write(now, path, message, true),
            Code::POST if path == PACKAGE => self.write(now, path, message, false),
            Code::POST if path.depth() == 3 => self.execute(now, path),
            Code::POST if path.depth() == 2 => self.write(now, path, message, false),
            _ if path.ids().first() == Some(&0) => Reply::code(Code::UNAUTHORIZED),
            _ => Reply::code(Code::METHOD_NOT_ALLOWED),
        };
        self.answer(now, exchange, reply);
    }

    /// A block of a write. Packages go to flash as they come; the rest is put together.
    pub(super) fn on_block(
        &mut self,
        now: Duration,
        exchange: ExchangeId,
        from: Peer,
        offset: usize,
        more: bool,
        message: &Message,
    ) {
        if from != self.setup.server || !self.knows_server() {
            let _: Result<(), _> = self.coap.reset(exchange);
            return;
        }
        let format = message.options.uint(number::CONTENT_FORMAT);
        let is_package = path_of(message) == Some(PACKAGE)
            && matches!(message.code, Code::PUT | Code::POST)
            && matches!(format, None | Some(42));
        if !is_package {
            let limit = limits::WRITE_BYTES;
            let collected = offset == 0
                && self
                    .coap
                    .collect(now, exchange, &message.payload, limit)
                    .is_ok();
            if !collected {
                let code = Code::REQUEST_ENTITY_INCOMPLETE;
                self.respond(now, exchange, Response::new(code));
            }
            return;
        }
        let total = message.options.uint(number::SIZE1);
        let piece = Piece {
            offset,
            last: !more,
            total: total.map(|total| total as usize),
            bytes: &message.payload,
        };
        let reply = self.firmware.push(now, piece);
        self.answer(now, exchange, reply);
    }

    // Helpers.

    fn knows_server(&self) -> bool {
        self.registration.phase == super::Phase::Registered
    }

    /// Answers, now or when flash is ready.
    fn answer(&mut self, now: Duration, exchange: ExchangeId, reply: Reply) {
        let mut response = match reply.answer {
            Answer::Code(code) => Response::new(code),
            Answer::Busy => Response::new(Code::SERVICE_UNAVAILABLE),
            Answer::Reset => {
                let _: Result<(), _> = self.coap.reset(exchange);
                return;
            }
            Answer::Silence => return,
        };
        if reply.answer == Answer::Busy {
            response.options.push_uint(number::MAX_AGE, 3);
        }
        if reply.after.is_zero() {
            return self.respond(now, exchange, response);
        }
        self.pending.push(Pending {
            at: now + reply.after,
            exchange,
            response,
        });
    }

    fn answer_read(
        &mut self,
        now: Duration,
        exchange: ExchangeId,
        path: Path,
        accept: Option<u16>,
        observe: bool,
    ) {
        match self.representation(now, path, accept) {
            Ok((format, bytes)) => {
                let response = Response::with(Code::CONTENT, body(bytes)).format(format.number());
                if observe {
                    self.observe(now, exchange, path, format, response);
                } else {
                    self.respond(now, exchange, response);
                }
            }
            Err(code) => self.respond(now, exchange, Response::new(code)),
        }
    }

    /// What Read answers, in the format that Accept or the version says.
    pub(super) fn representation(
        &self,
        now: Duration,
        path: Path,
        accept: Option<u16>,
    ) -> Result<(ContentFormat, Vec<u8>), Code> {
        let tree = self.read(now, path)?;
        let single = tree.value(path).is_some();
        let version = self.registration.version();
        let opaque = matches!(tree.value(path), Some(Value::Opaque(_)));
        let accept = accept.or_else(|| (single && !opaque).then_some(0));
        let format = ContentFormat::for_answer(accept, version, path, single)
            .map_err(|error| Code(error.code().0))?;
        let bytes = codec::encode(format, path, &tree).map_err(|error| Code(error.code().0))?;
        Ok((format, bytes))
    }

    fn write(&mut self, now: Duration, path: Path, message: &Message, replace: bool) -> Reply {
        if path.ids().first() == Some(&0) {
            return Reply::code(Code::UNAUTHORIZED);
        }
        let format = message.options.uint(number::CONTENT_FORMAT).map(clamp);
        let is_package = path == PACKAGE && matches!(format, None | Some(42));
        if is_package {
            return self.firmware.write_package(now, &message.payload);
        }
        let empty_text = format.is_none() && message.payload.is_empty();
        let format = format.or(empty_text.then_some(0));
        let decoded = ContentFormat::of_payload(format, path)
            .map_err(|error| Code(error.code().0))
            .and_then(|format| {
                codec::decode(format, path, &message.payload, &self.kind.definitions)
                    .map_err(|error| Code(error.code().0))
            });
        let tree = match decoded {
            Ok(tree) => tree,
            Err(code) => return Reply::code(code),
        };
        let mut reply = Reply::code(Code::CHANGED);
        // All or nothing, as far as operations and types go.
        for (at, value) in tree.values() {
            if let Err(code) = self.check_write(at, value) {
                return Reply::code(code);
            }
        }
        for (at, value) in tree.values() {
            reply = self.write_value(now, at, value);
            if reply.answer != Answer::Code(Code::CHANGED) {
                break;
            }
        }
        if replace && tree.values().next().is_none() {
            return Reply::code(Code::BAD_REQUEST);
        }
        reply
    }

    fn check_write(&self, path: Path, value: &Value) -> Result<(), Code> {
        let Some(definition) = self.kind.definitions.resource(path) else {
            return Err(Code::NOT_FOUND);
        };
        let [object, instance, ..] = *path.ids() else {
            return Err(Code::METHOD_NOT_ALLOWED);
        };
        if !self.instances(object).contains(&instance) {
            return Err(Code::NOT_FOUND);
        }
        if !definition.operations.write {
            return Err(Code::METHOD_NOT_ALLOWED);
        }
        let checked = self.kind.definitions.check(path, value);
        checked.map_err(|_| Code::BAD_REQUEST)
    }

    fn write_value(&mut self, now: Duration, path: Path, value: &Value) -> Reply {
        let number = value.as_i64();
        let seconds = number.and_then(|number| u32::try_from(number).ok());
        let code = match *path.ids() {
            [1, 0, 1] => match seconds.filter(|seconds| *seconds > 0) {
                Some(seconds) => {
                    self.registration.lifetime = seconds;
                    self.update_registration(now, false);
                    Code::CHANGED
                }
                None => Code::BAD_REQUEST,
            },
            [1, 0, id @ (2 | 3 | 5)] => match seconds {
                Some(seconds) => {
                    match id {
                        2 => self.registration.pmin = seconds,
                        3 => self.registration.pmax = seconds,
                        _ => self.registration.disable_timeout = seconds,
                    }
                    self.renew_rules(now);
                    Code::CHANGED
                }
                None => Code::BAD_REQUEST,
            },
            [5, 0, 0] => {
                let Value::Opaque(bytes) = value else {
                    return Reply::code(Code::BAD_REQUEST);
                };
                return self.firmware.write_package(now, bytes);
            }
            [5, 0, 1] => self
                .firmware
                .write_uri(now, value.as_str().unwrap_or_default()),
            [5, 0, 11] => self.firmware.write_severity(number.unwrap_or(-1)),
            [5, 0, 13] => self.firmware.write_defer_period(number.unwrap_or(-1)),
            _ => {
                let written = self.written.get_or_insert_default();
                written.set(path, value.clone());
                Code::CHANGED
            }
        };
        Reply::code(code)
    }

    fn execute(&mut self, now: Duration, path: Path) -> Reply {
        let executable = match self.kind.definitions.resource(path) {
            None => return Reply::code(Code::NOT_FOUND),
            Some(definition) => definition.operations.execute,
        };
        if !executable {
            return Reply::code(Code::METHOD_NOT_ALLOWED);
        }
        match *path.ids() {
            [1, 0, 4] => self.disable(now),
            [1, 0, 8] => self.update_registration(now, false),
            [3, 0, 4] => self.reboot_at = Some(now + self.kind.persona.update_after),
            [5, 0, 2] => return self.firmware.execute_update(now),
            [5, 0, 10] => return Reply::code(self.firmware.cancel(now)),
            [object, ..] if object != 1 => {}
            _ => return Reply::code(Code::METHOD_NOT_ALLOWED),
        }
        Reply::code(Code::CHANGED)
    }

    fn write_attributes(&mut self, now: Duration, path: Path, message: &Message) -> Code {
        let queries = message
            .options
            .iter()
            .filter(|(n, _)| *n == number::URI_QUERY);
        let Ok(query) = queries
            .map(|(_, value)| std::str::from_utf8(value))
            .collect::<Result<Vec<_>, _>>()
        else {
            return Code::BAD_REQUEST;
        };
        if path.ids().first() == Some(&0) {
            return Code::UNAUTHORIZED;
        }
        if path.depth() == 0 {
            return Code::METHOD_NOT_ALLOWED;
        }
        if let Err(code) = self.read(now, path) {
            return code;
        }
        let kind: Option<Kind> = self.kind.definitions.kind(path);
        let changed = Changes::parse(query, self.registration.version()).and_then(|changes| {
            let mut attributes = self.attributes.get(&path).cloned().unwrap_or_default();
            attributes.apply(&changes, path, kind).map(|()| attributes)
        });
        match changed {
            Ok(attributes) => {
                if attributes.is_empty() {
                    self.attributes.remove(&path);
                } else {
                    self.attributes.insert(path, attributes);
                }
                self.renew_rules(now);
                Code::CHANGED
            }
            Err(refused) => Code(refused.code.0),
        }
    }

    /// The links at a path: of an object, its instances and resources; of an instance, its
    /// resources; each with its own attributes, a resource with those it inherits, too.
    fn discover(&mut self, now: Duration, exchange: ExchangeId, path: Path) {
        let response = match self.links(now, path) {
            Ok(links) => Response::with(Code::CONTENT, body(link::encode(&links))).format(40),
            Err(code) => Response::new(code),
        };
        self.respond(now, exchange, response);
    }

    fn links(&self, now: Duration, path: Path) -> Result<Vec<Link>, Code> {
        let [object, ..] = *path.ids() else {
            return Err(Code::METHOD_NOT_ALLOWED);
        };
        if object == 0 {
            return Err(Code::UNAUTHORIZED);
        }
        let own = |at: Path| {
            let attributes = self.attributes.get(&at).cloned();
            attributes.unwrap_or_else(Attributes::default)
        };
        let mut links = Vec::new();
        if path.depth() == 1 {
            let listed = self.object_list().objects.remove(&object);
            let listed = listed.ok_or(Code::NOT_FOUND)?;
            let mut link = Link::new(path.to_string());
            if let Some(version) = listed.version {
                link = link.with("ver", version);
            }
            links.push(own(path).onto_link(link));
        }
        for instance in self.instances(object) {
            let at = Path::instance(object, instance);
            if path.depth() > 1 && path.prefix(2) != at {
                continue;
            }
            if path.depth() <= 2 {
                links.push(own(at).onto_link(Link::new(at.to_string())));
            }
            for definition in self.kind.definitions.resources(object) {
                let at = Path::resource(object, instance, definition.id);
                if path.depth() > 2 && path != at {
                    continue;
                }
                let held = self.read(now, at);
                if definition.operations.read && held.is_err() {
                    continue;
                }
                let mut link = Link::new(at.to_string());
                let held = held.ok();
                if let Some(Resource::Multiple(values)) =
                    held.as_ref().and_then(|tree| tree.resource(at))
                {
                    link = link.with("dim", values.len());
                }
                let shown = if path.depth() == 3 {
                    self.attributes_of(at)
                } else {
                    own(at)
                };
                links.push(shown.onto_link(link));
            }
        }
        if links.is_empty() {
            return Err(Code::NOT_FOUND);
        }
        Ok(links)
    }
}

/// The path of a request to the object tree.
fn path_of(message: &Message) -> Option<Path> {
    message.options.path().parse().ok()
}

/// PUT without a payload but with a query.
fn is_write_attributes(message: &Message) -> bool {
    message.payload.is_empty()
        && message.options.first(number::CONTENT_FORMAT).is_none()
        && message.options.first(number::URI_QUERY).is_some()
}

fn clamp(number: u32) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}
