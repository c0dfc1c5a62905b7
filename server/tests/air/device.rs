//! A scripted device over `wire::coap`: what the server says to it and hears from it is written
//! here by hand, and nothing of it is the server's own code.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bytes::Bytes;
use fotalab_wire::{
    coap::{
        Code, Config, Delivery, Endpoint, Event, ExchangeId, Gone, Message, ObserverId, Request,
        RequestId, Response, message::number,
    },
    dtls::{Client, ClientEvent, PskOptions, Randomness},
    net::{Clock, Datagrams, Network, http::send},
};
use rand::{SeedableRng as _, rngs::StdRng};
use sha2::{Digest as _, Sha256};
use tokio::{sync::Notify, time::sleep};

/// What a test sets and looks at.
#[derive(Default)]
pub(crate) struct Script {
    /// Values by path; all are told as text.
    pub(crate) values: BTreeMap<&'static str, String>,
    /// What it runs when it comes back from an update.
    pub(crate) next_version: String,
    /// Does what Execute asks, but never says so.
    pub(crate) loses_execute: bool,
    /// This Result in place of a download.
    pub(crate) fails_with: Option<&'static str>,
    /// A request that it takes without an answer.
    pub(crate) silent: Option<&'static str>,
    /// Tells nothing by itself.
    pub(crate) never_notifies: bool,
    /// Drops all that comes until it is set to `false`.
    pub(crate) deaf: bool,
    /// Every request it got, as `PUT /5/0/1`.
    pub(crate) got: Vec<String>,
    /// What was written and left no other trace: path and text.
    pub(crate) writes: Vec<(String, String)>,
    /// The image that it has.
    pub(crate) image: Vec<u8>,
    /// Codes of answers to its own requests.
    pub(crate) answers: Vec<(Code, Message)>,
    /// Requests of its own to be sent.
    pub(crate) outbox: Vec<Request>,
    /// Datagrams that came.
    pub(crate) datagrams: usize,
    /// Loses its DTLS session, without a word.
    pub(crate) loses_session: bool,
    /// Keeps what it sends over DTLS.
    pub(crate) keeps_sealed: bool,
    /// That.
    pub(crate) sealed: Vec<Vec<u8>>,
    /// How its handshakes ended.
    pub(crate) handshakes: Vec<Result<(), String>>,
    /// The scheme of the last package URI.
    pub(crate) scheme: String,
    /// Values to be set, and told to who observes them.
    pub(crate) tells: Vec<(&'static str, &'static str)>,
    /// It needs so long to answer the first block of a package, as flash does that is erased.
    pub(crate) erase: Option<Duration>,
    /// Takes another port, without a word.
    pub(crate) moves: bool,
    /// Blocks of packages that came: where in bytes, and how large.
    pub(crate) blocks: Vec<(usize, usize)>,
    /// Datagrams to its server, sent as they are.
    pub(crate) raw: Vec<Vec<u8>>,
    /// Its list of objects, if not the usual.
    pub(crate) list: Option<&'static str>,
    /// Answers to requests such as `FETCH /`, in place of the usual.
    pub(crate) instead: BTreeMap<&'static str, Reply>,
    /// Those requests, whole.
    pub(crate) requests: Vec<Message>,
    /// What its observers are told next, by path.
    pub(crate) notifications: Vec<(&'static str, Reply)>,
    /// Observations that the server ended, by Reset or by Observe 1.
    pub(crate) ended: Vec<Gone>,
}

/// An answer as it is: code, content format, payload, and the path of what was created.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) code: Code,
    pub(crate) format: Option<u16>,
    pub(crate) payload: Vec<u8>,
    pub(crate) location: &'static str,
}

impl Reply {
    pub(crate) fn new(code: Code) -> Self {
        Self {
            code,
            format: None,
            payload: Vec::new(),
            location: "",
        }
    }

    pub(crate) fn with(code: Code, format: u16, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            format: Some(format),
            payload: payload.into(),
            ..Self::new(code)
        }
    }

    fn response(self) -> Response {
        let mut response = Response::with(self.code, self.payload);
        for segment in self.location.split('/').filter(|it| !it.is_empty()) {
            response
                .options
                .push(number::LOCATION_PATH, segment.as_bytes());
        }
        match self.format {
            Some(format) => response.format(format),
            None => response,
        }
    }
}

