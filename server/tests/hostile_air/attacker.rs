//! Who sends what he likes, from whichever address.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use bytes::Bytes;
use fotalab_wire::{
    coap::{
        Code, Kind, Message,
        message::{Block, BlockSize, Options, number},
    },
    dtls::{Client, ClientEvent, PskOptions, Randomness},
    net::{Datagram, Datagrams},
};
use tokio::time::timeout;

use crate::Scene;

pub(crate) struct Attacker {
    socket: Box<dyn Datagrams>,
    received: Vec<Datagram>,
    id: u16,
}

/// The address of the nth attacker.
pub(crate) fn address(nth: usize) -> IpAddr {
    let [_, high, middle, low] = (nth as u32).to_be_bytes();
    Ipv4Addr::new(127, 128 | high, middle, low).into()
}

impl Attacker {
    pub(crate) fn new(scene: &Scene) -> Self {
        let any = SocketAddr::from(([0, 0, 0, 0], 0));
        Self {
            socket: scene.network.bind(any).expect("a port"),
            received: Vec::new(),
            id: 0,
        }
    }

    pub(crate) fn send(&self, nth: usize, to: SocketAddr, bytes: &[u8]) {
        let from = SocketAddr::new(address(nth), 0);
        // What does not fit is lost, as it would be anywhere.
        let _lost = self.socket.try_send(from, to, bytes);
    }

    /// Forgets what came, after it has been looked at by the server.
    pub(crate) async fn drain(&mut self) -> usize {
        let mut came = 0;
        loop {
            self.received.clear();
            let wait = timeout(
                Duration::from_millis(50),
                self.socket.recv(&mut self.received),
            );
            match wait.await {
                Ok(outcome) => outcome.expect("open"),
                Err(_) => return came,
            }
            came += self.received.len();
        }
    }

    /// The answer to a message, which gets an id of its own.
    pub(crate) async fn ask(&mut self, nth: usize, to: SocketAddr, message: Message) -> Message {
        self.id = self.id.wrapping_add(1);
        let message = Message {
            id: self.id,
            ..message
        };
        self.send(nth, to, &message.to_bytes());
        loop {
            let waited = self.answer().await;
            let answer = waited.unwrap_or_else(|| panic!("no answer to {message:?}"));
            if answer.id == message.id {
                return answer;
            }
        }
    }

    async fn answer(&mut self) -> Option<Message> {
        if self.received.is_empty() {
            let wait = timeout(
                Duration::from_secs(30),
                self.socket.recv(&mut self.received),
            );
            wait.await.ok()?.expect("open");
        }
        let datagram = self.received.remove(0);
        Message::parse(&datagram.bytes).ok()
    }

    /// A whole handshake with this identity and key: how it ends.
    pub(crate) async fn handshake(
        &mut self,
        nth: usize,
        to: SocketAddr,
        identity: &[u8],
        key: &[u8],
    ) -> Option<ClientEvent> {
        let mut client = client(nth, to, identity, key);
        client.connect(Duration::ZERO).expect("a client");
        loop {
            while let Some((_, bytes)) = client.poll_transmit() {
                self.send(nth, to, &bytes);
            }
            if let Some(event) = client.poll_event() {
                return Some(event);
            }
            self.received.clear();
            let wait = timeout(Duration::from_secs(2), self.socket.recv(&mut self.received));
            wait.await.ok()?.expect("open");
            for datagram in self.received.drain(..) {
                client.handle_datagram(Duration::ZERO, datagram.from, &datagram.bytes);
            }
        }
    }

    /// Answers the cookie and then no more.
    pub(crate) async fn half_handshake(&mut self, nth: usize, to: SocketAddr) {
        let mut client = client(nth, to, b"bystander-1", &[0]);
        client.connect(Duration::ZERO).expect("a client");
        for _ in 0..2 {
            while let Some((_, bytes)) = client.poll_transmit() {
                self.send(nth, to, &bytes);
            }
            self.received.clear();
            let wait = timeout(Duration::from_secs(2), self.socket.recv(&mut self.received));
            if wait.await.is_err() {
                return;
            }
            for datagram in self.received.drain(..) {
                client.handle_datagram(Duration::ZERO, datagram.from, &datagram.bytes);
            }
        }
    }
}

fn client(nth: usize, to: SocketAddr, identity: &[u8], key: &[u8]) -> Client {
    let options = PskOptions {
        randomness: Randomness::Seeded(nth as u64),
        ..PskOptions::default()
    };
    Client::new(options, to, identity, key)
}

/// The first datagram of a handshake.
pub(crate) fn client_hello(to: SocketAddr, nth: usize) -> Bytes {
    let mut client = client(nth, to, b"nobody", &[0]);
    client.connect(Duration::ZERO).expect("a client");
    client.poll_transmit().expect("a ClientHello").1
}

/// A confirmable request.
pub(crate) fn request(code: Code, path: &str, payload: impl Into<Bytes>) -> Message {
    let mut options = Options::new();
    options.push_path(path);
    Message {
        options,
        payload: payload.into(),
        ..Message::new(Kind::Confirmable, code, 0)
    }
}

/// A request with a block option.
pub(crate) fn block(mut message: Message, option: u16, num: u32, more: bool, szx: u8) -> Message {
    match BlockSize::from_szx(szx) {
        Some(size) => {
            let block = Block {
                number: num,
                more,
                size,
            };
            message.options.push_block(option, block);
        }
        // The reserved SZX 7.
        None => message
            .options
            .push_uint(option, num << 4 | u32::from(more) << 3 | 7),
    }
    message
}

/// Register with this list.
pub(crate) fn register(endpoint: &str, list: impl Into<Bytes>) -> Message {
    let mut message = request(Code::POST, &format!("/rd?ep={endpoint}&lwm2m=1.1"), list);
    message.options.push_uint(number::CONTENT_FORMAT, 40);
    message
}
