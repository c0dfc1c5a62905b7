//! A device that a test plays by hand: it sees each request of the server and says each answer, in
//! bytes that are written here and nowhere in the server.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use fotalab_wire::{
    coap::{
        BlockSize, Code, Config, Endpoint, Event, ExchangeId, Message, Request, Response,
        message::number,
    },
    net::{Clock, Datagrams, Network},
};
use rand::{SeedableRng as _, rngs::StdRng};
use tokio::time::sleep;

pub(crate) const TLV: u16 = 11_542;

pub(crate) struct Peer {
    socket: Arc<dyn Datagrams>,
    coap: Endpoint<SocketAddr>,
    clock: Clock,
    server: SocketAddr,
    pub(crate) address: SocketAddr,
}

impl Peer {
    pub(crate) fn new(network: &Arc<dyn Network>, clock: Clock, server: SocketAddr) -> Self {
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        let socket: Arc<dyn Datagrams> = Arc::from(network.bind(free).expect("a free port"));
        let address = socket.local_addr();
        let seed = u64::from(address.port());
        Self {
            socket,
            coap: Endpoint::new(Config::default(), StdRng::seed_from_u64(seed)),
            clock,
            server,
            address,
        }
    }

    /// Sends a request, and gives the answer.
    pub(crate) async fn ask(&mut self, request: Request) -> Message {
        let now = self.clock.elapsed();
        let id = self.coap.request(now, self.server, request).expect("room");
        self.until(move |event| match event {
            Event::Response { request, message } if request == id => Some(message),
            _ => None,
        })
        .await
        .expect("an answer")
    }

    /// Asks for something in blocks, and takes no more than the first.
    pub(crate) async fn first_block(&mut self, path: &str) -> Message {
        let now = self.clock.elapsed();
        let request = Request::get(path).in_blocks(BlockSize::MAX);
        let id = self.coap.request(now, self.server, request).expect("room");
        let block = self.until(move |event| match event {
            Event::Block {
                request, message, ..
            } if request == id => Some(message),
            _ => None,
        });
        let block = block.await.expect("a block");
        self.coap.cancel(self.clock.elapsed(), id);
        block
    }

    pub(crate) async fn register(&mut self, endpoint: &str) -> String {
        let path = format!("/rd?lwm2m=1.0&lt=600&b=U&ep={endpoint}");
        let request = Request::post(&path, "</1/0>,</3/0>,</5/0>").format(40);
        let message = self.ask(request).await;
        assert_eq!(message.code, Code::CREATED);
        let segments = message.options.iter();
        let segments = segments.filter(|(number, _)| *number == number::LOCATION_PATH);
        segments
            .map(|(_, it)| format!("/{}", String::from_utf8_lossy(it)))
            .collect()
    }

    /// The next request of the server: its exchange, as `GET /5/0/3`, and the message.
    pub(crate) async fn asked(&mut self) -> (ExchangeId, String, Message) {
        self.asked_within(Duration::from_secs(120))
            .await
            .expect("a request")
    }

    /// The server asks nothing for this long.
    pub(crate) async fn hears_nothing(&mut self, wait: Duration) {
        let asked = self.asked_within(wait).await;
        assert!(asked.is_none(), "{:?}", asked.map(|it| it.1));
    }

    async fn asked_within(&mut self, wait: Duration) -> Option<(ExchangeId, String, Message)> {
        let wanted = |event| match event {
            Event::Request {
                exchange, message, ..
            } => Some((exchange, message)),
            _ => None,
        };
        let (exchange, message) = self.within(wait, wanted).await?;
        let method = match message.code {
            Code::GET => "GET",
            Code::PUT => "PUT",
            Code::POST => "POST",
            _ => "?",
        };
        let what = format!("{method} {}", message.options.path());
        Some((exchange, what, message))
    }

    pub(crate) async fn answer(&mut self, exchange: ExchangeId, response: Response) {
        let now = self.clock.elapsed();
        self.coap.respond(now, exchange, response).expect("in time");
        self.flush().await;
    }

    /// Answers the next request, which has to be this one.
    pub(crate) async fn expect(&mut self, what: &str, response: Response) -> Message {
        let (exchange, asked, message) = self.asked().await;
        assert_eq!(asked, what);
        self.answer(exchange, response).await;
        message
    }

    /// Plays an inspection: /5/0/3 with this state, then /3/0 with this version.
    pub(crate) async fn inspected(&mut self, state: u8, version: &str) {
        let message = self.expect("GET /5/0/3", tlv(&resource(3, &[state]))).await;
        assert_eq!(message.options.uint(number::ACCEPT), Some(TLV.into()));
        let mut device = resource(0, b"ACME");
        device.extend(resource(1, b"M1"));
        device.extend(resource(2, b"SN-1"));
        device.extend(resource(3, version.as_bytes()));
        device.extend(resource(9, &[77]));
        let message = self.expect("GET /3/0", tlv(&device)).await;
        assert_eq!(message.options.uint(number::ACCEPT), Some(TLV.into()));
    }

    pub(crate) async fn run(&mut self, wait: Duration) {
        let nothing: Option<()> = self.within(wait, |_| None).await;
        assert!(nothing.is_none());
    }

    async fn until<T>(&mut self, pick: impl FnMut(Event<SocketAddr>) -> Option<T>) -> Option<T> {
        self.within(Duration::from_secs(300), pick).await
    }

    async fn within<T>(
        &mut self,
        wait: Duration,
        mut pick: impl FnMut(Event<SocketAddr>) -> Option<T>,
    ) -> Option<T> {
        let end = self.clock.elapsed() + wait;
        let mut received = Vec::new();
        loop {
            let now = self.clock.elapsed();
            self.coap.handle_timeout(now);
            self.flush().await;
            while let Some(event) = self.coap.poll_event() {
                if let Some(picked) = pick(event) {
                    self.flush().await;
                    return Some(picked);
                }
            }
            if now >= end {
                return None;
            }
            let next = self.coap.poll_timeout().unwrap_or(end).min(end);
            let pause = next.saturating_sub(now).max(Duration::from_millis(1));
            tokio::select! {
                outcome = self.socket.recv(&mut received) => outcome.expect("received"),
                () = sleep(pause) => {}
            }
            for datagram in received.drain(..) {
                let now = self.clock.elapsed();
                self.coap
                    .handle_datagram(now, datagram.from, &datagram.bytes);
            }
        }
    }

    async fn flush(&mut self) {
        while let Some(transmit) = self.coap.poll_transmit() {
            let sent = self.socket.send_to(transmit.to, &transmit.payload).await;
            sent.expect("sent");
        }
    }
}

pub(crate) fn code(code: Code) -> Response {
    Response::new(code)
}

fn tlv(payload: &[u8]) -> Response {
    Response::with(Code::CONTENT, payload.to_vec()).format(TLV)
}

/// A TLV entry of a resource: an id of one byte, a value of less than eight bytes or less than 256.
pub(crate) fn resource(id: u8, value: &[u8]) -> Vec<u8> {
    let length = u8::try_from(value.len()).expect("short");
    let mut entry = if length < 8 {
        vec![0b1100_0000 | length, id]
    } else {
        vec![0b1100_1000, id, length]
    };
    entry.extend(value);
    entry
}
