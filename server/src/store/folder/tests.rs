use std::{fs, path::PathBuf, sync::Arc};

use bytes::Bytes;
use futures_util::FutureExt as _;
use rusqlite::Connection;
use serde_json::json;

use super::*;
use crate::{
    limits,
    store::{
        Kind, Store as _,
        blob::{Blobs as _, Expected, Refused, Stored},
    },
};

/// A folder of one test, gone with it.
struct Folder(PathBuf);

impl std::ops::Deref for Folder {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn folder(name: &str) -> Folder {
    let name = format!("fotalab-{}-{name}", std::process::id());
    Folder(std::env::temp_dir().join(name))
}

fn why<T>(opened: Result<T, DataError>) -> String {
    match opened {
        Ok(_) => panic!("it was opened"),
        Err(why) => why.to_string(),
    }
}

#[tokio::test]
async fn documents_survive() {
    let path = folder("documents");
    let (database, _) = open(&path).expect("made");
    for number in 0..2_000 {
        database.put(Kind::Device, &format!("d{number:04}"), json!(number));
    }
    database.put(Kind::Device, "d0000", json!({"later": "é"}));
    database.remove(Kind::Device, "d0001");
    database.put(Kind::Account, "d0001", json!(null));
    database.flush().await;
    let there = database.all(Kind::Device).expect("readable");
    assert_eq!(there.len(), 1_999);
    // What nobody flushed is written when it is dropped.
    database.remove(Kind::Device, "d1999");
    drop(database);
    let (database, _) = open(&path).expect("opened again");
    let there = database.all(Kind::Device).expect("readable");
    assert_eq!(there.len(), 1_998);
    assert_eq!(there[0], ("d0000".to_owned(), json!({"later": "é"})));
    assert_eq!(database.all(Kind::Account).expect("readable").len(), 1);
    // Nothing is missing: it is safe at once.
    assert!(database.flush().now_or_never().is_some());
}

/// As when the disk is full: what must be safe first waits until it is.
#[tokio::test]
async fn what_cannot_be_written_is_tried_again() {
    let path = folder("again");
    let (database, _) = open(&path).expect("made");
    let other = Connection::open(path.join("fotalab.db")).expect("opened");
    let rename = |from: &str, to: &str| {
        let sql = format!("ALTER TABLE {from} RENAME TO {to}");
        other.execute_batch(&sql).expect("renamed");
    };
    rename("documents", "away");
    database.put(Kind::Device, "a", json!(1));
    let flushed = database.flush();
    // The first attempt is over when the thread rests; it cannot have been written.
    while database.has_work() {
        tokio::task::yield_now().await;
    }
    database.put(Kind::Device, "b", json!(2));
    let later = database.flush();
    rename("away", "documents");
    flushed.await;
    assert_eq!(database.all(Kind::Device).expect("readable")[0].0, "a");
    later.await;
    assert_eq!(database.all(Kind::Device).expect("readable").len(), 2);
}

#[test]
fn a_folder_has_one_server() {
    let path = folder("lock");
    let first = open(&path).expect("made");
    let refused = why(open(&path));
    assert!(refused.contains("another server uses it"), "{refused}");
    drop(first);
    drop(open(&path).expect("free again"));
}

#[test]
fn what_cannot_be_read_is_said_with_how_to_mend_it() {
    let path = folder("broken");
    drop(open(&path).expect("made"));
    let database = path.join("fotalab.db");
    let change = |sql: &str| {
        let connection = Connection::open(&database).expect("opened");
        connection.execute_batch(sql).expect("changed");
    };
    change("PRAGMA user_version = 9");
    let newer = why(open(&path));
    assert!(
        newer.contains("its schema is 9, and this version knows up to 1"),
        "{newer}"
    );
    assert!(newer.contains("use the fotalab that wrote it"), "{newer}");
    change("PRAGMA user_version = 1; PRAGMA application_id = 7");
    let foreign = why(open(&path));
    assert!(
        foreign.contains("a database of another program"),
        "{foreign}"
    );
    fs::write(&database, b"not a database, whatever its name says, and long enough for a header ............................................").expect("written");
    let none = why(open(&path));
    assert!(
        none.contains("it is no SQLite database; put a copy"),
        "{none}"
    );
    assert!(none.contains("fotalab.db"), "{none}");
}

#[test]
fn a_page_that_was_overwritten_is_noticed() {
    let path = folder("page");
    let (database, _) = open(&path).expect("made");
    for number in 0..500 {
        database.put(Kind::Device, &number.to_string(), json!("x".repeat(200)));
    }
    drop(database);
    let file = path.join("fotalab.db");
    let mut bytes = fs::read(&file).expect("readable");
    let middle = bytes.len() / 8_192 * 4_096;
    bytes[middle..middle + 2_000].fill(0xA5);
    fs::write(&file, bytes).expect("written");
    let damaged = why(open(&path));
    assert!(
        damaged.contains("put a copy of the whole folder back"),
        "{damaged}"
    );
}

async fn upload(images: &ImageFiles, bytes: &Bytes, expected: Expected) -> Result<Stored, Refused> {
    let mut upload = images.begin().await?;
    for part in bytes.chunks(100_000) {
        upload.write(Bytes::copy_from_slice(part)).await?;
    }
    upload.finish(expected).await
}

#[tokio::test]
async fn images_are_files_that_are_read_by_ranges() {
    let path = folder("images");
    let (database, images) = open(&path).expect("made");
    let bytes: Bytes = (0..700_001_u32).map(|at| (at / 3) as u8).collect();
    let stored = upload(&images, &bytes, Expected::default())
        .await
        .expect("kept");
    assert_eq!(
        upload(&images, &bytes, Expected::default())
            .await
            .expect("again"),
        stored
    );
    let file = path.join("images").join(stored.sha256.to_string());
    assert_eq!(fs::read(&file).expect("named by its hash"), bytes);
    let read = images.read(stored.sha256, 262_100..262_200).await;
    assert_eq!(read.expect("inside"), bytes[262_100..262_200]);
    assert!(images.read(stored.sha256, 700_000..700_002).await.is_err());
    let wrong = Expected {
        length: Some(5),
        ..Expected::default()
    };
    assert!(upload(&images, &bytes, wrong).await.is_err());
    assert!(matches!(
        upload(&images, &Bytes::new(), Expected::default()).await,
        Err(Refused::Empty)
    ));
    // One use is left, then none.
    images.release(stored.sha256);
    assert!(images.read(stored.sha256, 0..1).await.is_ok());
    drop((database, images));

    fs::write(path.join("images/7.part"), b"half").expect("written");
    let (_database, images) = open(&path).expect("opened again");
    assert!(!path.join("images/7.part").exists());
    images.adopt(stored).expect("there");
    images.tidy();
    assert!(file.exists());
    drop(images);
    let (_, images) = (drop(_database), open(&path).expect("opened again").1);
    images.tidy();
    assert!(!file.exists(), "nobody knew it");
    let missing = images.adopt(stored).expect_err("it is gone");
    assert!(missing.ends_with("is not there"), "{missing}");
}

#[tokio::test]
async fn what_never_finished_leaves_nothing() {
    let path = folder("unfinished");
    let (_database, images) = open(&path).expect("made");
    let images = Arc::new(images);
    let mut upload = images.begin().await.expect("room");
    let part = Bytes::from(vec![1; limits::CHUNK_BYTES as usize]);
    upload.write(part).await.expect("written");
    let parts = || fs::read_dir(path.join("images")).expect("there").count();
    assert_eq!(parts(), 1);
    drop(upload);
    while parts() > 0 {
        tokio::task::yield_now().await;
    }
}
