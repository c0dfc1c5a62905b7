//! What all routes have in common, and the small ones (contract 1.1, 1.2), and the admin face.

use http::Method;
use serde_json::{Value, json};

use crate::{G1, G2, fota, support::*};

#[tokio::test(start_paused = true)]
async fn the_owner_is_checked_in_order_on_every_route() {
    let world = World::virtually().await;
    let update = json!({"@context": format!("{PROTO}lwm2m/object/update"), "ObjectID": 14240, "Resources": {"0": 300}});
    let path = json!({"upgradePath": {"2.0.0": "APP*1e29dfa3*v2.0.1"}});
    for (method, rest, body) in [
        (Method::POST, "fota/app", Some(path)),
        (Method::GET, "fota/jobs", None),
        (Method::DELETE, "fota/job/01ARYZ6S41TSV4RRFFQ69G5FAV", None),
        (Method::GET, "fota/bundles", None),
        (Method::PATCH, "state", Some(update)),
        (Method::POST, "hideDataBefore", None),
    ] {
        let ask = async |device: &str, fingerprint: &str| {
            let path = format!("/device/{device}/{rest}?fingerprint={fingerprint}");
            world.g2(method.clone(), &path, body.clone()).await
        };
        let detail = "/fingerprint: Expected string to match regular expression";
        ask("nobody", "92b.y7i24")
            .await
            .is_problem(400, "Validation failed", Some(detail));
        ask("nobody", "92b.aaaaaa").await.is_problem(
            404,
            "No device found with ID!",
            Some("nobody"),
        );
        ask(DEVICE, "92b.aaaaaa").await.is_problem(
            403,
            "Fingerprint does not match!",
            Some("92b.aaaaaa"),
        );
        // The expression is blind to case, the comparison is not.
        ask(DEVICE, "92B.Y7I24Q").await.is_problem(
            403,
            "Fingerprint does not match!",
            Some("92B.Y7I24Q"),
        );
    }
}

#[tokio::test(start_paused = true)]
async fn all_mistakes_of_a_request_are_told_at_once() {
    let world = World::virtually().await;
    let post = async |body: Value| world.g1(Method::POST, &fota("app"), Some(body)).await;
    let title = "Validation failed";
    post(json!({}))
        .await
        .is_problem(400, title, Some("/upgradePath: Expected required property"));
    post(json!({"upgradePath": {}})).await.is_problem(
        400,
        title,
        Some("/upgradePath: Expected object to have at least 1 properties"),
    );
    let detail = "/fingerprint: Expected string, /upgradePath/^2.0.0: Unexpected property";
    let wrong =
        json!({"fingerprint": 5, "upgradePath": {"^2.0.0": "APP*1e29dfa3*v2.0.1"}, "other": 1});
    post(wrong).await.is_problem(400, title, Some(detail));
    // Not JSON, or not declared as JSON: as if nothing was sent.
    let path = format!("{G1}{}?fingerprint={FINGERPRINT}", fota("app"));
    for (kind, body) in [
        ("application/json", "{\"upgradePath\":"),
        ("text/plain", "{\"upgradePath\":{}}"),
    ] {
        let headers = [("content-type", kind.to_owned())];
        let answer = world
            .request(Method::POST, &path, &headers, body.to_owned())
            .await;
        answer.is_problem(400, title, Some("/upgradePath: Expected required property"));
    }
}

