//! Bad input by table: the contract's code and text for each.

use http::Method;
use serde_json::json;

use crate::{Horde, form, refused};

/// Method, path, body, status, message. In paths and bodies C is a collection, D a device of it,
/// I an image, M a collection that manages its devices, E a device of that.
const TABLE: &[(&str, &str, &str, u16, &str)] = &[
    ("GET", "/collections/zzz", "", 400, "Invalid collection ID"),
    (
        "GET",
        "/collections/17DH0CF43JFGL8",
        "",
        400,
        "Invalid collection ID",
    ),
    (
        "GET",
        "/collections/nnnnnnnnnnnnnnnn",
        "",
        400,
        "Invalid collection ID",
    ),
    (
        "PATCH",
        "/collections/-1",
        "{}",
        400,
        "Invalid collection ID",
    ),
    (
        "DELETE",
        "/collections/%20",
        "",
        400,
        "Invalid collection ID",
    ),
    (
        "GET",
        "/collections/zzz/devices",
        "",
        400,
        "Invalid collection ID",
    ),
    (
        "POST",
        "/collections/zzz/firmware",
        "",
        400,
        "Invalid collection ID",
    ),
    (
        "GET",
        "/collections/17dh0cf43jfgl8",
        "",
        404,
        "Unknown collection",
    ),
    (
        "PATCH",
        "/collections/17dh0cf43jfgl8",
        "{}",
        404,
        "Unknown collection",
    ),
    (
        "DELETE",
        "/collections/17dh0cf43jfgl8",
        "",
        404,
        "Unknown collection",
    ),
    (
        "GET",
        "/collections/17dh0cf43jfgl8/devices",
        "",
        404,
        "Unknown collection",
    ),
    (
        "POST",
        "/collections/17dh0cf43jfgl8/devices",
        "{}",
        404,
        "Unknown collection",
    ),
    (
        "GET",
        "/collections/17dh0cf43jfgl8/devices/1",
        "",
        404,
        "Unknown collection",
    ),
    (
        "GET",
        "/collections/17dh0cf43jfgl8/firmware",
        "",
        404,
        "Unknown collection",
    ),
    (
        "POST",
        "/collections/17dh0cf43jfgl8/firmware",
        "",
        404,
        "Unknown collection",
    ),
    (
        "GET",
        "/collections/17dh0cf43jfgl8/tags",
        "",
        404,
        "Unknown collection",
    ),
    (
        "GET",
        "/collections/C/devices/xyz",
        "",
        400,
        "Invalid device ID",
    ),
    (
        "PATCH",
        "/collections/C/devices/xyz",
        "{}",
        400,
        "Invalid device ID",
    ),
    (
        "DELETE",
        "/collections/C/devices/xyz",
        "",
        400,
        "Invalid device ID",
    ),
    (
        "DELETE",
        "/collections/C/devices/xyz/fwerror",
        "",
        400,
        "Invalid device ID",
    ),
    (
        "GET",
        "/collections/C/devices/17dh0cf43jfgl8",
        "",
        404,
        "Unknown device",
    ),
    (
        "PATCH",
        "/collections/C/devices/17dh0cf43jfgl8",
        "{}",
        404,
        "Unknown device",
    ),
    (
        "DELETE",
        "/collections/C/devices/17dh0cf43jfgl8",
        "",
        404,
        "Unknown device",
    ),
    (
        "DELETE",
        "/collections/C/devices/17dh0cf43jfgl8/fwerror",
        "",
        404,
        "Unknown device",
    ),
    ("GET", "/collections/C/devices/E", "", 404, "Unknown device"),
    (
        "GET",
        "/collections/C/firmware/xyz",
        "",
        400,
        "Invalid firmware ID",
    ),
    (
        "GET",
        "/collections/C/firmware/xyz/usage",
        "",
        400,
        "Invalid firmware ID",
    ),
    (
        "GET",
        "/collections/C/firmware/17dh0cf43jfgl8",
        "",
        404,
        "Unknown firmware",
    ),
    (
        "PATCH",
        "/collections/C/firmware/17dh0cf43jfgl8",
        "{}",
        404,
        "Unknown firmware",
    ),
    (
        "DELETE",
        "/collections/C/firmware/17dh0cf43jfgl8",
        "",
        404,
        "Unknown firmware",
    ),
    (
        "GET",
        "/collections/C/firmware/17dh0cf43jfgl8/usage",
        "",
        404,
        "Unknown firmware",
    ),
    (
        "GET",
        "/collections/M/firmware/I",
        "",
        404,
        "Unknown firmware",
    ),
    (
        "POST",
        "/collections",
        "[]",
        400,
        "The body is not a JSON object",
    ),
    ("POST", "/collections", "{", 400, "The body is not JSON"),
    ("POST", "/collections", "a=b", 400, "The body is not JSON"),
    (
        "POST",
        "/collections",
        r#"{"teamId": 7}"#,
        400,
        "teamId should be a string",
    ),
    (
        "POST",
        "/collections",
        r#"{"teamId": "17dh0cf43jfgl8"}"#,
        404,
        "Unknown team",
    ),
    (
        "POST",
        "/collections",
        r#"{"tags": []}"#,
        400,
        "tags should be an object",
    ),
    (
        "POST",
        "/collections",
        r#"{"tags": {"a": 1}}"#,
        400,
        "a should be a string",
    ),
    (
        "POST",
        "/collections",
        r#"{"tags": {" ": "x"}}"#,
        400,
        "Tag names can't be blank",
    ),
    (
        "POST",
        "/collections",
        r#"{"firmware": 1}"#,
        400,
        "firmware should be an object",
    ),
    (
        "POST",
        "/collections",
        r#"{"fieldMask": {"imsi": 1}}"#,
        400,
        "imsi should be a boolean",
    ),
    (
        "POST",
        "/collections",
        r#"{"firmware": {"management": "all"}}"#,
        400,
        "Unknown firmware management setting",
    ),
    (
        "PATCH",
        "/collections/C",
        r#"{"firmware": {"management": "Device"}}"#,
        400,
        "Unknown firmware management setting",
    ),
    (
        "PATCH",
        "/collections/C",
        r#"{"firmware": {"targetFirmwareId": "xyz"}}"#,
        400,
        "Invalid target firmware ID",
    ),
    (
        "PATCH",
        "/collections/C",
        r#"{"firmware": {"targetFirmwareId": ""}}"#,
        400,
        "Invalid target firmware ID",
    ),
    (
        "PATCH",
        "/collections/C",
        r#"{"firmware": {"currentFirmwareId": "xyz"}}"#,
        400,
        "Invalid current firmware ID",
    ),
    (
        "PATCH",
        "/collections/C",
        r#"{"firmware": {"targetFirmwareId": "17dh0cf43jfgl8"}}"#,
        400,
        "Unknown firmware ID",
    ),
    (
        "PATCH",
        "/collections/C",
        r#"{"firmware": {"currentFirmwareId": "17dh0cf43jfgl8"}}"#,
        400,
        "Unknown firmware ID",
    ),
    (
        "PATCH",
        "/collections/M",
        r#"{"firmware": {"targetFirmwareId": "I"}}"#,
        400,
        "Unknown firmware ID",
    ),
    (
        "DELETE",
        "/collections/C",
        "",
        409,
        "The collection still has devices or firmware",
    ),
    (
        "POST",
        "/collections/C/devices",
        "",
        400,
        "Missing IMSI/IMEI on device",
    ),
    (
        "POST",
        "/collections/C/devices",
        "{}",
        400,
        "Missing IMSI/IMEI on device",
    ),
    (
        "POST",
        "/collections/C/devices",
        r#"{"imsi": "5"}"#,
        400,
        "Missing IMSI/IMEI on device",
    ),
    (
        "POST",
        "/collections/C/devices",
        r#"{"imei": "5"}"#,
        400,
        "Missing IMSI/IMEI on device",
    ),
    (
        "POST",
        "/collections/C/devices",
        r#"{"imsi": "5", "imei": null}"#,
        400,
        "Missing IMSI/IMEI on device",
    ),
    (
        "POST",
        "/collections/C/devices",
        r#"{"imsi": "x", "imei": "5"}"#,
        400,
        "Invalid IMSI/IMEI on device",
    ),
    (
        "POST",
        "/collections/C/devices",
        r#"{"imsi": "-5", "imei": "5"}"#,
        400,
        "Invalid IMSI/IMEI on device",
    ),
    (
        "POST",
        "/collections/C/devices",
        r#"{"imsi": "0", "imei": "5"}"#,
        400,
        "Invalid IMSI/IMEI on device",
    ),
    (
        "POST",
        "/collections/C/devices",
        r#"{"imsi": 5, "imei": "5"}"#,
        400,
        "imsi should be a string",
    ),
    (
        "POST",
        "/collections/M/devices",
        r#"{"imsi": "1000001", "imei": "5"}"#,
        409,
        "IMSI/IMEI is already in use by another device",
    ),
    (
        "PATCH",
        "/collections/C/devices/D",
        r#"{"imei": "x"}"#,
        400,
        "Invalid IMSI/IMEI on device",
    ),
    (
        "PATCH",
        "/collections/C/devices/D",
        r#"{"imsi": "1000002"}"#,
        409,
        "IMSI/IMEI is already in use by another device",
    ),
    (
        "PATCH",
        "/collections/C/devices/D",
        r#"{"collectionId": "xyz"}"#,
        400,
        "Invalid collection ID",
    ),
    (
        "PATCH",
        "/collections/C/devices/D",
        r#"{"collectionId": "17dh0cf43jfgl8"}"#,
        404,
        "Unknown collection",
    ),
    (
        "PATCH",
        "/collections/C/devices/D",
        r#"{"firmware": {"targetFirmwareId": "17dh0cf43jfgl8"}}"#,
        404,
        "Unknown firmware ID",
    ),
    (
        "PATCH",
        "/collections/C/devices/D",
        r#"{"firmware": {"currentFirmwareId": "17dh0cf43jfgl8"}}"#,
        404,
        "Unknown firmware ID",
    ),
    (
        "PATCH",
        "/collections/C/devices/D",
        r#"{"firmware": {"targetFirmwareId": "xyz"}}"#,
        400,
        "Invalid target firmware ID",
    ),
    (
        "PATCH",
        "/collections/M/devices/E",
        r#"{"firmware": {"targetFirmwareId": "0"}}"#,
        400,
        "Firmware is managed by the collection",
    ),
    (
        "PATCH",
        "/collections/C/firmware/I",
        "{}",
        400,
        "Nothing to update",
    ),
    (
        "PATCH",
        "/collections/C/firmware/I",
        r#"{"version": null}"#,
        400,
        "Nothing to update",
    ),
    (
        "PATCH",
        "/collections/C/firmware/I",
        r#"{"version": "  "}"#,
        400,
        "Version can't be blank",
    ),
    (
        "PATCH",
        "/collections/C/firmware/I",
        r#"{"filename": "x"}"#,
        400,
        "Only version and tags can be modified for firmware images",
    ),
    (
        "PATCH",
        "/collections/C/firmware/I",
        r#"{"version": "3", "sha256": "x"}"#,
        400,
        "Only version and tags can be modified for firmware images",
    ),
    (
        "PATCH",
        "/collections/C/firmware/I",
        r#"{"length": 1}"#,
        400,
        "Only version and tags can be modified for firmware images",
    ),
    (
        "POST",
        "/collections/C/firmware",
        "",
        400,
        "Image buffer required",
    ),
    (
        "POST",
        "/collections/C/firmware",
        r#"{"image": "", "filename": "x"}"#,
        400,
        "Image buffer required",
    ),
    (
        "POST",
        "/collections/C/firmware",
        r#"{"image": "!", "filename": "x"}"#,
        400,
        "Unable to read firmware image",
    ),
    (
        "POST",
        "/collections/C/firmware",
        r#"{"image": "aGVsbG8="}"#,
        400,
        "Filename required",
    ),
    (
        "PATCH",
        "/collections/C/tags/a",
        "{}",
        400,
        "Missing tag value",
    ),
    ("GET", "/collections/C/tags/a", "", 404, "Unknown tag"),
    ("DELETE", "/collections/C/tags/a", "", 404, "Unknown tag"),
    ("GET", "/teams", "", 404, "Not found"),
    (
        "GET",
        "/collections/C/firmware/I/usage/1",
        "",
        404,
        "Not found",
    ),
    ("GET", "/span/collections", "", 404, "Not found"),
    ("PUT", "/collections/C", "{}", 405, "Method not allowed"),
    (
        "PATCH",
        "/collections/C/firmware/I/usage",
        "{}",
        405,
        "Method not allowed",
    ),
    (
        "GET",
        "/collections/C/devices/D/fwerror",
        "",
        405,
        "Method not allowed",
    ),
    ("GET", "/tokens", "", 403, "Access denied"),
    ("POST", "/tokens", "{}", 403, "Access denied"),
];

