//! The pieces of a load's line: decided before the run or during it, each written once and read by every shard.
//!
//! Lock-free: a reader sees a piece or does not see it yet; it never blocks. The thread that steers writes a piece well
//! before its time comes, so that all shards begin it at the same moment.

use std::sync::OnceLock;

/// Most pieces that can be decided while a load runs; a search needs a few for each level that it measures.
const LATER_MAX: usize = 2_048;

/// Pieces in order. A piece never changes once it is decided.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pieces<T> {
    /// Decided before the run.
    pub fixed: Vec<T>,
    /// Decided while it runs, if anything is.
    later: Option<Vec<OnceLock<T>>>,
}

impl<T> Pieces<T> {
    /// All pieces, decided before the run.
    pub fn fixed(fixed: Vec<T>) -> Self {
        Self { fixed, later: None }
    }

    /// The first pieces; more may be decided during the run.
    pub fn steered(fixed: Vec<T>) -> Self {
        let later = (0..LATER_MAX).map(|_| OnceLock::new()).collect();
        Self {
            fixed,
            later: Some(later),
        }
    }

    /// Whether pieces may be decided during the run.
    pub fn are_steered(&self) -> bool {
        self.later.is_some()
    }

    /// The piece at an index, if it is decided.
    pub fn get(&self, index: usize) -> Option<&T> {
        match (self.fixed.get(index), &self.later) {
            (None, Some(later)) => later.get(index - self.fixed.len())?.get(),
            (piece, _) => piece,
        }
    }

    /// The piece decided last.
    pub fn last(&self) -> Option<&T> {
        let decided = self.fixed.len() + self.decided_later();
        self.get(decided.checked_sub(1)?)
    }

    /// Decides the next piece; `false` when the load is not steered or there is no room. One thread steers.
    pub fn push(&self, piece: T) -> bool {
        let Some(later) = &self.later else {
            return false;
        };
        let place = later.get(self.decided_later());
        place.is_some_and(|place| place.set(piece).is_ok())
    }

    fn decided_later(&self) -> usize {
        let is_decided = |piece: &OnceLock<T>| piece.get().is_some();
        let later = self.later.as_ref();
        later.map_or(0, |later| later.partition_point(is_decided))
    }
}
