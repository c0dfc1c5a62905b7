//! `fotalab conform`: its exit codes, its reports, and that the page of rows is what it writes.

use std::{fs, path::Path};

use crate::support::{Ran, directory, fotalab, serve_for};

const ROWS: &str = r#"
title = "Made up"

[[row]]
id = "X-T-01"
title = "One is one"
class = "must"
subject = "server"
clause = "arithmetic"
accept = [{ outcome = "1" }]

[[row]]
id = "X-T-02"
title = "One is two"
class = "must"
subject = "server"
clause = "none"
accept = [{ outcome = "2" }]

[[row]]
id = "X-T-03"
title = "Devices come over TCP"
class = "must"
subject = "both"
clause = "none"
needs = ["binding:tcp"]
accept = [{ outcome = "they do" }]
uncovered = "no-tcp"
"#;

const SCENARIOS: &str = "# Numbers\n\n## Background\n\nGiven I store `1` into `x`\n\n\
    <!--\n@X-T-02\n-->\n\n## One is two\n\nThen the variable `x` should be\n\n```json\n2\n```\n\n\
    <!--\n@X-T-01\n-->\n\n## One is one\n\nThen the variable `x` should be\n\n```json\n1\n```\n";

/// A folder with a suite of these rows and scenarios.
fn suite(name: &str, rows: &str, scenarios: &str) -> std::path::PathBuf {
    let folder = directory(name);
    fs::create_dir_all(folder.join("suite/rows")).expect("it can be made");
    let write = |path: &str, text: &str| fs::write(folder.join(path), text).expect("it is ours");
    write("suite/rows/1.toml", rows);
    write("suite/Numbers.feature.md", scenarios);
    folder
}

fn conform(folder: &Path, more: &[&str]) -> Ran {
    fotalab(folder, &[&["conform", "suite"], more].concat())
}

#[test]
fn exit_codes_say_what_came_of_it() {
    let folder = suite("conform-exit", ROWS, SCENARIOS);
    let cases: &[(&[&str], i32, &str)] = &[
        (&[], 102, "not held: X-T-02"),
        (&["--rows", "X-T-01"], 0, "1 rows: 1 pass"),
        (&["--rows", "X-T-0*"], 102, "expected 2, was 1"),
        (&["--rows", "X-T-01,X-T-03"], 0, "no binding:tcp"),
        (&["--rows", "X-T-03"], 4, "a run of nothing does not pass"),
        (&["--rows", "X-T-04"], 2, "did you mean `X-T-03`?"),
        (&["--target", "gone.toml"], 2, "cannot be read"),
    ];
    for (arguments, code, words) in cases {
        let ran = conform(&folder, arguments);
        assert_eq!(ran.code, Some(*code), "{arguments:?}: {ran:?}");
        let told = format!("{}{}", ran.out, ran.err);
        assert!(
            told.contains(words),
            "{arguments:?} does not say `{words}`: {told}"
        );
    }
    let ran = conform(&folder, &[]);
    assert!(
        ran.out.contains("✓ X-T-01"),
        "a failure hides no other row: {ran:?}"
    );
    assert!(ran.out.contains("not a certification"), "{ran:?}");
    let help = fotalab(&folder, &["conform", "--help"]);
    assert!(help.out.contains("not a certification"), "{help:?}");
}

