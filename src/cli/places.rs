//! Where reports go.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use super::{Failure, config::Config, run::Arguments};
use crate::{
    report::{self, Kept},
    run::RunRecord,
    trace::Secrets,
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

    /// The directory of the report that is asked for.
    pub(super) fn report(&self) -> Option<&Path> {
        self.report.as_deref()
    }

    /// Makes directories before anything runs: a run that nobody can read of would be lost.
    pub(super) fn prepare(&self) -> Result<(), Failure> {
        if let Some(path) = self.junit.as_ref().filter(|it| it.is_dir()) {
            let path = path.display();
            return Err(Failure::usage(format!(
                "`{path}` is a directory: `--junit` takes a file, as in `{path}/junit.xml`"
            )));
        }
        let folder = self.junit.as_ref().and_then(|it| it.parent());
        if let Some(folder) = folder.filter(|it| !it.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|error| cannot_write(folder, &error))?;
        }
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

    /// Writes what is asked for, of a record without secrets. For a report they leave its messages,
    /// too.
    pub(super) fn write(&self, record: &mut RunRecord, secrets: &Secrets) -> Result<(), Failure> {
        if let Some(directory) = &self.report {
            let at = |name: &str| directory.join(name);
            created(&at("report.json"), |it| report::write_json(record, it))?;
            let packed = created(&at("trace.ndjson"), |it| {
                report::write_messages(record, secrets, it)
            })?;
            let kept = Kept::of(record);
            created(&at("index.html"), |it| {
                report::write_page(&kept, &packed, it)
            })?;
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

/// Makes a file and writes it.
pub(super) fn created<T>(
    path: &Path,
    write: impl FnOnce(File) -> io::Result<T>,
) -> Result<T, Failure> {
    let written = File::create(path).and_then(write);
    written.map_err(|error| cannot_write(path, &error))
}

pub(super) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| cannot_write(path, &error))
}

pub(super) fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::environment(format!("`{}` cannot be written: {error}", path.display()))
}
