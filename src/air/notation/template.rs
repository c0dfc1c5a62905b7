//! A message as it is written, as the bytes that a peer sends: as the scenario says, right or not.

use bytes::Bytes;
use fotalab_wire::coap::{
    Message,
    message::{Block, BlockSize, Kind, Token, number},
};

use super::{CodeNotation, Notation, PayloadNotation, read::form};
use crate::air::{show::Form, unhex};

/// What a message has that does not say so itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Defaults {
    /// Its type.
    pub(crate) kind: Kind,
    /// Its message ID.
    pub(crate) id: u16,
    /// Its token.
    pub(crate) token: Token,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            kind: Kind::Confirmable,
            id: 0,
            token: Token::default(),
        }
    }
}

/// The datagram of a message.
///
/// # Errors
/// What cannot be sent as it is written.
pub(crate) fn encode(notation: &Notation, defaults: &Defaults) -> Result<Bytes, String> {
    let CodeNotation::Is(code) = notation.code else {
        let text = &notation.text;
        return Err(format!("`{text}` cannot be sent: it leaves its code open"));
    };
    if !notation.absent.is_empty() || notation.outcome.is_some() || notation.again {
        let text = &notation.text;
        return Err(format!(
            "`{text}` says what a message should be, not what it is"
        ));
    }
    let mut message = Message::new(notation.kind.unwrap_or(defaults.kind), code, defaults.id);
    if let Some(id) = &notation.id {
        message.id = id
            .parse()
            .map_err(|_| format!("MID `{id}` leaves open what it is"))?;
    }
    message.token = match &notation.token {
        None if code.0 == 0 => Token::default(),
        None => defaults.token,
        Some(hex) => unhex(hex)
            .and_then(|bytes| Token::new(&bytes))
            .ok_or_else(|| format!("Token `{hex}` is not 0 to 8 bytes in hexadecimal digits"))?,
    };
    if let Some(path) = &notation.path {
        let segments = path.split('/').skip(1);
        for segment in segments.filter(|_| path != "/") {
            message.options.push(number::URI_PATH, segment.as_bytes());
        }
    }
    for item in &notation.query {
        message.options.push(number::URI_QUERY, item.as_bytes());
    }
    for (number, value) in &notation.options {
        message.options.push(*number, &option(*number, value)?);
    }
    message.payload = match &notation.payload {
        None | Some(PayloadNotation::Empty) => Bytes::new(),
        Some(PayloadNotation::Bytes(bytes)) => bytes.clone().into(),
        Some(PayloadNotation::Text(text)) => text.clone().into(),
        Some(PayloadNotation::Length(length)) => format!("{length} bytes").into(),
        Some(PayloadNotation::Value(path, value)) => format!("{path} = {value}").into(),
    };
    Ok(message.to_bytes())
}

fn option(number: u16, text: &str) -> Result<Vec<u8>, String> {
    let wrong = |why: &str| Err(format!("the option {number} cannot be `{text}`: {why}"));
    if let Some(digits) = text.strip_prefix("hex:") {
        return match unhex(digits) {
            Some(bytes) => Ok(bytes),
            None => wrong("these are no hexadecimal digits in pairs"),
        };
    }
    match form(number) {
        Form::Text => Ok(text.as_bytes().to_vec()),
        Form::Bytes => Ok(text.as_bytes().to_vec()),
        Form::Empty if text.is_empty() => Ok(Vec::new()),
        Form::Empty => wrong("it has no value"),
        Form::Number => match text.parse::<u32>() {
            Ok(number) => Ok(shortest(number)),
            Err(_) => wrong("it is no number; bytes are written hex:00ff"),
        },
        Form::Block => match block(text) {
            Some(block) => Ok(shortest(block)),
            None => wrong("a block is written NUMBER/MORE/SIZE, such as 0/1/512"),
        },
    }
}

/// A number in as few bytes as it takes (RFC 7252, 3.2).
fn shortest(number: u32) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    bytes[(number.leading_zeros() / 8) as usize..].to_vec()
}

fn block(text: &str) -> Option<u32> {
    let mut parts = text.split('/');
    let (number, more, size) = (parts.next()?, parts.next()?, parts.next()?);
    let number: u32 = number.parse().ok()?;
    let more = match more {
        "0" => false,
        "1" => true,
        _ => return None,
    };
    if parts.next().is_some() {
        return None;
    }
    if size == "reserved" {
        return Some(number << 4 | u32::from(more) << 3 | 7);
    }
    let bytes: usize = size.parse().ok()?;
    let size = BlockSize::at_most(bytes);
    (size.bytes() == bytes).then(|| Block { number, more, size }.to_value())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::air::notation::read_block;

    #[test]
    fn what_is_written_is_what_is_sent() {
        let text = "CON POST /rd?ep=a&lt=60\nMID: 7\nToken: a1b2\nContent-Format: 40\n\n</5/0>";
        let bytes = encode(&read_block(text).expect("good"), &Defaults::default()).expect("good");
        // RFC 7252, 3: version 1, CON, two bytes of token; POST; 7; the token.
        assert_eq!(&bytes[..6], [0x42, 0x02, 0, 7, 0xa1, 0xb2]);
        // Uri-Path 11, Content-Format 12, Uri-Query 15 twice, payload marker.
        assert_eq!(&bytes[6..], b"\xb2rd\x11\x28\x34ep=a\x05lt=60\xff</5/0>");
    }

    #[test]
    fn an_empty_message_has_neither_token_nor_options() {
        let defaults = Defaults {
            token: Token::new(&[1, 2]).expect("short"),
            ..Defaults::default()
        };
        let ping = read_block("CON 0.00\nMID: 258").expect("good");
        assert_eq!(encode(&ping, &defaults).expect("good"), [0x40, 0, 1, 2][..]);
    }

    #[test]
    fn options_are_numbers_blocks_text_and_bytes() {
        let text = "CON PUT /5/0/0 Block1:3/1/64 Option-65000:hex:01ff Observe:0";
        let message = encode(&read_block(text).expect("good"), &Defaults::default());
        let message = Message::parse(&message.expect("good")).expect("a message");
        assert_eq!(message.options.uint(number::BLOCK1), Some(3 << 4 | 8 | 2));
        assert_eq!(message.options.first(65_000), Some(&[1, 255][..]));
        assert_eq!(message.options.first(number::OBSERVE), Some(&[][..]));
        for wrong in [
            "CON * /5",
            "CON GET /5 Block1:0/1/500",
            "CON GET /5 Max-Age:soon",
            "CON GET /5 !Observe",
            "CON GET /5 (lost)",
        ] {
            let read = read_block(wrong).expect("it can be read");
            assert!(encode(&read, &Defaults::default()).is_err(), "{wrong}");
        }
    }
}
