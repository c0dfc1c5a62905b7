//! Where reports go.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use super::{Failure, config::Config, run::Arguments};
use crate::{
    report::{self, Kept},
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

    /// Whether a report is asked for.
    pub(super) const fn has_report(&self) -> bool {
        self.report.is_some()
    }

    /// Makes the report's directory before anything runs: a run that nobody can read of would be
    /// lost.
    pub(super) fn prepare(&self) -> Result<(), Failure> {
        let Some(directory) = &self.report else {
            return Ok(());
        };
        if directory.exists() && !directory.is_dir() {
            let directory = directory.display();
            return Err(Failure::usage(format!(
                "`{directory}` is a file: `--report` takes a directory, which is made where there is none"
            )));
        }
        std::fs::create_dir_all(directory).map_err(|error| cannot_write(directory, &error))
    }

    /// Writes what is asked for.
    pub(super) fn write(&self, record: &RunRecord, session: &Session) -> Result<(), Failure> {
        let secrets = &session.secrets;
        if let Some(directory) = &self.report {
            let json = report::json(record);
            write(&directory.join("report.json"), &json)?;
            let lines = report::lines(record, secrets);
            let path = directory.join("trace.ndjson");
            let file = File::create(&path);
            let written = file.and_then(|it| report::write_trace(record, &lines, it));
            written.map_err(|error| cannot_write(&path, &error))?;
            // From what was written, so that it can say nothing else.
            let kept = Kept::of(record, lines);
            write(&directory.join("index.html"), &report::page(&kept))?;
            for (name, file) in report::captures(record) {
                let path = directory.join(name);
                let folder = path.parent().unwrap_or(directory);
                std::fs::create_dir_all(folder).map_err(|error| cannot_write(folder, &error))?;
                std::fs::write(&path, file).map_err(|error| cannot_write(&path, &error))?;
            }
            write(&directory.join("junit.xml"), &report::junit(record))?;
        }
        if let Some(path) = &self.junit {
            write(path, &report::junit(record))?;
        }
        Ok(())
    }
}

pub(super) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| cannot_write(path, &error))
}

pub(super) fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::environment(format!("`{}` cannot be written: {error}", path.display()))
}
