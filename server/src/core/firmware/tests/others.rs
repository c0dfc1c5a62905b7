//! Newer versions of the object, devices that come and go, and others who touch it.

use super::*;

#[test]
fn x_fw_s06_one_that_sleeps_after_the_uri_is_waited_for() {
    let mut bench = Bench::new(Some("2.0"), Transfer::Pull);
    bench.register();
    // It says nothing of its own accord, and nothing when it is asked, for an hour.
    bench.instead = vec![(Ask::Read(STATE), Outcome::Silent); 1_000];
    bench.pass(60 * MINUTE);
    bench.is(State::Downloading);
    bench.instead.clear();
    bench.state = 2;
    bench.firmware.heard(bench.now, "d");
    bench.settle();
    assert_eq!(bench.done, [PULL, Ask::Execute]);
    // Nor is one whose State is Idle for a while written to again.
    let mut bench = Bench::new(Some("2.0"), Transfer::Pull);
    bench.register();
    bench.pass(60 * MINUTE);
    assert_eq!(bench.done, [PULL]);
}

#[test]
fn x_fw_s18_a_push_that_a_registration_cut_begins_again() {
    let mut bench = Bench::new(Some("2.0"), Transfer::Push);
    bench.holds = Some(Ask::Package);
    bench.register();
    bench.holds = None;
    bench.comes_back(1, 0, "1.0");
    bench.pass(MINUTE);
    assert_eq!(
        bench.done,
        [Ask::Package, Ask::ClearUri, Ask::Package, Ask::Execute]
    );
}

#[test]
fn x_fw_s26_a_late_downloading_undoes_nothing() {
    let mut bench = executed();
    bench.state = 3;
    for late in [1, 1, 2] {
        let value = Value::Integer(late);
        bench.firmware.notified(bench.now, "d", STATE, &value);
        bench.settle();
    }
    bench.is(State::Updating);
    assert_eq!(bench.transfers(), 1);
    bench.comes_back(0, 1, "2.0");
    bench.is(State::Succeeded);
    assert_eq!(bench.executes(), 1);
}

#[test]
fn x_fw_s28_a_deferral_is_waited_for_as_long_as_the_device_may_put_it_off() {
    const HOUR: UnixMillis = 60 * MINUTE;
    // Seconds in /5/0/13, hours of patience: an hour more to install, or a week without.
    for (max_defer, hours) in [(Some(2 * 3_600), 3), (None, 7 * 24), (Some(0), 7 * 24)] {
        let mut bench = Bench::new(Some("2.0"), Transfer::Pull);
        bench.arrival.object = Some(Version::V1_1);
        bench.max_defer = max_defer;
        bench.register();
        bench.tell(2, 0);
        bench.tell(2, 11);
        bench.pass(hours * HOUR - MINUTE);
        bench.is(State::Updating);
        assert_eq!(bench.executes(), 1);
        bench.pass(2 * MINUTE);
        bench.is(State::Failed);
    }
}

#[test]
fn one_that_installs_by_itself_is_not_executed() {
    for (version, automatic, executes) in [
        (Version::V1_2, Some(true), 0),
        (Version::V1_2, Some(false), 1),
        (Version::V1_2, None, 1),
        // The resource is not in that version.
        (Version::V1_1, Some(true), 1),
    ] {
        let mut bench = Bench::new(Some("2.0"), Transfer::Pull);
        bench.arrival.object = Some(version);
        bench.automatic = automatic;
        bench.register();
        bench.tell(1, 0);
        bench.tell(2, 0);
        bench.pass(5 * MINUTE);
        bench.tell(3, 0);
        bench.comes_back(0, 1, "2.0");
        bench.is(State::Succeeded);
        assert_eq!(bench.executes(), executes, "{version} {automatic:?}");
    }
}

#[test]
fn x_fw_s38_an_object_that_goes_and_comes_back() {
    let mut bench = Bench::new(Some("2.0"), Transfer::Pull);
    bench.register();
    bench.tell(1, 0);
    let listed = std::mem::take(&mut bench.arrival);
    bench.register();
    let reads = bench.reads;
    bench.pass(10 * MINUTE);
    bench.is(State::Downloading);
    assert_eq!(bench.reads, reads, "it asks for what is not there");
    bench.arrival = listed;
    bench.state = 2;
    bench.register();
    assert_eq!(bench.done, [PULL, Ask::Execute]);
    // One that never had it is not updated.
    let mut bench = Bench::new(Some("2.0"), Transfer::Pull);
    bench.arrival.object = None;
    bench.register();
    bench.is(State::Failed);
}

