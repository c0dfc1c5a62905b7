//! Images between whoever sends them, where their bytes are kept, and the devices that fetch them.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use bytes::Bytes;
use fotalab_wire::{
    coap::{ExchangeId, RequestId},
    net::UnixMillis,
};
use serde_json::json;

use crate::{
    core::firmware::{Outcome, PACKAGE},
    limits,
    lwm2m::{Operation, Ticket},
    server::{Server, State},
    store::{
        Kind,
        blob::{ChunkId, Image, Refused, Stored, chunk_of},
    },
};

/// What waits for pieces of images that are being read.
#[derive(Debug, Default)]
pub(crate) struct WaitingBlocks {
    by_chunk: BTreeMap<ChunkId, Vec<(Use, Range<u64>)>>,
    uses: usize,
}

/// What a range of an image is wanted for.
#[derive(Debug)]
pub(crate) enum Use {
    /// The answer to a device that fetches the image with this id.
    Block {
        /// Its request.
        exchange: ExchangeId,
        /// The image.
        image: String,
    },
    /// The beginning of a push.
    First {
        /// The update that asked for it.
        update: String,
        /// Which of its asks it was.
        serial: u64,
    },
    /// More of it.
    More {
        /// The request under way.
        request: RequestId,
    },
}

impl Server {
    /// Gives an id to bytes that are all there. The answer to whoever sent them has to wait until
    /// the store is flushed.
    pub(crate) fn keep_image(&self, stored: Stored) -> Result<Image, Refused> {
        let Stored { sha256, length } = stored;
        let now = self.now();
        let mut state = self.state();
        let image = Image {
            id: state.image_ids.draw(now),
            sha256,
            length,
            bytes: self.blobs.resident(sha256),
        };
        if let Err(full) = state.images.put(image.clone()) {
            self.blobs.release(sha256);
            return Err(full);
        }
        self.store
            .put(Kind::Image, &image.id, json!(image.document()));
        Ok(image)
    }

    /// Forgets an image, and its bytes if no other image has the same. `false`: there is none.
    pub(crate) fn forget_image(&self, id: &str) -> bool {
        let Some(image) = self.state().images.remove(id) else {
            return false;
        };
        self.store.remove(Kind::Image, id);
        self.blobs.release(image.sha256);
        true
    }
}

/// Brings a range of an image to where it is wanted, now or when its piece was read. It ends where
/// the piece ends.
pub(crate) fn bring(
    server: &Arc<Server>,
    state: &mut State,
    now: UnixMillis,
    image: &Image,
    (wanted, mut range): (Use, Range<u64>),
) {
    let (index, piece) = chunk_of(&range, image.length);
    range.end = range.end.min(piece.end);
    let chunk = (image.sha256, index);
    if let Some(bytes) = state.chunks.get(image.sha256, &range) {
        return hand_over(state, now, wanted, range.start, Some(bytes));
    }
    if state.waiting_blocks.uses >= limits::MAX_WAITING_BLOCKS {
        return hand_over(state, now, wanted, range.start, None);
    }
    let waiting = &mut state.waiting_blocks;
    waiting.uses += 1;
    let of_chunk = waiting.by_chunk.entry(chunk).or_default();
    of_chunk.push((wanted, range));
    if of_chunk.len() == 1 {
        let reading = server.blobs.read(image.sha256, piece);
        let server_of_task = Arc::clone(server);
        server.spawn(async move {
            let read = reading.await.ok();
            server_of_task.change(|state, now| read_out(state, now, chunk, read));
        });
    }
}

fn read_out(state: &mut State, now: UnixMillis, chunk: ChunkId, read: Option<Bytes>) {
    if let Some(bytes) = read {
        state.chunks.put(chunk, bytes);
    }
    let waiting = state.waiting_blocks.by_chunk.remove(&chunk);
    let waiting = waiting.unwrap_or_default();
    state.waiting_blocks.uses -= waiting.len();
    for (wanted, range) in waiting {
        let bytes = state.chunks.get(chunk.0, &range);
        hand_over(state, now, wanted, range.start, bytes);
    }
}

/// Without bytes (the disk failed, or too many wait) whoever wants them has to try again.
fn hand_over(state: &mut State, now: UnixMillis, wanted: Use, offset: u64, bytes: Option<Bytes>) {
    let Some(air) = state.air.as_mut() else {
        return;
    };
    match (wanted, bytes) {
        (Use::Block { exchange, image }, bytes) => match (state.images.get(&image), bytes) {
            (Some(image), Some(bytes)) => air.serve_block(now, exchange, image, offset, bytes),
            _ => air.refuse_block(now, exchange),
        },
        (Use::More { request }, Some(bytes)) => air.supply(now, request, offset, bytes),
        (Use::More { request }, None) => air.give_up(now, request),
        (Use::First { update, serial }, bytes) => {
            // It may ask for something else by now.
            let Some(device) = state.firmware.asks(&update, serial) else {
                return;
            };
            let image = state.firmware.get(&update).map(|it| &it.wanted.image);
            let image = image.and_then(|it| state.images.get(it));
            match (image, bytes) {
                (Some(image), Some(first)) => {
                    let operation = Operation::WriteLong {
                        path: PACKAGE,
                        first,
                        total: image.length,
                    };
                    let ticket = Ticket::Update {
                        update: update.clone(),
                        serial,
                    };
                    air.operate(now, device, ticket, operation);
                }
                _ => state.firmware.answered(now, &update, serial, Outcome::Gone),
            }
        }
    }
}
