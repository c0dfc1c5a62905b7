//! Where the how-to or its client behaves oddly (contract 0 and 1): what is sent is taken, and what
//! is answered can be read.

use super::*;

#[tokio::test(start_paused = true)]
async fn t1_t2_enums_with_their_class_and_pythons_booleans() {
    let lab = Lab::new().await;
    let device = lab
        .device_with(DEVICE, "&lt=300", |device| {
            device.script().values.insert("/5/0/8", "2".into());
        })
        .await;
    lab.resource(&image_of(3_000)).await;
    // As python-coiote 2.15.1 sends it, with no body.
    let query = "executeImmediately=True&resumeAfterDownlinkFailure=False\
        &checkDeliveryAndProtocol=True&useCacheForInitialStateRead=False&blocking=True\
        &upgradeStrategy=UpgradeStrategy.WithoutObservations&useQuota=True&timeout=20m\
        &transferProtocol=TransferProtocol.HTTP&transferMethod=TransferMethod.Pull\
        &useObservation=False&extendLifetime=True";
    let path = format!("/tasks/upgrade/{DEVICE}/{RESOURCE}?{query}");
    let task = lab.post(&path, None).await;
    sleep(Duration::from_secs(60)).await;
    device.uplink().await;
    let report = lab.report(task.as_str().expect("an id"), DEVICE).await;
    assert_eq!(report["status"], "Success", "{report:#}");
    assert_eq!(device.count("PUT /1/0/1"), 2, "extendLifetime=True is true");
    // Another parameter's class name is no name of this one.
    let path = format!(
        "/tasks/upgrade/{DEVICE}/{RESOURCE}?transferProtocol=TransferMethod.HTTP&executeImmediately=TRUE"
    );
    let task = lab.post(&path, None).await;
    let report = lab.report(task.as_str().expect("an id"), DEVICE).await;
    assert_eq!(report["summary"], "Unknown protocol: TransferMethod.HTTP");
}

#[tokio::test(start_paused = true)]
async fn t3_the_lossy_form_is_an_invocation_without_parameters() {
    let lab = Lab::new().await;
    let device = lab.device(DEVICE).await;
    lab.join(DEVICE, GROUP).await;
    let headers = [
        ("authorization", format!("Bearer {}", lab.token)),
        (
            "content-type",
            "application/x-www-form-urlencoded".to_owned(),
        ),
    ];
    let path = format!("{BASE}/tasksFromTemplates/group/{GROUP}");
    let form = "templateName=Lwm2mFirmwareUpdate&config=taskName&config=parameters&config=isActive&config=properties";
    let answer = lab
        .world
        .request(Method::POST, &path, &headers, form.to_owned())
        .await;
    assert_eq!(
        (answer.status, answer.text.as_str()),
        (201, "\"g:root.mt.demo.api-test:1\"")
    );
    device.uplink().await;
    let report = lab.report("g:root.mt.demo.api-test:1", DEVICE).await;
    assert_eq!(
        report["summary"],
        "Unknown protocol: ${sv.transferProtocol}"
    );
    let summary = lab.summary("g:root.mt.demo.api-test:1").await;
    assert_eq!(
        (&summary["failures"], &summary["failureRate"]),
        (&json!(1), &json!(1))
    );
    // The same type with JSON in it is what curl sends when nobody says otherwise.
    lab.resource(&image_of(3_000)).await;
    let body = Lab::invocation(&how_to::HOW_TO).to_string();
    let answer = lab.world.request(Method::POST, &path, &headers, body).await;
    assert_eq!(answer.status, 201);
    device.uplink().await;
    sleep(Duration::from_secs(60)).await;
    device.uplink().await;
    let report = lab.report("g:root.mt.demo.api-test:2", DEVICE).await;
    assert_eq!(report["status"], "Success");
}

