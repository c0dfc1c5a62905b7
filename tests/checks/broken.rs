//! Mistakes that only show when steps are bound: beside each stands what a reader is told.

use std::{fs, path::Path};

use serde_json::Value;

use crate::support::fotalab;

#[test]
fn check_names_every_mistake_with_its_place_and_mend() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checks/broken");
    let mut cases: Vec<_> = fs::read_dir(folder)
        .expect("it is there")
        .flatten()
        .map(|it| it.path())
        .collect();
    cases.sort();
    let wrong: Vec<String> = cases.iter().flat_map(|case| of_case(case)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases.len() >= 20, "only {} cases", cases.len());
}

fn of_case(case: &Path) -> Vec<String> {
    let name = case.file_name().unwrap_or_default().display().to_string();
    let text = fs::read_to_string(case.join("expect.json"))
        .expect("an expectation stands beside each case");
    let expected: Value = serde_json::from_str(&text).expect("it is JSON");
    let ran = fotalab(case, &["check", ".", "--format", "json"]);
    let run = fotalab(case, &["run", "."]);
    let mut wrong = Vec::new();
    if ran.code != Some(3) || run.code != Some(3) {
        wrong.push(format!(
            "{name}: check ended with {:?}, run with {:?}",
            ran.code, run.code
        ));
    }
    let found: Value = serde_json::from_str(&ran.out).unwrap_or_default();
    let mut found = found["diagnostics"].as_array().cloned().unwrap_or_default();
    for wanted in expected["diagnostics"].as_array().expect("a list") {
        let same = |it: &Value| {
            ["path", "line", "column", "code"]
                .iter()
                .all(|key| it[key] == wanted[key])
        };
        let Some(at) = found.iter().position(same) else {
            wrong.push(format!("{name}: not found: {wanted}"));
            continue;
        };
        let one = found.remove(at);
        let told = format!("{} {}", one["message"], one["help"]).replace("\\\"", "\"");
        let label = fotalab(case, &["check", "."]).out;
        for words in wanted["says"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(Value::as_str)
        {
            if !told.contains(words) && !label.contains(words) {
                wrong.push(format!("{name}: does not say `{words}`: {told}"));
            }
        }
        if one["help"].is_null() {
            wrong.push(format!(
                "{name}: {} does not say how to mend it",
                one["code"]
            ));
        }
    }
    wrong.extend(found.iter().map(|it| format!("{name}: unexpected {it}")));
    wrong
}
