//! How far the load of a shard is: its users are prepared, it runs, or it is over and open requests are waited for.

use crate::engine::outcomes::Ended;

/// All times on the driver's clock.
pub(super) struct LoadPhase {
    /// When the load begins; `None` while an open load's users are prepared.
    pub from_ns: Option<u64>,
    /// Requests count as part of the load.
    pub has_begun: bool,
    /// The load is over: no user starts anything.
    pub is_draining: bool,
    /// When the load was over.
    pub end_ns: u64,
    /// What ended it.
    pub ended: Ended,
    /// Requests that were open at its end.
    pub open_at_end: usize,
    /// When the last request ended.
    pub last_done_ns: u64,
}

impl LoadPhase {
    /// A load that begins at a moment, or when that of an open load is known.
    pub fn new(from_ns: Option<u64>) -> Self {
        Self {
            from_ns,
            has_begun: false,
            is_draining: false,
            end_ns: 0,
            ended: Ended::AllUsersLeft,
            open_at_end: 0,
            last_done_ns: 0,
        }
    }

    /// When the load began. An open load that ended before its first arrival has lasted no time.
    pub fn began_ns(&self) -> u64 {
        self.from_ns.unwrap_or(u64::MAX).min(self.end_ns)
    }
}
