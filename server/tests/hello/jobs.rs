//! The second generation: one job over all steps of a path (contract 1.2, 1.3 and 2.3).

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::{G2, fota, support::*};

const CREATE: &str = "POST /v1/fota-jobs";

fn follow(job: &str) -> String {
    format!("GET /v1/fota-jobs/{job}")
}

fn upstream_done(world: &World, job: &str, status: &str) {
    let answer = upstream_job(job, status, "d", "2023-09-12T00:00:00.000Z", "v1");
    world.upstream.queue(&follow(job), 200, answer);
}

async fn post(world: &World, path: Value) -> Answer {
    world
        .g2(
            Method::POST,
            &fota("app"),
            Some(json!({"upgradePath": path})),
        )
        .await
}

#[tokio::test(start_paused = true)]
async fn a_path_of_two_steps_is_one_job() {
    let world = World::virtually().await;
    world.upstream.keep_shadow(
        DEVICE,
        full_state("2.0.0", "mfw_nrf91x1_2.0.1", &["APP"], 1),
    );
    let mut socket = world.websocket(G2, FINGERPRINT).await;
    socket.next_of("shadow").await;
    world.upstream.queue(CREATE, 200, json!({"jobId": "job-1"}));
    world.upstream.queue(CREATE, 200, json!({"jobId": "job-2"}));
    let path = json!({">=2.0.1": "APP*bbbbbbbb*v2.0.2", "2.0.0": "APP*aaaaaaaa*v2.0.1"});
    let answer = post(&world, path.clone()).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let created = answer.json();
    let id = created["id"].as_str().expect("an id");
    assert!(
        id.len() == 26
            && id
                .bytes()
                .all(|it| it.is_ascii_digit() || it.is_ascii_uppercase())
    );
    let job = |timestamp: &str, status: &str, detail: &str, reported: &str| {
        json!({
            "@context": format!("{PROTO}fota/job"), "id": id, "deviceId": DEVICE,
            "timestamp": timestamp, "status": status, "statusDetail": detail,
            "upgradePath": path, "reportedVersion": reported
        })
    };
    let at = created["timestamp"].as_str().expect("a time");
    assert_eq!(created, job(at, "NEW", "The job has been created", "2.0.0"));
    let detail = "Started job for version 2.0.0 with bundle APP*aaaaaaaa*v2.0.1.";
    assert_eq!(socket.next().await, job(at, "IN_PROGRESS", detail, "2.0.0"));
    // The device is quicker than upstream: its report is not lost.
    world.upstream.keep_shadow(
        DEVICE,
        full_state("v2.0.1-rc.1+7", "mfw_nrf91x1_2.0.1", &["APP"], 2),
    );
    socket.next_of("shadow").await;
    upstream_done(&world, "job-1", "COMPLETED");
    let detail = "Started job for version 2.0.1 with bundle APP*bbbbbbbb*v2.0.2.";
    assert_eq!(socket.next().await, job(at, "IN_PROGRESS", detail, "2.0.1"));
    upstream_done(&world, "job-2", "SUCCEEDED");
    // Upstream is done, the device is not: the job goes on.
    assert_eq!(socket.next_within(Duration::from_secs(30)).await, None);
    world.upstream.keep_shadow(
        DEVICE,
        full_state("2.0.2", "mfw_nrf91x1_2.0.1", &["APP"], 3),
    );
    socket.next_of("shadow").await;
    let done = socket.next().await;
    let ended = done["timestamp"].as_str().expect("a time");
    assert!(ended > at, "{ended} {at}");
    // 2.0.2 satisfies `>=2.0.1` too, but that bundle was applied.
    let detail = "No more bundles to apply for 2.0.2. Job completed.";
    assert_eq!(done, job(ended, "SUCCEEDED", detail, "2.0.2"));
    let jobs = world.jobs_when(G2, |_| true).await;
    assert_eq!(
        jobs,
        json!({"@context": format!("{PROTO}fota/jobs"), "deviceId": DEVICE, "jobs": [done]})
    );
    assert_eq!(world.upstream.seen(CREATE).len(), 2);
    assert!(
        world
            .upstream
            .seen("PUT /v1/fota-jobs/job-2/cancel")
            .is_empty()
    );
}

