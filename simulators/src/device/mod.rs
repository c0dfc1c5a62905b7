//! One simulated device without I/O, of LwM2M or of another protocol ([`Speaks`]): it really receives the bytes of its firmware, checks
//! them, restarts, and comes back with the new version.
//!
//! [`Device`] has the four kinds of method of the sans-I/O objects in `wire`: `handle_*` for what
//! comes in, commands, `poll_*` for what goes out, and views. It owns neither socket nor clock;
//! [`drive`] does, for one device or ten thousand.
//!
//! - [`firmware`] object 5 as a state machine, [`fault`] what it can do wrong, [`persona`] what
//!   kind of device it is, [`identity`] who it says it is.
//! - `simple`, `iotaap`: what devices do that do not speak LwM2M.
//! - `registration`, `requests`, `write`, `composite`, `discover`, `objects`, `observe`, `send`,
//!   `fetch`: the parts of `Device`.

mod composite;
mod discover;
pub mod drive;
pub mod fault;
mod fetch;
pub mod firmware;
pub mod identity;
pub mod iotaap;
mod lab;
mod misbehave;
mod objects;
mod observe;
pub mod persona;
mod power;
mod registration;
mod requests;
mod send;
mod setup;
mod simple;
mod slot;
mod write;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fotalab_wire::coap::{self, ExchangeId, Response};
use fotalab_wire::lwm2m::attributes::Attributes;
use fotalab_wire::lwm2m::{Path, Tree};

pub use self::fault::{Fault, Faults};
use self::fetch::Fetch;
use self::firmware::Effect;
pub use self::firmware::{Firmware, State, Step, UpdateResult};
pub use self::identity::Identity;
use self::observe::Observed;
pub use self::persona::{Persona, Speaks};
pub use self::registration::Phase;
use self::registration::Registration;
pub use self::send::NotSent;
pub use self::setup::{Event, Kind, Peer, Setup};
pub use self::slot::Package;
/// /3/0/11: out of memory.
const OUT_OF_MEMORY: u8 = 5;
/// /3/0/11: IP connectivity failure.
const CONNECTIVITY_FAILURE: u8 = 7;

