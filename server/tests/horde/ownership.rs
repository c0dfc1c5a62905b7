//! A second account's token sees nothing of the first.

use http::Method;
use serde_json::json;

use crate::{Horde, refused};

#[tokio::test(start_paused = true)]
async fn another_account_sees_and_changes_nothing() {
    let horde = Horde::new().await;
    let collection = horde.collection("device").await;
    let device = horde.device(&collection, 1).await;
    let image = horde.image(&collection, "1.0", b"one").await;
    let image = format!("{collection}/firmware/{image}");
    horde
        .patch(&format!("{collection}/tags"), json!({"a": "1"}))
        .await;
    let put = json!({"hordeToken": "second"});
    let put = horde
        .world
        .admin(Method::PUT, "/accounts/second", &put)
        .await;
    assert_eq!(put.status, 200, "{}", put.text);
    let third = json!({"hordeToken": "second"});
    let taken = horde
        .world
        .admin(Method::PUT, "/accounts/third", &third)
        .await;
    assert_eq!(taken.status, 409);
    let before = (
        horde.get(&collection).await,
        horde.get(&device).await,
        horde.get(&image).await,
    );
    let all: &[(Method, String, &str)] = &[
        (Method::GET, collection.clone(), ""),
        (
            Method::PATCH,
            collection.clone(),
            "{\"tags\": {\"x\": \"1\"}}",
        ),
        (Method::DELETE, collection.clone(), ""),
        (Method::GET, format!("{collection}/tags"), ""),
        (
            Method::PATCH,
            format!("{collection}/tags"),
            "{\"x\": \"1\"}",
        ),
        (Method::GET, format!("{collection}/tags/a"), ""),
        (
            Method::PATCH,
            format!("{collection}/tags/a"),
            "{\"value\": \"1\"}",
        ),
        (Method::DELETE, format!("{collection}/tags/a"), ""),
        (Method::GET, format!("{collection}/devices"), ""),
        (
            Method::POST,
            format!("{collection}/devices"),
            "{\"imsi\": \"7\", \"imei\": \"7\"}",
        ),
        (Method::GET, device.clone(), ""),
        (Method::PATCH, device.clone(), "{\"imsi\": \"8\"}"),
        (Method::DELETE, device.clone(), ""),
        (Method::DELETE, format!("{device}/fwerror"), ""),
        (Method::GET, format!("{device}/tags"), ""),
        (Method::PATCH, format!("{device}/tags"), "{\"x\": \"1\"}"),
        (Method::GET, format!("{device}/tags/a"), ""),
        (Method::GET, format!("{collection}/firmware"), ""),
        (
            Method::POST,
            format!("{collection}/firmware"),
            "{\"image\": \"aGVsbG8=\", \"filename\": \"x\"}",
        ),
        (Method::GET, image.clone(), ""),
        (Method::PATCH, image.clone(), "{\"version\": \"9\"}"),
        (Method::DELETE, image.clone(), ""),
        (Method::GET, format!("{image}/usage"), ""),
        (Method::GET, format!("{image}/tags"), ""),
        (Method::PATCH, format!("{image}/tags"), "{\"x\": \"1\"}"),
        (Method::DELETE, format!("{image}/tags/a"), ""),
    ];
    for (method, path, body) in all {
        let answer = horde.ask_as("second", method.clone(), path, body).await;
        assert_eq!(answer.status, 404, "{method} {path}: {}", answer.text);
        refused(&answer, 404, "Unknown collection");
    }
    let own = horde
        .ask_as("second", Method::GET, "/collections", "")
        .await;
    assert_eq!(own.json(), json!({"collections": []}));
    let after = (
        horde.get(&collection).await,
        horde.get(&device).await,
        horde.get(&image).await,
    );
    assert_eq!(before, after);
    // Nor can it bring a device into what is not its own, or take an image from there.
    let made = horde
        .ask_as("second", Method::POST, "/collections", "{}")
        .await
        .json();
    let mine = format!(
        "/collections/{}",
        made["collectionId"].as_str().expect("an id")
    );
    let numbers = "{\"imsi\": \"70\", \"imei\": \"70\"}";
    let path = format!("{mine}/devices");
    let made = horde
        .ask_as("second", Method::POST, &path, numbers)
        .await
        .json();
    let path = format!("{path}/{}", made["deviceId"].as_str().expect("an id"));
    let body = json!({"collectionId": collection.rsplit('/').next()}).to_string();
    let answer = horde.ask_as("second", Method::PATCH, &path, &body).await;
    refused(&answer, 404, "Unknown collection");
    let body = json!({"firmware": {"targetFirmwareId": image.rsplit('/').next()}}).to_string();
    let answer = horde.ask_as("second", Method::PATCH, &path, &body).await;
    refused(&answer, 404, "Unknown firmware ID");
    let answer = horde.ask_as("second", Method::PATCH, &mine, &body).await;
    refused(&answer, 400, "Unknown firmware ID");
}
