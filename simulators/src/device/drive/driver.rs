//! A fleet's socket and clock.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fotalab_wire::net::{BoxFuture, Clock, Datagram, Datagrams, Network};
use futures_util::StreamExt as _;
use futures_util::future::select_all;
use futures_util::stream::FuturesUnordered;

use super::fleet::Fleet;
use super::http::{self, Answered, Download};
use crate::limits;

/// Whose it is, and status and body of a document that came, if one came.
type Document = BoxFuture<'static, (usize, Option<(u16, Bytes)>)>;

/// Moves a fleet: what it sends goes out, what arrives goes in, its timers are kept.
///
/// A server on this machine is reached through one socket, from which each device sends with an
/// address of its own. Any other is reached through one socket for each device, at most
/// [`limits::FLEET_SOCKETS`], since this host has no more addresses to give.
pub struct Driver {
    /// The devices.
    pub fleet: Fleet,
    sockets: Sockets,
    clock: Clock,
    received: Vec<Datagram>,
    network: Arc<dyn Network>,
    requests: FuturesUnordered<BoxFuture<'static, Answered>>,
    /// The request of each device that still counts.
    asked: BTreeMap<usize, u64>,
    serial: u64,
    downloads: Vec<Download>,
    /// Answers to what devices ask over HTTP, by device.
    documents: FuturesUnordered<Document>,
    bind: Bind,
}

/// Opens a socket: for one device, by its index, or for all of them.
pub type Bind = Box<dyn FnMut(Option<usize>) -> io::Result<Box<dyn Datagrams>> + Send>;

enum Sockets {
    Shared(Box<dyn Datagrams>),
    /// By device.
    Each(Vec<Box<dyn Datagrams>>),
}

impl Driver {
    /// Opens the sockets for a fleet whose server is at `server`.
    ///
    /// # Errors
    /// What the network says, or the fleet is too large for its sockets.
    pub fn new(
        fleet: Fleet,
        network: Arc<dyn Network>,
        server: SocketAddr,
        clock: Clock,
    ) -> io::Result<Self> {
        let here = server.is_ipv4() && (network.is_virtual() || server.ip().is_loopback());
        let any: IpAddr = match server {
            SocketAddr::V4(_) => [0, 0, 0, 0].into(),
            SocketAddr::V6(_) => [0_u16; 8].into(),
        };
        let udp = Arc::clone(&network);
        let bind: Bind = Box::new(move |device| match device {
            None => udp.bind(([0, 0, 0, 0], 0).into()),
            Some(_) => udp.bind((any, 0).into()),
        });
        Self::with_sockets(fleet, network, here, clock, bind)
    }

    /// The same with sockets from `bind`: one for all, or one for each device.
    ///
    /// # Errors
    /// What `bind` says, or the fleet is too large for its sockets.
    pub fn with_sockets(
        fleet: Fleet,
        network: Arc<dyn Network>,
        shared: bool,
        clock: Clock,
        mut bind: Bind,
    ) -> io::Result<Self> {
        let mut sockets = if shared {
            Sockets::Shared(bind(None)?)
        } else {
            Sockets::Each(Vec::new())
        };
        sockets.fill(fleet.len(), &mut bind)?;
        Ok(Self {
            fleet,
            sockets,
            clock,
            received: Vec::new(),
            network,
            requests: FuturesUnordered::new(),
            asked: BTreeMap::new(),
            serial: 0,
            downloads: Vec::new(),
            documents: FuturesUnordered::new(),
            bind,
        })
    }

    /// Gives a device another address, as a mobile network does.
    ///
    /// # Errors
    /// No socket can be opened for it.
    pub fn rebind(&mut self, index: usize) -> io::Result<()> {
        match &mut self.sockets {
            Sockets::Shared(_) => self.fleet.move_away(index),
            Sockets::Each(sockets) => {
                let socket = (self.bind)(Some(index))?;
                if let Some(old) = sockets.get_mut(index) {
                    *old = socket;
                }
            }
        }
        Ok(())
    }

