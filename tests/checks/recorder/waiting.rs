//! "Why is it waiting?", from end to end: in the report of a run that waited in vain.

use serde_json::Value;

use crate::support::{directory, fotalab};

/// What a scenario's failed step says that each side waited for.
fn waits(name: &str, steps: &str) -> Vec<String> {
    let directory = directory(&format!("recorder-waiting-{name}"));
    let scenario = format!("# A wait\n\n## It waits in vain\n\n{steps}");
    std::fs::write(directory.join("Waits.feature.md"), scenario).expect("ours to write");
    let ran = fotalab(&directory, &["run", "Waits.feature.md", "--report", "out"]);
    assert_eq!(ran.code, Some(100), "{}{}", ran.out, ran.err);
    let report = std::fs::read_to_string(directory.join("out/report.json")).expect("the report");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    let steps = report["features"][0]["scenarios"][0]["steps"]
        .as_array()
        .expect("steps")
        .clone();
    let failed = steps
        .iter()
        .find(|it| it["verdict"] == "failed")
        .expect("one failed");
    let said = failed["waiting"].as_array().expect("it waited").clone();
    let said: Vec<String> = said
        .iter()
        .map(|it| it.as_str().expect("text").to_owned())
        .collect();
    for line in &said {
        assert!(
            ran.out.contains(line.as_str()),
            "the console says it too: {}",
            ran.out
        );
    }
    said
}

const DEVICE: &str = "Given there is a device `meter-1` running `1.0.0`\n\n";

#[test]
fn a_device_that_sleeps() {
    let said = waits(
        "asleep",
        &format!(
            "{DEVICE}```toml\nqueue-mode = true\nlifetime = \"1 h\"\nawake = \"93 s\"\n```\n\n\
             And there is a firmware image `new` with the version `2.0.0` and `8192` bytes\n\n\
             And the device `meter-1` is switched on\n\n\
             Soon the device `meter-1` should be registered\n\n\
             Then within `5 min` the device `meter-1` should be asleep\n\n\
             When the server updates `meter-1` to the image `new` by `pull`\n\n\
             Then within `1 min` the device `meter-1` should run `2.0.0`\n"
        ),
    );
    let [sleeps, update] = said.as_slice() else {
        panic!("{said:?}")
    };
    assert!(
        sleeps.starts_with("device meter-1 sleeps until 00:"),
        "{sleeps}"
    );
    let queued = "(queue mode, awake window closed 00:01:33); Read /3/0/3 is queued for it; nothing is wrong yet";
    assert!(sleeps.ends_with(queued), "{sleeps}");
    assert!(
        update.contains("is queued and waits for the device to hear Read /3/0/3"),
        "{update}"
    );
}

#[test]
fn a_device_that_nobody_switched_on() {
    let said = waits(
        "off",
        &format!("{DEVICE}Soon the device `meter-1` should be registered\n"),
    );
    assert_eq!(
        said,
        ["device meter-1 is switched off: no step has switched it on"]
    );
}

#[test]
fn a_cloud_that_has_no_answer() {
    let said = waits(
        "upstream",
        "Given I have the fingerprint for a `PCA20065` device in `fp`\n\n\
         And I connect to the websocket using fingerprint `${fp}`\n\n\
         Soon I should receive a message on the websocket that matches after 3 retries\n\n\
         ```json\n{ \"reported\": [] }\n```\n",
    );
    let called = "the server called the cloud with GET /v1/devices ";
    assert!(said[0].starts_with(called), "{said:?}");
    assert!(
        said[0].ends_with("for which nothing is queued, so it got 404"),
        "{said:?}"
    );
}

#[test]
fn the_one_of_many_that_is_missing() {
    let said = waits(
        "one-of-many",
        "Given there are `8` devices `meter-{}` running `1.0.0`\n\n```toml\ndelivery = \"push\"\n```\n\n\
         And the device `meter-6` has the fault `out of flash at 60 %`\n\n\
         And there is a firmware image `new` with the version `2.0.0` and `8192` bytes\n\n\
         When the devices `meter-*` are switched on\n\n\
         Soon all of the devices `meter-*` should be registered\n\n\
         When the server updates `meter-*` to the image `new`\n\n\
         Then within `2 h` all of the devices `meter-*` should run `2.0.0`\n",
    );
    assert!(
        said[0].starts_with("device meter-6 refused the image: its Update Result (/5/0/5) is 2"),
        "{said:?}"
    );
    let more = said.last().expect("a sentence");
    assert_eq!(more, "and 7 more devices, which were not looked at");
}
