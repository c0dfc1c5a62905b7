//! Requests to devices: one at a time each, the rest waits (contract 2.2 and 2.7).

use bytes::Bytes;
use fotalab_wire::{
    coap::{Failure, Message, RequestId},
    lwm2m::{ContentFormat, Definitions, Path, Value},
    net::UnixMillis,
};

use super::{Air, Answer, Call, Operation, Outcome, Running, Ticket, Told, Watched, time};
use crate::limits;

impl Air {
    /// Asks a device, now or when its turn comes. The end is told with the ticket, always.
    pub(crate) fn operate(
        &mut self,
        now: UnixMillis,
        endpoint: &str,
        ticket: Ticket,
        operation: Operation,
    ) {
        self.operate_in(now, endpoint, ticket, operation, None);
    }

    /// The same, the answer in this format if the device can.
    pub(crate) fn operate_in(
        &mut self,
        now: UnixMillis,
        endpoint: &str,
        ticket: Ticket,
        operation: Operation,
        accept: Option<ContentFormat>,
    ) {
        let call = Call {
            ticket,
            operation,
            accept,
        };
        let room = self.registrations.with(endpoint, |device| {
            if device.queue.len() >= limits::MAX_OPERATIONS_PER_DEVICE {
                return false;
            }
            device.queue.push_back(call.clone());
            true
        });
        match room {
            Some(true) => self.pump(now, endpoint),
            Some(false) => self.done(call.ticket, Outcome::Silent),
            None => self.done(call.ticket, Outcome::Gone),
        }
    }

    /// Gives up what was asked with a ticket, without another word to anybody.
    pub(crate) fn withdraw(&mut self, now: UnixMillis, endpoint: &str, ticket: &Ticket) {
        let taken = self.registrations.with(endpoint, |device| {
            device.queue.retain(|call| call.ticket != *ticket);
            device.running
        });
        let Some(request) = taken.flatten() else {
            return;
        };
        let running = self.running.get(&request);
        if running.is_some_and(|it| it.call.ticket == *ticket) {
            self.take_running(request);
            self.coap.cancel(time(now), request);
            self.pump(now, endpoint);
        }
    }

    /// Whether this is observed.
    pub(crate) fn observes(&self, endpoint: &str, watched: &Watched) -> bool {
        let device = self.registrations.get(endpoint);
        device.is_some_and(|it| it.observed.contains_key(watched))
    }

    /// Ends an observation without a word: the next notification is answered by a Reset
    /// (RFC 7641 3.6).
    pub(crate) fn ignore(&mut self, now: UnixMillis, endpoint: &str, watched: &Watched) {
        let ended = self
            .registrations
            .with(endpoint, |device| device.observed.remove(watched));
        if let Some(request) = ended.flatten() {
            self.observations.remove(&request);
            self.coap.cancel(time(now), request);
        }
    }

    /// Brings more of a long body.
    pub(crate) fn supply(
        &mut self,
        now: UnixMillis,
        request: RequestId,
        offset: u64,
        bytes: Bytes,
    ) {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let _over = self.coap.supply(time(now), request, offset, bytes);
    }

    /// Ends a request whose body cannot be read.
    pub(crate) fn give_up(&mut self, now: UnixMillis, request: RequestId) {
        self.coap.cancel(time(now), request);
        self.on_failure(now, request, Failure::Forgotten);
    }

    /// Sends what waits, if the device can hear it.
    pub(super) fn pump(&mut self, now: UnixMillis, endpoint: &str) {
        loop {
            let next = self.registrations.with(endpoint, |device| {
                let ready = device.running.is_none() && now >= device.not_before;
                if !ready || device.sleeps(now) {
                    return None;
                }
                let call = device.queue.pop_front()?;
                let before = call.operation.watched();
                let before = before.and_then(|it| device.observed.remove(&it));
                let request = call.request(&device.said.objects.root);
                Some((call, request, device.peer, before))
            });
            let Some(Some((call, request, peer, before))) = next else {
                return;
            };
            if let Some(before) = before {
                self.observations.remove(&before);
            }
            let sent = match (call.operation.forgets(), before) {
                (true, None) => {
                    // It ended while this waited.
                    self.done(call.ticket, Outcome::Gone);
                    continue;
                }
                (true, Some(before)) => {
                    let sent = self.coap.deregister(time(now), before);
                    sent.map(|()| before)
                }
                (false, before) => {
                    if let Some(before) = before {
                        self.coap.cancel(time(now), before);
                    }
                    self.coap.request(time(now), peer, request)
                }
            };
            match sent {
                Ok(request) => {
                    self.registrations
                        .with(endpoint, |device| device.running = Some(request));
                    let running = Running {
                        endpoint: endpoint.to_owned(),
                        call,
                    };
                    self.running.insert(request, running);
                    return;
                }
                Err(_) => self.done(call.ticket, Outcome::Silent),
            }
        }
    }

