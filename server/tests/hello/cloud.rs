//! What upstream may do wrong, and whose key it is asked with (contract 2.4, 4).

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::{G1, G2, fota, support::*};

async fn schedule(world: &World) {
    world.upstream.keep_shadow(DEVICE, seed_state("2.0.0", 1));
    world
        .upstream
        .queue("POST /v1/fota-jobs", 200, json!({"jobId": JOB}));
    let path = json!({"upgradePath": {"2.0.0": "APP*1e29dfa3*v2.0.1"}});
    let answer = world.g1(Method::POST, &fota("app"), Some(path)).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
}

fn job(status: &str) -> Value {
    upstream_job(JOB, status, "d", "2023-09-12T00:00:00.000Z", "v2.0.1")
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_none_is_asked_for_again() {
    let world = World::virtually().await;
    let line = format!("GET /v1/fota-jobs/{JOB}");
    world.upstream.queue(&line, 200, job("IN_PROGRESS"));
    let wrong_schema = |pointer: &str, value: Value| {
        let mut answer = job("COMPLETED");
        *answer.pointer_mut(pointer).expect("a place") = value;
        Reply::Json(200, answer.to_string())
    };
    for reply in [
        Reply::Json(500, "out of order".into()),
        Reply::Json(200, "{\"jobId\": ".into()),
        Reply::Json(200, "\u{fffd}".into()),
        Reply::Json(200, "[]".into()),
        Reply::Json(204, String::new()),
        wrong_schema("/status", json!("PAUSED")),
        wrong_schema("/createdAt", json!(5)),
        wrong_schema("/firmware/version", json!(null)),
        Reply::Cut,
        Reply::Hang,
    ] {
        world.upstream.queue_reply(&line, reply);
    }
    schedule(&world).await;
    world
        .jobs_when(G1, |it| it["jobs"][0]["status"] == "IN_PROGRESS")
        .await;
    // With back-off: the ten failing ones take some of the next minutes, and change nothing.
    for _ in 0..6 {
        tokio::time::sleep(Duration::from_secs(10)).await;
        let jobs = world.jobs_when(G1, |_| true).await;
        assert_eq!(jobs["jobs"][0]["status"], "IN_PROGRESS");
        assert_eq!(jobs["jobs"][0]["statusDetail"], "d");
    }
    let asked = world.upstream.seen(&line).len();
    assert!(
        (6..=11).contains(&asked),
        "in a minute upstream was asked {asked} times"
    );
    world.upstream.queue(&line, 200, job("COMPLETED"));
    world
        .jobs_when(G1, |it| it["jobs"][0]["status"] == "COMPLETED")
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_upstream_lost_fails_after_a_day() {
    let world = World::virtually().await;
    schedule(&world).await;
    tokio::time::sleep(Duration::from_secs(24 * 3_600 - 10)).await;
    assert_eq!(
        world.jobs_when(G1, |_| true).await["jobs"][0]["status"],
        "QUEUED"
    );
    let mut socket = world.websocket(G1, FINGERPRINT).await;
    let told = socket.next_of("fota/job-execution").await;
    assert_eq!(told["status"], "FAILED");
    let detail = "The job was not found on nRF Cloud. It may have been deleted.";
    assert_eq!(told["statusDetail"], detail);
    assert_eq!(
        world.jobs_when(G1, |_| true).await["jobs"][0]["statusDetail"],
        detail
    );
}

#[tokio::test(start_paused = true)]
async fn each_account_has_its_own_key() {
    let world = World::virtually().await;
    world.put_account("elite", "key-of-elite").await;
    world.put_device("oob-elite", "29a.abcdef", "elite").await;
    let _one = world.websocket(G2, FINGERPRINT).await;
    let _other = world.websocket(G2, "29a.abcdef").await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    for (device, key) in [
        (DEVICE, "Bearer key-of-nordic"),
        ("oob-elite", "Bearer key-of-elite"),
    ] {
        let line = format!(
            "GET /v1/devices?deviceIds={device}&includeState=true&includeStateMeta=true&pageLimit=100"
        );
        let asked = world.upstream.seen(&line);
        assert!(
            asked.len() >= 4,
            "{device} was asked for {} times",
            asked.len()
        );
        assert!(asked.iter().all(|it| it.headers["authorization"] == key));
    }
}

#[tokio::test(start_paused = true)]
async fn devices_of_an_account_are_asked_for_together() {
    let world = World::virtually().await;
    world.put_device("oob-a%20b", "29a.abcdef", "nordic").await;
    let _one = world.websocket(G2, FINGERPRINT).await;
    let _other = world.websocket(G1, "29a.abcdef").await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let line = format!(
        "GET /v1/devices?deviceIds={DEVICE}%2Coob-a%20b&includeState=true&includeStateMeta=true&pageLimit=100"
    );
    assert!(world.upstream.seen(&line).len() >= 3);
}

#[tokio::test(start_paused = true)]
async fn a_hanging_account_does_not_hold_up_another() {
    let world = World::virtually().await;
    world.put_account("elite", "key-of-elite").await;
    world.put_device("oob-elite", "29a.abcdef", "elite").await;
    let line =
        "GET /v1/devices?deviceIds=oob-elite&includeState=true&includeStateMeta=true&pageLimit=100";
    world.upstream.keep(line, Reply::Hang);
    let _hangs = world.websocket(G2, "29a.abcdef").await;
    let mut socket = world.websocket(G2, FINGERPRINT).await;
    socket.next_of("deviceIdentity").await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    world.upstream.keep_shadow(DEVICE, seed_state("2.0.0", 1));
    let told = socket
        .next_within(Duration::from_secs(2))
        .await
        .expect("a shadow");
    assert_eq!(told["@context"], format!("{PROTO}shadow"));
}

#[tokio::test(start_paused = true)]
async fn bundles_come_page_by_page_the_latest_first() {
    let world = World::virtually().await;
    let bundle = |id: &str, kind: &str, modified: Option<&str>| {
        let mut it = json!({"bundleId": id, "size": 5, "version": "v1", "type": kind, "filenames": ["a.bin"]});
        if let Some(modified) = modified {
            it["lastModified"] = modified.into();
        }
        it
    };
    let first = json!({"items": [
        bundle("APP*aaaaaaaa*v1", "APP", Some("2024-01-01T00:00:00.000Z")),
        bundle("SMP*bbbbbbbb*v1", "SMP", None),
    ], "total": 2, "pageNextToken": "a/b=="});
    let second = json!({"items": [bundle("MODEM*cccccccc*v1", "MODEM", Some("2024-02-01T00:00:00.000Z"))], "total": 1});
    let bundles = async || world.g2(Method::GET, &fota("bundles"), None).await;

    // A failure is told, and not remembered.
    let first_line = "GET /v1/firmwares?pageLimit=100";
    bundles()
        .await
        .is_problem(500, "Fetching FOTA bundles failed", None);
    world.upstream.queue(
        first_line,
        200,
        json!({"items": [{"bundleId": 5}], "total": 1}),
    );
    bundles()
        .await
        .is_problem(500, "Fetching FOTA bundles failed", None);

    world.upstream.queue(first_line, 200, first);
    world.upstream.queue(
        "GET /v1/firmwares?pageLimit=100&pageNextToken=a%2Fb%3D%3D",
        200,
        second,
    );
    let told = |id: &str, kind: &str| json!({"@context": format!("{PROTO}fota/bundle"), "bundleId": id, "type": kind, "version": "v1"});
    let expected = json!({
        "@context": format!("{PROTO}fota/bundles"), "deviceId": DEVICE,
        "bundles": [told("MODEM*cccccccc*v1", "MODEM"), told("APP*aaaaaaaa*v1", "APP"), told("SMP*bbbbbbbb*v1", "SMP")]
    });
    let answer = bundles().await;
    assert_eq!((answer.status, answer.json()), (200, expected.clone()));
    assert_eq!(answer.header("cache-control"), "public, max-age=60");
    assert_eq!(bundles().await.json(), expected, "remembered");
    assert_eq!(world.upstream.seen(first_line).len(), 3);

    tokio::time::sleep(Duration::from_secs(61)).await;
    world
        .upstream
        .queue(first_line, 200, json!({"items": [], "total": 0}));
    assert_eq!(bundles().await.json()["bundles"], json!([]));
}