#[tokio::test(start_paused = true)]
async fn t4_rates_are_integers_in_the_text_itself() {
    let lab = Lab::new().await;
    let _made = lab
        .post(
            "/groups",
            Some(json!({"id": "root.empty", "description": null})),
        )
        .await;
    let task = lab.on_group("root.empty", &how_to::HOW_TO).await;
    let path = format!("/taskReports/summary?taskId={task}");
    let text = lab.ask(Method::GET, &path, None).await.text;
    assert_eq!(
        text,
        r#"{"totalScheduled":0,"inProgress":0,"completed":0,"successes":0,"failures":0,"notCompleted":0,"completionRate":0,"successRate":0,"failureRate":0}"#
    );
}

#[tokio::test(start_paused = true)]
async fn t6_ids_are_json_texts() {
    let lab = Lab::new().await;
    lab.device(DEVICE).await;
    lab.resource(&image_of(100)).await;
    let minimal = json!({
        "name": "demo-file-resource", "location": {"InternalLocation": {"fileName": "file-name"}},
        "category": "FIRMWARE", "domain": "/demo/", "expirationTime": "ONE_DAY"
    });
    let drawn = lab.post("/resources", Some(minimal)).await;
    assert!(drawn.as_str().is_some_and(|it| !it.is_empty()));
    let path = format!("/tasks/upgrade/{DEVICE}/{RESOURCE}");
    assert!(lab.post(&path, None).await.is_string());
}

#[tokio::test(start_paused = true)]
async fn t9_ids_arrive_encoded_half_encoded_and_raw() {
    let lab = Lab::new().await;
    for id in ["urn:dev:1", "urn:dev:a/b c"] {
        let mut body = devices::made_by_python(id);
        body["directGroups"] = json!([]);
        lab.post("/devices", Some(body)).await;
    }
    lab.resource(&image_of(100)).await;
    for path in [
        "/devices/urn:dev:1",
        "/devices/urn%3Adev%3A1",
        "/devices/urn:dev:a/b%20c",
        "/devices/urn%3Adev%3Aa%2Fb%20c",
        "/cachedDataModels/urn:dev:a/b%20c",
    ] {
        lab.get(path).await;
    }
    for path in [
        "/tasks/upgrade/urn%3Adev%3A1/demo-file-resource-id",
        "/tasks/upgrade/urn%3Adev%3Aa%2Fb%20c/demo-file-resource-id",
        "/tasks/upgrade/urn:dev:1/demo-file-resource-id",
    ] {
        let task = lab.post(path, None).await;
        let task = task.as_str().expect("an id").replace(':', "%3A");
        lab.get(&format!("/tasks/{task}")).await;
    }
    let read = json!({"taskDefinition": {"name": "n", "operations": [{"read": {"key": "Device.0.Reboot"}}]}});
    lab.post("/tasks/configure/urn:dev:a/b%20c", Some(read))
        .await;
}

#[tokio::test(start_paused = true)]
async fn t10_a_repeated_protocol_and_resource_id_in_capitals() {
    let lab = Lab::new().await;
    let device = lab.device(DEVICE).await;
    lab.resource(&image_of(3_000)).await;
    let mut parameters = how_to::HOW_TO.to_vec();
    parameters[0].0 = "resourceID";
    let task = lab.template(DEVICE, &parameters).await;
    device.uplink().await;
    sleep(Duration::from_secs(60)).await;
    device.uplink().await;
    assert_eq!(lab.report(&task, DEVICE).await["status"], "Success");
}

#[tokio::test(start_paused = true)]
async fn t12_and_a_slash_too_many() {
    let lab = Lab::new().await;
    lab.device(DEVICE).await;
    let headers = [("authorization", format!("bearer {}", lab.token))];
    let path = format!("/{BASE}/devices/{DEVICE}");
    assert!(path.starts_with("//api"));
    let answer = lab
        .world
        .request(Method::GET, &path, &headers, String::new())
        .await;
    assert_eq!(answer.status, 200);
}

