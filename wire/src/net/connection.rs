//! `Connect` and `Accept`: the pair that every client and every listener goes through.

use std::{future::Future, io, net::SocketAddr, pin::Pin};

use tokio::io::{AsyncRead, AsyncWrite};

use super::Datagrams;

/// A boxed future, as the object-safe traits here return them.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A byte stream both ways: a TCP connection, or one end of an in-memory pipe.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// One connection.
pub type Stream = Box<dyn Duplex>;

/// Opens connections.
pub trait Connect: Send + Sync {
    /// Connects to `host` (a name or an address, IPv6 without brackets) and `port`.
    ///
    /// # Errors
    /// What a socket would say: refused, unreachable, not resolved.
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Stream>>;
}

/// Takes connections.
pub trait Accept: Send {
    /// Where it listens; the port is never 0.
    fn local_addr(&self) -> SocketAddr;

    /// The next connection and who opened it. Safe to drop before it is ready.
    ///
    /// # Errors
    /// A failed connection attempt; the listener itself stays usable.
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(Stream, SocketAddr)>>;
}

/// One of the two worlds.
pub trait Network: Connect {
    /// Listens on `addr`; port 0 picks a free one.
    ///
    /// # Errors
    /// The port is taken, or the address is not one of this machine.
    fn listen(&self, addr: SocketAddr) -> io::Result<Box<dyn Accept>>;

    /// Opens a UDP socket on `addr`; port 0 picks a free one. See [`Datagrams`] for what the
    /// wildcard address means.
    ///
    /// # Errors
    /// The port is taken, or the address is not one of this machine.
    fn bind(&self, addr: SocketAddr) -> io::Result<Box<dyn Datagrams>>;

    /// Whether time is tokio's paused clock and no socket exists.
    fn is_virtual(&self) -> bool;
}
