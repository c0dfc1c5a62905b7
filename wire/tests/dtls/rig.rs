//! One server and its clients on a virtual link, in the manner of quinn-proto's `Pair`.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use fotalab_wire::{
    dtls::{
        Client, ClientEvent, PskLookup, PskOptions, Randomness, Server, ServerEvent, ServerOptions,
    },
    net::{Datagram, Link, Lossy, LossyOptions, VirtualLink},
};

pub(crate) const IDENTITY: &[u8] = b"urn:imei:490154203237518";
pub(crate) const KEY: &[u8] = b"a key of its own";
const LATENCY: Duration = Duration::from_millis(50);

type Tamper = Box<dyn FnMut(usize, &mut Datagram) -> bool>;

pub(crate) struct Rig {
    pub(crate) now: Duration,
    pub(crate) link: Lossy<VirtualLink>,
    pub(crate) server: Server,
    pub(crate) clients: BTreeMap<SocketAddr, Client>,
    pub(crate) server_events: Vec<ServerEvent>,
    pub(crate) client_events: Vec<(SocketAddr, ClientEvent)>,
    /// All that was sent, in order.
    pub(crate) sent: Vec<Datagram>,
    /// Called with the number of the datagram; `false` loses it.
    pub(crate) tamper: Tamper,
}

pub(crate) fn server_address() -> SocketAddr {
    ([127, 0, 0, 1], 5_684).into()
}

pub(crate) fn device(n: u8) -> SocketAddr {
    ([10, 0, 0, n], 49_152).into()
}

pub(crate) fn lookup() -> PskLookup {
    Arc::new(|identity| (identity == IDENTITY).then(|| KEY.to_vec()))
}

pub(crate) fn seeded(seed: u64) -> PskOptions {
    PskOptions {
        randomness: Randomness::Seeded(seed),
        ..PskOptions::default()
    }
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(
            ServerOptions {
                psk: seeded(1),
                ..ServerOptions::default()
            },
            LossyOptions::default(),
            0,
        )
    }

    pub(crate) fn with(server: ServerOptions, link: LossyOptions, seed: u64) -> Self {
        Self {
            now: Duration::ZERO,
            link: Lossy::new(VirtualLink::with_latency(LATENCY), link, seed),
            server: Server::new(server, lookup()),
            clients: BTreeMap::new(),
            server_events: Vec::new(),
            client_events: Vec::new(),
            sent: Vec::new(),
            tamper: Box::new(|_, _| true),
        }
    }

    pub(crate) fn connect(&mut self, at: SocketAddr, identity: &[u8], key: &[u8]) {
        let options = seeded(0x00c1_1e47 + u64::from(at.port()) + self.clients.len() as u64);
        let client = Client::new(options, server_address(), identity, key);
        let client = self.clients.entry(at).or_insert(client);
        client.connect(self.now).expect("a session");
    }

    pub(crate) fn connected(mut self) -> Self {
        self.connect(device(1), IDENTITY, KEY);
        self.drive(Duration::from_secs(5));
        assert!(
            self.server.is_established(device(1)),
            "{:?}",
            self.client_events
        );
        self.server_events.clear();
        self.client_events.clear();
        self
    }

    pub(crate) fn client(&mut self, at: SocketAddr) -> &mut Client {
        self.clients.get_mut(&at).expect("a client")
    }

    pub(crate) fn say(&mut self, at: SocketAddr, text: &'static [u8]) {
        let now = self.now;
        self.client(at).send(now, text).expect("a session");
    }

    /// What the server was told since the last call.
    pub(crate) fn heard(&mut self) -> Vec<Bytes> {
        let events = std::mem::take(&mut self.server_events);
        let data = events.into_iter().filter_map(|event| match event {
            ServerEvent::Data { bytes, .. } => Some(bytes),
            _ => None,
        });
        data.collect()
    }

    pub(crate) fn inject(&mut self, from: SocketAddr, bytes: &[u8]) {
        self.server.handle_datagram(self.now, from, bytes);
        self.flush();
    }

    /// Lets everything happen for `time`.
    pub(crate) fn drive(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.flush();
            while let Some(datagram) = self.link.poll_deliver(self.now) {
                if datagram.to == server_address() {
                    self.server
                        .handle_datagram(self.now, datagram.from, &datagram.bytes);
                } else if let Some(client) = self.clients.get_mut(&datagram.to) {
                    client.handle_datagram(self.now, datagram.from, &datagram.bytes);
                }
                self.flush();
            }
            let timers = self.clients.values().filter_map(Client::poll_timeout);
            let next = timers
                .chain(self.server.poll_timeout())
                .chain(self.link.poll_timeout())
                .min();
            match next {
                Some(at) if at <= end => {
                    assert!(at >= self.now, "time runs backwards");
                    self.now = at;
                    self.server.handle_timeout(at);
                    for client in self.clients.values_mut() {
                        client.handle_timeout(at);
                    }
                }
                _ => break,
            }
        }
        self.now = end;
    }

    fn flush(&mut self) {
        let mut out = Vec::new();
        while let Some((to, bytes)) = self.server.poll_transmit() {
            let from = server_address();
            out.push(Datagram { from, to, bytes });
        }
        for (from, client) in &mut self.clients {
            while let Some((to, bytes)) = client.poll_transmit() {
                let from = *from;
                out.push(Datagram { from, to, bytes });
            }
            while let Some(event) = client.poll_event() {
                self.client_events.push((*from, event));
            }
        }
        while let Some(event) = self.server.poll_event() {
            self.server_events.push(event);
        }
        for mut datagram in out {
            let nth = self.sent.len();
            self.sent.push(datagram.clone());
            if (self.tamper)(nth, &mut datagram) {
                self.link.send(self.now, datagram);
            }
        }
    }
}
