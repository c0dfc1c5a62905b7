//! Reads `multipart/form-data`: texts, and files that are hashed and stored as they arrive.

use std::{collections::BTreeMap, sync::Arc};

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt as _;
use http::{Request, header};
use http_body_util::BodyDataStream;
use hyper::body::Incoming;
use md5::{Digest as _, Md5};
use multer::Multipart;
use tokio::time::timeout;

use crate::{
    limits,
    server::Server,
    store::blob::{Blobs, Expected, Hash, Image, Refused, Stored},
};

/// A form. Of a part given twice the last counts.
#[derive(Default)]
pub(super) struct Form {
    /// Parts without a file name.
    pub(super) texts: BTreeMap<String, String>,
    /// The part with one that was asked for, if it has bytes.
    pub(super) file: Option<File>,
}

/// A file of a form. Its bytes are stored; they are freed again unless somebody takes them.
pub(super) struct File {
    /// As its sender calls it, without folders.
    pub(super) name: String,
    /// The MD5 of it.
    pub(super) md5: [u8; 16],
    stored: Stored,
    blobs: Option<Arc<dyn Blobs>>,
}

/// A form cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    /// It is no form, or not as it should be.
    #[error("{0}")]
    Broken(String),
    /// A file cannot be stored.
    #[error("{0}")]
    Refused(#[from] Refused),
}

/// Whether a request says that it has a form.
pub(super) fn is_form(request: &Request<Incoming>) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|it| it.to_str().ok()).unwrap_or_default();
    kind.trim_start()
        .to_ascii_lowercase()
        .starts_with("multipart/form-data")
}

/// Reads a form whole, in time. Only the file called `wanted` is kept.
pub(super) async fn read(
    server: &Server,
    request: Request<Incoming>,
    wanted: &str,
) -> Result<Form, Unreadable> {
    let kind = request.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|it| it.to_str().ok()).unwrap_or_default();
    let boundary = multer::parse_boundary(kind).map_err(unreadable)?;
    let body = BodyDataStream::new(request.into_body()).map_err(|why| why.to_string());
    let parts = Multipart::new(body, boundary);
    match timeout(limits::IMAGE_TIMEOUT, parts_of(server, parts, wanted)).await {
        Ok(form) => form,
        Err(_) => Err(broken("the form did not arrive in time")),
    }
}

impl File {
    /// A file of bytes that came another way.
    pub(super) async fn of(server: &Server, name: &str, bytes: Bytes) -> Result<Self, Refused> {
        let md5 = Md5::digest(&bytes).into();
        let mut upload = server.blobs.begin().await?;
        upload.write(bytes).await?;
        let stored = upload.finish(Expected::default()).await?;
        Ok(Self::stored(server, name, md5, stored))
    }

    /// The SHA-256 of it.
    pub(super) fn sha256(&self) -> Hash {
        self.stored.sha256
    }

    /// How long it is.
    pub(super) fn length(&self) -> u64 {
        self.stored.length
    }

    /// Makes it an image of the server.
    pub(super) fn keep(mut self, server: &Server) -> Result<Image, Refused> {
        self.blobs = None;
        server.keep_image(self.stored)
    }

    fn stored(server: &Server, name: &str, md5: [u8; 16], stored: Stored) -> Self {
        Self {
            name: without_folders(name),
            md5,
            stored,
            blobs: Some(Arc::clone(&server.blobs)),
        }
    }
}

impl Drop for File {
    fn drop(&mut self) {
        if let Some(blobs) = &self.blobs {
            blobs.release(self.stored.sha256);
        }
    }
}

async fn parts_of(
    server: &Server,
    mut parts: Multipart<'_>,
    wanted: &str,
) -> Result<Form, Unreadable> {
    let mut form = Form::default();
    while let Some(mut part) = parts.next_field().await.map_err(unreadable)? {
        let Some(name) = part.name().map(str::to_owned) else {
            continue;
        };
        if form.texts.len() >= limits::MAX_FORM_FIELDS {
            return Err(broken("the form has too many parts"));
        }
        match part.file_name().map(str::to_owned) {
            None => {
                let mut bytes = BytesMut::new();
                while let Some(piece) = part.chunk().await.map_err(unreadable)? {
                    if bytes.len() + piece.len() > limits::MAX_FORM_TEXT_BYTES {
                        return Err(broken("a part of the form is too long"));
                    }
                    bytes.extend_from_slice(&piece);
                }
                let text = String::from_utf8_lossy(&bytes).into_owned();
                form.texts.insert(name, text);
            }
            Some(file) if name == wanted => form.file = store(server, part, &file).await?,
            Some(_) => while part.chunk().await.map_err(unreadable)?.is_some() {},
        }
    }
    Ok(form)
}

/// Stores a file; one without bytes is none.
async fn store(
    server: &Server,
    mut part: multer::Field<'_>,
    name: &str,
) -> Result<Option<File>, Unreadable> {
    let mut md5 = Md5::new();
    let mut upload = server.blobs.begin().await?;
    while let Some(piece) = part.chunk().await.map_err(unreadable)? {
        md5.update(&piece);
        upload.write(piece).await?;
    }
    match upload.finish(Expected::default()).await {
        Ok(stored) => {
            let md5 = md5.finalize().into();
            Ok(Some(File::stored(server, name, md5, stored)))
        }
        Err(Refused::Empty) => Ok(None),
        Err(refused) => Err(refused.into()),
    }
}

fn without_folders(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    last.chars().take(limits::MAX_NAME_BYTES).collect()
}

fn broken(why: &str) -> Unreadable {
    Unreadable::Broken(why.to_owned())
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unreadable(why: multer::Error) -> Unreadable {
    Unreadable::Broken(why.to_string())
}
