//! Many devices as one object without I/O: who a datagram is for, whose timer is next.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fotalab_wire::net::Datagram;

use super::KeyLog;
use super::esp32::Esp32;
use super::secure::{Psk, Sealed, Secure};
use crate::device::iotaap::Response;
use crate::device::{Device, Event, Kind, Peer, Phase, Setup, State, UpdateResult};
use crate::limits;

/// Sees what crosses the devices' DTLS sessions, in the clear.
pub trait Tap: fmt::Debug + Send {
    /// A device sends `sealed`, with `plain` in it.
    fn sealed(&mut self, plain: &Bytes, sealed: &Bytes);

    /// A device has found `plain` in `sealed`. False: it is not to hear it.
    fn opened(&mut self, plain: &Bytes, sealed: &Bytes) -> bool;
}

/// Devices, each with an address of its own.
#[derive(Debug, Default)]
pub struct Fleet {
    members: Vec<Member>,
    /// Looked up, never walked.
    places: HashMap<IpAddr, u32>,
    timers: BinaryHeap<Reverse<(Duration, u32)>>,
    out: VecDeque<Datagram>,
    told: VecDeque<Told>,
    wishes: VecDeque<(usize, Option<Wish>)>,
    questions: VecDeque<(usize, String)>,
    responses: VecDeque<(usize, Response)>,
    sent: u64,
    received: u64,
    /// How often a device got another address.
    moves: u32,
    key_log: Option<KeyLog>,
    tap: Option<Box<dyn Tap>>,
}

#[derive(Debug)]
struct Member {
    /// By itself, so that a fleet that grows moves no devices and leaves no room for half as many.
    device: Box<Device>,
    address: IpAddr,
    secure: Option<Box<Secure>>,
    began_with: Box<str>,
    armed: Option<Duration>,
}

/// A package that a device wants over HTTP.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) uri: String,
    pub(super) offset: usize,
    pub(super) etag: Option<Vec<u8>>,
    /// Asked for as an ESP32's updater does.
    pub(super) esp32: Option<Esp32>,
}

/// What happened to one of the devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Which one.
    pub index: usize,
    /// What.
    pub event: Event,
}

/// How many devices are in which state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// All.
    pub devices: usize,
    /// With a registration.
    pub registered: usize,
    /// By /5/0/3.
    pub states: BTreeMap<State, usize>,
    /// By /5/0/5.
    pub results: BTreeMap<UpdateResult, usize>,
    /// By the version that runs.
    pub versions: BTreeMap<String, usize>,
    /// In a download that does not go on by itself.
    pub stalled: usize,
    /// Idle again after an update, with a result or another version than at first.
    pub updated: usize,
    /// Datagrams sent.
    pub sent: u64,
    /// Datagrams received.
    pub received: u64,
}

impl Fleet {
    /// Nobody.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on tells the secrets of the sessions of devices that are added, so that a capture
    /// of them can be read. Nobody does that unless the user asked for it.
    pub fn log_keys(&mut self, key_log: KeyLog) {
        self.key_log = Some(key_log);
    }

    /// Adds a device that switches itself on at `start`, and says its index. With a PSK it speaks
    /// DTLS with its server, if that is a secure one, and with where it pulls packages from by
    /// `coaps`; `seed` makes its handshakes the same each time.
    pub fn add(
        &mut self,
        now: Duration,
        kind: &Arc<Kind>,
        setup: Setup,
        start: Duration,
        psk: Option<(&Psk, Option<u64>)>,
    ) -> usize {
        let index = self.add_off(now, kind, setup, psk);
        if let Some(member) = self.members.get_mut(index) {
            member.device.switch_on_at(start);
        }
        self.arm(index);
        index
    }

    /// The same with a device that stays off until [`Fleet::with`] switches it on.
    pub fn add_off(
        &mut self,
        now: Duration,
        kind: &Arc<Kind>,
        setup: Setup,
        psk: Option<(&Psk, Option<u64>)>,
    ) -> usize {
        let index = self.members.len();
        let address = address_of(index);
        let server = setup.server.address;
        let began_with = setup.firmware.as_str().into();
        let device = Box::new(Device::new(now, Arc::clone(kind), setup));
        self.members.push(Member {
            device,
            address,
            secure: psk
                .and_then(|(psk, seed)| Secure::new(server, psk, seed, self.key_log.as_ref()))
                .map(Box::new),
            began_with,
            armed: None,
        });
        self.places.insert(address, index as u32);
        index
    }

