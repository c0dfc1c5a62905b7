//! Pieces of images that are on disk, kept in memory because devices ask for many small blocks of
//! the same piece one after the other.

use std::{collections::BTreeMap, ops::Range};

use bytes::Bytes;

use super::Hash;
use crate::limits;

/// Which piece of an image: the range from `index * CHUNK_BYTES`.
pub(crate) type ChunkId = (Hash, u64);

/// The pieces used last.
#[derive(Debug, Default)]
pub(crate) struct Chunks {
    chunks: BTreeMap<ChunkId, (Bytes, u64)>,
    by_use: BTreeMap<u64, ChunkId>,
    bytes: usize,
    uses: u64,
}

/// The piece that a range begins in, and what that piece holds. Blocks are aligned, so a range of a
/// block never crosses its end.
pub(crate) fn chunk_of(range: &Range<u64>, length: u64) -> (u64, Range<u64>) {
    let index = range.start / limits::CHUNK_BYTES;
    let start = index * limits::CHUNK_BYTES;
    (index, start..length.min(start + limits::CHUNK_BYTES))
}

impl Chunks {
    /// A range of an image, if the piece it begins in is here.
    pub(crate) fn get(&mut self, sha256: Hash, range: &Range<u64>) -> Option<Bytes> {
        let index = range.start / limits::CHUNK_BYTES;
        let (bytes, used) = self.chunks.get_mut(&(sha256, index))?;
        self.by_use.remove(used);
        self.uses += 1;
        *used = self.uses;
        self.by_use.insert(self.uses, (sha256, index));
        let at = |offset: u64| usize::try_from(offset - index * limits::CHUNK_BYTES).ok();
        let (start, end) = (at(range.start)?, at(range.end)?);
        (end <= bytes.len()).then(|| bytes.slice(start..end))
    }

    /// Keeps a piece; the ones not used for longest make room.
    pub(crate) fn put(&mut self, chunk: ChunkId, bytes: Bytes) {
        self.remove(chunk);
        self.uses += 1;
        self.bytes += bytes.len();
        self.by_use.insert(self.uses, chunk);
        self.chunks.insert(chunk, (bytes, self.uses));
        while self.bytes > limits::CHUNKS_BYTES {
            let Some((_, oldest)) = self.by_use.pop_first() else {
                return;
            };
            self.remove(oldest);
        }
    }

    fn remove(&mut self, chunk: ChunkId) {
        if let Some((bytes, used)) = self.chunks.remove(&chunk) {
            self.bytes -= bytes.len();
            self.by_use.remove(&used);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pieces_used_last_stay() {
        let mut chunks = Chunks::default();
        let piece = Bytes::from(vec![7; limits::CHUNK_BYTES as usize]);
        let image = Hash([1; 32]);
        let most = limits::CHUNKS_BYTES as u64 / limits::CHUNK_BYTES;
        let block = |index: u64| index * limits::CHUNK_BYTES..index * limits::CHUNK_BYTES + 16;
        for index in 0..most {
            chunks.put((image, index), piece.clone());
        }
        assert_eq!(chunks.get(image, &block(0)).map(|it| it.len()), Some(16));
        chunks.put((image, most), piece.clone());
        assert!(chunks.get(image, &block(0)).is_some(), "it was just used");
        assert!(chunks.get(image, &block(1)).is_none(), "it was not");
        assert!(chunks.get(image, &block(most)).is_some());
        assert!(chunks.bytes <= limits::CHUNKS_BYTES);
    }

    #[test]
    fn the_last_piece_is_shorter() {
        let length = limits::CHUNK_BYTES + 10;
        let last = chunk_of(&(limits::CHUNK_BYTES..length), length);
        assert_eq!(last, (1, limits::CHUNK_BYTES..length));
    }
}
