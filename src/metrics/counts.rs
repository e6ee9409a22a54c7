//! The counts of a whole run, by step, span and kind of failure. Those of several shards add up.

use std::ops::AddAssign;

use super::handshakes::Handshakes;
use super::latencies::{Latencies, Size};
use super::outcome::Failure;

/// Statuses are below this: they have three digits (RFC 9110 section 15).
const STATUSES: usize = 1_000;

/// All counts of a shard, or of several added up.
#[derive(Clone, Debug)]
pub struct Counts {
    /// By metric.
    pub steps: Vec<StepCounts>,
    /// By span.
    pub spans: Vec<SpanCounts>,
    /// Times to open a connection.
    pub connects: Latencies,
    /// Handshakes of encrypted connections.
    pub handshakes: Handshakes,
    /// Lengths of the turns of the shards' loops.
    pub turns: Latencies,
}

/// The counts of one step.
#[derive(Clone, Debug)]
pub struct StepCounts {
    /// Requests begun: `sent = requests + cut_off + in flight`, at every instant.
    pub sent: u64,
    /// Requests with an outcome, failures included.
    pub requests: u64,
    /// Requests that failed.
    pub failures: u64,
    /// The part of `sent`, `requests` and `failures` that fell into the load time.
    pub in_load: InLoad,
    /// The part that came before it, from users that were prepared for an open load.
    pub before_load: InLoad,
    /// Requests cut short by a second signal.
    pub cut_off: u64,
    /// First requests of iterations that were due and never begun (open load); not counted in `sent`.
    pub never_begun: u64,
    /// Least time in `failed` that is only a lower bound: the age of a request unanswered, cut off or never begun.
    /// `u64::MAX` without one.
    pub bound_min_ns: u64,
    /// Requests sent a second time, because the server had closed the connection.
    pub retried: u64,
    /// Requests among `sent` that were another attempt of one that had failed (`retry`).
    pub retries: u64,
    /// Bytes handed to the kernel.
    pub bytes_sent: u64,
    /// Bytes of answers, heads and framing included.
    pub bytes_received: u64,
    /// Bytes of the answers' bodies.
    pub body_bytes: u64,
    /// Answers by status.
    pub statuses: Vec<u64>,
    /// Service times, submitted to answered, of requests that did not fail.
    pub service: Latencies,
    /// Response times, due to answered, of requests that did not fail.
    pub response: Latencies,
    /// Client times, due to submitted, of requests that did not fail.
    pub client: Latencies,
    /// Times from due to failed, cut off, or never begun.
    pub failed: Latencies,
    /// Failures by kind and status.
    pub errors: Vec<ErrorCount>,
    /// Times from the first attempt of a poll to the awaited answer.
    pub ready: Latencies,
    /// Polls that gave up.
    pub gave_up: u64,
}

/// Counts within the load time: a rate is one of these over the length of the load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InLoad {
    /// Requests begun.
    pub begun: u64,
    /// Requests with an outcome, failures included.
    pub requests: u64,
    /// Requests that failed.
    pub failures: u64,
}

/// The counts of a span of steps, which is measured as a whole.
#[derive(Clone, Debug, Default)]
pub struct SpanCounts {
    /// How often its first step was begun.
    pub begun: u64,
    /// Times from its first step due to its last step answered as expected.
    pub times: Latencies,
    /// Times that a task failed: by a failure that ended it, or of its last step; 0 for a span that is no task.
    pub failed: u64,
}

/// Failures of one kind and status.
#[derive(Clone, Debug)]
pub struct ErrorCount {
    /// Their kind.
    pub failure: Failure,
    /// Status of their answers, 0 without an answer.
    pub status: u16,
    /// Their number.
    pub count: u64,
    /// End of the first one, since the start.
    pub first_ns: u64,
    /// End of the last one, since the start.
    pub last_ns: u64,
    /// A description of one of them.
    pub example: Example,
}

/// A description of one failed request, secrets masked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Example {
    /// The expectation that the answer broke, if that is why the request failed; `text` contains it too.
    pub reason: Option<String>,
    /// The whole description; empty when there is none.
    pub text: String,
}

impl From<String> for Example {
    fn from(text: String) -> Self {
        Self { reason: None, text }
    }
}

impl Counts {
    /// All zero, for so many metrics and spans; histograms allocate as they count.
    pub fn new(steps: usize, spans: usize) -> Self {
        Self {
            steps: vec![StepCounts::default(); steps],
            spans: vec![SpanCounts::default(); spans],
            connects: Latencies::default(),
            handshakes: Handshakes::default(),
            turns: Latencies::default(),
        }
    }

    /// Memory of a shard's counts. A step usually has no failures and is not a poll.
    pub fn size(steps: usize, spans: usize) -> Size {
        let of_step = size_of::<StepCounts>() + STATUSES * size_of::<u64>();
        Size {
            bytes: size_of::<Self>() + steps * of_step + spans * size_of::<SpanCounts>(),
            histograms: 3 * steps + spans + 2,
            histograms_max: 5 * steps + spans + 2,
        }
    }

