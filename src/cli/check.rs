//! `fotalab check`.

use std::io::Write as _;

use serde_json::Map;

use super::{
    Exit, Failure,
    config::Config,
    diagnostics::{self, Format},
    files,
    paint::When,
};
use crate::{
    plan::{self, Selection},
    scenario,
};

/// What `check` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Files and directories; `features/` without any.
    paths: Vec<String>,
    /// How to say what is wrong.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// A variable that `run` would be given with `--set`: NAME=text or NAME:=JSON.
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
}

/// Checks and prints what it found.
pub(super) fn check(arguments: &Arguments, when: When) -> Result<Exit, Failure> {
    let config = Config::of_directory()?;
    let paths = config.paths(&arguments.paths);
    if arguments.format == Format::Ast {
        return syntax_trees(&paths);
    }
    let mut set = Map::new();
    for text in &arguments.set {
        let (name, value) = super::settings::variable(text).map_err(Failure::usage)?;
        set.insert(name, value);
    }
    let files::Collected {
        documents,
        mut diagnostics,
        ..
    } = files::collect(&paths).map_err(Failure::usage)?;
    let count = documents.len();
    if count == 0 {
        eprintln!("there is no scenario file in {}", paths.join(", "));
        return Ok(Exit::Nothing);
    }
    if let Err(found) = plan::plan(documents, &Selection::default(), &set) {
        diagnostics.extend(found);
    }
    plan::in_reading_order(&mut diagnostics);
    let mut out = std::io::stdout().lock();
    let text = match arguments.format {
        Format::Json => format!("{:#}\n", diagnostics::json(&diagnostics)),
        Format::Github => diagnostics::github(&diagnostics),
        Format::Text | Format::Ast => diagnostics::text(&diagnostics, when.on(&out)),
    };
    out.write_all(text.as_bytes())
        .map_err(|error| Failure::environment(error.to_string()))?;
    if diagnostics.is_empty() {
        eprintln!("{}, no mistake", diagnostics::count(count, "file"));
        return Ok(Exit::Held);
    }
    let files = diagnostics::count(count, "file");
    eprintln!(
        "{files}, {}",
        diagnostics::count(diagnostics.len(), "mistake")
    );
    Ok(Exit::Scenario)
}

/// One line for each file: its `gherkinDocument`, or its `parseError`s.
fn syntax_trees(paths: &[String]) -> Result<Exit, Failure> {
    let mut exit = Exit::Held;
    let mut out = std::io::stdout().lock();
    for (path, _) in files::find(paths).map_err(Failure::usage)? {
        let source = files::read(&path).map_err(Failure::usage)?;
        let lines = match scenario::gherkin_document(&path, &source) {
            Ok(document) => vec![document],
            Err(errors) => {
                exit = Exit::Scenario;
                errors
            }
        };
        for line in lines {
            writeln!(out, "{line}").map_err(|error| Failure::environment(error.to_string()))?;
        }
    }
    Ok(exit)
}
