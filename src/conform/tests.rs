//! Made-up rows and scenarios, run for real: what each verdict takes.

use std::sync::Arc;

use chrono::NaiveDate;
use serde_json::Map;

use super::{
    Against, BACKGROUND, Catalogue, ConformError, Judgement, Matrix, Suite, Verdict, judge, page,
};
use crate::{
    plan::{self, Plan, Selection},
    run::{RunRecord, Session, Settings},
    scenario,
    target::{Capabilities, Deviation},
    trace::Secrets,
};

const HOLDS: &str = "Given I store `1` into `x`";
const BREAKS: &str = "Then the variable `x` should be\n\n```json\n2\n```";

/// A row of ours: its number and what differs from the usual.
fn row(number: u32, more: &str) -> String {
    let class = if more.contains("class =") {
        ""
    } else {
        "class = \"must\"\n"
    };
    let subject = if more.contains("subject =") {
        ""
    } else {
        "subject = \"server\"\n"
    };
    format!(
        "[[row]]\nid = \"X-T-{number}\"\ntitle = \"Row {number}\"\nclause = \"C\"\naccept = [{{ outcome = \"it holds\" }}]\n\
         {class}{subject}{more}\n"
    )
}

fn catalogue(rows: &[String]) -> Catalogue {
    let text = format!("title = \"Test\"\n{}", rows.concat());
    Catalogue::parse([("rows.toml", text.as_str())].into_iter()).expect("rows")
}

fn planned(text: &str) -> Plan {
    let path = std::path::Path::new("t/Test.feature.md");
    let parsed = scenario::parse(path, Arc::from(text));
    assert!(parsed.diagnostics.is_empty(), "{:?}", parsed.diagnostics);
    plan::plan(vec![parsed.document], &Selection::default(), &Map::new()).expect("it binds")
}

/// A file with these scenarios, tagged with the numbers of rows: `(tags, body)`.
fn file(background: &str, scenarios: &[(&str, &str)]) -> String {
    let mut text = format!("# Test\n\n## {BACKGROUND}\n\n{background}\n");
    for (nth, (tags, body)) in scenarios.iter().enumerate() {
        text.push_str(&format!(
            "\n<!--\n{tags}\n-->\n\n## Scenario {nth}\n\n{body}\n"
        ));
    }
    text
}

struct Case {
    rows: Vec<String>,
    text: String,
    capabilities: Capabilities,
    deviations: Vec<Deviation>,
    is_a_server: bool,
}

impl Case {
    fn new(rows: &[String], scenarios: &[(&str, &str)]) -> Self {
        Self {
            rows: rows.to_vec(),
            text: file(HOLDS, scenarios),
            capabilities: Capabilities::default(),
            deviations: Vec::new(),
            is_a_server: false,
        }
    }

    fn judged(&self, change: impl Fn(&mut RunRecord)) -> Matrix {
        let suite = Suite::new(catalogue(&self.rows), &planned(&self.text)).expect("they fit");
        let plan = planned(&self.text).apart(|it| it.title == BACKGROUND);
        let session = Arc::new(Session::new(Arc::new(plan), Settings::default()));
        Arc::clone(&session).run_to_end();
        let mut record = session.record(std::time::Duration::ZERO);
        change(&mut record);
        let against = Against {
            capabilities: &self.capabilities,
            deviations: &self.deviations,
            is_a_server: self.is_a_server,
            today: NaiveDate::from_ymd_opt(2026, 7, 1).expect("a day"),
        };
        judge(&suite, &session.plan, &record, &against, |_| true)
    }

    fn judge(&self) -> Judgement {
        self.judged(|_| ()).rows.remove(0)
    }
}

fn deviation(until: Option<(i32, u32, u32)>) -> Deviation {
    Deviation {
        covers: "X-T-1".to_owned(),
        reason: "documented".to_owned(),
        link: None,
        until: until.and_then(|(y, m, d)| NaiveDate::from_ymd_opt(y, m, d)),
    }
}

fn reason(judged: &Judgement) -> &str {
    judged.reason.as_deref().unwrap_or_default()
}

#[test]
fn a_row_passes_when_each_of_its_scenarios_does() {
    let both = [("@X-T-1", HOLDS), ("@X-T-1", HOLDS)];
    let judged = Case::new(&[row(1, "")], &both).judge();
    assert_eq!((judged.verdict, judged.proofs.len()), (Verdict::Pass, 2));
    let one = [("@X-T-1", HOLDS), ("@X-T-1", BREAKS)];
    let judged = Case::new(&[row(1, "")], &one).judge();
    assert_eq!(judged.verdict, Verdict::Fail);
    assert!(reason(&judged).contains("expected 2, was 1"), "{judged:?}");
}

