//! Images as files, named by their SHA-256. One is written under another name, synced, and renamed:
//! a file with a hash for a name is whole.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    mem,
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::{Bytes, BytesMut};
use fotalab_wire::net::BoxFuture;
use sha2::{Digest as _, Sha256};
use tokio::{runtime::Handle, task::spawn_blocking};

use crate::{
    limits,
    store::{
        DataError,
        blob::{Blobs, Expected, Hash, Refused, Reservation, Room, Stored, Upload},
    },
};

/// The end of the name of what is on its way.
const PART: &str = "part";

/// A folder of images. Copies are the same.
#[derive(Clone)]
pub(crate) struct ImageFiles {
    folder: Arc<Path>,
    files: Arc<Mutex<Files>>,
    room: Room,
}

#[derive(Default)]
struct Files {
    known: BTreeMap<Hash, Known>,
    /// For the names of those on their way.
    parts: u64,
}

struct Known {
    length: u64,
    uses: usize,
}

/// An image on its way: what came is gathered, so that the disk is not asked for each part.
struct Arriving {
    /// Away while a thread writes.
    part: Option<Part>,
    gathered: BytesMut,
    reservation: Reservation,
    store: ImageFiles,
}

/// The file of an image on its way, removed when it is dropped.
struct Part {
    file: File,
    path: PathBuf,
    hash: Sha256,
}

impl ImageFiles {
    /// Opens a folder, or makes it, and removes what never arrived.
    pub(crate) fn open(folder: &Path) -> Result<Self, DataError> {
        let io = |source| DataError::Io {
            path: folder.to_owned(),
            source,
        };
        fs::create_dir_all(folder).map_err(io)?;
        let room = Room::new(
            limits::MAX_STORED_IMAGES_BYTES,
            limits::MAX_STORED_IMAGE_BYTES,
        );
        let mut files = Files::default();
        for entry in fs::read_dir(folder).map_err(io)? {
            let path = entry.map_err(io)?.path();
            if path.extension().is_some_and(|it| it == PART) {
                fs::remove_file(&path).map_err(io)?;
                continue;
            }
            let name = path.file_name().and_then(|it| it.to_str());
            if let Some(hash) = name.and_then(|it| it.parse().ok()) {
                let length = path.metadata().map_err(io)?.len();
                room.occupy(length);
                files.known.insert(hash, Known { length, uses: 0 });
            }
        }
        Ok(Self {
            folder: folder.into(),
            files: Arc::new(Mutex::new(files)),
            room,
        })
    }

    fn path(&self, sha256: Hash) -> PathBuf {
        self.folder.join(sha256.to_string())
    }

    fn lock(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self) -> io::Result<Part> {
        let number = {
            let mut files = self.lock();
            files.parts += 1;
            files.parts
        };
        let path = self.folder.join(format!("{number}.{PART}"));
        let file = File::create(&path)?;
        Ok(Part {
            file,
            path,
            hash: Sha256::new(),
        })
    }

    /// Gives a whole part its name, or drops it if the same bytes are there.
    fn keep(&self, part: Part, stored: Stored, reservation: Reservation) -> io::Result<()> {
        part.file.sync_all()?;
        let mut files = self.lock();
        if let Some(known) = files.known.get_mut(&stored.sha256) {
            known.uses += 1;
            return Ok(());
        }
        fs::rename(&part.path, self.path(stored.sha256))?;
        let length = stored.length;
        files.known.insert(stored.sha256, Known { length, uses: 1 });
        reservation.keep();
        drop(files);
        // The name is only safe when the folder is.
        File::open(&self.folder)?.sync_all()
    }

    /// Frees what `is_free` says.
    fn free(&self, is_free: impl Fn(&Hash, &Known) -> bool) {
        self.lock().known.retain(|hash, known| {
            let free = is_free(hash, known);
            if free {
                self.room.give_back(known.length);
                // One that stays is freed at the next start.
                let _stays = fs::remove_file(self.path(*hash));
            }
            !free
        });
    }
}

