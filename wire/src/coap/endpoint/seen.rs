//! Which messages of a peer came already, and what they were answered (RFC 7252 4.5).

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::coap::limits;

/// The last message ids of one peer. Nothing expires by a timer: an entry that is too old is
/// taken for absent when somebody looks.
#[derive(Debug, Default)]
pub(super) struct Seen {
    entries: VecDeque<Entry>,
}

#[derive(Debug)]
struct Entry {
    id: u16,
    safe: bool,
    expires: Duration,
    reply: Reply,
}

/// Most answers of a server that is notified are empty acknowledgements: no allocation for those.
#[derive(Debug)]
enum Reply {
    Nothing,
    Empty([u8; 4]),
    Whole(Bytes),
}

/// What is known of a message id.
#[derive(Debug, PartialEq)]
pub(super) enum Sighting {
    New,
    /// Came before; nothing to say yet or at all.
    Silent,
    /// Came before and was answered with these bytes.
    Answered(Bytes),
}

impl Seen {
    pub(super) fn look(&self, now: Duration, id: u16) -> Sighting {
        match self.entries.iter().rev().find(|entry| entry.id == id) {
            Some(entry) if entry.expires > now => match &entry.reply {
                Reply::Whole(reply) => Sighting::Answered(reply.clone()),
                Reply::Empty(reply) => Sighting::Answered(Bytes::copy_from_slice(reply)),
                Reply::Nothing => Sighting::Silent,
            },
            _ => Sighting::New,
        }
    }

    /// Remembers a message. `safe`: processing it again would do no harm.
    pub(super) fn insert(&mut self, now: Duration, id: u16, expires: Duration, safe: bool) {
        while self
            .entries
            .front()
            .is_some_and(|entry| entry.expires <= now)
        {
            self.entries.pop_front();
        }
        if safe {
            let of_safe = |entry: &Entry| entry.safe;
            if self.entries.iter().filter(|e| of_safe(e)).count() >= limits::SAFE_REPLAYS_PER_PEER
                && let Some(oldest) = self.entries.iter().position(of_safe)
            {
                self.entries.remove(oldest);
            }
        }
        if self.entries.len() >= limits::SEEN_PER_PEER {
            self.entries.pop_front();
        }
        if self.entries.is_empty() {
            // Most peers are remembered for one message.
            self.entries.reserve_exact(1);
        }
        self.entries.push_back(Entry {
            id,
            safe,
            expires,
            reply: Reply::Nothing,
        });
    }

    /// Says what a message was answered, for its duplicates. Tells whether it was a safe request.
    pub(super) fn answered(&mut self, id: u16, reply: Bytes) -> bool {
        let entry = self.entries.iter_mut().rev().find(|entry| entry.id == id);
        entry.is_some_and(|entry| {
            entry.reply = match <[u8; 4]>::try_from(&reply[..]) {
                Ok(empty) => Reply::Empty(empty),
                Err(_) => Reply::Whole(reply),
            };
            entry.safe
        })
    }

    /// Forgets a safe request altogether.
    pub(super) fn forget_safe(&mut self, id: u16) {
        self.entries.retain(|entry| !(entry.safe && entry.id == id));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Duration = Duration::ZERO;
    const T1: Duration = Duration::from_secs(247);

    #[test]
    fn the_table_is_bounded_and_the_oldest_goes() {
        let mut seen = Seen::default();
        for id in 0..100 {
            seen.insert(T0, id, T1, false);
        }
        assert_eq!(seen.len(), limits::SEEN_PER_PEER);
        assert_eq!(seen.look(T0, 0), Sighting::New);
        assert_eq!(seen.look(T0, 99), Sighting::Silent);
    }

    #[test]
    fn safe_requests_do_not_push_unsafe_ones_out() {
        let mut seen = Seen::default();
        seen.insert(T0, 7, T1, false);
        seen.answered(7, Bytes::from_static(b"once"));
        for id in 100..300 {
            seen.insert(T0, id, T1, true);
            assert!(seen.answered(id, Bytes::from_static(b"block")));
        }
        assert_eq!(seen.len(), 1 + limits::SAFE_REPLAYS_PER_PEER);
        assert_eq!(
            seen.look(T0, 7),
            Sighting::Answered(Bytes::from_static(b"once"))
        );
        assert_eq!(
            seen.look(T0, 298),
            Sighting::Answered(Bytes::from_static(b"block"))
        );
        assert_eq!(seen.look(T1, 7), Sighting::New);
    }
}
