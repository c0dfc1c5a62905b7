//! OTAs as both pages of the documentation show them, and what devices ask.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use fotalab_server::Memory;
use fotalab_wire::net::{InMemory, Network, http::send};
use http::{Request, Version};
use md5::{Digest as _, Md5};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{Iotaap, text};

const FIRMWARE: &[u8] = b"\xe9 compiled by PlatformIO";

async fn as_its_page_shows(scoped: &str, all: &str) {
    let iotaap = Iotaap::new().await;
    let of = iotaap.make(all).await;
    let list = format!("/ota/{scoped}");
    let nothing = json!({"otas": [], "recordsTotal": 0, "recordsFiltered": 0});
    assert_eq!(iotaap.get(&list).await, nothing);
    iotaap.deploy(scoped, &of, "1.2.7", FIRMWARE).await;
    let shown = iotaap.get(&format!("{list}?draw=warp")).await;
    let (id, token) = (text(&of["_id"]), text(&of["token"]));
    let ota = json!({
        "_id": shown["otas"][0]["_id"],
        scoped: id,
        "__v": 0,
        "last_updated": "2023-11-14T22:13:20.000Z",
        "owner": of["owner"],
        "path": format!("ota/{scoped}/{id}{token}/firmware.bin"),
        "version": "1.2.7",
    });
    let expected = json!({"otas": [ota], "recordsTotal": 1, "recordsFiltered": 1, "draw": "warp"});
    assert_eq!(
        shown.to_string(),
        expected.to_string(),
        "in this order, too"
    );
    sleep(Duration::from_secs(1)).await;
    // The same version again is fine, and so is one that is none.
    iotaap.deploy(scoped, &of, "1.2.7", FIRMWARE).await;
    iotaap.deploy(scoped, &of, "not semantic", b"another").await;
    let again = iotaap.get(&list).await;
    assert_eq!(again["recordsTotal"], 1);
    let again = &again["otas"][0];
    assert_eq!(again["_id"], ota["_id"], "it keeps its id");
    assert_eq!(again["last_updated"], "2023-11-14T22:13:21.000Z");
    assert_eq!(again["version"], "not semantic");
}

#[tokio::test(start_paused = true)]
async fn of_a_device() {
    as_its_page_shows("device", "devices").await;
}

#[tokio::test(start_paused = true)]
async fn of_a_group() {
    as_its_page_shows("group", "groups").await;
}

#[tokio::test(start_paused = true)]
async fn lists_are_paged_searched_and_ordered() {
    let iotaap = Iotaap::new().await;
    let mut ids = Vec::new();
    for at in 0..5 {
        let device = iotaap.make("devices").await;
        iotaap
            .deploy("device", &device, &format!("1.0.{at}"), FIRMWARE)
            .await;
        sleep(Duration::from_secs(1)).await;
        ids.push(text(&device["_id"]).to_owned());
    }
    let upper = ids[3].to_uppercase();
    for (query, expected, filtered) in [
        ("", vec![0, 1, 2, 3, 4], 5),
        ("order_dir=asc", vec![0, 1, 2, 3, 4], 5),
        ("order_dir=desc", vec![4, 3, 2, 1, 0], 5),
        ("order_dir=sideways", vec![0, 1, 2, 3, 4], 5),
        ("limit=2", vec![0, 1], 5),
        ("offset=3", vec![3, 4], 5),
        ("offset=1&limit=2&order_dir=desc", vec![3, 2], 5),
        ("offset=9", vec![], 5),
        ("limit=0", vec![0, 1, 2, 3, 4], 5),
        ("limit=x&offset=-1", vec![0, 1, 2, 3, 4], 5),
        ("search_value=firmware.bin", vec![0, 1, 2, 3, 4], 5),
        ("search_value=.*", vec![], 0),
        (&format!("search_value={upper}"), vec![3], 1),
        ("search_value=OTA/device&limit=1&offset=4", vec![4], 5),
    ] {
        let shown = iotaap.get(&format!("/ota/device?{query}")).await;
        let devices: Vec<&str> = shown["otas"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|it| text(&it["device"]))
            .collect();
        let expected: Vec<&str> = expected
            .into_iter()
            .map(|at: usize| ids[at].as_str())
            .collect();
        assert_eq!(devices, expected, "{query}");
        assert_eq!(shown["recordsTotal"], 5, "{query}");
        assert_eq!(shown["recordsFiltered"], filtered, "{query}");
        assert!(shown.get("draw").is_none(), "{query}");
    }
    let named = iotaap.get("/devices?limit=1&offset=2&draw=%C3%BC").await;
    assert_eq!(named["devices"][0]["_id"], ids[2].as_str());
    assert_eq!(named["draw"], "ü");
    assert_eq!(
        (&named["recordsTotal"], &named["recordsFiltered"]),
        (&json!(5), &json!(5))
    );
}

