//! Registering, staying registered, leaving (contract 2.1).

use std::time::Duration;

use fotalab_wire::coap::message::number;
use fotalab_wire::coap::{Code, Message, Request, RequestId};
use fotalab_wire::lwm2m::Version;
use fotalab_wire::lwm2m::registration as rd;

use super::fault::Fault;
use super::persona::Speaks;
use super::{Device, Event, Persona};
use crate::limits;

/// /1/0/5 where nobody wrote it, in seconds (TS 1.1 E.2).
const DISABLE_TIMEOUT: u32 = 86_400;

/// How a device stands with its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// It has no registration, and asks for none now.
    Unregistered,
    /// It asks for one.
    Registering,
    /// It has one.
    Registered,
}

#[derive(Debug)]
pub(super) struct Registration {
    pub(super) phase: Phase,
    location: Box<str>,
    version: Version,
    /// /1/0/1, in seconds.
    pub(super) lifetime: u32,
    /// /1/0/2.
    pub(super) pmin: u32,
    /// /1/0/3.
    pub(super) pmax: u32,
    /// /1/0/5.
    pub(super) disable_timeout: u32,
    lifetime_said: u32,
    request: Option<(RequestId, Asked)>,
    at: Option<Duration>,
    failures: u32,
    /// What a request of the server asked for, to be done when that is answered.
    todo: Option<Todo>,
}

/// What is done behind an answer; the later ones include or replace the earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Todo {
    /// A registration update.
    Update,
    /// One with the list of objects.
    Objects,
    /// /1/0/4.
    Disable,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// What it runs, by the simple protocol.
    Report,
    Register,
    Update,
    Deregister,
}

impl Registration {
    pub(super) fn new(persona: &Persona) -> Self {
        let lifetime = u32::try_from(persona.lifetime.as_secs()).unwrap_or(u32::MAX);
        Self {
            phase: Phase::Unregistered,
            location: Box::default(),
            version: persona.lwm2m,
            lifetime,
            pmin: 0,
            pmax: 0,
            disable_timeout: DISABLE_TIMEOUT,
            lifetime_said: lifetime,
            request: None,
            at: None,
            failures: 0,
            todo: None,
        }
    }

    pub(super) fn want(&mut self, todo: Todo) {
        self.todo = self.todo.max(Some(todo));
    }

    pub(super) fn take_todo(&mut self) -> Option<Todo> {
        self.todo.take()
    }

    pub(super) fn is_for(&self, request: RequestId) -> bool {
        self.request.is_some_and(|(id, _)| id == request)
    }

    /// /1/0 as it was made.
    pub(super) fn forget_writes(&mut self, persona: &Persona) {
        self.lifetime = Self::new(persona).lifetime;
        self.forget_optional_writes();
    }

    /// What of /1/0 need not be there.
    pub(super) fn forget_optional_writes(&mut self) {
        self.pmin = 0;
        self.pmax = 0;
        self.disable_timeout = DISABLE_TIMEOUT;
    }

    /// The server knows it, by a protocol without registrations; it says something again after
    /// `lifetime`.
    pub(super) fn is_known(&mut self, now: Duration, lifetime: Duration) {
        self.phase = Phase::Registered;
        self.failures = 0;
        self.at = Some(now + lifetime);
    }

    /// Nothing is said before that time has passed, unless an answer comes.
    pub(super) fn wait(&mut self, now: Duration, time: Duration) {
        self.at = Some(now + time);
    }

    pub(super) fn timeout(&self) -> Option<Duration> {
        self.at
    }

    pub(super) fn is_settled(&self) -> bool {
        self.request.is_none()
    }

    pub(super) fn version(&self) -> Version {
        self.version
    }
}

impl Device {
    pub(super) fn register(&mut self, now: Duration) {
        match self.kind.persona.speaks {
            Speaks::Lwm2m => {}
            Speaks::Horde => return self.say_what_runs(now),
            Speaks::Iotaap => return self.ask_latest(now),
        }
        let persona = &self.kind.persona;
        let registration = rd::Registration {
            lifetime: self.registration.lifetime,
            queue: persona.queue_mode,
            ..rd::Registration::new(
                self.setup.endpoint.as_str(),
                self.registration.version,
                self.object_list(),
            )
        };
        let list = self.list_payload(&registration.objects);
        let mut request = Request::post("rd", list).format(40);
        for item in registration.query() {
            request.options.push(number::URI_QUERY, item.as_bytes());
        }
        self.registration.phase = Phase::Registering;
        self.registration.lifetime_said = self.registration.lifetime;
        self.ask(now, request, Asked::Register);
    }

    /// Says that it is still there; with `all` also its objects.
    pub(super) fn update_registration(&mut self, now: Duration, all: bool) {
        if self.registration.phase != Phase::Registered {
            return;
        }
        if self.kind.persona.speaks != Speaks::Lwm2m {
            return self.register(now);
        }
        let omits = self.kind.persona.fault(Fault::OmitsLifetime).is_some();
        let lifetime = self.registration.lifetime;
        let changed = lifetime != self.registration.lifetime_said && !omits;
        let update = rd::Update {
            lifetime: changed.then_some(lifetime),
            objects: all.then(|| self.object_list()),
            ..rd::Update::default()
        };
        let payload = update.objects.as_ref().map(|list| self.list_payload(list));
        let mut request = Request::post(&self.registration.location, payload.unwrap_or_default());
        if all {
            request = request.format(40);
        }
        for item in update.query(self.registration.version) {
            request.options.push(number::URI_QUERY, item.as_bytes());
        }
        self.registration.lifetime_said = lifetime;
        self.ask(now, request, Asked::Update);
    }

