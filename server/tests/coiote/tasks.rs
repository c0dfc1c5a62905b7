//! Tasks on one device: operations, what fails, the same again, and deletion.

use super::*;

fn task(name: &str, operations: Value) -> Option<Value> {
    Some(json!({"taskDefinition": {
        "name": name, "batchRequests": false, "executeImmediately": true, "operations": operations
    }}))
}

fn path() -> String {
    format!("/tasks/configure/{DEVICE}")
}

impl Lab {
    /// Runs operations and gives the report.
    async fn run(&self, operations: Value) -> Value {
        let id = self.post(&path(), task("n", operations)).await;
        self.report(id.as_str().expect("an id"), DEVICE).await
    }
}

#[tokio::test(start_paused = true)]
async fn reads_writes_and_executes_go_one_after_the_other() {
    let lab = Lab::new().await;
    let device = lab.device(DEVICE).await;
    let report = lab
        .run(json!([
            {"read": {"key": "Device.0.Manufacturer"}},
            {"write": {"key": "LwM2M Server.0.Lifetime", "value": "600"}},
            {"write": {"key": "Device.0.Timezone", "value": "Europe/Oslo"}},
            {"execute": {"key": "Device.0.Reboot", "argumentList": []}}
        ]))
        .await;
    // The scripted device knows no Reboot: what came before it stands in the report.
    assert_eq!(report["status"], "Error");
    assert_eq!(report["summary"], "Execute Device.0.Reboot failed: 4.05");
    let got = ["GET /3/0/0", "PUT /1/0/1", "PUT /3/0/15", "POST /3/0/4"];
    assert_eq!(device.got(), got);
    let script = device.device.script();
    assert_eq!(script.written("/1/0/1"), ["600"]);
    assert_eq!(script.written("/3/0/15"), ["Europe/Oslo"]);
    assert_eq!(property(&report, "Device.0.Manufacturer"), Some("AVSystem"));
    let last = r#"{"write":{"key":"Device.0.Timezone","value":"Europe/Oslo"}}"#;
    assert_eq!(property(&report, "lastSuccessfulOperation"), Some(last));
}

