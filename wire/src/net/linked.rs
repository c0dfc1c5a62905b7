//! `Linked`: a link around a socket, so that real traffic can be harmed, traced and captured too.

use std::{
    collections::{BTreeSet, VecDeque},
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::Notify;

use super::{
    BoxFuture, Clock, Datagram, Datagrams, Link,
    limits::{OWN_ADDRESSES, RECEIVE_BATCH, UNSENT},
};

/// A socket whose datagrams, both ways, first cross a [`Link`].
///
/// What is under way moves while somebody waits in [`recv`](Datagrams::recv).
pub struct Linked<L> {
    socket: Box<dyn Datagrams>,
    clock: Clock,
    state: Mutex<State<L>>,
    sent: Notify,
}

struct State<L> {
    link: L,
    /// The addresses of this side, on a socket that is bound to the wildcard.
    own: BTreeSet<IpAddr>,
    /// What has crossed the link while the socket was busy.
    unsent: VecDeque<Datagram>,
}

impl<L: Link> Linked<L> {
    /// Puts `link` around `socket`; its times are those of `clock`.
    #[must_use]
    pub fn new(socket: Box<dyn Datagrams>, link: L, clock: Clock) -> Self {
        Self {
            socket,
            clock,
            state: Mutex::new(State {
                link,
                own: BTreeSet::new(),
                unsent: VecDeque::new(),
            }),
            sent: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State<L>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves what has arrived to `received` or out of the socket; tells when there will be more,
    /// and whether something waits for the socket.
    fn deliver(&self, received: &mut Vec<Datagram>) -> (Option<Duration>, bool) {
        let now = self.clock.elapsed();
        let local = self.socket.local_addr();
        let mut state = self.state();
        while let Some(datagram) = state.unsent.front() {
            if self.is_busy(datagram) {
                break;
            }
            state.unsent.pop_front();
        }
        while received.len() < RECEIVE_BATCH {
            let Some(datagram) = state.link.poll_deliver(now) else {
                break;
            };
            if state.is_ours(local, datagram.to) {
                received.push(datagram);
            } else {
                let waits = !state.unsent.is_empty() || self.is_busy(&datagram);
                // More than that is lost, as with a full send buffer.
                if waits && state.unsent.len() < UNSENT {
                    state.unsent.push_back(datagram);
                }
            }
        }
        (state.link.poll_timeout(), !state.unsent.is_empty())
    }

    /// Sends a datagram, unless the socket is busy: a fresh one is until its runtime has looked.
    /// What it says otherwise loses a datagram, which UDP may.
    fn is_busy(&self, datagram: &Datagram) -> bool {
        let Datagram { from, to, bytes } = datagram;
        let sent = self.socket.try_send(*from, *to, bytes);
        sent.is_err_and(|why| why.kind() == io::ErrorKind::WouldBlock)
    }

    async fn pause(&self, until: Option<Duration>) {
        match until {
            Some(at) => tokio::time::sleep(at.saturating_sub(self.clock.elapsed())).await,
            None => std::future::pending().await,
        }
    }
}

impl<L> State<L> {
    fn is_ours(&self, local: SocketAddr, to: SocketAddr) -> bool {
        to.port() == local.port()
            && if local.ip().is_unspecified() {
                self.own.contains(&to.ip())
            } else {
                to.ip() == local.ip()
            }
    }

    fn note_own(&mut self, address: IpAddr) {
        if self.own.len() < OWN_ADDRESSES {
            self.own.insert(address);
        }
    }
}

impl<L> fmt::Debug for Linked<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Linked")
            .field("local", &self.socket.local_addr())
            .finish_non_exhaustive()
    }
}

impl<L: Link> Datagrams for Linked<L> {
    fn local_addr(&self) -> SocketAddr {
        self.socket.local_addr()
    }

    fn recv<'a>(&'a self, received: &'a mut Vec<Datagram>) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(async move {
            let mut arrived = Vec::new();
            let already = received.len();
            loop {
                let mut due = Vec::new();
                let (next, waits) = self.deliver(&mut due);
                received.append(&mut due);
                if received.len() > already {
                    return Ok(());
                }
                tokio::select! {
                    biased;
                    result = self.socket.recv(&mut arrived) => {
                        result?;
                        let now = self.clock.elapsed();
                        let mut state = self.state();
                        for datagram in arrived.drain(..) {
                            state.note_own(datagram.to.ip());
                            state.link.send(now, datagram);
                        }
                    }
                    () = self.sent.notified() => {}
                    _ = self.socket.writable(), if waits => {}
                    () = self.pause(next) => {}
                }
            }
        })
    }

    fn try_send(&self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) -> io::Result<()> {
        let local = self.socket.local_addr();
        let from = SocketAddr::new(
            if from.ip().is_unspecified() {
                local.ip()
            } else {
                from.ip()
            },
            local.port(),
        );
        {
            let mut state = self.state();
            state.note_own(from.ip());
            state.link.send(
                self.clock.elapsed(),
                Datagram {
                    from,
                    to,
                    bytes: Bytes::copy_from_slice(bytes),
                },
            );
        }
        self.sent.notify_one();
        Ok(())
    }

    fn writable(&self) -> BoxFuture<'_, io::Result<()>> {
        self.socket.writable()
    }
}
