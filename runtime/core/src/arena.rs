//! Memory for text that a call makes: grows in chunks, is emptied at once, never moves what it gave out.

use crate::abi::FlockStr;

const CHUNK: usize = 64 << 10;

/// A bump allocator for bytes. One per thread, reused from block to block.
#[derive(Debug, Default)]
pub struct Arena {
    chunks: Vec<Vec<u8>>,
}

impl Arena {
    /// Copies the parts, one behind the other, and gives the text; None where memory cannot be had.
    pub fn concat(&mut self, parts: &[&[u8]]) -> Option<FlockStr> {
        let len = parts.iter().try_fold(0usize, |n, p| n.checked_add(p.len()))?;
        let chunk = self.with_room(len)?;
        let at = chunk.len();
        // Within capacity: the chunk does not move.
        parts.iter().for_each(|p| chunk.extend_from_slice(p));
        Some(FlockStr::new(&chunk[at..]))
    }

    /// Forgets everything; the first chunk is kept.
    pub fn clear(&mut self) {
        self.chunks.truncate(1);
        self.chunks.iter_mut().for_each(Vec::clear);
    }

    fn with_room(&mut self, len: usize) -> Option<&mut Vec<u8>> {
        if self.chunks.last().is_none_or(|c| c.capacity() - c.len() < len) {
            let mut chunk = Vec::new();
            chunk.try_reserve_exact(len.max(CHUNK)).ok()?;
            self.chunks.push(chunk);
        }
        self.chunks.last_mut()
    }
}
