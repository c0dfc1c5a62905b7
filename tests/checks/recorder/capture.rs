//! Captures, read by tshark: somebody else's decoder of CoAP, blocks and DTLS.

use std::{path::Path, process::Command};

use serde_json::{Value, json};

use crate::support::{directory, fotalab};

/// A push that ends well, and an expectation that does not.
fn scenario(security: &str) -> String {
    format!(
        "# A push that fails\n\n## It is updated\n\nGiven there is a device `meter-1` running `1.0.0`\n\n\
         ```toml\nblock-bytes = 64\n{security}\n```\n\n\
         And there is a firmware image `new` with the version `2.0.0` and `2048` bytes\n\n\
         When the device `meter-1` is switched on\n\nSoon the device `meter-1` should be registered\n\n\
         When the server updates `meter-1` to the image `new` by `push`\n\n\
         Then within `10 min` the device `meter-1` should run `3.0.0`\n"
    )
}

/// Runs it, and gives the capture.
fn captured(name: &str, security: &str, flags: &[&str]) -> Vec<std::path::PathBuf> {
    let directory = directory(&format!("recorder-capture-{name}"));
    let file = directory.join("Push.feature.md");
    std::fs::write(file, scenario(security)).expect("ours to write");
    let mut arguments = vec!["run", "Push.feature.md", "--report", "out"];
    arguments.extend(flags);
    let ran = fotalab(&directory, &arguments);
    assert_eq!(ran.code, Some(100), "{}{}", ran.out, ran.err);
    let Ok(captures) = std::fs::read_dir(directory.join("out/captures")) else {
        return Vec::new();
    };
    captures.map(|it| it.expect("an entry").path()).collect()
}

/// What tshark sees, a line for each packet that fits; `None` is printed as a skip.
fn tshark(file: &Path, filter: &str, fields: &[&str]) -> Option<Vec<String>> {
    let mut command = Command::new("tshark");
    command
        .arg("-r")
        .arg(file)
        .args(["-Y", filter, "-T", "fields"]);
    for field in fields {
        command.args(["-e", field]);
    }
    let Ok(output) = command.output() else {
        eprintln!("SKIPPED: there is no tshark; `apt-get install tshark`");
        return None;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(lines.lines().map(str::to_owned).collect())
}

/// The block numbers of the requests: 64 bytes a block, after a first one that was larger.
fn blocks_are_in_order(file: &Path) {
    let fields = ["coap.opt.block_number", "coap.opt.block_size"];
    let Some(blocks) = tshark(file, "coap.code == 3 && coap.opt.block_number", &fields) else {
        return;
    };
    let numbers: Vec<u32> = blocks
        .iter()
        .map(|it| {
            it.split('\t')
                .next()
                .and_then(|it| it.parse().ok())
                .expect("a number")
        })
        .collect();
    assert_eq!(numbers.first(), Some(&0), "{blocks:?}");
    assert_eq!(numbers.last(), Some(&31), "{blocks:?}");
    assert!(numbers.len() > 16, "{blocks:?}");
    assert!(numbers.is_sorted(), "{blocks:?}");
}

#[test]
fn a_capture_is_coap_with_its_blocks_in_order() {
    let captures = captured("plain", "", &["--capture"]);
    let [file] = captures.as_slice() else {
        panic!("one scenario failed: {captures:?}")
    };
    blocks_are_in_order(file);
    let Some(registered) = tshark(file, "coap.opt.uri_path == \"rd\"", &["coap.code"]) else {
        return;
    };
    assert!(registered.iter().any(|it| it == "2"), "{registered:?}");
    let broken = tshark(file, "_ws.malformed || !coap", &["frame.number"]);
    assert_eq!(broken.as_deref(), Some([].as_slice()));
}

#[test]
fn sealed_datagrams_open_with_the_secrets_and_without_them_stay_sealed() {
    let security = "security = \"psk\"";
    let captures = captured("sealed", security, &["--capture"]);
    let [file] = captures.as_slice() else {
        panic!("one scenario failed: {captures:?}")
    };
    let bytes = std::fs::read(file).expect("a capture");
    let says = |bytes: &[u8], word: &[u8]| bytes.windows(word.len()).any(|it| it == word);
    assert!(
        !says(&bytes, b"CLIENT_RANDOM"),
        "a secret that nobody asked for"
    );
    if let Some(coap) = tshark(file, "coap", &["frame.number"]) {
        assert!(coap.is_empty(), "{coap:?}");
        let sealed = tshark(file, "dtls", &["frame.number"]).unwrap_or_default();
        assert!(sealed.len() > 50, "{}", sealed.len());
    }
    let captures = captured("opened", security, &["--capture-secrets"]);
    let [file] = captures.as_slice() else {
        panic!("one scenario failed: {captures:?}")
    };
    let bytes = std::fs::read(file).expect("a capture");
    assert!(says(&bytes, b"CLIENT_RANDOM"), "the secrets were asked for");
    blocks_are_in_order(file);
}

#[test]
fn nothing_is_captured_that_nobody_asked_for() {
    assert_eq!(captured("none", "", &[]), Vec::<std::path::PathBuf>::new());
    let directory = directory("recorder-capture-nowhere");
    std::fs::write(directory.join("Push.feature.md"), scenario("")).expect("ours to write");
    let ran = fotalab(&directory, &["run", "Push.feature.md", "--capture"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("--report DIR"), "{}", ran.err);
}

#[test]
fn a_block_shows_how_it_begins_and_a_whole_payload_all_it_has() {
    let directory = directory("recorder-payloads");
    let payload = "fe".repeat(200);
    let sent = |path: &str, block: &str| {
        format!(
            "When the peer `tester` sends to `${{COAPURL}}`\n\n```\nNON POST {path}\n{block}\nhex:{payload}\n```\n\n"
        )
    };
    let text = format!(
        "# Payloads\n\n## Two\n\nGiven there is a CoAP peer `tester`\n\n{}{}",
        sent("/whole", ""),
        sent("/block", "Block1: 1/1/256\n"),
    );
    std::fs::write(directory.join("a.feature.md"), text).expect("ours to write");
    let ran = fotalab(&directory, &["run", "a.feature.md", "--report", "."]);
    let trace = std::fs::read_to_string(directory.join("trace.ndjson")).expect("the trace");
    let shown = |path: &str| {
        let lines = trace
            .lines()
            .map(|it| serde_json::from_str(it).expect("JSON"));
        let mut details = lines.map(|it: Value| it["detail"]["coap"].clone());
        let asked = details.find(|it| it["path"] == path);
        asked.unwrap_or_else(|| panic!("{path}: {ran:?}"))["payload"].clone()
    };
    assert_eq!(shown("/whole"), json!({ "length": 200, "hex": payload }));
    let begins = format!("{}…", &payload[..64]);
    assert_eq!(shown("/block"), json!({ "length": 200, "hex": begins }));
}
