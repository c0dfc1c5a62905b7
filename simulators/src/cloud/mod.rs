//! A mock of an upstream cloud's HTTP API.
//!
//! A [`Cloud`] is told what to answer ([`Cloud::queue`]) and says what it was asked
//! ([`Cloud::journal`], [`Cloud::find_call`]). It is a plain type: no socket, no task. Its one way
//! in is [`Cloud::receive`], which both fronts call.
//!
//! Which answer a request gets, in [`Mode::InOrder`]:
//! 1. Of the unused answers that match, the first queued; kept ones come after all others.
//! 2. Of the ones that stay, the last queued. An answer to GET or HEAD stays once it is the last
//!    that matches, until another with the same method, path and query is queued. A kept one
//!    stays for good, until a kept one with the same method, path and query is queued.
//! 3. Otherwise 404, with a text that says the closest queued answer.

mod answer;
mod backend;
mod difference;
mod entry;
mod expected;
mod front;
mod journal;
mod proxy;
mod queue;
mod reply;
mod request;
mod target;
mod text;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use fotalab_wire::net::Clock;
use tokio::sync::watch;

pub use answer::{Answer, Mode, Use};
pub use difference::Difference;
pub use expected::{Closest, ExpectedCall};
pub use front::{Front, start};
pub use journal::{Answered, Received};
pub use queue::{ClosestAnswer, Leftover, NotQueued};
pub use reply::Reply;
pub use text::TextError;

use journal::Journal;
use queue::Queue;
use target::Target;

/// A mock cloud. Clones are the same cloud.
#[derive(Clone)]
pub struct Cloud {
    shared: Arc<Shared>,
}

type Observer = Box<dyn Fn(&Received) + Send>;

struct Shared {
    clock: Clock,
    state: Mutex<State>,
    observers: Mutex<Vec<Observer>>,
    arrivals: watch::Sender<u64>,
}

struct State {
    queue: Queue,
    journal: Journal,
}

impl Cloud {
    /// A cloud that has nothing queued and has received nothing.
    #[must_use]
    pub fn new(mode: Mode, clock: Clock) -> Self {
        let state = State {
            queue: Queue::new(mode),
            journal: Journal::default(),
        };
        let shared = Shared {
            clock,
            state: Mutex::new(state),
            observers: Mutex::default(),
            arrivals: watch::Sender::new(0),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Queues an answer.
    ///
    /// # Errors
    /// The queue is full, or a `/regex/` of the query does not compile.
    pub fn queue(&self, answer: Answer) -> Result<(), NotQueued> {
        self.state().queue.push(answer)
    }

    /// Takes a call, chooses its answer and writes both into the journal.
    ///
    /// `target` is the path and query as sent.
    pub fn receive(
        &self,
        method: &str,
        target: &str,
        headers: Vec<(String, String)>,
        body: Bytes,
    ) -> Reply {
        let asked = Target::read(target);
        // Held throughout, so that observers see the calls in the order of the journal.
        let observers = lock(&self.shared.observers);
        let mut state = self.state();
        let found = state.queue.take(method, &asked);
        let unexpected = found.is_none();
        let from = found.as_ref().and_then(|answer| answer.tag);
        let reply = match found {
            Some(answer) => Reply::of(&answer),
            None => Reply::not_found(method, target, state.queue.closest(method, &asked)),
        };
        let call = state.journal.push(Received {
            seq: 0,
            at: self.shared.clock.now(),
            method: method.to_owned(),
            path: asked.path,
            query: asked.query,
            target: target.to_owned(),
            headers,
            body,
            truncated: false,
            answered: reply.to_journal(from, unexpected),
        });
        drop(state);
        for observer in observers.iter() {
            observer(&call);
        }
        drop(observers);
        self.shared
            .arrivals
            .send_modify(|last| *last = call.seq.max(*last));
        reply
    }

    /// All calls that are still in the journal, oldest first.
    #[must_use]
    pub fn journal(&self) -> Vec<Arc<Received>> {
        self.calls_since(0)
    }

    /// The calls with a number above `seq`, oldest first; 0 gives all.
    #[must_use]
    pub fn calls_since(&self, seq: u64) -> Vec<Arc<Received>> {
        self.state().journal.since(seq)
    }

    /// How many calls had to leave the journal because it is bounded.
    #[must_use]
    pub fn dropped_calls(&self) -> u64 {
        self.state().journal.dropped()
    }

    /// The latest call that is as expected. Does not consume it.
    ///
    /// # Errors
    /// There is none; says the nearest one and what differs.
    pub fn find_call(&self, expected: &ExpectedCall) -> Result<Arc<Received>, Closest> {
        let (calls, dropped) = {
            let state = self.state();
            (state.journal.since(0), state.journal.dropped())
        };
        let matcher = expected.matcher();
        // The first of the least is the latest, since they are looked at backwards.
        let nearest = calls
            .iter()
            .rev()
            .map(|call| (matcher.distance(call), call));
        match nearest.min_by_key(|(distance, _)| *distance) {
            Some((0, call)) => Ok(Arc::clone(call)),
            nearest => Err(Closest {
                call: nearest.map(|(_, call)| Arc::clone(call)),
                differences: nearest
                    .map(|(_, it)| matcher.differences(it))
                    .unwrap_or_default(),
                compared: calls.len(),
                dropped,
            }),
        }
    }

    /// The latest call that has everything that `unexpected` says; a query or a body that it does
    /// not say is any. For what should not have been called.
    #[must_use]
    pub fn find_any_call(&self, unexpected: &ExpectedCall) -> Option<Arc<Received>> {
        let matcher = unexpected.matcher();
        let calls = self.journal();
        calls
            .iter()
            .rev()
            .find(|call| matcher.takes_in(call))
            .cloned()
    }

    /// How many calls of the journal are as expected.
    #[must_use]
    pub fn count_calls(&self, expected: &ExpectedCall) -> usize {
        let matcher = expected.matcher();
        self.journal()
            .iter()
            .filter(|call| matcher.distance(call) == 0)
            .count()
    }

    /// Queued answers that were never used. Kept ones do not count: they stand by.
    #[must_use]
    pub fn leftovers(&self) -> Vec<Leftover> {
        self.state().queue.leftovers()
    }

    /// The queued or used-up answer that comes closest to a call, as the queue is now.
    #[must_use]
    pub fn closest_answer(&self, call: &Received) -> Option<ClosestAnswer> {
        let target = Target {
            path: call.path.clone(),
            query: call.query.clone(),
        };
        self.state().queue.closest(&call.method, &target)
    }

    /// The number of the last call, to wait for the next one.
    ///
    /// Subscribe first, look at the journal then, and wait for a change after that: no arrival
    /// is missed.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.shared.arrivals.subscribe()
    }

    /// Has `observer` told of every call from now on, in the order of the journal.
    ///
    /// It runs on the front's thread before the call is answered; it may ask this cloud, but not
    /// add observers or calls to it.
    pub fn on_received(&self, observer: Box<dyn Fn(&Received) + Send>) {
        lock(&self.shared.observers).push(observer);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.shared.state)
    }
}