#[test]
fn the_command_carries_a_suite_along() {
    let elsewhere = directory("conform-elsewhere");
    let ran = fotalab(&elsewhere, &["conform", "--rows", "X-REG-99"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("did you mean `X-REG-"), "{ran:?}");
}

#[test]
fn rows_and_scenarios_that_do_not_fit_start_nothing() {
    let cases = [
        (
            ROWS.to_owned(),
            SCENARIOS.replace("@X-T-01", "@X-T-1O"),
            "no row `X-T-1O`",
        ),
        (
            ROWS.to_owned(),
            SCENARIOS.replace("@X-T-01", "@slow"),
            "no scenario proves it",
        ),
        (
            ROWS.to_owned(),
            SCENARIOS.replace("@X-T-01", ""),
            "says of no row",
        ),
        (
            ROWS.replace("uncovered = \"no-tcp\"", ""),
            SCENARIOS.to_owned(),
            "X-T-03",
        ),
    ];
    for (nth, (rows, scenarios, words)) in cases.iter().enumerate() {
        let folder = suite(&format!("conform-misfit-{nth}"), rows, scenarios);
        let ran = conform(&folder, &[]);
        assert_eq!(ran.code, Some(3), "{words}: {ran:?}");
        assert!(
            ran.err.contains(words) && ran.err.contains("nothing was started"),
            "{ran:?}"
        );
    }
    let folder = suite(
        "conform-reason",
        &ROWS.replace("no-tcp", "too-hard"),
        SCENARIOS,
    );
    let ran = conform(&folder, &[]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("unknown variant `too-hard`"), "{ran:?}");
}

#[test]
fn a_target_is_judged_by_what_its_profile_says() {
    let folder = suite("conform-target", ROWS, SCENARIOS);
    let profile = |name: &str, more: &str| {
        let text =
            format!("name = \"shop 1\"\n[context]\nCOAPURL = \"coap://127.0.0.1:5683\"\n{more}");
        fs::write(folder.join(name), text).expect("it is ours");
        conform(
            &folder,
            &["--target", name, "--report", "report", "--seed", "7"],
        )
    };
    let deviation = "[[deviation]]\ncovers = \"X-T-02\"\nreason = \"it counts otherwise\"\nlink = \"https://shop.example/2\"\n";
    let expected = profile("stated.toml", deviation);
    assert_eq!(expected.code, Some(0), "{expected:?}");
    assert!(
        expected
            .out
            .contains("expected failure: it counts otherwise (https://shop.example/2)")
    );
    let written = fs::read_to_string(folder.join("report/conformance.json")).expect("a report");
    let report: serde_json::Value = serde_json::from_str(&written).expect("JSON");
    assert_eq!(report["schema"], 1);
    assert_eq!(report["target"], "shop 1");
    assert_eq!(report["totals"]["expected-failure"], 1);
    assert_eq!(report["rows"][1]["verdict"], "expected-failure");
    let page = fs::read_to_string(folder.join("report/conformance.md")).expect("a page");
    assert!(page.contains("# Conformance of shop 1\n"), "{page}");

    let expired = profile(
        "expired.toml",
        &format!("{deviation}until = \"2020-01-31\"\n"),
    );
    assert_eq!(expired.code, Some(102), "{expired:?}");
    assert!(
        expired.out.contains("counted until 2020-01-31"),
        "{expired:?}"
    );
    let passing = profile(
        "passing.toml",
        &format!("{deviation}{}", deviation.replace("-02", "-01")),
    );
    assert!(
        passing
            .out
            .contains("it passes, though a deviation is stated"),
        "{passing:?}"
    );
    let nobody = profile("nobody.toml", &deviation.replace("-02", "-09"));
    assert_eq!(nobody.code, Some(2), "{nobody:?}");
    let closed = profile("closed.toml", "[capabilities]\nsecurity = [\"psk\"]\n");
    assert_eq!(closed.code, Some(4), "{closed:?}");
    assert!(closed.out.contains("no security:nosec"), "{closed:?}");
    let typo = profile("typo.toml", "[capabilities]\nsecurty = [\"psk\"]\n");
    assert_eq!(typo.code, Some(2), "{typo:?}");
    assert!(typo.err.contains("did you mean `security`?"), "{typo:?}");
}

#[test]
fn the_page_of_rows_is_what_a_run_writes_and_what_must_hold_does() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let report = directory("conform-page");
    let report_named = report.display().to_string();
    let ran = fotalab(root, &["conform", "--report", &report_named]);
    assert_eq!(ran.code, Some(0), "every row that must hold does: {ran:?}");
    let written = fs::read_to_string(report.join("conformance.md")).expect("a page");
    let committed = fs::read_to_string(root.join("features/lwm2m/ROWS.md")).unwrap_or_default();
    assert!(
        written == committed,
        "features/lwm2m/ROWS.md is stale: copy {report_named}/conformance.md there"
    );
}

