//! What the wire shows: all that is known of a third party's server, and where the link lost what.

use std::{collections::BTreeMap, net::SocketAddr};

use fotalab_wire::{
    coap::message::{Code, Kind, Token},
    net::UnixMillis,
};
use serde::Deserialize;

use super::facts::{OnAir, Open, Refused, Transfer};
use crate::trace::{Block, Coap, Datagram, Message, Outcome, code_name};

/// After so long, in milliseconds, nobody waits for the answer to a confirmable request any more
/// (RFC 7252, 4.8.2: MAX_TRANSMIT_WAIT).
const GIVEN_UP: UnixMillis = 93_000;
/// The same once it was acknowledged (RFC 7252, 4.8.2: EXCHANGE_LIFETIME).
const FORGOTTEN: UnixMillis = 247_000;

/// What crossed between a device and the server.
pub(super) fn on_air(messages: &[Message], device: &str, now: UnixMillis) -> OnAir {
    seen(messages, device, now, false).ended()
}

/// What crossed between a scripted peer and anybody. What another peer or a device answers it is
/// theirs on the timeline.
pub(super) fn of_peer(messages: &[Message], peer: &str, now: UnixMillis) -> OnAir {
    seen(messages, peer, now, true).ended()
}

fn seen<'a>(messages: &'a [Message], device: &str, now: UnixMillis, is_peer: bool) -> Seen<'a> {
    let mut seen = Seen {
        now,
        ..Seen::default()
    };
    for message in messages {
        let Some(datagram) = &message.air else {
            continue;
        };
        if *datagram.device == *device {
            seen.take(message, datagram);
        } else if is_peer && datagram.up {
            seen.answered_elsewhere(datagram);
        }
    }
    seen
}

/// The two ends of a datagram, from its detail.
fn ends(message: &Message) -> Option<(SocketAddr, SocketAddr)> {
    #[derive(Deserialize)]
    struct Ends {
        from: SocketAddr,
        to: SocketAddr,
    }
    let ends: Ends = serde_json::from_str(&message.detail).ok()?;
    Some((ends.from, ends.to))
}

/// Who is at the other end of a request: whoever a device asks, or is asked by.
fn other(message: &Message, up: bool) -> Option<SocketAddr> {
    let (from, to) = ends(message)?;
    Some(if up { to } else { from })
}

#[derive(Default)]
struct Seen<'a> {
    now: UnixMillis,
    on_air: OnAir,
    /// Requests without an answer that arrived, by who asks and token.
    asking: BTreeMap<(bool, Token), Asking<'a>>,
    /// The last request of each token.
    asked: BTreeMap<(bool, Token), String>,
    /// Notifications that got lost, by the token of their observation.
    notifying: BTreeMap<Token, Open>,
    /// When the device, and the other side, last had an answer.
    answered: [Option<UnixMillis>; 2],
    /// The last that the device sent, and the last that was refused.
    last_up: Option<&'a Message>,
    refused: Option<&'a Message>,
}

/// A request without an answer.
struct Asking<'a> {
    open: Open,
    mid: u16,
    block: Option<(Block, u64)>,
    message: &'a Message,
}

impl<'a> Seen<'a> {
    fn ended(mut self) -> OnAir {
        self.on_air.open = self.open();
        self.on_air.address = self.last_up.and_then(ends).map(|it| it.0);
        if let Some((refused, message)) = self.on_air.refused.as_mut().zip(self.refused) {
            refused.other = other(message, !refused.up);
        }
        self.on_air
    }

    /// Somebody else sends something: it may answer this one.
    fn answered_elsewhere(&mut self, datagram: &Datagram) {
        let arrived = datagram.outcome.arrives();
        let coap = datagram.coap.as_ref().filter(|_| arrived);
        if let Some(coap) = coap.filter(|it| it.code.is_response()) {
            self.asking.remove(&(true, coap.token));
        }
    }

