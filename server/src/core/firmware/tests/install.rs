//! From Execute on.

use super::*;

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
        (3, TRANSFERS),
        (4, TRANSFERS),
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
fn a_silent_rollback_without_a_registration_is_found_by_the_soak_check() {
    let mut bench = executed();
    bench.comes_back(0, 1, "2.0");
    bench.version = "1.0";
    bench.pass(10 * MINUTE);
    bench.is(State::Failed);
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