/// Files run side by side against one server: a device of one must not be one of another, too.
#[test]
fn no_device_has_its_name_in_two_files() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("features/lwm2m");
    let made =
        regex::Regex::new(r"(?:device|devices) `([^`]+)` running|[?&]ep=([\w-]+)").expect("ours");
    let mut owners: std::collections::BTreeMap<String, String> = Default::default();
    for entry in fs::read_dir(folder).expect("it is there") {
        let path = entry.expect("an entry").path();
        let file = path.display().to_string();
        if !file.ends_with(".feature.md") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a text");
        for found in made.captures_iter(&text) {
            let name = found.get(1).or(found.get(2)).expect("one of them").as_str();
            let owner = owners
                .entry(name.to_owned())
                .or_insert_with(|| file.clone());
            assert_eq!(*owner, file, "`{name}` is in both");
        }
    }
    assert!(owners.len() > 30, "{owners:?}");
}

/// The way of somebody who has a server, and neither its code nor this repository.
#[test]
fn the_carried_suite_holds_against_a_server_elsewhere() {
    let place = directory("conform-elsewhere-real");
    let _served = serve_for(&place.join("server.toml"));
    let rows =
        "int-101,int-201,int-203,int-270,int-401,X-REG-03,X-REG-06,X-OBS-02,X-COAP-01,X-DTLS-05";
    let ran = fotalab(
        &place,
        &["conform", "--target", "server.toml", "--rows", rows],
    );
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    assert!(
        ran.out
            .contains("ours elsewhere: 10 rows: 9 pass, 1 not run"),
        "{}",
        ran.out
    );
    let clock = "its file runs on the virtual clock only";
    assert!(ran.out.contains(clock), "X-DTLS-05: {}", ran.out);
}

/// A server that cannot be asked for anything is tried by what crosses the air.
#[test]
fn a_server_without_an_adapter_is_tried_on_the_wire() {
    let place = directory("conform-wire");
    let profile = place.join("server.toml");
    let _served = serve_for(&profile);
    let text = fs::read_to_string(&profile).expect("it was written");
    let lines = text
        .lines()
        .filter(|it| !it.starts_with("ADMIN") && !it.starts_with("adapter"));
    let text: Vec<&str> = lines.collect();
    fs::write(&profile, text.join("\n")).expect("it is ours");
    let rows = "X-REG-01,X-REG-02,X-REG-03,X-REG-06,X-REG-07,X-REG-09,X-REG-11,X-OBS-02,X-COAP-01,X-COAP-02,\
                int-101,int-401";
    let ran = fotalab(
        &place,
        &["conform", "--target", "server.toml", "--rows", rows],
    );
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    assert!(
        ran.out.contains("12 rows: 10 pass, 2 not applicable"),
        "{}",
        ran.out
    );
    assert!(
        ran.out
            .contains("not all of it was looked at: no feature:operations"),
        "{}",
        ran.out
    );
}

/// Whoever asks the server says so, by its rows or by a tag: else a server that cannot be asked
/// fails for nothing.
#[test]
fn scenarios_that_ask_the_server_say_so() {
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("features/lwm2m");
    let asks = regex::Regex::new(
        r"what the server knows|what the server tells|the server should (tell|have told)|the server asks|the server updates|the server's update",
    );
    let asks = asks.expect("ours");
    let mut needing = std::collections::BTreeSet::new();
    for entry in fs::read_dir(suite.join("rows")).expect("a folder") {
        let text = fs::read_to_string(entry.expect("an entry").path()).expect("a text");
        let table: toml::Table = text.parse().expect("TOML");
        for row in table["row"].as_array().expect("rows") {
            let needs = row
                .get("needs")
                .map(ToString::to_string)
                .unwrap_or_default();
            let asked = ["operations", "firmware", "campaigns"];
            if asked
                .iter()
                .any(|it| needs.contains(&format!("feature:{it}")))
            {
                needing.insert(format!("@{}", row["id"].as_str().expect("an id")));
            }
        }
    }
    for entry in fs::read_dir(&suite).expect("a folder") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).unwrap_or_default();
        let mut parts = text.split("<!--\n@");
        let background = asks.is_match(parts.next().unwrap_or_default());
        for part in parts.filter(|it| background || asks.is_match(it)) {
            let tags = format!("@{}", part.lines().next().unwrap_or_default());
            let said = |tag: &str| needing.contains(tag) || tag == "@needs:feature:operations";
            let said = tags.split_whitespace().any(said);
            assert!(said, "{}: {tags}", path.display());
        }
    }
}

