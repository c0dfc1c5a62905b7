//! Captures for Wireshark: what crossed the air up to the end of a failed scenario.

use std::time::Duration;

use fotalab_wire::net::{Datagram, Pcapng};

use crate::{
    run::{FeatureRecord, RunRecord, ScenarioRecord},
    trace::Captured,
};

/// The captures that the record names: where each is to be, beside the report, and what is in it.
#[must_use]
pub fn captures(record: &RunRecord) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for feature in &record.features {
        for (nth, scenario) in feature.scenarios.iter().enumerate() {
            if let Some(name) = &scenario.capture {
                files.push((name.clone(), file(feature, nth, scenario)));
            }
        }
    }
    files
}

fn file(feature: &FeatureRecord, nth: usize, scenario: &ScenarioRecord) -> Vec<u8> {
    // Writing to memory does not fail, and a datagram between two families is none that crossed.
    let Ok(mut file) = Pcapng::new(Vec::new(), Duration::ZERO) else {
        return Vec::new();
    };
    if !feature.captured.keys.is_empty() {
        let mut lines = feature.captured.keys.join("\n");
        lines.push('\n');
        drop(file.secrets(&lines));
    }
    // Sessions and transfers begin before the scenario that fails.
    let upto = upto(feature, nth, scenario);
    for captured in &feature.captured.datagrams[..upto] {
        let at = Duration::from_millis(u64::try_from(captured.at).unwrap_or_default());
        let datagram = Datagram {
            from: captured.from,
            to: captured.to,
            bytes: captured.bytes.clone(),
        };
        drop(file.remarked(at, &datagram, comment(captured)));
    }
    file.into_inner()
}

/// How many of the feature's datagrams crossed before the scenario ended.
fn upto(feature: &FeatureRecord, nth: usize, scenario: &ScenarioRecord) -> usize {
    let later = |it: &Captured| {
        let of = it.step.as_ref().filter(|it| *it.scenario != *scenario.id);
        of.is_some_and(|it| {
            let later = feature.scenarios.iter().skip(nth + 1);
            later.into_iter().any(|other| *it.scenario == *other.id)
        })
    };
    let datagrams = &feature.captured.datagrams;
    datagrams.iter().position(later).unwrap_or(datagrams.len())
}

/// What a reader of the capture cannot see: it is made where datagrams are sent.
fn comment(captured: &Captured) -> &'static str {
    match captured.fate {
        "lost" => "fotalab: lost on the way",
        "duplicated" => "fotalab: arrived twice",
        "corrupted" => "fotalab: arrived with bits flipped",
        "late" => "fotalab: held back on the way",
        _ => "",
    }
}
