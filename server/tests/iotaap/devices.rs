//! Login, devices, groups, and what an account pays for.

use http::Method;
use serde_json::{Value, json};

use crate::{Iotaap, says, text};

#[tokio::test(start_paused = true)]
async fn a_login_gives_a_token_that_opens_the_same() {
    let iotaap = Iotaap::new().await;
    let account = json!({"email": "a@example.org", "password": "pw", "iotaapToken": "t"});
    iotaap.account("second", account).await;
    let wrong = json!({"error": "Login or password is wrong"});
    for body in [
        json!({"email": "a@example.org", "password": "no"}),
        json!({"email": "b@example.org", "password": "pw"}),
        json!({"email": "a@example.org"}),
        json!({}),
        Value::Null,
    ] {
        let answer = iotaap.ask(Method::POST, "/auth/login", body).await;
        assert_eq!((answer.status, answer.json()), (401, wrong.clone()));
    }
    let body = json!({"email": "a@example.org", "password": "pw", "rememberMe": true});
    let login = iotaap.ask(Method::POST, "/auth/login", body).await;
    assert_eq!(login.status, 200, "{}", login.text);
    let login = login.json();
    let token = text(&login["token"]).to_owned();
    assert_eq!(token.split('.').count(), 3);
    let made = iotaap
        .ask_as(&token, Method::POST, "/devices", json!({"name": "d"}))
        .await
        .json();
    assert_eq!(made["owner"], login["user"]["id"]);
    let seen = iotaap
        .ask_as("t", Method::GET, "/devices", Value::Null)
        .await
        .json();
    assert_eq!(seen["devices"], json!([made]));
    for token in ["", "x", &token[..token.len() - 2], "a.b.c"] {
        let answer = iotaap
            .ask_as(token, Method::GET, "/devices", Value::Null)
            .await;
        assert_eq!((answer.status, answer.text.as_str()), (401, "Unauthorized"));
    }
    tokio::time::sleep(std::time::Duration::from_secs(30 * 24 * 3_600)).await;
    let late = iotaap
        .ask_as(&token, Method::GET, "/devices", Value::Null)
        .await;
    assert_eq!(late.status, 401);
}

#[tokio::test(start_paused = true)]
async fn devices_and_groups_have_ids_and_secrets() {
    let iotaap = Iotaap::new().await;
    let device = iotaap.make("devices").await;
    let expected = json!({
        "_id": device["_id"], "type": "Magnolia", "name": device["name"], "token": device["token"],
        "last_contact": null, "created_at": "2023-11-14T22:13:20.000Z", "owner": device["owner"],
        "__v": 0,
    });
    assert_eq!(device, expected);
    let lengths = ["_id", "name", "token", "owner"].map(|it| text(&device[it]).len());
    assert_eq!(lengths, [24, 10, 12, 24]);
    let group = iotaap.make("groups").await;
    let expected = json!({
        "_id": group["_id"], "name": group["name"], "token": group["token"],
        "created_at": "2023-11-14T22:13:20.000Z", "owner": device["owner"], "__v": 0,
    });
    assert_eq!(group, expected);
    assert_eq!(text(&group["token"]).len(), 16);
    let path = format!("/devices/{}", text(&device["_id"]));
    let group_path = format!("/groups/{}", text(&group["_id"]));
    let renamed = iotaap
        .ask(Method::PUT, &path, json!({"name": "pump"}))
        .await
        .json();
    assert_eq!(renamed["name"], "pump");
    iotaap.join(&device, &group).await;
    let members = iotaap
        .get(&format!("/groups/devices/{}", text(&group["_id"])))
        .await;
    assert_eq!(members["devices"][0]["_id"], device["_id"]);
    assert_eq!(
        (&members["recordsTotal"], &members["recordsFiltered"]),
        (&json!(1), &json!(1))
    );
    // A group that is not there is not even mentioned.
    let unknown = json!({"group": "5e1b57808711f904f5df4bad"});
    let same = iotaap.ask(Method::PUT, &path, unknown).await;
    assert_eq!((same.status, &same.json()["group"]), (200, &group["_id"]));
    let out = iotaap
        .ask(Method::PUT, &path, json!({"group": "undefined"}))
        .await
        .json();
    assert!(out.get("group").is_none());
    iotaap.join(&device, &group).await;
    let renamed = iotaap
        .ask(Method::PUT, &group_path, json!({"name": "pumps"}))
        .await
        .json();
    assert_eq!(renamed["name"], "pumps");
    let gone = iotaap.ask(Method::DELETE, &group_path, Value::Null).await;
    says(&gone, 200, "Group successfully removed");
    assert!(iotaap.get(&path).await.get("group").is_none());
    says(
        &iotaap.ask(Method::GET, &group_path, Value::Null).await,
        404,
        "No such group",
    );
    let gone = iotaap.ask(Method::DELETE, &path, Value::Null).await;
    says(&gone, 200, "Device successfully removed");
    says(
        &iotaap.ask(Method::GET, &path, Value::Null).await,
        404,
        "No such device",
    );
}

#[tokio::test(start_paused = true)]
async fn an_account_has_what_it_pays_for() {
    let iotaap = Iotaap::new().await;
    for (model, most) in [("free", 2), ("solo", 10), ("startup", 50)] {
        iotaap
            .account(model, json!({"iotaapToken": model, "iotaapModel": model}))
            .await;
        for at in 0..=most {
            let answer = iotaap
                .ask_as(model, Method::POST, "/devices", json!({}))
                .await;
            if at < most {
                assert_eq!(answer.status, 201, "{}", answer.text);
            } else {
                let message = "Maximum number of devices reached. Please upgrade your account.";
                says(&answer, 403, message);
            }
        }
        let answer = iotaap
            .ask_as(model, Method::POST, "/groups", json!({}))
            .await;
        if model == "free" {
            let message = "Groups are not available in free model. Please upgrade your account.";
            says(&answer, 403, message);
        } else {
            assert_eq!(answer.status, 201);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_broker_nothing_is_published() {
    let iotaap = Iotaap::new().await;
    let credentials = iotaap.ask(Method::POST, "/mqtt", json!({})).await;
    assert_eq!(credentials.status, 201);
    let credentials = credentials.json();
    assert_eq!(text(&credentials["user"]).len(), 12);
    assert_eq!(credentials["port"], "8883");
    let body = json!({"topic": "/devices/x/update-trigger", "message": "now"});
    let answer = iotaap.ask(Method::POST, "/mqtt-rest", body).await;
    says(&answer, 400, "There was a problem connecting MQTT server");
}
