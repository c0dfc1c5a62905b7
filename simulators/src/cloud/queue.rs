//! The queued answers, and which of them a request gets.

use std::{collections::VecDeque, sync::Arc};

use super::{
    answer::{Answer, Mode, Use},
    difference::Difference,
    entry::{Entry, common},
    target::{BadRegex, Target},
};
use crate::limits::{QUEUED_ANSWERS, QUEUED_BYTES, SPENT_ANSWERS};

/// Why an answer was not queued.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotQueued {
    /// The queue holds as much as it may.
    #[error("the mock cloud holds {answers} answers of {bytes} bytes, which is its limit")]
    Full {
        /// Answers in the queue.
        answers: usize,
        /// Their bytes.
        bytes: usize,
    },
    /// A `/regex/` in the query does not compile.
    #[error("the value of `{name}` is not a regular expression: {why}")]
    Regex {
        /// The query parameter.
        name: String,
        /// What the compiler says.
        why: String,
    },
}

impl From<BadRegex> for NotQueued {
    fn from(BadRegex { name, why }: BadRegex) -> Self {
        Self::Regex { name, why }
    }
}

/// A queued answer that nobody asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// The answer.
    pub answer: Arc<Answer>,
}

/// The queued answer that an unexpected call came closest to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosestAnswer {
    /// The answer.
    pub answer: Arc<Answer>,
    /// Whether it has been given as often as it may; with no differences this is the reason.
    pub used_up: bool,
    /// What differs, the answer's request being the expected one.
    pub differences: Vec<Difference>,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    mode: Mode,
    entries: Vec<Entry>,
    bytes: usize,
    spent: VecDeque<Entry>,
}

impl Queue {
    pub(super) fn new(mode: Mode) -> Self {
        Self {
            mode,
            ..Self::default()
        }
    }

    pub(super) fn push(&mut self, answer: Answer) -> Result<(), NotQueued> {
        let entry = Entry::new(answer)?;
        if self.mode == Mode::InOrder {
            // What only stayed for want of another answer goes; so does a kept one for a newer.
            let replaces_kept = entry.answer.usage == Use::Kept;
            while let Some(index) = self.entries.iter().position(|old| {
                let replaceable = match old.answer.usage {
                    Use::Default => old.uses > 0,
                    Use::Kept => replaces_kept,
                    Use::Once => false,
                };
                replaceable && old.has_pattern_of(&entry)
            }) {
                self.spend(index);
            }
        }
        let bytes = self.bytes + entry.answer.weight();
        if self.entries.len() >= QUEUED_ANSWERS || bytes > QUEUED_BYTES {
            return Err(NotQueued::Full {
                answers: self.entries.len(),
                bytes: self.bytes,
            });
        }
        self.bytes = bytes;
        self.entries.push(entry);
        Ok(())
    }

    /// The answer to a request, which is used by that.
    pub(super) fn take(&mut self, method: &str, target: &Target) -> Option<Arc<Answer>> {
        let found = match self.mode {
            Mode::NewestFirst => self
                .entries
                .iter()
                .rposition(|entry| entry.is_found_by(method, target)),
            Mode::InOrder => self.next_in_order(method, target),
        }?;
        let entry = &mut self.entries[found];
        entry.uses += 1;
        let answer = Arc::clone(&entry.answer);
        let goes = self.mode == Mode::InOrder
            && match answer.usage {
                Use::Kept => false,
                Use::Once => true,
                Use::Default => {
                    !matches!(method, "GET" | "HEAD") || {
                        let mut later = self.entries[found + 1..].iter();
                        later.any(|entry| entry.answers(method, target))
                    }
                }
            };
        if goes {
            self.spend(found);
        }
        Some(answer)
    }

    pub(super) fn leftovers(&self) -> Vec<Leftover> {
        let unused = self
            .entries
            .iter()
            .filter(|it| it.uses == 0 && it.answer.usage != Use::Kept);
        unused
            .map(|entry| Leftover {
                answer: Arc::clone(&entry.answer),
            })
            .collect()
    }

