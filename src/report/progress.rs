//! What people see while a run goes on: cucumber's events, a line for each feature that ended.

use std::{io::IsTerminal as _, sync::Arc};

use cucumber::{Event, Writer, cli, event, parser};

use crate::{cli::Paint, plan::Plan, run::Lab, trace::Secrets};

/// Talks on stderr, when that is a terminal; elsewhere only failures are worth a line.
pub struct Progress {
    features: usize,
    ended: usize,
    failed: bool,
    secrets: Secrets,
    paint: Paint,
    live: bool,
}

impl Progress {
    /// For a run of this plan.
    #[must_use]
    pub fn new(plan: &Arc<Plan>, secrets: Secrets, paint: Paint) -> Self {
        let features = plan.groups.iter().map(|it| it.features.len()).sum();
        Self {
            features,
            ended: 0,
            failed: false,
            secrets,
            paint,
            live: std::io::stderr().is_terminal(),
        }
    }
}

/// The runner yields whole features' events in their order.
impl cucumber::writer::Normalized for Progress {}

impl Writer<Lab> for Progress {
    type Cli = cli::Empty;

    async fn handle_event(
        &mut self,
        event: parser::Result<Event<event::Cucumber<Lab>>>,
        _: &cli::Empty,
    ) {
        let Ok(event) = event.map(Event::into_inner) else {
            return;
        };
        let event::Cucumber::Feature(feature, event) = event else {
            return;
        };
        match event {
            event::Feature::Started => self.failed = false,
            event::Feature::Finished => {
                self.ended += 1;
                if self.live {
                    let line = format!("{}/{} {}", self.ended, self.features, feature.name);
                    eprintln!("{}", self.paint.quiet(&self.secrets.redact(&line)));
                }
            }
            event::Feature::Scenario(scenario, event) => {
                self.step(&feature, &scenario, &event.event)
            }
            event::Feature::Rule(_, event::Rule::Scenario(scenario, event)) => {
                self.step(&feature, &scenario, &event.event);
            }
            event::Feature::Rule(..) => {}
        }
    }
}

impl Progress {
    fn step(
        &mut self,
        feature: &gherkin::Feature,
        scenario: &gherkin::Scenario,
        event: &event::Scenario<Lab>,
    ) {
        if let event::Scenario::Step(step, event::Step::Failed(..)) = event {
            self.failed = true;
            let path = feature
                .path
                .as_ref()
                .map(|it| it.display().to_string())
                .unwrap_or_default();
            let line = format!(
                "{path}:{} {} › {}",
                step.position.line, feature.name, scenario.name
            );
            eprintln!(
                "{} {}",
                self.paint.bad("failed"),
                self.secrets.redact(&line)
            );
        }
    }
}
