//! Up to the whole image being there.

use std::time::Duration;

use super::*;

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
    assert_eq!(bench.last(), "the old version did not come back");
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
fn a_device_that_registered_over_dtls_pulls_over_dtls_if_it_can() {
    let coaps = Ask::Uri(Scheme::Coaps);
    for (secured, protocols, transfer, expected) in [
        (true, Some(vec![0, 1]), Transfer::Any, Some(coaps)),
        (
            true,
            Some(vec![0, 1]),
            Transfer::PullBy(Scheme::Coap),
            Some(PULL),
        ),
        (true, None, Transfer::Pull, Some(PULL)),
        (false, Some(vec![0, 1]), Transfer::Pull, Some(PULL)),
        (false, Some(vec![1]), Transfer::Pull, None),
        (true, Some(vec![0]), Transfer::PullBy(Scheme::Coaps), None),
    ] {
        let mut bench = Bench::new(None, transfer);
        (bench.delivery, bench.protocols) = (0, protocols.clone());
        bench.arrival.secured = secured;
        bench.register();
        let first = bench.done.first().copied();
        assert_eq!(first, expected, "{secured} {protocols:?} {transfer:?}");
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
    assert_eq!(bench.last(), "the image is too large for the device: 4.13");
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
        assert_eq!(always.transfers(), TRANSFERS);
    }
}

#[test]
fn x_fw_s12_503_is_waited_out() {
    let mut bench = Bench::new(Some("2.0"), Transfer::Pull);
    let patience = Duration::from_secs(90);
    bench.instead.push((PULL, Outcome::Busy(Some(patience))));
    bench.register();
    assert_eq!(bench.transfers(), 1);
    bench.pass(MINUTE);
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
    for _ in 1..TRANSFERS {
        bench.comes_back(0, 0, "1.0");
        bench.pass(5 * MINUTE);
        bench.tell(1, 0);
    }
    assert_eq!(bench.transfers(), TRANSFERS);
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
fn x_fw_s36_an_image_without_room_is_refused_before_its_transfer() {
    // The image has 50,001 bytes.
    for (memory_free, slot, transfers) in [
        (Some(50), None, 0),
        (Some(51), None, 1),
        (Some(-1), None, 1),
        (None, Some(50_000), 0),
        (None, Some(50_001), 1),
    ] {
        let mut bench = Bench::with(Transfer::Pull, |it| it.slot = slot);
        bench.memory_free = memory_free;
        bench.register();
        assert_eq!(bench.transfers(), transfers, "{memory_free:?} {slot:?}");
        bench.is(if transfers == 0 {
            State::Failed
        } else {
            State::Downloading
        });
    }
    // An old image that goes makes room.
    let mut bench = Bench::new(None, Transfer::Pull);
    (bench.state, bench.memory_free, bench.reclaimed) = (2, Some(10), 60);
    bench.register();
    assert_eq!(bench.done, [Ask::ClearUri, PULL]);
}