#[test]
fn a_row_that_fails_hides_no_other_of_its_file() {
    let scenarios = [("@X-T-1", BREAKS), ("@X-T-2", HOLDS)];
    let matrix = Case::new(&[row(1, ""), row(2, "")], &scenarios).judged(|_| ());
    let verdicts: Vec<Verdict> = matrix.rows.iter().map(|it| it.verdict).collect();
    assert_eq!(verdicts, [Verdict::Fail, Verdict::Pass]);
}

#[test]
fn only_rows_that_must_hold_fail_a_run() {
    for (class, fails) in [("must", 1), ("should", 0), ("interop", 0), ("advice", 0)] {
        let row = row(1, &format!("class = \"{class}\""));
        let matrix = Case::new(&[row], &[("@X-T-1", BREAKS)]).judged(|_| ());
        assert_eq!(matrix.failing().count(), fails, "{class}");
        assert_eq!(matrix.count(Verdict::Fail), 1, "{class}");
    }
}

#[test]
fn what_could_not_be_put_in_place_is_inconclusive_and_never_green() {
    let given = "Given the variable `x` should be\n\n```json\n2\n```";
    let case = Case::new(&[row(1, "")], &[("@X-T-1", given)]);
    let judged = case.judge();
    assert_eq!(judged.verdict, Verdict::Inconclusive);
    assert!(reason(&judged).contains("could not be put in place"));
    assert_eq!(case.judged(|_| ()).failing().count(), 1);

    let mut case = Case::new(&[row(1, "")], &[("@X-T-1", HOLDS)]);
    case.text = file(&format!("{HOLDS}\n\n{BREAKS}"), &[("@X-T-1", HOLDS)]);
    let judged = case.judge();
    assert_eq!(judged.verdict, Verdict::Inconclusive);
    assert!(reason(&judged).contains("what it stands on did not hold"));
}

#[test]
fn a_defect_of_a_step_says_nothing_of_the_server() {
    let case = Case::new(
        &[row(1, "")],
        &[("@X-T-1", &format!("{HOLDS}\n\n{BREAKS}"))],
    );
    let matrix = case.judged(|record| {
        let steps = record.features.iter_mut().flat_map(|it| &mut it.scenarios);
        for step in steps.flat_map(|it| &mut it.steps) {
            step.defect = Some("index out of range".to_owned());
        }
    });
    assert_eq!(matrix.rows[0].verdict, Verdict::Inconclusive);
    assert!(reason(&matrix.rows[0]).contains("index out of range"));
}

#[test]
fn a_laboratory_that_could_not_be_set_up_is_inconclusive() {
    let case = Case::new(&[row(1, "")], &[("@X-T-1", HOLDS)]);
    let matrix = case.judged(|record| {
        record.features.clear();
        record
            .environment
            .push("t/Test.feature.md: the port is taken".to_owned());
    });
    assert_eq!(matrix.rows[0].verdict, Verdict::Inconclusive);
    assert!(reason(&matrix.rows[0]).contains("the port is taken"));
}

#[test]
fn what_was_interrupted_was_not_run() {
    let case = Case::new(&[row(1, "")], &[("@X-T-1", HOLDS)]);
    let matrix = case.judged(|record| record.features.clear());
    assert_eq!(matrix.rows[0].verdict, Verdict::NotRun);
    assert!(!matrix.ran(), "and a run of nothing is none");
}

#[test]
fn a_row_without_a_scenario_is_not_run_for_a_reason_of_the_list() {
    let uncovered = row(1, "uncovered = \"no-tcp\"");
    let judged = Case::new(&[uncovered, row(2, "")], &[("@X-T-2", HOLDS)]).judge();
    assert_eq!(
        (judged.verdict, reason(&judged)),
        (Verdict::NotRun, "no-tcp")
    );
}

#[test]
fn a_row_about_what_the_target_lacks_is_not_applicable() {
    let needs = row(1, "needs = [\"feature:bootstrap\"]");
    let mut case = Case::new(&[needs], &[("@X-T-1", BREAKS)]);
    case.capabilities = Capabilities::of_embedded();
    let judged = case.judge();
    assert_eq!(judged.verdict, Verdict::NotApplicable);
    assert!(reason(&judged).contains("no feature:bootstrap"));
}

#[test]
fn a_scenario_may_need_more_than_its_row() {
    let more = ("@X-T-1 @needs:feature:bootstrap", BREAKS);
    let mut case = Case::new(&[row(1, "")], &[("@X-T-1", HOLDS), more]);
    assert_eq!(case.judge().verdict, Verdict::Fail, "where it is there");
    case.capabilities = Capabilities::of_embedded();
    let judged = case.judge();
    assert_eq!((judged.verdict, judged.proofs.len()), (Verdict::Pass, 1));
    let remark = judged.remark.as_deref().unwrap_or_default();
    assert!(remark.contains("no feature:bootstrap"), "{remark}");
    let mut case = Case::new(&[row(1, "")], &[more]);
    case.capabilities = Capabilities::of_embedded();
    assert_eq!(case.judge().verdict, Verdict::NotApplicable);
    let wrong = misfit(
        &[row(1, "")],
        &[("@X-T-1 @needs:feature:bootstraps", HOLDS)],
    );
    assert!(wrong.contains("did you mean `bootstrap`?"), "{wrong}");
}

