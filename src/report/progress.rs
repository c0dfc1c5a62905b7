//! What people see while a run goes on: on a terminal one line for each group at work, elsewhere a
//! line now and then, so that a log shows that it is alive.

use std::{
    io::IsTerminal as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cucumber::{
    Event, Writer, cli,
    event::{self, Source},
    parser,
};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::time::{Instant, sleep};

use crate::{cli::Paint, plan::Plan, run::Lab, trace::Secrets};

/// Between two lines where there is no terminal.
const EVERY: Duration = Duration::from_secs(10);
/// Between two pictures of a terminal's lines.
const TICK: Duration = Duration::from_millis(120);
/// Groups named in a line where there is no terminal.
const MAX_NAMED: usize = 4;

/// Talks on stderr.
pub struct Progress {
    shown: Arc<Mutex<Shown>>,
    secrets: Secrets,
    paint: Paint,
    lines: Option<MultiProgress>,
}

#[derive(Default)]
struct Shown {
    features: usize,
    ended: usize,
    failed: usize,
    running: Vec<Running>,
}

/// A feature at work.
struct Running {
    feature: Source<gherkin::Feature>,
    scenario: String,
    steps: usize,
    since: Instant,
    line: Option<ProgressBar>,
}

impl Progress {
    /// For a run of this plan.
    #[must_use]
    pub fn new(plan: &Arc<Plan>, secrets: Secrets, paint: Paint) -> Self {
        let features = plan.groups.iter().map(|it| it.features.len()).sum();
        let shown = Shown {
            features,
            ..Shown::default()
        };
        Self {
            shown: Arc::new(Mutex::new(shown)),
            secrets,
            paint,
            lines: std::io::stderr().is_terminal().then(MultiProgress::new),
        }
    }

    /// Says every few seconds what is at work, where no terminal shows it. There it does not end
    /// by itself.
    pub fn remind(&self) -> impl Future<Output = ()> + 'static {
        let shown = Arc::clone(&self.shown);
        let secrets = self.secrets.clone();
        let live = self.lines.is_some();
        async move {
            let began = Instant::now();
            if live {
                return;
            }
            loop {
                sleep(EVERY).await;
                let line = shown
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .line(began);
                eprintln!("{}", secrets.redact(&line));
            }
        }
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begins(&self, feature: Source<gherkin::Feature>) {
        let line = self.lines.as_ref().map(|lines| {
            let line = lines.add(ProgressBar::new_spinner());
            let style = ProgressStyle::with_template("{spinner} {elapsed:>4} {wide_msg}");
            line.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            line.set_message(self.secrets.redact(&feature.name));
            line.enable_steady_tick(TICK);
            line
        });
        self.shown().running.push(Running {
            feature,
            scenario: String::new(),
            steps: 0,
            since: Instant::now(),
            line,
        });
    }

    fn ends(&self, feature: &Source<gherkin::Feature>) {
        let mut shown = self.shown();
        shown.ended += 1;
        let at = shown.running.iter().position(|it| it.feature == *feature);
        let ended = at.map(|at| shown.running.swap_remove(at));
        if let Some(line) = ended.and_then(|it| it.line) {
            line.finish_and_clear();
        }
    }

    /// Shows the step that is next: the one that is waited for.
    fn goes_on(
        &self,
        feature: &Source<gherkin::Feature>,
        scenario: &gherkin::Scenario,
        event: &event::Scenario<Lab>,
    ) {
        let mut shown = self.shown();
        let running = shown.running.iter_mut().find(|it| it.feature == *feature);
        let Some(running) = running else { return };
        match event {
            event::Scenario::Started => {
                running.scenario.clone_from(&scenario.name);
                running.steps = 0;
            }
            // Each is told when it has ended.
            event::Scenario::Step(_, event::Step::Started) => return,
            event::Scenario::Step(..) => running.steps += 1,
            _ => return,
        }
        if let (Some(line), Some(step)) = (&running.line, scenario.steps.get(running.steps)) {
            let step = format!("{} {}", step.keyword.trim(), step.value);
            let text = format!("{} › {}: {step}", feature.name, scenario.name);
            line.set_message(self.secrets.redact(&text.replace('\n', " ")));
        }
    }

    fn step(
        &self,
        feature: &Source<gherkin::Feature>,
        scenario: &gherkin::Scenario,
        event: &event::Scenario<Lab>,
    ) {
        self.goes_on(feature, scenario, event);
        let event::Scenario::Step(step, event) = event else {
            return;
        };
        if !matches!(event, event::Step::Failed(..)) {
            return;
        }
        self.shown().failed += 1;
        let path = feature
            .path
            .as_ref()
            .map(|it| it.display().to_string())
            .unwrap_or_default();
        let line = format!(
            "{path}:{} {} › {}",
            step.position.line, feature.name, scenario.name
        );
        let line = format!(
            "{} {}",
            self.paint.bad("failed"),
            self.secrets.redact(&line)
        );
        match &self.lines {
            // Above the lines of what is at work.
            Some(lines) => lines.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }
}

impl Shown {
    fn line(&self, began: Instant) -> String {
        let named = self.running.iter().take(MAX_NAMED).map(|it| {
            let seconds = it.since.elapsed().as_secs();
            match it.scenario.as_str() {
                "" => format!("{} ({seconds} s)", it.feature.name),
                scenario => format!("{} › {scenario} ({seconds} s)", it.feature.name),
            }
        });
        let named = named.collect::<Vec<_>>().join(", ");
        let more = self.running.len().saturating_sub(MAX_NAMED);
        let more = match more {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!(
            "{} s: {}/{} features ended, {} failed steps; at work: {named}{more}",
            began.elapsed().as_secs(),
            self.ended,
            self.features,
            self.failed
        )
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
            event::Feature::Started => self.begins(feature),
            event::Feature::Finished => self.ends(&feature),
            event::Feature::Scenario(scenario, event) => {
                self.step(&feature, &scenario, &event.event);
            }
            event::Feature::Rule(_, event::Rule::Scenario(scenario, event)) => {
                self.step(&feature, &scenario, &event.event);
            }
            event::Feature::Rule(..) => {}
        }
    }
}
