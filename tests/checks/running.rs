//! What holds while scenarios run: order, skipping, waiting, limits, determinism.

use std::{fs, path::Path, time::Instant};

use serde_json::Value;

use crate::support::{Ran, directory, fotalab};

/// Runs these files, and gives `report.json` with what the command said.
fn run(name: &str, files: &[(&str, &str)], arguments: &[&str]) -> (Ran, Value) {
    let directory = directory(name);
    for (file, text) in files {
        fs::write(directory.join(file), text).expect("it can be written");
    }
    run_in(&directory, arguments)
}

fn run_in(directory: &Path, arguments: &[&str]) -> (Ran, Value) {
    let mut all = vec!["run", ".", "--report", "report"];
    all.extend(arguments);
    let ran = fotalab(directory, &all);
    let report = fs::read_to_string(directory.join("report/report.json")).unwrap_or_default();
    (ran, serde_json::from_str(&report).unwrap_or_default())
}

/// `title: verdict` of every feature, in the order they ran.
fn verdicts(report: &Value) -> Vec<String> {
    let features = report["features"].as_array().cloned().unwrap_or_default();
    let said = |it: &Value| {
        format!(
            "{}: {}",
            it["title"].as_str().unwrap_or_default(),
            it["verdict"].as_str().unwrap_or_default()
        )
    };
    features.iter().map(said).collect()
}

fn steps(report: &Value) -> Vec<&Value> {
    let features = report["features"].as_array().into_iter().flatten();
    let scenarios = features.flat_map(|it| it["scenarios"].as_array().into_iter().flatten());
    scenarios
        .flat_map(|it| it["steps"].as_array().into_iter().flatten())
        .collect()
}

fn failed(report: &Value) -> &Value {
    steps(report)
        .into_iter()
        .find(|it| it["verdict"] == "failed")
        .expect("a step failed")
}

fn holds(title: &str, front: &str) -> String {
    format!("---\n{front}\n---\n\n# {title}\n\n## It holds\n\nGiven I store `1` into `x`\n")
}

fn fails(title: &str, front: &str) -> String {
    format!(
        "---\n{front}\n---\n\n# {title}\n\n## First\n\nThen the variable `1` should be\n\n```json\n2\n```\n\nAnd I store `1` into `x`\n\n## Second\n\nGiven I store `1` into `y`\n"
    )
}

#[test]
fn a_failure_skips_the_rest_of_its_file_and_what_needs_it() {
    let files = [
        ("a.feature.md", &*fails("A", "info: x")),
        ("b.feature.md", &*holds("B", "needs: [A]")),
        ("c.feature.md", &*holds("C", "needs: [B]")),
        ("d.feature.md", &*holds("D", "info: x")),
    ];
    let (ran, report) = run("skipping", &files, &[]);
    assert_eq!(ran.code, Some(100), "{ran:?}");
    assert_eq!(
        verdicts(&report),
        ["A: failed", "B: skipped", "C: skipped", "D: passed"]
    );
    let all: Vec<_> = steps(&report)
        .iter()
        .map(|it| it["verdict"].as_str().expect("a text"))
        .collect();
    assert_eq!(
        all,
        [
            "failed", "skipped", "skipped", "skipped", "skipped", "passed"
        ]
    );
    assert!(
        ran.out.contains("1 passed, 1 failed, 3 skipped"),
        "{}",
        ran.out
    );
}

