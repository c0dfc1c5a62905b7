//! The server is killed at any moment of a group task and started again on what was safe: no task
//! is lost, none is executed twice on a device, and the reports are complete.

use fotalab_server::{Memory, Storage};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use super::*;

const MEMBERS: usize = 12;

struct Lives {
    network: Arc<dyn Network>,
    clock: Clock,
    memory: Memory,
}

impl Lives {
    fn new() -> Self {
        Self {
            network: Arc::new(InMemory::new()),
            clock: Clock::starting_at(EPOCH),
            memory: Memory::default(),
        }
    }

    async fn begin(&self) -> Lab {
        let memory = self.memory.clone();
        Lab::on(Arc::clone(&self.network), self.clock, |config| {
            config.storage = Storage::Memory(memory);
            config.listen = SocketAddr::from(([127, 0, 0, 1], 8_080));
            config.coap = Some(SocketAddr::from(([127, 0, 0, 1], 5_683)));
        })
        .await
    }

    /// Of what was not flushed, the first `kept` changes are left.
    async fn crash(&mut self, lab: Lab, kept: usize) {
        let left = self.memory.crashed(kept);
        lab.world.running.stop().await;
        self.memory = left;
    }
}

async fn killed_again_and_again(seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let mut lives = Lives::new();
    let mut lab = lives.begin().await;
    let account = json!({"campaigns": {"inFlight": 5}});
    lab.world
        .admin(Method::PUT, "/accounts/default", &account)
        .await;
    lab.resource(&image_of(2_000)).await;
    let mut devices = Vec::new();
    for number in 0..MEMBERS {
        let id = format!("dev-{number}");
        let fails = |device: &Device| {
            device.script().fails_with = (number % 6 == 5).then_some("5");
        };
        devices.push(lab.device_with(&id, "&lt=86400", fails).await);
        lab.join(&id, GROUP).await;
    }
    let task = lab.on_group(GROUP, &how_to::HOW_TO).await;
    let mut rounds = 0;
    loop {
        for device in &devices {
            let update = Coap::post(&device.location(), "");
            device.device.script().outbox.push(update);
            device.device.wake();
        }
        let pause = random.random_range(0..6_000);
        sleep(Duration::from_millis(pause)).await;
        let summary = lab.summary(&task).await;
        assert_eq!(summary["totalScheduled"], MEMBERS, "seed {seed}: {summary}");
        if summary["notCompleted"] == 0 {
            break;
        }
        rounds += 1;
        assert!(rounds < 200, "seed {seed}: {summary}");
        if random.random_bool(0.5) {
            let kept = match lives.memory.unflushed() {
                0 => 0,
                most => random.random_range(0..=most),
            };
            lives.crash(lab, kept).await;
            sleep(Duration::from_millis(random.random_range(0..3_000))).await;
            lab = lives.begin().await;
        }
    }
    for (number, device) in devices.iter().enumerate() {
        let report = lab.report(&task, &format!("dev-{number}")).await;
        let runs = device.device.script().values["/3/0/3"].clone();
        let executes = device.count("POST /5/0/2");
        let expected = match number % 6 {
            5 => (json!("Error"), "0.2", 0),
            _ => (json!("Success"), "0.3", 1),
        };
        let found = (report["status"].clone(), runs.as_str(), executes);
        assert_eq!(found, expected, "seed {seed}, dev-{number}: {report:#}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_task_survives_any_moment() {
    for seed in 0..30 {
        killed_again_and_again(seed).await;
    }
}

#[tokio::test(start_paused = true)]
async fn all_that_was_answered_is_there_again() {
    let mut lives = Lives::new();
    let lab = lives.begin().await;
    let account = json!({"coioteToken": "token-of-acme", "domain": "/acme/"});
    lab.world
        .admin(Method::PUT, "/accounts/acme", &account)
        .await;
    let _device = lab.device_with(DEVICE, "&lt=86400", |_| {}).await;
    lab.join(DEVICE, GROUP).await;
    lab.post("/groups", Some(json!({"id": GROUP, "description": "mine"})))
        .await;
    lab.resource(&image_of(3_000)).await;
    let body = json!({"taskDefinition": {
        "name": "n", "executeImmediately": true,
        "operations": [{"read": {"key": "Device.0.Manufacturer"}}]
    }});
    let done = lab
        .post(&format!("/tasks/configure/{DEVICE}"), Some(body))
        .await;
    let done = done.as_str().expect("an id").to_owned();
    let report = lab.report(&done, DEVICE).await;
    let waiting = lab.on_group(GROUP, &how_to::HOW_TO).await;
    let deleted = lab.template(DEVICE, &how_to::HOW_TO).await;
    lab.ask(Method::DELETE, &format!("/tasks/{deleted}"), None)
        .await;
    let mut entity = lab.get(&format!("/devices/{DEVICE}")).await;
    let before = lab.everything(&[&done, &waiting]).await;
    lives.crash(lab, 0).await;
    let lab = lives.begin().await;
    let mut after = lab.get(&format!("/devices/{DEVICE}")).await;
    for shown in [&mut entity, &mut after] {
        // Times change too often to be written each time.
        for name in ["lastContactTime", "lastSessionTime"] {
            shown[name] = Value::Null;
        }
        shown["properties"] = Value::Null;
    }
    assert_eq!(after, entity);
    assert_eq!(lab.report(&done, DEVICE).await, report);
    let mut now = lab.everything(&[&done, &waiting]).await;
    let mut then = before;
    (now[0], then[0]) = (Value::Null, Value::Null);
    assert_eq!(now, then);
    let other = lab
        .ask_as("token-of-acme", Method::GET, "/tasks", None)
        .await;
    assert_eq!(other.status, 200);
    // Numbers go on.
    let next = lab.template(DEVICE, &how_to::HOW_TO).await;
    assert!(next.ends_with(":3"), "{next}");
}

#[tokio::test(start_paused = true)]
async fn an_execute_of_a_task_is_not_repeated() {
    for kept in 0..40 {
        let mut lives = Lives::new();
        let lab = lives.begin().await;
        let device = lab.device_with(DEVICE, "&lt=86400", |_| {}).await;
        // It reboots without a word.
        device.device.script().silent = Some("POST /3/0/4");
        let body = json!({"taskDefinition": {"name": "n", "executeImmediately": true, "operations": [
            {"read": {"key": "Device.0.Manufacturer"}},
            {"execute": {"key": "Device.0.Reboot"}}
        ]}});
        let task = lab
            .post(&format!("/tasks/configure/{DEVICE}"), Some(body))
            .await;
        let task = task.as_str().expect("an id").to_owned();
        sleep(Duration::from_millis(200)).await;
        lives.crash(lab, kept).await;
        device.device.script().silent = None;
        let lab = lives.begin().await;
        device.uplink().await;
        let report = lab.report(&task, DEVICE).await;
        assert_eq!(device.count("POST /3/0/4"), 1, "{kept}: {report:#}");
        assert_eq!(report["status"], "Error");
        let why = "The server was restarted; whether Execute reached the device is not known";
        assert_eq!(report["summary"], why);
        assert_eq!(property(&report, "Device.0.Manufacturer"), Some("AVSystem"));
    }
}