impl fmt::Debug for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cloud")
            .field("calls", &*self.shared.arrivals.borrow())
            .finish()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn cloud() -> Cloud {
        Cloud::new(Mode::InOrder, Clock::starting_at(1_000))
    }

    fn get(cloud: &Cloud, target: &str) -> Reply {
        cloud.receive("GET", target, Vec::new(), Bytes::new())
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_is_answered_journaled_and_announced() {
        let cloud = cloud();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (observed, observing) = (Arc::clone(&seen), cloud.clone());
        cloud.on_received(Box::new(move |call| {
            lock(&observed).push((call.seq, observing.journal().len()));
        }));
        let mut arrivals = cloud.changed();
        cloud
            .queue(Answer {
                tag: Some(7),
                ..Answer::new("GET", "/x", 204)
            })
            .expect("room");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(get(&cloud, "/%78?y=1").status, 204);
        assert_eq!(
            *arrivals
                .wait_for(|last| *last == 1)
                .await
                .expect("the cloud lives"),
            1
        );
        assert_eq!(*lock(&seen), [(1, 1)]);
        let call = &cloud.journal()[0];
        assert_eq!(
            (call.at, call.path.as_str(), call.target.as_str()),
            (2_000, "/x", "/%78?y=1")
        );
        assert_eq!(
            (call.answered.from, call.answered.unexpected),
            (Some(7), false)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_unexpected_call_is_told_the_closest_answer() {
        let cloud = cloud();
        assert_eq!(
            get(&cloud, "/x").body,
            "No responses found for GET /x\nnothing is queued\n"
        );
        cloud.queue(Answer::new("POST", "/x", 200)).expect("room");
        let reply = get(&cloud, "/x");
        assert_eq!(reply.status, 404);
        assert_eq!(
            reply.body,
            "No responses found for GET /x\nclosest: POST /x (queued)\n  \
             method: expected `POST`, was `GET`\n"
        );
        let call = &cloud.calls_since(1)[0];
        assert!(call.answered.unexpected);
        let closest = cloud.closest_answer(call).expect("one is queued");
        assert_eq!((closest.used_up, closest.differences.len()), (false, 1));
        assert_eq!(cloud.leftovers().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_expected_call_is_found_or_the_nearest_named() {
        let cloud = cloud();
        let expected = ExpectedCall::parse("GET /v1/a?x=1 HTTP/1.1").expect("a call");
        let nothing = cloud.find_call(&expected).expect_err("nothing yet");
        assert!(nothing.nothing_received());
        for target in ["/v1/b", "/v1/a?x=2", "/v1/a?x=2", "/v1/c?x=1"] {
            get(&cloud, target);
        }
        let closest = cloud.find_call(&expected).expect_err("none fits");
        assert_eq!(
            closest.to_string(),
            "the nearest of 4 received is number 3: GET /v1/a?x=2\n  \
             query `x`: expected `1`, was `2`"
        );
        get(&cloud, "/v1/a?x=1");
        get(&cloud, "/v1/a?x=1");
        assert_eq!(cloud.find_call(&expected).map(|call| call.seq), Ok(6));
        assert_eq!(cloud.count_calls(&expected), 2);
    }
}
