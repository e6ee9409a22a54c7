//! Everything that a run does, fixed before its first packet.

use socket2::SockAddr;

use crate::load::Load;
use crate::load::deal::Deal;
use crate::load::mix;
use crate::load::random::Keyed;
use crate::scenario::feeder::RowsEnd;
use crate::scenario::model::{OnFailure, Scenario};
use crate::scenario::wait::Wait;

/// Requests that are open at the end of the load are waited for this long ...
const DRAIN_NS: u64 = 5_000_000_000;
/// ... or this many times as long as the slowest answer took, if that is longer.
const DRAIN_TIMES_SLOWEST: u64 = 3;

/// Everything that a run does.
#[derive(Debug)]
pub struct Plan {
    /// What each user does.
    pub scenario: Scenario,
    /// How much is asked of the server, and when.
    pub load: Load,
    /// Length of the load in nanoseconds; `None` when only iterations bound it.
    pub run_time_ns: Option<u64>,
    /// Time limit of a request in nanoseconds, for steps without one of their own.
    pub timeout_ns: u64,
    /// How long requests that are open at the end of the load are waited for, in nanoseconds; `None` to derive it from the
    /// slowest answer.
    pub drain_ns: Option<u64>,
    /// Shards spend the last moments before a due time looking at the clock; otherwise they sleep until it.
    pub spins: bool,
    /// Seed of everything random.
    pub seed: u64,
    /// How users share connections.
    pub connections: Connections,
    /// How long a connection is used.
    pub lifetime: Lifetime,
    /// Number of shards: threads, each on a core of its own.
    pub shards: usize,
    /// Addresses of the target; connections take them in turn.
    pub addresses: Vec<SockAddr>,
}

/// How users share connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connections {
    /// Each user has a connection of its own.
    PerUser,
    /// All users share some connections.
    Shared {
        /// Connections of all shards together.
        count: usize,
        /// Most requests on each at once, up to [`PIPELINE_MAX`]: several are answered in order (RFC 9112 section 9.3.2).
        depth: usize,
    },
}

/// How long a connection is used: it is closed after an answer, and another is opened for the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// Answers, from 1 on; `u32::MAX` for no bound.
    pub answers: u32,
    /// Age in nanoseconds, from the attempt to open it; `u64::MAX` for no bound.
    pub age_ns: u64,
}

impl Default for Lifetime {
    /// No bound: the server decides.
    fn default() -> Self {
        Self {
            answers: u32::MAX,
            age_ns: u64::MAX,
        }
    }
}

impl Lifetime {
    /// Whether a connection of this age that has brought so many answers is not to be used again.
    pub fn is_over(self, answers: u32, age_ns: u64) -> bool {
        answers >= self.answers || age_ns >= self.age_ns
    }
}

/// Most requests that a connection carries at once.
pub const PIPELINE_MAX: usize = 64;

impl Connections {
    /// Most requests that a connection carries at once.
    pub fn depth(self) -> usize {
        match self {
            Self::PerUser => 1,
            Self::Shared { depth, .. } => depth,
        }
    }

    /// Connections of all shards, where they are shared.
    pub fn shared(self) -> Option<usize> {
        match self {
            Self::PerUser => None,
            Self::Shared { count, .. } => Some(count),
        }
    }
}

/// How users and connections are divided among so many shards of this process.
pub fn deal(load: &Load, connections: Connections, shards: usize) -> Deal {
    let users = load.users_max();
    let connections = connections.shared();
    let connections = connections.map_or(users, |count| count as u64);
    let deal = Deal::new(users, connections, shards);
    deal.of_part(load.part())
}

impl Plan {
    /// Each user needs a [`Tally`](super::user::Tally): to count passes, to keep a pace or a deadline, or to number the
    /// users of a seat.
    pub fn keeps_tallies(&self) -> bool {
        let mut kinds = self.scenario.kinds.iter();
        let is_paced = kinds.any(|kind| matches!(kind.wait, Wait::Pacing { .. }));
        let seats_change = self.load.users().may_shrink() || self.retakes_seats();
        is_paced
            || self.scenario.has_deadlines
            || self.load.users().iterations.is_some()
            || self.scenario.feeder.follows_iterations()
            || self.scenario.feeder.ends()
            || seats_change
    }

    /// Passes of the work loop that a user in this seat does, where they are bounded: by its share of the iterations, or
    /// by the rows of CSV files.
    pub fn passes_of(&self, user: u64, seat: u64) -> Option<u32> {
        let share = self.load.users().iterations_of(seat);
        let rows = self.rows_end(user, seat).map(|end| end.passes);
        match (share, rows) {
            (Some(share), Some(rows)) => Some(share.min(rows)),
            (share, rows) => share.or(rows),
        }
    }

