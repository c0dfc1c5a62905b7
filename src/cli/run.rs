//! `fotalab run`.

use std::{io::Write as _, num::NonZeroUsize, path::PathBuf, sync::Arc};

use cucumber::{Cucumber, cli};

use super::{
    Exit, Failure,
    config::Config,
    diagnostics, files,
    github::GitHub,
    paint::When,
    places::Places,
    reach::reachable,
    settings::{selection, settings},
    signals,
};
use crate::{
    plan::{self, Plan, Role, Selection, TagExpression},
    report,
    run::{
        Lab, RunRecord, Session, Settings, Verdict,
        cucumber::{PlanParser, PlanRunner},
    },
    trace::Capture,
};

/// What `run` takes.
///
/// Examples:
///   fotalab run                                    everything below features/
///   fotalab run features/fota.feature.md:42        the scenario at line 42, and what it needs
///   fotalab run --target server.toml --report out  against somebody else's server
#[derive(Debug, Default, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Arguments {
    /// Files, directories, or FILE:LINE for one scenario; `features/` without any.
    #[arg(value_name = "PATH[:LINE]")]
    pub(super) paths: Vec<String>,
    /// The server under test; without it one of ours runs in this process.
    #[arg(long, value_name = "FILE", env = "FOTALAB_TARGET")]
    pub(super) target: Option<PathBuf>,
    /// Profile of files that name none: hello-job-executions or hello-jobs.
    #[arg(long, env = "FOTALAB_PROFILE")]
    pub(super) profile: Option<String>,
    /// Only scenarios whose tags fulfil this: `@fota and not @slow`.
    #[arg(short, long, value_name = "EXPRESSION", env = "FOTALAB_TAGS")]
    pub(super) tags: Option<TagExpression>,
    /// Only scenarios whose name this regular expression finds.
    #[arg(short, long, value_name = "REGEX")]
    pub(super) name: Vec<String>,
    /// Print what would run, and nothing else.
    #[arg(long)]
    pub(super) list: bool,
    /// Real sockets and time, or everything in memory in no time. Virtual for the embedded server, real for a target.
    #[arg(long, value_enum, env = "FOTALAB_CLOCK")]
    pub(super) clock: Option<Clock>,
    /// Where made-up values come from.
    #[arg(long, env = "FOTALAB_SEED")]
    pub(super) seed: Option<u64>,
    /// Begin nothing new after the first failure.
    #[arg(long, env = "FOTALAB_FAIL_FAST")]
    pub(super) fail_fast: bool,
    /// Groups of files that run side by side.
    #[arg(short, long, env = "FOTALAB_CONCURRENCY")]
    pub(super) concurrency: Option<NonZeroUsize>,
    /// Scales every wait.
    #[arg(long, value_name = "FACTOR", env = "FOTALAB_PATIENCE")]
    pub(super) patience: Option<f64>,
    /// Write index.html, report.json, trace.ndjson and junit.xml there.
    #[arg(long, value_name = "DIR", env = "FOTALAB_REPORT")]
    pub(super) report: Option<PathBuf>,
    /// Beside the report, a capture (pcapng) of the datagrams up to the end of each failed scenario.
    #[arg(long, env = "FOTALAB_CAPTURE")]
    pub(super) capture: bool,
    /// Put the secrets of DTLS sessions into captures: who has one can read all of it.
    #[arg(long, env = "FOTALAB_CAPTURE_SECRETS")]
    pub(super) capture_secrets: bool,
    /// Write JUnit XML there.
    #[arg(long, value_name = "FILE", env = "FOTALAB_JUNIT")]
    pub(super) junit: Option<PathBuf>,
    /// A variable that beats all others: NAME=text or NAME:=JSON.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(super) set: Vec<String>,
    /// How the mocked upstream answers.
    #[arg(long, value_enum, env = "FOTALAB_UPSTREAM")]
    pub(super) upstream: Option<Upstream>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum Clock {
    Real,
    Virtual,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum Upstream {
    /// In the order queued; the last answer to a GET stays.
    InOrder,
    /// As the reference's mock: newest first, never used up.
    NewestFirst,
}

/// Reads, plans, runs, reports.
pub(super) fn run(arguments: Arguments, when: When) -> Result<Exit, Failure> {
    #[expect(clippy::disallowed_methods, reason = "wall time, for the report only")]
    let began = std::time::Instant::now();
    let config = Config::of_directory()?;
    let settings = settings(&arguments, &config)?;
    let collected = files::collect(&config.paths(&arguments.paths)).map_err(Failure::usage)?;
    let selection = selection(&arguments, &config, &collected)?;
    let mut plan = match planned(collected, &selection, &settings, when) {
        Ok(plan) => plan,
        Err(exit) => return Ok(exit),
    };
    if !settings.target.is_embedded() {
        plan.leave_out_virtual();
    }
    let stale = selection.stale_lines(&plan.offered);
    if plan.selected() == 0 || !stale.is_empty() {
        for place in &stale {
            eprintln!("{place} lies in no scenario");
        }
        eprintln!("nothing was selected: a run of nothing does not pass");
        for hint in selection.hints(&plan.offered) {
            eprintln!("  {hint}");
        }
        return Ok(Exit::Nothing);
    }
    if arguments.list {
        return list(&plan);
    }
    reachable(&settings.target)?;
    let places = Places::of(&arguments, &config);
    if settings.capture != Capture::No && !places.has_report() {
        return Err(Failure::usage(
            "captures are a part of the report: give `--report DIR` too",
        ));
    }

    places.prepare()?;
    let session = Arc::new(Session::new(Arc::new(plan), settings));
    drive(&session, when)?;
    let mut record = session.record(began.elapsed());
    record.redact(&session.secrets);
    let github = GitHub::of_environment();
    let written = places.write(&mut record, &session.secrets);
    if github.asks() && (!places.has_report() || written.is_err()) {
        record.redact_messages(&session.secrets);
    }
    let told = github.tell(&record);
    let mut out = std::io::stdout().lock();
    let text = report::console(&record, when.on(&out));
    let mut text = session.secrets.redact(&text);
    text.push_str(told.as_deref().unwrap_or_default());
    // A reader that went away (`| head`) has seen what it wanted.
    drop(out.write_all(text.as_bytes()));
    // A run that went before is told of all the same.
    written?;
    told?;
    Ok(exit(&record))
}

fn exit(record: &RunRecord) -> Exit {
    if record.interrupted {
        Exit::Interrupted
    } else if !record.environment.is_empty() {
        Exit::Environment
    } else if record.scenarios(Verdict::Failed) > 0 {
        Exit::Failed
    } else if record.scenarios(Verdict::Passed) == 0 {
        Exit::Nothing
    } else if record.scenarios(Verdict::Interrupted) > 0 {
        Exit::Interrupted
    } else {
        Exit::Held
    }
}

/// Plans what was read; mistakes are printed.
pub(super) fn planned(
    collected: files::Collected,
    selection: &Selection,
    settings: &Settings,
    when: When,
) -> Result<Plan, Exit> {
    let files::Collected {
        documents,
        mut diagnostics,
        ..
    } = collected;
    let planned = plan::plan(documents, selection, &settings.set);
    if let Ok(plan) = &planned {
        diagnostics.extend(plan.out_of_time(settings.clock));
    }
    match planned {
        Ok(plan) if diagnostics.is_empty() => Ok(plan),
        planned => {
            diagnostics.extend(planned.err().unwrap_or_default());
            plan::in_reading_order(&mut diagnostics);
            eprint!(
                "{}",
                diagnostics::text(&diagnostics, when.on(&std::io::stderr()))
            );
            let count = diagnostics::count(diagnostics.len(), "mistake");
            eprintln!("{count}; nothing was started");
            Err(Exit::Scenario)
        }
    }
}

/// Lets cucumber drive our parser, runner and writer; Ctrl-C ends the run with a report.
pub(super) fn drive(session: &Arc<Session>, when: When) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::environment(format!("cannot start a runtime: {error}")))?;
    runtime.block_on(async {
        let interrupted = Arc::clone(session);
        let watch = tokio::spawn(async move {
            signals::ended().await;
            eprintln!("interrupted: ending what runs; again to end at once");
            interrupted.cancel();
            signals::ended().await;
            std::process::exit(Exit::Interrupted as i32);
        });
        let progress = report::Progress::new(
            &session.plan,
            session.secrets.clone(),
            when.on(&std::io::stderr()),
        );
        let remind = tokio::spawn(progress.remind());
        let parser = PlanParser(Arc::clone(&session.plan));
        let runner = PlanRunner(Arc::clone(session));
        Cucumber::<Lab, _, (), _, _, cli::Empty>::custom(parser, runner, progress)
            .with_cli(cli::Opts::<cli::Empty, cli::Empty, cli::Empty, cli::Empty>::default())
            .run(())
            .await;
        watch.abort();
        remind.abort();
    });
    Ok(())
}

fn list(plan: &Plan) -> Result<Exit, Failure> {
    let mut out = std::io::stdout().lock();
    for scenario in plan.scenarios().filter(|it| it.role != Role::LeftOut) {
        let why = if scenario.role == Role::Prerequisite {
            "  (prerequisite)"
        } else {
            ""
        };
        if writeln!(out, "{}{why}", scenario.id).is_err() {
            break;
        }
    }
    Ok(Exit::Held)
}
