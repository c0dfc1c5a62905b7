//! From a run's record to a verdict on each row.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::{Judgement, Matrix, Proof, ProvedBy, Row, Subject, Suite, Verdict};
use crate::{
    plan::{Plan, PlannedFeature, PlannedScenario},
    report,
    run::{FeatureRecord, RunRecord, ScenarioRecord, Verdict as Ran},
    scenario::ast::StepKind,
    target::{Capabilities, Capability, Deviation},
};

/// What a run was made against, as far as verdicts depend on it.
#[derive(Clone, Copy, Debug)]
pub struct Against<'a> {
    /// What it can do.
    pub capabilities: &'a Capabilities,
    /// What it is known to do otherwise.
    pub deviations: &'a [Deviation],
    /// It is somebody's server, so that rows about devices alone say nothing of it.
    pub is_a_server: bool,
    /// The day of the run, for deviations that end.
    pub today: NaiveDate,
}

impl Against<'_> {
    /// Why the row means nothing here, if so.
    #[must_use]
    pub fn rules_out(&self, row: &Row) -> Option<String> {
        if self.is_a_server && row.subject == Subject::Client {
            return Some("it is about devices, and the target is a server".to_owned());
        }
        row.capabilities().find_map(|it| self.lacks(it))
    }

    /// Why a scenario cannot prove anything here, if so.
    #[must_use]
    pub fn leaves_out(&self, proof: &ProvedBy) -> Option<String> {
        proof.needs.iter().find_map(|it| self.lacks(*it))
    }

    fn lacks(&self, capability: Capability) -> Option<String> {
        let why = self.capabilities.lacks(capability)?;
        Some(format!("no {capability} ({why})"))
    }
}

/// Judges the rows that `asked` takes by the record of a run of `plan`.
#[must_use]
pub fn judge(
    suite: &Suite,
    plan: &Plan,
    record: &RunRecord,
    against: &Against<'_>,
    asked: impl Fn(&Row) -> bool,
) -> Matrix {
    let planned = plan.groups.iter().flat_map(|it| &it.features);
    let planned = planned.flat_map(|feature| feature.scenarios.iter().map(move |it| (feature, it)));
    let ran = record.features.iter();
    let ran = ran.flat_map(|feature| feature.scenarios.iter().map(move |it| (feature, it)));
    let found = Found {
        planned: planned.map(|it| (it.1.id.as_str(), it)).collect(),
        ran: ran
            .filter(|(_, it)| !it.prerequisite)
            .map(|it| (it.1.id.as_str(), it))
            .collect(),
        environment: &record.environment,
    };
    let sections = suite.catalogue.sections.iter();
    let rows = sections.flat_map(|section| section.rows.iter().map(move |row| (section, row)));
    let judged = rows.filter(|(_, row)| asked(row)).map(|(section, row)| {
        let judgement = Judgement {
            section: section.title.clone(),
            row: row.clone(),
            verdict: Verdict::NotRun,
            reason: None,
            remark: None,
            proofs: Vec::new(),
        };
        found.judge(judgement, suite.proofs(row), against)
    });
    Matrix {
        target: record.target.clone(),
        seed: record.seed,
        rows: judged.collect(),
    }
}

/// Scenarios by id: as they were planned, and as they ran.
struct Found<'a> {
    planned: BTreeMap<&'a str, (&'a PlannedFeature, &'a PlannedScenario)>,
    ran: BTreeMap<&'a str, (&'a FeatureRecord, &'a ScenarioRecord)>,
    environment: &'a [String],
}

