use super::*;

const OLD: &str = "old";
const NEW: &str = "new";

fn scope(management: Management, target: Option<&str>) -> Scope {
    Scope {
        management,
        target: target.map(str::to_owned),
    }
}

fn report(standing: &mut Standing, scope: &Scope, image: Option<&str>, version: &str) -> Verdict {
    let said = Report {
        version: version.to_owned(),
        ..Report::default()
    };
    standing.report(scope, image.map(str::to_owned), said)
}

#[test]
fn who_says_the_target_depends_on_the_management() {
    let standing = Standing {
        target: Some(OLD.to_owned()),
        ..Standing::default()
    };
    for (management, goal) in [
        (Management::Disabled, None),
        (Management::Collection, Some(NEW)),
        (Management::Device, Some(OLD)),
    ] {
        assert_eq!(scope(management, Some(NEW)).goal(&standing), goal);
    }
    let none = Standing::default();
    let scope = scope(Management::Device, Some(NEW));
    assert_eq!(
        scope.goal(&none),
        None,
        "the collection's target is no fallback"
    );
}

/// Contract A6 step by step: state before, image it ran, target, image and version it reports;
/// state after and verdict.
#[test]
fn a_report_decides() {
    use State as S;
    use Verdict as V;
    let table = [
        // Nothing is wanted.
        (
            S::Current,
            None,
            None,
            (None, "9"),
            (S::Current, V::UpToDate),
        ),
        (
            S::Pending,
            None,
            None,
            (None, "9"),
            (S::Current, V::UpToDate),
        ),
        (
            S::Current,
            None,
            None,
            (Some(OLD), "1"),
            (S::Current, V::UpToDate),
        ),
        // It runs what it shall, whatever was before.
        (
            S::Pending,
            Some(OLD),
            Some(NEW),
            (Some(NEW), "2"),
            (S::Current, V::UpToDate),
        ),
        (
            S::Completed,
            Some(OLD),
            Some(NEW),
            (Some(NEW), "2"),
            (S::Current, V::UpToDate),
        ),
        (
            S::UpdateFailed,
            Some(OLD),
            Some(NEW),
            (Some(NEW), "2"),
            (S::Current, V::UpToDate),
        ),
        (
            S::Reverted,
            Some(OLD),
            Some(NEW),
            (Some(NEW), "2"),
            (S::Current, V::UpToDate),
        ),
        // Another image: up, down, and one that nobody knows.
        (
            S::Current,
            Some(OLD),
            Some(NEW),
            (Some(OLD), "1"),
            (S::Current, V::Update),
        ),
        (
            S::Pending,
            Some(NEW),
            Some(OLD),
            (Some(NEW), "2"),
            (S::Pending, V::Update),
        ),
        (
            S::Current,
            None,
            Some(NEW),
            (None, "x"),
            (S::Current, V::Update),
        ),
        (
            S::Downloading,
            Some(OLD),
            Some(NEW),
            (Some(OLD), "1"),
            (S::Downloading, V::Update),
        ),
        // It had it, and comes back as it was.
        (
            S::Completed,
            Some(OLD),
            Some(NEW),
            (Some(OLD), "1"),
            (S::Reverted, V::Barred),
        ),
        // It had it, and comes back as something else.
        (
            S::Completed,
            Some(OLD),
            Some(NEW),
            (None, "x"),
            (S::Completed, V::Update),
        ),
        // It failed, and nobody cleared that.
        (
            S::UpdateFailed,
            Some(OLD),
            Some(NEW),
            (Some(OLD), "1"),
            (S::UpdateFailed, V::Barred),
        ),
        (
            S::TimedOut,
            Some(OLD),
            Some(NEW),
            (Some(OLD), "1"),
            (S::TimedOut, V::Barred),
        ),
        (
            S::Reverted,
            Some(OLD),
            Some(NEW),
            (Some(OLD), "1"),
            (S::Reverted, V::Barred),
        ),
        // It says no version: what is known of it stays.
        (
            S::Pending,
            Some(OLD),
            Some(OLD),
            (None, ""),
            (S::Current, V::UpToDate),
        ),
    ];
    for (at, (before, ran, target, (image, version), after)) in table.into_iter().enumerate() {
        let mut standing = Standing {
            target: target.map(str::to_owned),
            current: ran.map(str::to_owned),
            state: before,
            said: Report {
                version: if ran == Some(NEW) { "2" } else { "1" }.to_owned(),
                ..Report::default()
            },
            ..Standing::default()
        };
        let scope = scope(Management::Device, None);
        let verdict = report(&mut standing, &scope, image, version);
        assert_eq!((standing.state, verdict), after, "row {at}");
        let ignored = super::tests::scope(Management::Disabled, None);
        let before = standing.clone();
        let verdict = report(&mut standing, &ignored, Some(NEW), "2");
        assert_eq!(verdict, Verdict::Ignored);
        assert_eq!(standing, before, "nothing is kept");
    }
}

#[test]
fn a_target_or_a_cleared_error_gives_another_chance() {
    let mut standing = Standing {
        current: Some(OLD.to_owned()),
        state: State::Reverted,
        message: "why".to_owned(),
        update: Some("u".to_owned()),
        ..Standing::default()
    };
    standing.retarget(Some(NEW.to_owned()));
    assert_eq!(
        (standing.state, standing.message.as_str()),
        (State::Pending, "")
    );
    assert_eq!(standing.update, None, "the update was for another target");
    standing.retarget(Some(OLD.to_owned()));
    assert_eq!(standing.state, State::Current);
    standing.retarget(None);
    assert_eq!(standing.state, State::Current);
    standing.fail("/5/0/1");
    standing.clear_error();
    assert_eq!(
        (standing.state, standing.message.as_str()),
        (State::Pending, "")
    );
}

#[test]
fn an_inspection_reads_state_then_device_and_gives_up_in_time() {
    use fotalab_wire::lwm2m::{Path, Value};
    let mut inspections = Inspections::default();
    inspections.begin(0, "d", How::Tlv);
    let Some(Effect::Read { serial, path, .. }) = inspections.poll_effect() else {
        panic!("it asks");
    };
    assert_eq!(path, Path::resource(5, 0, 3));
    inspections.answered(1, "d", serial + 7, Some(&[]));
    assert_eq!(inspections.poll_effect(), None, "another question's answer");
    inspections.answered(1, "d", serial, Some(&[(path, Value::Integer(2))]));
    let Some(Effect::Read { serial, path, .. }) = inspections.poll_effect() else {
        panic!("it asks on");
    };
    assert_eq!(path, Path::instance(3, 0));
    let version = (Path::resource(3, 0, 3), Value::String(" 1.0 ".to_owned()));
    inspections.answered(2, "d", serial, Some(&[version]));
    let said = Report {
        version: "1.0".to_owned(),
        ..Report::default()
    };
    let found = Found {
        state: Some(2),
        said,
    };
    let over = Effect::Over {
        endpoint: "d".to_owned(),
        found: Ok(found),
    };
    assert_eq!(inspections.poll_effect(), Some(over));
    assert_eq!(inspections.poll_timeout(), None);
    inspections.begin(1_000, "d", How::Tlv);
    inspections.begin(2_000, "d", How::Tlv);
    assert_eq!(
        inspections.poll_timeout(),
        Some(32_000),
        "the first one is void"
    );
    inspections.handle_timeout(32_000);
    let over = std::iter::from_fn(|| inspections.poll_effect()).last();
    let expected = Effect::Over {
        endpoint: "d".to_owned(),
        found: Err("/5/0/3"),
    };
    assert_eq!(over, Some(expected));
}
