//! One device, a server that answers registrations and serves a file, and the time between them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fotalab_simulators::device::{Device, Event, Kind, NotSent, Peer, Persona, Phase, Setup};
use fotalab_wire::coap::{self, BlockSize, Code, Endpoint, Message, Request, RequestId, Response};
use fotalab_wire::lwm2m::Path;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

/// One way.
const LATENCY: Duration = Duration::from_millis(50);

pub(crate) struct Rig {
    pub(crate) device: Device,
    pub(crate) server: Endpoint<u8>,
    pub(crate) now: Duration,
    pub(crate) events: Vec<Event>,
    /// Requests of the device: code, path with query.
    pub(crate) requests: Vec<(Code, String)>,
    pub(crate) payloads: Vec<Bytes>,
    pub(crate) notifications: Vec<(RequestId, Message)>,
    /// The file at /fw and its ETag.
    pub(crate) file: Option<(Bytes, Vec<u8>)>,
    /// What registration updates are answered with.
    pub(crate) update_code: Code,
    pub(crate) register_code: Code,
    /// Nothing gets through.
    pub(crate) cut: bool,
    pub(crate) file_requests: usize,
    /// Of the last Register that the device sent, whether it arrived or not.
    pub(crate) register_token: Option<coap::Token>,
    /// What requests of the file are answered with, if not with the file.
    pub(crate) file_code: Option<Code>,
    /// Bodies of POST /dp, with their content formats.
    pub(crate) sends: Vec<(u32, Bytes)>,
    /// Datagrams that it says no to get lost: (to the device, bytes).
    pub(crate) lets_through: Option<Passes>,
    /// Serves the same file from elsewhere.
    pub(crate) elsewhere: Endpoint<u8>,
    /// One in five datagrams is lost, one in five comes twice, the second late.
    pub(crate) harm: Option<SmallRng>,
    answers: Vec<(RequestId, Option<Message>)>,
    wire: Vec<OnItsWay>,
}

pub(crate) type Passes = Box<dyn FnMut(bool, &[u8]) -> bool>;

struct OnItsWay {
    at: Duration,
    to_device: bool,
    peer: Peer,
    bytes: Bytes,
}

/// Another server, that only has files.
pub(crate) fn elsewhere() -> Peer {
    Peer {
        address: ([127, 0, 0, 1], 5700).into(),
        secure: false,
    }
}

pub(crate) fn server() -> Peer {
    Peer {
        address: ([127, 0, 0, 1], 5683).into(),
        secure: false,
    }
}

impl Rig {
    pub(crate) fn new(persona: Persona) -> Self {
        Self::of(Kind::new(persona))
    }

    pub(crate) fn of(kind: Kind) -> Self {
        let setup = Setup {
            endpoint: "device-1".to_owned(),
            firmware: "1.0.0".to_owned(),
            server: server(),
            seed: 7,
        };
        let kind = Arc::new(kind);
        let mut rig = Self {
            device: Device::new(Duration::ZERO, kind, setup),
            server: Endpoint::new(coap::Config::default(), SmallRng::seed_from_u64(1)),
            now: Duration::ZERO,
            events: Vec::new(),
            requests: Vec::new(),
            payloads: Vec::new(),
            notifications: Vec::new(),
            file: None,
            update_code: Code::CHANGED,
            register_code: Code::CREATED,
            cut: false,
            file_requests: 0,
            register_token: None,
            file_code: None,
            sends: Vec::new(),
            lets_through: None,
            elsewhere: Endpoint::new(coap::Config::default(), SmallRng::seed_from_u64(2)),
            harm: None,
            answers: Vec::new(),
            wire: Vec::new(),
        };
        rig.device.switch_on(rig.now);
        rig.run(1);
        rig
    }

    pub(crate) fn usual() -> Self {
        Self::new(Persona::default())
    }

    pub(crate) fn with(faults: &str) -> Self {
        let text = format!("faults = [{faults:?}]");
        Self::new(Persona::read(&text).expect("a persona"))
    }

    /// Lets so many seconds pass.
    pub(crate) fn run(&mut self, seconds: u64) {
        self.run_until(self.now + Duration::from_secs(seconds), |_| false);
    }

    /// Lets time pass until something holds, at most an hour.
    pub(crate) fn until(&mut self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let end = self.now + Duration::from_secs(3_600);
        self.run_until(end, &mut holds);
        assert!(holds(self), "never: {what}");
    }