#[tokio::test(start_paused = true)]
async fn every_answer_has_the_version_and_the_cors_headers() {
    let world = World::virtually().await;
    let request = async |method: Method, path: &str, origin: &str| {
        world
            .request(
                method,
                path,
                &[("origin", origin.to_owned())],
                String::new(),
            )
            .await
    };
    let health = request(Method::GET, "/hello/jobs/health", "http://localhost:5173").await;
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        health.json(),
        json!({"@context": format!("{PROTO}api/health"), "version": version})
    );
    assert_eq!(health.header("content-type"), "application/json");
    let missing = request(Method::GET, "/hello/jobs/device", "https://evil.example").await;
    let preflight = request(
        Method::OPTIONS,
        &format!("{G2}{}", fota("app")),
        "https://hello.nrfcloud.com",
    )
    .await;
    let unrouted = request(
        Method::GET,
        "/hello/jobs/nowhere",
        "http://localhost.evil.example",
    )
    .await;
    unrouted.is_problem(404, "Not Found", None);
    assert_eq!((preflight.status, preflight.text.as_str()), (200, ""));
    for (answer, origin, method) in [
        (&health, "http://localhost:5173", "GET"),
        (&missing, "https://hello.nrfcloud.com", "GET"),
        (&preflight, "https://hello.nrfcloud.com", "POST"),
        (&unrouted, "https://hello.nrfcloud.com", "GET"),
    ] {
        for (name, value) in [
            ("access-control-allow-credentials", "true"),
            ("access-control-allow-origin", origin),
            ("access-control-allow-methods", method),
            (
                "access-control-allow-headers",
                "content-type, accept, if-match, authorization",
            ),
            (
                "access-control-expose-headers",
                "x-amzn-requestid, etag, apigw-requestid",
            ),
            ("access-control-max-age", "600"),
            ("vary", "Origin"),
            ("cache-control", "public, max-age=60"),
            ("x-backend-version", version),
        ] {
            assert_eq!(answer.header(name), value, "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_nobody_serves_is_a_problem_document() {
    let world = World::virtually().await;
    for (method, path) in [
        (Method::GET, "/"),
        (Method::GET, "/hello"),
        (Method::GET, "/hello/jobsx/health"),
        (Method::GET, "/hello/jobs/"),
        (Method::GET, "/hello/jobs/device/"),
        (Method::GET, "/hello/jobs/device/%2e%2e/%2e%2e/admin"),
        (Method::DELETE, "/hello/jobs/health"),
        (Method::GET, "/hello/jobs/device/x/fota/app"),
        (Method::PUT, "/hello/job-executions/device/x/fota/jobs"),
        (Method::TRACE, "/hello/job-executions/device"),
    ] {
        world
            .request(method, path, &[], String::new())
            .await
            .is_problem(404, "Not Found", None);
    }
    for path in [
        "/hello/jobs/device/%zz/state",
        "/hello/jobs/device/%ff/state",
    ] {
        world
            .request(Method::PATCH, path, &[], String::new())
            .await
            .is_problem(400, "Validation failed", None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_is_found_by_its_fingerprint() {
    let world = World::virtually().await;
    let answer = world.g2(Method::GET, "/device", None).await;
    assert_eq!(
        answer.json(),
        json!({"@context": format!("{PROTO}deviceIdentity"), "model": "PCA20065", "id": DEVICE})
    );
    assert_eq!(answer.header("cache-control"), "public, max-age=86400");
    let unknown = world
        .g2(Method::GET, "/device?fingerprint=92b.aaaaaa", None)
        .await;
    unknown.is_problem(404, "No device found for fingerprint!", Some("92b.aaaaaa"));
    let answer = world.g2(Method::GET, &fota("jobs"), None).await;
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test(start_paused = true)]
async fn a_configuration_reaches_the_cloud() {
    let world = World::virtually().await;
    let line = format!("PATCH /v1/devices/{DEVICE}/state");
    let path = format!("/device/{DEVICE}/state");
    let update = json!({"@context": format!("{PROTO}lwm2m/object/update"), "ObjectID": 14240, "Resources": {"0": 300, "1": true}});
    world.upstream.queue(&line, 202, json!({}));
    let answer = world.g2(Method::PATCH, &path, Some(update.clone())).await;
    assert_eq!((answer.status, answer.text.as_str()), (202, ""));
    let body = r#"{"desired":{"lwm2m":{"14240:1.0":{"0":{"0":300,"1":true}}}}}"#;
    assert_eq!(world.upstream.seen(&line)[0].body, body);
    let refused = world.g2(Method::PATCH, &path, Some(update)).await;
    refused.is_problem(400, "Configuration update failed", None);
    assert_eq!(
        refused.json()["type"],
        "https://hello.nrfcloud.com/errors/BadRequest"
    );
    let wrong =
        json!({"@context": "x", "ObjectID": 1, "Resources": {"a": 1}, "ObjectInstanceID": -1});
    world
        .g2(Method::PATCH, &path, Some(wrong))
        .await
        .is_problem(400, "Validation failed", None);
    assert_eq!(world.upstream.seen(&line).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_admin_face_wants_its_token_and_knows_its_fields() {
    let world = World::virtually().await;
    for headers in [
        vec![],
        vec![("authorization", "Bearer admin-tokem".to_owned())],
        vec![("authorization", "Basic admin-token".to_owned())],
    ] {
        let path = format!("/admin/devices/{DEVICE}");
        let answer = world
            .request(Method::GET, &path, &headers, String::new())
            .await;
        answer.is_problem(401, "Unauthorized", None);
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
    let device = json!({"fingerprint": "29a.abcdef", "model": "PCA20065", "psk": "00ff", "imei": "352656108602296", "groups": ["a"]});
    let answer = world.admin(Method::PUT, "/devices/b", &device).await;
    let expected = json!({
        "endpoint": "b", "model": "PCA20065", "account": "nordic", "imei": "352656108602296", "groups": ["a"],
        "hasFingerprint": true, "hasPsk": true, "reported": {}, "updates": [],
        "update": null, "firmwareUpdates": [], "registration": null
    });
    assert_eq!((answer.status, answer.json()), (200, expected));
    let put = async |path: &str, body: Value| world.admin(Method::PUT, path, &body).await;
    let detail = "/fingerPrint: Unexpected property, did you mean `fingerprint`?";
    put("/devices/b", json!({"fingerPrint": "x"}))
        .await
        .is_problem(400, "Validation failed", Some(detail));
    put("/devices/b", json!({"fingerprint": FINGERPRINT}))
        .await
        .is_problem(409, "Another device has this fingerprint", None);
    let detail = "/apikey: Unexpected property, did you mean `apiKey`?, /apiKey: Expected required property, /endpoint: cannot ask `https://api.nrfcloud.com/`: TLS is not supported; use http or ws";
    let account = json!({"endpoint": "https://api.nrfcloud.com", "apikey": "k"});
    put("/accounts/a", account)
        .await
        .is_problem(400, "Validation failed", Some(detail));
    world
        .admin(Method::GET, "/nothing", &Value::Null)
        .await
        .is_problem(404, "Not Found", None);
    world
        .admin(Method::GET, "/devices/nobody", &Value::Null)
        .await
        .is_problem(404, "No device found with ID!", Some("nobody"));

    world.upstream.keep_shadow(DEVICE, seed_state("2.0.0", 7));
    let _watched = world
        .websocket(G1, FINGERPRINT)
        .await
        .next_of("shadow")
        .await;
    let reported = world
        .admin(Method::GET, &format!("/devices/{DEVICE}"), &Value::Null)
        .await
        .json();
    assert_eq!(reported["reported"]["appVersion"], "2.0.0");
    assert!(!reported.to_string().contains(FINGERPRINT));
}