    /// The time of its world, as the fleet's methods take it.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.clock.elapsed()
    }

    /// Moves until `until`. Safe to drop before it is ready: a datagram may be lost then, as on
    /// any network.
    ///
    /// # Errors
    /// The socket is broken. What a host answers to a datagram nobody wanted is no error.
    pub async fn run_until(&mut self, until: Duration) -> io::Result<()> {
        self.run(until, false).await
    }

    /// Moves until something happened that [`Fleet::poll_event`] tells. Safe to drop as above.
    ///
    /// # Errors
    /// As above.
    pub async fn run_until_event(&mut self) -> io::Result<()> {
        self.run(Duration::MAX, true).await
    }

    async fn run(&mut self, until: Duration, eventful: bool) -> io::Result<()> {
        self.sockets.fill(self.fleet.len(), &mut self.bind)?;
        loop {
            let now = self.clock.elapsed();
            if self.fleet.poll_timeout().is_some_and(|at| at <= now) {
                self.fleet.handle_timeout(now);
            }
            self.write_downloads(now);
            self.ask_for_packages();
            self.flush().await?;
            let now = self.clock.elapsed();
            if now >= until || eventful && self.fleet.has_events() {
                return Ok(());
            }
            let due = self.downloads.iter().map(|it| it.due).min();
            let next = [self.fleet.poll_timeout(), due].into_iter().flatten().min();
            let next = next.map_or(until, |at| at.min(until));
            let pause = tokio::time::sleep(next.saturating_sub(now));
            self.received.clear();
            let arrived = tokio::select! {
                biased;
                arrived = self.sockets.receive(&mut self.received) => Some(arrived),
                Some(answered) = self.requests.next() => {
                    self.take(answered);
                    None
                }
                Some((index, answer)) = self.documents.next() => {
                    let now = self.clock.elapsed();
                    let answer = answer.as_ref().map(|(status, body)| (*status, &body[..]));
                    self.fleet.with(now, index, |device| device.answered(now, answer));
                    None
                }
                () = pause => None,
            };
            let now = self.clock.elapsed();
            match arrived {
                None => {}
                Some(Ok(of)) => {
                    for datagram in &mut self.received {
                        if let Some(address) = of.and_then(|index| self.fleet.address(index)) {
                            datagram.to.set_ip(address);
                        }
                        self.fleet.handle_datagram(now, datagram);
                    }
                }
                // ICMP's word that nobody listens there: the next try may find somebody.
                Some(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Some(Err(error)) => return Err(error),
            }
        }
    }

    fn ask_for_packages(&mut self) {
        while let Some((index, uri)) = self.fleet.poll_question() {
            let network = Arc::clone(&self.network);
            let asked = http::document(network, uri);
            self.documents
                .push(Box::pin(async move { (index, asked.await) }));
        }
        while let Some((index, wish)) = self.fleet.poll_wish() {
            self.asked.remove(&index);
            self.downloads.retain(|it| it.index() != index);
            if let Some(wish) = wish {
                self.serial += 1;
                self.asked.insert(index, self.serial);
                let network = Arc::clone(&self.network);
                self.requests
                    .push(http::fetch(network, index, self.serial, wish));
            }
        }
    }

    fn take(&mut self, answered: Answered) {
        let (index, serial) = answered.of();
        if self.asked.get(&index) == Some(&serial) {
            self.asked.remove(&index);
            let now = self.clock.elapsed();
            self.downloads.extend(answered.begin(now, &mut self.fleet));
        }
    }

    fn write_downloads(&mut self, now: Duration) {
        let fleet = &mut self.fleet;
        self.downloads.retain_mut(|it| it.go_on(now, fleet));
    }

    async fn flush(&mut self) -> io::Result<()> {
        while let Some(datagram) = self.fleet.poll_transmit() {
            let Datagram { from, to, bytes } = &datagram;
            let sent = match &self.sockets {
                Sockets::Shared(socket) => socket.send(*from, *to, bytes).await,
                Sockets::Each(sockets) => {
                    let index = self.fleet.index_of(from.ip());
                    match index.and_then(|index| sockets.get(index)) {
                        Some(socket) => socket.send_to(*to, bytes).await,
                        None => Ok(()),
                    }
                }
            };
            match sent {
                Err(error) if is_fatal(&error) => return Err(error),
                // A datagram that cannot go is lost, as one that gets lost on its way.
                _ => {}
            }
        }
        Ok(())
    }
}

impl Sockets {
    /// Opens those that are missing for so many devices.
    fn fill(&mut self, devices: usize, bind: &mut Bind) -> io::Result<()> {
        let Self::Each(sockets) = self else {
            return Ok(());
        };
        if devices > limits::FLEET_SOCKETS {
            let most = limits::FLEET_SOCKETS;
            let why = format!("at most {most} devices reach a server that is not on 127/8");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        while sockets.len() < devices {
            sockets.push(bind(Some(sockets.len()))?);
        }
        Ok(())
    }

    /// Whose socket it was, where each device has its own.
    async fn receive(&self, received: &mut Vec<Datagram>) -> io::Result<Option<usize>> {
        match self {
            Self::Shared(socket) => socket.recv(received).await.map(|()| None),
            Self::Each(sockets) if sockets.is_empty() => std::future::pending().await,
            Self::Each(sockets) => {
                let waiting = sockets.iter().map(|socket| {
                    Box::pin(async move {
                        let mut received = Vec::new();
                        let done = socket.recv(&mut received).await;
                        (done, received)
                    })
                });
                let ((done, mut arrived), index, _) = select_all(waiting).await;
                received.append(&mut arrived);
                done.map(|()| Some(index))
            }
        }
    }
}

fn is_fatal(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    matches!(
        error.kind(),
        K::NotConnected | K::BrokenPipe | K::PermissionDenied
    )
}