impl Script {
    /// What was written to a path, in order.
    #[allow(dead_code, reason = "each test binary uses its own part")]
    pub(crate) fn written(&self, path: &str) -> Vec<String> {
        let writes = self.writes.iter().filter(|(it, _)| it == path);
        writes.map(|(_, text)| text.clone()).collect()
    }
}

#[derive(Clone)]
pub(crate) struct Device {
    script: Arc<Mutex<Script>>,
    wake: Arc<Notify>,
    pub(crate) address: SocketAddr,
}

impl Device {
    pub(crate) fn new(network: &Arc<dyn Network>, clock: Clock, server: SocketAddr) -> Self {
        Self::with(network, clock, server, None, |_| {})
    }

    /// Its CoAP is another one.
    pub(crate) fn adjusted(
        network: &Arc<dyn Network>,
        clock: Clock,
        server: SocketAddr,
        adjust: impl FnOnce(&mut Config),
    ) -> Self {
        Self::with(network, clock, server, None, adjust)
    }

    /// Speaks DTLS with its server, as this identity with this key.
    pub(crate) fn secured(
        network: &Arc<dyn Network>,
        clock: Clock,
        server: SocketAddr,
        psk: (&str, &[u8]),
    ) -> Self {
        Self::with(network, clock, server, Some(psk), |_| {})
    }

    fn with(
        network: &Arc<dyn Network>,
        clock: Clock,
        server: SocketAddr,
        psk: Option<(&str, &[u8])>,
        adjust: impl FnOnce(&mut Config),
    ) -> Self {
        let socket = network
            .bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .expect("a free port");
        let mut script = Script {
            next_version: "2.0.0".into(),
            ..Script::default()
        };
        for (path, value) in [
            ("/3/0/3", "1.0.0"),
            ("/5/0/3", "0"),
            ("/5/0/5", "0"),
            ("/5/0/9", "2"),
        ] {
            script.values.insert(path, value.into());
        }
        let device = Self {
            script: Arc::new(Mutex::new(script)),
            wake: Arc::default(),
            address: socket.local_addr(),
        };
        let seed = u64::from(device.address.port());
        // It does not resume a download, so it clings to it.
        let mut config = Config::default();
        config.parameters.max_retransmit = 6;
        adjust(&mut config);
        let options = PskOptions {
            randomness: Randomness::Seeded(seed),
            ..PskOptions::default()
        };
        let session =
            psk.map(|(identity, key)| Client::new(options, server, identity.as_bytes(), key));
        let actor = Actor {
            device: device.clone(),
            network: Arc::clone(network),
            socket: Arc::from(socket),
            clock,
            server,
            coap: Endpoint::new(config, StdRng::seed_from_u64(seed)),
            observers: BTreeMap::new(),
            pulls: BTreeMap::new(),
            restart_at: None,
            register: None,
            session,
            handshaking: false,
            unsent: Vec::new(),
            erasing: None,
        };
        tokio::spawn(actor.run());
        device
    }

    pub(crate) fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().expect("no panic")
    }

    /// Sends a request and waits for the answer.
    pub(crate) async fn ask(&self, request: Request) -> (Code, Message) {
        let before = self.script().answers.len();
        self.script().outbox.push(request);
        self.wake.notify_one();
        for _ in 0..1_000 {
            if let Some(answer) = self.script().answers.get(before) {
                return answer.clone();
            }
            sleep(Duration::from_millis(100)).await;
        }
        panic!("no answer");
    }

    /// Sets a value, and tells it to who observes it.
    pub(crate) fn tell(&self, path: &'static str, value: &'static str) {
        self.script().tells.push((path, value));
        self.wake.notify_one();
    }

    /// Lets it look at its script.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    pub(crate) async fn register(&self, query: &str) -> (Code, Message) {
        let path = format!("/rd?{query}");
        let list = self.script().list.unwrap_or("</1/0>,</3/0>,</5/0>");
        self.ask(Request::post(&path, list).format(40)).await
    }

    pub(crate) fn count(&self, request: &str) -> usize {
        let script = self.script();
        script.got.iter().filter(|it| *it == request).count()
    }

    pub(crate) fn image_hash(&self) -> Vec<u8> {
        Sha256::digest(&self.script().image).to_vec()
    }
}

struct Actor {
    device: Device,
    network: Arc<dyn Network>,
    socket: Arc<dyn Datagrams>,
    clock: Clock,
    server: SocketAddr,
    coap: Endpoint<SocketAddr>,
    observers: BTreeMap<String, ObserverId>,
    pulls: BTreeMap<RequestId, ()>,
    restart_at: Option<Duration>,
    register: Option<Request>,
    session: Option<Client>,
    handshaking: bool,
    unsent: Vec<Bytes>,
    erasing: Option<(Duration, ExchangeId)>,
}

