//! The thread that writes: all that came while it wrote the last group is the next one.

use std::{
    io, mem,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use fotalab_wire::net::BoxFuture;
use indexmap::IndexMap;
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

use crate::{limits, store::Kind};

type Changes = IndexMap<(Kind, String), Option<String>>;

/// What waits to be written. Of several changes of one document the last one is kept, so it is
/// never longer than there are documents.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    more: Condvar,
}

#[derive(Default)]
struct Waiting {
    changes: Changes,
    /// Who wants to know when all that came before is safe.
    flushes: Vec<oneshot::Sender<()>>,
    /// A group is being written.
    writing: bool,
    closed: bool,
}

impl Queue {
    /// Adds a change; `None` removes the document.
    pub(super) fn push(&self, kind: Kind, key: &str, document: Option<String>) {
        let mut waiting = self.lock();
        let first = waiting.changes.is_empty();
        waiting.changes.insert((kind, key.to_owned()), document);
        drop(waiting);
        if first {
            self.more.notify_one();
        }
    }

    /// Is ready when all that was pushed before is safe; never, if that did not come about.
    pub(super) fn flush(&self) -> BoxFuture<'static, ()> {
        let mut waiting = self.lock();
        if waiting.changes.is_empty() && !waiting.writing {
            return Box::pin(std::future::ready(()));
        }
        let (sender, receiver) = oneshot::channel();
        waiting.flushes.push(sender);
        drop(waiting);
        self.more.notify_one();
        Box::pin(async {
            if receiver.await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }

    /// Whether more may come without harm.
    pub(super) fn has_room(&self) -> bool {
        self.lock().changes.len() < limits::STORE_QUEUE
    }

    #[cfg(test)]
    pub(super) fn has_work(&self) -> bool {
        !self.lock().changes.is_empty()
    }

    /// Nothing more will come.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.more.notify_one();
    }

    /// The next group and who waits for it; `None` at the end.
    fn next(&self) -> Option<(Changes, Vec<oneshot::Sender<()>>)> {
        let mut waiting = self.lock();
        waiting.writing = false;
        while waiting.changes.is_empty() && waiting.flushes.is_empty() {
            if waiting.closed {
                return None;
            }
            let woken = self.more.wait(waiting);
            waiting = woken.unwrap_or_else(PoisonError::into_inner);
        }
        // Where nobody waits, a group is worth a moment: it costs one sync, however large.
        let (mut waiting, _) = self
            .more
            .wait_timeout_while(waiting, limits::STORE_GATHER, |it| {
                it.flushes.is_empty() && !it.closed
            })
            .unwrap_or_else(PoisonError::into_inner);
        waiting.writing = true;
        let group = (
            mem::take(&mut waiting.changes),
            mem::take(&mut waiting.flushes),
        );
        Some(group)
    }

    /// Waits a while after a failure. Whether nothing more will come.
    fn rest(&self) -> bool {
        let waiting = self.lock();
        let rested = self
            .more
            .wait_timeout_while(waiting, limits::STORE_RETRY, |it| !it.closed);
        rested.unwrap_or_else(PoisonError::into_inner).0.closed
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts the thread. It ends when the queue is closed and empty.
pub(super) fn start(
    connection: Connection,
    path: PathBuf,
    queue: Arc<Queue>,
) -> io::Result<JoinHandle<()>> {
    let run = move || write_all(connection, &path, &queue);
    thread::Builder::new()
        .name("fotalab-store".to_owned())
        .spawn(run)
}

fn write_all(mut connection: Connection, path: &Path, queue: &Queue) {
    while let Some((group, flushes)) = queue.next() {
        let mut failures = 0_u32;
        while let Err(why) = write(&mut connection, &group) {
            if failures == 0 {
                // It goes on in memory; what must be safe first waits (an Execute, an answer).
                eprintln!("failed to write {}: {why}; trying again", path.display());
            }
            failures += 1;
            if queue.rest() && failures >= limits::STORE_LAST_ATTEMPTS {
                eprintln!("gave up: {} changes are lost", group.len());
                return;
            }
        }
        if failures > 0 {
            eprintln!("{} is written again", path.display());
        }
        for flush in flushes {
            let _gone = flush.send(());
        }
    }
}

/// One transaction, synced.
fn write(connection: &mut Connection, group: &Changes) -> rusqlite::Result<()> {
    if group.is_empty() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut put = transaction.prepare_cached(
            "INSERT INTO documents (kind, key, body) VALUES (?1, ?2, ?3)
             ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body",
        )?;
        let mut remove =
            transaction.prepare_cached("DELETE FROM documents WHERE kind = ?1 AND key = ?2")?;
        for ((kind, key), document) in group {
            match document {
                Some(document) => put.execute((kind.name(), key, document))?,
                None => remove.execute((kind.name(), key))?,
            };
        }
    }
    transaction.commit()
}
