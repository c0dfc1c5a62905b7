//! What a device can be asked, as a CoAP request.

use std::fmt;

use bytes::Bytes;
use fotalab_wire::{
    coap::{Code, Request, message::number},
    lwm2m::{ContentFormat, Path, codec::senml},
};

use super::Answer;

/// What a device is asked.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    /// GET.
    Read(Path),
    /// GET with Observe 0; what follows is told as values.
    Observe(Path),
    /// GET with Observe 1, where it is observed.
    Forget(Path),
    /// GET of link format.
    Discover(Path),
    /// PUT, which replaces; what is longer than a block goes by Block1.
    Write {
        /// Of what.
        path: Path,
        /// The payload.
        payload: Bytes,
        /// Its content format.
        format: ContentFormat,
    },
    /// POST to an instance, which leaves what it does not name.
    Update {
        /// Of what.
        path: Path,
        /// The payload.
        payload: Bytes,
        /// Its content format.
        format: ContentFormat,
    },
    /// PUT of notification attributes (contract 2.4).
    Attributes {
        /// Of what.
        path: Path,
        /// Each `name=value`, or a name to clear it.
        query: Vec<String>,
    },
    /// PUT of a body that is read as it is needed: [`super::Told::Wanted`] asks for more of it.
    WriteLong {
        /// Of what.
        path: Path,
        /// How it begins.
        first: Bytes,
        /// Its whole length.
        total: u64,
    },
    /// POST.
    Execute {
        /// Of what.
        path: Path,
        /// The arguments, as the device takes them.
        arguments: String,
    },
    /// POST to an object.
    Create {
        /// Of which object.
        path: Path,
        /// The payload.
        payload: Bytes,
        /// Its content format.
        format: ContentFormat,
    },
    /// DELETE.
    Delete(Path),
    /// FETCH of several paths, one of the SenML formats.
    ReadMany(Vec<Path>, ContentFormat),
    /// FETCH with Observe 0.
    ObserveMany(Vec<Path>, ContentFormat),
    /// FETCH with Observe 1.
    ForgetMany(Vec<Path>),
    /// iPATCH, all or nothing.
    WriteMany {
        /// The payload.
        payload: Bytes,
        /// Its content format.
        format: ContentFormat,
    },
}

/// What an observation is of: a path, or several at once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Watched {
    /// By GET.
    One(Path),
    /// By FETCH.
    Many(Vec<Path>),
}

/// An operation with what belongs to it.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) ticket: Ticket,
    pub(super) operation: Operation,
    /// The format of the answer.
    pub(super) accept: Option<ContentFormat>,
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
    /// A task, by the number of its ask.
    Task(u64),
    /// Nobody: what the device tells is only remembered.
    Look(String),
    /// Nobody any more.
    Nobody,
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

impl fmt::Display for Watched {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(path) => path.fmt(out),
            Self::Many(paths) => {
                let paths: Vec<String> = paths.iter().map(ToString::to_string).collect();
                out.write_str(&paths.join(" "))
            }
        }
    }
}

impl Watched {
    /// What asks the device to end it.
    pub(crate) fn forgotten(self) -> Operation {
        match self {
            Self::One(path) => Operation::Forget(path),
            Self::Many(paths) => Operation::ForgetMany(paths),
        }
    }

    /// What its answers are about.
    pub(super) fn path(&self) -> Path {
        match self {
            Self::One(path) => *path,
            Self::Many(_) => Path::ROOT,
        }
    }
}

impl Operation {
    /// What it is about; the root for several paths at once.
    pub(crate) fn path(&self) -> Path {
        match self {
            Self::Read(path) | Self::Observe(path) | Self::Forget(path) | Self::Discover(path) => {
                *path
            }
            Self::Write { path, .. }
            | Self::Update { path, .. }
            | Self::Attributes { path, .. }
            | Self::WriteLong { path, .. }
            | Self::Execute { path, .. }
            | Self::Create { path, .. }
            | Self::Delete(path) => *path,
            Self::ReadMany(..)
            | Self::ObserveMany(..)
            | Self::ForgetMany(_)
            | Self::WriteMany { .. } => Path::ROOT,
        }
    }