    /// All zero, for a shard: it counts into them without an allocation.
    pub(super) fn reserved(steps: usize, spans: usize) -> Self {
        let span = || SpanCounts {
            begun: 0,
            times: Latencies::reserved(),
            failed: 0,
        };
        Self {
            steps: (0..steps).map(|_| StepCounts::reserved()).collect(),
            spans: (0..spans).map(|_| span()).collect(),
            connects: Latencies::reserved(),
            // They allocate as they count: rustls allocates more in every handshake.
            handshakes: Handshakes::default(),
            turns: Latencies::reserved(),
        }
    }
}

impl Default for StepCounts {
    fn default() -> Self {
        Self {
            sent: 0,
            requests: 0,
            failures: 0,
            in_load: InLoad::default(),
            before_load: InLoad::default(),
            cut_off: 0,
            never_begun: 0,
            bound_min_ns: u64::MAX,
            retried: 0,
            retries: 0,
            bytes_sent: 0,
            bytes_received: 0,
            body_bytes: 0,
            statuses: vec![0; STATUSES],
            service: Latencies::default(),
            response: Latencies::default(),
            client: Latencies::default(),
            failed: Latencies::default(),
            errors: Vec::with_capacity(Failure::ALL.len()),
            ready: Latencies::default(),
            gave_up: 0,
        }
    }
}

impl StepCounts {
    /// All zero, with memory for the times of requests that succeed. The first failure of a step allocates, for its
    /// histogram and its example, and so does the first poll that ends: most steps have neither.
    fn reserved() -> Self {
        Self {
            service: Latencies::reserved(),
            response: Latencies::reserved(),
            client: Latencies::reserved(),
            ..Self::default()
        }
    }

    /// Memory for the times of failures, at the first one: those that follow allocate nothing.
    #[cold]
    pub(super) fn reserve_failed(&mut self) {
        let mut failed = Latencies::reserved();
        failed += &self.failed;
        self.failed = failed;
    }

    /// The counts from the start until now.
    pub(super) fn so_far(&self) -> InLoad {
        InLoad {
            begun: self.sent,
            requests: self.requests,
            failures: self.failures,
        }
    }

    /// Requests that were open when the load ended, and still had no answer when the drain ended.
    pub fn unanswered(&self) -> u64 {
        let mut errors = self.errors.iter();
        let unanswered = errors.find(|error| error.failure == Failure::Unanswered);
        unanswered.map_or(0, |error| error.count)
    }

    /// The count of a kind and status, made when there is none yet. There are few, so a linear search is fast.
    pub(super) fn error(&mut self, failure: Failure, status: u16) -> &mut ErrorCount {
        let same = |error: &ErrorCount| error.failure == failure && error.status == status;
        let index = self.errors.iter().position(same).unwrap_or_else(|| {
            self.errors.push(ErrorCount {
                failure,
                status,
                count: 0,
                first_ns: u64::MAX,
                last_ns: 0,
                example: Example::default(),
            });
            self.errors.len() - 1
        });
        &mut self.errors[index]
    }

    /// Response times of all requests, failed and cut-off ones included, as Locust counts them.
    pub fn response_with_failures(&self) -> Latencies {
        let mut all = self.response.clone();
        all += &self.failed;
        all
    }
}

impl ErrorCount {
    /// Counts a failure that came at this time since the start.
    pub(super) fn add(&mut self, at_ns: u64) {
        self.count += 1;
        self.first_ns = self.first_ns.min(at_ns);
        self.last_ns = self.last_ns.max(at_ns);
    }
}

impl AddAssign<&Self> for StepCounts {
    fn add_assign(&mut self, other: &Self) {
        self.sent += other.sent;
        self.requests += other.requests;
        self.failures += other.failures;
        self.in_load.begun += other.in_load.begun;
        self.in_load.requests += other.in_load.requests;
        self.in_load.failures += other.in_load.failures;
        self.cut_off += other.cut_off;
        self.never_begun += other.never_begun;
        self.bound_min_ns = self.bound_min_ns.min(other.bound_min_ns);
        self.retried += other.retried;
        self.retries += other.retries;
        self.bytes_sent += other.bytes_sent;
        self.bytes_received += other.bytes_received;
        self.body_bytes += other.body_bytes;
        self.gave_up += other.gave_up;
        for (count, more) in self.statuses.iter_mut().zip(&other.statuses) {
            *count += more;
        }
        self.service += &other.service;
        self.response += &other.response;
        self.client += &other.client;
        self.failed += &other.failed;
        self.ready += &other.ready;
        for more in &other.errors {
            let error = self.error(more.failure, more.status);
            error.count += more.count;
            error.first_ns = error.first_ns.min(more.first_ns);
            error.last_ns = error.last_ns.max(more.last_ns);
            if error.example.text.is_empty() {
                error.example.clone_from(&more.example);
            }
        }
    }
}

impl AddAssign<&Self> for Counts {
    fn add_assign(&mut self, other: &Self) {
        for (step, more) in self.steps.iter_mut().zip(&other.steps) {
            *step += more;
        }
        for (span, more) in self.spans.iter_mut().zip(&other.spans) {
            span.begun += more.begun;
            span.times += &more.times;
            span.failed += more.failed;
        }
        self.connects += &other.connects;
        self.handshakes += &other.handshakes;
        self.turns += &other.turns;
    }
}
