//! Requests to devices: one at a time each, the rest waits (contract 2.2 and 2.7).

use fotalab_wire::{
    coap::{Failure, Message, RequestId},
    net::UnixMillis,
};

use super::{Air, Answer, Operation, Outcome, Running, Ticket, Told, time};
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
        let room = self.registrations.with(endpoint, |device| {
            if device.queue.len() >= limits::MAX_OPERATIONS_PER_DEVICE {
                return Err((ticket.clone(), Outcome::Silent));
            }
            device.queue.push_back((ticket.clone(), operation));
            Ok(())
        });
        match room {
            Some(Ok(())) => self.pump(now, endpoint),
            Some(Err((ticket, outcome))) => self.done(ticket, outcome),
            None => self.done(ticket, Outcome::Gone),
        }
    }

    /// Sends what waits, if the device can hear it.
    pub(super) fn pump(&mut self, now: UnixMillis, endpoint: &str) {
        loop {
            let next = self.registrations.with(endpoint, |device| {
                let ready = device.running.is_none() && now >= device.not_before;
                if !ready || device.sleeps(now) {
                    return None;
                }
                let (ticket, operation) = device.queue.pop_front()?;
                let before = match operation {
                    Operation::Observe(path) | Operation::Forget(path) => {
                        device.observed.remove(&path)
                    }
                    _ => None,
                };
                let request = operation.request(&device.said.objects.root);
                Some((ticket, operation, request, device.peer, before))
            });
            let Some(Some((ticket, operation, request, peer, before))) = next else {
                return;
            };
            if let Some(before) = before {
                self.observations.remove(&before);
            }
            let sent = match (&operation, before) {
                (Operation::Forget(_), None) => {
                    self.done(ticket, Outcome::Gone);
                    continue;
                }
                (Operation::Forget(_), Some(before)) => {
                    let sent = self.coap.deregister(time(now), before);
                    sent.map(|()| before)
                }
                (_, before) => {
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
                        ticket,
                        operation,
                    };
                    self.running.insert(request, running);
                    return;
                }
                Err(_) => self.done(ticket, Outcome::Silent),
            }
        }
    }

    /// The final answer to a request.
    pub(super) fn on_response(&mut self, now: UnixMillis, request: RequestId, message: &Message) {
        self.end_observation(request);
        if let Some(running) = self.take_running(request) {
            let answer = self.read(&running, message);
            self.done(running.ticket, Outcome::Answered(answer));
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
        if let Some(running) = self.take_running(request) {
            let path = running.operation.path();
            let answer = self.read(&running, message);
            let known = self.registrations.with(&running.endpoint, |device| {
                let room = device.observed.len() < limits::MAX_OBSERVATIONS;
                if room {
                    device.observed.insert(path, request);
                }
                room
            });
            if known == Some(true) {
                let whose = (running.endpoint.clone(), path);
                self.observations.insert(request, whose);
            } else {
                self.coap.cancel(time(now), request);
            }
            self.done(running.ticket, Outcome::Answered(answer));
            self.heard(now, &running.endpoint);
            return;
        }
        let Some((endpoint, path)) = self.observations.get(&request).cloned() else {
            return;
        };
        if let Some(device) = self.registrations.get(&endpoint) {
            let answer = Answer::of(message, path, &device.definitions);
            self.tell_values(&endpoint, answer.values());
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
            let waits = silent && device.said.queue && running.operation.is_safe();
            if waits {
                let again = (running.ticket.clone(), running.operation.clone());
                device.queue.push_front(again);
            }
            waits
        });
        if held != Some(true) {
            let outcome = match reason {
                Failure::Reset => Outcome::Rejected,
                Failure::Forgotten => Outcome::Gone,
                _ => Outcome::Silent,
            };
            self.done(running.ticket, outcome);
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
                self.done(running.ticket, Outcome::Gone);
            }
        }
        for (ticket, _) in queue {
            self.done(ticket, Outcome::Gone);
        }
    }

    pub(super) fn tell_values(
        &mut self,
        endpoint: &str,
        values: Vec<(fotalab_wire::lwm2m::Path, fotalab_wire::lwm2m::Value)>,
    ) {
        for (path, value) in values {
            self.told.push_back(Told::Value {
                endpoint: endpoint.to_owned(),
                path,
                value,
            });
        }
    }

    fn read(&self, running: &Running, message: &Message) -> Answer {
        let path = running.operation.path();
        match self.registrations.get(&running.endpoint) {
            Some(device) => Answer::of(message, path, &device.definitions),
            None => Answer::of(message, path, &fotalab_wire::lwm2m::Definitions::new()),
        }
    }

    fn take_running(&mut self, request: RequestId) -> Option<Running> {
        let running = self.running.remove(&request)?;
        self.registrations.with(&running.endpoint, |device| {
            device.running.take_if(|it| *it == request)
        });
        Some(running)
    }

    fn end_observation(&mut self, request: RequestId) {
        if let Some((endpoint, path)) = self.observations.remove(&request) {
            self.registrations
                .with(&endpoint, |device| device.observed.remove(&path));
        }
    }

    fn done(&mut self, ticket: Ticket, outcome: Outcome) {
        self.told.push_back(Told::Done { ticket, outcome });
    }
}
