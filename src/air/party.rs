//! A device or a peer as the watch knows it: what it asked, what it sent, what it got.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use fotalab_wire::coap::{Message, message::Token};

use super::{
    Crossing,
    crossing::Asked,
    limits::{ASKED, RECENT},
};

/// A device or a peer.
#[derive(Debug)]
pub(super) struct Party {
    pub(super) name: Arc<str>,
    pub(super) device: bool,
    pub(super) tally: Tally,
    asked: VecDeque<(bool, Token, Arc<Asked>)>,
    recent: VecDeque<(bool, Bytes)>,
}

/// What has arrived at a device or a peer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Datagrams that arrived.
    pub(crate) datagrams: u64,
    /// Bytes of UDP payload that arrived.
    pub(crate) bytes: u64,
    /// Datagrams that it sent.
    pub(crate) sent: u64,
}

impl Party {
    /// One that nothing has crossed for yet.
    pub(super) fn new(name: &str, device: bool) -> Self {
        Self {
            name: name.into(),
            device,
            tally: Tally::default(),
            asked: VecDeque::new(),
            recent: VecDeque::new(),
        }
    }

    /// Notes what a message says, what it answers and whether it is a repetition.
    pub(super) fn relate(&mut self, crossing: &mut Crossing, plain: Bytes) {
        let sent = (crossing.up, plain.clone());
        crossing.retransmission = self.recent.contains(&sent);
        push_bounded(&mut self.recent, sent, RECENT);
        if let Ok(message) = Message::parse(&plain) {
            if message.code.is_request() {
                let asked = Asked {
                    code: message.code,
                    path: message.options.path(),
                };
                let asked = (crossing.up, message.token, Arc::new(asked));
                self.asked
                    .retain(|(up, token, _)| (*up, *token) != (asked.0, asked.1));
                push_bounded(&mut self.asked, asked, ASKED);
            } else if message.code.is_response() {
                let asked = self.asked.iter().rev();
                let mut asked =
                    asked.filter(|(up, token, _)| *up != crossing.up && *token == message.token);
                crossing.answers = asked.next().map(|(.., asked)| Arc::clone(asked));
            }
        }
        crossing.plain = Some(plain);
    }
}

/// Puts something in, the oldest out where there are too many.
pub(super) fn push_bounded<T>(queue: &mut VecDeque<T>, item: T, most: usize) {
    if queue.len() >= most {
        queue.pop_front();
    }
    queue.push_back(item);
}
