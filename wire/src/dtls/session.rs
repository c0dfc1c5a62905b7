//! `SecureSession`: one secured association with one peer, without I/O.

use std::time::Duration;

use bytes::Bytes;

/// Seals and opens what crosses between two peers.
///
/// The contract of the implementations: after each call that takes `&mut self` other than the
/// polls, ask [`poll_output`](Self::poll_output) until it says `None`, then
/// [`poll_timeout`](Self::poll_timeout). `now` is the time since the world began and never less
/// than in the call before. An error is final: nothing more comes out of the session, drop it.
pub trait SecureSession: Send {
    /// Takes a datagram of the peer. What cannot be authentic is ignored, as RFC 6347, section
    /// 4.1.2.7 wants; not so during the handshake, where a record that does not open ends it.
    ///
    /// # Errors
    /// The session is over.
    fn handle_datagram(&mut self, now: Duration, datagram: &[u8]) -> Result<(), Failure>;

    /// Does what is due by `now`: retransmissions, giving up.
    ///
    /// # Errors
    /// The session is over.
    fn handle_timeout(&mut self, now: Duration) -> Result<(), Failure>;

    /// Seals `plaintext` into one record; it comes out of [`poll_output`](Self::poll_output).
    ///
    /// # Errors
    /// The session is not established, or over.
    fn send(&mut self, now: Duration, plaintext: &[u8]) -> Result<(), Failure>;

    /// Says goodbye to the peer, where there is a session to end.
    fn close(&mut self, now: Duration);

    /// What the session has to say next.
    fn poll_output(&mut self) -> Option<Output>;

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    fn poll_timeout(&self) -> Option<Duration>;
}

/// What a session says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this to the peer.
    Transmit(Bytes),
    /// The handshake is complete, and this is who the peer proved to be.
    Established {
        /// The PSK identity.
        identity: Bytes,
    },
    /// The peer sent this.
    Data(Bytes),
    /// The peer said goodbye.
    Closed,
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Failure {
    /// No key is known for the peer's identity. The peer cannot tell this from [`WrongKey`].
    ///
    /// [`WrongKey`]: Self::WrongKey
    #[error("the PSK identity is unknown")]
    UnknownIdentity,
    /// The peer's key is another one, or a record of its handshake was damaged on the way.
    #[error("the keys differ, or a record of the handshake was damaged")]
    WrongKey,
    /// The handshake did not come to its end in time.
    #[error("the handshake timed out")]
    Timeout,
    /// The peer sent a fatal alert (RFC 5246, section 7.2).
    #[error("the peer sent fatal alert {0}")]
    Alert(u8),
    /// What the peer offers or sends is not what this end speaks: no common cipher suite, no
    /// extended master secret, another version.
    #[error("the peer does not speak DTLS 1.2 with TLS_PSK_WITH_AES_128_CCM_8 as this end does")]
    Handshake,
    /// The peer sent more than the session holds.
    #[error("a queue of the session is full")]
    QueueFull,
    /// There is no established session to send over.
    #[error("there is no established session")]
    NotEstablished,
    /// The plaintext is larger than a record.
    #[error("the plaintext is larger than a record")]
    TooLarge,
}

impl Failure {
    /// The fatal alert that tells the peer, where it may know (RFC 5246, section 7.2.2). Unknown
    /// identities and wrong keys look the same: `bad_record_mac`.
    #[must_use]
    pub fn alert(self) -> Option<u8> {
        match self {
            Self::UnknownIdentity | Self::WrongKey => Some(20),
            Self::Handshake => Some(40),
            Self::QueueFull => Some(80),
            Self::Timeout | Self::Alert(_) | Self::NotEstablished | Self::TooLarge => None,
        }
    }
}