#[tokio::test(start_paused = true)]
async fn bad_input_gets_the_contracts_code_and_text() {
    let horde = Horde::new().await;
    let collection = horde.collection("device").await;
    let device = horde.device(&collection, 1).await;
    let image = horde.image(&collection, "1.0", b"one").await;
    let managed = horde.collection("collection").await;
    let other = horde.device(&managed, 2).await;
    let before = horde.get("/collections").await;
    let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let names = [
        ("C", last(&collection)),
        ("D", last(&device)),
        ("I", image),
        ("M", last(&managed)),
        ("E", last(&other)),
    ];
    assert!(TABLE.len() >= 60);
    for (method, path, body, status, message) in TABLE {
        let mut path = (*path).to_owned();
        let mut body = (*body).to_owned();
        for (name, id) in &names {
            path = path
                .split('/')
                .map(|it| if it == *name { id.as_str() } else { it })
                .collect::<Vec<_>>()
                .join("/");
            body = body.replace(&format!("\"{name}\""), &format!("\"{id}\""));
        }
        let method: Method = method.parse().expect("a method");
        let token = horde.world.running.context()["HORDETOKEN"].clone();
        let token = token.as_str().expect("a token");
        let answer = horde.ask_as(token, method.clone(), &path, &body).await;
        assert_eq!(
            answer.status, *status,
            "{method} {path} {body}: {}",
            answer.text
        );
        refused(&answer, *status, message);
    }
    assert_eq!(
        horde.get("/collections").await,
        before,
        "nothing was changed by any of it"
    );
}