    /// What the rows of CSV files allow a user in this seat, where they are used once.
    pub fn rows_end(&self, user: u64, seat: u64) -> Option<RowsEnd> {
        match self.scenario.feeder.ends() {
            true => self
                .scenario
                .feeder
                .end_of(user, seat, self.load.users_max()),
            false => None,
        }
    }

    /// Checks that the rows which are used once can be shared out to the seats.
    ///
    /// # Errors
    /// The reason, and the cure.
    pub fn check_rows(&self) -> Result<(), String> {
        let what = match (self.load.is_open(), self.load.is_steered()) {
            _ if !self.scenario.feeder.ends_iterations() => return Ok(()),
            (true, _) => "iterations at a rate are begun by whichever user is free",
            (_, true) => "a search does not know its number of users",
            (false, false) => return Ok(()),
        };
        Err(format!(
            "[csv] with per = \"iteration\" and at_end: each user has its share of the rows before the run, and {what}; leave at_end out, or give -u without --rate"
        ))
    }

    /// Another user takes the seat of a user that left because a step had failed, so that the rate of an open load holds.
    pub fn retakes_seats(&self) -> bool {
        let mut steps = self.scenario.steps.iter();
        self.load.is_open() && steps.any(|step| step.on_failure == OnFailure::Stop)
    }

    /// The kinds of the users of a shard by their place; empty where there is only one.
    pub fn kinds_of_shard(&self, shard: usize) -> Vec<u16> {
        if !self.scenario.has_kinds() {
            return Vec::new();
        }
        let users = self.load.users_planned();
        let room = self.load.users_max();
        let random = Keyed::new(self.seed);
        let all = mix::kinds(&self.scenario.amounts(), users, room, random);
        let numbers = self.deal().numbers(shard);
        let places = 0..self.users_of_shard(shard) as u32;
        places
            .map(|place| all[numbers.of(place) as usize])
            .collect()
    }

    /// Checks that the users can be divided into their kinds.
    ///
    /// # Errors
    /// The reason, and the cure.
    pub fn check_kinds(&self) -> Result<(), String> {
        // A search goes through levels of its own.
        let users = self.load.users_planned();
        match self.load.is_steered() {
            true => self
                .scenario
                .check_kinds_at_least(users, self.load.is_open()),
            false => self.scenario.check_kinds(Some(users), self.load.is_open()),
        }
    }

    /// How users and connections are divided among the shards; of all parts, those of this process.
    pub fn deal(&self) -> Deal {
        deal(&self.load, self.connections, self.shards)
    }

    /// Most users of a shard at once.
    pub fn users_of_shard(&self, shard: usize) -> usize {
        self.deal().users_of(shard)
    }

    /// Targets: the run's, then those that the scenario names.
    pub fn targets(&self) -> usize {
        1 + self.scenario.targets.len()
    }

    /// Connection slots of a shard, of all targets.
    pub fn slots_of_shard(&self, shard: usize) -> usize {
        self.slots_to_each_of_shard(shard) * self.targets()
    }

    /// Connection slots of a shard to each target. A user with connections of its own has one for each request that it has
    /// under way at once.
    pub fn slots_to_each_of_shard(&self, shard: usize) -> usize {
        self.slots_for(self.load.users_max(), shard)
    }

    /// Connections to a target that so many users can use, of a shard.
    fn slots_for(&self, users: u64, shard: usize) -> usize {
        let at_once = self.scenario.parts_max();
        let dealt = |most: u64, connections: u64| {
            let deal = Deal::new(most, connections, self.shards);
            deal.of_part(self.load.part()).connections_of(shard)
        };
        match self.connections {
            Connections::PerUser => dealt(users, users) * at_once,
            Connections::Shared { count, .. } => dealt(users * at_once as u64, count as u64),
        }
    }

    /// Connections to the first target that a shard opens when all planned users of a closed load have come: its slots
    /// without the room for more. 0 for an open load, which opens them as arrivals need them.
    pub fn connections_planned_of_shard(&self, shard: usize) -> usize {
        if self.load.is_open() {
            return 0;
        }
        self.slots_for(self.load.users_planned(), shard)
    }

    /// The number of a shard's first slot, counted over all shards.
    pub fn slots_before_shard(&self, shard: usize) -> usize {
        (0..shard).map(|before| self.slots_of_shard(before)).sum()
    }

    /// Bytes of the longest batch that is sent at once, without shared bytes, which are sent from where they lie.
    pub fn batch_bytes_max(&self) -> usize {
        self.connections.depth() * self.scenario.rendered_bytes_max()
    }

    /// How long requests that are open at the end of the load are waited for, in nanoseconds, given the time of the
    /// slowest answer; never longer than the longest time limit of a request.
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
