//! One shard's arrivals of an open load: the schedule, the users that rest, the arrivals that wait for one.

use std::collections::VecDeque;
use std::ops::AddAssign;

use super::plan::Plan;
use crate::load::open::{Open, Schedule};
use crate::load::random::Keyed;
use crate::metrics::interval::ArrivalsSoFar;

/// Longest time that users are got ready for before the first arrival, once the last of them has come.
pub(super) const PREPARE_NS_MAX: u64 = 30_000_000_000;
/// Arrivals that may wait for a user: those of so many seconds at the highest rate, and some.
const LINE_S_MAX: f64 = 30.0;
const LINE_MIN: usize = 1_000;
const LINE_MAX: usize = 2_000_000;

pub(super) struct ArrivalsOf {
    pub schedule: Schedule,
    /// When the first arrival is due, once that is known.
    pub from_ns: Option<u64>,
    /// It has told the others that its users are ready.
    pub said_ready: bool,
    /// Users that are ready. They take turns.
    pub resting: VecDeque<u32>,
    /// When the arrivals were due that wait for a user.
    pub line: VecDeque<u64>,
    pub line_max: usize,
    /// Users that are on their way through their start steps.
    pub preparing: usize,
    pub counts: ArrivalCounts,
}

/// What became of arrivals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArrivalCounts {
    /// Their time had come.
    pub due: u64,
    /// A user began them.
    pub started: u64,
    /// Of all that were due: no user rested, so that they had to wait for one.
    pub waited: u64,
    /// The line was full.
    pub dropped: u64,
    /// They still waited at the end.
    pub never_begun: u64,
}

impl AddAssign for ArrivalCounts {
    fn add_assign(&mut self, other: Self) {
        self.due += other.due;
        self.started += other.started;
        self.waited += other.waited;
        self.dropped += other.dropped;
        self.never_begun += other.never_begun;
    }
}

impl ArrivalsOf {
    pub fn new(open: &Open, plan: &Plan, shard: usize) -> Self {
        let of_shard = open.rate_max / plan.shards as f64;
        let line_max = ((of_shard * LINE_S_MAX) as usize).clamp(LINE_MIN, LINE_MAX);
        let users_max = plan.users_of_shard(shard);
        Self {
            schedule: open.schedule(Keyed::new(plan.seed), plan.deal(), shard),
            from_ns: None,
            said_ready: false,
            resting: VecDeque::with_capacity(users_max),
            line: VecDeque::with_capacity(line_max),
            line_max,
            preparing: 0,
            counts: ArrivalCounts::default(),
        }
    }

    /// How they stand, with so many users there.
    pub fn so_far(&self, active_users: usize) -> ArrivalsSoFar {
        let idle = self.resting.len() + self.preparing;
        ArrivalsSoFar {
            due: self.counts.due,
            begun: self.counts.started,
            dropped: self.counts.dropped,
            waiting: self.line.len() as u64,
            under_way: active_users.saturating_sub(idle) as u64,
        }
    }
}
