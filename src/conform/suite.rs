//! A suite: a catalogue, and the scenarios that prove its rows.

use std::collections::BTreeMap;

use super::{Catalogue, ConformError, Row, catalogue::looks_like_id};
use crate::{
    plan::{FileDiagnostic, Plan, PlannedFeature, PlannedScenario},
    scenario::{Diagnostic, Span},
    target::Capability,
};

/// What puts things in place for the scenarios of a file and proves nothing itself.
pub const BACKGROUND: &str = "Background";

/// A catalogue, and for each row the scenarios that prove it.
#[derive(Debug)]
pub struct Suite {
    /// The rows.
    pub catalogue: Catalogue,
    /// By the id of the row.
    proofs: BTreeMap<String, Vec<ProvedBy>>,
}

/// A scenario that proves a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvedBy {
    /// Its id.
    pub scenario: String,
    /// Capabilities without which it is left out, beside those that the row needs: tags such as
    /// `@needs:feature:operations`.
    pub needs: Vec<Capability>,
}

/// What tags of capabilities begin with.
const NEEDS: &str = "@needs:";

impl Suite {
    /// Joins rows and scenarios by tags (`@X-REG-01`) and by `covers` in front matter. A scenario
    /// may need more than its row does: `@needs:feature:operations`.
    ///
    /// # Errors
    /// A tag that names no row, a scenario without a row, a row with neither scenario nor reason,
    /// or with both. All of them.
    pub fn new(catalogue: Catalogue, plan: &Plan) -> Result<Self, ConformError> {
        let mut proofs: BTreeMap<String, Vec<ProvedBy>> = BTreeMap::new();
        let mut files = Vec::new();
        for feature in plan.groups.iter().flat_map(|it| &it.features) {
            for covered in &feature.document.front_matter.covers {
                if catalogue.row(&covered.value).is_none() {
                    files.push(unknown(&catalogue, feature, &covered.value, covered.span()));
                }
            }
            for scenario in &feature.scenarios {
                let ids = ids_of(feature, scenario);
                let needs = needs_of(scenario).unwrap_or_else(|why| {
                    let problem = Diagnostic::new("conform::capability", scenario.span, why);
                    files.push(FileDiagnostic::new(&feature.document, problem));
                    Vec::new()
                });
                if ids.is_empty() && scenario.title != BACKGROUND {
                    files.push(without_row(feature, scenario));
                }
                for id in ids {
                    match catalogue.row(id) {
                        Some(row) => proofs.entry(row.id.clone()).or_default().push(ProvedBy {
                            scenario: scenario.id.clone(),
                            needs: needs.clone(),
                        }),
                        // What `covers` names was looked at above.
                        None if covers(feature, id) => {}
                        None => files.push(unknown(&catalogue, feature, id, scenario.span)),
                    }
                }
            }
        }
        let rows: Vec<String> = catalogue
            .rows()
            .filter_map(|row| mistake_of(row, proofs.get(&row.id).map_or(&[][..], Vec::as_slice)))
            .collect();
        if files.is_empty() && rows.is_empty() {
            return Ok(Self { catalogue, proofs });
        }
        crate::plan::in_reading_order(&mut files);
        Err(ConformError::Suite { files, rows })
    }

    /// The scenarios that prove a row.
    #[must_use]
    pub fn proofs(&self, row: &Row) -> &[ProvedBy] {
        self.proofs.get(&row.id).map_or(&[], Vec::as_slice)
    }
}

/// The rows that a scenario says it proves.
fn ids_of<'a>(feature: &'a PlannedFeature, scenario: &'a PlannedScenario) -> Vec<&'a str> {
    if scenario.title == BACKGROUND {
        return Vec::new();
    }
    let tags = scenario.tags.iter().map(|it| it.trim_start_matches('@'));
    let tags = tags.filter(|it| looks_like_id(it));
    let covers = &feature.document.front_matter.covers;
    tags.chain(covers.iter().map(|it| it.value.as_str()))
        .collect()
}

fn covers(feature: &PlannedFeature, id: &str) -> bool {
    let mut covers = feature.document.front_matter.covers.iter();
    covers.any(|it| it.value == id)
}

/// What a scenario needs beside its rows.
fn needs_of(scenario: &PlannedScenario) -> Result<Vec<Capability>, String> {
    let needs = scenario.tags.iter().filter_map(|it| it.strip_prefix(NEEDS));
    needs.map(str::parse).collect()
}

fn mistake_of(row: &Row, proofs: &[ProvedBy]) -> Option<String> {
    match (proofs, row.uncovered) {
        ([], None) => Some(format!(
            "{}: no scenario proves it; tag one with @{}, or say `uncovered` with one of the reasons",
            row.id, row.id
        )),
        ([first, ..], Some(reason)) => Some(format!(
            "{}: it is `{}`, and yet {} proves it; take `uncovered` out",
            row.id,
            reason.name(),
            first.scenario
        )),
        _ => None,
    }
}

fn unknown(
    catalogue: &Catalogue,
    feature: &PlannedFeature,
    id: &str,
    span: Span,
) -> FileDiagnostic {
    let problem = Diagnostic::new("conform::unknown-row", span, catalogue.unknown(id))
        .help("the ids are those of the folder `rows`");
    FileDiagnostic::new(&feature.document, problem)
}

fn without_row(feature: &PlannedFeature, scenario: &PlannedScenario) -> FileDiagnostic {
    let message = "this scenario says of no row that it proves it";
    let problem = Diagnostic::new("conform::no-row", scenario.span, message)
        .help("write `<!-- @X-REG-01 -->` with the row's id before its heading");
    FileDiagnostic::new(&feature.document, problem)
}
