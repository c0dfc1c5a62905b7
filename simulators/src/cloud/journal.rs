//! What the cloud received, and what it answered.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use fotalab_wire::net::UnixMillis;

use super::answer::weight;
use crate::limits::{JOURNAL_BODY_BYTES, JOURNAL_BYTES, JOURNAL_CALLS};

/// A call that the cloud received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Counts the calls of this cloud from 1.
    pub seq: u64,
    /// When it was received.
    pub at: UnixMillis,
    /// Method.
    pub method: String,
    /// Path, with the escapes of unreserved characters resolved.
    pub path: String,
    /// Query parameters, decoded, in the order sent.
    pub query: Vec<(String, String)>,
    /// Path and query as sent.
    pub target: String,
    /// Headers as sent, in that order and with that case of their names.
    pub headers: Vec<(String, String)>,
    /// Body, up to [`JOURNAL_BODY_BYTES`].
    pub body: Bytes,
    /// Whether the body was longer than what is kept of it.
    pub truncated: bool,
    /// What it was answered.
    pub answered: Answered,
}

/// What a call was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Status.
    pub status: u16,
    /// Headers of the answer; the front adds those of its own.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Bytes,
    /// The tag of the queued answer.
    pub from: Option<u64>,
    /// Whether no queued answer was for it.
    pub unexpected: bool,
    /// Time let pass before answering.
    pub after: Option<Duration>,
    /// The connection was to be cut after this many bytes of the response.
    pub cut_after: Option<usize>,
}

/// The last calls, within limits of number and bytes.
#[derive(Debug, Default)]
pub(super) struct Journal {
    calls: VecDeque<Arc<Received>>,
    bytes: usize,
    last: u64,
    dropped: u64,
}

impl Journal {
    /// Numbers the call, cuts its body to size and keeps it.
    pub(super) fn push(&mut self, mut call: Received) -> Arc<Received> {
        self.last += 1;
        call.seq = self.last;
        // A copy, since the body may be a slice of a much larger buffer, which it keeps alive.
        let kept = call.body.len().min(JOURNAL_BODY_BYTES);
        call.truncated = kept < call.body.len();
        call.body = Bytes::copy_from_slice(&call.body[..kept]);
        let call = Arc::new(call);
        self.bytes += call.weight();
        self.calls.push_back(Arc::clone(&call));
        while self.calls.len() > JOURNAL_CALLS || self.bytes > JOURNAL_BYTES {
            let Some(oldest) = self.calls.pop_front() else {
                break;
            };
            self.bytes -= oldest.weight();
            self.dropped += 1;
        }
        call
    }

    /// The calls after number `seq`, oldest first.
    pub(super) fn since(&self, seq: u64) -> Vec<Arc<Received>> {
        let from = self.calls.partition_point(|call| call.seq <= seq);
        self.calls.range(from..).cloned().collect()
    }

    /// How many calls had to go.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }
}

impl Received {
    fn weight(&self) -> usize {
        let texts = self.method.len() + self.path.len() + self.target.len();
        let pairs = weight(&self.query) + weight(&self.headers) + weight(&self.answered.headers);
        texts + pairs + self.body.len() + self.answered.body.len()
    }
}

#[cfg(test)]
pub(super) fn call(method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Received {
    let super::target::Target { path, query } = super::target::Target::read(target);
    let answered = Answered {
        status: 200,
        headers: Vec::new(),
        body: Bytes::new(),
        from: None,
        unexpected: false,
        after: None,
        cut_after: None,
    };
    Received {
        seq: 0,
        at: 0,
        method: method.to_owned(),
        path,
        query,
        target: target.to_owned(),
        headers: headers
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect(),
        body: Bytes::copy_from_slice(body),
        truncated: false,
        answered,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_numbered_from_one() {
        let mut journal = Journal::default();
        for _ in 0..3 {
            journal.push(call("GET", "/x", &[], b""));
        }
        let numbers = |seq| {
            journal
                .since(seq)
                .iter()
                .map(|it| it.seq)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            (numbers(0), numbers(2), numbers(9)),
            (vec![1, 2, 3], vec![3], vec![])
        );
    }

    #[test]
    fn the_oldest_go_and_are_counted() {
        let mut journal = Journal::default();
        for _ in 0..JOURNAL_CALLS + 5 {
            journal.push(call("GET", "/x", &[], b""));
        }
        assert_eq!(
            (journal.since(0).len(), journal.dropped()),
            (JOURNAL_CALLS, 5)
        );
        assert_eq!(journal.since(0)[0].seq, 6);
    }

    #[test]
    fn bodies_are_cut_and_their_sum_is_bounded() {
        let mut journal = Journal::default();
        let body = vec![b'x'; JOURNAL_BODY_BYTES + 1];
        for _ in 0..70 {
            let kept = journal.push(call("POST", "/x", &[], &body));
            assert_eq!(
                (kept.body.len(), kept.truncated),
                (JOURNAL_BODY_BYTES, true)
            );
        }
        let sum: usize = journal.since(0).iter().map(|it| it.body.len()).sum();
        assert!(sum <= JOURNAL_BYTES && journal.dropped() > 0, "{sum}");
    }
}
