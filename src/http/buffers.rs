//! Buffers that connections borrow for what is kept of an answer, so that an idle connection holds none.
//!
//! Up to 64 KiB of a body are kept to be checked; on each of 16,000 connections that would be a gigabyte. But an answer
//! is checked as soon as it is complete, and most answers come in one piece, so a few buffers serve all connections of
//! a shard. The buffer returned last is lent first, since it is still in the cache. Buffers that were not needed for a
//! while are given back to the allocator.

use super::recent_heads::RecentHeads;

/// Most buffers that one [`Buffers::trim`] frees; about 1 ms of work.
const FREED_MAX: usize = 1_024;

/// The buffers that are not lent, and what else the decoders of a shard have in common.
#[derive(Debug, Default)]
pub struct Buffers {
    free: Vec<Vec<u8>>,
    /// Capacity of a new buffer.
    bytes_each: usize,
    /// The fewest free buffers since the last [`Buffers::trim`].
    free_min: usize,
    pub(super) recent_heads: RecentHeads,
}

impl Buffers {
    /// No buffers yet. New ones are made with `bytes_each` bytes of capacity. Up to `count` buffers can be returned
    /// without an allocation.
    pub fn new(count: usize, bytes_each: usize) -> Self {
        Self {
            free: Vec::with_capacity(count),
            bytes_each,
            free_min: 0,
            recent_heads: RecentHeads::new(),
        }
    }

    /// Lends a buffer, unless `to` holds one already.
    #[inline]
    pub fn lend(&mut self, to: &mut Vec<u8>) {
        if to.capacity() == 0 {
            *to = match self.free.pop() {
                Some(buffer) => buffer,
                None => Vec::with_capacity(self.bytes_each),
            };
            self.free_min = self.free_min.min(self.free.len());
        }
    }

    /// Takes the buffer back that `from` holds, if it holds one.
    #[inline]
    pub fn take_back(&mut self, from: &mut Vec<u8>) {
        if from.capacity() > 0 {
            let mut buffer = std::mem::take(from);
            buffer.clear();
            self.free.push(buffer);
        }
    }

    /// Frees the buffers that were not lent since the last call, at most 1,024 of them.
    pub fn trim(&mut self) {
        let unused = self.free_min.min(FREED_MAX);
        // The oldest lie at the bottom; those lent last stay.
        self.free.drain(..unused);
        self.free_min = self.free.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_in_use_at_once_are_kept_and_the_rest_is_freed() {
        let mut buffers = Buffers::new(100, 64);
        let mut borrowed = vec![Vec::new(); 100];
        for each in &mut borrowed {
            buffers.lend(each);
            each.extend_from_slice(b"an answer");
        }
        borrowed.iter_mut().for_each(|each| buffers.take_back(each));
        assert_eq!(buffers.free.len(), 100);
        // All were needed since the last trim.
        buffers.trim();
        assert_eq!(buffers.free.len(), 100);
        for _ in 0..3 {
            for _ in 0..10 {
                for each in &mut borrowed[..7] {
                    buffers.lend(each);
                    assert!(each.is_empty() && each.capacity() == 64);
                }
                borrowed.iter_mut().for_each(|each| buffers.take_back(each));
            }
            buffers.trim();
            assert_eq!(buffers.free.len(), 7);
        }
        buffers.trim();
        assert_eq!(buffers.free.len(), 0, "none was lent since the last trim");
    }
}
