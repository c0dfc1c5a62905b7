//! The command line: one file per verb. The report goes to stdout, talk to stderr.

mod check;
mod config;
mod conform;
mod diagnostics;
mod environment;
mod files;
mod fleet;
mod github;
mod image;
mod init;
mod paint;
mod places;
mod reach;
mod report;
mod run;
#[cfg(feature = "embedded")]
mod serve;
mod settings;
mod signals;
mod steps;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{plan::Selection, run::Settings};

pub use self::{
    files::{Collected, collect},
    paint::Paint,
};

/// Mistakes in scenario files, in words, with code frames.
#[must_use]
pub fn explain(diagnostics: &[crate::plan::FileDiagnostic], paint: Paint) -> String {
    diagnostics::text(diagnostics, paint)
}

/// What `fotalab run` without arguments would be set to: `fotalab.toml` and `FOTALAB_*`.
///
/// # Errors
/// What is wrong with them, in words.
pub fn of_environment() -> Result<(Settings, Selection), String> {
    #[derive(Parser)]
    struct Nothing {
        #[command(flatten)]
        run: run::Arguments,
    }
    let Nothing { run: arguments } =
        Nothing::try_parse_from(["fotalab"]).map_err(|error| error.to_string())?;
    let words = |failure: Failure| failure.message;
    let config = config::Config::of_directory().map_err(words)?;
    let settings = settings::settings(&arguments, &config).map_err(words)?;
    reach::reachable(&settings.target).map_err(words)?;
    let nothing = Collected::default();
    let selection = settings::selection(&arguments, &config, &nothing).map_err(words)?;
    Ok((settings, selection))
}

/// How a command ended. The numbers are API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything that was asked for held.
    Held = 0,
    /// The command line, the environment's variables or `fotalab.toml` are wrong.
    Usage = 2,
    /// A scenario does not parse or bind. Nothing was started.
    Scenario = 3,
    /// Nothing was selected.
    Nothing = 4,
    /// The target cannot be reached, a port is taken, a report cannot be written.
    Environment = 5,
    /// Scenarios failed.
    Failed = 100,
    /// Rows of a conformance suite that must hold did not, or may not have.
    Deviations = 102,
    /// Interrupted; the report of what ran is written.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A conformance lab for firmware over the air.
///
/// Exit codes: 0 held; 2 usage or configuration; 3 a scenario does not parse or bind; 4 nothing
/// was selected; 5 the environment failed; 100 scenarios failed; 102 conformance rows that must hold
/// did not; 130 interrupted.
#[derive(Debug, Parser)]
#[command(name = "fotalab", version, arg_required_else_help = true)]
struct Arguments {
    /// When to use colour.
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        env = "FOTALAB_COLOR"
    )]
    color: paint::When,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Runs scenarios.
    Run(Box<run::Arguments>),
    /// Checks scenarios: everything that `run` checks before running, and nothing else.
    Check(check::Arguments),
    /// Prints the vocabulary: every sentence, what it does, an example.
    Steps(steps::Arguments),
    /// Writes a `fotalab.toml`, a first scenario that passes and a CI file.
    Init(init::Arguments),
    /// Makes the page of a run again from what `--report DIR` kept.
    Report(report::Arguments),
    /// Tests a server against the rows of a conformance suite, and prints the matrix.
    Conform(Box<conform::Arguments>),
    /// Starts the FOTA server alone.
    #[cfg(feature = "embedded")]
    Serve(serve::Arguments),
    /// Runs simulated devices against any LwM2M server.
    Fleet(Box<fleet::Arguments>),
    /// Makes a firmware image that simulated devices can check.
    Image(image::Arguments),
}

/// Runs the command of this process's arguments.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Held
            };
            // Nobody is left to tell when even this cannot be printed.
            drop(error.print());
            return code.into();
        }
    };
    if let Err(Failure { exit, message }) = environment::check() {
        eprintln!("error: {message}");
        return exit.into();
    }
    let paint = arguments.color;
    let exit = match arguments.verb {
        Verb::Run(arguments) => run::run(*arguments, paint),
        Verb::Check(arguments) => check::check(&arguments, paint),
        Verb::Steps(arguments) => steps::steps(&arguments),
        Verb::Init(arguments) => init::init(&arguments),
        Verb::Report(arguments) => report::report(&arguments),
        Verb::Conform(arguments) => conform::conform(*arguments, paint),
        #[cfg(feature = "embedded")]
        Verb::Serve(arguments) => serve::serve(&arguments),
        Verb::Fleet(arguments) => fleet::fleet(&arguments),
        Verb::Image(arguments) => image::image(&arguments),
    };
    exit.unwrap_or_else(|Failure { exit, message }| {
        eprintln!("error: {message}");
        exit
    })
    .into()
}

/// A command that could not do its work.
#[derive(Debug)]
struct Failure {
    exit: Exit,
    message: String,
}

impl Failure {
    fn usage(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Usage,
            message: message.into(),
        }
    }

    fn environment(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Environment,
            message: message.into(),
        }
    }
}
