//! A body that crosses in blocks (RFC 7959), which the page folds into one bar.

use serde::Serialize;

use crate::trace::{Block, Datagram, Outcome};

/// One transfer.
#[derive(Debug, Serialize)]
pub(super) struct Transfer {
    /// Its first message; the request may have been sent before it was known to be one.
    first: usize,
    /// Its last message so far.
    last: usize,
    /// Into the feature's devices, from 1.
    device: u32,
    /// 1 for Block1 (a body goes with the requests), 2 for Block2 (with the answers).
    block: u8,
    /// 1 when its requests go to the server.
    inward: u8,
    path: String,
    /// Messages.
    messages: u32,
    /// Different blocks seen.
    blocks: u32,
    /// Bytes of the body in them.
    bytes: u64,
    /// Messages that were sent before.
    again: u32,
    lost: u32,
    duplicated: u32,
    /// 1 when the last block was seen.
    whole: u8,
    /// Where in the body the next block begins.
    #[serde(skip)]
    next: u64,
    /// Where the last one began.
    #[serde(skip)]
    began: u64,
}

impl Transfer {
    pub(super) fn new(index: usize, device: u32, up: bool, block: u8, path: &str) -> Self {
        Self {
            first: index,
            last: index,
            device: device + 1,
            block,
            inward: u8::from(up),
            path: path.to_owned(),
            messages: 0,
            blocks: 0,
            bytes: 0,
            again: 0,
            lost: 0,
            duplicated: 0,
            whole: 0,
            next: 0,
            began: 0,
        }
    }

    /// Whether this block can be the next one, or one again, of this transfer.
    pub(super) fn goes_on(&self, block: Block) -> bool {
        let offset = block.offset();
        offset <= self.next && (self.whole == 0 || offset == self.began)
    }

    /// Its first message is one that did not look like a part of it when it crossed.
    pub(super) fn begins_with(&mut self, index: usize) {
        self.first = index;
    }

    /// Takes in a message of it.
    pub(super) fn take(&mut self, index: usize, air: &Datagram, again: bool) {
        self.last = index;
        self.messages += 1;
        self.again += u32::from(again);
        self.lost += u32::from(air.outcome == Outcome::Lost);
        self.duplicated += u32::from(air.outcome == Outcome::Duplicated);
        let Some(coap) = &air.coap else { return };
        let request = coap.code.is_request();
        // A body goes with the requests of Block1 and with the answers of Block2.
        let block = match self.block {
            1 if request => coap.block1,
            2 if !request => coap.block2,
            _ => None,
        };
        let new = |it: &Block| self.blocks == 0 || it.offset() >= self.next;
        let Some(block) = block.filter(new) else {
            return;
        };
        self.began = block.offset();
        self.next = self.began + u64::from(block.size);
        self.blocks += 1;
        self.bytes = self.bytes.saturating_add(coap.payload);
        self.whole = u8::from(!block.more);
    }
}
