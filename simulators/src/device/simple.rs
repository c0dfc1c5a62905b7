//! A device of Horde's simple CoAP protocol: it says what it runs by `POST /u`, is told whether there
//! is an image for it and where, fetches that by Block2, installs it, and says so (contract Horde
//! A7). In between it hears nobody.

use std::time::Duration;

use fotalab_wire::coap::{Code, Message, Request};
use fotalab_wire::simple::{Answer, Fields, Report};

use super::registration::{Asked, Phase};
use super::{Device, Event};

impl Device {
    /// Reports, unless an image is on its way: the samples do one thing at a time.
    pub(super) fn say_what_runs(&mut self, now: Duration) {
        let identity = self.identity();
        let report = Report {
            version: self.firmware.reported().to_owned(),
            model: identity.model,
            serial: identity.serial,
            manufacturer: identity.manufacturer,
        };
        // Each of these is short.
        let payload = report.to_bytes(Fields::Span).unwrap_or_default();
        self.registration.phase = self.registration.phase.max(Phase::Registering);
        self.ask(now, Request::post("u", payload), Asked::Report);
    }

    /// The answer to a report.
    pub(super) fn on_report_answered(&mut self, now: Duration, message: &Message) {
        let answer = Answer::parse(&message.payload).ok();
        let Some(answer) = answer.filter(|_| message.code.is_success()) else {
            return self.try_again(now, Some(message.code));
        };
        self.is_known(now, String::new());
        if answer.available {
            let Answer {
                host, port, path, ..
            } = answer;
            let path = path.trim_start_matches('/');
            let scheme = if self.setup.server.secure {
                "coaps"
            } else {
                "coap"
            };
            let uri = format!("{scheme}://{host}:{port}/{path}");
            // What is under way already goes on.
            let _: Code = self.firmware.write_uri(now, &uri);
        }
    }

    /// The server answered as it should; the next report or poll is due after a lifetime.
    pub(super) fn is_known(&mut self, now: Duration, whereabouts: String) {
        let was = self.registration.phase;
        self.registration.is_known(now, self.kind.persona.lifetime);
        if was != Phase::Registered {
            self.events.push_back(Event::Registered(whereabouts));
        }
    }
}
