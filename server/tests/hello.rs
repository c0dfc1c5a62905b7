//! Both generations of the hello.nrfcloud API, as somebody outside sees them. Expected values come
//! from the contract, not from what the server says.

mod support;

use std::time::Duration;

use http::Method;
use serde_json::json;
use support::*;

const G1: &str = "/hello/job-executions";
const G2: &str = "/hello/jobs";

fn fota(target: &str) -> String {
    format!("/device/{DEVICE}/fota/{target}")
}

#[tokio::test(start_paused = true)]
async fn the_seed_scenario_holds_when_answers_are_consumed() {
    let world = World::virtually().await;
    let follow = format!("GET /v1/fota-jobs/{JOB}");
    world
        .upstream
        .keep_shadow(DEVICE, seed_state("2.0.0", 8835));
    world
        .upstream
        .queue("POST /v1/fota-jobs", 200, json!({"jobId": JOB}));
    let running = upstream_job(
        JOB,
        "IN_PROGRESS",
        "Job auto applied",
        "2023-09-12T00:00:00.000Z",
        "v2.0.1",
    );
    world.upstream.queue(&follow, 200, running);

    let mut socket = world.websocket(G1, FINGERPRINT).await;
    assert_eq!(
        socket.next().await,
        json!({"@context": format!("{PROTO}deviceIdentity"), "id": DEVICE, "model": "PCA20065"})
    );
    assert_eq!(
        socket.next().await,
        json!({
            "@context": format!("{PROTO}shadow"),
            "reported": [{
                "ObjectID": 14401, "ObjectVersion": "1.0",
                "Resources": {"0": ["BOOT", "MODEM", "APP"], "99": 1_717_409_966}
            }],
            "desired": []
        })
    );

    let path = json!({"upgradePath": {"2.0.0": "APP*1e29dfa3*v2.0.1"}});
    let answer = world.g1(Method::POST, &fota("app"), Some(path)).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(answer.header("cache-control"), "public, max-age=60");
    let created = answer.json();
    assert_eq!(created["@context"], format!("{PROTO}fota/job-execution"));
    assert_eq!(created["id"], JOB);
    assert_eq!(created["deviceId"], DEVICE);
    assert_eq!(created["status"], "QUEUED");
    assert_eq!(created["version"], "unknown");
    assert!(created.get("statusDetail").is_none(), "{created}");
    let asked = world.upstream.seen("POST /v1/fota-jobs");
    assert_eq!(asked.len(), 1);
    assert_eq!(
        asked[0].body,
        r#"{"bundleId":"APP*1e29dfa3*v2.0.1","autoApply":true,"deviceIdentifiers":["oob-352656108602296"]}"#
    );
    assert_eq!(asked[0].headers["content-type"], "application/json");
    assert_eq!(
        asked[0].headers["accept"],
        "application/json; charset=utf-8"
    );
    assert_eq!(asked[0].headers["authorization"], "Bearer key-of-nordic");

    let jobs = world
        .jobs_when(G1, |it| it["jobs"][0]["status"] == "IN_PROGRESS")
        .await;
    let execution = json!({
        "@context": format!("{PROTO}fota/job-execution"), "id": JOB, "deviceId": DEVICE,
        "lastUpdatedAt": "2023-09-12T00:00:00.000Z", "status": "IN_PROGRESS",
        "statusDetail": "Job auto applied", "version": "v2.0.1"
    });
    assert_eq!(
        jobs,
        json!({"@context": format!("{PROTO}fota/job-executions"), "deviceId": DEVICE, "jobs": [execution]})
    );

    // Meanwhile upstream answers 404, which changes nothing.
    tokio::time::sleep(Duration::from_secs(30)).await;
    let jobs = world.jobs_when(G1, |_| true).await;
    assert_eq!(jobs["jobs"][0]["status"], "IN_PROGRESS");

    let detail = "All executions in terminal status";
    let done = upstream_job(
        JOB,
        "COMPLETED",
        detail,
        "2033-09-12T00:00:30.000Z",
        "v2.0.1",
    );
    world.upstream.queue(&follow, 200, done);
    let expected = json!({
        "@context": format!("{PROTO}fota/job-execution"), "id": JOB, "deviceId": DEVICE,
        "lastUpdatedAt": "2033-09-12T00:00:30.000Z", "status": "COMPLETED",
        "statusDetail": detail, "version": "v2.0.1"
    });
    assert_eq!(socket.next().await, expected);
    assert_eq!(
        world.jobs_when(G1, |_| true).await["jobs"],
        json!([expected])
    );

    // It is over: nobody asks any more, nothing is told twice, the lock is free.
    let asked = world.upstream.seen(&follow).len();
    assert_eq!(socket.next_within(Duration::from_secs(120)).await, None);
    assert_eq!(world.upstream.seen(&follow).len(), asked);
    assert_eq!(world.upstream.seen("POST /v1/fota-jobs").len(), 1);
}
