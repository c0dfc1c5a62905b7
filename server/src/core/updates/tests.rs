//! The engine without any I/O: what goes in, what comes out.

use serde_json::json;

use super::*;
use crate::core::upgrade_path::UpgradePath;

const DAY: UnixMillis = 24 * 3_600 * 1_000;
const START: UnixMillis = 1_700_000_000_000;

/// An engine whose device `d` runs `app`.
fn engine(app: &str) -> Updates {
    let mut updates = Updates::new(1, Duration::from_secs(60));
    report(&mut updates, app);
    updates
}

fn report(updates: &mut Updates, app: &str) {
    let firmware = Firmware {
        app: Some(app.to_owned()),
        ..Firmware::default()
    };
    updates.firmware_reported(START, "d", firmware);
}

fn wanted(flow: Flow, path: serde_json::Value) -> Wanted {
    Wanted {
        device: "d".to_owned(),
        account: "a".to_owned(),
        target: Some(Target::App),
        path: UpgradePath::parse(&path).expect("a path"),
        flow,
    }
}

fn told(status: &str) -> Result<JobDetails, PollFailure> {
    Ok(JobDetails {
        status: status.to_owned(),
        status_detail: None,
        last_updated_at: None,
        version: None,
    })
}

/// What the engine wants, in short.
fn effects(updates: &mut Updates) -> Vec<String> {
    std::iter::from_fn(|| updates.poll_effect())
        .map(|effect| match effect {
            Effect::Create { bundle, .. } => format!("create {bundle}"),
            Effect::Follow { job, .. } => format!("follow {job}"),
            Effect::Cancel { job, .. } => format!("cancel {job}"),
            Effect::Scheduled { outcome, .. } => format!("scheduled {}", outcome.is_ok()),
            Effect::Changed { .. } => "changed".to_owned(),
            Effect::StepEnded { .. } => "step ended".to_owned(),
        })
        .collect()
}

/// A whole update from 2.0.0 whose first upstream job is `job-1`.
fn running(updates: &mut Updates) -> String {
    let path = json!({">=0.0.0": "APP*aaaaaaaa*1"});
    let update = updates.create(START, wanted(Flow::Whole, path));
    let id = update.expect("an update").id;
    updates.created(START, &id, Ok("job-1".to_owned()));
    assert_eq!(
        effects(updates),
        ["create APP*aaaaaaaa*1", "changed", "follow job-1"]
    );
    id
}

#[test]
fn upstream_is_asked_at_once_and_then_in_its_interval() {
    let mut updates = engine("2.0.0");
    let id = running(&mut updates);
    updates.followed(START, &id, told("IN_PROGRESS"));
    assert_eq!(updates.poll_timeout(), Some(START + 60_000));
    updates.handle_timeout(START + 59_999);
    assert_eq!(effects(&mut updates), [""; 0]);
    updates.handle_timeout(START + 60_000);
    updates.handle_timeout(START + 60_000);
    assert_eq!(effects(&mut updates), ["follow job-1"], "once at a time");
}

#[test]
fn failures_back_off_and_an_answer_ends_that() {
    let mut updates = engine("2.0.0");
    let id = running(&mut updates);
    let mut now = START;
    for minutes in [2, 4, 8, 8] {
        updates.followed(now, &id, Err(PollFailure::Unusable));
        assert_eq!(updates.poll_timeout(), Some(now + minutes * 60_000));
        now += minutes * 60_000;
        updates.handle_timeout(now);
    }
    // A job that is not there yet is nothing to be afraid of.
    updates.followed(now, &id, Err(PollFailure::NotFound));
    assert_eq!(updates.poll_timeout(), Some(now + 60_000));
    updates.handle_timeout(now + 60_000);
    updates.followed(now + 60_000, &id, told("QUEUED"));
    updates.handle_timeout(now + 120_000);
    updates.followed(now + 120_000, &id, Err(PollFailure::Unusable));
    assert_eq!(updates.poll_timeout(), Some(now + 240_000));
}

#[test]
fn a_job_may_be_unknown_for_a_day() {
    let mut updates = engine("2.0.0");
    let id = running(&mut updates);
    updates.followed(START + DAY, &id, Err(PollFailure::NotFound));
    assert_eq!(effects(&mut updates), [""; 0]);
    updates.handle_timeout(START + DAY + 60_000);
    updates.followed(START + DAY + 60_001, &id, Err(PollFailure::NotFound));
    let step = &updates.get(&id).expect("the update").steps[0];
    assert_eq!(step.status, "FAILED");
    let detail = "The job was not found on nRF Cloud. It may have been deleted.";
    assert_eq!(step.status_detail.as_deref(), Some(detail));
    assert_eq!(
        effects(&mut updates),
        ["follow job-1", "step ended", "changed"]
    );
}

#[test]
fn created_is_followed_and_deletion_ends_it() {
    let mut updates = engine("2.0.0");
    let id = running(&mut updates);
    updates.followed(START, &id, told("CREATED"));
    updates.handle_timeout(START + 60_000);
    assert_eq!(effects(&mut updates), ["follow job-1"]);
    updates.followed(START + 60_000, &id, told("DELETION_IN_PROGRESS"));
    assert_eq!(effects(&mut updates), ["step ended", "changed"]);
    let update = updates.get(&id).expect("the update");
    assert_eq!(update.state, State::Ended(Ended::Failed));
}

