//! A fleet, the servers that it talks to, and the time between them, without a socket: an LwM2M
//! server that updates each device by push or by pull, and a server that only has the file.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fotalab_simulators::device::drive::Fleet;
use fotalab_simulators::device::{Event, Kind, Peer, Persona, Setup};
use fotalab_wire::coap::{self, Code, Endpoint, Message, Request, RequestId, Response};
use fotalab_wire::image;
use fotalab_wire::net::Datagram;
use rand::SeedableRng as _;
use rand::rngs::SmallRng;

use crate::host::Host;

const LATENCY: Duration = Duration::from_millis(50);
/// How often a server looks how its devices are.
const TICK: Duration = Duration::from_secs(30);
/// A download that takes longer is reset.
const DOWNLOAD: Duration = Duration::from_secs(1_800);
const TRIES: u32 = 3;

/// How packages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Push,
    Pull,
    /// From another host than the server.
    PullElsewhere,
}

pub(crate) struct Lab {
    pub(crate) now: Duration,
    pub(crate) fleet: Fleet,
    pub(crate) server: Host,
    pub(crate) files: Host,
    pub(crate) image: Bytes,
    pub(crate) told: Vec<(usize, Event)>,
    /// The server only takes registrations.
    pub(crate) idle: bool,
    /// It observes three resources of each device that registers.
    pub(crate) observes: bool,
    way: Way,
    wire: BTreeMap<(Duration, u64), Datagram>,
    serial: u64,
    /// By the address that registered.
    devices: BTreeMap<SocketAddr, Wanted>,
    asked: BTreeMap<RequestId, (SocketAddr, Op)>,
}

/// What the server knows of one device, and wants of it.
#[derive(Debug, Default)]
struct Wanted {
    name: String,
    tries: u32,
    began: Duration,
    next: Duration,
    busy: bool,
    state: Option<u8>,
    result: Option<u8>,
    version: Option<String>,
    executed: bool,
    done: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    State,
    Result,
    Version,
    Package,
    Uri,
    Reset,
    Execute,
}

impl Lab {
    pub(crate) fn new(secure: bool, way: Way, persona: Persona, devices: usize) -> Self {
        let scheme = if secure { 1 } else { 0 };
        let server = Host::new(([127, 0, 0, 1], 5683 + scheme).into(), secure);
        let files = Host::new(([127, 0, 0, 2], 5683 + scheme).into(), secure);
        let mut fleet = Fleet::new();
        let kind = Arc::new(Kind::new(persona));
        for index in 0..devices {
            let setup = Setup {
                endpoint: format!("device-{index}"),
                firmware: "1.0.0".to_owned(),
                server: Peer {
                    address: server.address,
                    secure,
                },
                seed: index as u64,
            };
            let psk = crate::host::psk(index);
            let psk = secure.then_some((&psk, Some(index as u64)));
            fleet.add(Duration::ZERO, &kind, setup, Duration::ZERO, psk);
        }
        Self {
            now: Duration::ZERO,
            fleet,
            server,
            files,
            image: image::build("2.0.0", 20_000, 1).expect("fits").into(),
            told: Vec::new(),
            idle: false,
            observes: false,
            way,
            wire: BTreeMap::new(),
            serial: 0,
            devices: BTreeMap::new(),
            asked: BTreeMap::new(),
        }
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        self.run_until(end, |_| false);
    }

    /// Lets time pass until something holds, or the end.
    pub(crate) fn run_until(&mut self, end: Duration, mut stop: impl FnMut(&Self) -> bool) {
        loop {
            self.exchange();
            if stop(self) {
                return;
            }
            let wire = self.wire.first_key_value().map(|((at, _), _)| *at);
            let ticks = self.devices.values().filter(|it| !it.done && !it.busy);
            let next = [
                wire,
                self.fleet.poll_timeout(),
                self.server.poll_timeout(),
                self.files.poll_timeout(),
                ticks.map(|it| it.next).min(),
            ];
            let next = next.into_iter().flatten().min().unwrap_or(end);
            if next > end {
                self.now = end;
                return;
            }
            self.now = self.now.max(next);
            while let Some(entry) = self.wire.first_entry() {
                if entry.key().0 > self.now {
                    break;
                }
                let datagram = entry.remove();
                if datagram.to == self.server.address {
                    self.server.receive(self.now, &datagram);
                } else if datagram.to == self.files.address {
                    self.files.receive(self.now, &datagram);
                } else {
                    self.fleet.handle_datagram(self.now, &datagram);
                }
            }
            self.fleet.handle_timeout(self.now);
            self.server.handle_timeout(self.now);
            self.files.handle_timeout(self.now);
            self.tick();
        }
    }

