//! Reads `multipart/form-data`: texts, and files that are hashed as they arrive.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt as _;
use http::{Request, header};
use http_body_util::BodyDataStream;
use hyper::body::Incoming;
use md5::Md5;
use multer::{Constraints, Multipart, SizeLimit};
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;

use crate::limits;

/// A form. Of a part given twice the last counts.
#[derive(Debug, Default)]
pub(super) struct Form {
    /// Parts without a file name.
    pub(super) texts: BTreeMap<String, String>,
    /// Parts with one.
    pub(super) files: BTreeMap<String, File>,
}

/// A file of a form.
#[derive(Debug)]
pub(super) struct File {
    /// As its sender calls it, without folders.
    pub(super) name: String,
    /// All of it.
    pub(super) bytes: Bytes,
    /// The SHA-256 of it.
    pub(super) sha256: [u8; 32],
    /// The MD5 of it.
    pub(super) md5: [u8; 16],
}

/// A form cannot be read; for people.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unreadable(String);

/// Whether a request says that it has a form.
pub(super) fn is_form(request: &Request<Incoming>) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|it| it.to_str().ok()).unwrap_or_default();
    kind.trim_start()
        .to_ascii_lowercase()
        .starts_with("multipart/form-data")
}

/// Reads a form whole, in time.
pub(super) async fn read(request: Request<Incoming>) -> Result<Form, Unreadable> {
    let kind = request.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|it| it.to_str().ok()).unwrap_or_default();
    let boundary = multer::parse_boundary(kind).map_err(unreadable)?;
    let sizes = SizeLimit::new().whole_stream(limits::MAX_IMAGE_BYTES as u64);
    let constraints = Constraints::new().size_limit(sizes);
    let body = BodyDataStream::new(request.into_body()).map_err(|why| why.to_string());
    let parts = Multipart::with_constraints(body, boundary, constraints);
    match timeout(limits::IMAGE_TIMEOUT, parts_of(parts)).await {
        Ok(form) => form,
        Err(_) => Err(Unreadable("the form did not arrive in time".to_owned())),
    }
}

impl File {
    /// A file of bytes that came another way.
    pub(super) fn of(name: &str, bytes: Bytes) -> Self {
        Self {
            name: without_folders(name),
            sha256: Sha256::digest(&bytes).into(),
            md5: Md5::digest(&bytes).into(),
            bytes,
        }
    }
}

async fn parts_of(mut parts: Multipart<'_>) -> Result<Form, Unreadable> {
    let mut form = Form::default();
    while let Some(mut part) = parts.next_field().await.map_err(unreadable)? {
        let Some(name) = part.name().map(str::to_owned) else {
            continue;
        };
        let file = part.file_name().map(without_folders);
        let mut bytes = BytesMut::new();
        let mut sha256 = Sha256::new();
        let mut md5 = Md5::new();
        while let Some(piece) = part.chunk().await.map_err(unreadable)? {
            if file.is_none() && bytes.len() + piece.len() > limits::MAX_BODY_BYTES {
                return Err(Unreadable(format!("the part `{name}` is too long")));
            }
            sha256.update(&piece);
            md5.update(&piece);
            bytes.extend_from_slice(&piece);
        }
        if form.texts.len() + form.files.len() >= limits::MAX_FORM_FIELDS {
            return Err(Unreadable("the form has too many parts".to_owned()));
        }
        match file {
            None => {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                form.texts.insert(name, text);
            }
            Some(file) => {
                let file = File {
                    name: file,
                    bytes: bytes.freeze(),
                    sha256: sha256.finalize().into(),
                    md5: md5.finalize().into(),
                };
                form.files.insert(name, file);
            }
        }
    }
    Ok(form)
}

fn without_folders(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    last.chars().take(limits::MAX_NAME_BYTES).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unreadable(why: multer::Error) -> Unreadable {
    Unreadable(why.to_string())
}
