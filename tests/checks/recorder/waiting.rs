//! "Why is it waiting?", from end to end: in the report of a run that waited in vain.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    path::PathBuf,
    process::{Command, Stdio},
};

use serde_json::Value;

use super::situations::{DEVICE, SITUATIONS, steps};
use crate::support::{called, directory, fotalab};

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

#[test]
fn situations_that_happen_are_said_as_they_are() {
    let directory = directory("recorder-waiting-situations");
    for (name, pattern, _) in SITUATIONS {
        let steps = steps(pattern);
        let scenario = format!("# {name}\n\n## It waits in vain\n\n{steps}");
        let file = format!("{}.feature.md", name.replace([' ', ','], "-"));
        std::fs::write(directory.join(file), scenario).expect("ours to write");
    }
    let ran = fotalab(&directory, &["run", ".", "--report", "out"]);
    assert_eq!(ran.code, Some(100), "{}{}", ran.out, ran.err);
    let report = std::fs::read_to_string(directory.join("out/report.json")).expect("the report");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    for (name, _, expected) in SITUATIONS {
        let features = report["features"].as_array().expect("features");
        let feature = features.iter().find(|it| it["title"] == *name);
        let steps =
            feature.unwrap_or_else(|| panic!("{name} ran"))["scenarios"][0]["steps"].as_array();
        let failed = steps
            .expect("steps")
            .iter()
            .find(|it| it["verdict"] == "failed");
        let waiting = failed.unwrap_or_else(|| panic!("{name} failed"))["waiting"].clone();
        let said: Vec<String> = serde_json::from_value(waiting).expect("texts");
        assert_eq!(said.len(), expected.len(), "{name}: {said:?}");
        for (said, expected) in said.iter().zip(*expected) {
            assert!(begins(said, expected), "{name}: {said}");
        }
    }
}

/// Whether a sentence begins so; `…` stands for anything.
fn begins(said: &str, expected: &str) -> bool {
    let mut parts = expected.split('…');
    let rest = parts.next().and_then(|it| said.strip_prefix(it));
    parts
        .try_fold(rest.unwrap_or_default(), |rest, part| {
            rest.find(part).map(|at| &rest[at + part.len()..])
        })
        .is_some_and(|_| rest.is_some())
}

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
        sleeps.starts_with("device meter-1 sleeps until 00:58:27 "),
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
        said[0].starts_with(
            "device meter-6 could not take the image: its Update Result (/5/0/5) is 2"
        ),
        "{said:?}"
    );
    let more = said.last().expect("a sentence");
    assert_eq!(more, "the other 7 are as the step wants them");
}

/// A scenario that asks a server of the test, and that server.
fn asks(name: &str, retries: u32) -> (PathBuf, TcpListener) {
    let directory = directory(&format!("recorder-waiting-{name}"));
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = server.local_addr().expect("an address");
    let scenario = format!(
        "# A wait\n\n## It asks\n\nWhen I `GET` `http://{address}/x` retrying {retries} times\n\n\
         Soon the status code of the last response should be `200`\n"
    );
    std::fs::write(directory.join("Waits.feature.md"), scenario).expect("ours to write");
    (directory, server)
}

#[test]
fn what_is_quoted_has_no_part_of_a_secret() {
    let (directory, server) = asks("quoted", 1);
    // 200 characters are quoted: the secret is cut.
    let secret = "canary-3f9a1c7e5b2d";
    let body = format!("{{\"detail\":\"{}{secret}\"}}", "x ".repeat(95));
    let answer = format!(
        "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    std::thread::spawn(move || {
        for call in server.incoming() {
            let mut call = call.expect("a connection");
            let mut request = [0; 2_000];
            let length = call.read(&mut request).expect("a request");
            assert!(length > 0);
            call.write_all(answer.as_bytes()).expect("it listens");
        }
    });
    let token = format!("TESTTOKEN={secret}");
    let run = [
        "run",
        "Waits.feature.md",
        "--clock",
        "real",
        "--report",
        "out",
        "--set",
        &token,
    ];
    let ran = fotalab(&directory, &run);
    assert_eq!(ran.code, Some(100), "{ran:?}");
    assert!(ran.out.contains("and it says: x x"), "{}", ran.out);
    assert!(!ran.out.contains("canary"), "{}", ran.out);
    for file in ["report.json", "index.html"] {
        let text = std::fs::read_to_string(directory.join("out").join(file)).expect("a report");
        assert!(!text.contains("canary"), "{file}");
    }
}

#[test]
fn a_wait_that_somebody_interrupts() {
    let (directory, server) = asks("interrupted", 50);
    let child = Command::new(env!("CARGO_BIN_EXE_fotalab"))
        .current_dir(&directory)
        .args([
            "run",
            "Waits.feature.md",
            "--clock",
            "real",
            "--report",
            "out",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command is built");
    let ask = || {
        let mut stream = called(&server);
        let mut request = [0; 2_000];
        let length = stream.read(&mut request).expect("a request");
        assert!(length > 0);
        stream
    };
    for _ in 0..2 {
        let answer = "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        ask().write_all(answer.as_bytes()).expect("it listens");
    }
    // The third time it has no answer when it is interrupted.
    let unanswered = ask();
    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(killed.is_ok_and(|it| it.success()));
    let output = child.wait_with_output().expect("it ends");
    drop(unanswered);
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout);
    let expected =
        "the server answered GET /x with 404 2 times: it knows nothing of that name, or not yet";
    assert!(said.contains(expected), "{said}");
    assert!(said.contains("    2 attempts in "), "{said}");
}
