//! Devices, links, peers and the wire: every expectation can fail and says why, the same seed
//! makes the same trace, keys stay out of sight, a server elsewhere is spoken to over sockets.

use std::{fs, path::Path};

use crate::support::{directory, fotalab, serve_for};

/// A device that has been updated by push, and what is there to look at.
const UPDATED: &str = r#"# A device

## Is updated

Given there is a device `meter-1` running `1.0.0`

```toml
delivery = "push"
block-bytes = 512
```

And there is a firmware image `new` with the version `2.0.0` and `2048` bytes

And there is a firmware image `other` with the version `3.0.0` and `2048` bytes

And there is a CoAP peer `tester`

And the device `meter-1` is switched on

Soon the device `meter-1` should be registered

When the server updates `meter-1` to the image `new` by `push`

Then within `1 h` the server's update of `meter-1` should be `succeeded`

When the server asks `meter-1` to `read` `/3/0/3`

"#;

/// Steps that do not hold after that, and what has to be said of each.
const WRONG: &[(&str, &[&str])] = &[
    (
        "Then the device `meter-1` should run `3.0.0`",
        &["should run 3.0.0", "runs 2.0.0"],
    ),
    (
        "Then the device `meter-1` should not be registered",
        &["should not be registered", "registered"],
    ),
    (
        "Then the device `meter-1` should be asleep",
        &["should be asleep", "awake"],
    ),
    (
        "Then the device `meter-1` should have the update state `downloading` and the result `1`",
        &[
            "state 1 (downloading)",
            "state 0 (idle), result 1 (success)",
        ],
    ),
    (
        "Then the device `meter-1` should have flashed the image `other`",
        &[
            "have flashed the image other",
            "flashed 2048 bytes, SHA-256",
        ],
    ),
    (
        "Then the device `meter-1` should have started `5` times",
        &["started 2 times"],
    ),
    (
        "Then the device `meter-1` should have begun to install `0` times",
        &["began to install 1 times"],
    ),
    (
        "Then `0` of the devices `meter-*` should run `2.0.0`",
        &["1 of 1 devices, not 0", "meter-1: does so"],
    ),
    (
        "Then all of the devices `meter-*` should run `1.0.0`",
        &["0 of 1 devices, not 1", "meter-1: runs 2.0.0"],
    ),
    (
        "Then for `1 min` the device `meter-1` should not run `2.0.0`",
        &["did run `2.0.0`"],
    ),
    (
        "When the device `meter-1` is switched off\n\nThen for `1 min` the device `meter-1` should stay registered",
        &["lost its registration"],
    ),
    (
        "Then the update history of the device `meter-1` should be\n\n```\n0/0\n1/0\n2/0\n3/0\n0/8\n```",
        &[
            "at $[4]",
            "0/8",
            "0/1",
            "it went through 0/0 1/0 2/0 3/0 0/1",
        ],
    ),
    (
        "Then the device `meter-1` should have received at most `100` bytes",
        &["at most 100"],
    ),
    (
        "Then `flashed.length` of the device `meter-1` should equal\n\n```json\n1\n```",
        &["2048", "is not what it should be"],
    ),
    (
        "Then the server's update of `meter-1` should be `failed`",
        &["succeeded", "failed"],
    ),
    (
        "Then `result` of the server's update of `meter-1` should equal\n\n```json\n8\n```",
        &["expected  8", "actual    1"],
    ),
    (
        "Then the operation should be answered with `4.04`",
        &["4.04", "2.05", "2.0.0"],
    ),
    ("Then the operation should fail", &["was answered"]),
    (
        "Then `value` of the operation's answer should equal\n\n```json\n\"1.0.0\"\n```",
        &["1.0.0", "2.0.0"],
    ),
    (
        "Then these CoAP messages should have crossed for `meter-1`\n\n```\n-> CON PUT /5/0/0 Block1: 3/1/512\n<- ACK 2.04\n```",
        &[
            "`-> CON PUT /5/0/0 Block1: 3/1/512` has not crossed for `meter-1`",
            "at Block1",
            "3/1/512",
            "3/0/512",
            "the nearest is -> CON PUT /5/0/0",
        ],
    ),
    (
        "Then exactly these CoAP messages should have crossed for `meter-1`\n\n```\n<- CON POST /rd\n-> ACK 2.01\n```",
        &[
            "something else has crossed for `meter-1`",
            "it is -> CON GET",
        ],
    ),
    (
        "Then the CoAP message `-> CON DELETE *` should have crossed for `meter-1`",
        &["`-> CON DELETE *` has not crossed", "the nearest is"],
    ),
    (
        "Then the CoAP message `-> * POST /5/0/2` should not have crossed for `meter-1`",
        &["`-> * POST /5/0/2` has crossed", "it is -> CON POST /5/0/2"],
    ),
    (
        "Then none of these CoAP messages should have crossed for `meter-1`\n\n```\n-> * GET /9\n-> * PUT /5/0/0\n```",
        &["`-> * PUT /5/0/0` has crossed"],
    ),
    (
        "Then exactly `4` CoAP messages `-> CON PUT /5/0/0` should have crossed for `meter-1`",
        &["3 messages `-> CON PUT /5/0/0` have crossed", "exactly 4"],
    ),
    (
        "Then at least `5` CoAP messages `-> CON PUT /5/0/0` should have crossed for `meter-1`",
        &["3 messages `-> CON PUT", "at least 5"],
    ),
    (
        "Then at most `1` CoAP message `-> CON PUT /5/0/0` should have crossed for `meter-1`",
        &["3 messages `-> CON PUT", "at most 1"],
    ),
    (
        "Then `$count($)` of the CoAP messages `-> CON PUT /5/0/0` of `meter-1` should equal\n\n```json\n1\n```",
        &["the 3 CoAP messages", "expected  1"],
    ),
    (
        "Then the CoAP message `* (lost)` should have crossed for `meter-2`",
        &["there is no device or peer `meter-2`"],
    ),
    (
        "Then the device `metre-1` should be registered",
        &["there is no device `metre-1`", "there are meter-1"],
    ),
    (
        "When the peer `tester` sends to `${COAPURL}`\n\n```\nCON 0.00\nMID: 5\n```\n\nThen the peer `tester` should receive\n\n```\nRST 0.00\nMID: 6\n```",
        &["has not received that", "at MID", "RST 0.00"],
    ),
    (
        "When the peer `tester` sends to `${COAPURL}`\n\n```\nCON 0.00\n```\n\nThen the peer `tester` should not receive anything",
        &["received what it should not", "RST 0.00"],
    ),
    (
        "Then the peer `tester` should receive\n\n```\nACK 2.01\n```",
        &["it has received nothing at all"],
    ),
    (
        "Then the server updates `meter-1` to the image `newer`",
        &["there is no image `newer`", "the images are: new, other"],
    ),
    (
        "Then the server updates `meter-9` to the image `new`",
        &["it answered 404"],
    ),
    (
        "Then `registration.lifetime` of what the server knows of `meter-1` should equal\n\n```json\n1\n```",
        &["what the server knows of `meter-1` is not", "actual    300"],
    ),
    (
        "Then what the server knows of `meter-9` should match\n\n```json\n{ \"registration\": {} }\n```",
        &["what the server knows of `meter-9` is not", "null"],
    ),
    (
        "Then the server should tell\n\n```json\n{ \"event\": \"registered\" }\n```",
        &["nobody listens to the server"],
    ),
    (
        "Given I listen to what the server tells\n\nThen the server should tell\n\n```json\n{ \"event\": \"registered\" }\n```",
        &["the server has told nothing"],
    ),
    (
        "Given I listen to what the server tells\n\nAnd the device `meter-1` sends a registration update\n\n\
         Then the server should tell\n\n```json\n{ \"event\": \"expired\" }\n```",
        &[
            "the server has not told that",
            "it told {\"event\":\"updated\"",
        ],
    ),
    (
        "Given I listen to what the server tells\n\nAnd the device `meter-1` sends a registration update\n\n\
         Then the server should have told this `2` times\n\n```json\n{ \"event\": \"updated\" }\n```",
        &["the server has told that 1 times"],
    ),
    (
        "When somebody else sends the bytes `40 00 12 34` to the server in the name of the device `meter-9`",
        &["the device `meter-9` has not spoken yet"],
    ),
];

