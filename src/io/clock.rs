//! The monotonic clock that all shards of a run share, in nanoseconds since the run's own zero.

use std::time::Instant;

/// A zero and the way from it to now. Copies agree with each other.
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

    /// Nanoseconds since the zero (`CLOCK_MONOTONIC`, about 25 ns a call): a jump of the wall clock moves nothing.
    #[inline]
    pub fn now_ns(&self) -> u64 {
        self.zero.elapsed().as_nanos() as u64
    }
}