#[tokio::test(start_paused = true)]
async fn a_modem_is_matched_by_its_version_alone() {
    let world = World::virtually().await;
    world.upstream.keep_shadow(
        DEVICE,
        full_state("2.0.0", "mfw_nrf91x1_2.0.0", &["MDM_FULL"], 1),
    );
    world.upstream.queue(CREATE, 200, json!({"jobId": "job-1"}));
    upstream_done(&world, "job-1", "COMPLETED");
    let answer = post(
        &world,
        json!({"2.0.0": "MDM_FULL*bdd24c80*mfw_nrf91x1_full_2.0.1"}),
    )
    .await;
    assert_eq!(answer.json()["reportedVersion"], "2.0.0", "{}", answer.text);
    // Nobody has a websocket open: the job itself looks for the new version.
    world.upstream.keep_shadow(
        DEVICE,
        full_state("2.0.0", "mfw_nrf91x1_2.0.1", &["MDM_FULL"], 2),
    );
    let jobs = world
        .jobs_when(G2, |it| it["jobs"][0]["status"] == "SUCCEEDED")
        .await;
    assert_eq!(jobs["jobs"][0]["reportedVersion"], "2.0.1");
}

#[tokio::test(start_paused = true)]
async fn a_path_without_a_fitting_key_succeeds_at_once() {
    let world = World::virtually().await;
    world.upstream.keep_shadow(DEVICE, seed_state("2.0.0", 1));
    let answer = post(&world, json!({"1.0.0": "APP*1e29dfa3*v2.0.1"})).await;
    assert_eq!(
        (answer.status, &answer.json()["status"]),
        (201, &json!("NEW"))
    );
    let jobs = world
        .jobs_when(G2, |it| it["jobs"][0]["status"] == "SUCCEEDED")
        .await;
    let detail = "No more bundles to apply for 2.0.0. Job completed.";
    assert_eq!(jobs["jobs"][0]["statusDetail"], detail);
    assert!(world.upstream.seen(CREATE).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_failing_upstream_fails_the_job() {
    let world = World::virtually().await;
    world.upstream.keep_shadow(DEVICE, seed_state("2.0.0", 1));
    let failed = |it: &Value| it["jobs"][0]["status"] == "FAILED";
    world
        .upstream
        .queue(CREATE, 500, json!({"message": "out of order"}));
    assert_eq!(
        post(&world, json!({"2.0.0": "APP*1e29dfa3*v2.0.1"}))
            .await
            .status,
        201
    );
    let jobs = world.jobs_when(G2, failed).await;
    assert_eq!(jobs["jobs"][0]["statusDetail"], "Job execution failed.");
    for status in ["FAILED", "REJECTED", "TIMED_OUT", "CANCELLED"] {
        world.upstream.queue(CREATE, 200, json!({"jobId": status}));
        upstream_done(&world, status, status);
        let created = post(&world, json!({"2.0.0": "APP*1e29dfa3*v2.0.1"}))
            .await
            .json();
        let jobs = world
            .jobs_when(G2, |it| failed(it) && it["jobs"][0]["id"] == created["id"])
            .await;
        assert_eq!(
            jobs["jobs"][0]["statusDetail"], "Job execution failed.",
            "{status}"
        );
        assert!(
            world
                .upstream
                .seen(&format!("PUT /v1/fota-jobs/{status}/cancel"))
                .is_empty()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_is_aborted_with_its_upstream_job() {
    let world = World::virtually().await;
    world.put_device("oob-other", "29a.abcdef", "nordic").await;
    world.upstream.keep_shadow(DEVICE, seed_state("2.0.0", 1));
    world.upstream.queue(CREATE, 200, json!({"jobId": "job-1"}));
    let mut socket = world.websocket(G2, FINGERPRINT).await;
    let created = post(&world, json!({">=1.0.0": "APP*1e29dfa3*v2.0.1"}))
        .await
        .json();
    let job = created["id"].as_str().expect("an id");
    assert_eq!(socket.next_of("fota/job").await["status"], "IN_PROGRESS");

    let delete = async |job: &str| {
        world
            .g2(Method::DELETE, &fota(&format!("job/{job}")), None)
            .await
    };
    delete("job-1").await.is_problem(
        400,
        "Validation failed",
        Some("/jobId: Expected string to match regular expression"),
    );
    delete("01ARYZ6S41TSV4RRFFQ69G5FAV")
        .await
        .is_problem(404, "No job found with ID!", None);
    let others = format!("/device/oob-other/fota/job/{job}?fingerprint=29a.abcdef");
    let title = format!("Job {job} does not belong to device oob-other!");
    world
        .g2(Method::DELETE, &others, None)
        .await
        .is_problem(403, &title, None);

    let answer = delete(job).await;
    assert_eq!((answer.status, answer.text.as_str()), (202, ""));
    let told = socket.next_of("fota/job").await;
    assert_eq!(told["status"], "FAILED");
    assert_eq!(told["statusDetail"], "The job was cancelled.");
    world
        .jobs_when(G2, |it| it["jobs"][0]["status"] == "FAILED")
        .await;
    let cancels = world.upstream.seen("PUT /v1/fota-jobs/job-1/cancel");
    assert_eq!(cancels.len(), 1);
    assert_eq!(cancels[0].body, "");
    assert!(cancels[0].headers.get("content-type").is_none());

    let title = "Execution is not running, but ABORTED!";
    delete(job).await.is_problem(409, title, None);
    // The running check comes first, whoever asks.
    world
        .g2(Method::DELETE, &others, None)
        .await
        .is_problem(409, title, None);
    world.upstream.queue(CREATE, 200, json!({"jobId": "job-2"}));
    assert_eq!(
        post(&world, json!({">=1.0.0": "APP*1e29dfa3*v2.0.1"}))
            .await
            .status,
        201
    );
}

#[tokio::test(start_paused = true)]
async fn a_second_job_for_the_target_is_refused() {
    let world = World::virtually().await;
    world.upstream.keep_shadow(DEVICE, seed_state("2.0.0", 1));
    world.upstream.queue(CREATE, 200, json!({"jobId": "job-1"}));
    let path = json!({"2.0.0": "APP*1e29dfa3*v2.0.1"});
    assert_eq!(post(&world, path.clone()).await.status, 201);
    let title = "A app FOTA job for this device already exists";
    post(&world, path).await.is_problem(409, title, None);
}

#[tokio::test(start_paused = true)]
async fn a_record_is_dropped_after_thirty_days() {
    let world = World::virtually().await;
    world.upstream.keep_shadow(DEVICE, seed_state("2.0.0", 1));
    world.upstream.queue(CREATE, 200, json!({"jobId": "job-1"}));
    upstream_done(&world, "job-1", "CANCELLED");
    assert_eq!(
        post(&world, json!({"2.0.0": "APP*1e29dfa3*v2.0.1"}))
            .await
            .status,
        201
    );
    world
        .jobs_when(G2, |it| it["jobs"][0]["status"] == "FAILED")
        .await;
    tokio::time::sleep(Duration::from_secs(30 * 24 * 3_600 + 60)).await;
    assert_eq!(world.jobs_when(G2, |_| true).await["jobs"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_and_clock_give_the_same_answers() {
    let mut told = Vec::new();
    for _ in 0..2 {
        let world = World::virtually().await;
        world.upstream.keep_shadow(DEVICE, seed_state("2.0.0", 1));
        let answer = post(&world, json!({"1.0.0": "APP*1e29dfa3*v2.0.1"})).await;
        assert_eq!(answer.status, 201);
        told.push(answer.text);
    }
    assert_eq!(told[0], told[1]);
}
