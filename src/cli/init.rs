//! `fotalab init`.

use std::path::{Path, PathBuf};

use super::{Exit, Failure};

/// What `init` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where to; the working directory without it.
    #[arg(default_value = ".")]
    directory: PathBuf,
}

const FILES: &[(&str, &str)] = &[
    ("fotalab.toml", include_str!("init/fotalab.toml")),
    (
        "features/first.feature.md",
        include_str!("init/first.feature.md"),
    ),
    (
        ".github/workflows/fotalab.yml",
        include_str!("init/fotalab.yml"),
    ),
];

/// Writes the files that are not there yet.
pub(super) fn init(arguments: &Arguments) -> Result<Exit, Failure> {
    for (name, content) in FILES {
        let path = arguments.directory.join(name);
        if path.exists() {
            eprintln!("{} is there already and stays as it is", path.display());
            continue;
        }
        write(&path, content).map_err(|error| {
            Failure::environment(format!("{} cannot be written: {error}", path.display()))
        })?;
        eprintln!("{} written", path.display());
    }
    eprintln!("now: fotalab run");
    Ok(Exit::Held)
}

fn write(path: &Path, content: &str) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(path, content)
}
