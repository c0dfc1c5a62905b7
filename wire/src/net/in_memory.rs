//! The virtual world: connections that are pipes in memory, datagrams that cross a link.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{io::duplex, sync::mpsc};

use super::{
    Accept, BoxFuture, Clock, Connect, Datagrams, Link, Network, Stream, in_memory_udp::VirtualUdp,
};

/// Bytes one direction of a pipe holds before its writer has to wait, as a TCP window would.
const PIPE_BYTES: usize = 64 * 1024;
/// Connections that may wait for `accept`, as a listen backlog would.
const BACKLOG: usize = 1024;
/// The first port handed out for port 0, and the first one of a connecting peer.
const FIRST_EPHEMERAL_PORT: u16 = 49_152;

/// An in-memory network of one host that answers to every loopback address and to `localhost`.
///
/// Its UDP knows every other address too, so that each of thousands of simulated devices can have
/// one (see [`Datagrams`]).
///
/// Clones share the network. Deterministic: ports are handed out in order, datagrams arrive in the
/// order of the link. Use it on a current-thread runtime with the clock paused.
#[derive(Clone, Debug, Default)]
pub struct InMemory {
    ports: Arc<Mutex<Ports>>,
    udp: Arc<VirtualUdp>,
}

#[derive(Debug, Default)]
struct Ports {
    listening: BTreeMap<u16, mpsc::Sender<(Arrival, SocketAddr)>>,
    /// How many ephemeral ports were handed out.
    used: u16,
}

type Arrival = tokio::io::DuplexStream;

impl InMemory {
    /// An empty network.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets all datagrams cross `link` instead of a perfect one, at the times of `clock`. Those
    /// under way on the link before are lost.
    pub fn carry_datagrams(&self, link: impl Link + 'static, clock: Clock) {
        self.udp.replace_link(Box::new(link), clock);
    }

    /// Sends a datagram in the name of any address, as somebody on the way can.
    pub fn send_as(&self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        self.udp.send(from, to, bytes);
    }

    fn ports(&self) -> MutexGuard<'_, Ports> {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ports {
    fn next_ephemeral(&mut self) -> u16 {
        loop {
            let port = FIRST_EPHEMERAL_PORT + self.used % (u16::MAX - FIRST_EPHEMERAL_PORT);
            self.used = self.used.wrapping_add(1);
            if !self.listening.contains_key(&port) {
                return port;
            }
        }
    }
}

impl Connect for InMemory {
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Stream>> {
        Box::pin(async move {
            let loopback = host == "localhost"
                || host
                    .parse::<IpAddr>()
                    .is_ok_and(|address| address.is_loopback());
            if !loopback {
                return Err(io::Error::new(
                    io::ErrorKind::NotFound,
                    format!("`{host}` is not on the virtual network, which has loopback only"),
                ));
            }
            let (listener, from) = {
                let mut ports = self.ports();
                let from = ports.next_ephemeral();
                (ports.listening.get(&port).cloned(), from)
            };
            let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
            let listener = listener.ok_or_else(refused)?;
            let (near, far) = duplex(PIPE_BYTES);
            let peer = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), from);
            listener.send((far, peer)).await.map_err(|_| refused())?;
            Ok(Box::new(near) as Stream)
        })
    }
}

impl Network for InMemory {
    fn listen(&self, addr: SocketAddr) -> io::Result<Box<dyn Accept>> {
        let mut ports = self.ports();
        let port = if addr.port() == 0 {
            ports.next_ephemeral()
        } else {
            addr.port()
        };
        if ports
            .listening
            .get(&port)
            .is_some_and(|listener| !listener.is_closed())
        {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let (arrivals, queue) = mpsc::channel(BACKLOG);
        ports.listening.insert(port, arrivals);
        Ok(Box::new(Listener {
            queue,
            local: SocketAddr::new(addr.ip(), port),
        }))
    }

    fn bind(&self, mut addr: SocketAddr) -> io::Result<Box<dyn Datagrams>> {
        if addr.port() == 0 {
            let mut ports = self.ports();
            let free = (FIRST_EPHEMERAL_PORT..u16::MAX)
                .map(|_| ports.next_ephemeral())
                .find(|port| !self.udp.is_bound(*port));
            addr.set_port(free.ok_or(io::ErrorKind::AddrInUse)?);
        }
        self.udp.bind(addr)
    }

    fn is_virtual(&self) -> bool {
        true
    }
}

struct Listener {
    queue: mpsc::Receiver<(Arrival, SocketAddr)>,
    local: SocketAddr,
}

impl Accept for Listener {
    fn local_addr(&self) -> SocketAddr {
        self.local
    }

    fn accept(&mut self) -> BoxFuture<'_, io::Result<(Stream, SocketAddr)>> {
        Box::pin(async move {
            let (stream, peer) = self
                .queue
                .recv()
                .await
                .ok_or_else(|| io::Error::other("the virtual network is gone"))?;
            Ok((Box::new(stream) as Stream, peer))
        })
    }
}
