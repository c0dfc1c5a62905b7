//! CoAP messages: [`MessageView`] over the bytes of a datagram, [`Message`] as a plain struct.
//!
//! The same split as smoltcp's: the view checks once and copies nothing, the struct owns.
//! `coap_lite::Packet` is the type for tests and for link format, and what this codec is held
//! against; both convert.

mod block;
mod code;
mod options;
#[cfg(test)]
mod tests;
mod view;

use bytes::Bytes;

pub use self::block::{Block, BlockSize};
pub use self::code::{Code, Kind, Token};
pub use self::options::{OptionIter, Options, number, uint};
pub use self::view::{MessageView, ParseError, Problem};

/// A message that owns its parts (RFC 7252 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// T.
    pub kind: Kind,
    /// Code.
    pub code: Code,
    /// Message ID.
    pub id: u16,
    /// Token.
    pub token: Token,
    /// The options, in order.
    pub options: Options,
    /// What follows the payload marker.
    pub payload: Bytes,
}

impl Message {
    /// A message with neither token, options nor payload.
    #[must_use]
    pub fn new(kind: Kind, code: Code, id: u16) -> Self {
        Self {
            kind,
            code,
            id,
            token: Token::default(),
            options: Options::new(),
            payload: Bytes::new(),
        }
    }

    /// Reads a datagram.
    pub fn parse(datagram: &[u8]) -> Result<Self, ParseError> {
        MessageView::parse(datagram).map(|view| view.to_message())
    }

    /// Writes the message behind what `out` holds.
    pub fn emit(&self, out: &mut Vec<u8>) {
        let payload = &self.payload;
        emit(
            out,
            self.kind,
            self.code,
            self.id,
            self.token,
            &self.options,
            payload,
        );
    }

    /// The message as a datagram.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut out = Vec::with_capacity(self.encoded_length());
        self.emit(&mut out);
        out.into()
    }

    /// Bytes on the wire.
    #[must_use]
    pub fn encoded_length(&self) -> usize {
        let marker = usize::from(!self.payload.is_empty());
        4 + self.token.as_bytes().len()
            + self.options.as_bytes().len()
            + marker
            + self.payload.len()
    }

    /// The same message as coap-lite's type.
    #[must_use]
    pub fn to_packet(&self) -> coap_lite::Packet {
        let mut packet = coap_lite::Packet::new();
        packet.header.set_type(match self.kind {
            Kind::Confirmable => coap_lite::MessageType::Confirmable,
            Kind::NonConfirmable => coap_lite::MessageType::NonConfirmable,
            Kind::Acknowledgement => coap_lite::MessageType::Acknowledgement,
            Kind::Reset => coap_lite::MessageType::Reset,
        });
        packet.header.code = coap_lite::MessageClass::from(self.code.0);
        packet.header.message_id = self.id;
        packet.set_token(self.token.as_bytes().to_vec());
        for (number, value) in self.options.iter() {
            packet.add_option(coap_lite::CoapOption::from(number), value.to_vec());
        }
        packet.payload = self.payload.to_vec();
        packet
    }
}

/// Writes a message from its parts.
pub(crate) fn emit(
    out: &mut Vec<u8>,
    kind: Kind,
    code: Code,
    id: u16,
    token: Token,
    options: &Options,
    payload: &[u8],
) {
    let token = token.as_bytes();
    let [high, low] = id.to_be_bytes();
    out.extend_from_slice(&[
        1 << 6 | kind.bits() << 4 | token.len() as u8,
        code.0,
        high,
        low,
    ]);
    out.extend_from_slice(token);
    out.extend_from_slice(options.as_bytes());
    if !payload.is_empty() {
        out.push(view::PAYLOAD_MARKER);
        out.extend_from_slice(payload);
    }
}

/// An empty acknowledgement or reset.
pub(crate) fn empty(kind: Kind, id: u16) -> Bytes {
    Message::new(kind, Code::EMPTY, id).to_bytes()
}
