//! The first generation with the seed scenario's readings (contract 1.3 and 8).

use std::time::Duration;

use http::Method;
use serde_json::json;

use crate::{G1, fota, support::*};

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

#[tokio::test(start_paused = true)]
async fn answers_that_repeat_lead_to_the_same_end() {
    let world = World::virtually().await;
    let follow = format!("GET /v1/fota-jobs/{JOB}");
    world
        .upstream
        .keep_shadow(DEVICE, seed_state("2.0.0", 8835));
    world
        .upstream
        .queue("POST /v1/fota-jobs", 200, json!({"jobId": JOB}));
    let job = |status: &str| {
        Reply::Json(
            200,
            upstream_job(JOB, status, "d", "2023-09-12T00:00:00.000Z", "v2.0.1").to_string(),
        )
    };
    world.upstream.keep(&follow, job("IN_PROGRESS"));
    // No websocket: the shadow is fetched when it is needed.
    let path = json!({"upgradePath": {"2.0.0": "APP*1e29dfa3*v2.0.1"}});
    assert_eq!(
        world
            .g1(Method::POST, &fota("app"), Some(path))
            .await
            .status,
        201
    );
    world
        .jobs_when(G1, |it| it["jobs"][0]["status"] == "IN_PROGRESS")
        .await;
    world.upstream.keep(&follow, job("COMPLETED"));
    world
        .jobs_when(G1, |it| it["jobs"][0]["status"] == "COMPLETED")
        .await;
}