    pub(super) fn deregister(&mut self, now: Duration) {
        if self.registration.phase != Phase::Registered {
            return;
        }
        self.registration.phase = Phase::Unregistered;
        if self.kind.persona.speaks != Speaks::Lwm2m {
            // Nobody is told.
            self.registration.at = None;
            return;
        }
        let request = Request::new(Code::DELETE, &self.registration.location);
        self.ask(now, request, Asked::Deregister);
    }

    /// Does what waited for an answer to go out first.
    pub(super) fn perform(&mut self, now: Duration, todo: Todo) {
        match todo {
            Todo::Update => self.update_registration(now, false),
            Todo::Objects => self.update_registration(now, true),
            Todo::Disable => self.disable(now),
        }
    }

    /// The links of Register, with `ver` as this device writes it.
    fn list_payload(&self, list: &rd::ObjectList) -> Vec<u8> {
        let mut payload = list.payload();
        if self.kind.persona.quotes_versions {
            let mut text = String::from_utf8_lossy(&payload).into_owned();
            for version in list.objects.values().filter_map(|it| it.version) {
                let (bare, quoted) = (format!(";ver={version}"), format!(";ver=\"{version}\""));
                text = text.replace(&bare, &quoted);
            }
            payload = text.into_bytes();
        }
        payload
    }

    /// /1/0/4: leaves for a while.
    fn disable(&mut self, now: Duration) {
        self.deregister(now);
        let seconds = self.registration.disable_timeout;
        self.registration.at = Some(now + Duration::from_secs(seconds.into()));
    }

    pub(super) fn registration_timeout(&mut self, now: Duration) {
        if self.registration.at.is_none_or(|at| at > now) {
            return;
        }
        self.registration.at = None;
        match self.registration.phase {
            Phase::Registered => self.update_registration(now, false),
            Phase::Unregistered | Phase::Registering => self.register(now),
        }
    }

    pub(super) fn on_registration_response(
        &mut self,
        now: Duration,
        request: RequestId,
        message: &Message,
    ) {
        let Some((_, asked)) = self.registration.request.take_if(|(id, _)| *id == request) else {
            return;
        };
        match (asked, message.code) {
            (Asked::Report, _) => self.on_report_answered(now, message),
            (Asked::Register, Code::CREATED) => {
                let segments = message.options.iter();
                let location: String = segments
                    .filter(|(number, _)| *number == number::LOCATION_PATH)
                    .map(|(_, segment)| format!("/{}", String::from_utf8_lossy(segment)))
                    .collect();
                self.registration.location = location.as_str().into();
                self.registration.phase = Phase::Registered;
                self.registration.failures = 0;
                self.events.push_back(Event::Registered(location));
                self.schedule_update(now);
            }
            (Asked::Register, Code::PRECONDITION_FAILED)
                if self.registration.version > Version::V1_0 =>
            {
                // Anjay's order: 1.2, 1.1, 1.0 (contract 2.1).
                self.registration.version.minor -= 1;
                self.register(now);
            }
            (Asked::Update, Code::CHANGED | Code::REQUEST_ENTITY_TOO_LARGE) => {
                self.schedule_update(now);
            }
            (Asked::Update, _) => {
                self.observed.clear();
                if self.kind.persona.fault(Fault::DoesNotReregister).is_some() {
                    self.registration.phase = Phase::Unregistered;
                    self.registration.at = None;
                } else {
                    self.register(now);
                }
            }
            (Asked::Deregister, _) => self.events.push_back(Event::Deregistered),
            (Asked::Register, code) => self.try_again(now, Some(code)),
        }
    }

    pub(super) fn on_registration_failed(&mut self, now: Duration, request: RequestId) {
        let asked = self.registration.request.take_if(|(id, _)| *id == request);
        match asked {
            Some((_, Asked::Register | Asked::Report)) => self.try_again(now, None),
            Some((_, Asked::Update)) => {
                self.events.push_back(Event::Unanswered);
                self.register(now);
            }
            _ => {}
        }
    }

    // Helpers.

    pub(super) fn ask(&mut self, now: Duration, request: Request, asked: Asked) {
        self.stay_awake(now);
        if let Some((before, _)) = self.registration.request.take() {
            self.coap.cancel(now, before);
        }
        let server = self.setup.server;
        match self.coap.request(now, server, request) {
            Ok(id) => self.registration.request = Some((id, asked)),
            Err(_) => self.try_again(now, None),
        }
    }

    /// Longer and longer, to a limit.
    pub(super) fn try_again(&mut self, now: Duration, code: Option<Code>) {
        let doubled = limits::REGISTER_AGAIN * 2_u32.pow(self.registration.failures.min(16));
        self.registration.failures += 1;
        self.firmware
            .not_registered(now, self.registration.failures);
        self.registration.phase = Phase::Unregistered;
        self.registration.at = Some(now + doubled.min(limits::REGISTER_AGAIN_MAX));
        self.events.push_back(Event::NotRegistered(code));
    }

    /// Before the lifetime is over: by the time that an update may take, or half of it.
    fn schedule_update(&mut self, now: Duration) {
        let lifetime = Duration::from_secs(self.registration.lifetime.into());
        let early = if lifetime > 2 * limits::UPDATE_MARGIN {
            lifetime - limits::UPDATE_MARGIN
        } else {
            lifetime / 2
        };
        let late = self.kind.persona.fault(Fault::UpdatesTooLate);
        let after = match late {
            Some(strike) => lifetime + Duration::from_secs(strike.amount.into()),
            None => early,
        };
        self.registration.at = Some(now + after);
    }
}