    /// The nearest answer, queued ones before used-up ones, then the later queued.
    pub(super) fn closest(&self, method: &str, target: &Target) -> Option<ClosestAnswer> {
        let queued = self.entries.iter().rev().map(|entry| (entry, false));
        let spent = self.spent.iter().rev().map(|entry| (entry, true));
        let distance = |entry: &Entry| {
            let path = if entry.path == target.path { 0 } else { 8 };
            let method = if entry.answer.method == method { 0 } else { 4 };
            let query = entry.query_differs(target, self.mode);
            // Between two wrong paths the one with more in common is nearer.
            (
                path + method + usize::from(query),
                usize::MAX - common(&entry.path, &target.path),
            )
        };
        let (entry, used_up) = queued
            .chain(spent)
            .min_by_key(|(entry, _)| distance(entry))?;
        Some(ClosestAnswer {
            answer: Arc::clone(&entry.answer),
            used_up,
            differences: entry.differences(method, target, self.mode),
        })
    }

    fn next_in_order(&self, method: &str, target: &Target) -> Option<usize> {
        let waiting = |it: &Entry| it.uses == 0 && it.answer.usage != Use::Kept;
        let entries = &self.entries;
        let first = entries
            .iter()
            .position(|entry| waiting(entry) && entry.answers(method, target));
        first.or_else(|| {
            entries
                .iter()
                .rposition(|entry| entry.answers(method, target))
        })
    }

