//! `fotalab conform`.

use std::{
    io::Write as _,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
};

use chrono::{DateTime, NaiveDate};
use fotalab_wire::net::Clock;

use super::{
    Exit, Failure, config::Config, diagnostics, files, paint::When, places, reach::reachable, run,
    settings::settings,
};
use crate::{
    conform::{self, Against, BACKGROUND, Catalogue, ConformError, Matrix, ROWS, Row, Suite},
    plan::{Plan, Selection},
    report,
    run::{RunRecord, Session, Verdict as Ran},
    scenario::{self, ast::ClockChoice},
};

/// Where the suite is, unless another one is named.
const SUITE: &str = "features/lwm2m";

/// What `--help` says below the flags.
const EXPLAINED: &str = "\
Examples:
  fotalab conform                                    our own server and devices
  fotalab conform --target server.toml --report out  somebody else's server
  fotalab conform --rows 'X-REG-*,int-101'           some rows only

A suite is a folder of scenarios and, in rows/*.toml, what they prove. Each [[row]] has `id`, `versions`,
`title`, `class` (must, should, interop, advice), `subject` (client, server, both), `clause`, `needs`
(capabilities), `accept` (outcomes, and why each is taken) and, without a scenario, `uncovered` (one of a
closed list of reasons). A scenario names its rows as tags, and what it needs beside them as
@needs:feature:operations; `## Background` sets up and proves nothing.
Every row's scenario runs in a world of its own.

Exit codes: 0 every row that must hold does; 102 one does not, or nobody could tell; 4 no row was put
to the test; 2, 3, 5 and 130 as for `run`.

This is not a certification, and not by the Open Mobile Alliance.";

/// What `conform` takes.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXPLAINED)]
pub(super) struct Arguments {
    /// The folder of the suite; without any `features/lwm2m` or, where there is none, the one that the
    /// command carries along.
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    /// The server under test; without it one of ours runs in this process.
    #[arg(long, value_name = "FILE", env = "FOTALAB_TARGET")]
    target: Option<PathBuf>,
    /// Only these rows: ids, ends of ids (int-101), either with * for any rest.
    #[arg(long, value_name = "ROWS", value_delimiter = ',')]
    rows: Vec<String>,
    /// Real sockets and time, or everything in memory in no time.
    #[arg(long, value_enum, env = "FOTALAB_CLOCK")]
    clock: Option<run::Clock>,
    /// Where made-up values come from.
    #[arg(long, env = "FOTALAB_SEED")]
    seed: Option<u64>,
    /// Rows that are tried side by side; with a target, files.
    #[arg(short, long, env = "FOTALAB_CONCURRENCY")]
    concurrency: Option<NonZeroUsize>,
    /// Scales every wait.
    #[arg(long, value_name = "FACTOR", env = "FOTALAB_PATIENCE")]
    patience: Option<f64>,
    /// Write conformance.json, conformance.md and what `run` writes there.
    #[arg(long, value_name = "DIR", env = "FOTALAB_REPORT")]
    report: Option<PathBuf>,
    /// A variable that beats all others: NAME=text or NAME:=JSON.
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
}

/// Reads, plans, runs, judges, reports.
pub(super) fn conform(arguments: Arguments, when: When) -> Result<Exit, Failure> {
    #[expect(clippy::disallowed_methods, reason = "wall time, for the report only")]
    let began = std::time::Instant::now();
    let config = Config::of_directory()?;
    let as_run = arguments.as_run();
    let settings = settings(&as_run, &config)?;
    let usage = |error: ConformError| Failure::usage(error.to_string());
    let (catalogue, collected) = suite_of(arguments.path.as_deref())?;
    let plan = match run::planned(collected, &Selection::default(), &settings, when) {
        Ok(plan) => plan,
        Err(exit) => return Ok(exit),
    };
    let suite = match Suite::new(catalogue, &plan) {
        Ok(suite) => suite,
        Err(error) => return Ok(said(&error, when)),
    };
    let asked = asked(&suite, &arguments.rows).map_err(usage)?;
    let capabilities = settings.target.capabilities();
    for deviation in settings.target.deviations() {
        if suite.catalogue.row(&deviation.covers).is_none() {
            let why = suite.catalogue.unknown(&deviation.covers);
            return Err(Failure::usage(format!("a deviation: {why}")));
        }
    }
    let against = Against {
        capabilities: &capabilities,
        deviations: settings.target.deviations(),
        is_a_server: !settings.target.is_embedded(),
        today: today()?,
    };

    let plan = wanted(
        plan,
        &suite,
        &against,
        &asked,
        settings.target.is_embedded(),
    );
    let places = places::Places::of(&as_run, &config);
    places.prepare()?;
    let session = Arc::new(Session::new(Arc::new(plan), settings.clone()));
    if session.plan.selected() > 0 {
        reachable(&settings.target)?;
        run::drive(&session, when)?;
    }
    let mut record = session.record(began.elapsed());
    // By the ids of the plan, which know of no stand-ins.
    let matrix = conform::judge(&suite, &session.plan, &record, &against, |row| {
        asked.contains(&row.id)
    });
    record.redact(&session.secrets);
    let secrets = &session.secrets;
    let written = places
        .write(&mut record, secrets)
        .and_then(|()| match places.report() {
            Some(directory) => {
                let json = conform::json(&matrix, secrets);
                places::write(&directory.join("conformance.json"), &json)?;
                let page = conform::page(&matrix, secrets);
                places::write(&directory.join("conformance.md"), &page)
            }
            None => Ok(()),
        });
    let mut out = std::io::stdout().lock();
    let paint = when.on(&out);
    let mut text = String::new();
    let scenarios = record.features.iter();
    for (feature, scenario) in scenarios.flat_map(|of| of.scenarios.iter().map(move |it| (of, it)))
    {
        if scenario.verdict == Ran::Failed {
            text.push_str(&report::failed(feature, scenario, paint));
        }
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(&conform::console(&matrix, paint));
    if record.seed != 0 {
        text.push_str(&format!("seed {}\n", record.seed));
    }
    // A reader that went away (`| head`) has seen what it wanted.
    drop(out.write_all(session.secrets.redact(&text).as_bytes()));
    written?;
    Ok(exit(&record, &matrix))
}

/// Rows and scenarios: of the folder that was named, else of this directory, else our own.
fn suite_of(path: Option<&Path>) -> Result<(Catalogue, files::Collected), Failure> {
    let usage = |error: ConformError| Failure::usage(error.to_string());
    let here = Path::new(SUITE);
    let folder = path.or_else(|| here.join(ROWS).is_dir().then_some(here));
    if let Some(folder) = folder {
        let catalogue = Catalogue::read(folder).map_err(usage)?;
        let collected = files::collect(&[folder.display().to_string()]).map_err(Failure::usage)?;
        return Ok((catalogue, collected));
    }
    let catalogue = Catalogue::parse(conform::built_in::rows()).map_err(usage)?;
    let mut collected = files::Collected::default();
    for (path, text) in conform::built_in::scenarios() {
        collected.take(scenario::parse(&path, Arc::from(text)));
    }
    Ok((catalogue, collected))
}

fn exit(record: &RunRecord, matrix: &Matrix) -> Exit {
    for error in &record.environment {
        eprintln!("environment: {error}");
    }
    if record.interrupted {
        Exit::Interrupted
    } else if !record.environment.is_empty() {
        Exit::Environment
    } else if matrix.failing().next().is_some() {
        Exit::Deviations
    } else if matrix.ran() {
        Exit::Held
    } else {
        eprintln!("no row was put to the test: a run of nothing does not pass");
        Exit::Nothing
    }
}

/// Ids of the rows that were asked for.
fn asked(suite: &Suite, patterns: &[String]) -> Result<Vec<String>, ConformError> {
    let mut ids = Vec::new();
    for pattern in patterns {
        let rows = suite.catalogue.matching(pattern.trim())?;
        ids.extend(rows.into_iter().map(|it| it.id.clone()));
    }
    if patterns.is_empty() {
        ids.extend(suite.catalogue.rows().map(|it| it.id.clone()));
    }
    Ok(ids)
}

/// The scenarios of rows that were asked for and mean something here, each in a world of its own.
fn wanted(
    mut plan: Plan,
    suite: &Suite,
    against: &Against<'_>,
    asked: &[String],
    embedded: bool,
) -> Plan {
    let means_something = |row: &&Row| asked.contains(&row.id) && against.rules_out(row).is_none();
    let rows = suite.catalogue.rows().filter(means_something);
    let proofs = rows.flat_map(|it| suite.proofs(it));
    let proofs = proofs.filter(|it| against.leaves_out(it).is_none());
    let ids: Vec<&String> = proofs.map(|it| &it.scenario).collect();
    plan.narrow(|it| ids.contains(&&it.id));
    if !embedded {
        // Somebody's server lives in real time.
        plan.groups
            .retain(|it| it.clock != Some(ClockChoice::Virtual));
    }
    let mut plan = plan.apart(|it| it.title == BACKGROUND);
    plan.groups
        .retain(|it| it.features.iter().any(|it| !it.scenarios.is_empty()));
    plan
}

/// Rows and scenarios that do not fit together, each with its place.
fn said(error: &ConformError, when: When) -> Exit {
    if let ConformError::Suite { files, rows } = error {
        eprint!("{}", diagnostics::text(files, when.on(&std::io::stderr())));
        for row in rows {
            eprintln!("{row}");
        }
        let count = diagnostics::count(files.len() + rows.len(), "mistake");
        eprintln!("{count}; nothing was started");
    }
    Exit::Scenario
}

fn today() -> Result<NaiveDate, Failure> {
    let now = DateTime::from_timestamp_millis(Clock::of_machine().now());
    now.map(|it| it.date_naive())
        .ok_or_else(|| Failure::environment("the clock of this machine says no day"))
}

impl Arguments {
    /// The same for `run`, whose settings these are.
    fn as_run(&self) -> run::Arguments {
        run::Arguments {
            target: self.target.clone(),
            clock: self.clock,
            seed: self.seed,
            concurrency: self.concurrency,
            patience: self.patience,
            report: self.report.clone(),
            set: self.set.clone(),
            ..run::Arguments::default()
        }
    }
}
