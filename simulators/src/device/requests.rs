//! What a server asks of a device, and how it is answered (contract 2.4, 2.6, 3.3). Writes are in
//! `write`, Discover and Write-Attributes in `discover`, all composite operations in `composite`.

use std::time::Duration;

use fotalab_wire::coap::message::number;
use fotalab_wire::coap::{Code, ExchangeId, Message, Response};
use fotalab_wire::lwm2m::{ContentFormat, Path, Value, Version, codec};

use super::firmware::{Answer, Piece, Reply};
use super::persona::Senml;
use super::registration::Todo;
use super::write::Mode;
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
        let Some(path) = self.path_of(message) else {
            return self.respond(now, exchange, Response::new(Code::NOT_FOUND));
        };
        if path.ids().first() == Some(&0) {
            // Only a bootstrap server sees the keys (ETS 1.1-int-221).
            return self.respond(now, exchange, Response::new(Code::UNAUTHORIZED));
        }
        let accept = accept_of(message);
        let composite = path.depth() == 0 && self.registration.version() >= Version::V1_1;
        let reply = match message.code {
            Code::GET if accept == Some(ContentFormat::Link.number()) => {
                return self.discover(now, exchange, path);
            }
            Code::GET => return self.answer_read(now, exchange, path, accept, observe),
            Code::FETCH if composite => {
                return self.read_composite(now, exchange, observe, message);
            }
            Code::IPATCH if composite => self.write_composite(now, message),
            Code::PUT if is_write_attributes(message) => {
                Reply::code(self.write_attributes(now, path, message))
            }
            Code::PUT if path.depth() >= 2 => self.write(now, path, message, Mode::Replace),
            Code::POST => match path.depth() {
                1 => return self.create(now, exchange, path, message),
                2 => self.write(now, path, message, Mode::Update),
                3 if path == PACKAGE || self.takes_instances(path) => {
                    self.write(now, path, message, Mode::Update)
                }
                3 => self.execute(now, path),
                _ => Reply::code(Code::METHOD_NOT_ALLOWED),
            },
            Code::DELETE => Reply::code(self.delete(path)),
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
        let is_package = self.path_of(message) == Some(PACKAGE)
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
        let block = message.options.block(number::BLOCK1);
        if let Some(code) = block.and_then(|block| self.firmware.refuses_block(block)) {
            return self.respond(now, exchange, Response::new(code));
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
        let accept = accept.or_else(|| self.own_format());
        let format = ContentFormat::for_answer(accept, version, path, single)
            .map_err(|error| Code(error.code().0))?;
        let bytes = codec::encode(format, path, &tree).map_err(|error| Code(error.code().0))?;
        Ok((format, bytes))
    }

    /// What it writes in where nobody chose, if that is not its version's default.
    fn own_format(&self) -> Option<u16> {
        let json = self.kind.persona.senml == Senml::Json;
        let spoken = self.registration.version() >= Version::V1_1;
        (json && spoken).then_some(ContentFormat::SenmlJson.number())
    }

    /// Where a request goes to: below the alternate path, if there is one.
    fn path_of(&self, message: &Message) -> Option<Path> {
        let path = message.options.path();
        let root = self.kind.persona.root.as_str();
        match path.strip_prefix(root)? {
            "" => Some(Path::ROOT),
            inside => inside.parse().ok(),
        }
    }

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
                    self.observe(now, exchange, path.into(), format, response);
                } else {
                    self.respond(now, exchange, response);
                }
            }
            Err(code) => self.respond(now, exchange, Response::new(code)),
        }
    }

    fn execute(&mut self, now: Duration, path: Path) -> Reply {
        let executable = match self.kind.definitions.resource(path) {
            None => return Reply::code(Code::NOT_FOUND),
            Some(definition) => definition.operations.execute,
        };
        let [object, instance, ..] = *path.ids() else {
            return Reply::code(Code::METHOD_NOT_ALLOWED);
        };
        if !self.instances(object).contains(&instance) {
            return Reply::code(Code::NOT_FOUND);
        }
        if !executable {
            return Reply::code(Code::METHOD_NOT_ALLOWED);
        }
        match *path.ids() {
            [1, 0, 4] => self.registration.want(Todo::Disable),
            [1, 0, 8] => self.registration.want(Todo::Update),
            [1, ..] => return Reply::code(Code::METHOD_NOT_ALLOWED),
            [3, 0, 4] => self.reboot_at = Some(now + self.kind.persona.update_after),
            [3, 0, 5] => {
                self.forget_writes();
                self.reboot_at = Some(now + self.kind.persona.update_after);
            }
            [3, 0, 12] => self.error_code = 0,
            [5, 0, 2] => return self.firmware.execute_update(now),
            [5, 0, 10] => return Reply::code(self.firmware.cancel(now)),
            _ => {}
        }
        Reply::code(Code::CHANGED)
    }
}

/// What a request wants to be answered in.
pub(super) fn accept_of(message: &Message) -> Option<u16> {
    message.options.uint(number::ACCEPT).map(clamp)
}

/// PUT without a payload but with a query.
fn is_write_attributes(message: &Message) -> bool {
    message.payload.is_empty()
        && message.options.first(number::CONTENT_FORMAT).is_none()
        && message.options.first(number::URI_QUERY).is_some()
}

/// A number too large for a content format is an unknown one.
pub(super) fn clamp(number: u32) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}