    /// The last request without an answer: one that is still waited for, or one that was given up
    /// and that nothing has taken the place of.
    fn open(&self) -> Option<Open> {
        let given_up = |it: &Open| {
            let patience = if it.acknowledged { FORGOTTEN } else { GIVEN_UP };
            self.now - it.first >= patience
        };
        // Registrations go on with other requests; what else a device asks for, it asks again.
        let asks_again = |it: &Open| it.up && !it.what.contains(" /rd");
        let silent = |it: &Open| self.answered[usize::from(it.up)].is_none_or(|at| at < it.last);
        let in_vain = |it: &Open| asks_again(it) || silent(it);
        let asking = self.asking.values().map(|it| &it.open);
        let all = || asking.clone().chain(self.notifying.values());
        let waits = all().filter(|it| !given_up(it)).max_by_key(|it| it.last);
        let last = waits.or_else(|| all().filter(|it| in_vain(it)).max_by_key(|it| it.last))?;
        // Whoever asks the same again, asks since the first time: an answer would have ended them.
        let mut alike = all().filter(|it| (it.up, &it.what) == (last.up, &last.what));
        let mut open = alike.next()?.clone();
        for other in alike {
            open.first = open.first.min(other.first);
            open.last = open.last.max(other.last);
            open.sent += other.sent;
            open.lost += other.lost;
            open.damaged += other.damaged;
            open.answers_lost += other.answers_lost;
            open.answers_damaged += other.answers_damaged;
            open.answers_coming += other.answers_coming;
            open.acknowledged |= other.acknowledged;
        }
        open.given_up = given_up(last);
        let message = self.asking.values().find(|it| it.open == *last);
        open.other = message.and_then(|it| other(it.message, open.up));
        Some(open)
    }

    fn take(&mut self, message: &'a Message, datagram: &Datagram) {
        let (at, up, outcome) = (message.at, datagram.up, datagram.outcome);
        let arrived = outcome.arrives();
        let comes = arrived && at.saturating_add(i64::from(datagram.delay)) > self.now;
        if up {
            self.last_up = Some(message);
        }
        let on_air = &mut self.on_air;
        let Some(coap) = &datagram.coap else {
            on_air.records += 1;
            on_air.records_lost += u64::from(!arrived);
            on_air.records_last = Some(at);
            return;
        };
        on_air.messages += 1;
        (on_air.records, on_air.records_lost) = (0, 0);
        if arrived && up && !comes {
            on_air.heard = Some(at);
        }
        if coap.code.is_request() {
            self.request(message, datagram, coap);
        } else if coap.code == Code::EMPTY {
            self.empty(message, datagram, coap);
        } else if comes {
            if let Some(asking) = self.asking.get_mut(&(!up, coap.token)) {
                asking.open.answers_coming += 1;
            }
        } else {
            self.answer(message, up, outcome, coap);
        }
    }

    fn request(&mut self, message: &'a Message, datagram: &Datagram, coap: &Coap) {
        let (at, up, outcome) = (message.at, datagram.up, datagram.outcome);
        let path = coap.path.as_deref().unwrap_or("/");
        let what = format!("{} {path}", code_name(coap.code));
        if up && path.starts_with("/rd") {
            // One that got lost ends nothing.
            let left = &mut self.on_air.left;
            match coap.code {
                Code::DELETE if outcome != Outcome::Lost => *left = left.or(Some(at)),
                Code::DELETE => {}
                _ => *left = None,
            }
        }
        let key = (up, coap.token);
        self.asked.insert(key, what.clone());
        let asking = self.asking.entry(key).or_insert_with(|| Asking {
            open: Open::default(),
            mid: coap.mid,
            block: None,
            message,
        });
        asking.message = message;
        let open = &mut asking.open;
        if open.sent == 0 || open.what != what {
            *open = Open {
                what,
                up,
                first: at,
                ..Open::default()
            };
        }
        asking.mid = coap.mid;
        asking.block = coap.block1.map(|it| (it, coap.payload));
        sent(open, at, outcome);
    }

