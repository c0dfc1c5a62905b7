//! CoAP for both sides, without a socket or a clock (RFC 7252, 7641, 7959).
//!
//! - [`message`] the bytes of a message, read and written.
//! - [`Endpoint`] exchanges, retransmission, duplicates, observe and block-wise transfer.
//! - [`TransmissionParameters`] and the times derived from them.
//! - [`limits`] every bound.
//!
//! Not here, and not answered for: proxying (5.05), Echo and Request-Tag beyond telling bodies
//! apart (RFC 9175), Q-Block (RFC 9177), OSCORE (an unknown critical option: 4.02), multicast,
//! CoAP over TCP.

mod endpoint;
pub mod limits;
pub mod message;
mod parameters;

pub use self::endpoint::*;
pub use self::message::{Block, BlockSize, Code, Kind, Message, MessageView, Options, Token};
pub use self::parameters::TransmissionParameters;
