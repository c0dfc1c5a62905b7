//! From documents to a plan: every step bound, every mistake found, before anything runs.

mod bind;
mod build;
mod catalogue;
mod groups;
mod planned;
mod requirements;
mod selection;
mod variables;
mod vocabulary;

use std::{path::PathBuf, sync::Arc};

pub use self::{
    bind::{BoundStep, LimitKind, is_json, time_limit},
    build::plan,
    catalogue::{
        BlockNeed, Budget, CheckArgument, Entry, Form, FoundSecrets, MAX_RETRIES, Mistake, Part,
        Waiting,
    },
    planned::{Group, PartKey, Plan, PlannedFeature, PlannedScenario, Role},
    selection::{Offered, Selection, TagExpression},
    variables::{GIVEN, stored_names},
    vocabulary::{Captures, Definition, Nearest, Vocabulary},
};
#[doc(hidden)]
pub use inventory;

use crate::scenario::{Diagnostic, ast::Document};

/// A mistake and the file it is in.
#[derive(Clone, Debug)]
pub struct FileDiagnostic {
    /// The file.
    pub path: PathBuf,
    /// Its text.
    pub source: Arc<str>,
    /// The mistake.
    pub diagnostic: Diagnostic,
}

impl FileDiagnostic {
    /// A mistake in this document.
    #[must_use]
    pub fn new(document: &Document, diagnostic: Diagnostic) -> Self {
        Self {
            path: document.path.clone(),
            source: Arc::clone(&document.source),
            diagnostic,
        }
    }
}

/// Sorts mistakes as a reader meets them; each is said once.
pub fn in_reading_order(problems: &mut Vec<FileDiagnostic>) {
    problems.sort_by(|a, b| {
        (&a.path, a.diagnostic.span, a.diagnostic.code).cmp(&(
            &b.path,
            b.diagnostic.span,
            b.diagnostic.code,
        ))
    });
    problems.dedup_by(|a, b| a.path == b.path && a.diagnostic == b.diagnostic);
}
