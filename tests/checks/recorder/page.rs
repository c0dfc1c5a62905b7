//! What the page says is what the two files say, and nothing that crossed does it harm.

use std::{io::Read as _, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use flate2::read::DeflateDecoder;
use serde_json::{Value, json};

use super::made::{self, Made};
use crate::support::{directory, fotalab, seeds};

/// Writes a run as `--report` would have, makes its page with the command, and gives that.
pub(super) fn page_of(
    name: &str,
    (report, trace): (String, String),
) -> (std::path::PathBuf, String) {
    let directory = directory(&format!("recorder-{name}"));
    std::fs::write(directory.join("report.json"), report).expect("ours to write");
    std::fs::write(directory.join("trace.ndjson"), trace).expect("ours to write");
    let ran = fotalab(&directory, &["report", "."]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let page = std::fs::read_to_string(directory.join("index.html")).expect("the page");
    (directory, page)
}

/// The text of a `script` element of the page.
fn element<'a>(page: &'a str, id: &str) -> Option<&'a str> {
    let at = page.find(&format!("id=\"{id}\">"))?;
    let from = at + id.len() + 6;
    Some(&page[from..from + page[from..].find("</script>")?])
}

fn unpacked(page: &str, id: &str) -> Option<Value> {
    let packed = BASE64.decode(element(page, id)?).expect("Base64");
    let mut text = String::new();
    DeflateDecoder::new(packed.as_slice())
        .read_to_string(&mut text)
        .expect("deflated text");
    Some(serde_json::from_str(&text).expect("JSON"))
}

/// Compares every message of the page with its line in `trace.ndjson`; how many there were.
fn says_what_the_trace_says(directory: &Path) -> usize {
    let page = std::fs::read_to_string(directory.join("index.html")).expect("the page");
    let trace = std::fs::read_to_string(directory.join("trace.ndjson")).expect("the trace");
    let report = std::fs::read_to_string(directory.join("report.json")).expect("the report");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    let lines: Vec<Value> = trace
        .lines()
        .map(|it| serde_json::from_str(it).expect("JSON"))
        .collect();
    let index: Value =
        serde_json::from_str(element(&page, "index").expect("an index")).expect("JSON");
    let mut seen = 0;
    for (number, feature) in index["features"]
        .as_array()
        .expect("features")
        .iter()
        .enumerate()
    {
        let expected: Vec<&Value> = lines.iter().filter(|it| it["feature"] == number).collect();
        assert_eq!(feature["messages"], expected.len(), "{feature}");
        if expected.is_empty() {
            continue;
        }
        let columns = unpacked(&page, &format!("columns-{number}")).expect("columns");
        let bounds: Vec<usize> = feature["pieces"]
            .as_array()
            .expect("bounds")
            .iter()
            .map(|it| usize::try_from(it.as_u64().expect("a number")).expect("small"))
            .collect();
        let mut details = Vec::new();
        for piece in 0..bounds.len() - 1 {
            let content = unpacked(&page, &format!("piece-{number}-{piece}")).expect("a piece");
            details.extend(content.as_array().expect("a list").clone());
        }
        let mut at = columns["began"].as_i64().expect("a time");
        for (nth, line) in expected.iter().enumerate() {
            let number = |name: &str| columns[name].get(nth).and_then(Value::as_u64).unwrap_or(0);
            let text = |name: &str| {
                columns["strings"][usize::try_from(number(name)).expect("small")].as_str()
            };
            at += columns["after"][nth].as_i64().expect("a time");
            assert_eq!(line["at"], at, "{line}");
            assert_eq!(
                columns["lanes"][usize::try_from(number("lane")).expect("small")],
                line["lane"]
            );
            let kind = ["request", "answer", "connection"]
                [usize::try_from(number("kind")).expect("small")];
            assert_eq!(kind, line["kind"], "{line}");
            let detail = &line["detail"];
            let code = match line["lane"].as_str() {
                Some("air") => detail["coap"]["code"].as_str().unwrap_or("").to_owned(),
                Some("rest" | "upstream") => match (&detail["method"], &detail["status"]) {
                    (Value::String(method), _) => method.clone(),
                    (_, Value::Number(status)) => status.to_string(),
                    _ => String::new(),
                },
                _ => String::new(),
            };
            assert_eq!(text("code"), Some(code.as_str()), "{line}");
            let said = text("text").expect("a text");
            let summary = line["summary"].as_str().expect("a text");
            let without_host =
                summary.ends_with(said) || said.split(' ').all(|word| summary.contains(word));
            assert!(without_host, "{said} of {summary}");
            let content = columns["detail"].get(nth).and_then(Value::as_u64);
            let content = content.map_or(nth, |it| usize::try_from(it).expect("small"));
            assert_eq!(&details[content], detail);
            assert_eq!(step_of(&report, &index, line), number("step"), "{line}");
            seen += 1;
        }
        assert!(details.len() <= expected.len());
    }
    assert_eq!(seen, lines.len());
    seen
}

