//! Updates by upstream jobs go on in the next life of the server.

use std::sync::Arc;

use fotalab_server::{Config, Memory, Storage};
use fotalab_wire::net::{Clock, InMemory, Network};
use http::Method;
use serde_json::json;

use crate::{G1, G2, fota, support::*};

async fn life(network: &Arc<dyn Network>, memory: &Memory) -> World {
    let memory = memory.clone();
    let keep = |config: &mut Config| config.storage = Storage::Memory(memory);
    World::new(Arc::clone(network), Clock::starting_at(EPOCH), keep).await
}

#[tokio::test(start_paused = true)]
async fn a_job_is_followed_further_and_its_device_is_known() {
    let network: Arc<dyn Network> = Arc::new(InMemory::new());
    let memory = Memory::default();
    let world = life(&network, &memory).await;
    let shadow = seed_state("2.0.0", 8835);
    world.upstream.keep_shadow(DEVICE, shadow);
    let job = json!({"jobId": JOB});
    world.upstream.queue("POST /v1/fota-jobs", 200, job);
    let path = json!({"upgradePath": {"2.0.0": "APP*1e29dfa3*v2.0.1"}});
    let answer = world.g1(Method::POST, &fota("app"), Some(path)).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    // Answered, so it survives a crash that loses all that may be lost.
    let left = memory.crashed(0);
    world.running.stop().await;

    let world = life(&network, &left).await;
    let follow = format!("GET /v1/fota-jobs/{JOB}");
    let at = "2023-09-12T00:00:00.000Z";
    let ended = upstream_job(JOB, "SUCCEEDED", "Done", at, "v2.0.1");
    world.upstream.queue(&follow, 200, ended);
    let jobs = world
        .jobs_when(G1, |it| it["jobs"][0]["status"] == "SUCCEEDED")
        .await;
    assert_eq!(jobs["jobs"][0]["id"], JOB, "{jobs}");
    assert!(world.upstream.seen("POST /v1/fota-jobs").is_empty());
    let path = format!("/devices/{DEVICE}");
    let device = world.admin(Method::GET, &path, &json!(null)).await;
    assert_eq!(device.json()["reported"]["appVersion"], "2.0.0");
}

/// Nobody knows whether that job exists: to ask for another one might update the device twice.
#[tokio::test(start_paused = true)]
async fn a_job_that_was_being_created_is_not_created_again() {
    let network: Arc<dyn Network> = Arc::new(InMemory::new());
    let memory = Memory::default();
    let world = life(&network, &memory).await;
    world
        .upstream
        .keep_shadow(DEVICE, seed_state("2.0.0", 8835));
    let path = json!({"upgradePath": {"2.0.0": "APP*1e29dfa3*v2.0.1"}});
    world
        .upstream
        .queue_reply("POST /v1/fota-jobs", Reply::Hang);
    let answer = world.g2(Method::POST, &fota("app"), Some(path)).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    while world.upstream.seen("POST /v1/fota-jobs").is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let left = memory.crashed(0);
    world.running.stop().await;

    let world = life(&network, &left).await;
    let jobs = world
        .jobs_when(G2, |it| it["jobs"][0]["status"] == "FAILED")
        .await;
    assert_eq!(jobs["jobs"].as_array().map(Vec::len), Some(1), "{jobs}");
    assert!(world.upstream.seen("POST /v1/fota-jobs").is_empty());
}
