//! Where reports go.

use std::path::{Path, PathBuf};

use super::{Failure, config::Config, run::Arguments};
use crate::{
    report,
    run::{RunRecord, Session},
};

/// Where reports go.
pub(super) struct Places {
    report: Option<PathBuf>,
    junit: Option<PathBuf>,
}

impl Places {
    /// As flags, environment and `fotalab.toml` say.
    pub(super) fn of(arguments: &Arguments, config: &Config) -> Self {
        let or = |given: &Option<PathBuf>, config: &Option<String>| {
            given.clone().or_else(|| config.as_ref().map(PathBuf::from))
        };
        Self {
            report: or(&arguments.report, &config.report),
            junit: or(&arguments.junit, &config.junit),
        }
    }

    /// Writes what is asked for.
    pub(super) fn write(&self, record: &RunRecord, session: &Session) -> Result<(), Failure> {
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

pub(super) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| cannot_write(path, &error))
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::environment(format!("`{}` cannot be written: {error}", path.display()))
}
