//! What the wire shows: all that is known of a third party's server, and where the link lost what.

use std::collections::BTreeMap;

use fotalab_wire::{
    coap::message::{Code, Kind, Token},
    net::UnixMillis,
};

use super::facts::{OnAir, Open, Refused, Transfer};
use crate::trace::{Block, Coap, Datagram, Message, Outcome, code_name};

/// After so long, in milliseconds, nobody waits for the answer to a confirmable request any more
/// (RFC 7252, 4.8.2: MAX_TRANSMIT_WAIT).
const GIVEN_UP: UnixMillis = 93_000;
/// The same once it was acknowledged (RFC 7252, 4.8.2: EXCHANGE_LIFETIME).
const FORGOTTEN: UnixMillis = 247_000;

/// What crossed between a device and the server.
pub(super) fn on_air(messages: &[Message], device: &str, now: UnixMillis) -> OnAir {
    seen(messages, device, false).ended(now)
}

/// What crossed between a scripted peer and anybody. What another peer or a device answers it is
/// theirs on the timeline.
pub(super) fn of_peer(messages: &[Message], peer: &str, now: UnixMillis) -> OnAir {
    seen(messages, peer, true).ended(now)
}

fn seen(messages: &[Message], device: &str, is_peer: bool) -> Seen {
    let mut seen = Seen::default();
    for message in messages {
        let Some(datagram) = &message.air else {
            continue;
        };
        if *datagram.device == *device {
            seen.take(message.at, datagram);
        } else if is_peer && datagram.up {
            seen.answered_elsewhere(datagram);
        }
    }
    seen
}

#[derive(Default)]
struct Seen {
    on_air: OnAir,
    /// Requests without an answer that arrived, by who asks and token.
    asking: BTreeMap<(bool, Token), Asking>,
    /// The last request of each token.
    asked: BTreeMap<(bool, Token), String>,
    /// Notifications that got lost, by the token of their observation.
    notifying: BTreeMap<Token, Open>,
    /// When the device was last reached.
    reached: Option<UnixMillis>,
}

/// A request without an answer.
struct Asking {
    open: Open,
    mid: u16,
    block: Option<(Block, u64)>,
}

impl Seen {
    fn ended(self, now: UnixMillis) -> OnAir {
        OnAir {
            open: self.open(now),
            ..self.on_air
        }
    }

    /// Somebody else sends something: it may answer this one.
    fn answered_elsewhere(&mut self, datagram: &Datagram) {
        let arrived = !matches!(datagram.outcome, Outcome::Lost | Outcome::Corrupted);
        let coap = datagram.coap.as_ref().filter(|_| arrived);
        if let Some(coap) = coap.filter(|it| it.code.is_response()) {
            self.asking.remove(&(true, coap.token));
        }
    }

    /// The last request without an answer: one that is still waited for, or one that was given up
    /// and after which nothing came back at all.
    fn open(&self, now: UnixMillis) -> Option<Open> {
        let given_up = |it: &Open| {
            let patience = if it.acknowledged { FORGOTTEN } else { GIVEN_UP };
            now - it.first >= patience
        };
        let unanswered = |it: &Open| {
            let back = if it.up {
                self.reached
            } else {
                self.on_air.heard
            };
            back.is_none_or(|at| at < it.last)
        };
        let asking = self.asking.values().map(|it| &it.open);
        let all = || asking.clone().chain(self.notifying.values());
        let waits = all().filter(|it| !given_up(it)).max_by_key(|it| it.last);
        let last = waits.or_else(|| all().filter(|it| unanswered(it)).max_by_key(|it| it.last))?;
        // Whoever asks the same again, asks since the first time.
        let alike = all().filter(|it| (it.up, &it.what) == (last.up, &last.what));
        let mut alike = alike.filter(|it| *it == last || unanswered(it));
        let mut open = alike.next()?.clone();
        for other in alike {
            open.first = open.first.min(other.first);
            open.last = open.last.max(other.last);
            open.sent += other.sent;
            open.lost += other.lost;
            open.damaged += other.damaged;
            open.answers_lost += other.answers_lost;
            open.answers_damaged += other.answers_damaged;
            open.acknowledged |= other.acknowledged;
        }
        open.given_up = given_up(last);
        Some(open)
    }

    fn take(&mut self, at: UnixMillis, datagram: &Datagram) {
        let (up, outcome) = (datagram.up, datagram.outcome);
        let arrived = !matches!(outcome, Outcome::Lost | Outcome::Corrupted);
        let on_air = &mut self.on_air;
        let Some(coap) = &datagram.coap else {
            on_air.records += 1;
            on_air.records_lost += u64::from(!arrived);
            return;
        };
        on_air.messages += 1;
        (on_air.records, on_air.records_lost) = (0, 0);
        if arrived {
            let there = if up {
                &mut on_air.heard
            } else {
                &mut self.reached
            };
            *there = Some(at);
        }
        if coap.code.is_request() {
            self.request(at, up, outcome, coap);
        } else if coap.code == Code::EMPTY {
            self.empty(at, up, outcome, coap);
        } else {
            self.answer(at, up, outcome, coap);
        }
    }

    fn request(&mut self, at: UnixMillis, up: bool, outcome: Outcome, coap: &Coap) {
        let path = coap.path.as_deref().unwrap_or("/");
        let what = format!("{} {path}", code_name(coap.code));
        if up && path.starts_with("/rd") {
            let leaves = coap.code == Code::DELETE;
            self.on_air.left = leaves.then_some(at);
        }
        let key = (up, coap.token);
        self.asked.insert(key, what.clone());
        let asking = self.asking.entry(key).or_insert_with(|| Asking {
            open: Open::default(),
            mid: coap.mid,
            block: None,
        });
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
    fn empty(&mut self, at: UnixMillis, up: bool, outcome: Outcome, coap: &Coap) {
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
            });
            self.asking.remove(&key);
        } else {
            asking.open.acknowledged = true;
        }
    }

    fn answer(&mut self, at: UnixMillis, up: bool, outcome: Outcome, coap: &Coap) {
        let arrived = !matches!(outcome, Outcome::Lost | Outcome::Corrupted);
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
        let what = asking.open.what;
        self.asking
            .retain(|_, it| (it.open.up, &it.open.what) != (!up, &what));
        if coap.code == Code::CREATED && !up {
            // A device that registers has forgotten what it was asked before.
            self.asking.retain(|(from_device, _), _| *from_device);
            self.notifying.clear();
        }
        let path = what.split_once(' ').map_or("/", |(_, path)| path);
        let refused =
            matches!(coap.code.class(), 4 | 5) && coap.code != Code::REQUEST_ENTITY_TOO_LARGE;
        if refused {
            self.on_air.transfer.take_if(|it| it.path == path);
            self.on_air.refused = Some(Refused {
                what: what.clone(),
                up: !up,
                code: code_name(coap.code).into_owned(),
                at,
            });
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
        if !matches!(outcome, Outcome::Lost | Outcome::Corrupted) {
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