#[test]
fn rows_about_devices_say_nothing_of_a_server() {
    for (subject, verdict) in [
        ("client", Verdict::NotApplicable),
        ("server", Verdict::Pass),
        ("both", Verdict::Pass),
    ] {
        let row = row(1, &format!("subject = \"{subject}\""));
        let mut case = Case::new(&[row], &[("@X-T-1", HOLDS)]);
        case.is_a_server = true;
        assert_eq!(case.judge().verdict, verdict, "{subject}");
    }
}

#[test]
fn a_stated_deviation_makes_a_failure_an_expected_one_until_its_day() {
    let mut case = Case::new(&[row(1, "")], &[("@X-T-1", BREAKS)]);
    for until in [None, Some((2026, 7, 1))] {
        case.deviations = vec![deviation(until)];
        let matrix = case.judged(|_| ());
        assert_eq!(matrix.rows[0].verdict, Verdict::ExpectedFailure);
        assert_eq!(reason(&matrix.rows[0]), "documented");
        assert_eq!(matrix.failing().count(), 0);
    }
    case.deviations = vec![deviation(Some((2026, 6, 30)))];
    let matrix = case.judged(|_| ());
    assert_eq!(matrix.rows[0].verdict, Verdict::Fail);
    assert!(reason(&matrix.rows[0]).contains("counted until 2026-06-30"));
    assert_eq!(matrix.failing().count(), 1);
}

#[test]
fn passing_in_spite_of_a_deviation_is_said() {
    let mut case = Case::new(&[row(1, "")], &[("@X-T-1", HOLDS)]);
    case.deviations = vec![deviation(None)];
    let matrix = case.judged(|_| ());
    assert_eq!(matrix.rows[0].verdict, Verdict::Pass);
    let remark = matrix.rows[0].remark.as_deref().unwrap_or_default();
    assert!(remark.contains("though a deviation is stated"), "{remark}");
    assert!(page(&matrix, &Secrets::default()).contains(remark));
}

#[test]
fn a_deviation_does_not_hide_what_could_not_be_told() {
    let given = "Given the variable `x` should be\n\n```json\n2\n```";
    let mut case = Case::new(&[row(1, "")], &[("@X-T-1", given)]);
    case.deviations = vec![deviation(None)];
    assert_eq!(case.judge().verdict, Verdict::Inconclusive);
}

/// What `Suite::new` says of rows and scenarios that do not fit.
fn misfit(rows: &[String], scenarios: &[(&str, &str)]) -> String {
    let error = Suite::new(catalogue(rows), &planned(&file(HOLDS, scenarios)));
    match error.expect_err("they do not fit") {
        ConformError::Suite { files, rows } => {
            let files = files.iter().map(|it| it.diagnostic.message.clone());
            files.chain(rows).collect::<Vec<_>>().join("\n")
        }
        other => panic!("{other}"),
    }
}

#[test]
fn rows_and_scenarios_have_to_fit_together() {
    let rows = [row(1, "")];
    let nothing = misfit(&rows, &[("@slow", HOLDS)]);
    assert!(nothing.contains("says of no row") && nothing.contains("no scenario proves it"));
    let unknown = misfit(&rows, &[("@X-T-1 @X-T-9", HOLDS)]);
    assert!(
        unknown.contains("no row `X-T-9`; did you mean `X-T-1`?"),
        "{unknown}"
    );
    let case = misfit(&rows, &[("@X-T-1", HOLDS), ("@x-t-1", HOLDS)]);
    assert!(case.contains("no row `x-t-1`"), "{case}");
    let both = [row(1, "uncovered = \"no-tcp\"")];
    assert!(misfit(&both, &[("@X-T-1", HOLDS)]).contains("take `uncovered` out"));
}

#[test]
fn a_file_covers_rows_as_a_whole_too() {
    let text = format!(
        "---\ncovers: [X-T-1]\n---\n\n{}",
        file(HOLDS, &[("@slow", HOLDS)])
    );
    let suite = Suite::new(catalogue(&[row(1, "")]), &planned(&text)).expect("they fit");
    let row = suite.catalogue.row("X-T-1").expect("it is there");
    let proof = &suite.proofs(row)[0].scenario;
    assert_eq!(proof, "t/Test.feature.md::Scenario 0");
    let wrong = format!(
        "---\ncovers: [T-1]\n---\n\n{}",
        file(HOLDS, &[("@X-T-1", HOLDS)])
    );
    let error = Suite::new(catalogue(&[row_one()]), &planned(&wrong));
    assert!(matches!(error, Err(ConformError::Suite { files, .. }) if files.len() == 1));
}

fn row_one() -> String {
    row(1, "")
}