/// The number of a line's step in its feature, from 1.
fn step_of(report: &Value, index: &Value, line: &Value) -> u64 {
    let feature = usize::try_from(line["feature"].as_u64().expect("a number")).expect("small");
    let scenarios = report["features"][feature]["scenarios"]
        .as_array()
        .expect("scenarios");
    let Some(nth) = scenarios
        .iter()
        .position(|it| it["id"] == line["step"]["scenario"])
    else {
        return 0;
    };
    let steps = scenarios[nth]["steps"].as_array().expect("steps");
    let step = steps
        .iter()
        .position(|it| it["line"] == line["step"]["line"])
        .expect("a step");
    let first = index["features"][feature]["scenarios"][nth]["first"].as_u64();
    first.expect("a number") + step as u64
}

#[test]
fn the_page_says_what_the_trace_says() {
    let (lossy, page) = page_of("lossy", made::lossy_push());
    assert!(page.len() < 300_000, "{} bytes", page.len());
    assert!(says_what_the_trace_says(&lossy) > 100);
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = directory("recorder-features");
    let out_text = out.display().to_string();
    let ran = fotalab(
        repository,
        &[
            "run",
            "features/lwm2m",
            "features/hello-nrfcloud/TwoSteps.feature.md",
            "--report",
            &out_text,
        ],
    );
    assert!(matches!(ran.code, Some(0 | 100)), "{}", ran.err);
    assert!(says_what_the_trace_says(&out) > 200);
}

#[test]
fn a_kept_trace_makes_the_same_page_again() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = directory("recorder-again");
    let out_text = out.display().to_string();
    let ran = fotalab(
        repository,
        &[
            "run",
            "features/hello-nrfcloud/Health.feature.md",
            "--report",
            &out_text,
        ],
    );
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let first = std::fs::read(out.join("index.html")).expect("the page");
    assert!(first.len() < 300_000, "{} bytes", first.len());
    std::fs::remove_file(out.join("index.html")).expect("it is ours");
    let ran = fotalab(&out, &["report", "."]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(std::fs::read(out.join("index.html")).expect("the page") == first);
    // What is not a kept run is said, with the file.
    std::fs::write(out.join("trace.ndjson"), "{\n").expect("ours to write");
    let ran = fotalab(&out, &["report", "."]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("`trace.ndjson`, line 1"), "{}", ran.err);
}

/// What would act, hide or turn round if it were taken for more than text.
pub(super) const HOSTILE: &str = "</script><script>window.harm=1</script><img src=x onerror='window.harm=2'>\
    <!--\u{202e}\u{0007}\u{0000}\u{2028}\u{feff}${<b>}](javascript:window.harm=3)`<style>*{display:none}</style>&amp;";