#[tokio::test(start_paused = true)]
async fn a_device_asks_and_downloads_without_a_token() {
    let iotaap = Iotaap::new().await;
    for (scoped, all, missing) in [
        ("device", "devices", "No such device"),
        ("group", "groups", "No such group"),
    ] {
        let of = iotaap.make(all).await;
        let (id, token) = (text(&of["_id"]), text(&of["token"]));
        let latest = format!("/ota/{scoped}/latest/{id}");
        let download = format!("/ota/{scoped}/download/{id}{token}");
        for path in [
            &latest,
            &download,
            &format!("/ota/{scoped}/latest/5e1b57808711f904f5df4bad"),
            &format!("/ota/{scoped}/download/x"),
        ] {
            let answer = iotaap.bare(path).await;
            assert_eq!(answer.status, 404, "{path}");
            assert_eq!(answer.json()["message"], missing);
            assert!(answer.json()["error"].is_string());
        }
        iotaap.deploy(scoped, &of, "1.0.1", FIRMWARE).await;
        let answer = iotaap.bare(&latest).await;
        assert_eq!(
            (answer.status, answer.text.as_str()),
            (200, "{\"ver\":\"1.0.1\"}")
        );
        let wrong = format!("/ota/{scoped}/download/{id}{}", token.to_lowercase() + "x");
        assert_eq!(iotaap.bare(&wrong).await.status, 404);
        let other = if scoped == "device" {
            "group"
        } else {
            "device"
        };
        assert_eq!(
            iotaap
                .bare(&format!("/ota/{other}/latest/{id}"))
                .await
                .status,
            404
        );
        let address = iotaap.world.running.address();
        let request = Request::get(format!("http://{address}/iotaap/v1{download}"))
            .version(Version::HTTP_10)
            .header("user-agent", "ESP32-http-Update")
            .header("x-esp32-mode", "sketch")
            .body(Bytes::new())
            .expect("a request");
        let answer = send(&*iotaap.network, request, 1 << 20)
            .await
            .expect("an answer");
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.version(), Version::HTTP_10);
        let header = |name: &str| answer.headers().get(name).and_then(|it| it.to_str().ok());
        assert_eq!(
            header("content-length"),
            Some(FIRMWARE.len().to_string().as_str())
        );
        assert_eq!(header("transfer-encoding"), None);
        let md5: String = Md5::digest(FIRMWARE)
            .iter()
            .map(|it| format!("{it:02x}"))
            .collect();
        assert_eq!(header("x-md5"), Some(md5.as_str()));
        assert_eq!(answer.body().as_ref(), FIRMWARE);
        if scoped == "device" {
            let device = iotaap.get(&format!("/devices/{id}")).await;
            assert_eq!(device["last_contact"], "2023-11-14T22:13:20.000Z");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn all_that_was_said_is_there_after_a_crash() {
    let network: Arc<dyn Network> = Arc::new(InMemory::new());
    let memory = Memory::default();
    let iotaap = Iotaap::keeping(&network, &memory).await;
    let account = json!({"email": "a@example.org", "password": "pw"});
    iotaap.account("second", account.clone()).await;
    let login = iotaap
        .ask(http::Method::POST, "/auth/login", account)
        .await
        .json();
    let (device, group) = (iotaap.make("devices").await, iotaap.make("groups").await);
    iotaap.deploy("device", &device, "1.0.1", FIRMWARE).await;
    iotaap.deploy("group", &group, "1.0.2", b"another").await;
    iotaap.join(&device, &group).await;
    let seen = async |iotaap: &Iotaap| {
        let mut all = Vec::new();
        for path in ["/devices", "/groups", "/ota/device", "/ota/group"] {
            all.push(iotaap.get(path).await);
        }
        all
    };
    let before = seen(&iotaap).await;
    let left = memory.crashed(0);
    drop(iotaap);

    let iotaap = Iotaap::keeping(&network, &left).await;
    assert_eq!(seen(&iotaap).await, before);
    let path = format!(
        "/ota/group/download/{}{}",
        text(&group["_id"]),
        text(&group["token"])
    );
    assert_eq!(iotaap.bare(&path).await.text, "another");
    let token = text(&login["token"]);
    let answer = iotaap
        .ask_as(token, http::Method::GET, "/devices", Value::Null)
        .await;
    assert_eq!(answer.status, 200, "a login outlives the server");
}
