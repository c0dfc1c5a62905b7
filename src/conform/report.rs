//! The matrix for a terminal, for machines, and as a page.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::{Class, Judgement, Matrix, Uncovered, Verdict};
use crate::{cli::Paint, trace::Secrets};

/// The number of the machine format; it changes when a reader of the old one would misread the
/// new one.
const SCHEMA: u32 = 1;

/// What this is not.
pub const NOT_A_CERTIFICATION: &str =
    "This is a test by fotalab. It is not a certification, and not by the Open Mobile Alliance.";

/// The matrix for a terminal.
#[must_use]
pub fn console(matrix: &Matrix, paint: Paint) -> String {
    let mut text = String::new();
    let mut section = "";
    let widest = matrix.rows.iter().map(|it| it.row.id.len()).max();
    let widest = widest.unwrap_or_default();
    for judged in &matrix.rows {
        if judged.section != section {
            section = &judged.section;
            let _ = writeln!(text, "{}", paint.strong(section));
        }
        let row = &judged.row;
        let _ = writeln!(
            text,
            "  {} {:<widest$}  {:<7} {}",
            mark(judged.verdict, paint),
            row.id,
            class(row.class),
            row.title
        );
        let said = judged
            .reason
            .as_ref()
            .filter(|_| judged.verdict != Verdict::Pass);
        if let Some(reason) = said {
            let words = format!("{}: {reason}", judged.verdict.words());
            let words = match judged.verdict {
                Verdict::Fail | Verdict::Inconclusive => paint.bad(&words),
                _ => paint.quiet(&words),
            };
            let _ = writeln!(text, "      {words}");
        }
        if let Some(remark) = &judged.remark {
            let _ = writeln!(text, "      {}", paint.strong(remark));
        }
    }
    text.push_str(&summary(matrix, paint));
    text
}

fn summary(matrix: &Matrix, paint: Paint) -> String {
    let mut text = String::from("\n");
    let failing: Vec<&str> = matrix.failing().map(|it| it.row.id.as_str()).collect();
    if !failing.is_empty() {
        let _ = writeln!(text, "{} {}\n", paint.bad("not held:"), failing.join(", "));
    }
    let line = format!("{}: {}", matrix.target, counts(matrix));
    let painted = if failing.is_empty() {
        paint.good(&line)
    } else {
        paint.bad(&line)
    };
    let _ = writeln!(text, "{painted}\n{}", paint.quiet(NOT_A_CERTIFICATION));
    text
}

/// `233 rows: 70 pass, 2 fail, …`.
fn counts(matrix: &Matrix) -> String {
    let of = |verdict: &Verdict| {
        let count = matrix.count(*verdict);
        (count > 0).then(|| format!("{count} {}", verdict.words()))
    };
    let counts: Vec<String> = Verdict::ALL.iter().filter_map(of).collect();
    format!("{} rows: {}", matrix.rows.len(), counts.join(", "))
}

fn mark(verdict: Verdict, paint: Paint) -> String {
    match verdict {
        Verdict::Pass => paint.good("✓"),
        Verdict::Fail => paint.bad("✗"),
        Verdict::ExpectedFailure => paint.bad("~"),
        Verdict::Inconclusive => paint.bad("?"),
        Verdict::NotRun => paint.quiet("-"),
        Verdict::NotApplicable => paint.quiet("·"),
    }
}

const fn class(class: Class) -> &'static str {
    match class {
        Class::Must => "must",
        Class::Should => "should",
        Class::Interop => "interop",
        Class::Advice => "advice",
    }
}

/// `conformance.json`.
#[must_use]
pub fn json(matrix: &Matrix, secrets: &Secrets) -> String {
    let mut report = Map::new();
    report.insert("schema".to_owned(), json!(SCHEMA));
    report.insert("fotalab".to_owned(), json!(env!("CARGO_PKG_VERSION")));
    report.insert("note".to_owned(), json!(NOT_A_CERTIFICATION));
    let totals: Map<String, Value> = Verdict::ALL
        .iter()
        .map(|it| (it.words().replace(' ', "-"), json!(matrix.count(*it))))
        .collect();
    report.insert("totals".to_owned(), Value::Object(totals));
    let failing: Vec<&str> = matrix.failing().map(|it| it.row.id.as_str()).collect();
    report.insert("notHeld".to_owned(), json!(failing));
    // A matrix is made of maps with text keys, numbers and texts.
    if let Ok(Value::Object(matrix)) = serde_json::to_value(matrix) {
        report.extend(matrix);
    }
    format!("{:#}\n", secrets.redact_json(&Value::Object(report)))
}

/// `conformance.md`, and the page of all rows beside the scenarios.
#[must_use]
pub fn page(matrix: &Matrix, secrets: &Secrets) -> String {
    let whom = match matrix.target.as_str() {
        "embedded" => "fotalab's own server and devices".to_owned(),
        name => cell(name),
    };
    let mut text = format!(
        "# Conformance of {whom}\n\n{NOT_A_CERTIFICATION} `fotalab conform` writes this page.\n\n{}.\n\n",
        counts(matrix)
    );
    text.push_str(
        "Ids that begin with `LightweightM2M-` are those of the enabler test specification, whose later\n\
         versions keep the number; `X-` are ours. Core and Transport are the two documents of LwM2M 1.1.1,\n\
         cited by chapter and, where one treats several, by operation. A row of class `must` fails the run, others only say so. No pass, but no failure either: *expected\n\
         failure* (the profile states the deviation), *inconclusive* (what the row stands on did not hold),\n\
         *not run*, *not applicable* (the target lacks what it is about).\n\nRows without a scenario say why:\n\n",
    );
    for reason in Uncovered::ALL {
        let used = |it: &Judgement| it.row.uncovered == Some(reason);
        if matrix.rows.iter().any(used) {
            let _ = writeln!(text, "- `{}`: {}", reason.name(), reason.meaning());
        }
    }
    let mut section = "";
    for judged in &matrix.rows {
        if judged.section != section {
            section = &judged.section;
            let _ = writeln!(
                text,
                "\n## {section}\n\n| row | what | class | rests on | scenario | verdict | reason |\n\
                 | --- | --- | --- | --- | --- | --- | --- |"
            );
        }
        text.push_str(&line(judged));
    }
    secrets.redact(&text)
}

fn line(judged: &Judgement) -> String {
    let row = &judged.row;
    let proofs: Vec<String> = judged
        .proofs
        .iter()
        .map(|it| {
            let file = it.path.rsplit(['/', '\\']).next().unwrap_or_default();
            let file = file.trim_end_matches(".feature.md");
            format!("{}: {}", cell(file), cell(&it.title))
        })
        .collect();
    let said: Vec<&str> = judged
        .reason
        .iter()
        .chain(&judged.remark)
        .map(String::as_str)
        .collect();
    format!(
        "| {} | {} | {} | {} | {} | {} | {} |\n",
        row.id,
        cell(&row.title),
        class(row.class),
        cell(&row.clause),
        proofs.join("<br>"),
        judged.verdict.words(),
        cell(&said.join("; "))
    )
}

/// A text as one cell of a table.
fn cell(text: &str) -> String {
    let text = text.replace('|', "\\|");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