    /// An acknowledgement without a code says that the request arrived, no more; a reset, that
    /// nobody there knows what to do with it (RFC 7252, 4.2 and 4.3).
    fn empty(&mut self, message: &'a Message, datagram: &Datagram, coap: &Coap) {
        let (at, up, outcome) = (message.at, datagram.up, datagram.outcome);
        let of = |it: &(&(bool, Token), &mut Asking)| it.0.0 != up && it.1.mid == coap.mid;
        let Some((key, asking)) = self.asking.iter_mut().find(of) else {
            return;
        };
        if outcome == Outcome::Lost {
            asking.open.answers_lost += 1;
        } else if outcome == Outcome::Corrupted {
            asking.open.answers_damaged += 1;
        } else if coap.kind == Kind::Reset {
            let key = *key;
            self.on_air.refused = Some(Refused {
                what: asking.open.what.clone(),
                up: !up,
                code: "RST".to_owned(),
                at,
                ..Refused::default()
            });
            self.refused = Some(message);
            self.asking.remove(&key);
        } else {
            asking.open.acknowledged = true;
        }
    }

    fn answer(&mut self, message: &'a Message, up: bool, outcome: Outcome, coap: &Coap) {
        let at = message.at;
        let arrived = outcome.arrives();
        let key = (!up, coap.token);
        if !self.asking.contains_key(&key) {
            return self.notification(at, up, outcome, coap);
        }
        if !arrived {
            if let Some(asking) = self.asking.get_mut(&key) {
                asking.open.answers_lost += u32::from(outcome == Outcome::Lost);
                asking.open.answers_damaged += u32::from(outcome == Outcome::Corrupted);
            }
            return;
        }
        let Some(asking) = self.asking.remove(&key) else {
            return;
        };
        self.answered[usize::from(!up)] = Some(at);
        let what = asking.open.what;
        self.asking
            .retain(|_, it| (it.open.up, &it.open.what) != (!up, &what));
        if coap.code == Code::CREATED && !up {
            // A device that registers has forgotten what it was asked before.
            self.asking.retain(|(from_device, _), _| *from_device);
            self.notifying.clear();
        }
        let path = what.split_once(' ').map_or("/", |(_, path)| path);
        // Only 2.01 registers (LwM2M TS Transport, 6.4.3).
        let registers = what == "POST /rd" && !up;
        let refused = matches!(coap.code.class(), 4 | 5)
            && coap.code != Code::REQUEST_ENTITY_TOO_LARGE
            || registers && coap.code != Code::CREATED;
        if refused {
            self.on_air.transfer.take_if(|it| it.path == path);
            self.on_air.refused = Some(Refused {
                what: what.clone(),
                up: !up,
                code: code_name(coap.code).into_owned(),
                at,
                ..Refused::default()
            });
            self.refused = Some(message);
            return;
        }
        let before = &mut self.on_air.refused;
        before.take_if(|it| it.what == what && it.up != up);
        if let Some((block, length)) = asking.block {
            self.block(at, path, block, length);
        }
        if let Some(block) = coap.block2 {
            self.block(at, path, block, coap.payload);
        }
    }

    /// An answer to what was answered before: a notification, or the same once more.
    fn notification(&mut self, at: UnixMillis, up: bool, outcome: Outcome, coap: &Coap) {
        let told = coap.kind == Kind::Confirmable || coap.kind == Kind::NonConfirmable;
        let Some(what) = self.asked.get(&(!up, coap.token)).filter(|_| told && up) else {
            return;
        };
        if outcome.arrives() {
            self.notifying.remove(&coap.token);
            return;
        }
        let path = what.split_once(' ').map_or("/", |(_, path)| path);
        let open = self.notifying.entry(coap.token).or_insert_with(|| Open {
            what: format!("notifications of {path}"),
            up,
            first: at,
            ..Open::default()
        });
        sent(open, at, outcome);
    }

    fn block(&mut self, at: UnixMillis, path: &str, block: Block, length: u64) {
        let offset = block.offset();
        let before = self.on_air.transfer.take().filter(|it| it.path == path);
        // A block that was sent before says nothing new.
        let known = before.as_ref().map_or(0, |it| it.bytes);
        let again = offset > 0 && offset < known;
        let bytes = if again { known } else { offset + length };
        self.on_air.transfer = Some(Transfer {
            path: path.to_owned(),
            bytes,
            whole: match before {
                Some(before) if again => before.whole,
                _ => !block.more,
            },
            at,
        });
    }
}

fn sent(open: &mut Open, at: UnixMillis, outcome: Outcome) {
    open.last = at;
    open.sent += 1;
    open.lost += u32::from(outcome == Outcome::Lost);
    open.damaged += u32::from(outcome == Outcome::Corrupted);
}
