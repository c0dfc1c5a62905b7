//! The folder of `serve --data`: a database of documents, and images as files beside it.
//!
//! ```text
//! DIR/lock         held as long as a server runs
//! DIR/fotalab.db   documents (SQLite, write-ahead log beside it)
//! DIR/images/      one file an image, named by its SHA-256; *.part are on their way
//! ```

mod database;
mod images;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    fs::{self, File, TryLockError},
    path::Path,
};

pub(crate) use database::Database;
pub(crate) use images::ImageFiles;

use super::DataError;

/// Opens a folder, or makes it. It is ours until the lock is dropped, or the process is gone.
pub(crate) fn open(folder: &Path) -> Result<(Database, ImageFiles), DataError> {
    let io = |source| DataError::Io {
        path: folder.to_owned(),
        source,
    };
    fs::create_dir_all(folder).map_err(io)?;
    let lock = lock(folder)?;
    let images = ImageFiles::open(&folder.join("images"))?;
    let database = Database::open(&folder.join("fotalab.db"), lock)?;
    Ok((database, images))
}

fn lock(folder: &Path) -> Result<File, DataError> {
    let path = folder.join("lock");
    let opened = File::options().create(true).append(true).open(&path);
    let file = opened.map_err(|source| DataError::Io {
        path: path.clone(),
        source,
    })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(DataError::InUse {
            path: folder.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(DataError::Io { path, source }),
    }
}
