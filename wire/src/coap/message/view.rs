//! A message seen in the bytes of its datagram.

use bytes::Bytes;

use super::options::decode_one;
use super::{Block, Code, Kind, Message, OptionIter, Options, Token, uint};

pub(super) const PAYLOAD_MARKER: u8 = 0xff;
const VERSION: u8 = 1;

/// A well-formed message; nothing is copied but the token.
#[derive(Clone, Copy, Debug)]
pub struct MessageView<'a> {
    /// T.
    pub kind: Kind,
    /// Code.
    pub code: Code,
    /// Message ID.
    pub id: u16,
    /// Token.
    pub token: Token,
    options: &'a [u8],
    last_option: u16,
    payload: &'a [u8],
}

/// Why a datagram is no message, and whom to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct ParseError {
    /// What is wrong.
    pub problem: Problem,
    /// The id of a confirmable message, which is answered with a Reset (RFC 7252 4.2); all others
    /// are ignored (4.2, 4.3).
    pub reject: Option<u16>,
}

/// A message format error (RFC 7252 3, 3.1, 4.1 and 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Shorter than the header.
    #[error("the datagram is shorter than a header")]
    Truncated,
    /// Another version: silently ignored (RFC 7252 3).
    #[error("the version is not 1")]
    Version,
    /// TKL 9 to 15, or a token that is cut off.
    #[error("the token is longer than eight bytes or cut off")]
    Token,
    /// A nibble of 15 that is no payload marker, a value that is cut off, or a number too high.
    #[error("an option is malformed")]
    Option,
    /// A payload marker with nothing behind it.
    #[error("a payload marker has no payload")]
    EmptyPayload,
    /// Code 0.00 and bytes behind the header (RFC 7252 4.1).
    #[error("an empty message is not empty")]
    NotEmpty,
    /// A code of a reserved class.
    #[error("the code's class is reserved")]
    Code,
}

impl<'a> MessageView<'a> {
    /// Checks a datagram from end to end.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, ParseError> {
        let [head, code, high, low, rest @ ..] = datagram else {
            return Err(ParseError {
                problem: Problem::Truncated,
                reject: None,
            });
        };
        if head >> 6 != VERSION {
            return Err(ParseError {
                problem: Problem::Version,
                reject: None,
            });
        }
        let kind = Kind::from_bits(head >> 4);
        let id = u16::from_be_bytes([*high, *low]);
        let view = Self {
            kind,
            code: Code(*code),
            id,
            token: Token::default(),
            options: &[],
            last_option: 0,
            payload: &[],
        };
        view.parse_rest(usize::from(head & 15), rest)
            .map_err(|problem| ParseError {
                problem,
                reject: (kind == Kind::Confirmable).then_some(id),
            })
    }

    fn parse_rest(mut self, token_length: usize, rest: &'a [u8]) -> Result<Self, Problem> {
        if self.code.is_reserved() {
            return Err(Problem::Code);
        }
        if self.code == Code::EMPTY {
            return match (token_length, rest) {
                (0, []) => Ok(self),
                _ => Err(Problem::NotEmpty),
            };
        }
        let (token, after_token) = rest.split_at_checked(token_length).ok_or(Problem::Token)?;
        self.token = Token::new(token).ok_or(Problem::Token)?;

        let mut rest = after_token;
        while let Some(&first) = rest.first() {
            if first == PAYLOAD_MARKER {
                self.payload = &rest[1..];
                if self.payload.is_empty() {
                    return Err(Problem::EmptyPayload);
                }
                break;
            }
            let (delta, _, following) = decode_one(rest).ok_or(Problem::Option)?;
            let number = self.last_option.checked_add(delta);
            self.last_option = number.ok_or(Problem::Option)?;
            rest = following;
        }
        self.options = &after_token[..after_token.len() - rest.len()];
        Ok(self)
    }

    /// The options in order.
    #[must_use]
    pub fn options(&self) -> OptionIter<'a> {
        OptionIter::new(self.options)
    }

    /// The value of the first option with this number.
    #[must_use]
    pub fn option(&self, number: u16) -> Option<&'a [u8]> {
        self.options().first(number)
    }

    /// The first option with this number, as a number.
    #[must_use]
    pub fn uint(&self, number: u16) -> Option<u32> {
        self.option(number).and_then(uint)
    }

    /// Block1 or Block2, if it is there and well formed.
    #[must_use]
    pub fn block(&self, number: u16) -> Option<Block> {
        Block::from_value(self.uint(number)?)
    }

    /// What follows the payload marker.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The message with parts of its own.
    #[must_use]
    pub fn to_message(&self) -> Message {
        self.with_payload(Bytes::copy_from_slice(self.payload))
    }

    /// The message with another payload.
    pub(crate) fn with_payload(&self, payload: Bytes) -> Message {
        Message {
            kind: self.kind,
            code: self.code,
            id: self.id,
            token: self.token,
            options: Options::from_valid(self.options, self.last_option),
            payload,
        }
    }
}
