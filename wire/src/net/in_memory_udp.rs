//! UDP of the virtual world: sockets that are queues, with one [`Link`] between all of them.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt, io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::Notify;

use super::{
    BoxFuture, Clock, Datagram, Datagrams, Link, VirtualLink,
    limits::{MAX_DATAGRAM_BYTES, RECEIVE_BATCH, SOCKET_QUEUE},
};

/// All the UDP of one virtual network. Every address is an address of its one host: a socket on
/// the wildcard address hears everybody's datagrams to its port that no more exact socket takes.
pub(super) struct VirtualUdp {
    state: Mutex<State>,
}

struct State {
    link: Box<dyn Link>,
    clock: Option<Clock>,
    /// The wildcard is `0.0.0.0`, for IPv6 too.
    sockets: BTreeMap<(IpAddr, u16), Arc<Queue>>,
}

#[derive(Default)]
struct Queue {
    waiting: Mutex<VecDeque<Datagram>>,
    arrived: Notify,
}

impl Default for VirtualUdp {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                link: Box::new(VirtualLink::new()),
                clock: None,
                sockets: BTreeMap::new(),
            }),
        }
    }
}

impl fmt::Debug for VirtualUdp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VirtualUdp")
            .field("sockets", &self.state().sockets.len())
            .finish_non_exhaustive()
    }
}

impl VirtualUdp {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn replace_link(&self, link: Box<dyn Link>, clock: Clock) {
        let mut state = self.state();
        state.link = link;
        state.clock = Some(clock);
    }

    pub(super) fn is_bound(&self, port: u16) -> bool {
        self.state().sockets.keys().any(|(_, taken)| *taken == port)
    }

    pub(super) fn bind(self: &Arc<Self>, addr: SocketAddr) -> io::Result<Box<dyn Datagrams>> {
        let mut state = self.state();
        let key = (wildcard_or(addr.ip()), addr.port());
        if state.sockets.contains_key(&key) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let queue = Arc::new(Queue::default());
        state.sockets.insert(key, Arc::clone(&queue));
        Ok(Box::new(Socket {
            network: Arc::clone(self),
            local: addr,
            key,
            queue,
        }))
    }

    /// Moves what has arrived into the queues; tells when more arrives.
    fn deliver(&self) -> Option<Duration> {
        let mut state = self.state();
        let now = state.now();
        while let Some(datagram) = state.link.poll_deliver(now) {
            let exact = (datagram.to.ip(), datagram.to.port());
            let any = (IpAddr::V4(Ipv4Addr::UNSPECIFIED), datagram.to.port());
            let socket = state
                .sockets
                .get(&exact)
                .or_else(|| state.sockets.get(&any));
            if let Some(queue) = socket {
                let mut waiting = queue.lock();
                if waiting.len() < SOCKET_QUEUE {
                    waiting.push_back(datagram);
                    queue.arrived.notify_one();
                }
            }
        }
        state.link.poll_timeout().map(|at| at.saturating_sub(now))
    }
}

impl State {
    fn now(&mut self) -> Duration {
        self.clock
            .get_or_insert_with(|| Clock::starting_at(0))
            .elapsed()
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Datagram>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wildcard_or(address: IpAddr) -> IpAddr {
    if address.is_unspecified() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED)
    } else {
        address
    }
}

struct Socket {
    network: Arc<VirtualUdp>,
    local: SocketAddr,
    key: (IpAddr, u16),
    queue: Arc<Queue>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.network.state().sockets.remove(&self.key);
    }
}

impl Datagrams for Socket {
    fn local_addr(&self) -> SocketAddr {
        self.local
    }

    fn recv<'a>(&'a self, received: &'a mut Vec<Datagram>) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(async move {
            loop {
                // Whoever waits drives the link for everybody; all agree on its order.
                let next = self.network.deliver();
                {
                    let mut waiting = self.queue.lock();
                    if !waiting.is_empty() {
                        let batch = waiting.len().min(RECEIVE_BATCH);
                        received.extend(waiting.drain(..batch));
                        return Ok(());
                    }
                }
                let arrival = self.queue.arrived.notified();
                match next {
                    Some(wait) => {
                        // The end of the wait is news as good as an arrival.
                        let _ = tokio::time::timeout(wait, arrival).await;
                    }
                    None => arrival.await,
                }
            }
        })
    }

    fn try_send(&self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() > MAX_DATAGRAM_BYTES {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{} bytes do not fit into a UDP datagram", bytes.len()),
            ));
        }
        let from = match (from.ip(), self.local.ip()) {
            (from, local) if local.is_unspecified() => {
                if from.is_unspecified() {
                    IpAddr::V4(Ipv4Addr::LOCALHOST)
                } else {
                    from
                }
            }
            (from, local) if from == local || from.is_unspecified() => local,
            _ => return Err(io::ErrorKind::AddrNotAvailable.into()),
        };
        let from = SocketAddr::new(from, self.local.port());
        self.network.send(from, to, bytes);
        Ok(())
    }

    fn writable(&self) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

impl VirtualUdp {
    /// Puts a datagram on the link, whoever its sender is said to be.
    pub(super) fn send(&self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let before = {
            let mut state = self.state();
            let now = state.now();
            let before = state.link.poll_timeout();
            let bytes = Bytes::copy_from_slice(bytes);
            state.link.send(now, Datagram { from, to, bytes });
            before.map(|at| at.saturating_sub(now))
        };
        // What is due at once is delivered here. Who waits for the next arrival must know when
        // that has become earlier.
        let next = self.deliver();
        if next.is_some() && before.is_none_or(|before| next < Some(before)) {
            self.wake_all();
        }
    }

    /// Lets everybody who waits look at the link's next time again.
    fn wake_all(&self) {
        for queue in self.state().sockets.values() {
            queue.arrived.notify_one();
        }
    }
}
