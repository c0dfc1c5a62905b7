//! The websocket (contract section 3).

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use http::Method;
use serde_json::{Value, json};
use tokio_tungstenite::{
    client_async,
    tungstenite::{Error, Message},
};

use crate::{G1, G2, fota, support::*};

#[tokio::test(start_paused = true)]
async fn a_later_websocket_gets_the_stored_shadow_and_both_get_what_changes() {
    let world = World::virtually().await;
    world.upstream.keep_shadow(
        DEVICE,
        full_state("2.0.0", "mfw_nrf91x1_2.0.1", &["APP"], 1),
    );
    let mut first = world.websocket(G1, FINGERPRINT).await;
    assert!(
        first
            .next_of("deviceIdentity")
            .await
            .get("lastSeen")
            .is_none()
    );
    let all = first.next_of("shadow").await;
    let mut second = world.websocket(G2, FINGERPRINT).await;
    let identity = second.next().await;
    assert_eq!(identity["@context"], format!("{PROTO}deviceIdentity"));
    // 1717409966, the latest time of the objects.
    assert_eq!(identity["lastSeen"], "2024-06-03T10:19:26.000Z");
    assert_eq!(second.next().await, all, "stored and live look the same");

    world.upstream.keep_shadow(
        DEVICE,
        full_state("2.0.1", "mfw_nrf91x1_2.0.1", &["APP"], 2),
    );
    let changed = json!({
        "@context": format!("{PROTO}shadow"),
        "reported": [{"ObjectID": 14204, "ObjectVersion": "1.0", "Resources": {"3": "2.0.1", "99": 1_717_409_002}}],
        "desired": []
    });
    assert_eq!(first.next().await, changed);
    assert_eq!(second.next().await, changed);

    // An older version, the same again, and only another time: nothing to tell.
    for (app, version) in [("1.0.0", 1), ("9.9.9", 2), ("2.0.1", 3)] {
        world.upstream.keep_shadow(
            DEVICE,
            full_state(app, "mfw_nrf91x1_2.0.1", &["APP"], version),
        );
        assert_eq!(
            first.next_within(Duration::from_secs(10)).await,
            None,
            "{app} {version}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_told_nothing_after_five_minutes() {
    let world = World::virtually().await;
    let mut silent = world.websocket(G1, FINGERPRINT).await;
    let mut alive = world.websocket(G1, FINGERPRINT).await;
    silent.next_of("deviceIdentity").await;
    alive.next_of("deviceIdentity").await;
    tokio::time::sleep(Duration::from_secs(285)).await;
    alive.say(r#"{"message":"message","data":"PING"}"#).await;
    tokio::time::sleep(Duration::from_secs(16)).await;
    world.upstream.keep_shadow(DEVICE, seed_state("2.0.0", 1));
    alive.next_of("shadow").await;
    assert_eq!(silent.next_within(Duration::from_secs(30)).await, None);
    // It stays open, and can come back.
    silent.say(r#"{"message":"message"}"#).await;
    world.upstream.keep_shadow(
        DEVICE,
        full_state("2.0.0", "mfw_nrf91x1_2.0.1", &["APP"], 2),
    );
    silent.next_of("shadow").await;
}

#[tokio::test(start_paused = true)]
async fn frames_without_a_route_get_an_error_and_pings_a_pong() {
    let world = World::virtually().await;
    let mut socket = world.websocket(G2, FINGERPRINT).await;
    socket.next_of("deviceIdentity").await;
    for frame in [
        "{}",
        "hello",
        "[1]",
        r#"{"message":"other"}"#,
        r#"{"message":{"message":"message"}}"#,
    ] {
        socket.say(frame).await;
        assert_eq!(socket.next().await["message"], "Forbidden", "{frame}");
    }
    socket
        .socket
        .send(Message::Ping("beat".into()))
        .await
        .expect("sent");
    let answer = socket.socket.next().await.expect("open").expect("a frame");
    assert_eq!(answer, Message::Pong("beat".into()));
}

#[tokio::test(start_paused = true)]
async fn only_complete_devices_are_let_in() {
    let world = World::virtually().await;
    let put = async |id: &str, body: Value| {
        assert_eq!(
            world
                .admin(Method::PUT, &format!("/devices/{id}"), &body)
                .await
                .status,
            200
        );
    };
    put("no-model", json!({"fingerprint": "1.aaaaaa"})).await;
    put(
        "no-account",
        json!({"fingerprint": "2.aaaaaa", "model": "PCA20065", "account": null}),
    )
    .await;
    put(
        "unsupported",
        json!({"fingerprint": "3.aaaaaa", "model": "unsupported"}),
    )
    .await;
    for (query, status) in [
        ("?fingerprint=92b.y7i24", 400),
        ("", 400),
        ("?fingerprint=92b.aaaaaa", 403),
        ("?fingerprint=1.aaaaaa", 403),
        ("?fingerprint=2.aaaaaa", 403),
    ] {
        let url = format!("ws://{}{G1}/ws{query}", world.running.address());
        let refused = client_async(url, world.connect().await).await;
        let Err(Error::Http(response)) = refused else {
            panic!("{query} was let in, or the answer is no HTTP")
        };
        assert_eq!(response.status(), status, "{query}");
        assert_eq!(
            response.headers()["content-type"],
            "application/problem+json"
        );
    }
    let mut socket = world.websocket(G1, "3.aaaaaa").await;
    let expected = json!({"@context": format!("{PROTO}deviceIdentity"), "id": "unsupported", "model": "unsupported"});
    assert_eq!(socket.next().await, expected);
    assert_eq!(socket.next_within(Duration::from_secs(60)).await, None);
    // Without an upgrade it is an ordinary, wrong request.
    world
        .g1(Method::GET, "/ws", None)
        .await
        .is_problem(400, "This is a websocket", None);
}

#[tokio::test(start_paused = true)]
async fn what_was_before_the_hiding_is_hidden() {
    let world = World::virtually().await;
    // The objects are of June 2024, the world's clock says November 2023: hide from the future on.
    world.upstream.keep_shadow(
        DEVICE,
        full_state("2.0.0", "mfw_nrf91x1_2.0.1", &["APP"], 1),
    );
    world
        .upstream
        .queue("POST /v1/fota-jobs", 200, json!({"jobId": JOB}));
    let path = json!({"upgradePath": {"2.0.0": "APP*1e29dfa3*v2.0.1"}});
    assert_eq!(
        world
            .g1(Method::POST, &fota("app"), Some(path))
            .await
            .status,
        201
    );
    assert_eq!(
        world.jobs_when(G1, |_| true).await["jobs"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    assert_eq!(
        world.jobs_when(G2, |_| true).await["jobs"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    tokio::time::advance(Duration::from_secs(230 * 24 * 3_600)).await;
    let hidden = world
        .g1(
            Method::POST,
            &format!("/device/{DEVICE}/hideDataBefore"),
            None,
        )
        .await;
    assert_eq!((hidden.status, hidden.text.as_str()), (200, ""));
    assert_eq!(world.jobs_when(G1, |_| true).await["jobs"], json!([]));
    let mut socket = world.websocket(G1, FINGERPRINT).await;
    let identity = socket.next_of("deviceIdentity").await;
    assert!(identity.get("lastSeen").is_none(), "{identity}");
    // 230 days after 2023-11-14T22:13:20Z.
    assert!(
        identity["hideDataBefore"]
            .as_str()
            .is_some_and(|it| it.starts_with("2024-07-01T22:13:")),
        "{identity}"
    );
    assert_eq!(socket.next().await["reported"], json!([]));
}
