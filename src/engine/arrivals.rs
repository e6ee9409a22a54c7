//! The arrivals of an open load on one shard: the schedule, the users that rest, and the arrivals that wait for a user.

use std::collections::VecDeque;
use std::ops::AddAssign;

use super::plan::Plan;
use crate::load::open::{Open, Schedule};
use crate::load::random::Keyed;
use crate::metrics::interval::ArrivalsSoFar;

/// Longest wait for users that prepare for the first arrival, counted from when the last of them came.
pub(super) const PREPARE_NS_MAX: u64 = 30_000_000_000;
/// Arrivals that may wait for a user: those of this many seconds at the highest rate, within two bounds.
const LINE_S_MAX: f64 = 30.0;
const LINE_MIN: usize = 1_000;
const LINE_MAX: usize = 2_000_000;

pub(super) struct ShardArrivals {
    pub schedule: Schedule,
    /// When the first arrival is due, once all shards are ready.
    pub from_ns: Option<u64>,
    /// This shard has reported that its users are ready.
    pub is_ready: bool,
    /// By kind of user.
    pub kinds: Vec<OfKind>,
    /// Most arrivals that wait for a user of a kind.
    pub line_max: usize,
    pub counts: ArrivalCounts,
}

/// The users of a kind, and the arrivals that wait for one.
pub(super) struct OfKind {
    /// Users that are ready, longest rest first.
    pub resting: VecDeque<u32>,
    /// Due times of the arrivals that wait for a user.
    pub line: VecDeque<u64>,
    /// Users in their start steps.
    pub preparing: usize,
}

/// What became of an open load's arrivals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArrivalCounts {
    /// Arrivals whose time had come.
    pub due: u64,
    /// Arrivals that a user began.
    pub started: u64,
    /// Arrivals that had to wait, since no user rested.
    pub waited: u64,
    /// Arrivals that were discarded, since the line was full.
    pub dropped: u64,
    /// Arrivals that still waited at the end.
    pub never_begun: u64,
}

impl AddAssign for ArrivalCounts {
    fn add_assign(&mut self, other: Self) {
        // Every field is named: one that is left out does not compile.
        let Self {
            due,
            started,
            waited,
            dropped,
            never_begun,
        } = other;
        self.due += due;
        self.started += started;
        self.waited += waited;
        self.dropped += dropped;
        self.never_begun += never_begun;
    }
}

impl ShardArrivals {
    /// The arrivals of a plan with an open load; reserves memory for the users and the line.
    pub fn new(open: &Open, plan: &Plan, shard: usize) -> Self {
        let shards = plan.shards as f64 * plan.load.part().of() as f64;
        let shard_rate_max = open.rate_max / shards;
        let line_max = ((shard_rate_max * LINE_S_MAX) as usize).clamp(LINE_MIN, LINE_MAX);
        let users_max = plan.users_of_shard(shard);
        let kinds = plan.scenario.kinds.iter().map(|_| OfKind {
            resting: VecDeque::with_capacity(users_max),
            line: VecDeque::with_capacity(line_max),
            preparing: 0,
        });
        Self {
            schedule: open.schedule(Keyed::new(plan.seed), plan.deal(), shard),
            from_ns: None,
            is_ready: false,
            kinds: kinds.collect(),
            line_max,
            counts: ArrivalCounts::default(),
        }
    }

    /// The present state, for the second's sample.
    pub fn so_far(&self, active_users: usize) -> ArrivalsSoFar {
        let kinds = || self.kinds.iter();
        let idle = kinds().map(|kind| kind.resting.len() + kind.preparing);
        let waiting = kinds().map(|kind| kind.line.len() as u64);
        ArrivalsSoFar {
            due: self.counts.due,
            begun: self.counts.started,
            dropped: self.counts.dropped,
            waiting: waiting.sum(),
            under_way: active_users.saturating_sub(idle.sum()) as u64,
        }
    }
}