#[tokio::test(start_paused = true)]
async fn what_other_clients_send_is_taken() {
    let lab = Lab::new().await;
    lab.device(DEVICE).await;
    // No batchRequests, a value with a read, a log that nobody asked for.
    let body = json!({"taskDefinition": {
        "name": "n", "executeImmediately": true, "taskExecutionLog": "All",
        "operations": [{"read": {"key": "Device.0.Manufacturer", "value": ""}}]
    }});
    let task = lab
        .post(&format!("/tasks/configure/{DEVICE}"), Some(body))
        .await;
    let report = lab.report(task.as_str().expect("an id"), DEVICE).await;
    assert_eq!(report["status"], "Success");
    let path = format!("/tasksFromTemplates/device/{DEVICE}?executeImmediately=true");
    for config in [
        json!({"parameters": []}),
        json!({"taskName": null, "properties": {}}),
        json!(null),
    ] {
        let body =
            json!({"templateName": "Lwm2mFirmwareUpdate", "config": config, "callback": null});
        lab.post(&path, Some(body)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn images_of_any_bytes_arrive_as_they_are() {
    let lab = Lab::new().await;
    let device = lab.device(DEVICE).await;
    for bytes in [
        b"FW\x00\x01\xff\r\n".to_vec(),
        vec![0; 1],
        (0..=255).collect(),
        b"{}".to_vec(),
    ] {
        if lab.upload(RESOURCE, &bytes).await.status == 404 {
            lab.resource(&bytes).await;
        }
        let path = format!("/resources/{RESOURCE}/downloadUrl");
        let answer = lab
            .ask(Method::POST, &path, Some(json!({"protocol": "HTTP"})))
            .await;
        let address = answer.json()["address"].as_str().expect("a URL").to_owned();
        let request = Request::get(&address)
            .body(Bytes::new())
            .expect("a request");
        let fetched = send(&*lab.network, request, 1 << 20)
            .await
            .expect("an answer");
        assert!(fetched.body().as_ref() == bytes);
    }
    assert_eq!(device.got(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_the_api_has_and_this_server_has_not_is_501() {
    let lab = Lab::new().await;
    for (method, path) in [
        (Method::GET, "/devices"),
        (Method::POST, "/devices/batch"),
        (Method::GET, "/devices/all/count"),
        (Method::GET, "/groups"),
        (Method::PUT, "/groups/root.g"),
        (Method::GET, "/resources"),
        (Method::DELETE, "/resources/r"),
        (Method::PUT, "/tasks/d%3Ax%3A1"),
        (Method::DELETE, "/tasks/callback/d%3Ax%3A1/cb%2F1"),
        (
            Method::GET,
            "/taskReports/findSince?lastUpdateTime=2022-09-14T00%3A00%3A00Z",
        ),
        (Method::POST, "/tasksFromTemplates/deviceBlocking/d"),
        (
            Method::POST,
            "/tasksFromTemplates/device/d?waitTimeSeconds=30s&rerunIfExists=True",
        ),
        (
            Method::GET,
            "/instantiatedResources/dataModelDefinition/d?parameters=Device.",
        ),
        (Method::GET, "/instantiatedResources/resourcesData/d"),
        (Method::POST, "/firmwareUpdate/configurations"),
        (Method::GET, "/firmwareUpdate/configurations/1"),
        (Method::POST, "/firmwareUpdate/basic/d"),
        (Method::GET, "/domains"),
        (
            Method::GET,
            "/observations/device/d/Firmware%20Update.0.State",
        ),
        (Method::GET, "/deviceEvents/handler"),
        (Method::GET, "/users"),
        (Method::GET, "/settingValues"),
        (Method::POST, "/protocolTests/schedule/d"),
        (Method::GET, "/deviceMonitoring/d"),
        (Method::GET, "/dialects"),
        (Method::GET, "/certificates"),
    ] {
        let answer = lab.ask(method.clone(), path, None).await;
        assert_eq!(
            (answer.status, answer.json()["code"].clone()),
            (501, json!(5010)),
            "{method} {path}"
        );
        let message = answer.json()["message"]
            .as_str()
            .expect("a message")
            .to_owned();
        assert!(
            message.ends_with("is not implemented by this server."),
            "{message}"
        );
    }
}
