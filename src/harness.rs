//! `cargo test`: each scenario is one test, for this repository and for crates with steps of
//! their own.

use std::{
    collections::BTreeMap,
    process::ExitCode,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use crate::{
    cli::{self, Collected, Paint},
    plan::{self, Plan, PlannedScenario},
    report,
    run::{FeatureRecord, Session, Settings, Verdict},
    trace::Secrets,
};

/// Runs the scenarios below these paths as tests: the `main` of a test target with
/// `harness = false`.
///
/// ```no_run
/// fn main() -> std::process::ExitCode {
///     fotalab::harness(&["features"])
/// }
/// ```
///
/// It takes what `cargo test` and cargo-nextest give to a test binary: a filter, `--list`,
/// `--exact`, `--skip`, `--nocapture`, `--test-threads`. `fotalab.toml` and the `FOTALAB_*`
/// variables (`FOTALAB_TARGET`, `FOTALAB_TAGS`, `FOTALAB_CLOCK`, …) are as for `fotalab run`, but
/// for the reports.
#[must_use]
pub fn harness(paths: &[&str]) -> ExitCode {
    let arguments = Arguments::from_args();
    match prepare(paths, &arguments) {
        Ok(trials) => libtest_mimic::run(&arguments, trials).exit_code(),
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(cli::Exit::Scenario as u8)
        }
    }
}

fn prepare(paths: &[&str], arguments: &Arguments) -> Result<Vec<Trial>, String> {
    if arguments.test_threads == Some(0) {
        return Err("--test-threads has to be at least 1".to_owned());
    }
    let paths: Vec<String> = paths.iter().map(|&it| it.to_owned()).collect();
    let Collected {
        documents,
        mut diagnostics,
        ..
    } = cli::collect(&paths)?;
    let (settings, selection) = cli::of_environment()?;
    let mut plan = match plan::plan(documents, &selection, &settings.set) {
        Ok(plan) if diagnostics.is_empty() => plan,
        planned => {
            diagnostics.extend(planned.err().unwrap_or_default());
            plan::in_reading_order(&mut diagnostics);
            return Err(cli::explain(&diagnostics, Paint(false)));
        }
    };
    diagnostics.extend(plan.out_of_time(settings.clock));
    if !diagnostics.is_empty() {
        return Err(cli::explain(&diagnostics, Paint(false)));
    }
    plan.narrow(|scenario| asked_for(scenario, arguments));
    if !settings.target.is_embedded() {
        plan.leave_out_virtual();
    }
    let groups = Arc::new(Groups::new(plan, settings));
    let trials = groups
        .session
        .plan
        .groups
        .iter()
        .enumerate()
        .flat_map(|(group, planned)| {
            let scenarios = planned.features.iter().flat_map(|it| &it.scenarios);
            let groups = &groups;
            scenarios
                .filter(|it| it.role == plan::Role::Selected)
                .map(move |scenario| {
                    let (groups, id) = (Arc::clone(groups), scenario.id.clone());
                    Trial::ignorable_test(scenario.id.clone(), move || groups.verdict(group, &id))
                })
        });
    Ok(trials.collect())
}

/// What libtest would run with these arguments, so that nothing else is.
fn asked_for(scenario: &PlannedScenario, arguments: &Arguments) -> bool {
    let fits = |pattern: &String| {
        if arguments.exact {
            scenario.id == *pattern
        } else {
            scenario.id.contains(pattern.as_str())
        }
    };
    arguments.filter.as_ref().is_none_or(fits) && !arguments.skip.iter().any(fits)
}

/// What came of one group: its features, or why it could not start.
type Outcome = Result<Vec<FeatureRecord>, String>;

/// Runs each group once, when the first of its tests asks for it.
struct Groups {
    session: Session,
    outcomes: Mutex<BTreeMap<usize, Arc<OnceLock<Outcome>>>>,
}

impl Groups {
    fn new(plan: Plan, settings: Settings) -> Self {
        Self {
            session: Session::new(Arc::new(plan), settings),
            outcomes: Mutex::default(),
        }
    }

    fn verdict(&self, group: usize, id: &str) -> Result<Completion, Failed> {
        let cell = {
            let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(outcomes.entry(group).or_default())
        };
        let outcome = cell.get_or_init(|| self.session.run_group_here(group));
        let features = outcome
            .as_ref()
            .map_err(|error| Failed::from(error.clone()))?;
        let found = features
            .iter()
            .flat_map(|feature| feature.scenarios.iter().map(move |it| (feature, it)))
            .find(|(_, scenario)| scenario.id == id);
        let Some((feature, scenario)) = found else {
            return Err(Failed::from("it did not run"));
        };
        let secrets: &Secrets = &self.session.secrets;
        match scenario.verdict {
            Verdict::Passed => Ok(Completion::Completed),
            Verdict::Skipped if feature.reason.is_some() => Ok(Completion::ignored_with(
                scenario.reason.clone().unwrap_or_default(),
            )),
            Verdict::Skipped => Err(Failed::from(format!(
                "it was not tried: {}",
                scenario
                    .reason
                    .as_deref()
                    .unwrap_or("something before it did not hold")
            ))),
            Verdict::Failed | Verdict::Interrupted => Err(Failed::from(
                secrets.redact(&report::failed(feature, scenario, Paint(false))),
            )),
        }
    }
}