    /// All updates are over, well or ill.
    pub(crate) fn is_done(&self) -> bool {
        let names: BTreeSet<&str> = self.devices.values().map(|it| it.name.as_str()).collect();
        let done = |it: &Wanted| it.done;
        names.len() == self.fleet.len() && self.devices.values().all(done)
    }

    /// State and result through which a device went, each once in a row.
    pub(crate) fn states(&self, index: usize) -> Vec<(u8, u8)> {
        let device = self.fleet.device(index).expect("there");
        let steps = device.firmware().history().iter();
        steps.map(|it| (it.state as u8, it.outcome as u8)).collect()
    }

    pub(crate) fn running(&self, index: usize) -> String {
        let device = self.fleet.device(index).expect("there");
        device.firmware().running().to_owned()
    }

    // Helpers.

    fn exchange(&mut self) {
        loop {
            let mut quiet = true;
            while let Some(event) = self.server.coap.poll_event() {
                self.on_event(event);
                quiet = false;
            }
            while let Some(event) = self.files.coap.poll_event() {
                if let coap::Event::Request {
                    exchange, message, ..
                } = event
                {
                    let response = self.file(&message);
                    let answered = self.files.coap.respond(self.now, exchange, response);
                    answered.expect("open");
                }
                quiet = false;
            }
            for host in [&mut self.server, &mut self.files] {
                while let Some(datagram) = host.poll_transmit(self.now) {
                    self.serial += 1;
                    let at = self.now + LATENCY;
                    self.wire.insert((at, self.serial), datagram);
                    quiet = false;
                }
            }
            while let Some(mut datagram) = self.fleet.poll_transmit() {
                self.serial += 1;
                datagram.from.set_port(40_000);
                let at = self.now + LATENCY;
                self.wire.insert((at, self.serial), datagram);
                quiet = false;
            }
            while let Some(told) = self.fleet.poll_event() {
                self.told.push((told.index, told.event));
            }
            if quiet {
                return;
            }
        }
    }

    fn file(&self, message: &Message) -> Response {
        match message.options.path().as_str() {
            "/fw" => Response::with(Code::CONTENT, self.image.clone()).etag(b"one"),
            _ => Response::new(Code::NOT_FOUND),
        }
    }

    fn on_event(&mut self, event: coap::Event<SocketAddr>) {
        match event {
            coap::Event::Request {
                exchange,
                from,
                message,
                ..
            } => {
                let response = self.serve(from, &message);
                let answered = self.server.coap.respond(self.now, exchange, response);
                answered.expect("open");
            }
            coap::Event::Response { request, message } => {
                if let Some((peer, op)) = self.asked.remove(&request) {
                    self.on_answer(peer, op, Some(&message));
                }
            }
            coap::Event::Failed { request, .. } => {
                if let Some((peer, op)) = self.asked.remove(&request) {
                    self.on_answer(peer, op, None);
                }
            }
            _ => {}
        }
    }

    fn serve(&mut self, from: SocketAddr, message: &Message) -> Response {
        match (message.code, message.options.path().as_str()) {
            (Code::POST, "/rd") => {
                let query = message.options.iter().filter(|(number, _)| *number == 15);
                let texts = query.map(|(_, it)| String::from_utf8_lossy(it).into_owned());
                let name = texts.filter_map(|it| it.strip_prefix("ep=").map(str::to_owned));
                let wanted = self.devices.entry(from).or_default();
                wanted.name = name.last().unwrap_or_default();
                wanted.next = self.now + Duration::from_secs(1);
                let mut response = Response::new(Code::CREATED);
                response.options.push(8, b"rd");
                response.options.push(8, wanted.name.as_bytes());
                response
            }
            (Code::POST, path) if path.starts_with("/rd/") => Response::new(Code::CHANGED),
            (Code::DELETE, _) => Response::new(Code::DELETED),
            _ => self.file(message),
        }
    }

