//! Every sentence has its catalogue entry, and every example runs.

use std::{path::Path, sync::Arc};

use fotalab::{
    plan::{self, Definition, Selection, Vocabulary},
    run::{Session, Settings, Verdict},
    scenario,
};
use serde_json::Map;

/// The steps that users have; tests in this binary define some of their own.
fn definitions() -> Vec<&'static Arc<Definition>> {
    let all = Vocabulary::of_this_process().definitions().iter();
    all.filter(|it| it.location.path.starts_with("src/"))
        .collect()
}

#[test]
fn every_step_has_an_entry_that_says_what_it_is() {
    for definition in definitions() {
        let place = format!("{}:{}", definition.location.path, definition.location.line);
        let entry = definition
            .entry
            .unwrap_or_else(|| panic!("{place} has no catalogue entry"));
        assert!(entry.does.ends_with('.'), "{place}: `does` is a sentence");
        let fixed = entry.fixed_words();
        assert!(
            !fixed.is_empty(),
            "{place}: the sentence has no fixed words"
        );
        assert!(
            definition.regex().as_str().starts_with('^')
                && definition.regex().as_str().ends_with('$'),
            "{place}: the pattern is anchored"
        );
        let groups: Vec<_> = definition.regex().capture_names().flatten().collect();
        for stored in entry.stores {
            let group = stored
                .trim_start_matches('{')
                .split('}')
                .next()
                .unwrap_or_default();
            assert!(
                groups.contains(&group),
                "{place}: `{stored}` names no group of the pattern"
            );
        }
        for expression in entry.expressions {
            assert!(
                groups.contains(expression),
                "{place}: `{expression}` is no group of the pattern"
            );
        }
    }
}

#[test]
fn every_example_runs_and_uses_its_sentence() {
    let mut documents = Vec::new();
    for definition in definitions() {
        let entry = definition.entry.expect("the test above");
        // Any keyword will do; examples say the one a reader would use.
        let text = format!(
            "# {} line {}\n\n## Example\n\n{}\n",
            entry.file, entry.line, entry.example
        );
        let path = format!("{}-{}.feature.md", entry.file.replace('/', "-"), entry.line);
        let parsed = scenario::parse(Path::new(&path), Arc::from(text));
        assert!(
            parsed.diagnostics.is_empty(),
            "{}: {:#?}",
            entry.sentence,
            parsed.diagnostics
        );
        documents.push(parsed.document);
    }
    let plan =
        plan::plan(documents, &Selection::default(), &Map::new()).unwrap_or_else(|problems| {
            panic!(
                "{}",
                fotalab::cli::explain(&problems, fotalab::cli::Paint(false))
            )
        });
    for (definition, group) in definitions().into_iter().zip(&plan.groups) {
        let steps = group
            .features
            .iter()
            .flat_map(|it| &it.scenarios)
            .flat_map(|it| &it.steps);
        let used = steps
            .filter(|it| Arc::ptr_eq(&it.definition, definition))
            .count();
        assert!(
            used > 0,
            "the example does not use \"{}\"",
            definition.sentence()
        );
    }
    let session = Arc::new(Session::new(Arc::new(plan), Settings::default()));
    Arc::clone(&session).run_to_end();
    let record = session.record(std::time::Duration::ZERO);
    assert_eq!(record.environment, Vec::<String>::new());
    for feature in &record.features {
        for scenario in &feature.scenarios {
            assert_eq!(
                scenario.verdict,
                Verdict::Passed,
                "{}",
                fotalab::report::failed(feature, scenario, fotalab::cli::Paint(false))
            );
        }
    }
}
