//! What a run says of each row.

use serde::Serialize;

use super::{Class, Row};

/// What a run says of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It holds.
    Pass,
    /// It does not.
    Fail,
    /// It does not, and the profile said so beforehand.
    ExpectedFailure,
    /// The harness could not tell.
    Inconclusive,
    /// Nobody tried.
    NotRun,
    /// The target lacks a capability without which the row means nothing.
    NotApplicable,
}

impl Verdict {
    /// All of them, in the order that reports count them.
    pub const ALL: [Self; 6] = [
        Self::Pass,
        Self::Fail,
        Self::ExpectedFailure,
        Self::Inconclusive,
        Self::NotRun,
        Self::NotApplicable,
    ];

    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::ExpectedFailure => "expected failure",
            Self::Inconclusive => "inconclusive",
            Self::NotRun => "not run",
            Self::NotApplicable => "not applicable",
        }
    }
}

/// A scenario that proves a row, and how it ended.
#[derive(Clone, Debug, Serialize)]
pub struct Proof {
    /// Its file.
    pub path: String,
    /// Line of its heading or example row.
    pub line: usize,
    /// Its title.
    pub title: String,
    /// How it ended.
    pub verdict: Verdict,
    /// Why, where it did not hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What a run says of one row.
#[derive(Clone, Debug, Serialize)]
pub struct Judgement {
    /// Title of its section.
    pub section: String,
    /// The row.
    #[serde(flatten)]
    pub row: Row,
    /// What the run says.
    pub verdict: Verdict,
    /// Why, where it is no pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What the reader should know all the same: a deviation that is none any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
    /// The scenarios that prove it.
    pub proofs: Vec<Proof>,
}

/// What a run says of all rows that were asked for.
#[derive(Clone, Debug, Serialize)]
pub struct Matrix {
    /// `embedded`, or the name of the target.
    pub target: String,
    /// The seed of the run.
    pub seed: u64,
    /// Row by row, in the order of the catalogue.
    pub rows: Vec<Judgement>,
}

impl Matrix {
    /// How many rows got this verdict.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        self.rows.iter().filter(|it| it.verdict == verdict).count()
    }

    /// Rows that fail the run: those that must hold, and did not or may not have.
    pub fn failing(&self) -> impl Iterator<Item = &Judgement> {
        let fails = |it: &&Judgement| {
            it.row.class == Class::Must
                && matches!(it.verdict, Verdict::Fail | Verdict::Inconclusive)
        };
        self.rows.iter().filter(fails)
    }

    /// Whether anything was put to the test at all.
    #[must_use]
    pub fn ran(&self) -> bool {
        let tried =
            |it: &Judgement| !matches!(it.verdict, Verdict::NotRun | Verdict::NotApplicable);
        self.rows.iter().any(tried)
    }
}