#[test]
fn every_expectation_can_fail_and_says_why() {
    let place = directory("devices-fail");
    for (number, (steps, _)) in WRONG.iter().enumerate() {
        let text = format!("{UPDATED}{steps}\n")
            .replace("# A device\n", &format!("# Number {number:02}.\n"));
        fs::write(place.join(format!("{number:02}.feature.md")), text).expect("it can be written");
    }
    let ran = fotalab(&place, &["run", "."]);
    assert_eq!(ran.code, Some(100), "{}{}", ran.out, ran.err);
    let mut mistakes = Vec::new();
    for (number, (steps, words)) in WRONG.iter().enumerate() {
        let title = format!("✗ Number {number:02}. › ");
        let Some(told) = ran.out.split(&title).nth(1) else {
            mistakes.push(format!("it held: {steps}"));
            continue;
        };
        let told = told.split("\n✗ ").next().unwrap_or_default();
        let missing = words.iter().filter(|it| !told.contains(*it));
        let missing: Vec<_> = missing.collect();
        if !missing.is_empty() {
            mistakes.push(format!("{steps}\n  does not say {missing:?}:\n{told}"));
        }
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

#[test]
fn the_same_seed_makes_the_same_trace() {
    let trace = |name: &str, seed: &str| {
        let place = directory(name);
        let report = place.display().to_string();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let all = [
            "run",
            "features/devices",
            "--seed",
            seed,
            "--report",
            &report,
        ];
        let ran = fotalab(root, &all);
        assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
        fs::read_to_string(place.join("trace.ndjson")).expect("the trace of a run")
    };
    let first = trace("trace-first", "11");
    assert!(first.lines().count() > 1_000, "little was traced");
    let second = trace("trace-second", "11");
    for (nth, (one, other)) in first.lines().zip(second.lines()).enumerate() {
        assert_eq!(one, other, "line {}", nth + 1);
    }
    assert_eq!(first.lines().count(), second.lines().count());
    assert_ne!(first, trace("trace-third", "12"));
}

#[test]
fn keys_of_devices_stay_out_of_sight() {
    let place = directory("devices-keys");
    let (known, unused) = (
        "00c0ffee00c0ffee00c0ffee00c0ffee",
        "00DECAF000DECAF000DECAF000DECAF0",
    );
    let text = format!(
        "# Keys\n\n## Are given\n\nGiven there is a device `meter-1` running `1.0.0`\n\n```toml\n\
         psk = {{ identity = \"one\", key = \"{known}\" }}\n```\n\nWhen the device `meter-1` is switched on\n\n\
         Soon the device `meter-1` should run `2.0.0`\n\nGiven there is a device `meter-2` running `1.0.0`\n\n\
         ```json\n{{ \"psk\": {{ \"key\": \"{unused}\" }} }}\n```\n"
    );
    fs::write(place.join("a.feature.md"), text).expect("it can be written");
    let ran = fotalab(&place, &["run", ".", "--report", "report"]);
    assert_eq!(ran.code, Some(100), "{}{}", ran.out, ran.err);
    let mut all = vec![
        ("stdout".to_owned(), ran.out),
        ("stderr".to_owned(), ran.err),
    ];
    for entry in fs::read_dir(place.join("report"))
        .expect("a report")
        .flatten()
    {
        let text = String::from_utf8_lossy(&fs::read(entry.path()).expect("readable")).into_owned();
        all.push((entry.path().display().to_string(), text));
    }
    assert!(
        all.iter()
            .any(|(_, text)| text.contains("CON POST /rd?ep=meter-1"))
    );
    for (name, text) in &all {
        for key in [known, unused] {
            assert!(!text.contains(key), "{name} has a key");
        }
    }
}

#[test]
fn devices_speak_to_a_server_elsewhere() {
    let place = directory("devices-target");
    let _served = serve_for(&place.join("server.toml"));
    let block = "```toml\ndelivery = \"push\"\nblock-bytes = 512\n```";
    let quick = "```toml\ndelivery = \"push\"\nblock-bytes = 512\nreboot = \"100 ms\"\ninstall = \"0 s\"\nupdate-after = \"100 ms\"\n```";
    let steps = "Then `value` of the operation's answer should equal\n\n```json\n\"2.0.0\"\n```\n\nAnd the CoAP message \
                 `-> CON PUT /5/0/0 Block1: 3/0/512` should have crossed for `meter-1`\n";
    let feature = UPDATED.replace(block, quick) + steps;
    fs::write(place.join("a.feature.md"), feature).expect("it can be written");
    let ran = fotalab(
        &place,
        &[
            "run",
            "a.feature.md",
            "--target",
            "server.toml",
            "--clock",
            "real",
        ],
    );
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
}
