//! The command line: exit codes are API.

use std::fs;

use serde_json::Value;

use crate::support::{called, directory, fotalab};

const HOLDS: &str = "# Holds\n\n## One\n\nGiven I store `1` into `x`\n\n## Two\n\nGiven I store `x + 1` into `y`\n\nThen the \
                     variable `y` should be\n\n```json\n2\n```\n\n<!--\n@late\n-->\n\n## Three\n\nGiven I store `3` into `z`\n";

#[test]
fn exit_codes_say_what_happened() {
    let directory = directory("exit-codes");
    let write =
        |name: &str, text: &str| fs::write(directory.join(name), text).expect("it can be written");
    write("holds.feature.md", HOLDS);
    write(
        "fails.feature.md",
        "# Fails\n\n## One\n\nThen the variable `1` should be\n\n```json\n2\n```\n",
    );
    write("broken.feature.md", "# Broken\n\n## One\n\nGiven nothing\n");
    write("gone.toml", "[context]\nAPIURL = \"http://127.0.0.1:1\"\n");
    write("typo.toml", "[contxt]\nAPIURL = \"http://127.0.0.1:1\"\n");
    fs::create_dir(directory.join("empty")).expect("it can be made");
    let rows: &[(&[&str], i32, &str)] = &[
        (&["run", "holds.feature.md"], 0, "3 passed"),
        (&["run", "fails.feature.md"], 100, "fails.feature.md:5"),
        (&["run", "broken.feature.md"], 3, "nothing was started"),
        (&["check", "holds.feature.md"], 0, "no mistake"),
        (&["check", "broken.feature.md"], 3, "plan::unmatched-step"),
        (&["run", "empty"], 4, "nothing was selected"),
        (&["check", "empty"], 4, "no scenario file"),
        (
            &["run", "holds.feature.md", "--name", "Nobody"],
            4,
            "nothing was selected",
        ),
        (&["run", "missing.feature.md"], 2, "does not exist"),
        (&["run", "--clok", "real"], 2, "--clock"),
        (
            &["run", "holds.feature.md", "--tags", "@a and"],
            2,
            "tag expression",
        ),
        (
            &["run", "holds.feature.md", "--target", "typo.toml"],
            2,
            "did you mean `context`",
        ),
        (
            &["run", "holds.feature.md", "--target", "gone.toml"],
            5,
            "does not answer",
        ),
        (
            &["run", "holds.feature.md", "--report", "holds.feature.md/x"],
            5,
            "cannot be written",
        ),
        (
            &["steps", "websocket"],
            0,
            "I send this message via the websocket",
        ),
        (&["steps", "zebra"], 4, "zebra"),
        (&["--version"], 0, "fotalab"),
        (&["run", "--help"], 0, "PATH[:LINE]"),
    ];
    for (arguments, code, words) in rows {
        let ran = fotalab(&directory, arguments);
        assert_eq!(ran.code, Some(*code), "{arguments:?}: {ran:?}");
        let told = format!("{}{}", ran.out, ran.err);
        assert!(
            told.contains(words),
            "{arguments:?} does not say `{words}`: {told}"
        );
    }
}

#[test]
fn a_selected_scenario_brings_the_earlier_ones_of_its_file() {
    let directory = directory("selection");
    fs::write(directory.join("a.feature.md"), HOLDS).expect("it can be written");
    for arguments in [
        &["run", "a.feature.md:9", "--list"][..],
        &["run", "a.feature.md:14", "--list"],
        &["run", "a.feature.md", "--name", "^Two$", "--list"],
    ] {
        let ran = fotalab(&directory, arguments);
        assert_eq!(
            ran.out, "a.feature.md::One  (prerequisite)\na.feature.md::Two\n",
            "{arguments:?}"
        );
    }
    let ran = fotalab(
        &directory,
        &["run", "a.feature.md", "--tags", "not @late", "--list"],
    );
    assert_eq!(ran.out, "a.feature.md::One\na.feature.md::Two\n");
    let ran = fotalab(&directory, &["run", "a.feature.md:9"]);
    assert!(ran.out.contains("2 scenarios: 2 passed"), "{}", ran.out);
}

