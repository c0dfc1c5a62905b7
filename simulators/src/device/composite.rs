//! Read-, Write- and Observe-Composite (TS 1.1 C 6.3.9 to 6.3.11, 6.4.3; contract 2.5).

use std::time::Duration;

use fotalab_wire::coap::message::number;
use fotalab_wire::coap::{Code, ExchangeId, Message, Response};
use fotalab_wire::lwm2m::codec::senml;
use fotalab_wire::lwm2m::{ContentFormat, Path, codec};

use super::firmware::Reply;
use super::requests::{accept_of, clamp};
use super::write::Mode;
use super::{Device, body};

impl Device {
    /// FETCH: what is there of the paths in the payload; with Observe from now on, too.
    pub(super) fn read_composite(
        &mut self,
        now: Duration,
        exchange: ExchangeId,
        observe: bool,
        message: &Message,
    ) {
        match self.composite(now, message) {
            Ok((paths, format, bytes)) => {
                let response = Response::with(Code::CONTENT, body(bytes)).format(format.number());
                if observe {
                    self.observe(now, exchange, paths.into(), format, response);
                } else {
                    self.respond(now, exchange, response);
                }
            }
            Err(code) => self.respond(now, exchange, Response::new(code)),
        }
    }

    /// iPATCH: all of the values or none.
    pub(super) fn write_composite(&mut self, now: Duration, message: &Message) -> Reply {
        let decoded = senml_of(message).and_then(|format| {
            let definitions = &self.kind.definitions;
            let decoded = codec::decode(format, Path::ROOT, &message.payload, definitions);
            decoded.map_err(|error| Code(error.code().0))
        });
        match decoded {
            Ok(tree) => self.write_tree(now, Path::ROOT, &tree, Mode::Update),
            Err(code) => Reply::code(code),
        }
    }

    /// The values at some paths. Values that are not there are not told of.
    pub(super) fn composite_bytes(
        &self,
        now: Duration,
        paths: &[Path],
        format: ContentFormat,
    ) -> Result<Vec<u8>, Code> {
        let tree = self.read_all(now, paths);
        codec::encode(format, Path::ROOT, &tree).map_err(|error| Code(error.code().0))
    }

    fn composite(
        &self,
        now: Duration,
        message: &Message,
    ) -> Result<(Vec<Path>, ContentFormat, Vec<u8>), Code> {
        let asked = senml_of(message)?;
        let paths = match asked {
            ContentFormat::SenmlJson => senml::json::decode_paths(&message.payload),
            _ => senml::cbor::decode_paths(&message.payload),
        };
        let paths = paths.map_err(|error| Code(error.code().0))?;
        if paths.is_empty() {
            return Err(Code::BAD_REQUEST);
        }
        let format = match accept_of(message) {
            None => asked,
            Some(accept) => senml_number(accept).ok_or(Code::NOT_ACCEPTABLE)?,
        };
        let bytes = self.composite_bytes(now, &paths, format)?;
        Ok((paths, format, bytes))
    }
}

/// The format of a composite's payload: SenML, which says what each value is of.
fn senml_of(message: &Message) -> Result<ContentFormat, Code> {
    let number = message.options.uint(number::CONTENT_FORMAT).map(clamp);
    let format = number.and_then(senml_number);
    format.ok_or(Code::UNSUPPORTED_CONTENT_FORMAT)
}

fn senml_number(number: u16) -> Option<ContentFormat> {
    ContentFormat::from_number(number)
        .filter(|it| matches!(it, ContentFormat::SenmlJson | ContentFormat::SenmlCbor))
}
