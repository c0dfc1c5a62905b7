//! The network a process lives in.
//!
//! Two worlds, and nothing above this module knows which one it is in:
//! [`Sockets`] (TCP, UDP, the machine's clock) and [`InMemory`] (one thread, tokio's paused clock,
//! no socket). Both give a [`Network`]: [`Connect`] to reach somebody, [`Accept`] to be reached,
//! [`Datagrams`] for UDP.
//!
//! Datagrams cross a [`Link`], an object without I/O that wraps another one: [`Lossy`] harms them,
//! [`Traced`] tells of them, [`Captured`] writes them down. [`InMemory::carry_datagrams`] puts one
//! under the virtual world, [`Linked`] one around a socket of either.

mod broker;
mod captured;
mod clock;
mod connection;
mod datagrams;
pub mod http;
mod in_memory;
mod in_memory_udp;
pub mod limits;
mod link;
mod linked;
mod lossy;
mod nat;
mod sockets;
mod traced;
mod udp;

pub use broker::{BrokerUrl, NoBroker};
pub use captured::{Captured, Pcapng, Tap};
pub use clock::{Clock, UnixMillis};
pub use connection::{Accept, BoxFuture, Connect, Duplex, Network, Stream};
pub use datagrams::{Datagram, Datagrams};
pub use in_memory::InMemory;
pub use link::{Fate, Link, Loss, Shared, VirtualLink};
pub use linked::Linked;
pub use lossy::{Direction, Lossy, LossyOptions};
pub use sockets::Sockets;
pub use traced::{Sighting, Traced, What};
