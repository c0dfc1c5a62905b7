//! The rows of contract 3.7 that the engine alone decides, each under its id.

use fotalab_wire::coap::Code;

use super::{
    messages::{DELIVERY, PROTOCOLS, RESULT, STATE, State},
    *,
};

const SECOND: UnixMillis = 1_000;
const MINUTE: UnixMillis = 60 * SECOND;

/// A device that answers what it is asked, and writes down what it was.
struct Bench {
    firmware: Firmware,
    now: UnixMillis,
    id: String,
    state: i64,
    result: i64,
    version: &'static str,
    delivery: i64,
    protocols: Option<Vec<i64>>,
    /// What was done to it, without reads and observations.
    done: Vec<Ask>,
    reads: usize,
    /// Answers to the next asks of a kind, in place of the usual.
    instead: Vec<(Ask, Outcome)>,
}

impl Bench {
    fn new(version: Option<&str>, transfer: Transfer) -> Self {
        let mut firmware = Firmware::new(1);
        let wanted = Wanted {
            device: "d".into(),
            image: "i".into(),
            version: version.map(str::to_owned),
            transfer,
        };
        let id = firmware.create(0, wanted, None).map(|it| it.id.clone());
        Self {
            firmware,
            now: 0,
            id: id.expect("not busy"),
            state: 0,
            result: 0,
            version: "1.0",
            delivery: 2,
            protocols: None,
            done: Vec::new(),
            reads: 0,
            instead: Vec::new(),
        }
    }

    fn register(&mut self) {
        self.firmware.registered(self.now, "d", true);
        self.settle();
    }

    fn tell(&mut self, state: i64, result: i64) {
        (self.state, self.result) = (state, result);
        let told = [(STATE, state), (RESULT, result)];
        for (path, value) in told {
            self.firmware
                .notified(self.now, "d", path, &Value::Integer(value));
        }
        self.settle();
    }

    fn comes_back(&mut self, state: i64, result: i64, version: &'static str) {
        (self.state, self.result, self.version) = (state, result, version);
        self.register();
    }

    fn pass(&mut self, time: UnixMillis) {
        let end = self.now + time;
        while let Some(due) = self.firmware.poll_timeout().filter(|due| *due <= end) {
            self.now = due.max(self.now);
            self.firmware.handle_timeout(self.now);
            self.settle();
        }
        self.now = end;
    }

    fn settle(&mut self) {
        while let Some(effect) = self.firmware.poll_effect() {
            if let Effect::Ask {
                update,
                serial,
                ask,
                ..
            } = effect
            {
                let outcome = self.answer(ask);
                self.firmware.answered(self.now, &update, serial, outcome);
            }
        }
    }

    fn answer(&mut self, ask: Ask) -> Outcome {
        let scripted = self.instead.iter().position(|(it, _)| *it == ask);
        let scripted = scripted.map(|at| self.instead.remove(at).1);
        if let Ask::Read(path) | Ask::Observe(path) = ask {
            self.reads += 1;
            let values = match path {
                STATE => vec![Value::Integer(self.state)],
                RESULT => vec![Value::Integer(self.result)],
                VERSION => vec![Value::String(self.version.into())],
                DELIVERY => vec![Value::Integer(self.delivery)],
                PROTOCOLS if self.protocols.is_some() => {
                    let all = self.protocols.iter().flatten();
                    all.map(|it| Value::Integer(*it)).collect()
                }
                _ => return scripted.unwrap_or(Outcome::Answered(Code::NOT_FOUND, Vec::new())),
            };
            return scripted.unwrap_or(Outcome::Answered(Code::CONTENT, values));
        }
        self.done.push(ask);
        if let Some(outcome) = scripted {
            return outcome;
        }
        match ask {
            Ask::ClearUri | Ask::ClearPackage => (self.state, self.result) = (0, 0),
            Ask::Package => (self.state, self.result) = (2, 0),
            Ask::Uri(_) => self.result = 0,
            _ => self.state = 3,
        }
        Outcome::Answered(Code::CHANGED, Vec::new())
    }

    fn executes(&self) -> usize {
        self.done.iter().filter(|it| **it == Ask::Execute).count()
    }