impl Actor {
    async fn run(mut self) {
        let mut received = Vec::new();
        loop {
            let now = self.clock.elapsed();
            let outbox: Vec<Request> = self.device.script().outbox.drain(..).collect();
            for request in outbox {
                if request.options.path() == "/rd" {
                    self.register = Some(request.clone());
                }
                self.coap.request(now, self.server, request).expect("room");
            }
            let tells: Vec<_> = self.device.script().tells.drain(..).collect();
            for (path, value) in tells {
                self.set(now, path, value);
            }
            let told: Vec<_> = self.device.script().notifications.drain(..).collect();
            for (path, reply) in told {
                let observer = self.observers[path];
                let _gone = self.coap.notify(now, observer, reply.response(), false);
            }
            let raw: Vec<_> = self.device.script().raw.drain(..).collect();
            for bytes in raw {
                let sent = self.socket.send_to(self.server, &bytes);
                sent.await.expect("sent");
            }
            if std::mem::take(&mut self.device.script().moves) {
                let any = SocketAddr::from(([127, 0, 0, 1], 0));
                self.socket = Arc::from(self.network.bind(any).expect("a free port"));
            }
            if let Some((_, exchange)) = self.erasing.take_if(|(at, _)| *at <= now) {
                // The server may have given it up.
                let response = Response::new(Code::CONTINUE);
                let _over = self.coap.respond(now, exchange, response);
            }
            if self.restart_at.is_some_and(|at| at <= now) {
                self.restart_at = None;
                self.restart(now);
            }
            self.coap.handle_timeout(now);
            while let Some(event) = self.coap.poll_event() {
                self.on_event(now, event).await;
            }
            if std::mem::take(&mut self.device.script().loses_session) {
                self.forget_session();
            }
            while let Some(transmit) = self.coap.poll_transmit() {
                if transmit.to == self.server && self.session.is_some() {
                    self.seal(now, transmit.payload);
                } else {
                    let sent = self.socket.send_to(transmit.to, &transmit.payload);
                    sent.await.expect("sent");
                }
            }
            if let Some(session) = &mut self.session {
                session.handle_timeout(now);
                while let Some((to, bytes)) = session.poll_transmit() {
                    if self.device.script().keeps_sealed {
                        self.device.script().sealed.push(bytes.to_vec());
                    }
                    self.socket.send_to(to, &bytes).await.expect("sent");
                }
            }
            let session = self.session.as_ref().and_then(Client::poll_timeout);
            let erased = self.erasing.as_ref().map(|(at, _)| *at);
            let next = [self.coap.poll_timeout(), self.restart_at, session, erased];
            let next = next.into_iter().flatten().min();
            let wait = next.map_or(Duration::from_secs(3_600), |at| at.saturating_sub(now));
            tokio::select! {
                outcome = self.socket.recv(&mut received) => outcome.expect("received"),
                () = self.device.wake.notified() => {}
                () = sleep(wait.max(Duration::from_millis(1))) => {}
            }
            for datagram in received.drain(..) {
                self.device.script().datagrams += 1;
                if self.device.script().deaf {
                    continue;
                }
                let now = self.clock.elapsed();
                if datagram.from == self.server && self.session.is_some() {
                    self.open(now, &datagram.bytes);
                } else {
                    self.coap
                        .handle_datagram(now, datagram.from, &datagram.bytes);
                }
            }
        }
    }

    fn seal(&mut self, now: Duration, bytes: Bytes) {
        let session = self.session.as_mut().expect("secured");
        if session.is_established() {
            session.send(now, &bytes).expect("sealed");
            return;
        }
        self.unsent.push(bytes);
        if !self.handshaking {
            session.connect(now).expect("a handshake");
            self.handshaking = true;
        }
    }

    fn open(&mut self, now: Duration, datagram: &[u8]) {
        let session = self.session.as_mut().expect("secured");
        session.handle_datagram(now, self.server, datagram);
        while let Some(event) = self.session.as_mut().and_then(Client::poll_event) {
            match event {
                ClientEvent::Established => {
                    self.handshaking = false;
                    self.device.script().handshakes.push(Ok(()));
                    for bytes in std::mem::take(&mut self.unsent) {
                        self.seal(now, bytes);
                    }
                }
                ClientEvent::Data(bytes) => {
                    self.coap.handle_datagram(now, self.server, &bytes);
                }
                ClientEvent::Closed(_) => self.forget_session(),
                ClientEvent::Failed(why) => {
                    self.device.script().handshakes.push(Err(why.to_string()));
                    self.forget_session();
                }
            }
        }
    }