#[derive(Debug)]
struct Pending {
    at: Duration,
    exchange: ExchangeId,
    response: Response,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Power {
    On,
    /// Until then, or for ever.
    Off(Option<Duration>),
}

/// A device.
#[derive(Debug)]
pub struct Device {
    kind: Arc<Kind>,
    setup: Box<Setup>,
    coap: coap::Endpoint<Peer>,
    firmware: Firmware,
    registration: Registration,
    observed: Vec<Observed>,
    attributes: BTreeMap<Path, Attributes>,
    /// What servers wrote, and instances that they created. `None`: as its kind.
    own: Option<Box<Tree>>,
    sends: VecDeque<Bytes>,
    /// /3/0/11.
    error_code: u8,
    /// The id of the last block of a push, for the faults that take it for another one.
    last_block: Option<u16>,
    offline: bool,
    /// What is compiled into one of IoTaaP.
    keys: Option<Box<iotaap::Keys>>,
    /// A trigger waits for its end.
    triggered: bool,
    pending: Vec<Pending>,
    fetch: Option<Box<Fetch>>,
    power: Power,
    reboot_at: Option<Duration>,
    awake_until: Duration,
    starts: u64,
    /// CoAP endpoints that it had, each with randomness of its own.
    endpoints: u64,
    told: usize,
    out: VecDeque<coap::Transmit<Peer>>,
    events: VecDeque<Event>,
}

impl Device {
    /// A device that is switched off; [`Device::switch_on`] it.
    #[must_use]
    pub fn new(now: Duration, kind: Arc<Kind>, setup: Setup) -> Self {
        let persona = Arc::clone(&kind.persona);
        Self {
            coap: Self::make_endpoint(&kind, setup.seed),
            registration: Registration::new(&persona),
            firmware: Firmware::new(now, persona, &setup.firmware),
            kind,
            setup: Box::new(setup),
            observed: Vec::new(),
            attributes: BTreeMap::new(),
            own: None,
            sends: VecDeque::new(),
            error_code: 0,
            last_block: None,
            offline: false,
            keys: None,
            triggered: false,
            pending: Vec::new(),
            fetch: None,
            power: Power::Off(None),
            reboot_at: None,
            awake_until: Duration::ZERO,
            starts: 0,
            endpoints: 0,
            told: 1,
            out: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    // What comes in.

    /// A datagram arrived; a device that is off or asleep does not hear it.
    pub fn handle_datagram(&mut self, now: Duration, from: Peer, datagram: &[u8]) {
        if self.power != Power::On || self.offline || self.is_asleep(now) {
            return;
        }
        self.stay_awake(now);
        if self.rejects_repeated_block(datagram, from) {
            return;
        }
        self.coap.handle_datagram(now, from, datagram);
        self.settle(now);
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Duration) {
        if let Power::Off(until) = self.power {
            if until.is_some_and(|until| until <= now) {
                self.switch_on(now);
            }
            return;
        }
        self.coap.handle_timeout(now);
        self.firmware.handle_timeout(now);
        self.answer_pending(now);
        self.registration_timeout(now);
        self.fetch_timeout(now);
        if self.reboot_at.is_some_and(|at| at <= now) {
            self.reboot_at = None;
            self.go_dark(now, Some(self.kind.persona.reboot), false);
        }
        self.settle(now);
    }

    /// A datagram to send.
    pub fn poll_transmit(&mut self) -> Option<coap::Transmit<Peer>> {
        if let Some(transmit) = pop(&mut self.out) {
            return Some(transmit);
        }
        let transmit = self.coap.poll_transmit()?;
        self.copy_request(&transmit);
        Some(transmit)
    }

    /// What happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        pop(&mut self.events)
    }

    /// When `handle_timeout` should be called.
    pub fn poll_timeout(&mut self) -> Option<Duration> {
        if let Power::Off(until) = self.power {
            return until;
        }
        [
            self.coap.poll_timeout(),
            self.firmware.poll_timeout(),
            self.registration.timeout(),
            self.pending.iter().map(|it| it.at).min(),
            self.fetch.as_ref().and_then(|fetch| fetch.proceed_at),
            self.observed.iter().filter_map(|it| it.due).min(),
            self.reboot_at,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    // Commands.

    /// De-registers; it stays on.
    pub fn leave(&mut self, now: Duration) {
        self.deregister(now);
        self.settle(now);
    }

    /// Sends a registration update now, which also wakes it.
    pub fn wake(&mut self, now: Duration) {
        self.stay_awake(now);
        self.update_registration(now, false);
        self.settle(now);
    }

    /// Sleeps at once, if it is a device that sleeps.
    pub fn sleep(&mut self, now: Duration) {
        self.awake_until = now;
    }

    // Views.

    /// Its endpoint client name.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.setup.endpoint
    }

    /// Where it registers.
    #[must_use]
    pub fn server(&self) -> Peer {
        self.setup.server
    }

    /// Its firmware: state, result, version, history.
    #[must_use]
    pub fn firmware(&self) -> &Firmware {
        &self.firmware
    }

    /// Its made-up identity.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity::of_seed(self.setup.seed)
    }

    /// How it stands with the server.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.registration.phase
    }

    /// It has no registration, and waits for no answer about one.
    #[must_use]
    pub fn has_left(&self) -> bool {
        self.registration.phase == Phase::Unregistered && self.registration.is_settled()
    }

    /// It is on.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.power == Power::On
    }

    /// Its radio is off.
    #[must_use]
    pub fn is_offline(&self) -> bool {
        self.offline
    }

    /// What it speaks with its server.
    #[must_use]
    pub fn speaks(&self) -> Speaks {
        self.kind.persona.speaks
    }

    /// When it registers, updates its registration or reports next by itself.
    #[must_use]
    pub fn reports_at(&self) -> Option<Duration> {
        self.registration.timeout()
    }

    /// It hears nothing until it wakes by itself (contract 2.2).
    #[must_use]
    pub fn is_asleep(&self, now: Duration) -> bool {
        self.kind.persona.queue_mode
            && self.registration.phase == Phase::Registered
            && self.pending.is_empty()
            && self.fetch.is_none()
            && now >= self.awake_until
    }

    /// How often it has started.
    #[must_use]
    pub fn starts(&self) -> u64 {
        self.starts
    }

    // Helpers.

