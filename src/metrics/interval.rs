//! What is counted in one second, by one shard or all of them.

use std::ops::AddAssign;

use super::effort::Effort;
use super::latencies::{Latencies, Size};
use super::outcome::Failures;
use super::seconds::{Causes, Seconds};

/// Classes of statuses: the first of three digits (RFC 9110 section 15).
pub const CLASSES: usize = 10;

/// What happened in a stretch of time, as a rule a second.
#[derive(Clone, Debug)]
pub struct Interval {
    /// It lies in the drain: after the load's end, while open requests are waited for.
    pub is_drain: bool,
    /// Users present at its end.
    pub users: u64,
    /// The same by kind of user; empty where there is only one.
    pub users_by_kind: Vec<u64>,
    /// Requests under way at its end.
    pub in_flight: u64,
    /// Age of the oldest request under way at its end, since it was due; 0 without one.
    pub oldest_ns: u64,
    /// The arrivals of an open load, up to its end.
    pub arrivals: ArrivalsSoFar,
    /// Time that the busiest shard worked.
    pub working_ns: u64,
    /// Time that each shard worked, in nanoseconds, by shard; empty in a shard's own.
    pub shards_working_ns: Vec<u64>,
    /// The work of the shards.
    pub effort: Effort,
    /// How far it is to be believed; zero until it is complete and judged.
    pub judged: Seconds,
    /// The causes of doubt that were found in it; none until it is judged.
    pub causes: Causes,
    /// Failures by kind, all steps.
    pub failures: Failures,
    /// By metric.
    pub steps: Vec<StepInterval>,
    /// By span of the scenario; empty where none was counted.
    pub spans: Vec<SpanInterval>,
}

/// Arrivals of an open load since the first one, by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArrivalsSoFar {
    /// Their time has come.
    pub due: u64,
    /// A user began them.
    pub begun: u64,
    /// They were dropped: no user was free and the line was full.
    pub dropped: u64,
    /// They stand in line for a user now.
    pub waiting: u64,
    /// They have been begun and are not over yet.
    pub under_way: u64,
}

/// What happened to the requests of one step.
#[derive(Clone, Debug, Default)]
pub struct StepInterval {
    /// Requests with an outcome, failures included.
    pub requests: u64,
    /// Requests that failed.
    pub failures: u64,
    /// The same by kind.
    pub failures_by_kind: Failures,
    /// Complete answers, expected or not; a timeout or a broken connection is not one.
    pub answers: u64,
    /// Requests that failed, by kind.
    pub kinds: Failures,
    /// Complete answers by the first digit of their status.
    pub classes: [u64; CLASSES],
    /// Bytes of the answers' bodies.
    pub body_bytes: u64,
    /// Response times of all requests with an outcome, and the ages of those cut off or never begun.
    pub response: Latencies,
    /// Service times, submitted to answered, of requests that did not fail.
    pub service: Latencies,
    /// Least time in `response` that is only a lower bound: of requests unanswered, cut off or never begun.
    pub bound_min_ns: Option<u64>,
    /// Polls that got the awaited answer.
    pub polls_ready: u64,
    /// Polls that gave up.
    pub polls_gave_up: u64,
    /// Ages, since they were due, of the requests open at the end. Those of a later interval replace them.
    pub open: Latencies,
}

/// What happened to one span of steps; a task with a name is one.
#[derive(Clone, Debug, Default)]
pub struct SpanInterval {
    /// Times of those that ended with their last step answered as expected.
    pub times: Latencies,
    /// Times that a task failed: by a failure that ended it, or of its last step; 0 for a span that is no task.
    pub failed: u64,
}

impl Interval {
    /// An empty one for so many metrics; its histograms allocate as they count.
    pub fn new(steps: usize) -> Self {
        Self::of((0..steps).map(|_| StepInterval::default()).collect())
    }

    /// An empty one for so many metrics and spans that a shard counts into without an allocation.
    pub fn reserved(steps: usize, spans: usize) -> Self {
        let step = || StepInterval {
            open: Latencies::reserved(),
            response: Latencies::reserved(),
            service: Latencies::reserved(),
            ..StepInterval::default()
        };
        let span = || SpanInterval {
            times: Latencies::reserved(),
            failed: 0,
        };
        Self {
            spans: (0..spans).map(|_| span()).collect(),
            ..Self::of((0..steps).map(|_| step()).collect())
        }
    }

