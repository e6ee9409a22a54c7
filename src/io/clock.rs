//! The monotonic clock that all shards of a run share, in nanoseconds since the start of the run.

use std::time::Instant;

/// A wait that overruns its deadline by more than this was not ended late by its timer: the process was stopped, by a
/// signal or on a busy machine.
pub(super) const OVERRUN_NS: u64 = 1_000_000;

/// A clock with its own zero. Copies of it agree with each other.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    zero: Instant,
}

impl Clock {
    /// A clock that reads 0 now.
    pub fn start() -> Self {
        Self {
            zero: Instant::now(),
        }
    }

    /// Nanoseconds since the zero (`CLOCK_MONOTONIC`, about 25 ns a call). Jumps of the wall clock do not affect it.
    #[inline]
    pub fn now_ns(&self) -> u64 {
        self.zero.elapsed().as_nanos() as u64
    }
}
