//! DTLS 1.2 with pre-shared keys, without a socket or a clock (RFC 6347, RFC 4279, RFC 7925).
//!
//! - [`SecureSession`] one association with one peer: what an implementation has to offer.
//! - [`PskSession`] that over dimpl, with `TLS_PSK_WITH_AES_128_CCM_8` and extended master secret.
//! - [`Server`] many peers on one UDP socket, told apart by their addresses.
//! - [`Client`] one device and its server.
//! - [`limits`] every bound.
//!
//! Time is the [`Duration`](std::time::Duration) since the world began, as
//! [`Clock::elapsed`](crate::net::Clock::elapsed) tells it.
//!
//! # What is here
//! Both roles, HelloVerifyRequest, retransmission of flights, fragmentation of handshake messages
//! by MTU, replay protection, `close_notify`, fatal alerts, a session replaced only when the new
//! handshake of the same address is complete.
//!
//! # What is not here
//! - Connection ID (RFC 9146): a peer whose address changes needs a new handshake.
//! - Resumption (RFC 5246, section 7.3; RFC 5077): every handshake is a full one.
//! - CBC suites (`TLS_PSK_WITH_AES_128_CBC_SHA256`), GCM, ECDHE-PSK, certificates, DTLS 1.3.
//! - Peers without extended master secret (RFC 7627) are refused.
//! - A stateless cookie: each new peer costs a half-open session, of which there are at most
//!   [`limits::HALF_OPEN_SESSIONS`]. It is answered once for each time it asks (RFC 6347, 4.2.4).
//! - During a handshake, a record that does not open ends it, since dimpl cannot go on: an attacker
//!   who knows the 5-tuple and the moment, or a damaged datagram that UDP's checksum let pass,
//!   makes the peer start again. Established sessions ignore such records.

mod client;
mod config;
mod event;
mod key_log;
pub mod limits;
mod paced;
mod psk;
mod record;
mod server;
mod session;
mod table;
mod time;

pub use client::Client;
pub use config::{PskLookup, PskOptions, Randomness};
pub use event::{ClientEvent, End, ServerEvent};
pub use key_log::KeyLog;
pub use psk::PskSession;
pub use server::{Server, ServerOptions, ServerStatistics};
pub use session::{Failure, Output, SecureSession};
