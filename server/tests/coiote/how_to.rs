//! The how-to from its first page to its last, with the bodies that it prints.

use fotalab_wire::coap::Code;
use serde_json::json;

use super::*;

#[tokio::test(start_paused = true)]
async fn the_device_entity_is_the_how_tos() {
    let lab = Lab::new().await;
    let device = lab.device(DEVICE).await;
    lab.get(&format!("/devices/{DEVICE}")).await;
    sleep(Duration::from_secs(1)).await;
    let entity = lab.get(&format!("/devices/{DEVICE}")).await;
    assert_eq!(entity["id"], DEVICE);
    assert_eq!(entity["softwareVersion"], "0.2");
    assert_eq!(entity["serialNumber"], "322da45aa528\n");
    assert_eq!(entity["manufacturer"], "AVSystem");
    assert_eq!(entity["domain"], "/demo/");
    assert_eq!(entity["properties"]["registeredObjects"], "/1/0,/3/0,/5/0");
    assert_eq!(entity["properties"]["objectVersions"], "1:1.1,3:1.1,5:1.0");
    assert_eq!(entity["properties"]["lwm2mLastUpOp"], "Register");
    assert_eq!(
        entity["properties"]["lastRegisterUpdate"],
        "2023-11-14 22:13:20.000"
    );
    let groups = entity["directGroups"].as_array().expect("groups");
    assert!(groups.contains(&json!("root.devicetypes.avsystem.svetovid.0_2")));
    let fields: Vec<&str> = entity
        .as_object()
        .expect("one")
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        fields,
        [
            "id",
            "connectorType",
            "bootstrap",
            "directGroups",
            "properties",
            "blacklisted",
            "managementEnabled",
            "lastSessionTime",
            "lastContactTime",
            "lastRegisterTime",
            "firstRegisterTime",
            "creationTime",
            "ipAddress",
            "serialNumber",
            "oui",
            "modelName",
            "hardwareVersion",
            "softwareVersion",
            "productClass",
            "manufacturer",
            "description",
            "friendlyName",
            "domain",
            "securityMode",
            "dtlsIdentity",
            "dtlsPsk"
        ]
    );
    assert_eq!(device.count("GET /3/0"), 1, "it is read once");
}

#[tokio::test(start_paused = true)]
async fn a_version_is_read_when_the_device_comes() {
    let lab = Lab::new().await;
    let device = lab.device(DEVICE).await;
    let body = json!({"taskDefinition": {
        "operations": [{"read": {"key": "Device.0.Firmware Version"}}],
        "name": "api-demo-task", "batchRequests": false, "executeImmediately": false
    }});
    let path = format!("/tasks/configure/{DEVICE}");
    let task = lab.post(&path, Some(body)).await;
    let task = task.as_str().expect("a JSON text");
    let parts: Vec<&str> = task.split(':').collect();
    assert_eq!(
        (parts[0], parts[1].len(), parts[2]),
        ("d", 38, "1"),
        "{task}"
    );
    sleep(Duration::from_secs(60)).await;
    assert_eq!(device.got(), [""; 0], "the device was not there yet");
    device.uplink().await;
    let report = lab.report(task, DEVICE).await;
    assert_eq!(device.got(), ["GET /3/0/3"]);
    assert_eq!(report["status"], "Success");
    assert_eq!(report["summary"], Value::Null);
    assert_eq!(report["blocking"], false);
    let expected = json!([
        {"name": "Device.0.Firmware Version", "value": "0.2"},
        {"name": "lastSuccessfulOperation", "value": "{\"read\":{\"key\":\"Device.0.Firmware Version\"}}"}
    ]);
    assert_eq!(report["properties"], expected);
    let summary = lab
        .get(&format!("/taskReports/summary?taskId={task}"))
        .await;
    assert_eq!(summary["totalScheduled"], 1);
    assert_eq!(summary["successRate"], 1);
    // The opaque part is the device's, the number the task's.
    let next = lab.upgrade_later(DEVICE).await;
    assert_eq!(next, format!("d:{}:2", parts[1]));
}

