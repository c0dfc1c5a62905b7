//! Requests that are wrong: the contract's code and shape, and nothing changed.

use super::*;

#[tokio::test(start_paused = true)]
async fn each_is_refused_in_the_apis_shape_and_changes_nothing() {
    let lab = Lab::new().await;
    let device = lab.device(DEVICE).await;
    lab.join(DEVICE, GROUP).await;
    lab.post("/groups", Some(json!({"id": GROUP, "description": null})))
        .await;
    lab.resource(&image_of(3_000)).await;
    let task = lab.template(DEVICE, &how_to::HOW_TO).await;
    sleep(Duration::from_secs(5)).await;
    let before = lab.everything(&[&task]).await;
    let got = device.got();
    let mut count = 0;
    for (method, path, body, status, code) in requests(&task) {
        let headers = [("authorization", format!("Bearer {}", lab.token))];
        let path = format!("{BASE}{path}");
        let answer = lab
            .world
            .request(method.clone(), &path, &headers, body.clone())
            .await;
        let place = format!("{method} {path} {body}: {}", answer.text);
        assert_eq!(answer.status, status, "{place}");
        let refusal = answer.json();
        let members: Vec<&String> = refusal.as_object().expect("an object").keys().collect();
        assert_eq!(members, ["message", "code"], "{place}");
        assert_eq!(refusal["code"], code, "{place}");
        assert!(
            refusal["message"].as_str().is_some_and(|it| !it.is_empty()),
            "{place}"
        );
        assert_eq!(answer.header("content-type"), "application/json");
        count += 1;
    }
    assert!(count >= 60, "{count}");
    assert_eq!(lab.everything(&[&task]).await, before);
    assert_eq!(device.got(), got);
}

type Wrong = (Method, String, String, u16, u16);

