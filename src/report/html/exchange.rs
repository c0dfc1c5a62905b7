//! Which message answers which, which one was sent before, and which ones are one transfer.

use std::collections::{BTreeMap, HashMap, VecDeque};

use fotalab_wire::coap::message::{Code, Kind as Type, Token};

use super::transfer::Transfer;
use crate::trace::{Block, Coap, Datagram, Kind, Lane};

/// Looked up, never walked.
type Known<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// What is known so far, by the messages that crossed.
#[derive(Debug, Default)]
pub(super) struct Exchanges<'a> {
    /// Requests over HTTP without an answer, by lane.
    asked: BTreeMap<Lane, VecDeque<usize>>,
    /// The last request with a token: device, whether it goes up, token (RFC 7252, 5.3.1).
    tokens: Known<(u32, bool, Token), Request<'a>>,
    /// The last message with a message ID: device, whether it goes up, ID (RFC 7252, 4.4).
    ids: Known<(u32, bool, u16), Sent>,
    /// Transfers under way: device, whether its requests go up, Block1 or Block2, path.
    open: Known<(u32, bool, u8, &'a str), usize>,
    /// All transfers.
    pub(super) transfers: Vec<Transfer>,
}

/// What a datagram is to others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Role {
    /// The request that it answers.
    pub(super) answers: Option<usize>,
    /// It was sent before.
    pub(super) again: bool,
    /// The transfer that it is a part of.
    pub(super) transfer: Option<usize>,
}

/// There are many of it: numbers are small, and [`NONE`] stands for none.
#[derive(Debug)]
struct Request<'a> {
    index: u32,
    transfer: u32,
    path: &'a str,
}

/// There are many of it, too.
#[derive(Debug)]
struct Sent {
    index: u32,
    code: Code,
    token: Token,
    answers: u32,
    transfer: u32,
}

const NONE: u32 = u32::MAX;

impl Sent {
    fn role(&self, again: bool) -> Role {
        Role {
            answers: large(self.answers),
            again,
            transfer: large(self.transfer),
        }
    }
}

/// A trace has fewer messages ([`crate::trace::MAX_MESSAGES`]).
fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(NONE)
}

fn large(number: u32) -> Option<usize> {
    let number = usize::try_from(number).ok();
    number.filter(|it| small(*it) != NONE)
}

impl<'a> Exchanges<'a> {
    /// The request that a message over HTTP answers: the oldest of its lane without an answer.
    pub(super) fn http(&mut self, index: usize, lane: Lane, kind: Kind) -> Option<usize> {
        let asked = self.asked.entry(lane).or_default();
        match kind {
            Kind::Request => {
                asked.push_back(index);
                None
            }
            Kind::Answer | Kind::Connection => asked.pop_front(),
        }
    }

    /// Takes in a datagram.
    pub(super) fn datagram(&mut self, index: usize, device: usize, air: &'a Datagram) -> Role {
        let Some(coap) = &air.coap else {
            return Role::default();
        };
        let up = air.up;
        let device = small(device);
        let id = (device, up, coap.mid);
        let (code, token) = (coap.code, coap.token);
        let same = |it: &&Sent| it.code == code && it.token == token;
        if coap.kind != Type::NonConfirmable
            && let Some(before) = self.ids.get(&id).filter(same)
        {
            return before.role(true);
        }
        let role = if coap.code.is_request() {
            self.request(index, device, up, coap)
        } else {
            self.answer(device, up, coap)
        };
        let sent = Sent {
            index: small(index),
            code,
            token,
            answers: role.answers.map_or(NONE, small),
            transfer: role.transfer.map_or(NONE, small),
        };
        self.ids.insert(id, sent);
        role
    }

    fn request(&mut self, index: usize, device: u32, up: bool, coap: &'a Coap) -> Role {
        let path = coap.path.as_deref().unwrap_or("/");
        let blocks = [(1, coap.block1), (2, coap.block2)];
        let block = blocks.iter().find_map(|&(kind, it)| Some((kind, it?)));
        let transfer = block.map(|(kind, block)| self.part(index, device, up, kind, block, path));
        let request = Request {
            index: small(index),
            transfer: transfer.map_or(NONE, small),
            path,
        };
        let token = (device, up, coap.token);
        self.tokens.insert(token, request);
        Role {
            transfer,
            ..Role::default()
        }
    }

    fn answer(&mut self, device: u32, up: bool, coap: &Coap) -> Role {
        // An acknowledgement without a code is matched by its ID alone.
        let by_id = self.ids.get(&(device, !up, coap.mid));
        if coap.code == Code::EMPTY {
            return Role {
                answers: by_id.and_then(|it| large(it.index)),
                again: false,
                transfer: by_id.and_then(|it| large(it.transfer)),
            };
        }
        let token = (device, !up, coap.token);
        let Some(request) = self.tokens.get(&token) else {
            return Role {
                answers: by_id
                    .filter(|_| coap.kind == Type::Acknowledgement)
                    .and_then(|it| large(it.index)),
                ..Role::default()
            };
        };
        let (asked, mut transfer) = (large(request.index), large(request.transfer));
        if transfer.is_none()
            && let Some(asked) = asked
            && let Some(block) = coap.block2
            && (block.more || block.num > 0)
        {
            // The first answer in blocks: its request did not know that there would be any.
            let path = request.path;
            let part = self.part(asked, device, !up, 2, block, path);
            self.transfers[part].begins_with(asked);
            if let Some(request) = self.tokens.get_mut(&token) {
                request.transfer = small(part);
            }
            transfer = Some(part);
        }
        Role {
            answers: asked,
            again: false,
            transfer,
        }
    }

