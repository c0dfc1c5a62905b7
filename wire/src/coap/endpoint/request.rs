//! What an application asks of a peer, and what it answers.

use std::time::Duration;

use bytes::Bytes;

use crate::coap::limits;
use crate::coap::message::{BlockSize, Code, Options, number};

/// A request to be sent, as `Endpoint::request` takes it.
///
/// A payload above the block size goes by Block1; an answer that comes in blocks is fetched by
/// Block2, in the way that `delivery` says.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Code,
    /// All options but Observe, Block1, Block2, Size1 and Size2, which are the endpoint's.
    pub options: Options,
    /// The whole body, or its beginning if `total` says so. Many requests can share one image.
    pub payload: Bytes,
    /// The length of a body of which `payload` is only the beginning, whole blocks of it. The rest
    /// is asked for as it is needed, by [`Event::Wanted`](super::Event::Wanted).
    pub total: Option<usize>,
    /// Sent as CON. A block-wise transfer by NON has nothing that makes up for a loss.
    pub confirmable: bool,
    /// Registers an observation (RFC 7641 3.1).
    pub observe: Option<Observe>,
    /// What becomes of an answer in blocks.
    pub delivery: Delivery,
    /// The block size that this side proposes or, for an upload, starts with. `None`: the
    /// endpoint's for an upload, the peer's choice for a download.
    pub block_size: Option<BlockSize>,
    /// Where a download goes on that was cut before.
    pub resume: Option<Resume>,
    /// How long an answer may take after the request was acknowledged, or sent as NON. `None`:
    /// EXCHANGE_LIFETIME for CON, MAX_TRANSMIT_WAIT for NON (RFC 7252 4.7 leaves it open).
    pub patience: Option<Duration>,
}

/// How an observation is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Observe {
    /// Registers again when Max-Age has passed without a notification, 5 to 15 s later
    /// (RFC 7641 3.3.1). LwM2M does without.
    pub refresh: bool,
}

/// What becomes of an answer in blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Put together in memory up to `limit` bytes, then handed over in one event.
    Whole {
        /// More is a failure.
        limit: usize,
    },
    /// Each block is an event, and the next one is asked for when the application says
    /// `Endpoint::proceed`: it may have flash to erase first.
    Blocks,
}

/// Where a download goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    /// Bytes that are there already; rounded down to a block.
    pub offset: usize,
    /// ETag of what is there. Another one restarts the download at 0.
    pub etag: Option<Vec<u8>>,
}

impl Request {
    /// A confirmable request of `path`, which may have a query.
    #[must_use]
    pub fn new(method: Code, path: &str) -> Self {
        let mut options = Options::new();
        options.push_path(path);
        Self {
            method,
            options,
            payload: Bytes::new(),
            total: None,
            confirmable: true,
            observe: None,
            delivery: Delivery::Whole {
                limit: limits::WHOLE_BODY_MAX,
            },
            block_size: None,
            resume: None,
            patience: None,
        }
    }

    /// GET.
    #[must_use]
    pub fn get(path: &str) -> Self {
        Self::new(Code::GET, path)
    }

    /// PUT of a body.
    #[must_use]
    pub fn put(path: &str, payload: impl Into<Bytes>) -> Self {
        let mut request = Self::new(Code::PUT, path);
        request.payload = payload.into();
        request
    }

    /// POST of a body.
    #[must_use]
    pub fn post(path: &str, payload: impl Into<Bytes>) -> Self {
        let mut request = Self::new(Code::POST, path);
        request.payload = payload.into();
        request
    }

    /// With Observe 0 (RFC 7641 3.1).
    #[must_use]
    pub fn observing(mut self) -> Self {
        self.observe = Some(Observe::default());
        self
    }

    /// Delivered block by block.
    #[must_use]
    pub fn in_blocks(mut self, size: BlockSize) -> Self {
        self.delivery = Delivery::Blocks;
        self.block_size = Some(size);
        self
    }

    /// With a Content-Format (RFC 7252 5.10.3).
    #[must_use]
    pub fn format(mut self, content_format: u16) -> Self {
        let value = u32::from(content_format);
        self.options.push_uint(number::CONTENT_FORMAT, value);
        self
    }

    /// The length of the whole body.
    pub(super) fn length(&self) -> usize {
        self.total.unwrap_or(self.payload.len())
    }
}

/// An answer or a notification.
#[derive(Clone, Debug)]
pub struct Response {
    /// The code.
    pub code: Code,
    /// All options but Observe, Block1, Block2 and Size2, which are the endpoint's.
    pub options: Options,
    /// The payload.
    pub body: Body,
}

/// The bytes of an answer.
#[derive(Clone, Debug)]
pub enum Body {
    /// All of them, of which the endpoint sends the block that was asked for. Nothing is copied
    /// but that block, so a shared image may stand here for each of its blocks.
    Whole(Bytes),
    /// Only the range that `Endpoint::wanted` said.
    Part {
        /// The start of that range.
        offset: usize,
        /// The length of the whole body.
        total: usize,
        /// Its bytes.
        bytes: Bytes,
    },
}

impl Response {
    /// An answer without a payload.
    #[must_use]
    pub fn new(code: Code) -> Self {
        Self {
            code,
            options: Options::new(),
            body: Body::Whole(Bytes::new()),
        }
    }

    /// With a whole body.
    #[must_use]
    pub fn with(code: Code, payload: impl Into<Bytes>) -> Self {
        Self {
            code,
            options: Options::new(),
            body: Body::Whole(payload.into()),
        }
    }

    /// With an ETag (RFC 7252 5.10.6): what lets a client notice that a body changed.
    #[must_use]
    pub fn etag(mut self, etag: &[u8]) -> Self {
        self.options.push(number::ETAG, etag);
        self
    }

    /// With a Content-Format (RFC 7252 5.10.3).
    #[must_use]
    pub fn format(mut self, content_format: u16) -> Self {
        let value = u32::from(content_format);
        self.options.push_uint(number::CONTENT_FORMAT, value);
        self
    }
}