pub(super) fn hostile() -> (String, String) {
    let mut made = Made::new(&format!("{HOSTILE}{}", "w".repeat(3_000)));
    let large: Vec<Value> = (0..40_000)
        .map(|it| json!({ "n": it, "text": "</script>" }))
        .collect();
    made.message("rest", "request", &format!("GET http://h/{HOSTILE}"),
        json!({ "method": HOSTILE, "url": HOSTILE, "headers": { HOSTILE: HOSTILE }, "bytes": 1, "body": { HOSTILE: large } }));
    made.message(
        "rest",
        "answer",
        &format!("200 {HOSTILE}"),
        json!({ "status": 200, "headers": {}, "bytes": 2, "body": HOSTILE }),
    );
    made.message(
        "websocket",
        "connection",
        HOSTILE,
        Value::String("x".repeat(1_000_000)),
    );
    made.air(&made::Air {
        device: HOSTILE,
        up: true,
        kind: HOSTILE,
        code: HOSTILE,
        mid: 1,
        path: Some(HOSTILE),
        block: Some((2, 0, true)),
        fate: HOSTILE,
        again: false,
        payload: 3,
    });
    // What every object of JavaScript has.
    made.air(&made::Air {
        device: "__proto__",
        up: false,
        kind: "constructor",
        code: "hasOwnProperty",
        mid: 2,
        path: Some("toString"),
        block: None,
        fate: "valueOf",
        again: false,
        payload: 3,
    });
    made.message(
        "upstream",
        "request",
        "__proto__",
        json!({ "method": "toString", "headers": { "__proto__": 1 }, "body": { "constructor": 1 } }),
    );
    let mismatch = json!({
        "message": HOSTILE, "notes": [HOSTILE, "y".repeat(1_000_000)], "help": HOSTILE,
        "differences": [{ "path": HOSTILE, "expected": { HOSTILE: HOSTILE }, "actual": HOSTILE }],
        "sides": { "expected": { HOSTILE: [HOSTILE] }, "actual": { HOSTILE: [1] } },
    });
    made.step(HOSTILE, "failed", json!({
        "block": format!("{HOSTILE}{}", "z".repeat(1_000_000)), "defect": HOSTILE, "waiting": [HOSTILE], "notes": [HOSTILE],
        "attempts": [{ "number": 1, "at_ms": 0, "mismatch": mismatch }, { "number": 2, "at_ms": 1, "mismatch": mismatch }],
    }));
    made.files()
}

#[test]
fn nothing_that_crossed_becomes_a_part_of_the_page() {
    let (directory, page) = page_of("hostile", hostile());
    // Our own script, the index, the columns and the pieces, and no other.
    let pieces = page.matches("id=\"piece-").count();
    assert_eq!(
        page.matches("<script").count(),
        3 + pieces,
        "one was smuggled in"
    );
    assert_eq!(page.matches("</script").count(), 3 + pieces);
    for tag in ["<img", "<style>*", "href=\"javascript"] {
        assert!(!page.contains(tag), "{tag}");
    }
    let unseen = |it: char| {
        (it.is_control() && !matches!(it, '\n' | '\t'))
            || matches!(it, '\u{202a}'..='\u{202e}' | '\u{2028}' | '\u{feff}')
    };
    let index = element(&page, "index").expect("an index");
    let markup = page.replace(index, "");
    let found = markup.chars().find(|it| unseen(*it) && *it != '\u{2028}');
    assert_eq!(found, None);
    assert_eq!(says_what_the_trace_says(&directory), 6);
}

#[test]
fn a_trace_with_a_lane_that_there_is_not_is_refused_by_its_line() {
    let (directory, before) = page_of("strange-lane", made::lossy_push());
    let trace = std::fs::read_to_string(directory.join("trace.ndjson")).expect("the trace");
    let strange = json!(HOSTILE).to_string();
    for (was, is) in [
        ("\"lane\":\"air\"", "lane"),
        ("\"kind\":\"answer\"", "kind"),
    ] {
        let at = trace.find(was).expect("one");
        let line = trace[..at].matches('\n').count() + 1;
        let broken = trace.replacen(was, &format!("\"{is}\":{strange}"), 1);
        std::fs::write(directory.join("trace.ndjson"), broken).expect("ours to write");
        let ran = fotalab(&directory, &["report", "."]);
        assert_eq!(ran.code, Some(2), "{}", ran.err);
        let place = format!("`trace.ndjson`, line {line}: ");
        assert!(ran.err.contains(&place), "{}", ran.err);
        // A terminal would obey.
        assert!(
            !ran.err.contains(['\u{7}', '\0', '\u{202e}']),
            "{:?}",
            ran.err
        );
        let page = std::fs::read_to_string(directory.join("index.html")).expect("the page");
        assert!(page == before, "what was there is gone");
    }
}