    fn forget_session(&mut self) {
        if let Some(session) = &mut self.session {
            session.forget();
        }
        self.handshaking = false;
        self.unsent.clear();
    }

    /// Comes back from an update with another version.
    fn restart(&mut self, now: Duration) {
        self.observers.clear();
        self.forget_session();
        {
            let mut script = self.device.script();
            let version = script.next_version.clone();
            script.values.insert("/3/0/3", version);
            script.values.insert("/5/0/3", "0".into());
            script.values.insert("/5/0/5", "1".into());
        }
        let request = self.register.clone().expect("registered before");
        self.coap.request(now, self.server, request).expect("room");
    }

    async fn on_event(&mut self, now: Duration, event: Event<SocketAddr>) {
        match event {
            Event::Response { request, message } if self.pulls.remove(&request).is_some() => {
                let fine = message.code == Code::CONTENT;
                self.downloaded(now, fine.then(|| message.payload.to_vec()));
            }
            Event::Failed { request, .. } if self.pulls.remove(&request).is_some() => {
                self.set(now, "/5/0/5", "4");
                self.set(now, "/5/0/3", "0");
            }
            Event::Failed { .. } if self.observers.is_empty() => {
                // Not heard: registers again, as devices do.
                let request = self.register.clone().expect("registered before");
                self.coap.request(now, self.server, request).expect("room");
            }
            Event::ObserverGone {
                observer, reason, ..
            } => {
                self.observers.retain(|_, it| *it != observer);
                self.device.script().ended.push(reason);
            }
            Event::Response { message, .. } => {
                self.device.script().answers.push((message.code, message));
            }
            Event::BlockReceived {
                exchange,
                offset,
                more,
                message,
                ..
            } => {
                let path = message.options.path();
                if path != "/5/0/0" {
                    let (first, limit) = (&message.payload, 1 << 20);
                    let collected = self.coap.collect(now, exchange, first, limit);
                    return collected.expect("the first block");
                }
                if offset == 0 {
                    self.device.script().got.push("PUT /5/0/0".into());
                    self.device.script().image.clear();
                    self.set(now, "/5/0/3", "1");
                }
                let erase = self.device.script().erase.filter(|_| offset == 0);
                let block = (offset, message.payload.len());
                self.device.script().blocks.push(block);
                self.device.script().image.extend(message.payload);
                if let Some(erase) = erase {
                    self.erasing = Some((now + erase, exchange));
                } else if more {
                    self.reply(now, exchange, Code::CONTINUE);
                } else {
                    self.reply(now, exchange, Code::CHANGED);
                    self.set(now, "/5/0/3", "2");
                }
            }
            Event::Request {
                exchange,
                observe,
                message,
                ..
            } => {
                let path = message.options.path();
                let method = match message.code {
                    Code::GET | Code::FETCH if observe => "OBSERVE",
                    Code::GET => "GET",
                    Code::PUT => "PUT",
                    Code::DELETE => "DELETE",
                    Code::FETCH => "FETCH",
                    Code::IPATCH => "IPATCH",
                    _ => "POST",
                };
                let request = format!("{method} {path}");
                let instead = self.device.script().instead.get(&*request).cloned();
                let silent = self.device.script().silent.is_some_and(|it| it == request);
                self.device.script().got.push(request);
                if silent {
                    return;
                }
                if let Some(reply) = instead {
                    self.device.script().requests.push(message);
                    let response = reply.response();
                    if observe {
                        let observer = self.coap.respond_observing(now, exchange, response);
                        let observer = observer.expect("open").expect("room");
                        self.observers.insert(path, observer);
                    } else {
                        self.coap.respond(now, exchange, response).expect("sent");
                    }
                    return;
                }
                self.on_request(now, exchange, observe, &path, message)
                    .await;
            }
            _ => {}
        }
    }

