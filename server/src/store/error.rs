//! Why what was stored cannot be used, and how to mend it.

use std::{io, path::PathBuf};

/// A folder or what is in it cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The machine does not let us.
    #[error("failed to use {}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the machine said.
        source: io::Error,
    },
    /// Two servers in one folder would overwrite each other.
    #[error(
        "failed to lock {}: another server uses it; end that one, or give this one a folder of \
         its own", path.display()
    )]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// It was written by a later version.
    #[error(
        "failed to open {}: its schema is {found}, and this version knows up to {known}; use the \
         fotalab that wrote it, or give this one a folder of its own", path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// What it says.
        found: i64,
        /// What would be understood.
        known: i64,
    },
    /// It is no database, none of ours, or a broken one.
    #[error(
        "failed to read {}: {why}; put a copy of the whole folder back, or move it away to begin \
         with nothing", path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A document is not what this version expects.
    #[error(
        "failed to restore the {kind} `{key}`: {why}; put a copy of the whole folder back, use the \
         fotalab that wrote it, or begin with an empty folder"
    )]
    Document {
        /// What kind of document.
        kind: &'static str,
        /// Its key.
        key: String,
        /// What is wrong with it.
        why: String,
    },
}