#[test]
fn a_whole_update_times_out_and_cancels_what_runs() {
    let mut updates = engine("2.0.0");
    let id = running(&mut updates);
    updates.followed(START, &id, told("DOWNLOADING"));
    updates.handle_timeout(START + 60_000);
    // The last question never came back: 30 days are over all the same.
    assert_eq!(updates.poll_timeout(), Some(START + 30 * DAY));
    updates.handle_timeout(START + 30 * DAY);
    assert_eq!(
        effects(&mut updates),
        ["follow job-1", "changed", "cancel job-1"]
    );
    let update = updates.get(&id).expect("the update");
    assert_eq!(update.status_detail, "The job timed out.");
    assert_eq!(update.state, State::Ended(Ended::TimedOut));
    updates.handle_timeout(START + 31 * DAY);
    assert!(updates.get(&id).is_none(), "it was shown for a day");
    assert_eq!(updates.poll_timeout(), None);
}

#[test]
fn a_job_that_is_created_after_the_abort_is_cancelled() {
    let mut updates = engine("2.0.0");
    let path = json!({"2.0.0": "APP*aaaaaaaa*1"});
    let update = updates.create(START, wanted(Flow::Whole, path));
    let id = update.expect("an update").id;
    assert_eq!(updates.abort(START, "d", &id), Ok(()));
    updates.created(START, &id, Ok("late".to_owned()));
    assert_eq!(
        effects(&mut updates),
        ["create APP*aaaaaaaa*1", "changed", "cancel late"]
    );
    let refused = updates.abort(START, "d", &id);
    assert_eq!(refused, Err(AbortRefusal::Ended("ABORTED")));
}

#[test]
fn a_range_does_not_apply_its_bundle_twice() {
    let mut updates = engine("2.0.0");
    let id = running(&mut updates);
    updates.followed(START, &id, told("COMPLETED"));
    report(&mut updates, "2.0.1");
    assert_eq!(effects(&mut updates), ["step ended", "changed"]);
    let update = updates.get(&id).expect("the update");
    let detail = "No more bundles to apply for 2.0.1. Job completed.";
    assert_eq!(update.status_detail, detail);
}

#[test]
fn a_version_that_was_there_before_ends_the_update() {
    let mut updates = engine("2.0.0");
    let path = json!({"2.0.0": "APP*aaaaaaaa*1", "2.0.1": "APP*bbbbbbbb*1"});
    let update = updates.create(START, wanted(Flow::Whole, path));
    let id = update.expect("an update").id;
    for (job, version) in [("job-1", "2.0.1"), ("job-2", "v2.0.0")] {
        updates.created(START, &id, Ok(job.to_owned()));
        updates.followed(START, &id, told("SUCCEEDED"));
        report(&mut updates, version);
    }
    let update = updates.get(&id).expect("the update");
    assert_eq!(update.state, State::Ended(Ended::Succeeded));
    assert_eq!(update.steps.len(), 2, "2.0.0 was used");
}

#[test]
fn a_stepwise_path_waits_without_holding_the_lock() {
    let mut updates = engine("2.0.0");
    let path = json!({"2.0.0": "APP*aaaaaaaa*1", "2.0.1": "APP*bbbbbbbb*1"});
    let update = updates.create(START, wanted(Flow::Stepwise, path.clone()));
    let first = update.expect("an update").id;
    updates.created(START, &first, Ok("job-1".to_owned()));
    let again = updates.create(START, wanted(Flow::Stepwise, path.clone()));
    assert_eq!(again, Err(Refusal::Exists));
    updates.followed(START, &first, told("COMPLETED"));
    let awaited: Vec<_> = updates.awaited_devices(START).collect();
    assert_eq!(awaited, [("d", true)]);
    let second = updates.create(START + 1, wanted(Flow::Stepwise, path));
    let second = second.expect("the lock is free").id;
    updates.created(START + 1, &second, Err("refused".to_owned()));
    assert!(updates.get(&second).is_none(), "it never began");
    effects(&mut updates);
    report(&mut updates, "2.0.1");
    assert_eq!(effects(&mut updates), [""; 0], "the first one gave way");
}

#[test]
fn a_later_step_that_upstream_refuses_is_shown_as_failed() {
    let mut updates = engine("2.0.0");
    let path = json!({"2.0.0": "APP*aaaaaaaa*1", "2.0.1": "APP*bbbbbbbb*1"});
    let update = updates.create(START, wanted(Flow::Stepwise, path));
    let id = update.expect("an update").id;
    updates.created(START, &id, Ok("job-1".to_owned()));
    updates.followed(START, &id, told("COMPLETED"));
    report(&mut updates, "2.0.1");
    updates.created(START, &id, Err("out of order".to_owned()));
    let step = updates.get(&id).and_then(|it| it.steps.last()).cloned();
    let step = step.expect("a step");
    assert_eq!((step.status.as_str(), step.id == id), ("FAILED", true));
    let detail = "Scheduling FOTA update failed: out of order";
    assert_eq!(step.status_detail.as_deref(), Some(detail));
}

#[test]
fn a_device_has_a_limited_number_of_records() {
    let mut updates = engine("2.0.0");
    for at in 0..200 {
        let nothing_fits = json!({"1.0.0": "APP*aaaaaaaa*1"});
        let update = updates.create(START + at, wanted(Flow::Whole, nothing_fits));
        assert!(update.is_ok());
    }
    assert_eq!(updates.of_device("d").count(), 50);
    let newest = updates.of_device("d").last().expect("an update");
    assert_eq!(newest.timestamp, START + 199);
}