    fn run_until(&mut self, end: Duration, mut stop: impl FnMut(&Self) -> bool) {
        loop {
            self.exchange();
            if stop(self) {
                return;
            }
            let wire = self.wire.iter().map(|it| it.at).min();
            let next = [
                wire,
                self.device.poll_timeout(),
                self.server.poll_timeout(),
                self.elsewhere.poll_timeout(),
            ];
            let Some(next) = next.into_iter().flatten().min().filter(|at| *at <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(next);
            let due = |it: &mut OnItsWay| it.at <= self.now;
            for it in self.wire.extract_if(.., due).collect::<Vec<_>>() {
                if it.to_device {
                    self.device.handle_datagram(self.now, it.peer, &it.bytes);
                } else if it.peer == elsewhere() {
                    self.elsewhere.handle_datagram(self.now, 1, &it.bytes);
                } else {
                    self.server.handle_datagram(self.now, 1, &it.bytes);
                }
            }
            if self.device.poll_timeout().is_some_and(|at| at <= self.now) {
                self.device.handle_timeout(self.now);
            }
            for endpoint in [&mut self.server, &mut self.elsewhere] {
                if endpoint.poll_timeout().is_some_and(|at| at <= self.now) {
                    endpoint.handle_timeout(self.now);
                }
            }
        }
    }

    fn exchange(&mut self) {
        while let Some(event) = self.server.poll_event() {
            self.on_server(event);
        }
        while let Some(event) = self.elsewhere.poll_event() {
            if let coap::Event::Request {
                exchange, message, ..
            } = event
            {
                let response = self.serve(&message);
                let answered = self.elsewhere.respond(self.now, exchange, response);
                answered.expect("open");
            }
        }
        while let Some(transmit) = self.device.poll_transmit() {
            self.carry(false, transmit.to, transmit.payload);
        }
        while let Some(transmit) = self.server.poll_transmit() {
            self.carry(true, server(), transmit.payload);
        }
        while let Some(transmit) = self.elsewhere.poll_transmit() {
            self.carry(true, elsewhere(), transmit.payload);
        }
        while let Some(event) = self.device.poll_event() {
            self.events.push(event);
        }
    }

    fn carry(&mut self, to_device: bool, peer: Peer, bytes: Bytes) {
        if let Ok(message) = Message::parse(&bytes)
            && message.code == Code::POST
            && message.options.path() == "/rd"
        {
            self.register_token = Some(message.token);
        }
        let passes = self.lets_through.as_mut();
        if self.cut || passes.is_some_and(|passes| !passes(to_device, &bytes)) {
            return;
        }
        let at = self.now + LATENCY;
        let mut send = |at| {
            self.wire.push(OnItsWay {
                at,
                to_device,
                peer,
                bytes: bytes.clone(),
            });
        };
        match self.harm.as_mut().map_or(9, |it| it.random_range(0..10)) {
            0 | 1 => {}
            2 | 3 => {
                send(at + LATENCY * 8);
                send(at);
            }
            _ => send(at),
        }
    }

    /// Hands a message of the server to the device, and says what it sends at once. Nothing of it
    /// reaches the server.
    pub(crate) fn raw(&mut self, message: &Message) -> Vec<Message> {
        self.raw_from(server(), &message.to_bytes())
    }

    pub(crate) fn raw_from(&mut self, from: Peer, datagram: &[u8]) -> Vec<Message> {
        self.device.handle_datagram(self.now, from, datagram);
        let sent = std::iter::from_fn(|| self.device.poll_transmit());
        sent.map(|it| Message::parse(&it.payload).expect("good"))
            .collect()
    }

    fn on_server(&mut self, event: coap::Event<u8>) {
        match event {
            coap::Event::Request {
                exchange, message, ..
            } => {
                let response = self.serve(&message);
                self.server
                    .respond(self.now, exchange, response)
                    .expect("open");
            }
            coap::Event::Response { request, message } => {
                self.answers.push((request, Some(message)))
            }
            coap::Event::Failed { request, .. } => self.answers.push((request, None)),
            coap::Event::Notification { request, message } => {
                self.notifications.push((request, message));
            }
            _ => {}
        }
    }

    fn serve(&mut self, message: &Message) -> Response {
        let path = message.options.path();
        if path == "/fw" {
            self.file_requests += 1;
            if let Some(code) = self.file_code {
                return Response::new(code);
            }
            return match &self.file {
                Some((bytes, etag)) if !etag.is_empty() => {
                    Response::with(Code::CONTENT, bytes.clone()).etag(etag)
                }
                Some((bytes, _)) => Response::with(Code::CONTENT, bytes.clone()),
                None => Response::new(Code::NOT_FOUND),
            };
        }
        let query: Vec<_> = message
            .options
            .iter()
            .filter(|(number, _)| *number == 15)
            .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
            .collect();
        self.requests
            .push((message.code, format!("{path}?{}", query.join("&"))));
        self.payloads.push(message.payload.clone());
        match (message.code, path.as_str()) {
            (Code::POST, "/rd") => {
                let mut response = Response::new(self.register_code);
                for segment in ["rd", "x1"] {
                    response.options.push(8, segment.as_bytes());
                }
                response
            }
            (Code::POST, "/dp") => {
                let format = message.options.uint(12).unwrap_or_default();
                self.sends.push((format, message.payload.clone()));
                Response::new(Code::CHANGED)
            }
            (Code::POST, "/rd/x1") => Response::new(self.update_code),
            (Code::DELETE, "/rd/x1") => Response::new(Code::DELETED),
            _ => Response::new(Code::NOT_FOUND),
        }
    }

    // What a server asks for.

    pub(crate) fn ask(&mut self, request: Request) -> Option<Message> {
        let id = self.server.request(self.now, 1, request).expect("room");
        self.until("an answer", |rig| {
            rig.answers.iter().any(|(of, _)| *of == id)
        });
        let index = self
            .answers
            .iter()
            .position(|(of, _)| *of == id)
            .expect("it");
        self.answers.swap_remove(index).1
    }

    pub(crate) fn get(&mut self, path: &str, accept: Option<u32>) -> Message {
        let mut request = Request::get(path);
        if let Some(accept) = accept {
            request.options.push_uint(17, accept);
        }
        self.ask(request).expect("an answer")
    }

    /// The code, and the payload as text.
    pub(crate) fn text(&mut self, path: &str) -> (String, String) {
        let message = self.get(path, Some(0));
        let payload = String::from_utf8_lossy(&message.payload).into_owned();
        (message.code.to_string(), payload)
    }

    /// How an observation ended.
    pub(crate) fn answered(&self, id: RequestId) -> Option<&Message> {
        let end = self.answers.iter().find(|(of, _)| *of == id);
        end.and_then(|(_, message)| message.as_ref())
    }

    /// Lets the device send.
    pub(crate) fn send_paths(&mut self, paths: &[&str]) -> Result<(), NotSent> {
        let paths: Vec<Path> = paths.iter().map(|it| it.parse().expect("a path")).collect();
        self.device.send(self.now, &paths)
    }

    /// A read that is answered in links.
    pub(crate) fn discover(&mut self, path: &str) -> String {
        let message = self.get(path, Some(40));
        assert_eq!(message.code, Code::CONTENT, "{path}");
        String::from_utf8_lossy(&message.payload).into_owned()
    }

    /// A request with a body in some format: the code.
    pub(crate) fn send(&mut self, method: Code, path: &str, format: u16, body: &[u8]) -> Code {
        let mut request = Request::new(method, path).format(format);
        request.payload = Bytes::copy_from_slice(body);
        self.ask(request).expect("an answer").code
    }

    /// Write-Attributes.
    pub(crate) fn attribute(&mut self, path_and_query: &str) -> Code {
        let request = Request::new(Code::PUT, path_and_query);
        self.ask(request).expect("an answer").code
    }

    pub(crate) fn put(&mut self, path: &str, text: &str) -> Code {
        self.ask(Request::put(path, text.to_owned()).format(0))
            .expect("an answer")
            .code
    }

    pub(crate) fn execute(&mut self, path: &str) -> Option<Code> {
        self.ask(Request::post(path, ""))
            .map(|message| message.code)
    }

    pub(crate) fn push(&mut self, image: &[u8], size: usize) -> Option<Code> {
        let mut request = Request::put("/5/0/0", image.to_vec()).format(42);
        request.block_size = Some(BlockSize::at_most(size));
        self.ask(request).map(|message| message.code)
    }

    pub(crate) fn observe(&mut self, path: &str) -> RequestId {
        let before = self.notifications.len();
        let request = Request::get(path).observing();
        let id = self.server.request(self.now, 1, request).expect("room");
        self.until("observed", |rig| rig.notifications.len() > before);
        id
    }

    /// What an observation brought, as text.
    pub(crate) fn notified(&self, id: RequestId) -> Vec<String> {
        let of_it = self.notifications.iter().filter(|(of, _)| *of == id);
        of_it
            .map(|(_, message)| String::from_utf8_lossy(&message.payload).into_owned())
            .collect()
    }

    /// State, result and version.
    pub(crate) fn seen(&self) -> (u8, u8, String) {
        let firmware = self.device.firmware();
        let (state, result) = (firmware.state() as u8, firmware.outcome() as u8);
        (state, result, firmware.reported().to_owned())
    }

    pub(crate) fn states(&self) -> Vec<(u8, u8)> {
        let steps = self.device.firmware().history().iter();
        steps.map(|it| (it.state as u8, it.outcome as u8)).collect()
    }

    pub(crate) fn until_registered(&mut self) {
        self.until("registered", |rig| rig.device.phase() == Phase::Registered);
    }

    pub(crate) fn registrations(&self) -> usize {
        let of_rd =
            |(code, path): &&(Code, String)| *code == Code::POST && path.starts_with("/rd?");
        self.requests.iter().filter(of_rd).count()
    }

    pub(crate) fn updates(&self) -> Vec<&str> {
        let updates = self
            .requests
            .iter()
            .filter(|(code, path)| *code == Code::POST && path.starts_with("/rd/x1"));
        updates.map(|(_, path)| path.as_str()).collect()
    }
}
