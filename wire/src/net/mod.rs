//! The network a process lives in.
//!
//! Two worlds, and nothing above this module knows which one it is in:
//! [`Sockets`] (TCP, the machine's clock) and [`InMemory`] (one thread, tokio's paused clock, no
//! socket). Both give a [`Network`]: [`Connect`] to reach somebody, [`Accept`] to be reached.

mod clock;
mod connection;
pub mod http;
mod in_memory;
mod sockets;

pub use clock::{Clock, UnixMillis};
pub use connection::{Accept, BoxFuture, Connect, Duplex, Network, Stream};
pub use in_memory::InMemory;
pub use sockets::Sockets;
