//! `fotalab run`.

use std::{
    io::Write as _,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use cucumber::{Cucumber, cli};
use fotalab_simulators::cloud::Mode;
use regex::RegexBuilder;
use serde_json::Value;

use super::{Exit, Failure, config::Config, diagnostics, files, paint::When};
use crate::{
    plan::{self, Plan, Role, Selection, TagExpression},
    report,
    run::{
        Lab, RunRecord, Session, Settings, Verdict,
        cucumber::{PlanParser, PlanRunner},
    },
    scenario::ast::ClockChoice,
    target::{PROFILES, TargetChoice, TargetProfile},
};

/// What `run` takes.
///
/// Examples:
///   fotalab run                                    everything below features/
///   fotalab run features/fota.feature.md:42        the scenario at line 42, and what it needs
///   fotalab run --target server.toml --report out  against somebody else's server
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Arguments {
    /// Files, directories, or FILE:LINE for one scenario; `features/` without any.
    #[arg(value_name = "PATH[:LINE]")]
    paths: Vec<String>,
    /// The server under test; without it one of ours runs in this process.
    #[arg(long, value_name = "FILE", env = "FOTALAB_TARGET")]
    target: Option<PathBuf>,
    /// Profile of files that name none: hello-job-executions or hello-jobs.
    #[arg(long, env = "FOTALAB_PROFILE")]
    profile: Option<String>,
    /// Only scenarios whose tags fulfil this: `@fota and not @slow`.
    #[arg(short, long, value_name = "EXPRESSION", env = "FOTALAB_TAGS")]
    tags: Option<TagExpression>,
    /// Only scenarios whose name this regular expression finds.
    #[arg(short, long, value_name = "REGEX")]
    name: Vec<String>,
    /// Print what would run, and nothing else.
    #[arg(long)]
    list: bool,
    /// Real sockets and time, or everything in memory in no time. Virtual for the embedded server, real for a target.
    #[arg(long, value_enum, env = "FOTALAB_CLOCK")]
    clock: Option<Clock>,
    /// Where made-up values come from.
    #[arg(long, env = "FOTALAB_SEED")]
    seed: Option<u64>,
    /// Begin nothing new after the first failure.
    #[arg(long)]
    fail_fast: bool,
    /// Groups of files that run side by side.
    #[arg(short, long, env = "FOTALAB_CONCURRENCY")]
    concurrency: Option<NonZeroUsize>,
    /// Scales every wait.
    #[arg(long, value_name = "FACTOR", env = "FOTALAB_PATIENCE")]
    patience: Option<f64>,
    /// Write report.json, trace.ndjson and junit.xml there.
    #[arg(long, value_name = "DIR", env = "FOTALAB_REPORT")]
    report: Option<PathBuf>,
    /// Write JUnit XML there.
    #[arg(long, value_name = "FILE", env = "FOTALAB_JUNIT")]
    junit: Option<PathBuf>,
    /// A variable that beats all others: NAME=text or NAME:=JSON.
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// How the mocked upstream answers.
    #[arg(long, value_enum, env = "FOTALAB_UPSTREAM")]
    upstream: Option<Upstream>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Clock {
    Real,
    Virtual,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Upstream {
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
    let plan = match planned(collected, &selection, &settings, when) {
        Ok(plan) => plan,
        Err(exit) => return Ok(exit),
    };
    if plan.selected() == 0 {
        eprintln!("nothing was selected: a run of nothing does not pass");
        return Ok(Exit::Nothing);
    }
    if arguments.list {
        return list(&plan);
    }
    reachable(&settings.target)?;

    let session = Arc::new(Session::new(Arc::new(plan), settings));
    drive(&session, when)?;
    let record = session.record(began.elapsed());
    let places = Places::of(&arguments, &config);
    places.write(&record, &session)?;
    let mut out = std::io::stdout().lock();
    let text = report::console(&record, when.on(&out));
    let written = out.write_all(session.secrets.redact(&text).as_bytes());
    // A reader that went away (`| head`) has seen what it wanted.
    drop(written);
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

fn planned(
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
    match planned {
        Ok(plan) if diagnostics.is_empty() => Ok(plan),
        planned => {
            diagnostics.extend(planned.err().unwrap_or_default());
            plan::in_reading_order(&mut diagnostics);
            eprint!(
                "{}",
                diagnostics::text(&diagnostics, when.on(&std::io::stderr()))
            );
            eprintln!("{} mistakes; nothing was started", diagnostics.len());
            Err(Exit::Scenario)
        }
    }
}

/// Lets cucumber drive our parser, runner and writer; Ctrl-C ends the run with a report.
fn drive(session: &Arc<Session>, when: When) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::environment(format!("cannot start a runtime: {error}")))?;
    runtime.block_on(async {
        let interrupted = Arc::clone(session);
        let watch = tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                eprintln!("interrupted: ending what runs; again to end at once");
                interrupted.cancel();
                if tokio::signal::ctrl_c().await.is_ok() {
                    std::process::exit(Exit::Interrupted as i32);
                }
            }
        });
        let progress = report::Progress::new(
            &session.plan,
            session.secrets.clone(),
            when.on(&std::io::stderr()),
        );
        let parser = PlanParser(Arc::clone(&session.plan));
        let runner = PlanRunner(Arc::clone(session));
        Cucumber::<Lab, _, (), _, _, cli::Empty>::custom(parser, runner, progress)
            .with_cli(cli::Opts::<cli::Empty, cli::Empty, cli::Empty, cli::Empty>::default())
            .run(())
            .await;
        watch.abort();
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

fn settings(arguments: &Arguments, config: &Config) -> Result<Settings, Failure> {
    let mut settings = Settings {
        fail_fast: arguments.fail_fast,
        ..Settings::default()
    };
    let target = arguments
        .target
        .clone()
        .or_else(|| config.target.as_ref().map(PathBuf::from));
    if let Some(path) = target {
        let profile = TargetProfile::read(&path, |name| std::env::var(name).ok())
            .map_err(|error| Failure::usage(error.to_string()))?;
        settings.target = TargetChoice::Profile(Arc::new(profile));
        settings.clock = ClockChoice::Real;
    }
    settings.clock = match (arguments.clock, config.clock.as_deref()) {
        (Some(Clock::Real), _) | (None, Some("real")) => ClockChoice::Real,
        (Some(Clock::Virtual), _) | (None, Some("virtual")) => ClockChoice::Virtual,
        (None, None) => settings.clock,
        (None, Some(other)) => {
            return Err(Failure::usage(format!(
                "fotalab.toml: `clock` is `real` or `virtual`, not `{other}`"
            )));
        }
    };
    if !settings.target.is_embedded() && settings.clock == ClockChoice::Virtual {
        return Err(Failure::usage(
            "a target lives in real time: `--clock virtual` goes with the embedded server",
        ));
    }
    settings.upstream = match (arguments.upstream, config.upstream.as_deref()) {
        (Some(Upstream::NewestFirst), _) | (None, Some("newest-first")) => Mode::NewestFirst,
        (Some(Upstream::InOrder), _) | (None, None | Some("in-order")) => Mode::InOrder,
        (None, Some(other)) => {
            return Err(Failure::usage(format!(
                "fotalab.toml: `upstream` is `in-order` or `newest-first`, not `{other}`"
            )));
        }
    };
    settings.profile = arguments.profile.clone().or_else(|| config.profile.clone());
    if let Some(profile) = settings
        .profile
        .as_deref()
        .filter(|it| !PROFILES.contains(it))
    {
        let known = PROFILES.join(" and ");
        return Err(Failure::usage(format!(
            "there is no profile `{profile}`; known are {known}"
        )));
    }
    settings.seed = arguments.seed.or(config.seed).unwrap_or_default();
    if let Some(number) = arguments
        .concurrency
        .or_else(|| config.concurrency.and_then(NonZeroUsize::new))
    {
        settings.concurrency = number;
    }
    if let Some(factor) = arguments.patience.or(config.patience) {
        if !(factor.is_finite() && (0.0..=1_000.0).contains(&factor)) {
            return Err(Failure::usage(format!(
                "patience is a factor from 0 to 1000, not {factor}"
            )));
        }
        settings.patience = factor;
    }
    for text in &arguments.set {
        let (name, value) = variable(text).map_err(Failure::usage)?;
        settings.set.insert(name, value);
    }
    Ok(settings)
}

/// `NAME=text` or `NAME:=JSON`.
pub(super) fn variable(text: &str) -> Result<(String, Value), String> {
    // The value may be a secret: errors name the variable only.
    let wrong = || {
        let name = text.split('=').next().unwrap_or_default();
        format!("`{name}…` is neither NAME=text nor NAME:=JSON; a name is letters, digits and _")
    };
    let (name, value) = text.split_once('=').ok_or_else(wrong)?;
    let (name, value) = match name.strip_suffix(':') {
        Some(name) => {
            let value = serde_json::from_str(value)
                .map_err(|error| format!("`{name}` is given as JSON, but it is none: {error}"))?;
            (name, value)
        }
        None => (name, Value::String(value.to_owned())),
    };
    let is_name = !name.is_empty() && name.chars().all(|it| it.is_alphanumeric() || it == '_');
    if is_name {
        Ok((name.to_owned(), value))
    } else {
        Err(wrong())
    }
}

fn selection(
    arguments: &Arguments,
    config: &Config,
    collected: &files::Collected,
) -> Result<Selection, Failure> {
    let mut selection = Selection {
        lines: collected.lines.clone(),
        ..Selection::default()
    };
    for text in &arguments.name {
        let pattern = RegexBuilder::new(text)
            .build()
            .map_err(|error| Failure::usage(format!("--name {text}: {error}")))?;
        selection.names.push(pattern);
    }
    selection.tags = match (&arguments.tags, &config.tags) {
        (Some(tags), _) => Some(tags.clone()),
        (None, Some(text)) => Some(
            text.parse()
                .map_err(|why| Failure::usage(format!("fotalab.toml: {why}")))?,
        ),
        (None, None) => None,
    };
    Ok(selection)
}

/// Whether somebody listens where the target says it does.
fn reachable(target: &TargetChoice) -> Result<(), Failure> {
    let TargetChoice::Profile(profile) = target else {
        return Ok(());
    };
    for (name, value) in &profile.context {
        let Some(uri) = value.as_str().and_then(|it| it.parse::<http::Uri>().ok()) else {
            continue;
        };
        if !matches!(uri.scheme_str(), Some("http" | "ws")) {
            continue;
        }
        let Some(host) = uri.host() else { continue };
        let port = uri.port_u16().unwrap_or(80);
        let addresses =
            std::net::ToSocketAddrs::to_socket_addrs(&(host, port)).map_err(|error| {
                Failure::environment(format!(
                    "{name} names `{host}`, which is not found: {error}"
                ))
            })?;
        let mut last = None;
        let reached = addresses.into_iter().any(|it| {
            match std::net::TcpStream::connect_timeout(&it, CONNECT_TIMEOUT) {
                Ok(_) => true,
                Err(error) => {
                    last = Some(error);
                    false
                }
            }
        });
        if !reached {
            let why = last.map_or_else(String::new, |it| format!(": {it}"));
            return Err(Failure::environment(format!(
                "the target \"{}\" does not answer at {host}:{port} ({name}){why}",
                profile.name
            )));
        }
    }
    Ok(())
}

/// Time for a target to take a connection before the run.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where reports go.
struct Places {
    report: Option<PathBuf>,
    junit: Option<PathBuf>,
}

impl Places {
    fn of(arguments: &Arguments, config: &Config) -> Self {
        let or = |given: &Option<PathBuf>, config: &Option<String>| {
            given.clone().or_else(|| config.as_ref().map(PathBuf::from))
        };
        Self {
            report: or(&arguments.report, &config.report),
            junit: or(&arguments.junit, &config.junit),
        }
    }

    fn write(&self, record: &RunRecord, session: &Session) -> Result<(), Failure> {
        let secrets = &session.secrets;
        if let Some(directory) = &self.report {
            std::fs::create_dir_all(directory).map_err(|error| cannot_write(directory, &error))?;
            write(
                &directory.join("report.json"),
                &report::json(record, secrets),
            )?;
            write(
                &directory.join("trace.ndjson"),
                &report::trace(record, secrets),
            )?;
            write(
                &directory.join("junit.xml"),
                &report::junit(record, secrets),
            )?;
        }
        if let Some(path) = &self.junit {
            write(path, &report::junit(record, secrets))?;
        }
        Ok(())
    }
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| cannot_write(path, &error))
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::environment(format!("`{}` cannot be written: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn variables_are_texts_or_json() {
        assert_eq!(variable("A=1"), Ok(("A".to_owned(), json!("1"))));
        assert_eq!(variable("A:=1"), Ok(("A".to_owned(), json!(1))));
        assert_eq!(variable("A=b=c"), Ok(("A".to_owned(), json!("b=c"))));
        assert!(variable("A").is_err() && variable("=x").is_err() && variable("A:=x").is_err());
    }
}