#[tokio::test(start_paused = true)]
async fn one_device_is_upgraded_with_the_default_parameters() {
    let lab = Lab::new().await;
    let device = lab
        .device_with(DEVICE, "&lt=300", |device| {
            device.script().values.insert("/5/0/8", "2".into());
        })
        .await;
    let bytes = image_of(200_000);
    lab.resource(&bytes).await;
    let query = "transferMethod=Pull&transferProtocol=HTTP&timeout=20m&useQuota=true\
        &upgradeStrategy=WithoutObservations&blocking=true&useCacheForInitialStateRead=false\
        &checkDeliveryAndProtocol=true&resumeAfterDownlinkFailure=false&useObservation=false\
        &extendLifetime=true&executeImmediately=false";
    let path = format!("/tasks/upgrade/{DEVICE}/{RESOURCE}?{query}");
    let task = lab.post(&path, None).await;
    let task = task.as_str().expect("a JSON text");
    for _ in 0..2 {
        device.uplink().await;
        sleep(Duration::from_secs(30)).await;
    }
    let report = lab.report(task, DEVICE).await;
    assert_eq!(report["status"], "Success", "{report:#}");
    assert_eq!(report["summary"], "Firmware update successful");
    let expected = json!([
        {"name": "newFirmwareVersion", "value": "0.3"},
        {"name": "oldFirmwareVersion", "value": "0.2"},
        {"name": "result", "value": "SUCCESS"},
        {"name": "resultDetails", "value": "Firmware update successful"}
    ]);
    assert_eq!(report["properties"], expected);
    assert!(device.device.script().image == bytes, "another image");
    assert_eq!(device.device.script().scheme, "http");
    assert_eq!(
        lab.get(&format!("/devices/{DEVICE}")).await["softwareVersion"],
        "0.3"
    );
}

#[tokio::test(start_paused = true)]
async fn an_unknown_protocol_is_in_the_report() {
    let lab = Lab::new().await;
    let device = lab.device(DEVICE).await;
    lab.resource(b"firmware").await;
    let task = lab.template(DEVICE, &[("resourceId", RESOURCE)]).await;
    device.uplink().await;
    let report = lab.report(&task, DEVICE).await;
    assert_eq!(report["status"], "Error");
    assert_eq!(
        report["summary"],
        "Unknown protocol: ${sv.transferProtocol}"
    );
    assert_eq!(report["properties"], json!([]));
    assert_eq!(device.got(), [""; 0], "nothing was asked of the device");
}

