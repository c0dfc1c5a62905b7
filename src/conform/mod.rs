//! Conformance: rows that a specification asks for, the scenarios that prove them, and what a run
//! of these says of a server. It is not a certification of anybody's.

pub mod built_in;
mod catalogue;
mod judge;
mod matrix;
mod report;
mod suite;
#[cfg(test)]
mod tests;
mod uncovered;

use crate::plan::FileDiagnostic;

pub use self::{
    catalogue::{Accepted, Catalogue, Class, ROWS, Row, Section, Subject},
    judge::{Against, judge},
    matrix::{Judgement, Matrix, Proof, Verdict},
    report::{NOT_A_CERTIFICATION, console, json, page},
    suite::{BACKGROUND, ProvedBy, Suite},
    uncovered::Uncovered,
};

/// A suite that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConformError {
    /// The files of rows are not as they should be.
    #[error("{0}")]
    Catalogue(String),
    /// There is no such row.
    #[error("{0}")]
    Unknown(String),
    /// Rows and scenarios do not fit together.
    #[error("rows and scenarios do not fit together")]
    Suite {
        /// Mistakes of scenario files.
        files: Vec<FileDiagnostic>,
        /// Mistakes of rows.
        rows: Vec<String>,
    },
}
