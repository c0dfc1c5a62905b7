//! A large body on its way to a peer by Block1 (RFC 7959 2.5 and 2.9).

use bytes::Bytes;

use super::request::Request;
use crate::coap::limits;
use crate::coap::message::{Block, BlockSize, Code, Message, MessageView, number};

#[derive(Debug)]
pub(super) struct Upload {
    offset: usize,
    size: BlockSize,
    restarts: u8,
    /// The part of the body that is at hand, and where it begins.
    window: (usize, Bytes),
}

/// What an answer to a block means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Uploaded {
    /// The block at the new offset is due.
    Next { sent: usize },
    /// The answer to the whole.
    Final,
    /// The answer makes no sense.
    Broken,
}

impl Upload {
    pub(super) fn new(request: &Request, size: BlockSize) -> Self {
        Self {
            offset: 0,
            size,
            restarts: 0,
            window: (0, request.payload.clone()),
        }
    }

    /// Where the part of the body begins that has to come before the next block can be sent.
    pub(super) fn wants(&self, request: &Request) -> Option<usize> {
        let end = request.length().min(self.offset + self.size.bytes());
        let (start, bytes) = &self.window;
        let inside = *start <= self.offset && end <= start + bytes.len();
        (!inside).then_some(self.offset)
    }

    /// Takes a part of the body. `false`: it is not the one that is wanted.
    pub(super) fn supply(&mut self, request: &Request, offset: usize, bytes: Bytes) -> bool {
        let before = std::mem::replace(&mut self.window, (offset, bytes));
        let enough = self.wants(request).is_none();
        if !enough {
            self.window = before;
        }
        enough
    }

    /// RFC 7959 2.9.3: a 4.13 with a smaller Block1 asks for blocks of that size.
    pub(super) fn asked_for(request: &Request, view: &MessageView<'_>) -> Option<Self> {
        let block = view.block(number::BLOCK1)?;
        let refused = view.code == Code::REQUEST_ENTITY_TOO_LARGE;
        let smaller = block.size.bytes() < request.length();
        (refused && smaller).then(|| Self {
            restarts: 1,
            ..Self::new(request, block.size)
        })
    }

    /// The block that is due, into its message.
    pub(super) fn write(&self, request: &Request, message: &mut Message) {
        let total = request.length();
        let end = total.min(self.offset + self.size.bytes());
        if let Some(block) = Block::at(self.offset, end < total, self.size) {
            message.options.push_block(number::BLOCK1, block);
        }
        if self.offset == 0 {
            // RFC 7959 4: so that a body that is too large can be refused at once.
            message.options.push_uint(number::SIZE1, total as u32);
        }
        let (start, bytes) = &self.window;
        message.payload = bytes.slice(self.offset - start..end - start);
    }

    pub(super) fn answered(&mut self, request: &Request, view: &MessageView<'_>) -> Uploaded {
        let total = request.length();
        let end = total.min(self.offset + self.size.bytes());
        let block = view.block(number::BLOCK1);
        match view.code {
            Code::REQUEST_ENTITY_INCOMPLETE => self.restart(self.size),
            Code::REQUEST_ENTITY_TOO_LARGE => match block {
                Some(block) if block.size < self.size => self.restart(block.size),
                _ => Uploaded::Final,
            },
            Code::CONTINUE if end == total => Uploaded::Broken,
            // 2.3: a success with M=0 to a block that is not the last one answers that block
            // alone, and the next one is due all the same.
            code if end < total
                && (code == Code::CONTINUE || block.is_some() && code.is_success()) =>
            {
                if let Some(block) = block {
                    let number = self.offset / self.size.bytes();
                    if block.number as usize != number && block.offset() != self.offset {
                        return Uploaded::Broken;
                    }
                    // 2.5: smaller from now on; what was sent stays sent.
                    self.size = self.size.min(block.size);
                }
                self.offset = end;
                Uploaded::Next { sent: end }
            }
            _ => Uploaded::Final,
        }
    }

    /// RFC 7959 2.9.2: the peer has lost a block, so all of them are sent again.
    fn restart(&mut self, size: BlockSize) -> Uploaded {
        if self.restarts >= limits::UPLOAD_RESTARTS_MAX {
            return Uploaded::Final;
        }
        self.restarts += 1;
        self.size = size;
        self.offset = 0;
        Uploaded::Next { sent: 0 }
    }
}
