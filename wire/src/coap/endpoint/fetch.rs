//! A large body on its way from a peer by Block2 (RFC 7959 2.4).

use super::event::Failure;
use super::request::{Delivery, Request};
use crate::coap::limits;
use crate::coap::message::{Block, BlockSize, Message, MessageView, Token, number};

#[derive(Debug)]
pub(super) struct Fetch {
    /// Where the next block belongs.
    offset: usize,
    /// What is asked for; `None` leaves it to the peer.
    size: Option<BlockSize>,
    /// The representation's tag, once known.
    etag: Option<Option<Token>>,
    total: Option<usize>,
    more: bool,
    collected: Vec<u8>,
    restarts: u8,
    wrong: u8,
}

/// What became of a block.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// Another one is due.
    More,
    /// It was the last, or the answer came in one.
    Last,
    /// Another block came than was asked for.
    Again,
    /// The representation changed; block 0 is due.
    Restart,
    Failed(Failure),
}

impl Fetch {
    pub(super) fn new(request: &Request) -> Self {
        let size = match request.delivery {
            Delivery::Blocks => Some(request.block_size.unwrap_or(BlockSize::MAX)),
            Delivery::Whole { .. } => request.block_size.filter(|_| request.payload.is_empty()),
        };
        let mut fetch = Self {
            offset: 0,
            size,
            etag: None,
            total: None,
            more: false,
            collected: Vec::new(),
            restarts: 0,
            wrong: 0,
        };
        if let (Some(resume), Some(size)) = (&request.resume, size)
            && request.delivery == Delivery::Blocks
        {
            fetch.offset = resume.offset / size.bytes() * size.bytes();
            let etag = resume.etag.as_deref();
            fetch.etag = etag.map(Token::new).filter(|_| fetch.offset > 0);
        }
        fetch
    }

    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    pub(super) fn more(&self) -> bool {
        self.more
    }

    pub(super) fn total(&self) -> Option<usize> {
        self.total
    }

    /// The body, if it came in blocks.
    pub(super) fn assembled(&mut self) -> Option<Vec<u8>> {
        let body = std::mem::take(&mut self.collected);
        (!body.is_empty()).then_some(body)
    }

    /// The block that is due, into its request.
    pub(super) fn write(&self, request: &Request, message: &mut Message) {
        let Some(block) = self
            .size
            .and_then(|size| Block::at(self.offset, false, size))
        else {
            return;
        };
        message.options.push_block(number::BLOCK2, block);
        if self.total.is_none() && request.delivery == Delivery::Blocks {
            // RFC 7959 4: 0 asks for the size.
            message.options.push_uint(number::SIZE2, 0);
        }
    }

    pub(super) fn take(&mut self, request: &Request, view: &MessageView<'_>) -> Taken {
        let payload = view.payload();
        let limit = match request.delivery {
            Delivery::Whole { limit } => limit,
            Delivery::Blocks => usize::MAX,
        };
        let Some(value) = view.uint(number::BLOCK2) else {
            self.more = false;
            return match self.offset {
                0 if payload.len() > limit => Taken::Failed(Failure::TooLong),
                0 => Taken::Last,
                _ => Taken::Failed(Failure::Blocks),
            };
        };
        let Some(block) = Block::from_value(value) else {
            return Taken::Failed(Failure::Blocks);
        };
        let full = payload.len() == block.size.bytes();
        let fits = full || (!block.more && payload.len() < block.size.bytes());
        if !fits || self.size.is_some_and(|asked| block.size > asked) {
            return Taken::Failed(Failure::Blocks);
        }
        let etag = view.option(number::ETAG).and_then(Token::new);
        if self.etag.is_some_and(|known| known != etag) {
            return self.restart();
        }
        if block.offset() != self.offset {
            self.wrong += 1;
            return match self.wrong {
                ..=limits::WRONG_BLOCKS_MAX => Taken::Again,
                _ => Taken::Failed(Failure::Blocks),
            };
        }
        self.etag = Some(etag);
        self.size = Some(block.size);
        if let Some(total) = view.uint(number::SIZE2) {
            self.total = Some(total as usize);
        }
        if self.offset + payload.len() > limit || self.total.is_some_and(|total| total > limit) {
            return Taken::Failed(Failure::TooLong);
        }
        self.offset += payload.len();
        self.more = block.more;
        if request.delivery != Delivery::Blocks {
            self.collected.extend_from_slice(payload);
        }
        if !block.more {
            return Taken::Last;
        }
        match Block::at(self.offset, false, block.size) {
            Some(_) => Taken::More,
            None => Taken::Failed(Failure::TooLong),
        }
    }

    /// RFC 7959 2.4: blocks with different ETags do not belong together.
    fn restart(&mut self) -> Taken {
        self.restarts += 1;
        if self.restarts > limits::DOWNLOAD_RESTARTS_MAX {
            return Taken::Failed(Failure::Changing);
        }
        self.offset = 0;
        self.etag = None;
        self.total = None;
        self.collected.clear();
        Taken::Restart
    }
}
