//! A second account's token sees nothing of the first, and its OTAs reach nobody else's devices.

use http::Method;
use serde_json::{Value, json};

use crate::{Iotaap, says, text};

#[tokio::test(start_paused = true)]
async fn another_account_sees_and_changes_nothing() {
    let iotaap = Iotaap::new().await;
    let device = iotaap.make("devices").await;
    let group = iotaap.make("groups").await;
    iotaap.join(&device, &group).await;
    iotaap.deploy("device", &device, "1", b"one").await;
    iotaap.deploy("group", &group, "2", b"two").await;
    iotaap
        .account("second", json!({"iotaapToken": "second"}))
        .await;
    // A device that asks is heard of.
    iotaap
        .bare(&format!("/ota/device/latest/{}", text(&device["_id"])))
        .await;
    let before = (iotaap.get("/devices").await, iotaap.get("/groups").await);
    let (id, group_id) = (text(&device["_id"]), text(&group["_id"]));
    for (method, path, body, message) in [
        (
            Method::GET,
            format!("/devices/{id}"),
            Value::Null,
            "No such device",
        ),
        (
            Method::PUT,
            format!("/devices/{id}"),
            json!({"name": "x"}),
            "No such device",
        ),
        (
            Method::DELETE,
            format!("/devices/{id}"),
            Value::Null,
            "No such device",
        ),
        (
            Method::GET,
            format!("/groups/{group_id}"),
            Value::Null,
            "No such group",
        ),
        (
            Method::PUT,
            format!("/groups/{group_id}"),
            json!({"name": "x"}),
            "No such group",
        ),
        (
            Method::DELETE,
            format!("/groups/{group_id}"),
            Value::Null,
            "No such group",
        ),
        (
            Method::GET,
            format!("/groups/devices/{group_id}"),
            Value::Null,
            "No such group",
        ),
    ] {
        let answer = iotaap.ask_as("second", method.clone(), &path, body).await;
        assert_eq!(answer.status, 404, "{method} {path}: {}", answer.text);
        says(&answer, 404, message);
    }
    for path in ["/devices", "/groups", "/ota/device", "/ota/group"] {
        let answer = iotaap
            .ask_as("second", Method::GET, path, Value::Null)
            .await
            .json();
        assert_eq!(
            (&answer["recordsTotal"], &answer["recordsFiltered"]),
            (&json!(0), &json!(0))
        );
        let shown = answer.as_object().and_then(|it| it.values().next());
        assert_eq!(shown, Some(&json!([])), "{path}");
    }
    for (scoped, of, message) in [
        ("device", &device, "No such device"),
        ("group", &group, "No such group"),
    ] {
        let parts = [
            (scoped, None, text(&of["_id"]).as_bytes()),
            ("token", None, text(&of["token"]).as_bytes()),
            ("version", None, &b"9"[..]),
            ("firmware", Some("firmware.bin"), b"x"),
        ];
        says(
            &iotaap.send_form("second", scoped, &parts).await,
            404,
            message,
        );
        let path = format!("/ota/{scoped}/latest/{}", text(&of["_id"]));
        assert_ne!(iotaap.bare(&path).await.json()["ver"], "9");
    }
    // A device of the second account does not get into the first one's group.
    let mine = iotaap
        .ask_as("second", Method::POST, "/devices", json!({}))
        .await
        .json();
    let path = format!("/devices/{}", text(&mine["_id"]));
    let body = json!({"group": group_id});
    let put = iotaap.ask_as("second", Method::PUT, &path, body).await;
    assert_eq!((put.status, put.json().get("group")), (200, None));
    assert_eq!(
        (iotaap.get("/devices").await, iotaap.get("/groups").await),
        before
    );
}
