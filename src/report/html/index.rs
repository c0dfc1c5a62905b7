//! What the script has to know before anything is opened, as plain JSON: any other program may
//! read it too.

use serde::Serialize;

use super::{OfFeature, Packed, names::Names, step::word};
use crate::{report::kept::Kept, run::FeatureRecord};

/// Changes when a reader of the old one would misread the new one.
const SCHEMA: u32 = 1;

/// The JSON of the element `index`.
pub(super) fn index(kept: &Kept<'_>, names: &[Names], packed: &Packed) -> String {
    let features = kept.run.features.iter().zip(names).zip(&packed.features);
    let index = Index {
        schema: SCHEMA,
        fotalab: &kept.version,
        features: features
            .map(|((record, names), packed)| feature(record, names, packed))
            .collect(),
    };
    // It is made of texts, numbers and lists.
    serde_json::to_string(&index).unwrap_or_default()
}

fn feature<'a>(record: &'a FeatureRecord, names: &'a Names, packed: &'a OfFeature) -> Feature<'a> {
    let scenarios = record.scenarios.iter().enumerate();
    Feature {
        name: &names.feature,
        path: &record.path,
        title: &record.title,
        verdict: word(record.verdict),
        clock: &record.clock,
        messages: packed.counts.messages,
        dropped: record.messages_dropped,
        devices: packed.counts.devices,
        pieces: &packed.pieces.bounds,
        scenarios: scenarios
            .map(|(nth, scenario)| Scenario {
                name: &names.scenarios[nth],
                title: &scenario.title,
                verdict: word(scenario.verdict),
                first: names.first_steps[nth],
                steps: scenario
                    .steps
                    .iter()
                    .map(|it| &word(it.verdict)[..1])
                    .collect(),
            })
            .collect(),
    }
}

#[derive(Serialize)]
struct Index<'a> {
    schema: u32,
    fotalab: &'a str,
    features: Vec<Feature<'a>>,
}

#[derive(Serialize)]
struct Feature<'a> {
    name: &'a str,
    path: &'a str,
    title: &'a str,
    verdict: &'a str,
    clock: &'a str,
    messages: usize,
    dropped: u64,
    devices: usize,
    /// The first content of each piece, and where the last piece ends.
    pieces: &'a [usize],
    scenarios: Vec<Scenario<'a>>,
}

#[derive(Serialize)]
struct Scenario<'a> {
    name: &'a str,
    title: &'a str,
    verdict: &'a str,
    /// Number of its first step in the feature.
    first: usize,
    /// A letter for each step: passed, failed, skipped, interrupted.
    steps: String,
}