#[test]
fn x_fw_s39_a_clock_that_goes_back_does_nothing_twice() {
    let mut bench = executed();
    let reads = bench.reads;
    bench.firmware.handle_timeout(bench.now - 60 * MINUTE);
    bench.settle();
    assert_eq!((bench.executes(), bench.reads), (1, reads));
    bench.comes_back(0, 1, "2.0");
    bench.is(State::Succeeded);
}

#[test]
fn x_fw_s40_another_ones_image_is_not_executed() {
    for state in [1, 2] {
        let mut bench = Bench::new(Some("2.0"), Transfer::Pull);
        let refusal = Outcome::Answered(Code::BAD_REQUEST, Vec::new());
        bench.instead.push((PULL, refusal));
        // Between the look and the write somebody else wrote a URI.
        bench.foreign = Some(state);
        bench.register();
        bench.pass(MINUTE);
        assert_eq!(bench.done, [PULL, Ask::ClearUri, PULL]);
        bench.tell(2, 0);
        bench.comes_back(0, 1, "2.0");
        bench.is(State::Succeeded);
    }
}

#[test]
fn x_fw_s40_a_foreign_reset_before_execute_starts_the_transfer_again() {
    let mut bench = Bench::new(Some("2.0"), Transfer::Pull);
    bench.register();
    let refusal = Outcome::Answered(Code::METHOD_NOT_ALLOWED, Vec::new());
    bench.instead.push((Ask::Execute, refusal));
    bench.tell(1, 0);
    // It tells Downloaded; when Execute comes, somebody has reset it.
    let value = Value::Integer(2);
    bench.firmware.notified(bench.now, "d", STATE, &value);
    (bench.state, bench.result) = (0, 0);
    bench.settle();
    bench.pass(MINUTE);
    assert_eq!(bench.transfers(), 2);
    bench.is(State::Downloading);
}

#[test]
fn x_fw_s40_an_installation_that_nobody_here_asked_for_is_told() {
    let mut bench = Bench::new(Some("2.0"), Transfer::Pull);
    bench.register();
    bench.tell(1, 0);
    bench.tell(3, 0);
    bench.is(State::Updating);
    assert!(bench.last().contains("nobody here"), "{}", bench.last());
    assert_eq!(bench.executes(), 0);
}

#[test]
fn short_states_are_not_hidden_by_a_default_pmin() {
    let mut bench = Bench::new(Some("2.0"), Transfer::Pull);
    bench.register();
    assert_eq!(bench.unhidden, 1);
    // Who refuses it, or does not answer, is updated all the same.
    for outcome in [
        Outcome::Answered(Code::METHOD_NOT_ALLOWED, Vec::new()),
        Outcome::Rejected,
        Outcome::Silent,
    ] {
        let mut bench = Bench::new(Some("2.0"), Transfer::Pull);
        bench.instead.push((Ask::Unhide(STATE), outcome));
        bench.register();
        assert_eq!(bench.done, [PULL]);
    }
}

#[test]
fn one_that_installs_by_itself_is_not_executed_after_a_restart_either() {
    let mut bench = Bench::new(Some("2.0"), Transfer::Pull);
    bench.arrival.object = Some(Version::V1_2);
    bench.automatic = Some(true);
    bench.register();
    bench.tell(2, 0);
    // The server ends and begins again with what it remembered.
    let remembered = serde_json::to_value(bench.firmware.get(&bench.id));
    let remembered = serde_json::from_value(remembered.expect("JSON"));
    bench.firmware = Firmware::new(2);
    bench
        .firmware
        .restore(bench.now, remembered.expect("an update"));
    bench.firmware.resume(bench.now, "d", bench.arrival);
    bench.settle();
    bench.pass(5 * MINUTE);
    assert_eq!(bench.executes(), 0);
    bench.tell(3, 0);
    bench.comes_back(0, 1, "2.0");
    bench.is(State::Succeeded);
}
