//! When the waiting line has to be searched for users whose time limit has passed, and how many of them one turn handles.

/// Shortest time between two sweeps of the whole line, when steps have time limits of their own: a request in the line
/// expires at most so much later than it should.
const SWEEP_EVERY_NS: u64 = 10_000_000;
/// Users that a sweep visits in one turn; about 1 ms.
pub(super) const VISITED_MAX: usize = 32_768;
/// Users that expire in one turn, at about 0.5 us each; the rest expires in the next turns.
pub(super) const EXPIRED_MAX: usize = 4_096;

pub(super) struct LineLimits {
    /// Requests that waited in the line for a connection.
    pub waited: u64,
    /// Users that may still expire in this turn.
    pub expiries_left: usize,
    /// When the last sweep began.
    swept_ns: u64,
    /// The earliest time limit in the line, except for users that a sweep under way has yet to visit.
    earliest_ns: u64,
}

impl LineLimits {
    pub fn new() -> Self {
        Self {
            waited: 0,
            expiries_left: EXPIRED_MAX,
            swept_ns: 0,
            earliest_ns: u64::MAX,
        }
    }

    /// A user with this time limit has joined the line.
    pub fn on_joined(&mut self, limit_ns: u64) {
        self.earliest_ns = self.earliest_ns.min(limit_ns);
    }

    /// A user has expired.
    pub fn on_expired(&mut self) {
        self.expiries_left = self.expiries_left.saturating_sub(1);
    }

    /// When the next sweep is due.
    pub fn sweep_due_ns(&self) -> u64 {
        self.earliest_ns.max(self.swept_ns + SWEEP_EVERY_NS)
    }

    /// A sweep begins: the earliest limit is found anew.
    pub fn on_sweep_begun(&mut self, now_ns: u64) {
        self.swept_ns = now_ns;
        self.earliest_ns = u64::MAX;
    }

    /// A turn of the sweep is over: the earliest limit of the users it left in the line, and how many expired.
    pub fn on_swept(&mut self, earliest_ns: u64, expired: usize) {
        self.earliest_ns = self.earliest_ns.min(earliest_ns);
        self.waited += expired as u64;
        self.expiries_left -= expired;
    }
}
