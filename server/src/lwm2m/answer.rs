//! A device's answer, as values.

use bytes::Bytes;
use fotalab_wire::{
    coap::{Code, Message, message::number},
    lwm2m::{ContentFormat, Definitions, Kind, Path, Tree, Value, codec},
};

/// A device's answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The CoAP code.
    pub(crate) code: Code,
    /// The content format, where there is one.
    pub(crate) format: Option<u16>,
    /// Where something was created, as a path.
    pub(crate) location: Option<String>,
    /// How long it is fresh, or how long a device that answers 5.03 asks to wait, in seconds.
    pub(crate) max_age: Option<u32>,
    /// The payload as it came.
    pub(crate) payload: Bytes,
    /// What it says, or why it says nothing.
    pub(crate) tree: Result<Tree, String>,
}

impl Answer {
    /// Reads an answer about `path`.
    pub(super) fn of(message: &Message, path: Path, definitions: &Definitions) -> Self {
        let format = message.options.uint(number::CONTENT_FORMAT);
        let format = format.and_then(|it| u16::try_from(it).ok());
        let link = Some(ContentFormat::Link.number());
        let nothing = message.payload.is_empty() && format.is_none();
        let tree = if nothing || format == link || !message.code.is_success() {
            Ok(Tree::new())
        } else {
            decode(path, format, &message.payload, definitions)
        };
        Self {
            code: message.code,
            format,
            location: location(message),
            max_age: message.options.uint(number::MAX_AGE),
            payload: message.payload.clone(),
            tree,
        }
    }

    /// The values at or below a path, in order.
    pub(crate) fn values(&self) -> Vec<(Path, Value)> {
        let tree = self.tree.as_ref().ok();
        let values = tree.into_iter().flat_map(Tree::values);
        values.map(|(path, value)| (path, value.clone())).collect()
    }
}

fn location(message: &Message) -> Option<String> {
    let segments = message.options.iter();
    let segments = segments.filter(|(option, _)| *option == number::LOCATION_PATH);
    let segments = segments.map(|(_, it)| format!("/{}", String::from_utf8_lossy(it)));
    Some(segments.collect::<String>()).filter(|it| !it.is_empty())
}

/// Reads a payload about `path`. One of no format is text, unless the definitions say bytes.
fn decode(
    path: Path,
    format: Option<u16>,
    payload: &[u8],
    definitions: &Definitions,
) -> Result<Tree, String> {
    let text = format.is_none() && definitions.kind(path) != Some(Kind::Opaque);
    let format = if text && path.depth() >= 3 {
        ContentFormat::Text
    } else {
        ContentFormat::of_payload(format, path).map_err(|why| why.to_string())?
    };
    codec::decode(format, path, payload, definitions).map_err(|why| why.to_string())
}