    /// The observation that it begins or ends.
    pub(super) fn watched(&self) -> Option<Watched> {
        match self {
            Self::Observe(path) | Self::Forget(path) => Some(Watched::One(*path)),
            Self::ObserveMany(paths, _) | Self::ForgetMany(paths) => {
                Some(Watched::Many(paths.clone()))
            }
            _ => None,
        }
    }

    /// Whether it ends an observation.
    pub(super) fn forgets(&self) -> bool {
        matches!(self, Self::Forget(_) | Self::ForgetMany(_))
    }

    /// Whether a sleeping device may be asked the same once more when it wakes.
    pub(super) fn is_safe(&self) -> bool {
        matches!(
            self,
            Self::Read(_)
                | Self::Observe(_)
                | Self::Discover(_)
                | Self::Attributes { .. }
                | Self::ReadMany(..)
                | Self::ObserveMany(..)
        )
    }
}

impl Call {
    /// As a request to a device whose objects are below `root`.
    pub(super) fn request(&self, root: &str) -> Request {
        let operation = &self.operation;
        let path = match operation.path() {
            Path::ROOT => root.to_owned(),
            path => format!("{root}{path}"),
        };
        let mut request = match operation {
            Operation::Read(_) | Operation::Forget(_) => Request::get(&path),
            Operation::Observe(_) => Request::get(&path).observing(),
            Operation::Discover(_) => {
                return accepting(Request::get(&path), ContentFormat::Link);
            }
            Operation::Write {
                payload, format, ..
            } => Request::put(&path, payload.clone()).format(format.number()),
            Operation::WriteLong { first, total, .. } => {
                let format = ContentFormat::Opaque.number();
                let mut request = Request::put(&path, first.clone()).format(format);
                request.total = Some(usize::try_from(*total).unwrap_or(usize::MAX));
                request
            }
            Operation::Update {
                payload, format, ..
            }
            | Operation::Create {
                payload, format, ..
            } => Request::post(&path, payload.clone()).format(format.number()),
            Operation::Attributes { query, .. } => {
                let mut request = Request::put(&path, Bytes::new());
                for item in query {
                    request.options.push(number::URI_QUERY, item.as_bytes());
                }
                request
            }
            Operation::Execute { arguments, .. } if arguments.is_empty() => {
                Request::post(&path, Bytes::new())
            }
            Operation::Execute { arguments, .. } => {
                Request::post(&path, arguments.clone()).format(ContentFormat::Text.number())
            }
            Operation::Delete(_) => Request::new(Code::DELETE, &path),
            Operation::ReadMany(paths, format) => fetch(&path, paths, *format),
            Operation::ObserveMany(paths, format) => fetch(&path, paths, *format).observing(),
            Operation::ForgetMany(paths) => fetch(&path, paths, ContentFormat::SenmlCbor),
            Operation::WriteMany { payload, format } => {
                let mut request = Request::new(Code::IPATCH, &path);
                request.payload = payload.clone();
                request.format(format.number())
            }
        };
        if let Some(accept) = self.accept {
            request = accepting(request, accept);
        }
        request
    }
}

fn accepting(mut request: Request, format: ContentFormat) -> Request {
    let format = u32::from(format.number());
    request.options.push_uint(number::ACCEPT, format);
    request
}

fn fetch(path: &str, paths: &[Path], format: ContentFormat) -> Request {
    let mut request = Request::new(Code::FETCH, path);
    request.payload = match format {
        ContentFormat::SenmlJson => senml::json::encode_paths(paths).into(),
        _ => senml::cbor::encode_paths(paths).into(),
    };
    request.format(format.number())
}
