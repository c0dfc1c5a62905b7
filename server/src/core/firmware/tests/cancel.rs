//! Updates that are taken back.

use super::*;

impl Bench {
    fn cancel(&mut self) -> Result<(), TooLate> {
        let cancelled = self.firmware.cancel(self.now, &self.id);
        self.settle();
        cancelled.expect("known")
    }

    fn result(&self) -> Option<i64> {
        self.firmware.get(&self.id).expect("known").result
    }
}

fn downloading(version: Version) -> Bench {
    let mut bench = Bench::new(Some("2.0"), Transfer::Pull);
    bench.arrival.object = Some(version);
    bench.register();
    bench.tell(1, 0);
    bench
}

#[test]
fn x_fw_s37_cancel_is_for_objects_that_have_it() {
    for (version, expected, result) in [
        (Version::V1_0, Ask::ClearUri, None),
        (Version::V1_1, Ask::Cancel, Some(10)),
        (Version::V1_2, Ask::Cancel, Some(10)),
    ] {
        let mut bench = downloading(version);
        assert_eq!(bench.cancel(), Ok(()));
        assert_eq!(bench.done, [PULL, expected], "{version}");
        bench.is(State::Failed);
        assert_eq!(bench.result(), result);
        assert!(bench.last().starts_with("cancelled"), "{}", bench.last());
        assert_eq!(bench.firmware.poll_timeout(), None);
        assert_eq!(bench.cancel(), Err(TooLate::Ended));
    }
}

#[test]
fn a_device_without_the_optional_cancel_is_reset() {
    for code in [Code::NOT_FOUND, Code::METHOD_NOT_ALLOWED] {
        let mut bench = downloading(Version::V1_1);
        let refusal = Outcome::Answered(code, Vec::new());
        bench.instead.push((Ask::Cancel, refusal));
        assert_eq!(bench.cancel(), Ok(()));
        assert_eq!(bench.done, [PULL, Ask::Cancel, Ask::ClearUri]);
        assert_eq!(bench.last(), "cancelled: the device was reset");
    }
}

#[test]
fn a_push_is_given_up_before_the_device_is_asked() {
    let mut bench = Bench::new(Some("2.0"), Transfer::Push);
    bench.delivery = 1;
    bench.holds = Some(Ask::Package);
    bench.register();
    assert_eq!(bench.cancel(), Ok(()));
    assert_eq!(bench.withdrawn, 1);
    assert_eq!(bench.done, [Ask::Package, Ask::ClearPackage]);
    bench.is(State::Failed);
}

#[test]
fn never_while_the_device_installs() {
    let mut bench = executed();
    assert_eq!(bench.cancel(), Err(TooLate::Installing));
    // Neither when nobody knows whether Execute arrived.
    let mut bench = Bench::new(Some("2.0"), Transfer::Pull);
    bench.holds = Some(Ask::Execute);
    bench.register();
    bench.tell(2, 0);
    assert_eq!(bench.cancel(), Err(TooLate::Installing));
    // One that was put off can be.
    let mut bench = executed();
    bench.tell(2, 11);
    assert_eq!(bench.cancel(), Ok(()));
    bench.is(State::Failed);
}

#[test]
fn one_that_waits_for_its_device_just_ends() {
    let mut bench = Bench::new(Some("2.0"), Transfer::Pull);
    assert_eq!(bench.cancel(), Ok(()));
    bench.is(State::Failed);
    bench.register();
    assert_eq!((bench.done.as_slice(), bench.reads), (&[][..], 0));
    // And one whose device is away leaves what there is to the next update.
    let mut bench = downloading(Version::V1_1);
    bench.firmware.left("d");
    assert_eq!(bench.cancel(), Ok(()));
    assert_eq!(bench.last(), "cancelled while the device was away");
    assert_eq!(bench.done, [PULL]);
}

#[test]
fn a_device_that_comes_back_while_it_is_cancelled_is_reset() {
    let mut bench = downloading(Version::V1_1);
    bench.holds = Some(Ask::Cancel);
    assert_eq!(bench.cancel(), Ok(()));
    bench.is(State::Downloading);
    bench.comes_back(1, 0, "1.0");
    assert_eq!(bench.done, [PULL, Ask::Cancel, Ask::ClearUri]);
    bench.is(State::Failed);
}