impl Blobs for ImageFiles {
    fn begin(&self) -> BoxFuture<'static, Result<Box<dyn Upload>, Refused>> {
        let store = self.clone();
        Box::pin(async move {
            let begun = store.clone();
            let part = blocking(move || Self::begin(&begun)).await?;
            let arriving = Arriving {
                part: Some(part),
                gathered: BytesMut::new(),
                reservation: store.room.reserve(),
                store,
            };
            Ok(Box::new(arriving) as Box<dyn Upload>)
        })
    }

    fn read(&self, sha256: Hash, range: Range<u64>) -> BoxFuture<'static, io::Result<Bytes>> {
        let path = self.path(sha256);
        Box::pin(blocking(move || {
            let length = range.end.checked_sub(range.start);
            let length = length.and_then(|it| usize::try_from(it).ok());
            let mut bytes = vec![0; length.ok_or(io::ErrorKind::InvalidInput)?];
            let mut file = File::open(path)?;
            file.seek(SeekFrom::Start(range.start))?;
            file.read_exact(&mut bytes)?;
            Ok(bytes.into())
        }))
    }

    fn resident(&self, _sha256: Hash) -> Option<Bytes> {
        None
    }

    fn adopt(&self, stored: Stored) -> Result<(), String> {
        let mut files = self.lock();
        let wrong = match files.known.get_mut(&stored.sha256) {
            Some(known) if known.length == stored.length => {
                known.uses += 1;
                return Ok(());
            }
            Some(known) => format!("has {} bytes instead of {}", known.length, stored.length),
            None => "is not there".to_owned(),
        };
        Err(format!("{} {wrong}", self.path(stored.sha256).display()))
    }

    fn release(&self, sha256: Hash) {
        let last = {
            let mut files = self.lock();
            let known = files.known.get_mut(&sha256);
            known.is_some_and(|known| {
                known.uses = known.uses.saturating_sub(1);
                known.uses == 0
            })
        };
        if last {
            let store = self.clone();
            // Somebody may have sent the same bytes meanwhile.
            spawn_blocking(move || store.free(|hash, known| *hash == sha256 && known.uses == 0));
        }
    }

    fn tidy(&self) {
        self.free(|_, known| known.uses == 0);
    }
}

impl Upload for Arriving {
    fn write(&mut self, part: Bytes) -> BoxFuture<'_, Result<(), Refused>> {
        Box::pin(async move {
            self.reservation.grow(part.len())?;
            self.gathered.extend_from_slice(&part);
            if self.gathered.len() as u64 >= limits::CHUNK_BYTES {
                let part = self.write_gathered().await?;
                self.part = Some(part);
            }
            Ok(())
        })
    }

    fn finish(
        mut self: Box<Self>,
        expected: Expected,
    ) -> BoxFuture<'static, Result<Stored, Refused>> {
        Box::pin(async move {
            let part = self.write_gathered().await?;
            let stored = Stored {
                sha256: Hash(part.hash.clone().finalize().into()),
                length: self.reservation.taken(),
            };
            expected.check(stored)?;
            let Self {
                reservation, store, ..
            } = *self;
            blocking(move || store.keep(part, stored, reservation)).await?;
            Ok(stored)
        })
    }
}

impl Arriving {
    async fn write_gathered(&mut self) -> io::Result<Part> {
        let gathered = self.gathered.split().freeze();
        let part = self.part.take();
        blocking(move || {
            // Away after a write that failed.
            let mut part = part.ok_or(io::ErrorKind::BrokenPipe)?;
            part.hash.update(&gathered);
            part.file.write_all(&gathered)?;
            Ok(part)
        })
        .await
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // It has another name by now if it was kept, and one that stays is removed at the start.
        let path = mem::take(&mut self.path);
        let remove = move || fs::remove_file(path);
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => drop(remove()),
        }
    }
}

/// Runs what a disk may hold up on a thread for such.
async fn blocking<T: Send + 'static>(
    act: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    spawn_blocking(act).await.map_err(io::Error::other)?
}
