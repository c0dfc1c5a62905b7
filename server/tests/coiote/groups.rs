//! Tasks on groups: many devices, some of which fail or sleep, at a pace.

use super::*;

/// Who is in the group of five hundred.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Updates,
    FailsWith(&'static str),
    /// Comes when the others are done.
    SleepsLong,
    /// Never comes again.
    NeverWakes,
}

fn fate(number: usize) -> Fate {
    match number % 20 {
        3 => Fate::FailsWith("5"),
        7 => Fate::FailsWith("2"),
        11 => Fate::SleepsLong,
        13 if number < 40 => Fate::NeverWakes,
        _ => Fate::Updates,
    }
}

/// The summary adds up; gives how many are in progress.
#[track_caller]
fn adds_up(summary: &Value, all: u64) -> u64 {
    let number = |name: &str| {
        summary[name]
            .as_u64()
            .unwrap_or_else(|| panic!("{name}: {summary}"))
    };
    assert_eq!(number("totalScheduled"), all, "{summary}");
    assert_eq!(
        number("completed") + number("notCompleted"),
        all,
        "{summary}"
    );
    assert_eq!(
        number("successes") + number("failures"),
        number("completed"),
        "{summary}"
    );
    assert!(number("inProgress") <= number("notCompleted"), "{summary}");
    number("inProgress")
}

#[tokio::test(start_paused = true)]
async fn five_hundred_devices_some_failing_some_asleep() {
    const ALL: usize = 500;
    let lab = Lab::new().await;
    let account = json!({"campaigns": {"inFlight": 60}});
    let put = lab
        .world
        .admin(Method::PUT, "/accounts/default", &account)
        .await;
    assert_eq!(put.status, 200, "{}", put.text);
    lab.resource(&image_of(2_000)).await;
    let mut devices = Vec::new();
    for number in 0..ALL {
        let id = format!("dev-{number}");
        let device = lab
            .device_with(&id, "&lt=86400", |device| {
                if let Fate::FailsWith(result) = fate(number) {
                    device.script().fails_with = Some(result);
                }
            })
            .await;
        lab.join(&id, GROUP).await;
        devices.push(device);
    }
    let task = lab.on_group(GROUP, &how_to::HOW_TO).await;
    let (mut most, mut rounds) = (0, 0);
    loop {
        for (number, device) in devices.iter().enumerate() {
            let comes = match fate(number) {
                Fate::NeverWakes => false,
                Fate::SleepsLong => rounds > 20,
                _ => true,
            };
            if comes {
                device.uplink_if_there().await;
                if number % 25 == 0 {
                    most = most.max(adds_up(&lab.summary(&task).await, ALL as u64));
                }
            }
        }
        rounds += 1;
        let summary = lab.summary(&task).await;
        adds_up(&summary, ALL as u64);
        if summary["notCompleted"] == 2 {
            break;
        }
        assert!(rounds < 60, "{summary}");
    }
    assert!((2..=60).contains(&most), "{most} were under way at once");
    for (number, device) in devices.iter().enumerate() {
        let id = format!("dev-{number}");
        let runs = device.device.script().values["/3/0/3"].clone();
        let executes = device.count("POST /5/0/2");
        match fate(number) {
            Fate::NeverWakes => {
                let path = format!("/taskReports/{task}/{id}");
                let answer = lab.ask(Method::GET, &path, None).await;
                assert_eq!(
                    (answer.status, answer.json()["code"].clone()),
                    (404, json!(4041))
                );
                assert_eq!((executes, runs.as_str()), (0, "0.2"));
            }
            fate => {
                let report = lab.report(&task, &id).await;
                let well = !matches!(fate, Fate::FailsWith(_));
                let expected = if well {
                    ("Success", "0.3", 1)
                } else {
                    ("Error", "0.2", 0)
                };
                let status = report["status"].as_str().expect("a status");
                assert_eq!(
                    (status, runs.as_str(), executes),
                    expected,
                    "{id}: {report:#}"
                );
                assert_eq!(property(&report, "newFirmwareVersion"), Some(runs.as_str()));
            }
        }
    }
    let summary = lab.summary(&task).await;
    assert_eq!(
        (&summary["failures"], &summary["successes"]),
        (&json!(50), &json!(448))
    );
}