    fn transfers(&self) -> usize {
        let all = self.done.iter();
        all.filter(|it| matches!(it, Ask::Uri(_) | Ask::Package))
            .count()
    }

    #[track_caller]
    fn is(&self, state: State) {
        let update = self.firmware.get(&self.id).expect("known");
        assert_eq!(update.state, state, "{:#?}", update.history);
    }

    fn last(&self) -> &str {
        let update = self.firmware.get(&self.id).expect("known");
        update.history.last().map_or("", |it| it.detail.as_str())
    }
}

/// A pull that is downloaded and executed.
fn executed() -> Bench {
    let mut bench = Bench::new(Some("2.0"), Transfer::Pull);
    bench.register();
    bench.tell(1, 0);
    bench.tell(2, 0);
    assert_eq!(bench.executes(), 1);
    bench
}

const PULL: Ask = Ask::Uri(Scheme::Coap);

#[test]
fn an_update_by_pull_walks_through_all_states() {
    let mut bench = Bench::new(Some("2.0"), Transfer::Pull);
    bench.is(State::Queued);
    bench.register();
    bench.is(State::Downloading);
    bench.tell(1, 0);
    bench.tell(2, 0);
    bench.is(State::Updating);
    bench.comes_back(0, 1, "2.0");
    bench.is(State::Succeeded);
    assert_eq!(bench.done, [PULL, Ask::Execute]);
    bench.pass(60 * MINUTE);
    assert_eq!(bench.last(), "still runs the new version");
}

#[test]
fn an_update_by_push_reads_before_it_executes() {
    let mut bench = Bench::new(Some("2.0"), Transfer::Push);
    bench.register();
    bench.is(State::Updating);
    bench.comes_back(0, 1, "2.0");
    bench.is(State::Succeeded);
    assert_eq!(bench.done, [Ask::Package, Ask::Execute]);
}

#[test]
fn x_fw_s01_never_the_wrong_delivery() {
    use Transfer::{Any, Pull, Push};
    for (delivery, transfer, expected) in [
        (0, Any, Some(PULL)),
        (1, Any, Some(Ask::Package)),
        (2, Any, Some(PULL)),
        (0, Push, None),
        (1, Pull, None),
        (2, Push, Some(Ask::Package)),
    ] {
        let mut bench = Bench::new(None, transfer);
        bench.delivery = delivery;
        bench.register();
        assert_eq!(
            bench.done.first().copied(),
            expected,
            "{delivery} {transfer:?}"
        );
    }
}

#[test]
fn x_fw_s02_only_a_listed_scheme() {
    let by = Transfer::PullBy;
    for (protocols, transfer, expected) in [
        (None, Transfer::Pull, Some(PULL)),
        (Some(vec![0]), Transfer::Pull, Some(PULL)),
        (Some(vec![2]), Transfer::Pull, Some(Ask::Uri(Scheme::Http))),
        (
            Some(vec![99, 2]),
            by(Scheme::Http),
            Some(Ask::Uri(Scheme::Http)),
        ),
        (Some(vec![1]), Transfer::Pull, None),
        (Some(vec![3]), Transfer::Pull, None),
        (Some(vec![99]), Transfer::Pull, None),
        (None, by(Scheme::Http), None),
    ] {
        let mut bench = Bench::new(None, transfer);
        (bench.delivery, bench.protocols) = (0, protocols.clone());
        bench.register();
        assert_eq!(bench.done.first().copied(), expected, "{protocols:?}");
    }
}

#[test]
fn x_fw_s03_a_foreign_image_is_reset_first() {
    for (delivery, clear, transfer) in [
        (0, Ask::ClearUri, PULL),
        (1, Ask::ClearPackage, Ask::Package),
    ] {
        let mut bench = Bench::new(Some("2.0"), Transfer::Any);
        (bench.state, bench.delivery) = (2, delivery);
        bench.register();
        assert_eq!(bench.done[..2], [clear, transfer]);
    }
}

#[test]
fn x_fw_s04_a_running_update_is_waited_for() {
    let mut bench = Bench::new(Some("2.0"), Transfer::Pull);
    bench.state = 3;
    bench.register();
    bench.pass(10 * MINUTE);
    assert_eq!(bench.done, []);
    (bench.state, bench.result) = (0, 0);
    bench.pass(MINUTE);
    assert_eq!(bench.done, [PULL]);
}

