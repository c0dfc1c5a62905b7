//! The built command, run as a user runs it.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// What one run of the command left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs `fotalab` in `directory` with nothing of the caller's environment that it would read.
pub(crate) fn fotalab(directory: &Path, arguments: &[&str]) -> Ran {
    command(directory, arguments).into()
}

fn command(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fotalab"));
    for (name, _) in std::env::vars()
        .filter(|(name, _)| name.starts_with("FOTALAB_") || name.starts_with("GITHUB_"))
    {
        command.env_remove(name);
    }
    command
        .current_dir(directory)
        .args(arguments)
        .output()
        .expect("the command is built with the tests")
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// An empty directory of this name, kept after the test for whoever wants to look.
pub(crate) fn directory(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if path.exists() {
        std::fs::remove_dir_all(&path).expect("it is ours");
    }
    std::fs::create_dir_all(&path).expect("the target directory can be written");
    path
}

/// Whether long runs were asked for with `FOTALAB_LONG=1`.
pub(crate) fn long() -> bool {
    std::env::var_os("FOTALAB_LONG").is_some_and(|it| it != "0")
}

/// The seeds: `FOTALAB_SEEDS`, else beside the repository. `None` is printed as a skip.
pub(crate) fn seeds() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/seeds");
    let path = std::env::var_os("FOTALAB_SEEDS").map_or(beside, PathBuf::from);
    if path.join("DeviceFOTA.feature.md").is_file() {
        return Some(path);
    }
    eprintln!(
        "SKIPPED: there is no DeviceFOTA.feature.md in {}; FOTALAB_SEEDS names its directory",
        path.display()
    );
    None
}
