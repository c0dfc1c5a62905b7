//! `Datagrams`: UDP as both worlds offer it.

use std::{io, net::SocketAddr};

use bytes::Bytes;

use super::BoxFuture;

/// One datagram with both its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Who sent it, as the receiver sees it.
    pub from: SocketAddr,
    /// Whom it is for.
    pub to: SocketAddr,
    /// The UDP payload.
    pub bytes: Bytes,
}

/// A UDP socket of one of the two worlds; [`Network::bind`](super::Network::bind) makes it.
///
/// One socket serves many addresses: bound to the wildcard address (`0.0.0.0:0`), it may send
/// from every address of its host (all of 127/8 on a real machine's loopback) and hears what is
/// sent to any of them on its port. That is how a fleet of devices shares one socket while a
/// server sees distinct peers. Bound to one address, it sends from that one.
pub trait Datagrams: Send + Sync {
    /// Where it is bound; the port is never 0, the address may be the wildcard.
    fn local_addr(&self) -> SocketAddr;

    /// Waits for a datagram and appends it and what else already waits, at most
    /// [`RECEIVE_BATCH`](super::limits::RECEIVE_BATCH). Safe to drop before it is ready.
    /// One task at a time; a second one may starve.
    ///
    /// # Errors
    /// What the socket says; it stays usable.
    fn recv<'a>(&'a self, received: &'a mut Vec<Datagram>) -> BoxFuture<'a, io::Result<()>>;

    /// Sends at once or says [`io::ErrorKind::WouldBlock`]. `from`'s port is not looked at: it is
    /// always the socket's own. An unspecified `from` leaves the choice to the host.
    ///
    /// # Errors
    /// The socket is busy, the datagram too big, or `from` not an address of this host.
    fn try_send(&self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) -> io::Result<()>;

    /// Waits until [`try_send`](Self::try_send) may work again.
    ///
    /// # Errors
    /// What the socket says.
    fn writable(&self) -> BoxFuture<'_, io::Result<()>>;

    /// Sends, waiting for the socket when it is busy.
    ///
    /// # Errors
    /// As [`try_send`](Self::try_send), but never `WouldBlock`.
    fn send<'a>(
        &'a self,
        from: SocketAddr,
        to: SocketAddr,
        bytes: &'a [u8],
    ) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(async move {
            loop {
                match self.try_send(from, to, bytes) {
                    Err(why) if why.kind() == io::ErrorKind::WouldBlock => self.writable().await?,
                    done => return done,
                }
            }
        })
    }

    /// Sends from the address that it is bound to, or that the host chooses.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    fn send_to<'a>(&'a self, to: SocketAddr, bytes: &'a [u8]) -> BoxFuture<'a, io::Result<()>> {
        self.send(self.local_addr(), to, bytes)
    }
}