#[tokio::test(start_paused = true)]
async fn too_many_failures_halt_it() {
    let lab = Lab::new().await;
    let account = json!({"campaigns": {"inFlight": 5, "canaries": 2, "failures": 0}});
    let put = lab
        .world
        .admin(Method::PUT, "/accounts/default", &account)
        .await;
    assert_eq!(put.status, 200, "{}", put.text);
    lab.resource(&image_of(2_000)).await;
    let mut devices = Vec::new();
    for number in 0..6 {
        let id = format!("dev-{number}");
        let fails = |device: &Device| {
            device.script().fails_with = (number == 0).then_some("5");
        };
        devices.push(lab.device_with(&id, "&lt=86400", fails).await);
        lab.join(&id, GROUP).await;
    }
    let task = lab.on_group(GROUP, &how_to::HOW_TO).await;
    for _ in 0..5 {
        for device in &devices {
            device.uplink_if_there().await;
        }
    }
    let summary = lab.summary(&task).await;
    adds_up(&summary, 6);
    assert_eq!(
        (&summary["failures"], &summary["notCompleted"]),
        (&json!(2), &json!(4))
    );
    let executed: usize = devices.iter().map(|it| it.count("POST /5/0/2")).sum();
    assert_eq!(executed, 0, "nobody was executed after the halt");
    let report = lab.report(&task, "dev-1").await;
    let why = "the campaign was halted: too many devices failed";
    assert_eq!(report["summary"], why);
    let shown = lab.get(&format!("/tasks/{task}")).await;
    assert_eq!(shown["config"]["isActive"], false);
}

#[tokio::test(start_paused = true)]
async fn members_come_and_go() {
    let lab = Lab::new().await;
    lab.resource(&image_of(2_000)).await;
    let mut devices = Vec::new();
    for id in ["stays", "goes", "late"] {
        devices.push(lab.device_with(id, "&lt=86400", |_| {}).await);
    }
    lab.join("stays", GROUP).await;
    lab.join("goes", GROUP).await;
    let task = lab.on_group(GROUP, &how_to::HOW_TO).await;
    lab.join("late", GROUP).await;
    let body = json!({"removeGroups": [GROUP]});
    let left = lab.ask(Method::PUT, "/devices/goes", Some(body)).await;
    assert_eq!(left.status, 204);
    for _ in 0..4 {
        for device in &devices {
            device.uplink_if_there().await;
        }
        sleep(Duration::from_secs(10)).await;
    }
    let summary = lab.summary(&task).await;
    adds_up(&summary, 2);
    assert_eq!(
        (&summary["successes"], &summary["failures"]),
        (&json!(1), &json!(1))
    );
    let report = lab.report(&task, "goes").await;
    assert_eq!(report["summary"], "The device is not in the group any more");
    let versions = devices
        .iter()
        .map(|it| it.device.script().values["/3/0/3"].clone());
    assert_eq!(versions.collect::<Vec<_>>(), ["0.3", "0.2", "0.2"]);
    // Run again, it is for who is in the group now.
    assert_eq!(lab.on_group(GROUP, &how_to::HOW_TO).await, task);
    assert_eq!(lab.summary(&task).await["totalScheduled"], 2);
    for _ in 0..4 {
        devices[2].uplink_if_there().await;
        sleep(Duration::from_secs(10)).await;
    }
    assert_eq!(lab.report(&task, "late").await["status"], "Success");
}

#[tokio::test(start_paused = true)]
async fn an_automatic_group_is_one_too() {
    let lab = Lab::new().await;
    lab.resource(&image_of(2_000)).await;
    let device = lab.device(DEVICE).await;
    lab.get(&format!("/devices/{DEVICE}")).await;
    sleep(Duration::from_secs(1)).await;
    let group = "root.devicetypes.avsystem.svetovid.0_2";
    let mut parameters = how_to::HOW_TO.to_vec();
    parameters[11].1 = "true";
    let task = lab.on_group(group, &parameters).await;
    assert_eq!(task, format!("g:{group}:1"));
    sleep(Duration::from_secs(10)).await;
    device.uplink().await;
    assert_eq!(lab.report(&task, DEVICE).await["status"], "Success");
}

#[tokio::test(start_paused = true)]
async fn an_inactive_task_does_nothing() {
    let lab = Lab::new().await;
    lab.resource(&image_of(2_000)).await;
    let device = lab.device(DEVICE).await;
    lab.join(DEVICE, GROUP).await;
    let mut body = Lab::invocation(&how_to::HOW_TO);
    body["config"]["isActive"] = json!(false);
    let task = lab
        .post(&format!("/tasksFromTemplates/group/{GROUP}"), Some(body))
        .await;
    device.uplink().await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(device.got(), [""; 0]);
    let summary = lab.summary(task.as_str().expect("an id")).await;
    assert_eq!(summary["notCompleted"], 1);
}
