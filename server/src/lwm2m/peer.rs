//! Who is on the other side of a message.

use std::{fmt, net::SocketAddr};

/// An address, and which of our sockets it speaks to. The same address over UDP and over DTLS are
/// two peers: what one said holds nothing for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Peer {
    /// Where it is.
    pub(crate) address: SocketAddr,
    /// It speaks DTLS.
    pub(crate) secured: bool,
}

impl fmt::Display for Peer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(out)
    }
}