    /// Lets `tap` see what crosses the devices' DTLS sessions.
    pub fn set_tap(&mut self, tap: Box<dyn Tap>) {
        self.tap = Some(tap);
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// There is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// One of them.
    #[must_use]
    pub fn device(&self, index: usize) -> Option<&Device> {
        self.members.get(index).map(|member| &*member.device)
    }

    /// Lets one of them do something.
    pub fn with<T>(
        &mut self,
        now: Duration,
        index: usize,
        act: impl FnOnce(&mut Device) -> T,
    ) -> Option<T> {
        let done = act(&mut self.members.get_mut(index)?.device);
        self.settle(now, index);
        Some(done)
    }

    /// Gives a device another address, as a mobile network does.
    pub fn rebind(&mut self, index: usize, address: IpAddr) {
        if let Some(member) = self.members.get_mut(index) {
            self.places.remove(&member.address);
            member.address = address;
            self.places.insert(address, index as u32);
        }
    }

    /// Gives a device an address that nobody has or had.
    pub(super) fn move_away(&mut self, index: usize) {
        self.moves += 1;
        let [_, high, middle, low] = self.moves.to_be_bytes();
        self.rebind(index, Ipv4Addr::new(127, 128 | high, middle, low).into());
    }

    /// A device's address.
    #[must_use]
    pub fn address(&self, index: usize) -> Option<IpAddr> {
        self.members.get(index).map(|member| member.address)
    }

    /// Whose address that is.
    #[must_use]
    pub fn index_of(&self, address: IpAddr) -> Option<usize> {
        self.places.get(&address).map(|index| *index as usize)
    }

    /// A datagram arrived for one of them.
    pub fn handle_datagram(&mut self, now: Duration, datagram: &Datagram) {
        self.received += 1;
        let place = self.places.get(&datagram.to.ip());
        let Some(index) = place.map(|index| *index as usize) else {
            return;
        };
        let Some(member) = self.members.get_mut(index) else {
            return;
        };
        let (from, bytes) = (datagram.from, &datagram.bytes);
        let is_on = member.device.is_on();
        let secure = member.secure.as_mut();
        match secure.filter(|it| is_on && it.speaks_with(from)) {
            Some(secure) => {
                let peer = Peer {
                    address: from,
                    secure: true,
                };
                for plain in secure.receive(now, from, bytes) {
                    let tap = self.tap.as_mut();
                    if tap.is_none_or(|tap| tap.opened(&plain, bytes)) {
                        member.device.handle_datagram(now, peer, &plain);
                    }
                }
            }
            None => {
                let peer = Peer {
                    address: from,
                    secure: false,
                };
                member.device.handle_datagram(now, peer, bytes);
            }
        }
        self.settle(now, index);
    }

    /// Time passed. Serves at most [`limits::DEVICES_PER_CALL`] devices.
    pub fn handle_timeout(&mut self, now: Duration) {
        for _ in 0..limits::DEVICES_PER_CALL {
            let Some(&Reverse((at, index))) = self.timers.peek() else {
                return;
            };
            if at > now {
                return;
            }
            self.timers.pop();
            let index = index as usize;
            let Some(member) = self.members.get_mut(index) else {
                continue;
            };
            if member.armed != Some(at) {
                continue;
            }
            member.armed = None;
            if member.device.poll_timeout().is_some_and(|due| due <= now) {
                member.device.handle_timeout(now);
            }
            if let Some(secure) = &mut member.secure
                && secure.poll_timeout().is_some_and(|due| due <= now)
            {
                secure.handle_timeout(now);
            }
            self.settle(now, index);
        }
    }

    /// When `handle_timeout` should be called; at times earlier than needed.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.timers.peek().map(|Reverse((at, _))| *at)
    }

    /// A datagram to send; its source port is the socket's.
    pub fn poll_transmit(&mut self) -> Option<Datagram> {
        self.out.pop_front()
    }

    /// What happened; the oldest are dropped above [`limits::FLEET_EVENTS`].
    pub fn poll_event(&mut self) -> Option<Told> {
        self.told.pop_front()
    }

    /// Something happened that nobody has asked for yet.
    #[must_use]
    pub fn has_events(&self) -> bool {
        !self.told.is_empty()
    }

    /// A package that a device wants, or `None` for one that it wants no more.
    pub(super) fn poll_wish(&mut self) -> Option<(usize, Option<Wish>)> {
        self.wishes.pop_front()
    }

    /// What a device says about a check that somebody told it to make.
    pub(super) fn poll_response(&mut self) -> Option<(usize, Response)> {
        self.responses.pop_front()
    }

    /// A document that a device asks for.
    pub(super) fn poll_question(&mut self) -> Option<(usize, String)> {
        self.questions.pop_front()
    }

