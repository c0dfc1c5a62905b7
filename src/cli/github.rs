//! What a run tells GitHub Actions, when it runs there.

use std::{
    io::Write as _,
    path::{Component, Path, PathBuf},
};

use super::{Failure, places::cannot_write};
use crate::{
    report::{self, Kept},
    run::RunRecord,
};

/// Where GitHub wants what, as its environment says.
pub(super) struct GitHub {
    summary: Option<PathBuf>,
    /// Whether a workflow runs this, so that commands on standard output are read.
    workflow: bool,
    workspace: Option<PathBuf>,
}

impl GitHub {
    /// As the environment says.
    pub(super) fn of_environment() -> Self {
        let path = |name: &str| std::env::var_os(name).filter(|it| !it.is_empty());
        Self {
            summary: path("GITHUB_STEP_SUMMARY").map(PathBuf::from),
            workflow: std::env::var_os("GITHUB_ACTIONS").is_some_and(|it| it == "true"),
            workspace: path("GITHUB_WORKSPACE").map(PathBuf::from),
        }
    }

    /// Whether it wants to know anything.
    pub(super) const fn asks(&self) -> bool {
        self.summary.is_some() || self.workflow
    }

    /// Adds to the summary of the job, and gives the annotations for standard output. The record
    /// is one without secrets, also in its messages.
    pub(super) fn tell(&self, record: &RunRecord) -> Result<String, Failure> {
        if !self.asks() {
            return Ok(String::new());
        }
        let kept = Kept::of(record);
        if let Some(path) = &self.summary {
            let mut options = std::fs::OpenOptions::new();
            let file = options.append(true).create(true).open(path);
            let added =
                file.and_then(|mut it| it.write_all(report::github_summary(&kept).as_bytes()));
            added.map_err(|error| cannot_write(path, &error))?;
        }
        if !self.workflow {
            return Ok(String::new());
        }
        let here = std::env::current_dir().unwrap_or_default();
        Ok(report::github_annotations(&kept, |path| {
            in_workspace(self.workspace.as_deref(), &here.join(path), path)
        }))
    }
}

/// A file as the repository calls it.
fn in_workspace(workspace: Option<&Path>, file: &Path, as_named: &str) -> String {
    let file = without_detours(file);
    let inside = workspace.and_then(|it| file.strip_prefix(it).ok());
    inside.map_or_else(|| as_named.to_owned(), |it| it.display().to_string())
}

/// `a/../b` as `b`: GitHub knows no way up.
fn without_detours(file: &Path) -> PathBuf {
    let mut straight = PathBuf::new();
    for part in file.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                straight.pop();
            }
            other => straight.push(other),
        }
    }
    straight
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_from_the_repositorys_root() {
        let file = Path::new("/w/repo/part/features/a.feature.md");
        let named = "features/a.feature.md";
        assert_eq!(
            in_workspace(Some(Path::new("/w/repo")), file, named),
            "part/features/a.feature.md"
        );
        assert_eq!(in_workspace(None, file, named), named);
        let beside = Path::new("/w/repo/part/./../features/a.feature.md");
        assert_eq!(
            in_workspace(
                Some(Path::new("/w/repo")),
                beside,
                "../features/a.feature.md"
            ),
            "features/a.feature.md"
        );
    }
}
