//! The moments that a shard counts from. All on the driver's clock.

use crate::engine::gate::Start;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clocks {
    /// When the run began.
    pub start_ns: u64,
    /// The wall clock minus the driver's.
    wall_ahead_ns: u64,
    /// When the events of the last turn were taken from the kernel.
    pub now_ns: u64,
}

impl Clocks {
    pub fn new(start: Start, now_ns: u64) -> Self {
        Self {
            start_ns: start.at_ns,
            wall_ahead_ns: start.wall_ns.saturating_sub(start.at_ns),
            now_ns,
        }
    }

    /// The present moment in nanoseconds since 1970 (UTC).
    pub fn wall_ns(&self) -> u64 {
        self.now_ns + self.wall_ahead_ns
    }

    /// A moment as nanoseconds since the start; 0 before it.
    pub fn since_start_ns(&self, at_ns: u64) -> u64 {
        at_ns.saturating_sub(self.start_ns)
    }
}
