//! Names for deep links: `#feature/scenario/step`, readable, unique, the same for the same run.

use std::collections::BTreeSet;

use crate::run::RunRecord;

/// The names of a feature and of its scenarios, and the number of each scenario's first step.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) feature: String,
    pub(super) scenarios: Vec<String>,
    /// Steps are counted through a feature, from 1.
    pub(super) first_steps: Vec<usize>,
}

/// For each feature of a run.
pub(super) fn names(run: &RunRecord) -> Vec<Names> {
    let mut taken = BTreeSet::new();
    let features = run.features.iter().map(|feature| {
        let file = feature.path.rsplit(['/', '\\']).next().unwrap_or_default();
        let stem = file.split('.').next().unwrap_or_default();
        let mut in_feature = BTreeSet::new();
        let mut next = 1;
        let mut first_steps = Vec::with_capacity(feature.scenarios.len());
        for scenario in &feature.scenarios {
            first_steps.push(next);
            next += scenario.steps.len();
        }
        Names {
            feature: unique(slug(stem), &mut taken),
            scenarios: feature
                .scenarios
                .iter()
                .map(|it| unique(slug(&it.title), &mut in_feature))
                .collect(),
            first_steps,
        }
    });
    features.collect()
}

/// Letters and digits of any script, the rest as single hyphens, short enough for a link.
fn slug(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut slug = String::new();
    for character in text.chars().flat_map(char::to_lowercase) {
        if slug.len() >= LONGEST {
            break;
        }
        if character.is_alphanumeric() {
            slug.push(character);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    match slug {
        "" => "untitled".to_owned(),
        slug => slug.to_owned(),
    }
}

fn unique(name: String, taken: &mut BTreeSet<String>) -> String {
    let mut candidate = name.clone();
    let mut number = 2;
    while !taken.insert(candidate.clone()) {
        candidate = format!("{name}-{number}");
        number += 1;
    }
    candidate
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_readable_and_differ() {
        let mut taken = BTreeSet::new();
        let mut name = |text: &str| unique(slug(text), &mut taken);
        assert_eq!(name("Check the status"), "check-the-status");
        assert_eq!(name("Check the status!"), "check-the-status-2");
        assert_eq!(name("<>"), "untitled");
    }
}