#[test]
fn x_fw_s09_a_refused_size_ends_it() {
    let mut bench = Bench::new(Some("2.0"), Transfer::Push);
    let refusal = Outcome::Answered(Code::REQUEST_ENTITY_TOO_LARGE, Vec::new());
    bench.instead.push((Ask::Package, refusal));
    bench.register();
    bench.is(State::Failed);
    assert_eq!(bench.transfers(), 1);
}

#[test]
fn x_fw_s10_s11_a_broken_push_is_tried_again_and_given_up() {
    for outcome in [
        Outcome::Answered(Code::REQUEST_ENTITY_INCOMPLETE, Vec::new()),
        Outcome::Rejected,
    ] {
        let mut once = Bench::new(Some("2.0"), Transfer::Push);
        once.instead.push((Ask::Package, outcome.clone()));
        once.register();
        once.pass(5 * MINUTE);
        once.is(State::Updating);
        let mut always = Bench::new(Some("2.0"), Transfer::Push);
        always.instead = vec![(Ask::Package, outcome); 9];
        always.register();
        always.pass(60 * MINUTE);
        always.is(State::Failed);
        assert_eq!(always.transfers(), 4);
    }
}

#[test]
fn x_fw_s12_503_is_waited_out() {
    let mut bench = Bench::new(Some("2.0"), Transfer::Pull);
    bench.instead.push((
        PULL,
        Outcome::Answered(Code::SERVICE_UNAVAILABLE, Vec::new()),
    ));
    bench.register();
    assert_eq!(bench.transfers(), 1);
    bench.pass(MINUTE);
    assert_eq!(bench.transfers(), 2);
}

#[test]
fn x_fw_s13_a_push_whose_end_was_lost_is_not_pushed_again() {
    let mut bench = Bench::new(Some("2.0"), Transfer::Push);
    bench.instead.push((Ask::Package, Outcome::Silent));
    bench.state = 0;
    bench.register();
    bench.state = 2;
    bench.pass(2 * MINUTE);
    bench.is(State::Updating);
    assert_eq!(bench.done, [Ask::Package, Ask::Execute]);
}

#[test]
fn x_fw_s18_s19_a_device_that_lost_the_transfer_gets_another() {
    let mut bench = Bench::new(Some("2.0"), Transfer::Pull);
    bench.register();
    bench.tell(1, 0);
    for _ in 0..3 {
        bench.comes_back(0, 0, "1.0");
        bench.pass(2 * MINUTE);
        bench.tell(1, 0);
    }
    assert_eq!(bench.transfers(), 4);
    bench.comes_back(0, 0, "1.0");
    bench.is(State::Failed);
}

#[test]
fn x_fw_s20_a_download_that_goes_on_is_left_alone() {
    let mut bench = Bench::new(Some("2.0"), Transfer::Pull);
    bench.register();
    bench.tell(1, 0);
    bench.comes_back(1, 0, "1.0");
    bench.pass(10 * MINUTE);
    assert_eq!(bench.done, [PULL]);
    bench.tell(2, 0);
    assert_eq!(bench.done, [PULL, Ask::Execute]);
}

#[test]
fn x_fw_s21_a_lost_execute_is_never_repeated_blindly() {
    let mut bench = Bench::new(Some("2.0"), Transfer::Pull);
    bench.register();
    bench.tell(1, 0);
    bench.instead = vec![(Ask::Execute, Outcome::Silent)];
    bench
        .instead
        .extend(vec![(Ask::Read(STATE), Outcome::Silent); 20]);
    bench.tell(2, 0);
    bench.pass(10 * MINUTE);
    bench.instead.clear();
    bench.comes_back(0, 1, "2.0");
    bench.is(State::Succeeded);
    assert_eq!(bench.executes(), 1);
}

