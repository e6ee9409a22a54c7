//! Buffers that connections borrow for what they keep of an answer, so that an idle connection holds none.
//!
//! Up to 64 KiB of a body are kept to be checked; on each of 16,000 connections that is a gigabyte. But an answer is
//! looked at as soon as it is complete, and most come in one piece: a few buffers serve all connections of a shard. The
//! one that came back last is lent first, since it is still in the cache. Those that were not needed for a while are
//! given back to the allocator.

/// Buffers that [`Buffers::trim`] frees at once; about 1 ms of work.
const FREED_MAX: usize = 1_024;

/// Buffers that nobody has borrowed.
#[derive(Debug, Default)]
pub struct Buffers {
    free: Vec<Vec<u8>>,
    /// What a new one is made for.
    bytes_each: usize,
    /// The fewest that were there since the last [`Buffers::trim`].
    least_free: usize,
}

impl Buffers {
    /// None yet; those that are needed are made for so many bytes each. Up to `count` of them come back without an
    /// allocation.
    pub fn new(count: usize, bytes_each: usize) -> Self {
        Self {
            free: Vec::with_capacity(count),
            bytes_each,
            least_free: 0,
        }
    }

    /// Lends a buffer to one that has none.
    #[inline]
    pub fn lend(&mut self, to: &mut Vec<u8>) {
        if to.capacity() == 0 {
            *to = match self.free.pop() {
                Some(buffer) => buffer,
                None => Vec::with_capacity(self.bytes_each),
            };
            self.least_free = self.least_free.min(self.free.len());
        }
    }

    /// Takes one back, if there is one.
    #[inline]
    pub fn take_back(&mut self, from: &mut Vec<u8>) {
        if from.capacity() > 0 {
            let mut buffer = std::mem::take(from);
            buffer.clear();
            self.free.push(buffer);
        }
    }

    /// Frees those that were never lent since this was called last, up to a bound.
    pub fn trim(&mut self) {
        let unused = self.least_free.min(FREED_MAX);
        // The oldest lie at the bottom; those lent last stay.
        self.free.drain(..unused);
        self.least_free = self.free.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_at_once_stays_and_the_rest_is_freed() {
        let mut buffers = Buffers::new(100, 64);
        let mut borrowed = vec![Vec::new(); 100];
        for each in &mut borrowed {
            buffers.lend(each);
            each.extend_from_slice(b"an answer");
        }
        borrowed.iter_mut().for_each(|each| buffers.take_back(each));
        assert_eq!(buffers.free.len(), 100);
        // In the second in which they came back, all were needed.
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
        assert_eq!(buffers.free.len(), 0, "nothing was needed for a second");
    }
}
