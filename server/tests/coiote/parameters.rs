//! What each parameter of a firmware task does on the wire (contract 3.3): two runs that differ in
//! it alone, and the requests that the device got in each.

use fotalab_wire::coap::Gone;

use super::*;

/// A device that was upgraded, and the report.
struct Run {
    report: Value,
    device: Registered,
}

/// Upgrades one device by these parameters, `executeImmediately` and COAP unless they say
/// otherwise. The device gives a sign of life each 40 seconds.
async fn upgraded(query: &str, adjust: impl FnOnce(&Device)) -> Run {
    let lab = Lab::new().await;
    let device = lab.device_with(DEVICE, "&lt=300", adjust).await;
    lab.resource(&image_of(5_000)).await;
    let task = lab.upgrade(DEVICE, query).await;
    finish(&lab, device, &task).await
}

async fn finish(lab: &Lab, device: Registered, task: &str) -> Run {
    for _ in 0..100 {
        sleep(Duration::from_secs(40)).await;
        let path = format!("/taskReports/{task}/{DEVICE}");
        let answer = lab.ask(Method::GET, &path, None).await;
        if answer.status == 200 {
            // What follows a success, such as the end of observations.
            sleep(Duration::from_secs(5)).await;
            let report = answer.json();
            return Run { report, device };
        }
        let alive = !device.device.script().deaf;
        if alive {
            let update = Coap::post(&device.location(), "");
            device.device.script().outbox.push(update);
            device.device.wake();
        }
    }
    panic!("no report in an hour: {:?}", device.got());
}

impl Run {
    #[track_caller]
    fn succeeded(self) -> Self {
        assert_eq!(self.report["status"], "Success", "{:#}", self.report);
        self
    }

    #[track_caller]
    fn failed(self, summary: &str) -> Self {
        assert_eq!(self.report["status"], "Error", "{:#}", self.report);
        assert_eq!(self.report["summary"], summary);
        self
    }

    fn observed(&self) -> Vec<String> {
        let got = self.device.got().into_iter();
        let observed = got.filter_map(|it| it.strip_prefix("OBSERVE ").map(str::to_owned));
        observed.collect()
    }

    fn count(&self, request: &str) -> usize {
        self.device.count(request)
    }

    /// How many observations the server ended by Observe 1.
    fn ended(&self) -> usize {
        let script = self.device.device.script();
        script
            .ended
            .iter()
            .filter(|it| **it == Gone::Deregistered)
            .count()
    }
}

fn offers(protocols: &'static str) -> impl FnOnce(&Device) {
    move |device| {
        device.script().values.insert("/5/0/8", protocols.into());
    }
}

#[tokio::test(start_paused = true)]
async fn transfer_method_pull_writes_a_uri_and_push_the_package() {
    let pull = upgraded("&transferMethod=Pull", |_| {}).await.succeeded();
    assert_eq!((pull.count("PUT /5/0/1"), pull.count("PUT /5/0/0")), (1, 0));
    let push = upgraded("&transferMethod=Push", |_| {}).await.succeeded();
    assert_eq!((push.count("PUT /5/0/1"), push.count("PUT /5/0/0")), (0, 1));
    for run in [pull, push] {
        assert!(run.device.device.script().image == image_of(5_000));
    }
}

