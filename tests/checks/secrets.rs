//! A canary in each kind of secret is absent from every byte that leaves the process.

use std::{fs, io::Read as _, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use flate2::read::DeflateDecoder;

use crate::support::{directory, fotalab};

/// Everything a run wrote: both streams, and every file of its report.
fn everything(directory: &Path, arguments: &[&str]) -> (Option<i32>, Vec<(String, String)>) {
    let ran = fotalab(directory, arguments);
    let mut all = vec![
        ("stdout".to_owned(), ran.out),
        ("stderr".to_owned(), ran.err),
    ];
    for entry in fs::read_dir(directory.join("report"))
        .into_iter()
        .flatten()
        .flatten()
    {
        let bytes = fs::read(entry.path()).expect("a report can be read");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let name = entry.path().display().to_string();
        for (id, unpacked) in packed(&text) {
            all.push((format!("{name}, {id}"), unpacked));
        }
        all.push((name, text));
    }
    (ran.code, all)
}

/// What a page has packed: by the ids of its elements.
fn packed(page: &str) -> Vec<(String, String)> {
    let element = regex::Regex::new(r#"id="((?:columns|piece)-[0-9-]+)">([^<]*)<"#);
    let element = element.expect("a pattern");
    let unpacked = element.captures_iter(page).map(|it| {
        let deflated = BASE64.decode(&it[2]).expect("Base64");
        let mut text = String::new();
        DeflateDecoder::new(deflated.as_slice())
            .read_to_string(&mut text)
            .expect("deflated text");
        (it[1].to_owned(), text)
    });
    unpacked.collect()
}

/// A feature that sends, receives, stores, mismatches and fails with every canary in sight.
const LEAKY: &str = r#"---
exampleContext:
  MYTOKEN: x
  fp: 92b.aaaaaa
---

# Secrets cross

## And are shown by a failure

Given the `Authorization` header of the next request is `Bearer canary-authorization-1`

When I `PUT` `${ADMINURL}/accounts/elite` with

```json
{ "endpoint": "${MOCKURL}", "apiKey": "canary-account-key-2" }
```

Then the status code of the last response should be `401`

Given the `Authorization` header of the next request is `Bearer ${ADMINTOKEN}`

When I `PUT` `${ADMINURL}/accounts/elite` with

```json
{ "endpoint": "${MOCKURL}", "apiKey": "canary-account-key-2" }
```

Then the status code of the last response should match the pattern
"#;

#[test]
fn no_canary_in_any_output() {
    let directory = directory("secrets");
    let leaky = LEAKY.replace(
        "Then the status code of the last response should match the pattern\n",
        r#"Given the `Authorization` header of the next request is `Bearer ${ADMINTOKEN}`

When I `PUT` `${ADMINURL}/devices/oob-350006660000001` with

```json
{ "fingerprint": "92b.canary", "model": "PCA20065", "account": "elite", "psk": "canary-psk-0011223344" }
```

Then the last response should match

```json
{ "nothing": "like ${MYTOKEN} or canary-account-key-2 or ${$join(['9','2','b.can','ary'])}" }
```
"#,
    );
    fs::write(directory.join("leaky.feature.md"), leaky).expect("it can be written");
    let arguments = [
        "run",
        "leaky.feature.md",
        "--report",
        "report",
        "--junit",
        "report/second.xml",
        "--set",
        "MYTOKEN=canary-token-3/+ä",
    ];
    let (code, all) = everything(&directory, &arguments);
    let told: String = all.iter().map(|(_, text)| text.as_str()).collect();
    // The first scenario's 401 assertion may hold or not; the run has to fail at the end of it.
    assert_eq!(code, Some(100), "{told}");
    assert!(
        told.contains("\"nothing\"") || told.contains("nothing"),
        "the failing step is shown: {told}"
    );
    let canaries = [
        "canary-authorization-1",
        "canary-account-key-2",
        "canary-token-3",
        "92b.canary",
        "canary-psk-0011223344",
        "admin-",
        "canary",
    ];
    for (name, text) in &all {
        for canary in canaries {
            let at = text.find(canary);
            assert!(
                at.is_none(),
                "{canary} is in {name}: …{}…",
                around(text, at.unwrap_or_default())
            );
        }
    }
    assert!(
        all.len() >= 8,
        "both streams, four files and what the page packs: {}",
        all.len()
    );
}

#[test]
fn no_canary_crosses_the_air_into_an_output() {
    let directory = directory("secrets-air");
    let hex = |text: &str| -> String { text.bytes().map(|it| format!("{it:02x}")).collect() };
    let secret = "canary-aaaa&canary-bbbbbbbbbbbbbbbb";
    let sends = |message: &str| {
        format!("When the peer `spy` sends to `${{COAPURL}}`\n\n```\n{message}\n```\n\n")
    };
    let feature = format!(
        "# Secrets cross the air\n\n## And are shown by a failure\n\nGiven there is a CoAP peer `spy`\n\n{}{}{}{}{}\
         When the peer `spy` sends the bytes `{}{}` to `${{COAPURL}}`\n\n\
         Then the variable `COAPURL` should be\n\n```json\n\"x\"\n```\n",
        // In parts in the query, whole in the line of the message.
        sends("CON GET /rd?ep=a&key=${MYTOKEN}\nMID: 1"),
        sends("CON POST /a/${MYTOKEN}/b\nMID: 2\nLocation-Path: ${MYTOKEN}"),
        sends("CON POST /c\nMID: 3\n\n{ \"key\": \"${MYTOKEN}\" }"),
        // It does not print, so its bytes are shown, which end within the secret.
        sends(&format!(
            "CON POST /d\nMID: 4\n\n{{\n{}\n${{MYTOKEN}}\n}}",
            "x".repeat(240)
        )),
        // What a kept trace says of it has to be what was known when it crossed.
        sends("CON PUT /e\nMID: 5\nBlock1: 0/1/64\nBlock1: 3/0/64\n\nx"),
        "f0".repeat(14),
        hex(secret),
    );
    fs::write(directory.join("a.feature.md"), feature).expect("it can be written");
    let token = format!("MYTOKEN={secret}");
    let arguments = ["run", "a.feature.md", "--report", "report", "--set", &token];
    let (code, all) = everything(&directory, &arguments);
    assert_eq!(code, Some(100), "{all:?}");
    for (name, text) in &all {
        for canary in ["canary", &hex("canary")] {
            let at = text.find(canary).unwrap_or(text.len());
            assert_eq!(
                at,
                text.len(),
                "{canary} is in {name}: …{}…",
                around(text, at)
            );
        }
    }
    let trace = all.iter().find(|it| it.0.ends_with("trace.ndjson"));
    let (_, trace) = trace.expect("a trace");
    for shown in ["\"/a/[", "\"ep=a\",\"key=[", "f0f0f0", "787878"] {
        assert!(trace.contains(shown), "{shown} is not in {trace}");
    }
    // A page made again says the same, although secrets stand where numbers and tokens stood.
    let page = fs::read(directory.join("report/index.html")).expect("the page");
    assert_eq!(fotalab(&directory, &["report", "report"]).code, Some(0));
    assert!(fs::read(directory.join("report/index.html")).expect("the page") == page);
}

#[test]
fn made_up_fingerprints_and_keys_are_secret_too() {
    let directory = directory("made-up-secrets");
    let feature = "# Made up\n\n## A device\n\nGiven I have the fingerprint for a `PCA20065` device in the `elite` \
                   account in `fp`\n\nAnd I connect to the websocket using fingerprint `${fp}`\n\nThen the shadow for \
                   `${fp_deviceId}` in the `elite` account has been requested\n\nAnd the variable `fp` should be\n\n\
                   ```json\n\"other ${fp}\"\n```\n";
    fs::write(directory.join("a.feature.md"), feature).expect("it can be written");
    let (code, all) = everything(&directory, &["run", "a.feature.md", "--report", "report"]);
    assert_eq!(code, Some(100), "{all:?}");
    let fingerprint = regex::Regex::new(r"92b\.[a-z2-9]{6}").expect("a pattern");
    let key = regex::Regex::new("[0-9a-f]{40}").expect("a pattern");
    for (name, text) in &all {
        assert!(
            !fingerprint.is_match(text),
            "a fingerprint is in {name}: {text}"
        );
        assert!(!key.is_match(text), "an account key is in {name}: {text}");
    }
    let told: String = all.iter().map(|(_, text)| text.as_str()).collect();
    assert!(
        told.contains("[fingerprint "),
        "its stand-in is there: {told}"
    );
}

#[test]
fn tokens_in_paths_are_secret_too() {
    let directory = directory("tokens-in-paths");
    let feature = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/features/iotaap/Device.feature.md"
    );
    let (code, all) = everything(&directory, &["run", feature, "--report", "report"]);
    assert_eq!(code, Some(0), "{all:?}");
    // An id, and behind it the token of 12 letters and digits.
    let path = regex::Regex::new("ota/device/(download/)?[0-9a-f]{24}[A-Za-z0-9]{12}");
    let path = path.expect("a pattern");
    for (name, text) in &all {
        let found = path.find(text);
        assert!(found.is_none(), "a token is in {name}: {found:?}");
    }
    let told: String = all.iter().map(|(_, text)| text.as_str()).collect();
    assert!(told.contains("[token "), "its stand-in is there");
}

#[test]
fn a_wrong_command_line_or_profile_does_not_repeat_its_secrets() {
    let directory = directory("wrong-secrets");
    fs::write(
        directory.join("server.toml"),
        "[context]\nMYTOKEN = \"canary-profile\" oops\n",
    )
    .expect("written");
    fs::write(
        directory.join("a.feature.md"),
        "# A\n\n## B\n\nGiven I store `1` into `x`\n",
    )
    .expect("written");
    for arguments in [
        &["run", "a.feature.md", "--target", "server.toml"][..],
        &["run", "a.feature.md", "--set", "MY-TOKEN=canary-name"],
        &["run", "a.feature.md", "--set", "MYTOKEN:=canary-json"],
    ] {
        let ran = fotalab(&directory, arguments);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(
            !ran.out.contains("canary") && !ran.err.contains("canary"),
            "{ran:?}"
        );
        assert!(!ran.err.trim().is_empty(), "{ran:?}");
    }
}

fn around(text: &str, at: usize) -> String {
    let from = at.saturating_sub(60);
    text.bytes().skip(from).take(140).map(char::from).collect()
}

#[test]
fn a_token_of_digits_is_replaced_and_no_number_is_another_one() {
    let directory = directory("tokens-of-digits");
    // It stands in each time (2026-01-01 is 1767225600 s), and is the number of a line too.
    let feature = "# Digits\n\n## A token\n\nGiven the `X-API-Token` header of the next request is `1767`\n\n\
                   When I `GET` `${APIURL}/device?fingerprint=1767`\n\nThen the status code of the last response \
                   should be `404`\n";
    fs::write(directory.join("a.feature.md"), feature).expect("it can be written");
    let ran = fotalab(&directory, &["run", "a.feature.md", "--report", "report"]);
    assert!(matches!(ran.code, Some(0 | 100)), "{} {}", ran.out, ran.err);
    let read = |name: &str| fs::read_to_string(directory.join("report").join(name));
    let page = read("index.html").expect("a page");
    assert!(page.contains("[token "), "its stand-in is there");
    let trace = read("trace.ndjson").expect("a trace");
    for line in trace.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert!(line["at"].is_u64() && line["seq"].is_u64(), "{line}");
        let said = line["summary"].as_str().expect("a text");
        let detail = line["detail"].to_string();
        assert!(
            !said.contains("1767") && !detail.contains("\"1767\""),
            "{line}"
        );
    }
    assert!(trace.lines().count() > 0, "something crossed");
}