    fn spend(&mut self, index: usize) {
        let mut entry = self.entries.remove(index);
        self.bytes -= entry.answer.weight();
        if self.spent.len() == SPENT_ANSWERS {
            self.spent.pop_front();
        }
        // Only its request is of interest from here on, not its body.
        entry.answer = Arc::new(Answer {
            body: bytes::Bytes::new(),
            ..Answer::clone(&entry.answer)
        });
        self.spent.push_back(entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(mode: Mode, answers: &[(&str, &str, Use)]) -> Queue {
        let mut queue = Queue::new(mode);
        for (number, answer) in (1..).zip(answers) {
            push(&mut queue, number, *answer);
        }
        queue
    }

    fn push(queue: &mut Queue, number: u64, (method, target, usage): (&str, &str, Use)) {
        let Target { path, query } = Target::read(target);
        let answer = Answer {
            path,
            query,
            usage,
            tag: Some(number),
            ..Answer::new(method, "", 200)
        };
        queue.push(answer).expect("room");
    }

    /// The numbers of the answers to these requests, 0 for none.
    fn ask(queue: &mut Queue, requests: &[&str]) -> Vec<u64> {
        let ask = |request: &&str| {
            let (method, target) = request.split_once(' ').expect("METHOD /path");
            queue
                .take(method, &Target::read(target))
                .and_then(|it| it.tag)
                .unwrap_or(0)
        };
        requests.iter().map(ask).collect()
    }

    #[test]
    fn in_order_and_the_last_get_stays() {
        let get = ("GET", "/x", Use::Default);
        let mut queue = queue(Mode::InOrder, &[get, get]);
        assert_eq!(ask(&mut queue, &["GET /x", "GET /x", "GET /x"]), [1, 2, 2]);
        push(&mut queue, 3, get);
        assert_eq!(
            ask(&mut queue, &["GET /x", "GET /x", "GET /y", "PUT /x"]),
            [3, 3, 0, 0]
        );
    }

    #[test]
    fn other_methods_and_once_answer_once() {
        let mut queue = queue(
            Mode::InOrder,
            &[
                ("POST", "/x", Use::Default),
                ("POST", "/x", Use::Default),
                ("GET", "/x", Use::Once),
            ],
        );
        assert_eq!(
            ask(&mut queue, &["POST /x", "POST /x", "POST /x"]),
            [1, 2, 0]
        );
        assert_eq!(ask(&mut queue, &["GET /x", "GET /x"]), [3, 0]);
    }

    #[test]
    fn once_after_a_get_ends_it() {
        let mut queue = queue(
            Mode::InOrder,
            &[("GET", "/x", Use::Default), ("GET", "/x", Use::Once)],
        );
        assert_eq!(ask(&mut queue, &["GET /x", "GET /x", "GET /x"]), [1, 2, 0]);
    }

    #[test]
    fn kept_stays_behind_what_comes_later_and_yields_to_a_newer_kept() {
        let mut queue = queue(
            Mode::InOrder,
            &[("POST", "/x", Use::Kept), ("POST", "/x", Use::Once)],
        );
        assert_eq!(
            ask(&mut queue, &["POST /x", "POST /x", "POST /x"]),
            [2, 1, 1]
        );
        push(&mut queue, 3, ("POST", "/x", Use::Kept));
        assert_eq!(ask(&mut queue, &["POST /x", "POST /x"]), [3, 3]);
        push(&mut queue, 4, ("POST", "/x", Use::Default));
        assert_eq!(ask(&mut queue, &["POST /x", "POST /x"]), [4, 3]);
    }

    #[test]
    fn queries_match_exactly_and_none_matches_any() {
        let mut queue = queue(
            Mode::InOrder,
            &[
                ("GET", r"/d?ids=/\ba\b/&n=1", Use::Kept),
                ("POST", "/d", Use::Kept),
            ],
        );
        let requests = [
            "GET /d?n=1&ids=b,a",
            "GET /d?n=1&ids=b",
            "GET /d?n=1&ids=a&z=1",
            "GET /d",
        ];
        assert_eq!(ask(&mut queue, &requests), [1, 0, 0, 0]);
        assert_eq!(ask(&mut queue, &["POST /d", "POST /d?z=1"]), [2, 2]);
    }

    #[test]
    fn newest_first_is_never_consumed() {
        let mut queue = queue(
            Mode::NewestFirst,
            &[
                ("GET", "/x?a=1", Use::Once),
                ("GET", "/x/y", Use::Once),
                ("GET", "/x", Use::Once),
            ],
        );
        assert_eq!(
            ask(&mut queue, &["GET /x", "GET /x", "GET /x/y", "GET /x/z"]),
            [3, 3, 2, 0]
        );
        push(&mut queue, 4, ("GET", "/x/y?a=1", Use::Default));
        assert_eq!(ask(&mut queue, &["GET /x?a=1&b=2", "GET /x?a=2"]), [4, 3]);
    }

    #[test]
    fn leftovers_were_never_used() {
        let mut queue = queue(
            Mode::InOrder,
            &[
                ("GET", "/a", Use::Default),
                ("GET", "/b", Use::Default),
                ("GET", "/c", Use::Kept),
            ],
        );
        ask(&mut queue, &["GET /a"]);
        let tags: Vec<_> = queue.leftovers().iter().map(|it| it.answer.tag).collect();
        assert_eq!(tags, [Some(2)]);
    }

    #[test]
    fn the_closest_answer_says_why_not() {
        let mut queue = queue(
            Mode::InOrder,
            &[
                ("POST", "/v1/jobs", Use::Default),
                ("GET", "/v1/jobs/1", Use::Default),
            ],
        );
        ask(&mut queue, &["POST /v1/jobs"]);
        let closest = queue
            .closest("POST", &Target::read("/v1/jobs"))
            .expect("one");
        assert!(
            closest.used_up && closest.differences.is_empty(),
            "{closest:?}"
        );
        let closest = queue
            .closest("GET", &Target::read("/v1/jobs/2"))
            .expect("one");
        assert_eq!(closest.answer.tag, Some(2));
        assert!(
            matches!(closest.differences[..], [Difference::Path { .. }]),
            "{closest:?}"
        );
    }

    #[test]
    fn the_queue_has_an_end() {
        let mut queue = Queue::new(Mode::InOrder);
        for _ in 0..QUEUED_ANSWERS {
            queue.push(Answer::new("GET", "/x", 200)).expect("room");
        }
        let full = queue.push(Answer::new("GET", "/x", 200));
        assert!(matches!(
            full,
            Err(NotQueued::Full {
                answers: QUEUED_ANSWERS,
                ..
            })
        ));
        let mut queue = Queue::new(Mode::InOrder);
        let body = bytes::Bytes::from(vec![0; QUEUED_BYTES]);
        let heavy = Answer {
            body,
            ..Answer::new("GET", "/x", 200)
        };
        assert!(matches!(
            queue.push(heavy),
            Err(NotQueued::Full { answers: 0, .. })
        ));
    }
}
