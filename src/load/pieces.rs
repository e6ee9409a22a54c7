//! The pieces of a load's line: decided before the run, or while it goes on, each written once and read by every shard.
//!
//! Nobody waits for anybody: a piece is there for a reader or it is not yet. Whoever steers writes it well before its
//! time comes, so that all shards begin it at the same moment.

use std::sync::OnceLock;

/// Pieces that can be decided while a load runs; a search needs a few for each level that it measures.
const LATER_MAX: usize = 2_048;

/// Pieces in order. Those before a given one never change.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pieces<T> {
    /// Decided before the run.
    pub fixed: Vec<T>,
    /// Decided while it runs, if anything is.
    later: Option<Vec<OnceLock<T>>>,
}

impl<T> Pieces<T> {
    /// Nothing is decided later.
    pub fn fixed(fixed: Vec<T>) -> Self {
        Self { fixed, later: None }
    }

    /// More may be decided later.
    pub fn steered(fixed: Vec<T>) -> Self {
        let later = (0..LATER_MAX).map(|_| OnceLock::new()).collect();
        Self {
            fixed,
            later: Some(later),
        }
    }

    /// Pieces may come that are not decided yet.
    pub fn are_steered(&self) -> bool {
        self.later.is_some()
    }

    /// The piece of that number, if it is decided.
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

    /// Decides the next piece; `false` when nothing is decided later, or no more. One thread steers.
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
