//! Everything that a run does, fixed before the first packet.

use socket2::SockAddr;

use crate::load::Load;
use crate::load::deal::Deal;
use crate::scenario::model::{OnFailure, Scenario};
use crate::scenario::wait::Wait;

/// How long requests that are open at the end of the load are waited for ...
const DRAIN_NS: u64 = 5_000_000_000;
/// ... or so many times the slowest answer, if that is longer.
const DRAIN_TIMES_SLOWEST: u64 = 3;

/// Everything that a run does.
#[derive(Debug)]
pub struct Plan {
    /// What each user does.
    pub scenario: Scenario,
    /// How much, and when.
    pub load: Load,
    /// When the run ends, counted from its start; `None` when only iterations bound it.
    pub run_time_ns: Option<u64>,
    /// Time limit of a request.
    pub timeout_ns: u64,
    /// How long requests that are open at the end of the load are waited for, when that is given.
    pub drain_ns: Option<u64>,
    /// Shards wait for due moments by looking at the clock, for the last of it; else they sleep until then.
    pub spins: bool,
    /// Source of everything random.
    pub seed: u64,
    /// How users come by connections.
    pub connections: Connections,
    /// Threads.
    pub shards: usize,
    /// Where to; connections take them in turn.
    pub addresses: Vec<SockAddr>,
}

/// How users come by connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connections {
    /// Each has one of its own.
    PerUser,
    /// All share them.
    Shared {
        /// So many connections.
        count: usize,
        /// So many requests on each at once, at most [`PIPELINE_MAX`]: several are answered in order (RFC 9112
        /// section 9.3.2).
        depth: usize,
    },
}

/// Most requests that a connection carries at once.
pub const PIPELINE_MAX: usize = 64;

impl Connections {
    /// Requests that a connection carries at once, at most.
    pub fn depth(self) -> usize {
        match self {
            Self::PerUser => 1,
            Self::Shared { depth, .. } => depth,
        }
    }

    /// How many there are in all, where they are shared.
    pub fn shared(self) -> Option<usize> {
        match self {
            Self::PerUser => None,
            Self::Shared { count, .. } => Some(count),
        }
    }
}

impl Plan {
    /// More is to be kept of each user than where it is: passes to count, a pace or a deadline to keep, or lives in a seat.
    pub fn keeps_tallies(&self) -> bool {
        let is_paced = matches!(self.scenario.wait, Wait::Pacing { .. });
        let seats_change = self.load.users().may_shrink() || self.retakes_seats();
        is_paced
            || self.scenario.has_deadlines
            || self.load.users().iterations.is_some()
            || seats_change
    }

    /// Another user takes the seat of one that has left because a step had failed: the rate of an open load is to hold.
    pub fn retakes_seats(&self) -> bool {
        let mut steps = self.scenario.steps.iter();
        self.load.is_open() && steps.any(|step| step.on_failure == OnFailure::Stop)
    }

    /// How users and connections are dealt to the shards.
    pub fn deal(&self) -> Deal {
        let users = self.load.users_max();
        let connections = self.connections.shared();
        let connections = connections.map_or(users, |count| count as u64);
        Deal::new(users, connections, self.shards)
    }

    /// How many users a shard has.
    pub fn users_of_shard(&self, shard: usize) -> usize {
        self.deal().users_of(shard)
    }

    /// How many connections a shard may have.
    pub fn slots_of_shard(&self, shard: usize) -> usize {
        self.deal().connections_of(shard)
    }

    /// The number of a shard's first connection, counted over all shards.
    pub fn slots_before_shard(&self, shard: usize) -> usize {
        (0..shard).map(|before| self.slots_of_shard(before)).sum()
    }

    /// Length of the longest batch of requests that is sent at once, without what is sent from where it lies.
    pub fn batch_bytes_max(&self) -> usize {
        self.connections.depth() * self.scenario.rendered_bytes_max()
    }

    /// How long requests that are open at the end of the load are waited for, when the slowest answer took so long;
    /// never longer than a request may take at all.
    pub fn drain_ns(&self, slowest_ns: u64) -> u64 {
        let own = self
            .scenario
            .steps
            .iter()
            .filter_map(|step| step.timeout_ns);
        let timeout_ns = own.fold(self.timeout_ns, u64::max);
        let by_slowest_ns = slowest_ns.saturating_mul(DRAIN_TIMES_SLOWEST);
        let drain_ns = self.drain_ns.unwrap_or(DRAIN_NS.max(by_slowest_ns));
        drain_ns.min(timeout_ns)
    }
}
