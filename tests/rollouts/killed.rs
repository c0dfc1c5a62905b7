//! A server is killed in the middle of a rollout and started again: nothing is lost.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use fotalab_simulators::device::drive::Driver;
use fotalab_wire::net::{Clock, Sockets};
use serde_json::{Map, Value};
use tokio::time::sleep;

use crate::{World, address, horde, iotaap::Group};

const DEVICES: usize = 40;
/// Arrived when the server is killed: some, not all.
const AT: usize = 5;

/// A server in a process of its own, on the same ports each time.
struct Served {
    child: Child,
    context: Map<String, Value>,
}

impl Served {
    /// Starts it with its data in `folder`; `before` is what it said the last time.
    fn start(folder: &Path, before: Option<&Map<String, Value>>) -> Self {
        let config = folder.join("serve.toml");
        let tokens =
            "admin_token = \"admin\"\nhorde_token = \"horde\"\niotaap_token = \"iotaap\"\n";
        std::fs::write(&config, tokens).expect("it can be written");
        let place = |name: &str| match before {
            None => "127.0.0.1:0".to_owned(),
            Some(said) => {
                let url = said[name].as_str().expect("a URL");
                let rest = url.split_once("://").expect("a URL").1;
                rest.split('/').next().unwrap_or_default().to_owned()
            }
        };
        let mut child = Command::new(env!("CARGO_BIN_EXE_fotalab"))
            .arg("serve")
            .args(["--http", &place("ADMINURL"), "--coap", &place("COAPURL")])
            .arg("--data")
            .arg(folder.join("data"))
            .arg("--config")
            .arg(&config)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let out = BufReader::new(child.stdout.take().expect("it is piped"));
        let line = out.lines().next().expect("a line").expect("text");
        let context = serde_json::from_str(&line).expect("JSON");
        Self { child, context }
    }

    fn kill(mut self) -> Map<String, Value> {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ended");
        self.context
    }
}

fn world() -> World {
    World {
        network: Arc::new(Sockets),
        clock: Clock::of_machine(),
        lifetime: Duration::from_secs(3),
    }
}

fn folder(name: &str) -> std::path::PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    // What an earlier run left.
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir_all(&folder).expect("it can be made");
    folder
}

#[tokio::test]
async fn a_collection_of_horde_arrives_all_the_same() {
    let (world, folder) = (world(), folder("killed-horde"));
    let served = Served::start(&folder, None);
    let rollout = horde::Rollout::new(&world, &served.context, DEVICES).await;
    rollout.target().await;
    let fleet = horde::fleet(&world, &served.context, DEVICES);
    let coap = address(&served.context["COAPURL"]);
    let network = Arc::clone(&world.network);
    let mut driver = Driver::new(fleet, network, coap, world.clock).expect("a socket");
    let devices = tokio::spawn(async move {
        driver
            .run_until(Duration::MAX)
            .await
            .expect("the socket works");
    });
    let mut arrived = 0;
    while arrived < AT {
        sleep(Duration::from_millis(50)).await;
        arrived = rollout.poll().await.expect("it is up");
    }
    assert!(arrived < DEVICES, "it was to be killed in the middle");
    let before = served.kill();
    assert_eq!(rollout.poll().await, None);
    let served = Served::start(&folder, Some(&before));
    let after = rollout.poll().await.expect("it is up");
    assert!(after >= arrived, "{after} of {arrived}");
    for _ in 0..2_000 {
        if rollout.poll().await == Some(DEVICES) {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    let arrived = rollout.poll().await;
    assert_eq!(arrived, Some(DEVICES), "{:#?}", rollout.states().await);
    devices.abort();
    served.kill();
}

#[tokio::test]
async fn a_group_of_iotaap_arrives_all_the_same() {
    let (world, folder) = (world(), folder("killed-iotaap"));
    let served = Served::start(&folder, None);
    let group = Group::new(&world, &served.context, DEVICES).await;
    let fleet = group.fleet(&world, &served.context, DEVICES);
    let coap = address(&served.context["COAPURL"]);
    let network = Arc::clone(&world.network);
    let mut driver = Driver::new(fleet, network, coap, world.clock).expect("a socket");
    group.deploy("2.0.0").await;
    let arrived = |driver: &Driver| {
        let versions = driver.fleet.census().versions;
        versions.get("2.0.0").copied().unwrap_or_default()
    };
    while arrived(&driver) < AT {
        let until = driver.now() + Duration::from_millis(20);
        driver.run_until(until).await.expect("the socket works");
    }
    assert!(
        arrived(&driver) < DEVICES,
        "it was to be killed in the middle"
    );
    let mut lists = Vec::new();
    for path in ["/groups", "/ota/group"] {
        lists.push(group.api.get(path).await);
    }
    let before = served.kill();
    let served = Served::start(&folder, Some(&before));
    for (path, list) in ["/groups", "/ota/group"].iter().zip(&lists) {
        assert_eq!(group.api.get(path).await, *list);
    }
    for _ in 0..2_000 {
        let until = driver.now() + Duration::from_millis(100);
        driver.run_until(until).await.expect("the socket works");
        if arrived(&driver) == DEVICES {
            break;
        }
    }
    assert_eq!(arrived(&driver), DEVICES);
    served.kill();
}
