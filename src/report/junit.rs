//! JUnit XML: a suite for each feature, a case for each scenario.

use std::time::Duration;

use quick_junit::{
    NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite, XmlString,
};
use serde_json::Value;

use super::{cause, in_one_line};
use crate::run::{FeatureRecord, RunRecord, ScenarioRecord, Verdict};

/// `junit.xml`.
#[must_use]
pub fn junit(record: &RunRecord) -> String {
    let mut report = Report::new("fotalab");
    report.set_time(Duration::from_millis(record.took_ms));
    let words = Words {
        file: "file".into(),
        line: "line".into(),
    };
    for feature in &record.features {
        report.add_test_suite(suite(feature, &words));
    }
    if !record.environment.is_empty() {
        let mut suite = TestSuite::new("environment");
        for error in &record.environment {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_message(error);
            suite.add_test_case(TestCase::new("the laboratory starts", status));
        }
        report.add_test_suite(suite);
    }
    report
        .to_string()
        .unwrap_or_else(|error| format!("<!-- the report could not be written: {error} -->\n"))
}

/// Texts that are in every case: each is looked through for control characters when it is made.
struct Words {
    file: XmlString,
    line: XmlString,
}

fn suite(feature: &FeatureRecord, words: &Words) -> TestSuite {
    let variant = feature
        .variant
        .as_ref()
        .map(|values| Value::Object(values.clone()).to_string());
    let name = format!(
        "{}{}",
        feature.path,
        variant.map_or_else(String::new, |it| format!(" {it}"))
    );
    let mut suite = TestSuite::new(name);
    suite.set_time(Duration::from_millis(feature.took_ms));
    suite.add_property(Property::new("title", feature.title.as_str()));
    suite.add_property(Property::new("clock", feature.clock.as_ref()));
    if let Some(variant) = &feature.variant {
        let values = serde_json::Value::Object(variant.clone());
        suite.add_property(Property::new("variant", values.to_string()));
    }
    let path = XmlString::new(&feature.path);
    for scenario in &feature.scenarios {
        suite.add_test_case(case(feature, &path, scenario, words));
    }
    suite
}

fn case(
    feature: &FeatureRecord,
    path: &XmlString,
    scenario: &ScenarioRecord,
    words: &Words,
) -> TestCase {
    let status = match scenario.verdict {
        Verdict::Passed => TestCaseStatus::success(),
        Verdict::Skipped => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(scenario.reason.as_deref().unwrap_or("skipped"));
            status
        }
        Verdict::Interrupted => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_message("interrupted");
            status
        }
        Verdict::Failed => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            if let Some(step) = scenario
                .steps
                .iter()
                .find(|it| it.verdict == Verdict::Failed)
            {
                status.set_message(cause(step));
                status.set_type(if step.defect.is_some() {
                    "defect"
                } else {
                    "mismatch"
                });
                let mut text = format!(
                    "{}:{}:{}\n{} {}\n",
                    feature.path, step.line, step.column, step.keyword, step.title
                );
                if let Some(mismatch) = step.attempts.last().and_then(|it| it.mismatch.as_ref()) {
                    for difference in &mismatch.differences {
                        text.push_str(&in_one_line(difference));
                        text.push('\n');
                    }
                    for note in &mismatch.notes {
                        text.push_str(note);
                        text.push('\n');
                    }
                }
                status.set_description(text);
            }
            status
        }
    };
    let name = scenario
        .id
        .strip_prefix(&format!("{}::", feature.path.replace('\\', "/")))
        .unwrap_or(&scenario.id);
    let mut case = TestCase::new(name, status);
    case.set_classname(path.clone());
    case.set_time(Duration::from_millis(scenario.took_ms));
    case.extra.insert(words.file.clone(), path.clone());
    case.extra
        .insert(words.line.clone(), scenario.line.to_string().into());
    case
}