/// Rows that have to notice: the file, what is put in the place of what, and the rows that fail then.
const WRONG: &[(&str, &str, &str, &str)] = &[
    (
        "Registration",
        "lifetime = \"2 min\"",
        "lifetime = \"2 min\"\nfaults = [\"omits the lifetime from its registration update\"]",
        "LightweightM2M-1.0-int-102",
    ),
    (
        "RegistrationOfDevices",
        "server = \"${cloud}\"",
        "server = \"${cloud}\"\nfaults = [\"does not register again after 4.04\"]",
        "X-REG-14",
    ),
    (
        "Sending",
        "{ \"value\": true }",
        "{ \"value\": false }",
        "LightweightM2M-1.1-int-307",
    ),
    (
        "Security",
        "key = \"ffffffffffffffffffffffffffffffff\"",
        "key = \"000102030405060708090a0b0c0d0e0f\"",
        "X-DTLS-01",
    ),
];

#[test]
fn rows_notice_who_does_it_wrong() {
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("features/lwm2m");
    let place = directory("conform-wrong");
    copy(&suite, &place.join("suite"));
    for (file, from, to, _) in WRONG {
        let path = place.join(format!("suite/{file}.feature.md"));
        let text = fs::read_to_string(&path).expect("a file of the suite");
        let changed = text.replace(from, to);
        assert_ne!(changed, text, "{file} has no `{from}`");
        fs::write(&path, changed).expect("it is a copy");
    }
    let rows: Vec<&str> = WRONG.iter().map(|(.., row)| *row).collect();
    let ran = conform(&place, &["--rows", &rows.join(",")]);
    assert_eq!(ran.code, Some(102), "{ran:?}");
    for row in rows {
        assert!(ran.out.contains(&format!("✗ {row}")), "{row}: {}", ran.out);
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("it can be made");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let there = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &there);
        } else {
            fs::copy(&path, &there).expect("it can be copied");
        }
    }
}

/// Nobody can turn the clock of a server elsewhere: what insists on that is skipped, and says why.
#[test]
fn a_file_that_insists_on_the_virtual_clock_is_skipped_against_a_target() {
    let place = directory("run-elsewhere-virtual");
    let _served = serve_for(&place.join("server.toml"));
    let days = "---\nclock: virtual\n---\n\n# Days\n\n## A day\n\nWhen time passes for `24 h`\n";
    let now = "# Now\n\n## One\n\nGiven I store `1` into `x`\n";
    fs::write(place.join("days.feature.md"), days).expect("it is ours");
    fs::write(place.join("now.feature.md"), now).expect("it is ours");
    let run = |files: &[&str]| {
        fotalab(
            &place,
            &[&["run", "--target", "server.toml"], files].concat(),
        )
    };
    let both = run(&["days.feature.md", "now.feature.md"]);
    assert_eq!(both.code, Some(0), "{both:?}");
    let reason = "insists on the virtual clock, and the target lives in real time";
    assert!(both.out.contains(reason), "{}", both.out);
    assert!(both.out.contains("1 passed, 1 skipped"), "{}", both.out);
    let alone = run(&["days.feature.md"]);
    assert_eq!(alone.code, Some(4), "a run of nothing: {alone:?}");
}
