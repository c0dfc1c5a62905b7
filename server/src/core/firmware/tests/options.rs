//! What the options change, ask by ask.

use super::super::messages::{DELIVERY, PROTOCOLS, RESULT, STATE};
use super::*;

const FIRMWARE: Path = Path::instance(5, 0);

fn with(transfer: Transfer, adjust: impl FnOnce(&mut Options)) -> Bench {
    let mut options = Options {
        any_version: true,
        ..Options::default()
    };
    adjust(&mut options);
    Bench::with(transfer, |it| it.options = options)
}

fn pull(adjust: impl FnOnce(&mut Options)) -> Bench {
    with(Transfer::PullBy(Scheme::Coap), adjust)
}

impl Bench {
    fn asked_for(&self, path: Path) -> usize {
        let asked = self.asked.iter();
        asked.filter(|it| **it == Ask::Read(path)).count()
    }

    fn observed(&self) -> Vec<Path> {
        let asked = self.asked.iter();
        let observed = asked.filter_map(|it| match it {
            Ask::Observe(path) => Some(*path),
            _ => None,
        });
        observed.collect()
    }

    fn uplink(&mut self) {
        self.firmware.uplink(self.now, "d");
        self.settle();
    }

    fn set(&mut self, state: i64, result: i64) {
        (self.state, self.result) = (state, result);
    }
}

#[test]
fn by_uplinks_nothing_is_observed_and_little_read_in_between() {
    let mut bench = pull(|it| it.watch = Watch::Uplinks);
    bench.register();
    assert_eq!(bench.done, [PULL]);
    let reads = bench.asked.len();
    bench.pass(MINUTE - SECOND);
    assert_eq!(bench.asked.len(), reads);
    bench.uplink();
    assert_eq!(bench.asked.len(), reads + 2);
    bench.set(2, 0);
    bench.pass(MINUTE);
    assert_eq!(bench.executes(), 1);
    bench.comes_back(0, 1, "1.0");
    bench.is(State::Succeeded);
    assert_eq!(bench.observed(), []);
}

#[test]
fn a_trigger_is_followed_by_reads() {
    let mut bench = pull(|it| it.watch = Watch::Triggered);
    bench.register();
    assert_eq!(bench.observed(), [STATE, RESULT]);
    let reads = bench.asked_for(STATE);
    bench.tell(2, 0);
    assert!(bench.asked_for(STATE) > reads);
    assert_eq!(bench.executes(), 1);
    bench.comes_back(0, 1, "1.0");
    bench.is(State::Succeeded);
    assert!(
        bench
            .done
            .ends_with(&[Ask::Forget(STATE), Ask::Forget(RESULT)])
    );
}

#[test]
fn observed_state_and_result_are_not_read_again() {
    let mut bench = pull(|it| it.watch = Watch::StateAndResult);
    bench.register();
    assert_eq!(bench.observed(), [STATE, RESULT]);
    let reads = bench.asked_for(STATE);
    bench.tell(1, 0);
    bench.tell(2, 0);
    assert_eq!((bench.asked_for(STATE), bench.executes()), (reads, 1));
}

#[test]
fn one_observation_of_the_instance_takes_the_place_of_all_reads() {
    for transfer in [Transfer::PullBy(Scheme::Coap), Transfer::Push] {
        let mut bench = with(transfer, |it| it.watch = Watch::Instance);
        bench.register();
        if transfer != Transfer::Push {
            bench.tell(1, 0);
            bench.tell(2, 0);
        }
        assert_eq!(bench.executes(), 1, "{transfer:?}");
        bench.comes_back(0, 1, "2.0");
        bench.is(State::Succeeded);
        for path in [STATE, RESULT, DELIVERY, PROTOCOLS] {
            assert_eq!(bench.asked_for(path), 0, "{transfer:?} {path}");
        }
        assert!(bench.observed().iter().all(|it| *it == FIRMWARE));
        assert_eq!(bench.done.last(), Some(&Ask::Forget(FIRMWARE)));
    }
}

#[test]
fn what_is_sent_takes_the_place_of_reads_after_the_first() {
    for transfer in [Transfer::PullBy(Scheme::Coap), Transfer::Push] {
        let mut bench = with(transfer, |it| it.watch = Watch::Sent);
        bench.register();
        assert_eq!((bench.asked_for(STATE), bench.transfers()), (1, 1));
        bench.pass(10 * MINUTE);
        assert_eq!(bench.executes(), 0, "{transfer:?}: nobody told");
        bench.tell(2, 0);
        assert_eq!(bench.executes(), 1, "{transfer:?}");
        bench.comes_back(0, 1, "2.0");
        bench.is(State::Updating);
        bench.tell(0, 1);
        bench.is(State::Succeeded);
        assert_eq!((bench.asked_for(STATE), bench.observed().len()), (1, 0));
    }
}

