//! Devices that somebody makes, finds, changes and deletes.

use super::*;

/// What the Python client sends, all fields always there.
pub(crate) fn made_by_python(id: &str) -> Value {
    json!({
        "domain": "/demo/", "id": null, "friendlyName": null, "description": null,
        "serialNumber": null, "oui": null, "modelName": null, "hardwareVersion": null,
        "softwareVersion": null, "productClass": null, "manufacturer": null, "ipAddress": null,
        "lastSessionTime": null, "lastContactTime": null, "lastRegisterTime": null,
        "firstRegisterTime": null, "creationTime": null, "securityMode": "nosec",
        "dtlsIdentity": null, "dtlsPsk": null, "connectorType": "management", "bootstrap": false,
        "directGroups": ["root.mt.demo.api-test"], "blacklisted": false, "managementEnabled": false,
        "properties": {"k": "v", "endpointName": id}
    })
}

#[tokio::test(start_paused = true)]
async fn a_device_is_made_changed_and_deleted() {
    let lab = Lab::new().await;
    let made = lab.post("/devices", Some(made_by_python("new"))).await;
    assert_eq!(made["id"], "new");
    assert!(made["result"].is_string());
    let twice = lab
        .ask(Method::POST, "/devices", Some(made_by_python("new")))
        .await;
    assert_eq!(
        (twice.status, twice.json()["code"].clone()),
        (409, json!(4090))
    );
    let entity = lab.get("/devices/new").await;
    assert_eq!(
        entity["properties"],
        json!({"endpointName": "new", "k": "v"})
    );
    assert_eq!(entity["firstRegisterTime"], Value::Null);
    assert!(
        entity["directGroups"]
            .as_array()
            .is_some_and(|it| it.contains(&json!(GROUP)))
    );
    let body = json!({
        "addProperties": {"a": "b"}, "removeProperties": ["k"], "addGroups": ["root.g"],
        "removeGroups": [GROUP], "blacklisted": false, "managementEnabled": true,
        "description": "in words", "friendlyName": null, "securityMode": null,
        "dtlsIdentity": null, "dtlsPsk": null
    });
    let changed = lab.ask(Method::PUT, "/devices/new", Some(body)).await;
    assert_eq!((changed.status, changed.text.as_str()), (204, ""));
    let entity = lab.get("/devices/new").await;
    assert_eq!(
        entity["properties"],
        json!({"endpointName": "new", "a": "b"})
    );
    assert_eq!(entity["description"], "in words");
    let groups = entity["directGroups"].as_array().expect("groups");
    assert!(groups.contains(&json!("root.g")) && !groups.contains(&json!(GROUP)));
    assert_eq!(
        lab.ask(Method::DELETE, "/devices/new", None).await.status,
        204
    );
    for method in [Method::GET, Method::DELETE] {
        let gone = lab.ask(method, "/devices/new", None).await;
        let expected = json!({"message": "Device not found.", "code": 4040});
        assert_eq!((gone.status, gone.json()), (404, expected));
    }
}