#[tokio::test(start_paused = true)]
async fn execute_carries_its_arguments() {
    let lab = Lab::new().await;
    let device = lab.device(DEVICE).await;
    let answer = Reply::new(Code::CHANGED);
    device.device.script().instead.insert("POST /3/0/4", answer);
    for (arguments, payload) in [
        (json!([{"digit": 0, "argument": null}]), "0"),
        (
            json!([{"digit": "0", "argument": "soft"}, {"digit": 1}]),
            "0='soft',1",
        ),
        (json!([{"digit": "0=;"}]), "0"),
        (json!([]), ""),
    ] {
        let operation = json!([{"execute": {"key": "Device.0.Reboot", "argumentList": arguments}}]);
        assert_eq!(lab.run(operation).await["status"], "Success");
        let last = device
            .device
            .script()
            .requests
            .last()
            .cloned()
            .expect("a request");
        assert_eq!(last.payload.as_ref(), payload.as_bytes());
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_done_is_in_the_report() {
    let lab = Lab::new().await;
    let device = lab.device(DEVICE).await;
    for (operation, summary) in [
        (
            json!({"read": {"key": "Device.0.Colour"}}),
            "Unknown data model key: Device.0.Colour",
        ),
        (
            json!({"read": {"key": "Location.0.Latitude"}}),
            "Read Location.0.Latitude failed: 4.04",
        ),
        (
            json!({"write": {"key": "LwM2M Server.0.Lifetime", "value": "long"}}),
            "Write LwM2M Server.0.Lifetime failed: `long` is no value of /1/0/1",
        ),
        (
            json!({"write": {"key": "Device.", "value": "x"}}),
            "Write Device. failed: /3 is more than one value",
        ),
    ] {
        let report = lab.run(json!([operation])).await;
        assert_eq!(
            (&report["status"], &report["summary"]),
            (&json!("Error"), &json!(summary))
        );
        assert_eq!(report["properties"], json!([]));
    }
    device.device.script().deaf = true;
    let report = lab
        .run(json!([{"read": {"key": "Device.0.Error Code"}}]))
        .await;
    let summary = "Read Device.0.Error Code failed: the device did not answer";
    assert_eq!(report["summary"], summary);
}

#[tokio::test(start_paused = true)]
async fn an_identical_task_runs_again_under_its_id() {
    let lab = Lab::new().await;
    let device = lab.device(DEVICE).await;
    let read = || json!([{"read": {"key": "Device.0.Manufacturer"}}]);
    let first = lab.post(&path(), task("n", read())).await;
    lab.report(first.as_str().expect("an id"), DEVICE).await;
    let again = lab
        .post(&format!("{}?rerunIfExists=True", path()), task("n", read()))
        .await;
    assert_eq!(again, first);
    lab.report(first.as_str().expect("an id"), DEVICE).await;
    assert_eq!(device.count("GET /3/0/0"), 2);
    for (path, body) in [
        (format!("{}?rerunIfExists=False", path()), task("n", read())),
        (path(), task("another name", read())),
        (
            path(),
            task("n", json!([{"read": {"key": "Device.0.Model Number"}}])),
        ),
    ] {
        let other = lab.post(&path, body).await;
        assert_ne!(other, first);
    }
    // While it waits it is the same one all the more.
    let (code, _) = device
        .device
        .ask(Coap::new(Code::DELETE, &device.location))
        .await;
    assert_eq!(code, Code::DELETED);
    let waiting = lab.post(&path(), task("n", read())).await;
    assert_eq!(lab.post(&path(), task("n", read())).await, waiting);
    let summary = lab.summary(waiting.as_str().expect("an id")).await;
    assert_eq!(
        (&summary["totalScheduled"], &summary["notCompleted"]),
        (&json!(1), &json!(1))
    );
}

#[tokio::test(start_paused = true)]
async fn upgrades_are_new_tasks_and_templates_run_again() {
    let lab = Lab::new().await;
    let device = lab.device(DEVICE).await;
    lab.resource(&image_of(3_000)).await;
    let first = lab.upgrade(DEVICE, "").await;
    let second = lab.upgrade(DEVICE, "").await;
    assert_ne!(first, second);
    for _ in 0..4 {
        sleep(Duration::from_secs(60)).await;
        device.uplink_if_there().await;
    }
    for task in [&first, &second] {
        assert_eq!(lab.report(task, DEVICE).await["status"], "Success");
    }
    assert_eq!(device.count("POST /5/0/2"), 2, "one after the other");
    let template = lab.template(DEVICE, &how_to::HOW_TO).await;
    assert_eq!(lab.template(DEVICE, &how_to::HOW_TO).await, template);
}

#[tokio::test(start_paused = true)]
async fn a_task_is_shown_listed_and_deleted() {
    let lab = Lab::new().await;
    let device = lab.device(DEVICE).await;
    lab.resource(&image_of(5_000)).await;
    let task = lab.template(DEVICE, &how_to::HOW_TO).await;
    let shown = lab
        .get(&format!("/tasks/{}", task.replace(':', "%3A")))
        .await;
    assert_eq!(shown["id"], task);
    assert_eq!(shown["config"]["taskName"], "FOTA");
    assert_eq!(shown["config"]["isActive"], true);
    let first = json!({"name": "resourceId", "value": RESOURCE});
    assert_eq!(shown["config"]["parameters"][0], first);
    let other = lab.upgrade(DEVICE, "&executeImmediately=false").await;
    let mut all = lab.get("/tasks").await;
    all.as_array_mut()
        .expect("ids")
        .sort_by_key(Value::to_string);
    assert_eq!(all, json!([task, other]));
    let by_id = format!(
        "/tasks?searchCriteria=id+eq+%27{}%27",
        task.replace(':', "%3A")
    );
    assert_eq!(lab.get(&by_id).await, json!([task]));
    for id in [&task, &other] {
        let path = format!("/tasks/{id}");
        assert_eq!(lab.ask(Method::DELETE, &path, None).await.status, 204);
        let gone = lab.ask(Method::DELETE, &path, None).await;
        assert_eq!(
            (gone.status, gone.json()["code"].clone()),
            (404, json!(4040))
        );
    }
    device.uplink().await;
    sleep(Duration::from_secs(5)).await;
    assert_eq!(device.got(), [""; 0], "what was deleted is not done");
    // Numbers are not given twice.
    assert!(lab.upgrade(DEVICE, "").await.ends_with(":3"));
}

#[tokio::test(start_paused = true)]
async fn a_deleted_upgrade_is_not_executed() {
    let lab = Lab::new().await;
    let device = lab.device(DEVICE).await;
    lab.resource(&image_of(5_000)).await;
    let task = lab.upgrade(DEVICE, "").await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(device.count("PUT /5/0/1"), 1);
    let deleted = lab
        .ask(Method::DELETE, &format!("/tasks/{task}"), None)
        .await;
    assert_eq!(deleted.status, 204);
    for _ in 0..3 {
        device.uplink().await;
        sleep(Duration::from_secs(60)).await;
    }
    assert_eq!(device.count("POST /5/0/2"), 0);
    let report = lab
        .ask(Method::GET, &format!("/taskReports/{task}/{DEVICE}"), None)
        .await;
    assert_eq!(
        (report.status, report.json()["code"].clone()),
        (404, json!(4040))
    );
}

#[tokio::test(start_paused = true)]
async fn every_result_of_a_device_is_in_the_report() {
    for (result, detail) in [
        ("2", "Result 2: not enough flash memory"),
        ("5", "Result 5: integrity check failure"),
        ("6", "Result 6: unsupported package type"),
        ("7", "Result 7: invalid URI"),
        ("9", "Result 9: unsupported protocol"),
    ] {
        let lab = Lab::new().await;
        let device = lab.device(DEVICE).await;
        lab.resource(&image_of(5_000)).await;
        device.device.script().fails_with = Some(result);
        let task = lab.upgrade(DEVICE, "").await;
        sleep(Duration::from_secs(5)).await;
        device.uplink().await;
        let report = lab.report(&task, DEVICE).await;
        assert_eq!(
            (&report["status"], &report["summary"]),
            (&json!("Error"), &json!(detail))
        );
        let names = [
            "newFirmwareVersion",
            "oldFirmwareVersion",
            "result",
            "resultDetails",
        ];
        assert_eq!(property_names(&report), names);
        assert_eq!(property(&report, "result"), Some("ERROR"));
        assert_eq!(property(&report, "resultDetails"), Some(detail));
        assert_eq!(device.count("POST /5/0/2"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn reports_are_found_and_given_page_by_page() {
    let lab = Lab::new().await;
    let _device = lab.device(DEVICE).await;
    let mut tasks = Vec::new();
    for key in [
        "Device.0.Manufacturer",
        "Device.0.Model Number",
        "Location.0.Speed",
    ] {
        let id = lab
            .post(&path(), task(key, json!([{"read": {"key": key}}])))
            .await;
        let id = id.as_str().expect("an id").to_owned();
        lab.report(&id, DEVICE).await;
        tasks.push(id);
    }
    let all = lab.get("/taskReports").await;
    let expected: Vec<Value> = tasks
        .iter()
        .map(|it| json!({"taskId": it, "deviceId": DEVICE}))
        .collect();
    assert_eq!(all, json!(expected));
    let failed = lab
        .get("/taskReports?searchCriteria=status+eq+%27Error%27")
        .await;
    assert_eq!(failed, json!([expected[2]]));
    let mut cursor = lab.get("/taskReports/findReports").await;
    let mut found = Vec::new();
    for expected in [2, 1, 0] {
        let number = cursor.as_u64().expect("a JSON integer");
        let page = lab
            .get(&format!("/taskReports/moreReports?cursor={number}&count=2"))
            .await;
        let batch = page["batch"].as_array().expect("a batch");
        assert_eq!(batch.len(), expected);
        found.extend(batch.iter().map(|it| it["taskId"].clone()));
        cursor = page["nextCursor"].clone();
    }
    assert_eq!(json!(found), json!(tasks));
}

impl Registered {
    /// Sends a registration update without looking at the answer: it may just install.
    pub(crate) async fn uplink_if_there(&self) {
        let update = Coap::post(&self.location(), "");
        self.device.script().outbox.push(update);
        self.device.wake();
        sleep(Duration::from_secs(1)).await;
    }
}