#[test]
fn a_scenario_is_drawn_for_an_issue() {
    let Some(seeds) = seeds() else { return };
    let out = directory("recorder-mermaid");
    let source = std::fs::read_to_string(seeds.join("DeviceFOTA.feature.md")).expect("the seed");
    let (before, behind) = source
        .split_once("## Check the status")
        .expect("the seed's heading");
    let broken = behind.replacen("IN_PROGRESS", "DOWNLOADING", 1);
    let file = out.join("DeviceFOTA.feature.md");
    std::fs::write(&file, format!("{before}## Check the status{broken}")).expect("ours to write");
    let ran = fotalab(&out, &["run", "DeviceFOTA.feature.md", "--report", "out"]);
    assert_eq!(ran.code, Some(100), "{}", ran.err);
    let ran = fotalab(
        &out,
        &["report", "out", "--mermaid", "Schedule the FOTA job"],
    );
    assert!(
        ran.out
            .starts_with("sequenceDiagram\n  participant L0 as operator\n"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("L0->>L1: POST /"), "{}", ran.out);
    assert!(
        ran.out.contains("L1->>L2: POST /v1/fota-jobs"),
        "{}",
        ran.out
    );
    let ran = fotalab(&out, &["report", "out", "--svg", "Schedule the FOTA job"]);
    assert!(
        ran.out
            .starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""),
        "{}",
        ran.out
    );
    let ran = fotalab(&out, &["report", "out", "--mermaid", "Check"]);
    assert_eq!(ran.code, Some(2), "two are called so");
    assert!(ran.err.contains("Check the status"), "{}", ran.err);
}

#[test]
fn of_very_many_messages_the_middle_is_left_out_and_counted() {
    const ALL: usize = 12_000;
    let mut made = Made::new("Many");
    for number in 0..ALL {
        let words = format!("GET http://h/{number}");
        made.message("rest", "request", &words, json!({ "method": "GET" }));
    }
    made.step("all are asked", "failed", json!({}));
    let (directory, _) = page_of("many-messages", made.files());
    let ran = fotalab(&directory, &["report", ".", "--mermaid", "Over the air"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    for asked in ["GET /0\n", "GET /11999\n"] {
        assert!(ran.out.contains(asked), "{asked} of {}", ran.out);
    }
    let arrows = ran.out.matches("L0->>L1: GET /").count();
    let left_out = regex::Regex::new("… ([0-9]+) more …").expect("a pattern");
    let left_out = left_out.captures_iter(&ran.out);
    let left_out: usize = left_out
        .map(|it| it[1].parse::<usize>().expect("a number"))
        .sum();
    assert!(arrows > 50, "{}", ran.out);
    assert_eq!(arrows + left_out, ALL, "{}", ran.out);
}

#[test]
fn a_fleet_is_drawn_as_one_that_says_the_same_many_times() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = directory("recorder-mermaid-fleet");
    let scenario = "# A fleet\n\n## It registers\n\n\
        Given there are `30` devices `meter-{}` running `1.0.0`\n\n\
        When the devices `meter-*` are switched on\n\n\
        Then within `1 min` `29` of the devices `meter-*` should be registered\n";
    std::fs::write(out.join("Fleet.feature.md"), scenario).expect("ours to write");
    let ran = fotalab(&out, &["run", "Fleet.feature.md", "--report", "out"]);
    assert_eq!(ran.code, Some(100), "{}", ran.err);
    let out_text = out.join("out").display().to_string();
    let ran = fotalab(
        repository,
        &["report", &out_text, "--mermaid", "It registers"],
    );
    let lines: Vec<&str> = ran.out.lines().map(str::trim).collect();
    for expected in [
        "participant L1 as 30 devices",
        "loop 30 times",
        "L1->>L0: CON POST /rd",
        "L0-->>L1: ACK 2.01",
    ] {
        assert!(lines.contains(&expected), "{expected}: {}", ran.out);
    }
    assert!(lines.len() < 40, "{}", ran.out);
}