#[tokio::test(start_paused = true)]
async fn devices_are_found_by_criteria_and_page_by_page() {
    let lab = Lab::new().await;
    for number in 0..5 {
        let mut body = made_by_python(&format!("d-{number}"));
        body["managementEnabled"] = json!(number % 2 == 0);
        lab.post("/devices", Some(body)).await;
    }
    let find = "/devices/find/details";
    let all = lab.get(&format!("{find}?fieldSelection=&limit=100")).await;
    // The one of the world's own account is the default account's as well.
    assert_eq!(all["devices"].as_array().map(Vec::len), Some(6));
    assert_eq!(all["nextPageBookmark"], Value::Null);
    let some = lab
        .get(&format!(
            "{find}?searchCriteria=id+startswith+%27d-%27&fieldSelection=domain%2Cid&limit=2"
        ))
        .await;
    let pair = |id: &str| json!({"domain": "/demo/", "id": id});
    assert_eq!(some["devices"], json!([pair("d-0"), pair("d-1")]));
    let mut bookmark = some["nextPageBookmark"].as_str().expect("more").to_owned();
    let mut found = 2;
    for _ in 0..2 {
        let page = lab
            .get(&format!(
                "{find}?searchCriteria=id+startswith+%27d-%27&limit=2&pageBookmark={bookmark}"
            ))
            .await;
        found += page["devices"].as_array().map_or(0, Vec::len);
        bookmark = page["nextPageBookmark"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
    }
    assert_eq!((found, bookmark.as_str()), (5, ""));
    let by_name = "?searchCriteria=properties.endpointName+eq+%27d-3%27&fieldSelection=id&limit=1";
    let one = lab.get(&format!("{find}{by_name}")).await;
    assert_eq!(one["devices"], json!([{"id": "d-3"}]));
    let managed = lab
        .get(&format!(
            "{find}?searchCriteria=managementEnabled%20eq%20true"
        ))
        .await;
    assert_eq!(managed["devices"].as_array().map(Vec::len), Some(4));
    assert_eq!(
        lab.get(&format!("{find}?limit=0")).await["devices"],
        json!([])
    );
}

#[tokio::test(start_paused = true)]
async fn keys_are_taken_in_every_form() {
    let lab = Lab::new().await;
    for (id, form, hex) in [
        (
            "hex",
            json!({"HexadecimalPsk": "0123456789ABCDEF"}),
            Some("0123456789ABCDEF"),
        ),
        ("text", json!({"PlainTextPsk": "abc"}), Some("616263")),
        ("bytes", json!({"BinaryPsk": [1, 255, -1]}), Some("01ffff")),
        ("external", json!({"ExternalPsk": {}}), None),
        ("global", json!({"GlobalPsk": {}}), None),
    ] {
        let mut body = made_by_python(id);
        body["securityMode"] = json!("psk");
        body["dtlsPsk"] = form;
        lab.post("/devices", Some(body)).await;
        let shown = lab.get(&format!("/devices/{id}")).await["dtlsPsk"].clone();
        assert_eq!(
            shown,
            hex.map_or(Value::Null, |it| json!({"HexadecimalPsk": it}))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_on_the_black_list_may_not_register() {
    let lab = Lab::new().await;
    let mut body = made_by_python(DEVICE);
    body["blacklisted"] = json!(true);
    lab.post("/devices", Some(body)).await;
    let device = Device::new(&lab.network, lab.clock, lab.coap);
    let (code, _) = device.register(&format!("ep={DEVICE}&lwm2m=1.1")).await;
    assert_eq!(code, Code::FORBIDDEN);
    let free = json!({"blacklisted": false});
    let answer = lab
        .ask(Method::PUT, &format!("/devices/{DEVICE}"), Some(free))
        .await;
    assert_eq!(answer.status, 204);
    let (code, _) = device.register(&format!("ep={DEVICE}&lwm2m=1.1")).await;
    assert_eq!(code, Code::CREATED);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_device_ends_what_was_to_be_done_on_it() {
    let lab = Lab::new().await;
    let device = lab.device(DEVICE).await;
    lab.join(DEVICE, GROUP).await;
    lab.resource(&image_of(5_000)).await;
    let task = lab.on_group(GROUP, &how_to::HOW_TO).await;
    device.uplink().await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(device.count("PUT /5/0/1"), 1);
    let path = format!("/devices/{DEVICE}");
    assert_eq!(lab.ask(Method::DELETE, &path, None).await.status, 204);
    let report = lab.report(&task, DEVICE).await;
    assert_eq!(report["summary"], "The device was deleted");
    device.uplink().await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(device.count("POST /5/0/2"), 0);
    let summary = lab.summary(&task).await;
    assert_eq!(
        (&summary["failures"], &summary["notCompleted"]),
        (&json!(1), &json!(0))
    );
}
