//! One second of one shard, and of all of them.

use std::ops::AddAssign;

use super::effort::Effort;
use super::latencies::Latencies;
use super::seconds::Seconds;

/// What happened in a stretch of time.
#[derive(Clone, Debug)]
pub struct Interval {
    /// It lies after the load's end, while open requests were waited for.
    pub is_drain: bool,
    /// Users at its end: those that have come and not left.
    pub users: u64,
    /// Requests under way at its end.
    pub in_flight: u64,
    /// Age of the oldest of them, since it was due; 0 for none.
    pub oldest_ns: u64,
    /// Of an open load: how its arrivals stood at its end.
    pub arrivals: ArrivalsSoFar,
    /// Time that the shard worked; of several shards, the busiest one's.
    pub working_ns: u64,
    /// How the shards got on.
    pub effort: Effort,
    /// How far it is to be believed: nothing before it is complete.
    pub judged: Seconds,
    /// By metric.
    pub steps: Vec<StepInterval>,
}

/// What has become of an open load's arrivals, from the first one on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArrivalsSoFar {
    /// Their time had come.
    pub due: u64,
    /// A user began them.
    pub begun: u64,
    /// No user rested and the line was full.
    pub dropped: u64,
    /// They stand in the line for a user now.
    pub waiting: u64,
    /// They have been begun and are not over yet.
    pub under_way: u64,
}

/// What happened to one step's requests.
#[derive(Clone, Debug, Default)]
pub struct StepInterval {
    /// With an outcome, failures included.
    pub requests: u64,
    /// Failed.
    pub failures: u64,
    /// Answered by the server, as expected or not: a timeout or a broken connection is no answer.
    pub answers: u64,
    /// Bytes of answers' bodies.
    pub body_bytes: u64,
    /// Response times of all of them, failures included, and of what was cut off at the end.
    pub response: Latencies,
    /// Least of them that is only a lower bound: of requests that went unanswered, were cut off, or never begun.
    pub bound_min_ns: Option<u64>,
    /// Polls that got the awaited answer.
    pub polls_ready: u64,
    /// Polls that gave up.
    pub polls_gave_up: u64,
    /// Ages, since they were due, of the requests that were open at the interval's end. A later interval's replace them.
    pub open: Latencies,
}

impl Interval {
    /// An empty one.
    pub fn new(steps: usize) -> Self {
        Self {
            is_drain: false,
            users: 0,
            in_flight: 0,
            oldest_ns: 0,
            arrivals: ArrivalsSoFar::default(),
            working_ns: 0,
            effort: Effort::default(),
            judged: Seconds::default(),
            steps: vec![StepInterval::default(); steps],
        }
    }

    /// Back to empty, keeping the memory.
    pub fn clear(&mut self) {
        self.is_drain = false;
        self.users = 0;
        self.in_flight = 0;
        self.oldest_ns = 0;
        self.arrivals = ArrivalsSoFar::default();
        self.working_ns = 0;
        self.effort = Effort::default();
        self.judged = Seconds::default();
        for step in &mut self.steps {
            step.requests = 0;
            step.failures = 0;
            step.answers = 0;
            step.body_bytes = 0;
            step.response.clear();
            step.bound_min_ns = None;
            step.polls_ready = 0;
            step.polls_gave_up = 0;
            step.open.clear();
        }
    }

    /// All steps added up.
    pub fn all(&self) -> StepInterval {
        let mut all = StepInterval::default();
        for step in &self.steps {
            all += step;
        }
        all
    }
}

impl AddAssign<&Self> for StepInterval {
    fn add_assign(&mut self, other: &Self) {
        self.requests += other.requests;
        self.failures += other.failures;
        self.answers += other.answers;
        self.body_bytes += other.body_bytes;
        self.response += &other.response;
        let bounds = [self.bound_min_ns, other.bound_min_ns];
        self.bound_min_ns = bounds.into_iter().flatten().min();
        self.polls_ready += other.polls_ready;
        self.polls_gave_up += other.polls_gave_up;
        self.open += &other.open;
    }
}

impl AddAssign for ArrivalsSoFar {
    fn add_assign(&mut self, other: Self) {
        self.due += other.due;
        self.begun += other.begun;
        self.dropped += other.dropped;
        self.waiting += other.waiting;
        self.under_way += other.under_way;
    }
}

impl AddAssign<&Self> for Interval {
    fn add_assign(&mut self, other: &Self) {
        self.is_drain |= other.is_drain;
        self.users += other.users;
        self.in_flight += other.in_flight;
        self.oldest_ns = self.oldest_ns.max(other.oldest_ns);
        self.arrivals += other.arrivals;
        self.working_ns = self.working_ns.max(other.working_ns);
        self.effort += other.effort;
        self.judged += &other.judged;
        for (step, more) in self.steps.iter_mut().zip(&other.steps) {
            *step += more;
        }
    }
}