    /// The same with room for the users of so many kinds.
    #[must_use]
    pub fn with_kinds(mut self, kinds: usize) -> Self {
        self.users_by_kind.reserve_exact(kinds);
        self
    }

    fn of(steps: Vec<StepInterval>) -> Self {
        Self {
            is_drain: false,
            users: 0,
            users_by_kind: Vec::new(),
            in_flight: 0,
            oldest_ns: 0,
            arrivals: ArrivalsSoFar::default(),
            working_ns: 0,
            shards_working_ns: Vec::new(),
            effort: Effort::default(),
            judged: Seconds::default(),
            causes: Causes::default(),
            failures: Failures::default(),
            steps,
            spans: Vec::new(),
        }
    }

    /// Memory of a reserved one. Few requests are usually open at the end of a second.
    pub fn size(steps: usize, spans: usize) -> Size {
        Size {
            bytes: size_of::<Self>()
                + steps * (size_of::<StepInterval>() + Latencies::BYTES_RESERVED)
                + spans * size_of::<SpanInterval>(),
            histograms: 2 * steps + spans,
            histograms_max: 3 * steps + spans,
        }
    }

    /// Empties it and keeps the memory.
    pub fn clear(&mut self) {
        self.is_drain = false;
        self.users = 0;
        self.users_by_kind.clear();
        self.in_flight = 0;
        self.oldest_ns = 0;
        self.arrivals = ArrivalsSoFar::default();
        self.working_ns = 0;
        self.shards_working_ns.clear();
        self.effort = Effort::default();
        self.judged = Seconds::default();
        self.causes = Causes::default();
        self.failures = Failures::default();
        for step in &mut self.steps {
            step.requests = 0;
            if step.failures > 0 {
                step.failures = 0;
                step.failures_by_kind = Failures::default();
            }
            step.answers = 0;
            step.kinds = Failures::default();
            step.classes = [0; CLASSES];
            step.body_bytes = 0;
            step.response.clear();
            step.service.clear();
            step.bound_min_ns = None;
            step.polls_ready = 0;
            step.polls_gave_up = 0;
            step.open.clear();
        }
        for span in &mut self.spans {
            span.times.clear();
            span.failed = 0;
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

/// Adds spans to a sum, which takes their number.
pub fn add_spans(sum: &mut Vec<SpanInterval>, more: &[SpanInterval]) {
    if sum.len() < more.len() {
        sum.resize_with(more.len(), SpanInterval::default);
    }
    for (span, more) in sum.iter_mut().zip(more) {
        span.times += &more.times;
        span.failed += more.failed;
    }
}

impl AddAssign<&Self> for StepInterval {
    fn add_assign(&mut self, other: &Self) {
        self.requests += other.requests;
        self.failures += other.failures;
        if other.failures > 0 {
            self.failures_by_kind += &other.failures_by_kind;
        }
        self.answers += other.answers;
        self.kinds += &other.kinds;
        for (count, more) in self.classes.iter_mut().zip(other.classes) {
            *count += more;
        }
        self.body_bytes += other.body_bytes;
        self.response += &other.response;
        self.service += &other.service;
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
        let kinds = self.users_by_kind.len().max(other.users_by_kind.len());
        self.users_by_kind.resize(kinds, 0);
        for (sum, more) in self.users_by_kind.iter_mut().zip(&other.users_by_kind) {
            *sum += more;
        }
        self.in_flight += other.in_flight;
        self.oldest_ns = self.oldest_ns.max(other.oldest_ns);
        self.arrivals += other.arrivals;
        self.working_ns = self.working_ns.max(other.working_ns);
        let shards = self
            .shards_working_ns
            .len()
            .max(other.shards_working_ns.len());
        self.shards_working_ns.resize(shards, 0);
        let working = self.shards_working_ns.iter_mut();
        for (sum, more) in working.zip(&other.shards_working_ns) {
            *sum += more;
        }
        self.effort += other.effort;
        self.judged += &other.judged;
        self.causes += &other.causes;
        self.failures += &other.failures;
        for (step, more) in self.steps.iter_mut().zip(&other.steps) {
            *step += more;
        }
        add_spans(&mut self.spans, &other.spans);
    }
}
