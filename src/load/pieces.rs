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
    /// The later pieces are the whole course, as in a search; else each of them replaces the rest of the line.
    is_steered: bool,
}

impl<T> Pieces<T> {
    /// All pieces, decided before the run.
    pub fn fixed(fixed: Vec<T>) -> Self {
        Self {
            fixed,
            later: None,
            is_steered: false,
        }
    }

    /// The first pieces; more may be decided during the run.
    pub fn steered(fixed: Vec<T>) -> Self {
        Self {
            is_steered: true,
            ..Self::replaceable(fixed)
        }
    }

    /// All pieces, unless an order replaces the rest of them during the run.
    pub fn replaceable(fixed: Vec<T>) -> Self {
        let later = (0..LATER_MAX).map(|_| OnceLock::new()).collect();
        Self {
            fixed,
            later: Some(later),
            is_steered: false,
        }
    }

    /// Whether the course is decided during the run.
    pub fn are_steered(&self) -> bool {
        self.is_steered
    }

    /// Whether orders may replace the rest of the line during the run.
    pub fn are_replaceable(&self) -> bool {
        self.later.is_some() && !self.is_steered
    }

    /// Whether the nth piece of those decided during the run is decided, counted from 0.
    pub fn is_decided(&self, nth: usize) -> bool {
        let place = self.later.as_ref().and_then(|later| later.get(nth));
        place.is_some_and(|place| place.get().is_some())
    }

    /// Whether a piece is one of those decided during the run.
    pub fn is_later(&self, index: usize) -> bool {
        index >= self.fixed.len()
    }

    /// The piece at an index, if it is decided.
    pub fn get(&self, index: usize) -> Option<&T> {
        match (self.fixed.get(index), &self.later) {
            (None, Some(later)) => later.get(index - self.fixed.len())?.get(),
            (piece, _) => piece,
        }
    }

    /// The piece that follows the one at an index, and its index. One that was decided during the run takes the place of
    /// everything in the line that would begin with it or after it.
    pub fn next(&self, index: usize, begin_ns: impl Fn(&T) -> u64) -> Option<(usize, &T)> {
        let planned = self.get(index + 1).map(|piece| (index + 1, piece));
        let first_later = self.fixed.len().max(index + 1);
        let later = self.get(first_later).map(|piece| (first_later, piece));
        match (planned, later) {
            (Some(planned), Some(later)) if begin_ns(planned.1) < begin_ns(later.1) => {
                Some(planned)
            }
            (planned, later) => later.or(planned),
        }
    }

    /// The last piece that begins before a moment.
    pub fn last_begun(&self, at_ns: u64, begin_ns: impl Fn(&T) -> u64) -> Option<&T> {
        let has_begun = |piece: &&T| begin_ns(piece) < at_ns;
        let later = self.later.iter().flatten().map_while(OnceLock::get);
        let last_later = later.take_while(has_begun).last();
        last_later.or_else(|| self.fixed.iter().take_while(has_begun).last())
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