#[test]
fn a_line_of_an_outline_means_all_rows_and_a_row_itself() {
    let directory = directory("outline-lines");
    let text = "# Rows\n\n## Scenario Outline: says ${n}\n\nGiven I store `${n}` into `x`\n\n### Examples\n\n| n |\n\
                | - |\n| 1 |\n| 2 |\n\n## After\n\nGiven I store `1` into `y`\n";
    fs::write(directory.join("a.feature.md"), text).expect("it can be written");
    let listed = |line: &str| {
        fotalab(
            &directory,
            &["run", &format!("a.feature.md:{line}"), "--list"],
        )
        .out
    };
    let count = |line: &str| {
        listed(line)
            .lines()
            .filter(|it| !it.contains("prerequisite"))
            .count()
    };
    for line in ["3", "5", "9"] {
        assert_eq!(count(line), 2, "line {line}: {}", listed(line));
    }
    assert_eq!((count("11"), count("12"), count("16")), (1, 1, 1));
    let ran = fotalab(&directory, &["run", "a.feature.md:99"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert!(
        ran.err.contains("11, 12, 14"),
        "it says where scenarios begin: {ran:?}"
    );
}

#[test]
fn virtual_time_on_the_real_clock_is_found_before_anything_runs() {
    let directory = directory("real-time");
    let text = "# Time\n\n## Passes\n\nWhen time passes for `1 hour`\n";
    fs::write(directory.join("a.feature.md"), text).expect("it can be written");
    let ran = fotalab(&directory, &["run", "a.feature.md", "--clock", "real"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(
        ran.err.contains("a.feature.md:5") && ran.err.contains("clock: virtual"),
        "{ran:?}"
    );
    let insists = format!("---\nclock: virtual\n---\n\n{text}");
    fs::write(directory.join("a.feature.md"), insists).expect("it can be written");
    assert_eq!(
        fotalab(&directory, &["run", "a.feature.md", "--clock", "real"]).code,
        Some(0)
    );
}

#[test]
fn init_makes_a_project_that_passes() {
    let directory = directory("init");
    let ran = fotalab(&directory, &["init"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = fotalab(&directory, &["run"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    fs::write(directory.join("fotalab.toml"), "[run]\nseeds = 1\n").expect("it can be written");
    let again = fotalab(&directory, &["init"]);
    assert!(again.err.contains("stays as it is"), "{again:?}");
    let ran = fotalab(&directory, &["run"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("did you mean `seed`"), "{ran:?}");
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_reports_what_ran() {
    use std::{
        io::{BufRead as _, BufReader, Read as _, Write as _},
        net::TcpListener,
        process::{Command, Stdio},
    };
    let directory = directory("interrupted");
    let text = "# Long\n\n## Short\n\nGiven I store `1` into `x`\n\n## Breaks\n\nThen the variable `1` should be\n\n```json\n2\n```\n";
    fs::write(directory.join("a.feature.md"), text).expect("it can be written");
    // The second file calls the test before it waits: begun is what the interruption must find.
    let listening = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listening.local_addr().expect("its address").port();
    let waits = format!(
        "# Waits\n\n## For long\n\nWhen I `GET` `http://127.0.0.1:{port}/begun`\n\nThen the status code of the last response should be `200`\n\nAnd within `1 hour` the nRF Cloud API should have been called with\n\n```\nGET /x HTTP/1.1\n```\n"
    );
    fs::write(directory.join("b.feature.md"), waits).expect("it can be written");
    let mut child = Command::new(env!("CARGO_BIN_EXE_fotalab"))
        .current_dir(&directory)
        .args([
            "run",
            ".",
            "--clock",
            "real",
            "--report",
            "report",
            "--concurrency",
            "1",
        ])
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the command is built");
    // The first file's failure is said at once, not at the end.
    let mut said = String::new();
    let mut stderr = BufReader::new(child.stderr.take().expect("it is piped"));
    stderr.read_line(&mut said).expect("a line");
    assert!(said.contains("a.feature.md:9"), "{said}");
    let mut call = BufReader::new(called(&listening));
    let asked = call.by_ref().lines().map_while(Result::ok);
    assert!(asked.take_while(|it| !it.is_empty()).count() > 0);
    call.get_mut()
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        .expect("it listens");
    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .expect("kill is everywhere");
    assert!(killed.success());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    let report = fs::read_to_string(directory.join("report/report.json")).expect("a report");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!(report["interrupted"], true, "{report}");
    assert_eq!(report["features"][0]["title"], "Long", "{report}");
    assert_eq!(report["features"][1]["verdict"], "interrupted", "{report}");
}

#[test]
fn a_file_that_a_step_names_is_missed_before_anything_runs() {
    let directory = directory("named-file");
    let text = "# Upload\n\n## Of a file\n\nWhen I `POST` `${MOCKURL}/upload` with the file `image.bin` as \
                `application/octet-stream`\n\nThen the status code of the last response should be `404`\n";
    fs::write(directory.join("a.feature.md"), text).expect("it can be written");
    let ran = fotalab(&directory, &["check", "a.feature.md"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    for words in [
        "a.feature.md:5",
        "there is no file `image.bin`",
        "directory of the scenario",
    ] {
        let told = format!("{}{}", ran.out, ran.err);
        assert!(told.contains(words), "it does not say `{words}`: {told}");
    }
    fs::write(directory.join("image.bin"), "bytes").expect("it can be written");
    let ran = fotalab(&directory, &["run", "a.feature.md"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn what_ran_is_told_although_its_report_cannot_be_written() {
    let directory = directory("report-in-the-way");
    let text = "# Runs\n\n## Well\n\nGiven I store `1` into `x`\n";
    fs::write(directory.join("a.feature.md"), text).expect("it can be written");
    fs::create_dir_all(directory.join("out/index.html")).expect("a folder in its place");
    let ran = fotalab(&directory, &["run", "a.feature.md", "--report", "out"]);
    assert_eq!(ran.code, Some(5), "{ran:?}");
    assert!(ran.out.contains("1 passed"), "{ran:?}");
    assert!(ran.err.contains("index.html` cannot be written"), "{ran:?}");
    // Folders of a file that is asked for are made.
    let ran = fotalab(
        &directory,
        &["run", "a.feature.md", "--junit", "a/b/junit.xml"],
    );
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let junit = fs::read_to_string(directory.join("a/b/junit.xml")).expect("a report");
    assert!(junit.contains("<testcase"), "{junit}");
}

#[test]
fn a_report_that_cannot_be_written_is_told_before_anything_runs() {
    let directory = directory("report-nowhere");
    fs::write(directory.join("a.feature.md"), HOLDS).expect("it can be written");
    fs::write(directory.join("taken"), "").expect("it can be written");
    for verb in [
        &["run", "a.feature.md"][..],
        &["conform", "--rows", "X-REG-01"],
    ] {
        let ran = fotalab(&directory, &[verb, &["--report", "taken"]].concat());
        assert_eq!(ran.code, Some(2), "{verb:?}: {} {}", ran.out, ran.err);
        assert!(ran.err.contains("`taken` is a file"), "{}", ran.err);
        assert_eq!(ran.out, "", "nothing ran");
    }
    let ran = fotalab(&directory, &["run", "a.feature.md", "--junit", "."]);
    assert_eq!(ran.code, Some(2), "{} {}", ran.out, ran.err);
    assert!(ran.err.contains("`.` is a directory"), "{}", ran.err);
    assert_eq!(ran.out, "", "nothing ran");
}