#[tokio::test(start_paused = true)]
async fn transfer_protocol_is_the_scheme_of_the_uri() {
    for (protocol, offered, scheme) in [("COAP", "0", "coap"), ("HTTP", "2", "http")] {
        let query = format!("&transferProtocol={protocol}");
        let run = upgraded(&query, offers(offered)).await.succeeded();
        assert_eq!(run.device.device.script().scheme, scheme);
    }
    for protocol in ["HTTPS", "COAP_TCP", "COAP_TLS"] {
        let query = format!("&transferProtocol={protocol}&checkDeliveryAndProtocol=false");
        let why = format!("The protocol {protocol} is not served here");
        let run = upgraded(&query, |_| {}).await.failed(&why);
        assert_eq!(run.device.got(), [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn over_coaps_the_device_fetches_with_its_own_key() {
    let lab = Lab::new().await;
    let body = json!({
        "id": DEVICE, "domain": "/demo/", "connectorType": "management", "securityMode": "psk",
        "dtlsIdentity": "identity-1", "dtlsPsk": {"HexadecimalPsk": "00112233445566778899aabbccddeeff"}
    });
    lab.post("/devices", Some(body)).await;
    let coaps = lab.world.running.coaps().expect("DTLS is served");
    let key: Vec<u8> = (0..16).map(|it| it * 0x11).collect();
    let device = Device::secured(&lab.network, lab.clock, coaps, ("identity-1", &key));
    device.script().values.insert("/5/0/8", "1".into());
    let (code, message) = device.register(&format!("ep={DEVICE}&lwm2m=1.1")).await;
    assert_eq!(code, Code::CREATED);
    let location = location(&message);
    lab.resource(&image_of(5_000)).await;
    let path = format!(
        "/tasks/upgrade/{DEVICE}/{RESOURCE}?transferProtocol=COAPS&executeImmediately=true"
    );
    let task = lab.post(&path, None).await;
    let device = Registered { device, location };
    let run = finish(&lab, device, task.as_str().expect("an id"))
        .await
        .succeeded();
    assert_eq!(run.device.device.script().scheme, "coaps");
}

#[tokio::test(start_paused = true)]
async fn timeout_is_for_the_whole_of_it() {
    for (timeout, minutes) in [("5m", 5), ("1200s", 20)] {
        let query = format!("&timeout={timeout}&upgradeStrategy=SendBased");
        let run = upgraded(&query, |_| {}).await;
        let run = run.failed("the update took longer than it may");
        let at = |name: &str| run.report[name].as_str().expect("a time").to_owned();
        let (start, end) = (at("startTime"), at("finishTime"));
        let minute = |text: &str| text[14..16].parse::<i32>().expect("minutes");
        assert_eq!(
            (minute(&end) - minute(&start)).rem_euclid(60),
            minutes,
            "{start} {end}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn use_quota_waits_for_a_later_session_and_without_it_nobody_waits() {
    for (quota, waits) in [("true", true), ("false", false)] {
        let lab = Lab::new().await;
        let account = json!({"quota": 1});
        let put = lab
            .world
            .admin(Method::PUT, "/accounts/default", &account)
            .await;
        assert_eq!(put.status, 200, "{}", put.text);
        lab.resource(&image_of(5_000)).await;
        let slow = lab.device_with("slow", "&lt=3600", |_| {}).await;
        let second = lab.device_with("second", "&lt=3600", |_| {}).await;
        // Takes its share and holds it: it never tells that it has the image.
        let held = lab
            .upgrade("slow", "&upgradeStrategy=SendBased&timeout=10m")
            .await;
        let task = lab.upgrade("second", &format!("&useQuota={quota}")).await;
        sleep(Duration::from_secs(60)).await;
        second.uplink().await;
        sleep(Duration::from_secs(1)).await;
        assert_eq!(slow.count("PUT /5/0/1"), 1);
        assert_eq!(
            second.count("PUT /5/0/1"),
            usize::from(!waits),
            "useQuota={quota}"
        );
        assert_eq!(lab.report(&held, "slow").await["status"], "Error");
        let path = format!("/taskReports/summary?taskId={task}");
        if waits {
            assert_eq!(
                lab.get(&path).await["inProgress"],
                0,
                "it waits for a session"
            );
            second.uplink().await;
            sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(second.count("PUT /5/0/1"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn without_observations_states_are_read_when_the_device_comes() {
    let run = upgraded("&upgradeStrategy=WithoutObservations", |_| {})
        .await
        .succeeded();
    assert_eq!(run.observed(), [""; 0]);
    // At first, after the next sign of life, and when it registered anew.
    assert_eq!(run.count("GET /5/0/3"), 3, "{:?}", run.device.got());
    // It took as long as it took the device to come.
    let seconds = |name: &str| {
        let time = run.report[name].as_str().expect("a time");
        time[17..19].parse::<i32>().expect("seconds")
    };
    let took = (seconds("finishTime") - seconds("startTime")).rem_euclid(60);
    assert_eq!(took, 45, "40 until it came, 5 to install");
}

#[tokio::test(start_paused = true)]
async fn observation_trigger_reads_when_something_is_told() {
    let run = upgraded("&upgradeStrategy=ObservationTrigger", |_| {})
        .await
        .succeeded();
    assert_eq!(run.observed()[..2], ["/5/0/3", "/5/0/5"]);
    assert!(run.count("GET /5/0/3") > 2, "{:?}", run.device.got());
    assert_eq!(run.ended(), 2);
}

#[tokio::test(start_paused = true)]
async fn observation_based_observes_the_instance_and_reads_nothing_of_it() {
    let lab = Lab::new().await;
    let senml = |state: u8, result: u8| {
        let told = format!(
            r#"[{{"bn":"/5/0/","n":"3","v":{state}}},{{"n":"5","v":{result}}},{{"n":"8/0","v":0}},{{"n":"9","v":2}}]"#
        );
        Reply::with(Code::CONTENT, 110, told)
    };
    let device = lab.device(DEVICE).await;
    device
        .device
        .script()
        .instead
        .insert("OBSERVE /5/0", senml(0, 0));
    lab.resource(&image_of(5_000)).await;
    let task = lab
        .upgrade(DEVICE, "&upgradeStrategy=ObservationBased")
        .await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(device.count("PUT /5/0/1"), 1, "{:?}", device.got());
    let tell = |state, result| {
        let told = ("/5/0", senml(state, result));
        device.device.script().notifications.push(told);
        device.device.wake();
    };
    tell(1, 0);
    sleep(Duration::from_secs(1)).await;
    device
        .device
        .script()
        .instead
        .insert("OBSERVE /5/0", senml(0, 1));
    tell(2, 0);
    let run = finish(&lab, device, &task).await.succeeded();
    assert_eq!(run.count("POST /5/0/2"), 1);
    for path in ["/5/0/3", "/5/0/5", "/5/0/8", "/5/0/9"] {
        assert_eq!(run.count(&format!("GET {path}")), 0, "{path}");
    }
    assert!(run.observed().iter().all(|it| it == "/5/0"));
    assert_eq!(run.ended(), 1);
}

#[tokio::test(start_paused = true)]
async fn send_based_waits_for_what_the_device_sends() {
    let lab = Lab::new().await;
    let device = lab.device(DEVICE).await;
    lab.resource(&image_of(5_000)).await;
    let task = lab.upgrade(DEVICE, "&upgradeStrategy=SendBased").await;
    let sends = async |state: u8, result: u8, version: &str| {
        let told = format!(
            r#"[{{"n":"/3/0/3","vs":"{version}"}},{{"n":"/5/0/3","v":{state}}},{{"n":"/5/0/5","v":{result}}}]"#
        );
        let (code, _) = device.device.ask(Coap::post("/dp", told).format(110)).await;
        assert_eq!(code, Code::CHANGED);
    };
    sleep(Duration::from_secs(300)).await;
    let reads = device.count("GET /5/0/3");
    assert_eq!((reads, device.count("POST /5/0/2")), (1, 0));
    sends(2, 0, "0.2").await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(device.count("POST /5/0/2"), 1);
    sends(0, 1, "0.3").await;
    let report = lab.report(&task, DEVICE).await;
    assert_eq!(property(&report, "newFirmwareVersion"), Some("0.3"));
    assert_eq!(device.count("GET /5/0/3"), 1, "it was read at first only");
}

#[tokio::test(start_paused = true)]
async fn blocking_keeps_other_tasks_waiting() {
    for (blocking, waits) in [("true", true), ("false", false)] {
        let lab = Lab::new().await;
        let device = lab.device(DEVICE).await;
        lab.resource(&image_of(5_000)).await;
        let query = format!("&blocking={blocking}&upgradeStrategy=SendBased&timeout=5m");
        lab.upgrade(DEVICE, &query).await;
        sleep(Duration::from_secs(5)).await;
        let body = json!({"taskDefinition": {
            "name": "n", "executeImmediately": true,
            "operations": [{"read": {"key": "Device.0.Serial Number"}}]
        }});
        let task = lab
            .post(&format!("/tasks/configure/{DEVICE}"), Some(body))
            .await;
        sleep(Duration::from_secs(60)).await;
        device.uplink().await;
        sleep(Duration::from_secs(5)).await;
        let read = device.count("GET /3/0/2");
        assert_eq!(read, usize::from(!waits), "blocking={blocking}");
        sleep(Duration::from_secs(300)).await;
        device.uplink().await;
        let report = lab.report(task.as_str().expect("an id"), DEVICE).await;
        assert_eq!(report["status"], "Success");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cached_initial_state_is_not_read() {
    for (cached, filled, reads) in [(false, true, 1), (true, true, 0), (true, false, 1)] {
        let lab = Lab::new().await;
        let device = lab.device(DEVICE).await;
        lab.resource(&image_of(5_000)).await;
        if filled {
            let read = |key: &str| json!({"read": {"key": key}});
            let body = json!({"taskDefinition": {"name": "n", "executeImmediately": true, "operations":
                [read("Firmware Update.0.State"), read("Firmware Update.0.Update Result")]}});
            let task = lab
                .post(&format!("/tasks/configure/{DEVICE}"), Some(body))
                .await;
            lab.report(task.as_str().expect("an id"), DEVICE).await;
        }
        let before = device.count("GET /5/0/3");
        lab.upgrade(DEVICE, &format!("&useCacheForInitialStateRead={cached}"))
            .await;
        sleep(Duration::from_secs(1)).await;
        assert_eq!(device.count("PUT /5/0/1"), 1);
        let read = device.count("GET /5/0/3") - before;
        assert_eq!(read, reads, "cached={cached} filled={filled}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_check_refuses_what_the_device_does_not_offer() {
    let refused = upgraded("&transferProtocol=HTTP", offers("0")).await;
    let refused = refused.failed("the device pulls by protocols [0] of /5/0/8 only");
    assert_eq!(refused.count("PUT /5/0/1"), 0);
    assert_eq!(
        (refused.count("GET /5/0/8"), refused.count("GET /5/0/9")),
        (1, 1)
    );
    let pull_only = |device: &Device| {
        device.script().values.insert("/5/0/9", "0".into());
    };
    let refused = upgraded("&transferMethod=Push", pull_only).await;
    refused.failed("the device pulls its images only");
    let query = "&transferProtocol=HTTP&checkDeliveryAndProtocol=false";
    let tried = upgraded(query, offers("0")).await.succeeded();
    assert_eq!(
        (tried.count("GET /5/0/8"), tried.count("GET /5/0/9")),
        (0, 0)
    );
    assert_eq!(tried.device.device.script().scheme, "http");
    // An empty /5/0/8 refuses nothing.
    upgraded("&transferProtocol=HTTP", offers(""))
        .await
        .succeeded();
}

#[tokio::test(start_paused = true)]
async fn a_failed_downlink_ends_it_or_waits_for_the_device() {
    for (resume, ends) in [(false, true), (true, false)] {
        let lab = Lab::new().await;
        let device = lab.device_with(DEVICE, "&lt=3600", |_| {}).await;
        lab.resource(&image_of(5_000)).await;
        let script = || device.device.script();
        script().deaf = true;
        let query = format!("&resumeAfterDownlinkFailure={resume}");
        let task = lab.upgrade(DEVICE, &query).await;
        sleep(Duration::from_secs(300)).await;
        let sent = script().datagrams;
        sleep(Duration::from_secs(300)).await;
        assert_eq!(script().datagrams, sent, "nothing more was sent");
        script().deaf = false;
        device.uplink().await;
        let run = finish(&lab, device, &task).await;
        if ends {
            run.failed("the device gave no answer to Read /3/0/3");
        } else {
            run.succeeded();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn use_observation_observes_state_and_result() {
    let with = upgraded("&useObservation=true", |_| {}).await.succeeded();
    assert_eq!(with.observed()[..2], ["/5/0/3", "/5/0/5"]);
    assert_eq!(with.ended(), 2);
    let without = upgraded("&useObservation=false", |_| {}).await.succeeded();
    assert_eq!(without.observed(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn extend_lifetime_writes_a_longer_one_and_takes_it_back() {
    let run = upgraded("&extendLifetime=true", |_| {}).await.succeeded();
    let got = run.device.got();
    let at = |request: &str| got.iter().position(|it| it == request);
    assert_eq!(run.count("PUT /1/0/1"), 2);
    assert!(at("PUT /1/0/1") < at("PUT /5/0/1"), "{got:?}");
    let written = run.device.device.script().written("/1/0/1");
    assert_eq!(written, ["1260", "300"]);
    let without = upgraded("&extendLifetime=false", |_| {}).await.succeeded();
    assert_eq!(without.count("PUT /1/0/1"), 0);
    // A lifetime that is long enough stays.
    let short = upgraded("&extendLifetime=true&timeout=4m", |_| {})
        .await
        .succeeded();
    assert_eq!(short.count("PUT /1/0/1"), 0);
}

#[tokio::test(start_paused = true)]
async fn execute_immediately_does_not_wait_for_the_device() {
    for (immediately, waits) in [(true, false), (false, true)] {
        let lab = Lab::new().await;
        let device = lab.device(DEVICE).await;
        lab.resource(&image_of(5_000)).await;
        let query = format!("&executeImmediately={immediately}");
        lab.upgrade(DEVICE, &query).await;
        sleep(Duration::from_secs(60)).await;
        assert_eq!(device.got().is_empty(), waits, "{immediately}");
        device.uplink().await;
        sleep(Duration::from_secs(1)).await;
        assert_eq!(device.count("PUT /5/0/1"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_resource_elsewhere_is_fetched_there_and_cannot_be_pushed() {
    let lab = Lab::new().await;
    let device = lab.device(DEVICE).await;
    lab.resource(&image_of(3_000)).await;
    let path = format!("/resources/{RESOURCE}/downloadUrl");
    let body = Some(json!({"protocol": "COAP"}));
    let url = lab.ask(Method::POST, &path, body).await.json()["address"].take();
    let resource = json!({
        "id": "elsewhere", "name": "r", "domain": "/demo/", "category": "FIRMWARE",
        "expirationTime": "FOREVER", "location": {"ExternalLocation": {"fileUrl": url}}
    });
    lab.post("/resources", Some(resource)).await;
    assert_eq!(lab.upload("elsewhere", b"bytes").await.status, 409);
    let at =
        |query: &str| format!("/tasks/upgrade/{DEVICE}/elsewhere?executeImmediately=true{query}");
    let push = lab.post(&at("&transferMethod=Push"), None).await;
    let report = lab.report(push.as_str().expect("an id"), DEVICE).await;
    let why = "A resource that is stored elsewhere cannot be pushed";
    assert_eq!(report["summary"], why);
    let pull = lab.post(&at(""), None).await;
    let run = finish(&lab, device, pull.as_str().expect("an id"))
        .await
        .succeeded();
    assert_eq!(run.device.device.script().scheme, "coap");
    assert!(run.device.device.script().image == image_of(3_000));
}

#[tokio::test(start_paused = true)]
async fn a_resource_without_data_and_one_that_is_not_there_are_in_the_report() {
    let lab = Lab::new().await;
    let device = lab.device(DEVICE).await;
    let resource = json!({
        "id": "empty", "name": "r", "domain": "/demo/", "category": "FIRMWARE",
        "expirationTime": "ONE_DAY", "location": {"InternalLocation": {"fileName": "f"}}
    });
    lab.post("/resources", Some(resource)).await;
    for (id, summary) in [
        ("empty", "Resource has no data: empty"),
        ("unknown", "Resource not found: unknown"),
    ] {
        let parameters = [("resourceId", id), ("transferProtocol", "COAP")];
        let task = lab.template(DEVICE, &parameters).await;
        device.uplink().await;
        let report = lab.report(&task, DEVICE).await;
        assert_eq!(
            (&report["summary"], &report["properties"]),
            (&json!(summary), &json!([]))
        );
    }
    assert_eq!(device.got(), [""; 0]);
    // A day later it has expired, and its id is free.
    sleep(Duration::from_secs(25 * 3_600)).await;
    let gone = lab.upload("empty", b"bytes").await;
    assert_eq!(gone.status, 404);
}
