//! Parts of a load that are decided while it runs: each written once, by whoever steers, and read by every shard.
//!
//! Nobody waits for anybody: a part is there for a reader or it is not yet. Whoever steers writes it well before its
//! time comes, so that all shards begin it at the same moment.

use std::sync::OnceLock;

/// Parts that one load can have; a search needs a few for each level that it measures.
const PARTS_MAX: usize = 2_048;

/// A list that only grows. The parts before a given one never change.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Later<T>(Vec<OnceLock<T>>);

impl<T> Later<T> {
    /// With nothing decided.
    pub fn new() -> Self {
        Self((0..PARTS_MAX).map(|_| OnceLock::new()).collect())
    }

    /// The part of that number, if it is decided.
    pub fn get(&self, index: usize) -> Option<&T> {
        self.0.get(index)?.get()
    }

    /// The part decided last.
    pub fn last(&self) -> Option<&T> {
        let decided = self.0.partition_point(|part| part.get().is_some());
        self.get(decided.checked_sub(1)?)
    }

    /// Decides the next part; `false` when the list is full. One thread steers.
    pub fn push(&self, part: T) -> bool {
        let decided = self.0.partition_point(|part| part.get().is_some());
        self.0
            .get(decided)
            .is_some_and(|place| place.set(part).is_ok())
    }
}