    fn stay_awake(&mut self, now: Duration) {
        self.awake_until = self.awake_until.max(now + self.kind.persona.awake);
    }

    /// Does all that follows from what came in, until nothing is left to do.
    fn settle(&mut self, now: Duration) {
        loop {
            if self.power != Power::On {
                break;
            }
            if let Some(event) = self.coap.poll_event() {
                self.on_coap(now, event);
            } else if let Some(effect) = self.firmware.poll_effect() {
                self.on_effect(now, effect);
            } else if let Some(todo) = self.registration.take_todo() {
                self.perform(now, todo);
            } else {
                break;
            }
        }
        self.tell_steps(now);
        self.flush_sends(now);
        if self.power == Power::On && self.pending.is_empty() {
            self.notify(now);
        }
    }

    fn on_effect(&mut self, now: Duration, effect: Effect) {
        match effect {
            Effect::Fetch { uri, offset, etag } => self.start_fetch(now, uri, offset, etag),
            Effect::StopFetching => self.stop_fetch(now),
            Effect::Restart { after, deregister } => self.go_dark(now, after, deregister),
        }
    }

    fn on_coap(&mut self, now: Duration, event: coap::Event<Peer>) {
        use coap::Event as E;
        match event {
            E::Request { exchange, .. } | E::BlockReceived { exchange, .. }
                if self.kind.persona.speaks != Speaks::Lwm2m =>
            {
                // It is a client and nothing else.
                let _: Result<(), coap::Refused> = self.coap.reset(exchange);
            }
            E::Request {
                exchange,
                from,
                observe,
                message,
            } => self.on_request(now, exchange, from, observe, &message),
            E::BlockReceived {
                exchange,
                from,
                offset,
                more,
                message,
                ..
            } => self.on_block(now, exchange, from, offset, more, &message),
            E::ObserverGone { observer, .. } => {
                self.observed.retain(|it| it.observer != observer);
            }
            E::Response { request, message } => {
                if self.is_fetch(request) {
                    self.on_fetch_response(now, &message);
                } else {
                    self.on_sent(request, Some(message.code));
                    self.on_registration_response(now, request, &message);
                }
            }
            E::Block {
                request,
                offset,
                total,
                more,
                message,
            } if self.is_fetch(request) => self.on_fetch_block(now, offset, total, more, &message),
            E::Restarted { request } if self.is_fetch(request) => self.firmware.fetch_restarted(),
            E::Failed { request, reason } => {
                if self.is_fetch(request) {
                    self.on_fetch_failed(now, reason);
                } else {
                    self.on_sent(request, None);
                    self.on_registration_failed(now, request);
                }
            }
            _ => {}
        }
    }

    /// Tells the states that were entered since it was last asked.
    fn tell_steps(&mut self, now: Duration) {
        let entered = self.firmware.steps();
        let new = entered.saturating_sub(self.told);
        self.told = entered;
        let history = self.firmware.history();
        let from = history.len().saturating_sub(new);
        for step in history.get(from..).unwrap_or_default().to_vec() {
            self.events.push_back(Event::Update(step));
            match step.outcome {
                UpdateResult::OutOfRam => self.error_code = OUT_OF_MEMORY,
                UpdateResult::ConnectionLost => self.error_code = CONNECTIVITY_FAILURE,
                _ => {}
            }
            self.report(now, step);
            self.end_failed_trigger();
        }
    }

    fn answer_pending(&mut self, now: Duration) {
        while let Some(index) = self.pending.iter().position(|it| it.at <= now) {
            let Pending {
                exchange, response, ..
            } = self.pending.swap_remove(index);
            self.respond(now, exchange, response);
        }
    }

    /// An exchange that is over needs no answer.
    fn respond(&mut self, now: Duration, exchange: ExchangeId, response: Response) {
        let _: Result<(), coap::Refused> = self.coap.respond(now, exchange, response);
    }
}

/// Takes the first and, behind the last, the queue's memory: there are thousands of devices.
fn pop<T>(queue: &mut VecDeque<T>) -> Option<T> {
    let first = queue.pop_front();
    if queue.is_empty() {
        *queue = VecDeque::new();
    }
    first
}

/// The payload of an answer, small enough to be kept whole.
fn body(bytes: Vec<u8>) -> Bytes {
    Bytes::from(bytes)
}