    fn tick(&mut self) {
        let now = self.now;
        let (idle, observes) = (self.idle, self.observes);
        let due = |it: &&Wanted| !it.done && !it.busy && it.next <= now;
        let peers: Vec<SocketAddr> = self
            .devices
            .iter()
            .filter(|(_, it)| due(it))
            .map(|(peer, _)| *peer)
            .collect();
        for peer in peers {
            if observes && let Some(wanted) = self.devices.get_mut(&peer) {
                wanted.done = idle;
                for path in ["/5/0/3", "/5/0/5", "/3/0/3"] {
                    let request = Request::get(path).observing();
                    let asked = self.server.coap.request(now, peer, request);
                    asked.expect("room");
                }
            } else if idle && let Some(wanted) = self.devices.get_mut(&peer) {
                wanted.done = true;
            } else {
                self.ask(peer, Op::State);
            }
        }
    }

    fn ask(&mut self, peer: SocketAddr, op: Op) {
        let uri = |address: SocketAddr| {
            let scheme = if self.server.is_secure() {
                "coaps"
            } else {
                "coap"
            };
            format!("{scheme}://{address}/fw")
        };
        let request = match op {
            Op::State => Request::get("/5/0/3"),
            Op::Result => Request::get("/5/0/5"),
            Op::Version => Request::get("/3/0/3"),
            Op::Package => Request::put("/5/0/0", self.image.clone()).format(42),
            Op::Uri if self.way == Way::Pull => {
                Request::put("/5/0/1", uri(self.server.address)).format(0)
            }
            Op::Uri => Request::put("/5/0/1", uri(self.files.address)).format(0),
            Op::Reset => Request::put("/5/0/1", "").format(0),
            Op::Execute => Request::post("/5/0/2", ""),
        };
        let asked = self.server.coap.request(self.now, peer, request);
        self.asked.insert(asked.expect("room"), (peer, op));
        if let Some(wanted) = self.devices.get_mut(&peer) {
            wanted.busy = true;
        }
    }

    fn on_answer(&mut self, peer: SocketAddr, op: Op, message: Option<&Message>) {
        let Some(wanted) = self.devices.get_mut(&peer) else {
            return;
        };
        wanted.busy = false;
        let text = message
            .filter(|it| it.code == Code::CONTENT)
            .map(|it| String::from_utf8_lossy(&it.payload).into_owned());
        let number = || text.as_ref().and_then(|it| it.parse().ok());
        let next = match op {
            Op::State => {
                wanted.state = number();
                wanted.state.map(|_| Op::Result)
            }
            Op::Result => {
                wanted.result = number();
                wanted.result.map(|_| Op::Version)
            }
            Op::Version => {
                wanted.version = text;
                self.decide(peer)
            }
            _ => None,
        };
        if let Some(wanted) = self.devices.get_mut(&peer) {
            wanted.next = self.now + TICK;
        }
        if let Some(next) = next {
            self.ask(peer, next);
        }
    }

    /// Contract 1.6, as short as can be.
    fn decide(&mut self, peer: SocketAddr) -> Option<Op> {
        let pushes = self.way == Way::Push;
        let wanted = self.devices.get_mut(&peer)?;
        let (state, result) = wanted.state.zip(wanted.result)?;
        let new = wanted.version.as_deref() == Some("2.0.0");
        match (state, result) {
            (0, _) if new => wanted.done = true,
            (0, 1) if wanted.executed => wanted.done = true,
            (0, _) if wanted.tries < TRIES => {
                wanted.tries += 1;
                wanted.began = self.now;
                return Some(if pushes { Op::Package } else { Op::Uri });
            }
            (2, 8) if wanted.executed => wanted.done = true,
            (2, 11) => {}
            (2, _) => {
                wanted.executed = true;
                return Some(Op::Execute);
            }
            (1, _) if self.now > wanted.began + DOWNLOAD => return Some(Op::Reset),
            (0, _) => wanted.done = true,
            _ => {}
        }
        None
    }
}

pub(crate) fn endpoint(seed: u64) -> Endpoint<SocketAddr> {
    Endpoint::new(coap::Config::default(), SmallRng::seed_from_u64(seed))
}