#[tokio::test(start_paused = true)]
async fn a_group_is_upgraded_and_counted() {
    let lab = Lab::new().await;
    let mut devices = Vec::new();
    for number in 0..3 {
        let id = format!("dev-{number}");
        devices.push(lab.device(&id).await);
        lab.join(&id, GROUP).await;
    }
    let bytes = image_of(5_000);
    lab.resource(&bytes).await;
    let task = lab.on_group(GROUP, &HOW_TO).await;
    assert_eq!(task, format!("g:{GROUP}:1"));
    let before = lab.summary(&task).await;
    assert_eq!(before["notCompleted"], 3);
    for _ in 0..2 {
        for device in &devices {
            device.uplink().await;
        }
        sleep(Duration::from_secs(30)).await;
    }
    let expected = json!({
        "totalScheduled": 3, "inProgress": 0, "completed": 3, "successes": 3, "failures": 0,
        "notCompleted": 0, "completionRate": 1, "successRate": 1, "failureRate": 0
    });
    assert_eq!(lab.summary(&task).await, expected);
    for (number, device) in devices.iter().enumerate() {
        assert!(device.device.script().image == bytes);
        let report = lab.report(&task, &format!("dev-{number}")).await;
        assert_eq!(property(&report, "newFirmwareVersion"), Some("0.3"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_password_and_a_program_get_tokens() {
    let lab = Lab::new().await;
    let account = json!({
        "email": "user@x", "password": "p&w d",
        "service": {"realm": "realm", "id": "id/1", "secret": "sec ret"}
    });
    let put = lab
        .world
        .admin(Method::PUT, "/accounts/default", &account)
        .await;
    assert_eq!(put.status, 200, "{}", put.text);
    let form = [(
        "content-type",
        "application/x-www-form-urlencoded".to_owned(),
    )];
    for (path, body, status) in [
        (
            "/api/auth/oauth_password",
            "username=user%40x&password=p%26w+d",
            201,
        ),
        (
            "/api/auth/oauth_password",
            "grant_type=password&username=user%40x&password=p%26w+d",
            201,
        ),
        (
            "/iam/realms/realm/protocol/openid-connect/token",
            "grant_type=client_credentials&client_id=id%2F1&client_secret=sec%20ret",
            200,
        ),
    ] {
        let answer = lab
            .world
            .request(Method::POST, path, &form, body.to_owned())
            .await;
        assert_eq!(answer.status, status, "{}", answer.text);
        let issued = answer.json();
        assert_eq!(issued["token_type"], "Bearer");
        assert!(issued["expires_in"].as_u64().is_some_and(|it| it > 60));
        let token = issued["access_token"].as_str().expect("a token");
        let used = lab.ask_as(token, Method::GET, "/tasks", None).await;
        assert_eq!(used.status, 200);
        let revoked = json!({"token": token}).to_string();
        let path = "/api/auth/invalidate_token";
        let answer = lab.world.request(Method::POST, path, &[], revoked).await;
        assert_eq!(answer.status, 204);
        let used = lab.ask_as(token, Method::GET, "/tasks", None).await;
        assert_eq!(
            (used.status, used.json()["code"].clone()),
            (401, json!(4010))
        );
    }
    for (path, body) in [
        (
            "/api/auth/oauth_password",
            "username=user%40x&password=wrong",
        ),
        (
            "/iam/realms/other/protocol/openid-connect/token",
            "grant_type=client_credentials&client_id=id%2F1&client_secret=sec%20ret",
        ),
    ] {
        let answer = lab
            .world
            .request(Method::POST, path, &form, body.to_owned())
            .await;
        assert_eq!(
            (answer.status, answer.json()["code"].clone()),
            (401, json!(4010))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn values_that_were_told_are_shown() {
    let lab = Lab::new().await;
    let device = lab.device(DEVICE).await;
    let read = |key: &str| json!({"read": {"key": key}});
    let body = json!({"taskDefinition": {
        "name": "n", "executeImmediately": true,
        "operations": [read("Firmware Update.0.State"), read("Device.0.")]
    }});
    let task = lab
        .post(&format!("/tasks/configure/{DEVICE}"), Some(body))
        .await;
    let report = lab.report(task.as_str().expect("an id"), DEVICE).await;
    assert_eq!(property(&report, "Firmware Update.0.State"), Some("0"));
    assert_eq!(property(&report, "Device.0.Model Number"), Some("Svetovid"));
    let path = format!("/cachedDataModels/{DEVICE}");
    let values = lab
        .get(&format!("{path}?parameters=Firmware+Update."))
        .await;
    assert_eq!(values[0]["name"], "Firmware Update.0.State");
    assert_eq!(
        (&values[0]["value"], &values[0]["type"]),
        (&json!("0"), &json!("Integer"))
    );
    assert!(
        values[0]["updateTime"]
            .as_str()
            .is_some_and(|it| it.ends_with('Z'))
    );
    let one = lab
        .get(&format!("{path}?parameters=Device.0.Firmware+Version"))
        .await;
    assert_eq!(one.as_array().map(Vec::len), Some(1));
    assert_eq!(
        lab.get(&format!("{path}?parameters=Location.")).await,
        json!([])
    );
    assert!(
        lab.get(&path)
            .await
            .as_array()
            .is_some_and(|it| it.len() > 4)
    );
    assert_eq!(device.count("GET /5/0/3"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_session_begins_what_waits() {
    let lab = Lab::new().await;
    let device = lab.device(DEVICE).await;
    let body = json!({"taskDefinition": {
        "name": "n", "operations": [{"read": {"key": "Device.0.Serial Number"}}]
    }});
    let task = lab
        .post(&format!("/tasks/configure/{DEVICE}"), Some(body))
        .await;
    let task = task.as_str().expect("an id");
    let sessions = format!("/sessions/{DEVICE}");
    for path in [
        format!("{sessions}?taskId={task}"),
        format!("{sessions}/allow-deregistered"),
    ] {
        assert_eq!(
            lab.ask(Method::POST, &path, None).await.status,
            200,
            "{path}"
        );
    }
    let report = lab.report(task, DEVICE).await;
    assert_eq!(
        property(&report, "Device.0.Serial Number"),
        Some("322da45aa528\n")
    );
    let (code, _) = device
        .device
        .ask(Coap::new(Code::DELETE, &device.location))
        .await;
    assert_eq!(code, Code::DELETED);
    assert_eq!(lab.ask(Method::POST, &sessions, None).await.status, 409);
    let patient = format!("{sessions}/allow-deregistered");
    assert_eq!(lab.ask(Method::POST, &patient, None).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_resource_can_be_fetched_where_it_says() {
    let lab = Lab::new().await;
    let bytes = image_of(3_000);
    lab.resource(&bytes).await;
    let path = format!("/resources/{RESOURCE}/downloadUrl");
    for (protocol, scheme) in [("HTTP", "http://"), ("COAP", "coap://")] {
        let answer = lab
            .ask(Method::POST, &path, Some(json!({"protocol": protocol})))
            .await;
        let address = answer.json()["address"].as_str().expect("a URL").to_owned();
        assert!(address.starts_with(scheme), "{address}");
        if scheme == "http://" {
            let request = Request::get(&address)
                .body(Bytes::new())
                .expect("a request");
            let fetched = send(&*lab.network, request, 1 << 20)
                .await
                .expect("an answer");
            assert!(fetched.body().as_ref() == bytes);
        }
    }
    let unserved = lab
        .ask(Method::POST, &path, Some(json!({"protocol": "HTTPS"})))
        .await;
    assert_eq!(unserved.status, 409);
}

/// The parameters of the how-to's group upgrade, its repeated `transferProtocol` included.
pub(crate) const HOW_TO: [(&str, &str); 12] = [
    ("resourceId", RESOURCE),
    ("transferProtocol", "COAP"),
    ("transferMethod", "Pull"),
    ("transferProtocol", "COAP"),
    ("timeout", "20m"),
    ("useQuota", "true"),
    ("upgradeStrategy", "WithoutObservations"),
    ("blocking", "true"),
    ("useCacheForInitialStateRead", "false"),
    ("checkDeliveryAndProtocol", "true"),
    ("resumeAfterDownlinkFailure", "false"),
    ("executeImmediately", "false"),
];

impl Lab {
    pub(crate) fn invocation(parameters: &[(&str, &str)]) -> Value {
        let parameters = parameters
            .iter()
            .map(|(name, value)| json!({"name": name, "value": value}));
        json!({
            "templateName": "Lwm2mFirmwareUpdate",
            "config": {
                "taskName": "FOTA",
                "parameters": parameters.collect::<Vec<_>>(),
                "isActive": true
            }
        })
    }

    /// Runs the template on a device, to begin when it comes.
    pub(crate) async fn template(&self, device: &str, parameters: &[(&str, &str)]) -> String {
        let path = format!("/tasksFromTemplates/device/{device}?executeImmediately=False");
        let id = self.post(&path, Some(Self::invocation(parameters))).await;
        id.as_str().expect("an id").to_owned()
    }

    /// Runs the template on a group.
    pub(crate) async fn on_group(&self, group: &str, parameters: &[(&str, &str)]) -> String {
        let path = format!("/tasksFromTemplates/group/{group}");
        let id = self.post(&path, Some(Self::invocation(parameters))).await;
        id.as_str().expect("an id").to_owned()
    }

    pub(crate) async fn upgrade_later(&self, device: &str) -> String {
        self.resource(b"firmware").await;
        let path = format!("/tasks/upgrade/{device}/{RESOURCE}");
        let id = self.post(&path, None).await;
        id.as_str().expect("an id").to_owned()
    }

    /// Puts a device into a group.
    pub(crate) async fn join(&self, device: &str, group: &str) {
        let body = json!({"addGroups": [group], "removeGroups": []});
        let path = format!("/devices/{device}");
        let answer = self.ask(Method::PUT, &path, Some(body)).await;
        assert_eq!(answer.status, 204, "{}", answer.text);
    }

    pub(crate) async fn summary(&self, task: &str) -> Value {
        let task = task.replace(':', "%3A");
        self.get(&format!("/taskReports/summary?taskId={task}"))
            .await
    }
}