    /// The transfer that a block belongs to: the one under way, or a new one from its first block.
    fn part(
        &mut self,
        index: usize,
        device: u32,
        up: bool,
        kind: u8,
        block: Block,
        path: &'a str,
    ) -> usize {
        let key = (device, up, kind, path);
        let under_way = self.open.get(&key).copied();
        let goes_on = under_way.filter(|&it| block.num > 0 && self.transfers[it].goes_on(block));
        goes_on.unwrap_or_else(|| {
            self.transfers
                .push(Transfer::new(index, device, up, kind, path));
            let transfer = self.transfers.len() - 1;
            self.open.insert(key, transfer);
            transfer
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(exchanges: &mut Exchanges<'_>, messages: &[&str]) -> Vec<Role> {
        let read = |(index, text): (usize, &&str)| {
            let mut words = text.split(' ');
            let mut word = || words.next().unwrap_or_default();
            let (direction, kind, code, mid, token) = (word(), word(), word(), word(), word());
            let rest: Vec<&str> = words.collect();
            let find = |name: &str| rest.iter().find_map(|it| it.strip_prefix(name));
            let block = |name: &str| {
                let mut parts = find(name)?.split('/').map(|it| it.parse::<u32>().ok());
                let (num, more) = (parts.next()??, parts.next()?? == 1);
                let size = parts.next().flatten().unwrap_or(64);
                Some(serde_json::json!({ "num": num, "more": more, "size": size }))
            };
            let detail = serde_json::json!({
                "device": "a", "direction": direction, "bytes": 10, "fate": "delivered",
                "coap": { "type": kind, "code": code, "mid": mid.parse::<u16>().expect("an ID"), "token": token,
                    "path": find("/").map(|it| format!("/{it}")),
                    "block1": block("b1:"), "block2": block("b2:") },
            });
            let air: &Datagram = Box::leak(Datagram::told(&detail.to_string()).expect("air"));
            let role = exchanges.datagram(index, 0, air);
            if let Some(transfer) = role.transfer {
                exchanges.transfers[transfer].take(index, air, role.again);
            }
            role
        };
        messages.iter().enumerate().map(read).collect()
    }

    #[test]
    fn a_push_is_one_transfer_with_its_answers_and_repeats() {
        let mut exchanges = Exchanges::default();
        let roles = take(
            &mut exchanges,
            &[
                "down CON PUT 1 aa /5/0/0 b1:0/1",
                "up ACK 2.31 1 aa b1:0/1",
                "down CON PUT 2 ab /5/0/0 b1:1/1",
                "down CON PUT 2 ab /5/0/0 b1:1/1",
                "up ACK 2.31 2 ab b1:1/1",
                "down CON PUT 3 ac /5/0/0 b1:2/0",
                "up ACK 2.04 3 ac b1:2/0",
                "down CON GET 4 ad /5/0/3",
                "up ACK 2.05 4 ad",
                "down CON PUT 5 ae /5/0/0 b1:0/1",
            ],
        );
        let transfers: Vec<_> = roles.iter().map(|it| it.transfer).collect();
        let one = Some(0);
        assert_eq!(
            transfers,
            [one, one, one, one, one, one, one, None, None, Some(1)]
        );
        assert_eq!(roles[4].answers, Some(2));
        assert!(roles[3].again && !roles[2].again);
        assert_eq!(roles[8].answers, Some(7));
    }

    #[test]
    fn a_size_that_changes_on_the_way_goes_on_with_the_transfer() {
        let mut exchanges = Exchanges::default();
        let roles = take(
            &mut exchanges,
            &[
                "down CON PUT 1 aa /5/0/0 b1:0/1/1024",
                "up ACK 2.31 1 aa b1:0/1/512",
                "down CON PUT 2 ab /5/0/0 b1:2/1/512",
                "up ACK 2.31 2 ab b1:2/1/512",
            ],
        );
        assert!(roles.iter().all(|it| it.transfer == Some(0)), "{roles:?}");
    }

    #[test]
    fn a_pull_begins_with_a_request_that_knew_of_no_blocks() {
        let mut exchanges = Exchanges::default();
        let roles = take(
            &mut exchanges,
            &[
                "up CON GET 1 aa /fw",
                "down ACK 0.00 1 ",
                "down CON 2.05 9 aa b2:0/1",
                "up ACK 0.00 9 ",
                "up CON GET 2 ab /fw b2:1/0",
                "down ACK 2.05 2 ab b2:1/0",
            ],
        );
        assert_eq!(roles[1].answers, Some(0));
        assert_eq!((roles[2].answers, roles[2].transfer), (Some(0), Some(0)));
        assert_eq!(roles[3].answers, Some(2));
        assert_eq!((roles[5].answers, roles[5].transfer), (Some(4), Some(0)));
        assert_eq!(exchanges.transfers.len(), 1);
    }
}