    /// The final answer to a request.
    pub(super) fn on_response(&mut self, now: UnixMillis, request: RequestId, message: &Message) {
        self.end_observation(request);
        if let Some(running) = self.take_running(request) {
            let answer = self.read(&running, message);
            self.done(running.call.ticket, Outcome::Answered(answer));
            self.heard(now, &running.endpoint);
        }
    }

    /// The first answer of an observation, or one that follows.
    pub(super) fn on_notification(
        &mut self,
        now: UnixMillis,
        request: RequestId,
        message: &Message,
    ) {
        if self.is_ending(request) {
            // It crossed the request that ends the observation, whose answer is still to come.
            return;
        }
        if let Some(running) = self.take_running(request) {
            let answer = self.read(&running, message);
            let watched = running.call.operation.watched();
            let known = self.registrations.with(&running.endpoint, |device| {
                let room = device.observed.len() < limits::MAX_OBSERVATIONS;
                let watched = watched.filter(|_| room)?;
                device.observed.insert(watched.clone(), request);
                Some(watched)
            });
            if let Some(watched) = known.flatten() {
                let whose = (running.endpoint.clone(), watched);
                self.observations.insert(request, whose);
                let endpoint = running.endpoint.clone();
                self.told.push_back(Told::Observed { endpoint });
            } else {
                self.coap.cancel(time(now), request);
            }
            self.done(running.call.ticket, Outcome::Answered(answer));
            self.heard(now, &running.endpoint);
            return;
        }
        let Some((endpoint, watched)) = self.observations.get(&request).cloned() else {
            return;
        };
        if let Some(device) = self.registrations.get(&endpoint) {
            let answer = Answer::of(message, watched.path(), device.definitions());
            self.tell_values(&endpoint, answer.values(), false);
        }
        self.heard(now, &endpoint);
    }

    /// No answer will come.
    pub(super) fn on_failure(&mut self, now: UnixMillis, request: RequestId, reason: Failure) {
        self.end_observation(request);
        let Some(running) = self.take_running(request) else {
            return;
        };
        let silent = matches!(reason, Failure::Unacknowledged | Failure::Unanswered);
        let held = self.registrations.with(&running.endpoint, |device| {
            device.silent = silent;
            // X-FW-S05: it fell asleep; what does no harm waits for its next window.
            let waits = silent && device.said.queue && running.call.operation.is_safe();
            if waits {
                device.queue.push_front(running.call.clone());
            }
            waits
        });
        if held != Some(true) {
            let outcome = match reason {
                Failure::Reset => Outcome::Rejected,
                Failure::Forgotten => Outcome::Gone,
                _ => Outcome::Silent,
            };
            self.done(running.call.ticket, outcome);
        }
        self.pump(now, &running.endpoint);
    }

    /// Ends all that goes on with a device: its registration is void, or it moved.
    pub(super) fn abandon(&mut self, now: UnixMillis, endpoint: &str) {
        let taken = self.registrations.with(endpoint, |device| {
            let queue = std::mem::take(&mut device.queue);
            let observed = std::mem::take(&mut device.observed);
            device.silent = false;
            (queue, observed, device.running.take())
        });
        let Some((queue, observed, running)) = taken else {
            return;
        };
        for request in observed.into_values() {
            self.observations.remove(&request);
            self.coap.cancel(time(now), request);
        }
        if let Some(request) = running {
            self.coap.cancel(time(now), request);
            if let Some(running) = self.running.remove(&request) {
                self.done(running.call.ticket, Outcome::Gone);
            }
        }
        for call in queue {
            self.done(call.ticket, Outcome::Gone);
        }
    }

    pub(super) fn tell_values(&mut self, endpoint: &str, values: Vec<(Path, Value)>, sent: bool) {
        for (path, value) in values {
            self.told.push_back(Told::Value {
                endpoint: endpoint.to_owned(),
                path,
                value,
                sent,
            });
        }
    }

    fn read(&self, running: &Running, message: &Message) -> Answer {
        let path = running.call.operation.path();
        match self.registrations.get(&running.endpoint) {
            Some(device) => Answer::of(message, path, device.definitions()),
            None => Answer::of(message, path, &Definitions::new()),
        }
    }

    fn is_ending(&self, request: RequestId) -> bool {
        let running = self.running.get(&request);
        running.is_some_and(|it| it.call.operation.forgets())
    }

    fn take_running(&mut self, request: RequestId) -> Option<Running> {
        let running = self.running.remove(&request)?;
        self.registrations.with(&running.endpoint, |device| {
            device.running.take_if(|it| *it == request)
        });
        Some(running)
    }

    fn end_observation(&mut self, request: RequestId) {
        if let Some((endpoint, watched)) = self.observations.remove(&request) {
            self.registrations
                .with(&endpoint, |device| device.observed.remove(&watched));
            self.told.push_back(Told::Observed { endpoint });
        }
    }

    fn done(&mut self, ticket: Ticket, outcome: Outcome) {
        self.told.push_back(Told::Done { ticket, outcome });
    }
}
