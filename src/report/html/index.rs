//! What the script has to know before anything is opened, as plain JSON: any other program may
//! read it too.

use serde_json::{Value, json};

use super::{columns::Columns, names::Names, pieces::Pieces, step::word};
use crate::report::kept::Kept;

/// Changes when a reader of the old one would misread the new one.
const SCHEMA: u32 = 1;

/// The JSON of the element `index`.
pub(super) fn index(
    kept: &Kept<'_>,
    names: &[Names],
    columns: &[Columns],
    pieces: &Pieces,
) -> String {
    let features: Vec<Value> = (0..names.len())
        .map(|it| feature(kept, it, &names[it], &columns[it], &pieces.bounds[it]))
        .collect();
    json!({ "schema": SCHEMA, "fotalab": kept.version, "features": features }).to_string()
}

fn feature(
    kept: &Kept<'_>,
    number: usize,
    names: &Names,
    columns: &Columns,
    bounds: &[usize],
) -> Value {
    let feature = &kept.run.features[number];
    let scenarios: Vec<Value> = feature
        .scenarios
        .iter()
        .enumerate()
        .map(|(nth, scenario)| {
            let verdicts: String = scenario
                .steps
                .iter()
                .filter_map(|it| word(it.verdict).chars().next())
                .collect();
            json!({
                "name": names.scenarios[nth],
                "title": scenario.title,
                "verdict": word(scenario.verdict),
                // Numbers of its steps, from the first.
                "first": names.first_steps[nth],
                // A letter for each: passed, failed, skipped, interrupted.
                "steps": verdicts,
            })
        })
        .collect();
    json!({
        "name": names.feature,
        "path": feature.path,
        "title": feature.title,
        "verdict": word(feature.verdict),
        "clock": feature.clock,
        "messages": columns.len(),
        "dropped": feature.messages_dropped,
        "devices": columns.devices(),
        // The first content of each piece, and where the last piece ends.
        "pieces": bounds,
        "scenarios": scenarios,
    })
}