#[test]
fn needs_and_order_decide_who_is_first() {
    let files = [
        ("a.feature.md", &*holds("Last", "order: last")),
        (
            "b.feature.md",
            &*holds("Needs the next", "needs: [The next]"),
        ),
        ("c.feature.md", &*holds("The next", "info: x")),
        ("d.feature.md", &*holds("First", "order: first")),
    ];
    let (ran, report) = run("order", &files, &["--concurrency", "1"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let order = [
        "First: passed",
        "The next: passed",
        "Needs the next: passed",
        "Last: passed",
    ];
    assert_eq!(verdicts(&report), order);
}

#[test]
fn run_only_takes_what_it_needs_along_and_run_never_is_skipped() {
    let files = [
        ("a.feature.md", &*holds("A", "info: x")),
        ("b.feature.md", &*holds("B", "needs: [A]")),
        ("c.feature.md", &*holds("C", "needs: [B]\nrun: only")),
        ("d.feature.md", &*holds("D", "info: x")),
    ];
    let (ran, report) = run("only", &files, &[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(
        verdicts(&report),
        ["A: passed", "B: passed", "C: passed", "D: skipped"]
    );

    let (ran, report) = run(
        "never",
        &[("a.feature.md", &*holds("A", "run: never"))],
        &[],
    );
    assert_eq!(ran.code, Some(4), "nothing ran, so nothing holds: {ran:?}");
    assert_eq!(verdicts(&report), ["A: skipped"]);
}

#[test]
fn variants_and_rows_each_run_with_their_values() {
    let text = "---\nvariants:\n  - nw: ltem\n  - nw: nbiot\n---\n\n# Variants\n\n## Scenario Outline: `${n}` of \
                a row\n\nGiven I store `\"${variant.nw}-<variant.nw>-${n}\"` into `x`\n\nThen the variable `x` should \
                be\n\n```json\n\"${variant.nw}-${variant.nw}-${n}\"\n```\n\n### Examples\n\n| n |\n| - |\n| 1 |\n| 2 |\n";
    let (ran, report) = run("variants", &[("a.feature.md", text)], &[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(verdicts(&report).len(), 2);
    let said: Vec<_> = steps(&report)
        .iter()
        .filter_map(|it| it["block"].as_str())
        .collect();
    assert_eq!(
        said,
        [
            "\"ltem-ltem-1\"",
            "\"ltem-ltem-2\"",
            "\"nbiot-nbiot-1\"",
            "\"nbiot-nbiot-2\""
        ]
    );
}

#[test]
fn gherkin_scenarios_have_a_context_of_their_own_and_their_background_each() {
    let text = "Feature: Classic\n\n  Background:\n    Given I store `$millis()` into `x`\n\n  Scenario: breaks\n    \
                Then the variable `x` should be\n      \"\"\"json\n      0\n      \"\"\"\n\n  Scenario Outline: row <n>\n    \
                Given I store `<n>` into `y`\n    But I store `x` into `z`\n\n    Examples:\n      | n |\n      | 1 |\n      | 2 |\n";
    let (ran, report) = run("classic", &[("a.feature", text)], &[]);
    assert_eq!(ran.code, Some(100), "{ran:?}");
    let scenarios = report["features"][0]["scenarios"]
        .as_array()
        .expect("scenarios");
    let said: Vec<_> = scenarios
        .iter()
        .map(|it| format!("{} {}", it["title"], it["verdict"]))
        .collect();
    assert_eq!(
        said,
        [
            "\"breaks\" \"failed\"",
            "\"row 1\" \"passed\"",
            "\"row 2\" \"passed\""
        ]
    );
}

#[test]
fn budgets_are_the_dialects_and_patience_scales_them() {
    let get = "# Waits\n\n## Soon\n\nWhen I `GET` `${MOCKURL}/x`RETRYING\n\nSOON the status code of the last response should be `200`\n";
    let upstream = "# Waits\n\n## Always\n\nThen the nRF Cloud API should have been called with\n\n```\nGET /x HTTP/1.1\n```\n";
    let rows = [
        (
            "then",
            get.replace("RETRYING", "").replace("SOON", "Then"),
            vec![],
            0,
            Some(1),
        ),
        (
            "soon",
            get.replace("RETRYING", "").replace("SOON", "Soon"),
            vec![],
            16_000,
            Some(6),
        ),
        (
            "retrying",
            get.replace("RETRYING", " retrying 10 times")
                .replace("SOON", "Then"),
            vec![],
            76_000,
            Some(12),
        ),
        (
            "patience",
            get.replace("RETRYING", "").replace("SOON", "Soon"),
            vec!["--patience", "0.5"],
            8_000,
            Some(6),
        ),
        ("upstream", upstream.to_owned(), vec![], 45_000, Some(6)),
        (
            "within",
            get.replace("RETRYING", "")
                .replace("SOON", "Then within `90 minutes`"),
            vec![],
            5_400_000,
            None,
        ),
    ];
    for (name, text, arguments, millis, attempts) in rows {
        let (ran, report) = run("budgets", &[("a.feature.md", &text)], &arguments);
        assert_eq!(ran.code, Some(100), "{name}: {ran:?}");
        let step = failed(&report);
        let took = step["clock_ms"].as_u64().expect("a number");
        assert!((millis..millis + 500).contains(&took), "{name}: {took} ms");
        let tried = step["attempts"].as_array().map_or(0, Vec::len);
        assert!(
            attempts.is_none_or(|it| it == tried),
            "{name}: {tried} attempts"
        );
    }
}

#[test]
fn what_should_not_happen_is_watched_for_the_whole_window() {
    let text = "# Window\n\n## Nothing comes\n\nThen for `1 hour` the nRF Cloud API should not have been called \
                with\n\n```\nGET /x HTTP/1.1\n```\n\n## Something came\n\nWhen I `GET` `${MOCKURL}/x`\n\nAnd the status code \
                of the last response should be `404`\n\nThen for `1 hour` the nRF Cloud API should not have been called \
                with\n\n```\nGET /x HTTP/1.1\n```\n";
    let (ran, report) = run("window", &[("a.feature.md", text)], &[]);
    assert_eq!(ran.code, Some(100), "{ran:?}");
    let steps = steps(&report);
    let first = steps[0]["clock_ms"].as_u64().expect("a number");
    assert!((3_600_000..3_600_500).contains(&first), "{first}");
    assert_eq!(failed(&report)["clock_ms"], 0, "it fails at once");
    assert_eq!(failed(&report)["line"], 17);
}

#[test]
fn only_safe_requests_are_sent_again_unless_the_sentence_says_so() {
    let text = "# Again\n\n## Soon\n\nWhen I `METHOD` `${MOCKURL}/x`RETRYING\n\nSoon the status code of the last response should be `200`\n";
    for (method, retrying, sent) in [
        ("POST", "", 1),
        ("GET", "", 6),
        ("POST", " retrying 2 times", 4),
        ("DELETE", "", 1),
    ] {
        let text = text.replace("METHOD", method).replace("RETRYING", retrying);
        let directory = directory("again");
        fs::write(directory.join("a.feature.md"), text).expect("it can be written");
        let (ran, _) = run_in(&directory, &[]);
        assert_eq!(ran.code, Some(100), "{ran:?}");
        let trace = fs::read_to_string(directory.join("report/trace.ndjson")).expect("a trace");
        let requests = trace
            .lines()
            .map(|it| serde_json::from_str::<Value>(it).expect("a line is JSON"))
            .filter(|it| it["lane"] == "upstream" && it["kind"] == "request")
            .count();
        assert_eq!(requests, sent, "{method}{retrying}");
    }
}

#[test]
fn one_attempt_has_its_limit() {
    let text = "---\ntimeout: 5 s\n---\n\n# Slow\n\n## It hangs\n\nGiven this nRF Cloud API request is queued for a \
                `GET /x` request, answered after `1 hour`\n\n```\nHTTP/1.1 200 OK\n```\n\nWhen I `GET` `${MOCKURL}/x`\n\nThen the \
                status code of the last response should be `200`\n";
    let (ran, report) = run("slow", &[("a.feature.md", text)], &[]);
    assert_eq!(ran.code, Some(100), "{ran:?}");
    let took = failed(&report)["clock_ms"].as_u64().expect("a number");
    assert!((5_000..5_500).contains(&took), "{took}");
    assert!(
        ran.out.contains("timeout:"),
        "it says how to set the limit: {}",
        ran.out
    );
}

#[test]
fn an_endless_expression_ends() {
    let text = "# Endless\n\n## It recurses\n\nGiven I store `($f := function($n) { $f($n + 1) }; $f(0))` into `x`\n";
    let wide = "# Wide\n\n## It counts\n\nGiven I store `$sum([1..100000000].($ * $))` into `x`\n";
    #[expect(
        clippy::disallowed_methods,
        reason = "it is the machine's time that must not pass"
    )]
    let began = Instant::now();
    let (ran, report) = run(
        "endless",
        &[("a.feature.md", text), ("b.feature.md", wide)],
        &[],
    );
    assert_eq!(ran.code, Some(100), "{ran:?}");
    assert_eq!(verdicts(&report), ["Endless: failed", "Wide: failed"]);
    assert!(
        began.elapsed().as_secs() < 20,
        "it took {:?}",
        began.elapsed()
    );
}

#[test]
fn the_same_seed_makes_the_same_trace() {
    let directory = directory("seeded");
    let text = "# Seeded\n\n## A device\n\nGiven I have the fingerprint for a `PCA20065` device in `fp`\n\nAnd I connect \
                to the websocket using fingerprint `${fp}`\n\nSoon I should receive a message on the websocket that \
                matches\n\n```json\n{ \"id\": \"${fp_deviceId}\" }\n```\n\nAnd time passes for `10 minutes`\n";
    fs::write(directory.join("a.feature.md"), text).expect("it can be written");
    let trace = |seed: &str| {
        let (ran, _) = run_in(&directory, &["--seed", seed]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        fs::read_to_string(directory.join("report/trace.ndjson")).expect("a trace")
    };
    let (first, again, other) = (trace("7"), trace("7"), trace("8"));
    assert_eq!(first, again);
    assert_ne!(first, other);
    assert!(first.lines().count() > 10, "{first}");
}

#[test]
fn rows_and_variants_reach_into_expressions() {
    let text = "---\nvariants:\n  - nw: ltem\n---\n\n# Rows\n\n## Scenario Outline: a row\n\nGiven I store `{\"ltem\": \
                {\"id\": \"x\"}}` into `tracker`\n\nAnd I store `10` into `base`\n\nThen the variable `tracker` should \
                be\n\n```json\n{ \"${'ltem'}\": { \"id\": \"${tracker.<variant.nw>.id}\" } }\n```\n\nAnd the variable `base + \
                ${n}` should be\n\n```json\n\"$number{base + $number(n)}\"\n```\n\n### Examples\n\n| n |\n| - |\n| 1 |\n| 2 |\n\n\
                ## After the rows\n\nGiven I store `1` into `n`\n\nThen the variable `n` should be\n\n```json\n1\n```\n";
    let (ran, report) = run("rows", &[("a.feature.md", text)], &[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let said: Vec<_> = steps(&report)
        .iter()
        .filter_map(|it| it["block"].as_str())
        .collect();
    assert_eq!(said[1], "11");
    assert_eq!(said[3], "12");
}

#[test]
fn what_did_not_run_is_in_every_report() {
    let files = [
        ("a.feature.md", &*fails("A", "info: x")),
        ("b.feature.md", &*holds("B", "info: x")),
    ];
    let (ran, report) = run("fail-fast", &files, &["--fail-fast", "--concurrency", "1"]);
    assert_eq!(ran.code, Some(100), "{ran:?}");
    assert_eq!(verdicts(&report), ["A: failed", "B: skipped"]);
    let why = report["features"][1]["reason"].as_str().expect("a reason");
    assert!(why.contains("--fail-fast"), "{why}");
}

#[test]
fn no_patience_is_one_attempt() {
    let text = "# Burst\n\n## None\n\nWhen I `GET` `${MOCKURL}/x` retrying 1000 times\n\nThen the status code of the \
                last response should be `200`\n";
    let (ran, report) = run(
        "no-patience",
        &[("a.feature.md", text)],
        &["--patience", "0"],
    );
    assert_eq!(ran.code, Some(100), "{ran:?}");
    assert_eq!(
        failed(&report)["attempts"].as_array().map(Vec::len),
        Some(1)
    );
}
