//! Bodies from files and forms.

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::run::{Lab, Mismatch, StepError};

/// The largest file that a step sends.
const MAX_FILE_BYTES: u64 = 1024 * 1024 * 1024;

/// One part of a multipart form.
#[derive(Clone)]
pub(super) struct Part {
    name: String,
    file_name: Option<String>,
    content: Bytes,
}

impl Part {
    /// A plain field.
    pub(super) fn field(name: String, value: String) -> Self {
        Self {
            name,
            file_name: None,
            content: Bytes::from(value),
        }
    }

    /// A file.
    pub(super) fn file(name: String, file_name: String, content: Bytes) -> Self {
        Self {
            name,
            file_name: Some(file_name),
            content,
        }
    }
}

/// Reads a file, relative to the scenario's directory.
pub(super) fn file(lab: &mut Lab, path: &str) -> Result<Bytes, StepError> {
    let full = lab.attempt.directory.join(path);
    let read = std::fs::metadata(&full).and_then(|it| {
        if it.len() > MAX_FILE_BYTES {
            return Err(std::io::Error::other(format!(
                "it is larger than {MAX_FILE_BYTES} bytes"
            )));
        }
        std::fs::read(&full)
    });
    match read {
        Ok(bytes) => Ok(Bytes::from(bytes)),
        Err(error) => lab.fail(Mismatch::new(format!(
            "`{}` cannot be read: {error}",
            full.display()
        ))),
    }
}

/// The parts as multipart/form-data (RFC 7578): content type and body.
pub(super) fn multipart(parts: &[Part], number: u32) -> (String, Bytes) {
    let boundary = (0..)
        .map(|nth| format!("fotalab-form-{number}-{nth}"))
        .find(|it| {
            !parts
                .iter()
                .any(|part| contains(&part.content, it.as_bytes()))
        })
        .unwrap_or_default();
    let mut body = BytesMut::new();
    for part in parts {
        body.put_slice(
            format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"",
                quoted(&part.name)
            )
            .as_bytes(),
        );
        if let Some(file_name) = &part.file_name {
            let line = format!(
                "; filename=\"{}\"\r\nContent-Type: application/octet-stream",
                quoted(file_name)
            );
            body.put_slice(line.as_bytes());
        }
        body.put_slice(b"\r\n\r\n");
        body.put_slice(&part.content);
        body.put_slice(b"\r\n");
    }
    body.put_slice(format!("--{boundary}--\r\n").as_bytes());
    (
        format!("multipart/form-data; boundary={boundary}"),
        body.freeze(),
    )
}

/// As browsers escape it (WHATWG, multipart/form-data).
fn quoted(text: &str) -> String {
    text.replace('"', "%22")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn contains(content: &[u8], wanted: &[u8]) -> bool {
    content.windows(wanted.len()).any(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_as_rfc_7578_says() {
        let parts = [
            Part::field("version".to_owned(), "1.0".to_owned()),
            Part::file(
                "image".to_owned(),
                "a\"b.bin".to_owned(),
                Bytes::from_static(b"\x00\x01"),
            ),
        ];
        let (content_type, body) = multipart(&parts, 1);
        assert_eq!(
            content_type,
            "multipart/form-data; boundary=fotalab-form-1-0"
        );
        let expected: &[u8] = b"--fotalab-form-1-0\r\nContent-Disposition: form-data; name=\"version\"\r\n\r\n1.0\r\n\
            --fotalab-form-1-0\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a%22b.bin\"\r\n\
            Content-Type: application/octet-stream\r\n\r\n\x00\x01\r\n--fotalab-form-1-0--\r\n";
        assert_eq!(body, expected);
    }
}
