//! Bad input by table: the contract's code and text for each.

use http::Method;
use serde_json::{Value, json};

use crate::{Iotaap, says, text};

const ID: &str = "5e1b57808711f904f5df4bad";

/// What is sent and what is answered.
type Row<'a> = (
    Option<&'a str>,
    Option<&'a str>,
    Option<&'a str>,
    Option<&'a str>,
    u16,
    String,
);

#[tokio::test(start_paused = true)]
async fn forms_are_checked_in_the_contracts_order() {
    let iotaap = Iotaap::new().await;
    let device = iotaap.make("devices").await;
    let group = iotaap.make("groups").await;
    iotaap
        .account(
            "free",
            json!({"iotaapToken": "free", "iotaapModel": "free"}),
        )
        .await;
    let mut rows = 0;
    for (scoped, of, invalid, missing) in [
        (
            "device",
            &device,
            "Device ID is not valid",
            "No such device",
        ),
        ("group", &group, "Group ID is not valid", "No such group"),
    ] {
        let (id, token) = (text(&of["_id"]), text(&of["token"]));
        let mandatory = |name: &str| format!("{name} is a mandatory field");
        // Id, token, version, firmware: what is `None` is not there at all.
        let table: Vec<Row<'_>> = vec![
            (None, None, None, None, 400, mandatory(scoped)),
            (
                None,
                Some(token),
                Some("1"),
                Some("x"),
                400,
                mandatory(scoped),
            ),
            (
                Some(""),
                Some(token),
                Some("1"),
                Some("x"),
                400,
                mandatory(scoped),
            ),
            (
                Some(id),
                None,
                Some("1"),
                Some("x"),
                400,
                mandatory("token"),
            ),
            (
                Some(id),
                Some(""),
                Some("1"),
                Some("x"),
                400,
                mandatory("token"),
            ),
            (Some(id), None, None, None, 400, mandatory("token")),
            (
                Some(id),
                Some(token),
                None,
                Some("x"),
                400,
                mandatory("version"),
            ),
            (
                Some(id),
                Some(token),
                Some(""),
                Some("x"),
                400,
                mandatory("version"),
            ),
            (Some(id), Some(token), None, None, 400, mandatory("version")),
            (
                Some("x"),
                Some(token),
                None,
                None,
                400,
                mandatory("version"),
            ),
            (
                Some("x"),
                Some(token),
                Some("1"),
                Some("x"),
                400,
                invalid.to_owned(),
            ),
            (
                Some("undefined"),
                Some(token),
                Some("1"),
                None,
                400,
                invalid.to_owned(),
            ),
            (
                Some(&id[1..]),
                Some(token),
                Some("1"),
                Some("x"),
                400,
                invalid.to_owned(),
            ),
            (
                Some("5e1b57808711f904f5df4bag"),
                Some(token),
                Some("1"),
                Some("x"),
                400,
                invalid.to_owned(),
            ),
            (
                Some(id),
                Some(token),
                Some("1"),
                None,
                400,
                "No file uploaded".to_owned(),
            ),
            (
                Some(id),
                Some(token),
                Some("1"),
                Some(""),
                400,
                "No file uploaded".to_owned(),
            ),
            (
                Some(ID),
                Some(token),
                Some("1"),
                None,
                400,
                "No file uploaded".to_owned(),
            ),
            (
                Some(ID),
                Some(token),
                Some("1"),
                Some("x"),
                404,
                missing.to_owned(),
            ),
            (
                Some(id),
                Some("wrong"),
                Some("1"),
                Some("x"),
                404,
                missing.to_owned(),
            ),
            (
                Some(id),
                Some(&token[1..]),
                Some("1"),
                Some("x"),
                404,
                missing.to_owned(),
            ),
        ];
        for (id, token, version, firmware, status, message) in &table {
            let mut parts = Vec::new();
            for (name, value) in [(scoped, id), ("token", token), ("version", version)] {
                parts.extend(value.map(|it| (name, None, it.as_bytes())));
            }
            parts.extend(firmware.map(|it| ("firmware", Some("firmware.bin"), it.as_bytes())));
            let answer = iotaap.send_form(&iotaap.token, scoped, &parts).await;
            assert_eq!(answer.status, *status, "{parts:?}: {}", answer.text);
            says(&answer, *status, message);
            rows += 1;
        }
        // A text that is called firmware is no file, and a file that is called otherwise neither.
        for (name, file) in [("firmware", None), ("other", Some("firmware.bin"))] {
            let parts = [
                (scoped, None, id.as_bytes()),
                ("token", None, token.as_bytes()),
                ("version", None, &b"1"[..]),
                (name, file, b"bytes"),
            ];
            let answer = iotaap.send_form(&iotaap.token, scoped, &parts).await;
            says(&answer, 400, "No file uploaded");
            let nobody = iotaap.send_form("nobody", scoped, &parts).await;
            assert_eq!((nobody.status, nobody.text.as_str()), (401, "Unauthorized"));
            rows += 2;
        }
        // No form at all has no field at all.
        let path = format!("/ota/{scoped}");
        let answer = iotaap.ask(Method::POST, &path, json!({scoped: id})).await;
        says(&answer, 400, &mandatory(scoped));
        rows += 1;
        assert_eq!(iotaap.get(&path).await["recordsTotal"], 0);
    }
    let parts = [
        ("group", None, text(&group["_id"]).as_bytes()),
        ("token", None, text(&group["token"]).as_bytes()),
        ("version", None, &b"1"[..]),
        ("firmware", Some("firmware.bin"), b"x"),
    ];
    let answer = iotaap.send_form("free", "group", &parts).await;
    let message = "Group OTA update is not available in free model. Please upgrade your account.";
    says(&answer, 403, message);
    // What is paid for is looked at after what is sent.
    says(
        &iotaap.send_form("free", "group", &parts[..3]).await,
        400,
        "No file uploaded",
    );
    assert!(rows > 45, "{rows}");
}