    async fn on_request(
        &mut self,
        now: Duration,
        exchange: ExchangeId,
        observe: bool,
        path: &str,
        message: Message,
    ) {
        let answer = |code| Response::new(code);
        match (message.code, path) {
            (Code::GET, _) => {
                let value = self.device.script().values.get(path).cloned();
                let response = match value {
                    None => answer(Code::NOT_FOUND),
                    Some(value) => Response::with(Code::CONTENT, value).format(0),
                };
                if observe && response.code == Code::CONTENT {
                    let observer = self.coap.respond_observing(now, exchange, response);
                    if let Ok(Some(observer)) = observer {
                        self.observers.insert(path.to_owned(), observer);
                    }
                } else {
                    self.coap.respond(now, exchange, response).expect("sent");
                }
            }
            (Code::PUT, "/5/0/1") => {
                let uri = String::from_utf8(message.payload.to_vec()).expect("UTF-8");
                self.reply(now, exchange, Code::CHANGED);
                self.set(now, "/5/0/5", "0");
                let fails_with = self.device.script().fails_with;
                if uri.is_empty() {
                    self.set(now, "/5/0/3", "0");
                } else if let Some(result) = fails_with {
                    self.set(now, "/5/0/5", result);
                } else {
                    self.set(now, "/5/0/3", "1");
                    self.pull(now, &uri).await;
                }
            }
            (Code::POST, "/5/0/10") => {
                self.pulls.clear();
                self.reply(now, exchange, Code::CHANGED);
                self.set(now, "/5/0/5", "10");
                self.set(now, "/5/0/3", "0");
            }
            (Code::PUT, "/5/0/0") if message.payload.as_ref() == [0] => {
                self.set(now, "/5/0/3", "0");
                self.reply(now, exchange, Code::CHANGED);
            }
            (Code::PUT, "/5/0/0") => {
                self.reply(now, exchange, Code::CHANGED);
                self.downloaded(now, Some(message.payload.to_vec()));
            }
            (Code::POST, "/5/0/2") => {
                self.set(now, "/5/0/3", "3");
                self.restart_at = Some(now + Duration::from_secs(200));
                if self.device.script().loses_execute {
                    self.coap.acknowledge(exchange).expect("known");
                } else {
                    self.restart_at = Some(now + Duration::from_secs(5));
                    self.reply(now, exchange, Code::CHANGED);
                }
            }
            (Code::PUT, _) => {
                let text = String::from_utf8_lossy(&message.payload).into_owned();
                self.device.script().writes.push((path.to_owned(), text));
                self.reply(now, exchange, Code::CHANGED);
            }
            _ => self.reply(now, exchange, Code::METHOD_NOT_ALLOWED),
        }
    }

    async fn pull(&mut self, now: Duration, uri: &str) {
        let scheme = uri.split(':').next().unwrap_or_default();
        self.device.script().scheme = scheme.to_owned();
        if uri.starts_with("http://") {
            let request = http::Request::get(uri).body(Bytes::new()).expect("a URI");
            let answer = send(&*self.network, request, 1 << 24)
                .await
                .expect("answered");
            assert!(
                answer.headers()["etag"]
                    .to_str()
                    .expect("text")
                    .starts_with('"')
            );
            return self.downloaded(now, Some(answer.body().to_vec()));
        }
        let (_, rest) = uri.split_once("://").expect("a scheme");
        let (authority, path) = rest.split_once('/').expect("a path");
        let own = authority == self.server.to_string();
        assert_eq!(scheme == "coaps", own && self.session.is_some(), "{uri}");
        let mut request = Request::get(&format!("/{path}"));
        request.delivery = Delivery::Whole { limit: 1 << 24 };
        request.options.push_uint(number::ACCEPT, 42);
        let to = authority.parse().expect("an address");
        let pull = self.coap.request(now, to, request).expect("room");
        self.pulls.insert(pull, ());
    }

    fn downloaded(&mut self, now: Duration, image: Option<Vec<u8>>) {
        match image {
            Some(image) => {
                self.device.script().image = image;
                self.set(now, "/5/0/3", "2");
            }
            None => {
                self.set(now, "/5/0/5", "7");
                self.set(now, "/5/0/3", "0");
            }
        }
    }

    fn set(&mut self, now: Duration, path: &'static str, value: &str) {
        let quiet = self.device.script().never_notifies;
        self.device.script().values.insert(path, value.to_owned());
        if let Some(observer) = self.observers.get(path).filter(|_| !quiet) {
            let response = Response::with(Code::CONTENT, value.to_owned()).format(0);
            let _gone = self.coap.notify(now, *observer, response, false);
        }
    }

    fn reply(&mut self, now: Duration, exchange: ExchangeId, code: Code) {
        self.coap
            .respond(now, exchange, Response::new(code))
            .expect("sent");
    }
}
