//! What crosses the air in fotalab, without a socket or a clock, and the two worlds it crosses in.
//!
//! - [`coap`] one CoAP endpoint for both sides, without a socket or a clock.
//! - [`dtls`] DTLS 1.2 with pre-shared keys: one session, a server of many, a client.
//! - [`net`] the network a process lives in: real sockets and the machine's clock, or in-memory
//!   streams on tokio's paused clock. Everything that speaks HTTP or websocket in this workspace
//!   gets its connections here, so that a whole run can move from one world to the other.
//! - [`lwm2m`] what LwM2M says: payloads, registrations, notification rules, firmware update.
//! - [`image`] the firmware format that simulated devices understand.

pub mod coap;
#[cfg(feature = "dtls")]
pub mod dtls;
pub mod image;
pub mod lwm2m;
pub mod net;
pub mod simple;
