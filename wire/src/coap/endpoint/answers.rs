//! What became of a request: a response, a notification, or one block of several
//! (RFC 7641 3, RFC 7959 2.4 to 2.7).

use std::time::Duration;

use bytes::Bytes;

use super::calls::Stage;
use super::event::{Event, Failure};
use super::fetch::{Fetch, Taken};
use super::outgoing::{Role, Urgency};
use super::peer::{Peer, Shared};
use super::peers::PeerKey;
use super::request::Delivery;
use super::upload::{Upload, Uploaded};
use super::watch::Watch;
use crate::coap::message::{Kind, Message, MessageView, number};

impl<P: PeerKey> Peer<P> {
    /// A response to this request, whichever way it came.
    pub(super) fn on_answer(
        &mut self,
        shared: &mut Shared<P>,
        now: Duration,
        serial: u64,
        view: &MessageView<'_>,
    ) {
        let Some(call) = self.call_mut(serial) else {
            return;
        };
        if call
            .watch
            .as_ref()
            .is_some_and(|watch| watch.token == view.token)
        {
            return self.on_notification(shared, now, serial, view);
        }
        call.deadline = None;
        if call.observe.take() == Some(0)
            && view.code.is_success()
            && let Some(sequence) = view.uint(number::OBSERVE)
        {
            call.watch = Some(Watch::new(now, call.token, sequence));
        }
        match &mut call.upload {
            Some(upload) => {
                let outcome = upload.answered(&call.request, view);
                self.uploaded(shared, now, serial, view, outcome);
            }
            None => {
                let smaller = Upload::asked_for(&call.request, view);
                match smaller.filter(|_| !call.uploaded) {
                    Some(upload) => {
                        call.upload = Some(upload);
                        self.start(shared, now, serial, Urgency::NextOfUpload);
                    }
                    None => self.on_body(shared, now, serial, view),
                }
            }
        }
    }

    /// A message with the token of an observation (RFC 7641 3.2, 3.4 and 3.6).
    fn on_notification(
        &mut self,
        shared: &mut Shared<P>,
        now: Duration,
        serial: u64,
        view: &MessageView<'_>,
    ) {
        let sequence = view
            .uint(number::OBSERVE)
            .filter(|_| view.code.is_success());
        let Some(call) = self.call_mut(serial) else {
            return;
        };
        let Some(sequence) = sequence else {
            // The answer to Observe 1, or the end that the peer sets.
            self.withdraw(Role::Request(serial));
            return self.finish(shared, serial, view.to_message());
        };
        if call.is_deregistering() {
            // It was under way when the observation was given up.
            shared.statistics.ignored += 1;
            return;
        }
        let registering = call.observe.take().is_some();
        let asked = registering && view.kind == Kind::Acknowledgement;
        let fresh = call
            .watch
            .as_mut()
            .is_some_and(|watch| watch.take(now, sequence));
        if fresh || asked {
            call.fetch = Fetch::new(&call.request);
            call.deadline = None;
            self.withdraw(Role::Request(serial));
            self.on_body(shared, now, serial, view);
        } else {
            shared.statistics.ignored += 1;
            if registering {
                self.rest(shared, now, serial);
            }
        }
    }

    fn uploaded(
        &mut self,
        shared: &mut Shared<P>,
        now: Duration,
        serial: u64,
        view: &MessageView<'_>,
        outcome: Uploaded,
    ) {
        let request = self.request_id(serial);
        let Some(call) = self.call_mut(serial) else {
            return;
        };
        let total = call.request.length();
        match outcome {
            Uploaded::Next { sent } => {
                shared.events.push_back(Event::Progress {
                    request,
                    sent,
                    total,
                });
                let Some(call) = self.call_mut(serial) else {
                    return;
                };
                let upload = call.upload.as_ref();
                if let Some(offset) = upload.and_then(|it| it.wants(&call.request)) {
                    call.stage = Stage::Paused;
                    let wanted = Event::Wanted { request, offset };
                    return shared.events.push_back(wanted);
                }
                self.start(shared, now, serial, Urgency::NextOfUpload);
            }
            Uploaded::Final => {
                call.upload = None;
                call.uploaded = true;
                self.on_body(shared, now, serial, view);
            }
            Uploaded::Broken => self.fail(shared, now, serial, Failure::Blocks),
        }
    }

    /// An answer that may be one block of several.
    fn on_body(
        &mut self,
        shared: &mut Shared<P>,
        now: Duration,
        serial: u64,
        view: &MessageView<'_>,
    ) {
        let request = self.request_id(serial);
        let Some(call) = self.call_mut(serial) else {
            return;
        };
        if !view.code.is_success() {
            return self.finish(shared, serial, view.to_message());
        }
        let in_blocks = call.request.delivery == Delivery::Blocks;
        let offset = call.fetch.offset();
        match call.fetch.take(&call.request, view) {
            Taken::More | Taken::Last if in_blocks => {
                let more = call.fetch.more();
                call.stage = Stage::Paused;
                shared.events.push_back(Event::Block {
                    request,
                    offset,
                    total: call.fetch.total(),
                    more,
                    message: view.to_message(),
                });
                if !more {
                    self.calls.retain(|call| call.serial != serial);
                }
            }
            Taken::More | Taken::Again => self.start(shared, now, serial, Urgency::Request),
            Taken::Last => {
                let message = match call.fetch.assembled() {
                    Some(body) => {
                        let mut message = view.with_payload(Bytes::from(body));
                        message.options.remove(number::BLOCK2);
                        message
                    }
                    None => view.to_message(),
                };
                self.complete(shared, now, serial, message);
            }
            Taken::Restart => {
                shared.events.push_back(Event::Restarted { request });
                self.start(shared, now, serial, Urgency::Request);
            }
            Taken::Failed(reason) => self.fail(shared, now, serial, reason),
        }
    }

    /// A body is complete: the end of a request, or one notification of many.
    fn complete(&mut self, shared: &mut Shared<P>, now: Duration, serial: u64, message: Message) {
        let request = self.request_id(serial);
        let age = message.options.uint(number::MAX_AGE);
        match self.call_mut(serial).map(|call| &mut call.watch) {
            Some(Some(watch)) => {
                watch.max_age = Duration::from_secs(u64::from(age.unwrap_or(60)));
                shared
                    .events
                    .push_back(Event::Notification { request, message });
                self.rest(shared, now, serial);
            }
            _ => self.finish(shared, serial, message),
        }
    }

    fn finish(&mut self, shared: &mut Shared<P>, serial: u64, message: Message) {
        let request = self.request_id(serial);
        self.calls.retain(|call| call.serial != serial);
        shared
            .events
            .push_back(Event::Response { request, message });
    }
}