fn requests(task: &str) -> Vec<Wrong> {
    let mut all: Vec<Wrong> = Vec::new();
    let mut add = |method: &Method, path: &str, body: Value, status: u16, digit: u16| {
        let body = match body {
            Value::Null => String::new(),
            Value::String(text) => text,
            body => body.to_string(),
        };
        all.push((
            method.clone(),
            path.to_owned(),
            body,
            status,
            status * 10 + digit,
        ));
    };
    let (get, post, put, delete) = (Method::GET, Method::POST, Method::PUT, Method::DELETE);
    let none = Value::Null;
    let device = |change: &str, value: Value| {
        let mut body = devices::made_by_python("another");
        if let Some((outer, inner)) = change.split_once('.') {
            body[outer][inner] = value;
        } else {
            body[change] = value;
        }
        body
    };
    // Bodies that are none.
    for path in ["/devices", "/groups", "/resources"] {
        add(&post, path, none.clone(), 400, 0);
        add(&post, path, json!("{"), 400, 0);
        add(&post, path, json!([]), 400, 0);
        add(&post, path, json!("\u{fe}"), 400, 0);
    }
    // Devices.
    for (change, value) in [
        ("domain", json!(null)),
        ("domain", json!("demo")),
        ("domain", json!("/")),
        ("domain", json!(7)),
        ("connectorType", json!("telepathy")),
        ("connectorType", json!(null)),
        ("securityMode", json!("strong")),
        ("securityMode", json!(null)),
        ("dtlsPsk", json!({"HexadecimalPsk": "123"})),
        ("dtlsPsk", json!({"HexadecimalPsk": "xx"})),
        ("dtlsPsk", json!({"HexadecimalPsk": ""})),
        ("dtlsPsk", json!({"Psk": "00"})),
        ("dtlsPsk", json!("00")),
        ("dtlsPsk", json!({"BinaryPsk": [300]})),
        ("properties", json!({"a": 1})),
        ("properties", json!({})),
        ("properties.endpointName", json!("x".repeat(151))),
        ("properties.endpointName", json!("")),
        ("properties.endpointName", json!("a\nb")),
        ("directGroups", json!(["demo"])),
        ("directGroups", json!("root.a")),
        ("directGroups", json!([["root.a"]])),
        ("blacklisted", json!("no")),
        ("bootstrap", json!(0)),
        ("friendlyName", json!("x".repeat(300))),
    ] {
        add(&post, "/devices", device(change, value), 400, 0);
    }
    add(
        &post,
        "/devices",
        device("properties.endpointName", json!(DEVICE)),
        409,
        0,
    );
    add(&get, "/devices/unknown", none.clone(), 404, 0);
    add(&put, "/devices/unknown", json!({}), 404, 0);
    add(&delete, "/devices/unknown", none.clone(), 404, 0);
    add(&Method::PATCH, "/devices/unknown", none.clone(), 405, 0);
    for change in [
        json!({"addGroups": ["no group"]}),
        json!({"addGroups": "root.a"}),
        json!({"addProperties": []}),
        json!({"removeProperties": {}}),
        json!({"securityMode": "strong"}),
        json!({"dtlsPsk": {"HexadecimalPsk": "0"}}),
        json!({"blacklisted": 1}),
        json!([]),
    ] {
        add(&put, &format!("/devices/{DEVICE}"), change, 400, 0);
    }
    for (query, digit) in [
        ("limit=1001", 1),
        ("limit=-1", 1),
        ("limit=many", 1),
        ("pageBookmark=%21", 0),
        ("searchCriteria=id", 0),
        ("searchCriteria=id+like+%27x%27", 0),
        ("searchCriteria=id+eq+x", 0),
        ("searchCriteria=id+eq+%27x", 0),
    ] {
        add(
            &get,
            &format!("/devices/find/details?{query}"),
            none.clone(),
            400,
            digit,
        );
    }
    add(&get, "/devices/%zz", none.clone(), 400, 0);
    add(&get, "/devices/%ff", none.clone(), 400, 0);
    // Groups.
    for id in [
        json!("demo"),
        json!("root..a"),
        json!(""),
        json!(null),
        json!(5),
    ] {
        add(&post, "/groups", json!({"id": id}), 400, 0);
    }
    add(&get, "/groups/demo", none.clone(), 400, 0);
    add(&get, "/groups/root.unknown", none.clone(), 404, 0);
    add(&delete, "/groups/root.unknown", none.clone(), 404, 0);
    // Resources.
    let resource = |change: &str, value: Value| {
        let mut body = json!({
            "name": "r", "domain": "/demo/", "category": "FIRMWARE", "expirationTime": "ONE_DAY",
            "location": {"InternalLocation": {"fileName": "f"}}
        });
        body[change] = value;
        body
    };
    for (change, value) in [
        ("name", json!(null)),
        ("domain", json!("demo")),
        ("category", json!("HARDWARE")),
        ("category", json!(null)),
        ("expirationTime", json!("ONE_YEAR")),
        ("expirationTime", json!(null)),
        ("location", json!(null)),
        ("location", json!({})),
        ("location", json!({"InternalLocation": {}})),
        (
            "location",
            json!({"ExternalLocation": {"fileUrl": "ftp://x/y"}}),
        ),
        ("location", json!({"Nowhere": {"fileName": "f"}})),
        (
            "directGroups",
            json!([{"RawDirectGroup": {"value": "demo"}}]),
        ),
        (
            "directGroups",
            json!([{"DeviceDirectGroup": {"model": "m"}}]),
        ),
        ("directGroups", json!({})),
        ("properties", json!({"a": []})),
        ("visibleForSubtenants", json!("yes")),
        ("id", json!("")),
    ] {
        add(&post, "/resources", resource(change, value), 400, 0);
    }
    add(&post, "/resources", resource("id", json!(RESOURCE)), 409, 0);
    add(&put, "/resources/unknown/data", json!("bytes"), 404, 0);
    add(
        &put,
        &format!("/resources/{RESOURCE}/data"),
        none.clone(),
        400,
        0,
    );
    let url = format!("/resources/{RESOURCE}/downloadUrl");
    add(&post, &url, json!({"protocol": "FTP"}), 400, 0);
    add(&post, &url, json!({}), 400, 0);
    add(&post, &url, json!({"protocol": "COAP_TLS"}), 409, 0);
    add(
        &post,
        "/resources/unknown/downloadUrl",
        json!({"protocol": "HTTP"}),
        404,
        0,
    );
    // Tasks.
    let configure = format!("/tasks/configure/{DEVICE}");
    let task_of =
        |operations: Value| json!({"taskDefinition": {"name": "n", "operations": operations}});
    for body in [
        json!({}),
        json!({"taskDefinition": []}),
        json!({"taskDefinition": {"name": "n"}}),
        json!({"taskDefinition": {"operations": [{"read": {"key": "Device.0.Reboot"}}]}}),
        task_of(json!([])),
        task_of(json!({})),
        task_of(json!([{"read": {}}])),
        task_of(json!([{"read": "Device.0.Reboot"}])),
        task_of(json!([{"peek": {"key": "k"}}])),
        task_of(json!([{"read": {"key": "a"}, "write": {"key": "a"}}])),
        task_of(json!([{"write": {"key": "Device.0.Timezone"}}])),
        task_of(json!([{"write": {"key": "Device.0.Timezone", "value": {}}}])),
        task_of(json!([{"execute": {"key": "k", "argumentList": [{"digit": 10}]}}])),
        task_of(json!([{"execute": {"key": "k", "argumentList": [{"digit": "x"}]}}])),
        task_of(
            json!([{"execute": {"key": "k", "argumentList": [{"digit": 1, "argument": "a'b"}]}}]),
        ),
        task_of(json!([{"execute": {"key": "k", "argumentList": "0"}}])),
        json!({"taskDefinition": {"name": "n", "executeImmediately": "True", "operations": [{"read": {"key": "k"}}]}}),
    ] {
        add(&post, &configure, body, 400, 0);
    }
    let read = task_of(json!([{"read": {"key": "Device.0.Manufacturer"}}]));
    add(&post, "/tasks/configure/unknown", read.clone(), 404, 0);
    add(
        &post,
        &format!("{configure}?rerunIfExists=perhaps"),
        read,
        400,
        0,
    );
    let upgrade = format!("/tasks/upgrade/{DEVICE}/{RESOURCE}");
    for query in [
        "transferMethod=Throw",
        "transferMethod=TransferProtocol.Pull",
        "timeout=20",
        "timeout=0s",
        "timeout=soon",
        "useQuota=1",
        "upgradeStrategy=WithObservations",
        "blocking=maybe",
        "useCacheForInitialStateRead=",
        "checkDeliveryAndProtocol=on",
        "resumeAfterDownlinkFailure=2",
        "useObservation=null",
        "extendLifetime=x",
        "executeImmediately=now",
    ] {
        add(&post, &format!("{upgrade}?{query}"), none.clone(), 400, 0);
    }
    add(
        &post,
        &format!("/tasks/upgrade/{DEVICE}/unknown"),
        none.clone(),
        404,
        0,
    );
    add(
        &post,
        &format!("/tasks/upgrade/unknown/{RESOURCE}"),
        none.clone(),
        404,
        0,
    );
    add(
        &post,
        &format!("/tasks/upgrade/{DEVICE}"),
        none.clone(),
        405,
        0,
    );
    for method in [&get, &delete] {
        add(method, "/tasks/d%3Aunknown%3A1", none.clone(), 404, 0);
    }
    add(&get, "/tasks?searchCriteria=x", none.clone(), 400, 0);
    // Templates.
    let on_device = format!("/tasksFromTemplates/device/{DEVICE}?executeImmediately=False");
    let on_group = format!("/tasksFromTemplates/group/{GROUP}");
    for path in [&on_device, &on_group] {
        for body in [
            json!({}),
            json!("Lwm2mFirmwareUpdate"),
            json!({"templateName": "Lwm2mFirmwareUpdate", "config": []}),
            json!({"templateName": "Lwm2mFirmwareUpdate", "config": {"parameters": {}}}),
            json!({"templateName": "Lwm2mFirmwareUpdate", "config": {"parameters": [{"name": "a"}]}}),
            json!({"templateName": "Lwm2mFirmwareUpdate", "config": {"parameters": [7]}}),
            json!({"templateName": "Lwm2mFirmwareUpdate", "config": {"isActive": "yes"}}),
        ] {
            add(&post, path, body, 400, 0);
        }
        add(
            &post,
            path,
            json!({"templateName": "FactoryReset", "config": {}}),
            404,
            0,
        );
    }
    let good = json!({"templateName": "Lwm2mFirmwareUpdate"});
    add(
        &post,
        "/tasksFromTemplates/device/unknown",
        good.clone(),
        404,
        0,
    );
    add(
        &post,
        "/tasksFromTemplates/group/root.unknown",
        good.clone(),
        404,
        0,
    );
    add(&post, "/tasksFromTemplates/group/demo", good, 400, 0);
    // Reports.
    add(
        &get,
        &format!("/taskReports/{task}/{DEVICE}"),
        none.clone(),
        404,
        1,
    );
    add(
        &get,
        &format!("/taskReports/{task}/unknown"),
        none.clone(),
        404,
        0,
    );
    add(
        &get,
        &format!("/taskReports/d%3Aunknown%3A1/{DEVICE}"),
        none.clone(),
        404,
        0,
    );
    add(&get, "/taskReports/summary", none.clone(), 400, 0);
    add(
        &get,
        "/taskReports/summary?taskId=g%3Aunknown%3A1",
        none.clone(),
        404,
        0,
    );
    add(
        &get,
        "/taskReports?searchCriteria=status",
        none.clone(),
        400,
        0,
    );
    add(
        &get,
        "/taskReports/findReports?searchCriteria=status",
        none.clone(),
        400,
        0,
    );
    for query in ["", "?cursor=x&count=1", "?cursor=1", "?cursor=1&count=x"] {
        add(
            &get,
            &format!("/taskReports/moreReports{query}"),
            none.clone(),
            400,
            0,
        );
    }
    add(
        &get,
        "/taskReports/moreReports?cursor=999&count=1",
        none.clone(),
        404,
        0,
    );
    add(
        &get,
        "/taskReports/moreReports?cursor=1&count=0",
        none.clone(),
        400,
        1,
    );
    // The rest.
    add(&get, "/cachedDataModels/unknown", none.clone(), 404, 0);
    add(&post, "/sessions/unknown", none.clone(), 404, 0);
    add(
        &post,
        &format!("/sessions/{DEVICE}?taskId=d%3Aunknown%3A1"),
        none.clone(),
        404,
        0,
    );
    add(&get, &format!("/sessions/{DEVICE}"), none.clone(), 405, 0);
    add(&get, "/nothing", none.clone(), 404, 0);
    add(&get, "", none.clone(), 404, 0);
    all
}
