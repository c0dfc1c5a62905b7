//! What servers and clients tell.

use std::net::SocketAddr;

use bytes::Bytes;

use super::Failure;

/// What a [`Server`](super::Server) tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerEvent {
    /// A handshake is complete.
    Established {
        /// The address that stands for the session.
        peer: SocketAddr,
        /// The PSK identity that the peer proved to have.
        identity: Bytes,
        /// There was an older session, which is gone: the peer lost it (contract 2.9).
        replaced: bool,
    },
    /// A peer sent this.
    Data {
        /// Whose session it came over.
        peer: SocketAddr,
        /// The plaintext.
        bytes: Bytes,
    },
    /// A session is over.
    Closed {
        /// Whose it was.
        peer: SocketAddr,
        /// Why.
        end: End,
    },
    /// A handshake failed whose peer is really there. Handshakes of addresses that may be forged
    /// end without a word.
    Failed {
        /// Whose it was.
        peer: SocketAddr,
        /// Why; the peer was told less.
        reason: Failure,
    },
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// The peer sent `close_notify`.
    Peer,
    /// This end closed it.
    Local,
    /// Nothing was heard of the peer for too long.
    Idle,
    /// There were too many sessions, and this one was idle longest.
    Evicted,
    /// It broke.
    Failed(Failure),
}

/// What a [`Client`](super::Client) tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientEvent {
    /// The handshake is complete.
    Established,
    /// The server sent this.
    Data(Bytes),
    /// The session is over.
    Closed(End),
    /// The handshake failed.
    Failed(Failure),
}
