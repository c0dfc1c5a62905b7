//! What a device can be asked, as a CoAP request, and its answer as values.

use bytes::Bytes;
use fotalab_wire::{
    coap::{Code, Message, Request, message::number},
    lwm2m::{ContentFormat, Definitions, Kind, Path, Tree, Value, codec},
};

/// What a device is asked.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    /// GET.
    Read(Path),
    /// GET with Accept TLV.
    ReadTlv(Path),
    /// GET with Observe 0; what follows is told as values.
    Observe(Path),
    /// GET with Observe 1, where it is observed.
    Forget(Path),
    /// GET of link format.
    Discover(Path),
    /// PUT; what is longer than a block goes by Block1.
    Write {
        /// Of what.
        path: Path,
        /// The payload.
        payload: Bytes,
        /// Its content format.
        format: ContentFormat,
    },
    /// POST with a payload.
    Post {
        /// Of what.
        path: Path,
        /// The payload.
        payload: Bytes,
        /// Its content format.
        format: ContentFormat,
    },
    /// POST.
    Execute {
        /// Of what.
        path: Path,
        /// The arguments, as the device takes them.
        arguments: String,
    },
}

/// Who wants to know how an operation ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ticket {
    /// The update engine.
    Update {
        /// Which update.
        update: String,
        /// Which of its asks.
        serial: u64,
    },
    /// Somebody at the admin face.
    Admin(u64),
    /// What a target needs to know.
    Inspection {
        /// Of whom.
        endpoint: String,
        /// Which question it is.
        serial: u64,
    },
}

/// How an operation ended.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// With an answer.
    Answered(Answer),
    /// No answer came.
    Silent,
    /// A Reset came.
    Rejected,
    /// The registration ended first.
    Gone,
}

/// A device's answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The CoAP code.
    pub(crate) code: Code,
    /// The content format, where there is one.
    pub(crate) format: Option<u16>,
    /// The payload as it came.
    pub(crate) payload: Bytes,
    /// What it says, or why it says nothing.
    pub(crate) tree: Result<Tree, String>,
}

impl Operation {
    /// What it is about.
    pub(crate) fn path(&self) -> Path {
        match self {
            Self::Read(path)
            | Self::ReadTlv(path)
            | Self::Observe(path)
            | Self::Forget(path)
            | Self::Discover(path) => *path,
            Self::Write { path, .. } | Self::Post { path, .. } | Self::Execute { path, .. } => {
                *path
            }
        }
    }

    /// Whether a sleeping device may be asked the same once more when it wakes.
    pub(super) fn is_safe(&self) -> bool {
        matches!(self, Self::Read(_) | Self::ReadTlv(_) | Self::Observe(_) | Self::Discover(_))
    }

    /// As a request to a device whose objects are below `root`.
    pub(super) fn request(&self, root: &str) -> Request {
        let path = format!("{root}{}", self.path());
        match self {
            Self::Read(_) | Self::Forget(_) => Request::get(&path),
            Self::Observe(_) => Request::get(&path).observing(),
            Self::ReadTlv(_) => {
                let mut request = Request::get(&path);
                let tlv = u32::from(ContentFormat::Tlv.number());
                request.options.push_uint(number::ACCEPT, tlv);
                request
            }
            Self::Post {
                payload, format, ..
            } => Request::post(&path, payload.clone()).format(format.number()),
            Self::Discover(_) => {
                let mut request = Request::get(&path);
                let link = u32::from(ContentFormat::Link.number());
                request.options.push_uint(number::ACCEPT, link);
                request
            }
            Self::Write {
                payload, format, ..
            } => Request::put(&path, payload.clone()).format(format.number()),
            Self::Execute { arguments, .. } => {
                let request = Request::post(&path, arguments.clone());
                if arguments.is_empty() {
                    request
                } else {
                    request.format(ContentFormat::Text.number())
                }
            }
        }
    }
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