    /// None has a registration, or waits to be rid of it.
    #[must_use]
    pub fn has_left(&self) -> bool {
        let left = |member: &Member| !member.device.is_on() || member.device.has_left();
        self.members.iter().all(left)
    }

    /// Counts them.
    #[must_use]
    pub fn census(&self) -> Census {
        let mut census = Census {
            devices: self.members.len(),
            sent: self.sent,
            received: self.received,
            ..Census::default()
        };
        for member in &self.members {
            let firmware = member.device.firmware();
            census.registered += usize::from(member.device.phase() == Phase::Registered);
            *census.states.entry(firmware.state()).or_default() += 1;
            *census.results.entry(firmware.outcome()).or_default() += 1;
            census.stalled += usize::from(firmware.is_stalled());
            let running = firmware.running();
            match census.versions.get_mut(running) {
                Some(count) => *count += 1,
                None => {
                    census.versions.insert(running.to_owned(), 1);
                }
            }
            let ended = firmware.outcome() != UpdateResult::Initial;
            let differs = *running != *member.began_with;
            let updated = firmware.state() == State::Idle && (ended || differs);
            census.updated += usize::from(updated);
        }
        census
    }

    // Helpers.

    /// Takes out what a device has to say, and notes its next timer.
    fn settle(&mut self, now: Duration, index: usize) {
        let Some(member) = self.members.get_mut(index) else {
            return;
        };
        let from = SocketAddr::new(member.address, 0);
        let send = |out: &mut VecDeque<Datagram>, to, bytes| {
            out.push_back(Datagram { from, to, bytes });
        };
        let before = self.out.len();
        while let Some(transmit) = member.device.poll_transmit() {
            let Peer { address, secure } = transmit.to;
            match &mut member.secure {
                Some(sessions) if secure => sessions.send(now, address, &transmit.payload),
                // There is no key for it.
                _ if secure => {}
                _ => send(&mut self.out, address, transmit.payload),
            }
        }
        while let Some(event) = member.device.poll_event() {
            let lost = matches!(
                event,
                Event::Off | Event::NotRegistered(None) | Event::Unanswered
            );
            if let Some(secure) = member.secure.as_mut().filter(|_| lost) {
                while let Some(sealed) = secure.poll_transmit() {
                    tell(&mut self.tap, &sealed);
                    send(&mut self.out, sealed.to, sealed.bytes);
                }
                if event == Event::Off {
                    secure.forget_all();
                } else {
                    secure.forget(member.device.server().address);
                }
            }
            match &event {
                Event::FileServerUnanswered(address) => {
                    if let Some(secure) = &mut member.secure {
                        secure.forget(*address);
                    }
                }
                Event::Fetch { uri, offset, etag } => {
                    let wish = Wish {
                        uri: uri.clone(),
                        offset: *offset,
                        etag: etag.clone(),
                        esp32: Esp32::of(&member.device),
                    };
                    self.wishes.push_back((index, Some(wish)));
                }
                Event::Responded(response) if self.responses.len() < limits::FLEET_EVENTS => {
                    self.responses.push_back((index, *response));
                }
                Event::Ask { uri } => self.questions.push_back((index, uri.clone())),
                Event::StopFetching | Event::Off => self.wishes.push_back((index, None)),
                _ => {}
            }
            if self.told.len() >= limits::FLEET_EVENTS {
                self.told.pop_front();
            }
            self.told.push_back(Told { index, event });
        }
        if let Some(secure) = &mut member.secure {
            while let Some(sealed) = secure.poll_transmit() {
                tell(&mut self.tap, &sealed);
                send(&mut self.out, sealed.to, sealed.bytes);
            }
        }
        self.sent += (self.out.len() - before) as u64;
        self.arm(index);
    }

    fn arm(&mut self, index: usize) {
        let Some(member) = self.members.get_mut(index) else {
            return;
        };
        let secure = member.secure.as_ref().and_then(|it| it.poll_timeout());
        let next = [member.device.poll_timeout(), secure];
        let Some(next) = next.into_iter().flatten().min() else {
            return;
        };
        if member.armed.is_none_or(|armed| next < armed) {
            member.armed = Some(next);
            self.timers.push(Reverse((next, index as u32)));
        }
    }
}

fn tell(tap: &mut Option<Box<dyn Tap>>, sealed: &Sealed) {
    if let (Some(tap), Some(plain)) = (tap, &sealed.plain) {
        tap.sealed(plain, &sealed.bytes);
    }
}

/// An address of 127/8 for each, so that a server on this machine sees distinct peers.
fn address_of(index: usize) -> IpAddr {
    let [_, high, middle, low] = (index as u32 + 1).to_be_bytes();
    Ipv4Addr::new(127, 64_u8.wrapping_add(high), middle, low).into()
}
