//! Documents in SQLite: one table, a write-ahead log, one thread that writes.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use fotalab_wire::net::BoxFuture;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use serde_json::Value;

use super::writer::{self, Queue};
use crate::{
    limits,
    store::{DataError, Kind, Store, parsed},
};

/// What `PRAGMA user_version` says of databases made by this version. A higher one is refused.
const SCHEMA: i64 = 1;
/// "FOTA", so that `file` and we know whose database it is.
const APPLICATION: i64 = 0x464F_5441;
/// For a lock of somebody who looks at the database, such as a backup.
const BUSY: Duration = Duration::from_secs(5);

/// An open database. Dropping it writes what waits.
pub(crate) struct Database {
    path: PathBuf,
    reader: Mutex<Connection>,
    queue: Arc<Queue>,
    writer: Option<JoinHandle<()>>,
    /// Nobody else opens the folder meanwhile.
    _lock: File,
}

impl Database {
    /// Opens a database, or makes one.
    pub(crate) fn open(path: &Path, lock: File) -> Result<Self, DataError> {
        let damaged = |why: rusqlite::Error| damaged(path, &why);
        let mut connection = connect(path).map_err(damaged)?;
        prepare(path, &mut connection)?;
        let reader = connect(path).map_err(damaged)?;
        let queue = Arc::new(Queue::default());
        let writer = writer::start(connection, path.to_owned(), Arc::clone(&queue));
        let writer = writer.map_err(|source| DataError::Io {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            path: path.to_owned(),
            reader: Mutex::new(reader),
            queue,
            writer: Some(writer),
            _lock: lock,
        })
    }
}

#[cfg(test)]
impl Database {
    /// Something waits for the thread to take it.
    pub(super) fn has_work(&self) -> bool {
        self.queue.has_work()
    }
}

impl Store for Database {
    fn put_text(&self, kind: Kind, key: &str, document: String) {
        self.queue.push(kind, key, Some(document));
    }

    fn remove(&self, kind: Kind, key: &str) {
        self.queue.push(kind, key, None);
    }

    fn all(&self, kind: Kind) -> Result<Vec<(String, Value)>, DataError> {
        let connection = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = read(&connection, kind).map_err(|why| damaged(&self.path, &why))?;
        rows.into_iter()
            .map(|(key, text)| parsed(kind, key, &text))
            .collect()
    }

    fn flush(&self) -> BoxFuture<'static, ()> {
        self.queue.flush()
    }

    fn has_room(&self) -> bool {
        self.queue.has_room()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(writer) = self.writer.take() {
            let _panicked = writer.join();
        }
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    // An answered request survives the loss of power, not of the process only.
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "wal_autocheckpoint", limits::STORE_LOG_PAGES)?;
    // Negative: kibibytes.
    connection.pragma_update(None, "cache_size", -limits::STORE_CACHE_KIB)?;
    Ok(connection)
}

/// Checks that it is ours, whole, and not of the future; makes the table where there is none.
fn prepare(path: &Path, connection: &mut Connection) -> Result<(), DataError> {
    let damaged = |why: rusqlite::Error| damaged(path, &why);
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get(0));
    let schema: i64 = number("user_version").map_err(damaged)?;
    let application: i64 = number("application_id").map_err(damaged)?;
    let tables = "SELECT count(*) FROM sqlite_schema";
    let tables: i64 = connection
        .query_row(tables, [], |row| row.get(0))
        .map_err(damaged)?;
    let refuse = |why: String| {
        Err(DataError::Damaged {
            path: path.to_owned(),
            why,
        })
    };
    if tables > 0 && application != APPLICATION {
        return refuse("it is a database of another program".to_owned());
    }
    if schema > SCHEMA {
        return Err(DataError::Newer {
            path: path.to_owned(),
            found: schema,
            known: SCHEMA,
        });
    }
    let whole: String = connection
        .pragma_query_value(None, "quick_check", |row| row.get(0))
        .map_err(damaged)?;
    if whole != "ok" {
        return refuse(whole);
    }
    if schema < SCHEMA {
        make(connection).map_err(damaged)?;
    }
    Ok(())
}

fn make(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(
        "CREATE TABLE documents (
            kind TEXT NOT NULL,
            key TEXT NOT NULL,
            body TEXT NOT NULL,
            PRIMARY KEY (kind, key)
        ) STRICT, WITHOUT ROWID;",
    )?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", SCHEMA)?;
    transaction.commit()
}

fn read(connection: &Connection, kind: Kind) -> rusqlite::Result<Vec<(String, String)>> {
    let select = "SELECT key, body FROM documents WHERE kind = ?1 ORDER BY key";
    let mut statement = connection.prepare_cached(select)?;
    let rows = statement.query_map([kind.name()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

fn damaged(path: &Path, why: &rusqlite::Error) -> DataError {
    let known = why.sqlite_error_code();
    let why = match known {
        Some(ErrorCode::NotADatabase) => "it is no SQLite database".to_owned(),
        _ => why.to_string(),
    };
    DataError::Damaged {
        path: path.to_owned(),
        why,
    }
}