#[tokio::test(start_paused = true)]
async fn the_next_step_comes_with_a_new_version_as_a_job_of_its_own() {
    let world = World::virtually().await;
    world.upstream.keep_shadow(DEVICE, seed_state("2.0.0", 1));
    let mut socket = world.websocket(G1, FINGERPRINT).await;
    socket.next_of("shadow").await;
    for (job, version) in [("job-1", "v2.0.1"), ("job-2", "v2.0.2")] {
        world
            .upstream
            .queue("POST /v1/fota-jobs", 200, json!({"jobId": job}));
        let done = upstream_job(
            job,
            "COMPLETED",
            "done",
            "2023-09-12T00:00:00.000Z",
            version,
        );
        world
            .upstream
            .queue(&format!("GET /v1/fota-jobs/{job}"), 200, done);
    }
    let path =
        json!({"upgradePath": {"2.0.0": "APP*aaaaaaaa*v2.0.1", "2.0.1": "APP*bbbbbbbb*v2.0.2"}});
    let answer = world.g1(Method::POST, &fota("app"), Some(path)).await;
    assert_eq!(answer.json()["id"], "job-1", "{}", answer.text);
    assert_eq!(socket.next_of("fota/job-execution").await["id"], "job-1");
    // Until the device reports 2.0.1 there is one job.
    assert_eq!(socket.next_within(Duration::from_secs(60)).await, None);
    assert_eq!(world.upstream.seen("POST /v1/fota-jobs").len(), 1);
    world.upstream.keep_shadow(DEVICE, seed_state("2.0.1", 2));
    let second = socket.next_of("fota/job-execution").await;
    assert_eq!(
        (&second["id"], &second["status"]),
        (&json!("job-2"), &json!("COMPLETED"))
    );
    let asked = world.upstream.seen("POST /v1/fota-jobs");
    assert!(
        asked[1]
            .body
            .starts_with(r#"{"bundleId":"APP*bbbbbbbb*v2.0.2","#),
        "{}",
        asked[1].body
    );
    let jobs = world.jobs_when(G1, |_| true).await;
    assert_eq!(
        (&jobs["jobs"][0]["id"], &jobs["jobs"][1]["id"]),
        (&json!("job-2"), &json!("job-1"))
    );
    world.upstream.keep_shadow(DEVICE, seed_state("2.0.2", 3));
    assert_eq!(
        socket.next_within(Duration::from_secs(60)).await,
        None,
        "no key is left"
    );
}

#[tokio::test(start_paused = true)]
async fn a_path_that_does_not_fit_is_refused() {
    let world = World::virtually().await;
    let post = async |path: serde_json::Value| {
        world
            .g1(
                Method::POST,
                &fota("app"),
                Some(json!({"upgradePath": path})),
            )
            .await
    };
    let fits = json!({"2.0.0": "APP*1e29dfa3*v2.0.1"});
    let unknown = format!("Unknown device state: {DEVICE}!");
    post(fits.clone())
        .await
        .is_problem(400, "Device is not eligible for FOTA", Some(&unknown));

    world.upstream.keep_shadow(
        DEVICE,
        full_state("2.0.0", "mfw_nrf91x1_2.0.1", &["BOOT"], 1),
    );
    post(fits.clone()).await.is_problem(
        400,
        "Device is not eligible for FOTA",
        Some("This device does not support FOTA!"),
    );

    let world = World::virtually().await;
    let post = async |path: serde_json::Value| {
        world
            .g1(
                Method::POST,
                &fota("app"),
                Some(json!({"upgradePath": path})),
            )
            .await
    };
    world.upstream.keep_shadow(DEVICE, seed_state("2.0.0", 1));
    let invalid = "Invalid upgrade path defined";
    post(json!({"2.0.1": "APP*1e29dfa3*v2.0.1"}))
        .await
        .is_problem(400, invalid, None);
    post(json!({"2.0.0": "APP*1e29dfa3*v2.0.1", "2.0.1": "MODEM*1e29dfa3*1"}))
        .await
        .is_problem(400, invalid, Some("A job must have a single target!"));
    post(json!({"2.0.0": "BOOT*1e29dfa3*v2.0.1"}))
        .await
        .is_problem(
            400,
            invalid,
            Some("The device does not support FOTA for target null!"),
        );
    post(json!({"2.0.0": "MDM_FULL*1e29dfa3*v2.0.1"}))
        .await
        .is_problem(
            400,
            invalid,
            Some("The device has not reported a modem firmware version!"),
        );
    assert!(world.upstream.seen("POST /v1/fota-jobs").is_empty());
}

#[tokio::test(start_paused = true)]
async fn one_job_at_a_time_and_target() {
    let world = World::virtually().await;
    world.upstream.keep_shadow(
        DEVICE,
        full_state("2.0.0", "mfw_nrf91x1_2.0.1", &["APP", "MODEM"], 1),
    );
    for job in ["job-1", "job-2"] {
        world
            .upstream
            .queue("POST /v1/fota-jobs", 201, json!({"jobId": job}));
    }
    let app = json!({"upgradePath": {"2.0.0": "APP*1e29dfa3*v2.0.1"}});
    let modem = json!({"upgradePath": {"2.0.1": "MODEM*1e29dfa3*2.0.2"}});
    assert_eq!(
        world
            .g1(Method::POST, &fota("app"), Some(app.clone()))
            .await
            .status,
        201
    );
    let again = world.g1(Method::POST, &fota("app"), Some(app)).await;
    again.is_problem(409, "A app FOTA job for this device already exists", None);
    assert!(again.json().get("detail").is_none() && again.json().get("type").is_none());
    assert_eq!(
        world
            .g1(Method::POST, &fota("modem"), Some(modem))
            .await
            .status,
        201
    );
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_refuses_is_told_and_leaves_no_job() {
    let world = World::virtually().await;
    world.upstream.keep_shadow(DEVICE, seed_state("2.0.0", 1));
    let path = json!({"upgradePath": {"2.0.0": "APP*1e29dfa3*v2.0.1"}});
    let line = "POST /v1/fota-jobs";
    world
        .upstream
        .queue_reply(line, Reply::Json(500, "out of order, key-of-nordic".into()));
    world
        .upstream
        .queue_reply(line, Reply::Json(200, "{".into()));
    world.upstream.queue(line, 200, json!({"jobId": 7}));
    world.upstream.queue_reply(line, Reply::Cut);
    world.upstream.queue_reply(line, Reply::Hang);
    for _ in 0..5 {
        let answer = world
            .g1(Method::POST, &fota("app"), Some(path.clone()))
            .await;
        answer.is_problem(500, "Scheduling FOTA update failed", None);
        assert_eq!(
            answer.json()["type"],
            "https://hello.nrfcloud.com/errors/InternalError"
        );
        assert!(!answer.text.contains("key-of-nordic"), "{}", answer.text);
    }
    assert_eq!(world.jobs_when(G1, |_| true).await["jobs"], json!([]));
    world.upstream.queue(line, 200, json!({"jobId": JOB}));
    assert_eq!(
        world
            .g1(Method::POST, &fota("app"), Some(path))
            .await
            .status,
        201
    );
}

#[tokio::test(start_paused = true)]
async fn a_bundle_can_be_asked_for_by_its_id() {
    let world = World::virtually().await;
    world.upstream.keep_shadow(DEVICE, seed_state("2.0.0", 1));
    let path = format!("/device/{DEVICE}/fota");
    let post = async |body| world.g1(Method::POST, &path, Some(body)).await;
    post(json!({})).await.is_problem(
        400,
        "Validation failed",
        Some("/bundleId: Expected required property"),
    );
    post(json!({"bundleId": "SOFTDEVICE*1e29dfa3*v1"}))
        .await
        .is_problem(
            400,
            "This device does not support the bundle type!",
            Some("Supported FOTA types are: BOOT, MODEM, APP"),
        );
    world
        .upstream
        .queue("POST /v1/fota-jobs", 200, json!({"jobId": JOB}));
    // G1 looks at no version, and a modem's is not even reported here.
    let answer = post(json!({"bundleId": "MODEM*1e29dfa3*v2.0.1"})).await;
    assert_eq!((answer.status, &answer.json()["id"]), (201, &json!(JOB)));
    // It belongs to the first generation only.
    world
        .g2(Method::POST, &path, Some(json!({})))
        .await
        .is_problem(404, "Not Found", None);
    world
        .g1(
            Method::DELETE,
            &fota("job/01ARYZ6S41TSV4RRFFQ69G5FAV"),
            None,
        )
        .await
        .is_problem(404, "Not Found", None);
}