#[test]
fn what_never_is_sent_ends_with_the_timeout() {
    let mut bench = pull(|it| {
        it.watch = Watch::Sent;
        it.timeout = Some(20 * MINUTE);
    });
    bench.register();
    bench.set(2, 0);
    bench.pass(19 * MINUTE);
    bench.is(State::Downloading);
    bench.pass(MINUTE);
    bench.is(State::Failed);
    assert_eq!(bench.last(), "the update took longer than it may");
}

#[test]
fn a_known_start_is_not_read() {
    let started = |start| {
        pull(|it| {
            it.watch = Watch::Uplinks;
            it.start = Some(start);
        })
    };
    let mut bench = started((0, 0));
    bench.register();
    assert_eq!((bench.asked_for(STATE), bench.asked_for(RESULT)), (0, 0));
    assert_eq!(bench.done, [PULL]);
    let mut used = started((2, 0));
    used.register();
    assert_eq!(used.done[..2], [Ask::ClearUri, PULL]);
}

#[test]
fn an_offer_that_is_not_looked_at_refuses_nothing() {
    for (unchecked, done) in [(false, vec![]), (true, vec![PULL])] {
        let mut bench = pull(|it| it.unchecked = unchecked);
        bench.delivery = 1;
        bench.protocols = Some(vec![3]);
        bench.register();
        assert_eq!(bench.done, done, "{unchecked}");
        let looks = bench.asked_for(DELIVERY) + bench.asked_for(PROTOCOLS);
        assert_eq!(looks == 0, unchecked);
    }
    let mut empty = pull(|_| {});
    empty.protocols = Some(Vec::new());
    empty.register();
    assert_eq!(empty.done, [PULL]);
}

#[test]
fn silence_is_fatal_or_waits_for_the_device() {
    let silent = (PULL, Outcome::Silent);
    let mut fatal = pull(|it| it.silence = Silence::Fatal);
    fatal.instead.push(silent.clone());
    fatal.register();
    fatal.is(State::Failed);
    assert_eq!(fatal.last(), "the device gave no answer to Write /5/0/1");
    let mut waits = pull(|it| it.silence = Silence::UntilHeard);
    waits.instead.push(silent);
    waits.register();
    waits.pass(60 * MINUTE);
    assert_eq!(waits.transfers(), 1);
    waits.uplink();
    assert_eq!(waits.transfers(), 2);
    waits.tell(2, 0);
    assert_eq!(waits.executes(), 1);
}

#[test]
fn a_device_that_is_silent_while_it_installs_has_not_failed() {
    let mut bench = pull(|it| {
        it.silence = Silence::Fatal;
        it.watch = Watch::Uplinks;
    });
    bench.instead.push((Ask::Execute, Outcome::Silent));
    bench.register();
    bench.instead.push((Ask::Read(STATE), Outcome::Silent));
    bench.pass(MINUTE);
    bench.is(State::Downloading);
    bench.set(2, 0);
    bench.uplink();
    bench.uplink();
    for _ in 0..3 {
        bench.instead.push((Ask::Read(STATE), Outcome::Silent));
    }
    bench.pass(5 * MINUTE);
    bench.instead.clear();
    bench.comes_back(0, 1, "2.0");
    bench.is(State::Succeeded);
    assert_eq!(bench.executes(), 1);
}

#[test]
fn a_longer_lifetime_is_written_before_and_taken_back_after() {
    let extension = Extension {
        instance: 0,
        usual: 300,
        extended: 1_260,
    };
    let (longer, usual) = (Ask::Lifetime(0, 1_260), Ask::Lifetime(0, 300));
    let mut bench = pull(|it| it.lifetime = Some(extension));
    bench.register();
    bench.tell(2, 0);
    bench.comes_back(0, 1, "2.0");
    assert_eq!(bench.done, [longer, PULL, Ask::Execute, usual]);
    let mut failed = pull(|it| it.lifetime = Some(extension));
    failed.register();
    failed.tell(0, 5);
    failed.is(State::Failed);
    assert_eq!(failed.done, [longer, PULL, usual]);
}

#[test]
fn the_same_version_again_is_no_failure_where_the_result_decides() {
    for (any_version, state) in [(true, State::Succeeded), (false, State::Failed)] {
        let mut bench = pull(|it| it.any_version = any_version);
        bench.register();
        bench.tell(2, 0);
        bench.comes_back(0, 1, "1.0");
        bench.is(state);
    }
}

#[test]
fn a_stopped_update_is_not_executed_and_an_executed_one_not_stopped() {
    let mut bench = pull(|_| {});
    bench.register();
    let id = bench.id.clone();
    assert!(bench.firmware.stop(bench.now, &id, "halted"));
    bench.tell(2, 0);
    bench.pass(60 * MINUTE);
    assert_eq!((bench.executes(), bench.last()), (0, "halted"));
    let mut late = executed();
    let id = late.id.clone();
    assert!(!late.firmware.stop(late.now, &id, "halted"));
    late.comes_back(0, 1, "2.0");
    late.is(State::Succeeded);
}
