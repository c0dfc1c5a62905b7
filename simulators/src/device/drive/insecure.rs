//! What stands for DTLS in a build without it: no session can be made.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use super::KeyLog;

/// A pre-shared key and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Psk {
    /// The identity, at most 128 bytes.
    pub identity: Vec<u8>,
    /// The key, at most 64 bytes.
    pub key: Vec<u8>,
}

#[derive(Debug)]
pub(super) enum Secure {}

/// A datagram to send.
#[derive(Debug)]
pub(super) struct Sealed {
    pub(super) to: SocketAddr,
    pub(super) bytes: Bytes,
    pub(super) plain: Option<Bytes>,
}

impl Secure {
    pub(super) fn new(_: SocketAddr, _: &Psk, _: Option<u64>, _: Option<&KeyLog>) -> Option<Self> {
        None
    }

    pub(super) fn send(&mut self, _: Duration, _: SocketAddr, _: &Bytes) {}

    pub(super) fn speaks_with(&self, _: SocketAddr) -> bool {
        match *self {}
    }

    pub(super) fn receive(&mut self, _: Duration, _: SocketAddr, _: &[u8]) -> Vec<Bytes> {
        match *self {}
    }

    pub(super) fn handle_timeout(&mut self, _: Duration) {}

    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        match *self {}
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Sealed> {
        match *self {}
    }

    pub(super) fn forget_all(&mut self) {}

    pub(super) fn forget(&mut self, _: SocketAddr) {}
}