impl Found<'_> {
    fn judge(&self, of: Judgement, proofs: &[ProvedBy], against: &Against<'_>) -> Judgement {
        if let Some(why) = against.rules_out(&of.row) {
            let covered = of.row.uncovered.map(|it| format!("; {}", it.name()));
            return Judgement {
                verdict: Verdict::NotApplicable,
                reason: Some(format!("{why}{}", covered.unwrap_or_default())),
                ..of
            };
        }
        if let Some(reason) = of.row.uncovered {
            return Judgement {
                reason: Some(reason.name().to_owned()),
                ..of
            };
        }
        let left_out = proofs.iter().find_map(|it| against.leaves_out(it));
        let proofs = proofs.iter().filter(|it| against.leaves_out(it).is_none());
        let proofs: Vec<Proof> = proofs.map(|it| self.proof(&it.scenario)).collect();
        if let ([], Some(why)) = (proofs.as_slice(), &left_out) {
            return Judgement {
                verdict: Verdict::NotApplicable,
                reason: Some(why.clone()),
                ..of
            };
        }
        // The worst of several proofs decides; a pass is the best there is.
        let worst = proofs.iter().max_by_key(|it| badness(it.verdict));
        let (verdict, reason) = worst.map_or((Verdict::NotRun, None), |it| {
            (it.verdict, it.reason.clone())
        });
        let mut judged = Judgement {
            verdict,
            reason,
            remark: left_out.map(|why| format!("not all of it was looked at: {why}")),
            proofs,
            ..of
        };
        let id = |it: &&Deviation| judged.row.is_called(&it.covers);
        if let Some(deviation) = against.deviations.iter().find(id).cloned() {
            deviate(&mut judged, &deviation, against.today);
        }
        judged
    }

    fn proof(&self, id: &str) -> Proof {
        let Some((feature, scenario)) = self.planned.get(id) else {
            return Proof {
                path: String::new(),
                line: 0,
                title: id.to_owned(),
                verdict: Verdict::NotRun,
                // What is asked for and not planned was left out for its clock.
                reason: Some("its file runs on the virtual clock only".to_owned()),
            };
        };
        let (verdict, reason) = match self.ran.get(id) {
            Some((of, ran)) => self.verdict(of, ran, scenario),
            None if self.environment.is_empty() => (
                Verdict::NotRun,
                Some("the run ended before it began".to_owned()),
            ),
            None => {
                let path = feature.document.path.display().to_string();
                let of_file = self.environment.iter().find(|it| it.contains(&path));
                let why = of_file.or(self.environment.first()).cloned();
                (Verdict::Inconclusive, why)
            }
        };
        Proof {
            path: feature.document.path.display().to_string(),
            line: scenario.line,
            title: scenario.title.clone(),
            verdict,
            reason,
        }
    }

    /// A mismatch in what was to be put in place, or a defect of ours, says nothing of the row.
    fn verdict(
        &self,
        of: &FeatureRecord,
        ran: &ScenarioRecord,
        planned: &PlannedScenario,
    ) -> (Verdict, Option<String>) {
        match ran.verdict {
            Ran::Passed => return (Verdict::Pass, None),
            Ran::Failed => {}
            Ran::Interrupted => {
                return (Verdict::NotRun, Some("the run was interrupted".to_owned()));
            }
            Ran::Skipped => {
                let before = of.scenarios.iter().find(|it| it.verdict == Ran::Failed);
                let step =
                    before.and_then(|it| it.steps.iter().find(|it| it.verdict == Ran::Failed));
                return match step {
                    Some(step) => {
                        let why =
                            format!("what it stands on did not hold: {}", report::cause(step));
                        (Verdict::Inconclusive, Some(why))
                    }
                    None => (Verdict::NotRun, ran.reason.clone()),
                };
            }
        }
        let failed = ran.steps.iter().position(|it| it.verdict == Ran::Failed);
        let Some((at, step)) = failed.and_then(|at| Some((at, ran.steps.get(at)?))) else {
            return (Verdict::Inconclusive, ran.reason.clone());
        };
        let cause = report::cause(step);
        let kind = planned.steps.get(at).map(|it| it.step.kind);
        if step.defect.is_some() {
            (Verdict::Inconclusive, Some(cause))
        } else if kind == Some(StepKind::Given) {
            let why = format!("it could not be put in place: {cause}");
            (Verdict::Inconclusive, Some(why))
        } else {
            (Verdict::Fail, Some(cause))
        }
    }
}

const fn badness(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Pass | Verdict::NotApplicable => 0,
        Verdict::ExpectedFailure => 1,
        Verdict::NotRun => 2,
        Verdict::Inconclusive => 3,
        Verdict::Fail => 4,
    }
}

/// What a stated deviation makes of a verdict.
fn deviate(judged: &mut Judgement, deviation: &Deviation, today: NaiveDate) {
    let Deviation {
        reason,
        link,
        until,
        ..
    } = deviation;
    let link = link
        .as_ref()
        .map_or_else(String::new, |it| format!(" ({it})"));
    match judged.verdict {
        Verdict::Fail if deviation.has_expired(today) => {
            let until = until.map(|it| it.to_string()).unwrap_or_default();
            let cause = judged.reason.take().unwrap_or_default();
            judged.reason = Some(format!(
                "the deviation \"{reason}\"{link} counted until {until}; {cause}"
            ));
        }
        Verdict::Fail => {
            judged.verdict = Verdict::ExpectedFailure;
            judged.reason = Some(format!("{reason}{link}"));
        }
        Verdict::Pass => {
            let remark = format!("it passes, though a deviation is stated: \"{reason}\"{link}");
            let before = judged.remark.take().map(|it| format!("{it}; "));
            judged.remark = Some(before.unwrap_or_default() + &remark);
        }
        _ => {}
    }
}