#[tokio::test(start_paused = true)]
async fn other_requests_get_the_contracts_code_and_text() {
    let iotaap = Iotaap::new().await;
    let device = iotaap.make("devices").await;
    let own = format!("/devices/{}", text(&device["_id"]));
    let bad_group = "Group ID is not valid";
    for (method, path, body, status, message) in [
        (
            Method::GET,
            format!("/devices/{ID}"),
            Value::Null,
            404,
            "No such device",
        ),
        (
            Method::GET,
            "/devices/x".into(),
            Value::Null,
            404,
            "No such device",
        ),
        (
            Method::PUT,
            format!("/devices/{ID}"),
            json!({"name": "x"}),
            404,
            "No such device",
        ),
        (
            Method::PUT,
            "/devices/x".into(),
            json!({"name": "x"}),
            404,
            "No such device",
        ),
        (
            Method::DELETE,
            format!("/devices/{ID}"),
            Value::Null,
            404,
            "No such device",
        ),
        (
            Method::DELETE,
            "/devices/x".into(),
            Value::Null,
            404,
            "No such device",
        ),
        (
            Method::GET,
            format!("/groups/{ID}"),
            Value::Null,
            404,
            "No such group",
        ),
        (
            Method::GET,
            "/groups/x".into(),
            Value::Null,
            404,
            "No such group",
        ),
        (
            Method::PUT,
            format!("/groups/{ID}"),
            json!({"name": "x"}),
            404,
            "No such group",
        ),
        (
            Method::DELETE,
            format!("/groups/{ID}"),
            Value::Null,
            404,
            "No such group",
        ),
        (
            Method::DELETE,
            "/groups/x".into(),
            Value::Null,
            500,
            bad_group,
        ),
        (
            Method::GET,
            format!("/groups/devices/{ID}"),
            Value::Null,
            404,
            "No such group",
        ),
        (
            Method::PUT,
            own.clone(),
            json!({"group": "x"}),
            500,
            bad_group,
        ),
        (
            Method::PUT,
            own.clone(),
            json!({"group": "5e1b"}),
            500,
            bad_group,
        ),
        (Method::PUT, own, json!({"group": "null"}), 500, bad_group),
    ] {
        let answer = iotaap.ask(method.clone(), &path, body).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
        says(&answer, status, message);
    }
    for (method, path) in [
        (Method::GET, "/nothing"),
        (Method::GET, ""),
        (Method::GET, "/ota"),
        (Method::PUT, "/ota/device"),
        (Method::DELETE, "/devices"),
        (Method::GET, "/ota/device/latest"),
        (Method::POST, "/ota/device/latest/5e1b57808711f904f5df4bad"),
        (Method::GET, "/auth/login"),
        (Method::PATCH, "/devices/5e1b57808711f904f5df4bad"),
        (Method::GET, "/<script>"),
    ] {
        let answer = iotaap
            .ask(
                method.clone(),
                &path.replace('<', "%3C").replace('>', "%3E"),
                Value::Null,
            )
            .await;
        assert_eq!(answer.status, 404, "{method} {path}");
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
        let says = format!("Cannot {method} /v1");
        assert!(answer.text.contains(&says), "{}", answer.text);
    }
}
