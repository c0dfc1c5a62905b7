//! Every bound of the datagram links, by name.

/// Largest UDP payload over IPv4: 65,535 less 20 of IP and 8 of UDP (RFC 768, RFC 791).
pub const MAX_DATAGRAM_BYTES: usize = 65_507;

/// Datagrams that a real socket takes from the kernel with one call.
pub const RECEIVE_BATCH: usize = 32;

/// Datagrams that wait for one virtual socket; more are lost, as with a full receive buffer.
pub const SOCKET_QUEUE: usize = 65_536;

/// Datagrams under way on one link; more are lost, as with a full router.
pub const LINK_QUEUE: usize = 1 << 20;

/// Paths (pairs of addresses) whose order and rate a [`Lossy`](super::Lossy) link remembers.
/// Above it, those with nothing under way are forgotten, which no peer can tell.
pub const PATHS: usize = 65_536;

/// Bindings that the NAT of a [`Lossy`](super::Lossy) link holds; the one idle longest makes
/// room.
pub const NAT_BINDINGS: usize = 262_144;

/// Addresses of its own side that a [`Linked`](super::Linked) socket on a wildcard address knows.
pub const OWN_ADDRESSES: usize = 262_144;

/// Datagrams that wait for a busy socket behind a [`Linked`](super::Linked) one; more are lost.
pub const UNSENT: usize = 4_096;

/// First port that a NAT hands out for a new binding.
pub const FIRST_NAT_PORT: u16 = 20_000;