#[test]
fn an_execute_that_never_arrived_is_repeated_after_a_look() {
    let mut bench = Bench::new(Some("2.0"), Transfer::Pull);
    bench.register();
    bench.tell(1, 0);
    bench.instead.push((Ask::Execute, Outcome::Silent));
    bench.tell(2, 0);
    let reads = bench.reads;
    bench.pass(MINUTE);
    assert!(bench.reads > reads);
    assert_eq!(bench.executes(), 2);
    // One that was acknowledged is not, however long the device stays where it is.
    let mut bench = executed();
    bench.state = 2;
    bench.pass(30 * MINUTE);
    assert_eq!(bench.executes(), 1);
}

#[test]
fn x_fw_s22_s23_the_version_has_the_last_word() {
    for (result, version, expected) in [
        (1, "2.0", State::Succeeded),
        (0, "2.0", State::Succeeded),
        (1, "1.0", State::Failed),
        (0, "1.0", State::Failed),
    ] {
        let mut bench = executed();
        bench.comes_back(0, result, version);
        bench.is(expected);
    }
}

#[test]
fn x_fw_s24_a_device_that_never_returns_is_given_up() {
    let mut bench = executed();
    bench.firmware.left("d");
    bench.pass(59 * MINUTE);
    bench.is(State::Updating);
    bench.pass(2 * MINUTE);
    bench.is(State::Failed);
    assert_eq!(bench.firmware.poll_timeout(), None);
}

#[test]
fn x_fw_s25_lost_notifications_are_made_up_for_by_polls() {
    let mut bench = Bench::new(Some("2.0"), Transfer::Pull);
    bench.register();
    (bench.state, bench.result) = (2, 0);
    bench.pass(31 * SECOND);
    bench.is(State::Updating);
    assert_eq!(bench.executes(), 1);
}

#[test]
fn x_fw_s27_results_are_final_or_worth_another_try() {
    for (result, transfers) in [
        (2, 1),
        (3, 4),
        (4, 4),
        (5, 1),
        (6, 1),
        (7, 1),
        (9, 1),
        (12, 1),
    ] {
        let mut bench = Bench::new(Some("2.0"), Transfer::Pull);
        bench.register();
        for _ in 0..transfers {
            bench.tell(1, 0);
            bench.tell(0, result);
            bench.pass(5 * MINUTE);
        }
        bench.is(State::Failed);
        assert_eq!(bench.transfers(), transfers, "result {result}");
    }
    // 8 comes after Execute, State 2 (1.0) or 0 (1.1).
    for state in [2, 0] {
        let mut bench = executed();
        bench.comes_back(state, 8, "1.0");
        bench.pass(MINUTE);
        bench.tell(1, 0);
        bench.tell(2, 0);
        bench.comes_back(state, 8, "1.0");
        bench.is(State::Failed);
        assert_eq!((bench.transfers(), bench.executes()), (2, 2));
    }
}

#[test]
fn x_fw_s28_cancelled_ends_and_deferred_waits() {
    let mut bench = Bench::new(Some("2.0"), Transfer::Pull);
    bench.register();
    bench.tell(1, 0);
    bench.tell(0, 10);
    bench.is(State::Failed);
    let mut bench = executed();
    bench.tell(2, 11);
    bench.pass(24 * 60 * MINUTE);
    bench.is(State::Updating);
    assert_eq!(bench.executes(), 1);
    bench.tell(3, 0);
    bench.comes_back(0, 1, "2.0");
    bench.is(State::Succeeded);
}

#[test]
fn x_fw_s29_a_boot_loop_is_noticed() {
    let mut bench = executed();
    for _ in 0..=limits::MAX_BOOTS {
        bench.pass(30 * SECOND);
        bench.comes_back(3, 0, "1.0");
    }
    bench.is(State::Failed);
}

#[test]
fn a_silent_rollback_is_found() {
    let mut bench = executed();
    bench.comes_back(0, 1, "2.0");
    bench.pass(MINUTE);
    bench.comes_back(0, 1, "1.0");
    bench.is(State::Failed);
    assert_eq!(bench.last(), "went back to 1.0 after its success");
}

#[test]
fn one_update_at_a_time() {
    let mut bench = Bench::new(None, Transfer::Pull);
    let wanted = bench.firmware.get(&bench.id).expect("known").wanted.clone();
    let busy = bench.firmware.create(0, wanted, None).map(|_| ());
    assert_eq!(
        busy,
        Err(Busy {
            update: bench.id.clone()
        })
    );
}