#[tokio::test(start_paused = true)]
async fn forms_without_an_image_are_refused() {
    let horde = Horde::new().await;
    let collection = horde.collection("device").await;
    let path = format!("/horde{collection}/firmware");
    for parts in [
        vec![],
        vec![("image", None, &b"text"[..])],
        vec![("other", Some("a.bin"), &b"bytes"[..])],
        vec![("image", Some("a.bin"), &b""[..])],
    ] {
        let answer = horde.send_form(&path, form(&parts)).await;
        refused(&answer, 400, "Image buffer required");
    }
    let (boundary, mut body) = form(&[("image", Some("a.bin"), b"bytes")]);
    body.truncate(body.len() - 40);
    let answer = horde.send_form(&path, (boundary, body)).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    assert_eq!(
        horde.get(&format!("{collection}/firmware")).await,
        json!({"images": []})
    );
}

#[tokio::test(start_paused = true)]
async fn tokens_open_what_they_say() {
    let horde = Horde::new().await;
    let collection = horde.collection("device").await;
    let device = horde.device(&collection, 1).await;
    let body = json!({
        "hordeToken": "all",
        "hordeTokens": [
            {"token": "reader", "write": false},
            {"token": "system", "resource": "/system"},
        ],
    });
    let put = horde
        .world
        .admin(Method::PUT, "/accounts/default", &body)
        .await;
    assert_eq!(put.status, 200, "{}", put.text);
    assert!(!put.text.contains("reader"), "{}", put.text);
    let ask =
        async |token: &str, method: Method, path: &str| horde.ask_as(token, method, path, "").await;
    for (token, method, path, status, message) in [
        ("reader", Method::POST, "/collections", 403, "Access denied"),
        (
            "reader",
            Method::PATCH,
            collection.as_str(),
            403,
            "Access denied",
        ),
        ("reader", Method::DELETE, &device, 403, "Access denied"),
        ("system", Method::GET, "/collections", 403, "Access denied"),
        ("system", Method::GET, "/", 403, "Access denied"),
        ("nobody", Method::GET, "/", 401, "Unknown API token"),
        ("", Method::GET, "/collections", 401, "Must authenticate"),
        ("  ", Method::GET, "/system", 401, "Must authenticate"),
        ("all", Method::GET, "/tokens/reader", 403, "Access denied"),
    ] {
        refused(&ask(token, method, path).await, status, message);
    }
    for (token, path) in [
        ("reader", "/collections"),
        ("reader", "/"),
        ("system", "/system"),
        ("all", &device),
        (" all\t", "/collections"),
    ] {
        assert_eq!(
            ask(token, Method::GET, path).await.status,
            200,
            "{token} {path}"
        );
    }
    let answer = horde
        .world
        .request(Method::GET, "/horde/", &[], String::new())
        .await;
    refused(&answer, 401, "Must authenticate");
}
