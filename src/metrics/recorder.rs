//! One shard's counts and histograms. Nobody else touches them until the run is over.

use std::ops::AddAssign;

use super::effort::LATE_NS;
use super::interval::{ArrivalsSoFar, Interval};
use super::latencies::{Latencies, Size};
use super::outcome::{Failure, Outcome};

/// Statuses are below this: they have three digits (RFC 9110 section 15).
const STATUSES: usize = 1_000;
/// Most kinds of error with an example that one shard keeps.
const EXAMPLES_MAX: usize = 256;

/// Everything that one shard counts.
#[derive(Debug)]
pub struct Recorder {
    start_ns: u64,
    interval: Interval,
    /// The scheduler's account up to the present interval: ran, waited.
    core_time_ns: (u64, u64),
    /// Requests that waited in line up to the present interval.
    waited_in_line: u64,
    /// The service time of the slowest answer that failed.
    slowest_failed_ns: u64,
    /// What is added up over shards at the end.
    pub counts: Counts,
}

/// Counts that can be added up.
#[derive(Clone, Debug)]
pub struct Counts {
    /// By metric.
    pub steps: Vec<StepCounts>,
    /// By span.
    pub spans: Vec<SpanCounts>,
    /// Times to open a connection.
    pub connects: Latencies,
    /// Lengths of the turns of the loop.
    pub turns: Latencies,
}

/// One step's counts.
#[derive(Clone, Debug)]
pub struct StepCounts {
    /// Begun: `sent = requests + cut_off + in flight`, at every instant.
    pub sent: u64,
    /// With an outcome, failures included.
    pub requests: u64,
    /// Failed.
    pub failures: u64,
    /// What of `sent`, `requests` and `failures` fell into the load time.
    pub in_load: InLoad,
    /// What came before it: from users that were got ready for an open load.
    pub before_load: InLoad,
    /// Cut short by a second signal.
    pub cut_off: u64,
    /// First requests of iterations that were due and never begun (open load); not among `sent`.
    pub never_begun: u64,
    /// Least age in `failed` that is only a lower bound, since it was due: of requests that went unanswered, were cut
    /// off, or never begun. `u64::MAX` for none.
    pub bound_min_ns: u64,
    /// Sent a second time, because the server had closed the connection.
    pub retried: u64,
    /// Handed to the kernel.
    pub bytes_sent: u64,
    /// Of answers, heads and framing included.
    pub bytes_received: u64,
    /// Of answers' bodies.
    pub body_bytes: u64,
    /// Answers by status.
    pub statuses: Vec<u64>,
    /// Submitted to answered, of what did not fail.
    pub service: Latencies,
    /// Intended to answered, of what did not fail.
    pub response: Latencies,
    /// Intended to submitted, of what did not fail.
    pub client: Latencies,
    /// Intended to failed, cut off, or never begun.
    pub failed: Latencies,
    /// Failures by kind and status.
    pub errors: Vec<ErrorCount>,
    /// First attempt of a poll to the awaited answer.
    pub ready: Latencies,
    /// Polls that ran out of patience.
    pub gave_up: u64,
}

/// What came within the load time: a rate is this over its length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InLoad {
    /// Begun.
    pub begun: u64,
    /// With an outcome, failures included.
    pub requests: u64,
    /// Failed.
    pub failures: u64,
}

/// How things stand at the end of an interval.
#[derive(Clone, Copy, Debug, Default)]
pub struct Standing {
    /// The load has ended.
    pub is_drain: bool,
    /// Users that have come and not left.
    pub users: usize,
    /// Requests under way.
    pub in_flight: usize,
    /// Of an open load.
    pub arrivals: ArrivalsSoFar,
}

/// A span of steps whose whole time is measured.
#[derive(Clone, Debug, Default)]
pub struct SpanCounts {
    /// Times that its first step was begun.
    pub begun: u64,
    /// First step due to last step answered as expected.
    pub times: Latencies,
}

/// Failures of one kind and status.
#[derive(Clone, Debug)]
pub struct ErrorCount {
    /// Kind.
    pub failure: Failure,
    /// Status, 0 for no answer.
    pub status: u16,
    /// How many.
    pub count: u64,
    /// First one, since the start.
    pub first_ns: u64,
    /// Last one, since the start.
    pub last_ns: u64,
    /// What is known of one of them.
    pub example: Example,
}

/// What is known of one failed request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Example {
    /// What was expected of its answer and not found, if that is why it failed; `said` has it too.
    pub reason: Option<String>,
    /// All of it.
    pub said: String,
}

impl From<String> for Example {
    fn from(said: String) -> Self {
        Self { reason: None, said }
    }
}

/// The three moments of a request, on the shard's clock.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// It was due.
    pub intended_ns: u64,
    /// It was handed to the kernel.
    pub submitted_ns: u64,
    /// Its outcome came.
    pub done_ns: u64,
}

impl Times {
    fn response_ns(self) -> u64 {
        self.done_ns.saturating_sub(self.intended_ns)
    }

    fn client_ns(self) -> u64 {
        self.submitted_ns.saturating_sub(self.intended_ns)
    }
}

impl Recorder {
    /// For so many metrics and spans; times are counted from `start_ns`.
    pub fn new(steps: usize, spans: usize, start_ns: u64) -> Self {
        Self {
            start_ns,
            interval: Interval::reserved(steps),
            core_time_ns: (0, 0),
            waited_in_line: 0,
            slowest_failed_ns: 0,
            counts: Counts::reserved(steps, spans),
        }
    }

    /// Sets the run's zero.
    pub fn set_start(&mut self, start_ns: u64) {
        self.start_ns = start_ns;
    }

    /// A user wants to send a request.
    #[inline]
    pub fn on_started(&mut self, step: usize) {
        self.counts.steps[step].sent += 1;
    }

    /// The request was handed over.
    #[inline]
    pub fn on_submitted(&mut self, step: usize, bytes: u64) {
        self.counts.steps[step].bytes_sent += bytes;
    }

    /// The request goes out a second time.
    pub fn on_retried(&mut self, step: usize) {
        self.counts.steps[step].retried += 1;
    }

    /// A request has ended.
    #[inline]
    pub fn record(
        &mut self,
        step: usize,
        outcome: Outcome,
        times: Times,
        body_bytes: u64,
        received_bytes: u64,
    ) {
        let counts = &mut self.counts.steps[step];
        let interval = &mut self.interval.steps[step];
        let response_ns = times.response_ns();
        let client_ns = times.client_ns();
        self.interval.effort.late += u64::from(client_ns > LATE_NS);
        counts.requests += 1;
        counts.body_bytes += body_bytes;
        counts.bytes_received += received_bytes;
        interval.requests += 1;
        interval.body_bytes += body_bytes;
        interval.response.record(response_ns);
        let status = match outcome {
            Outcome::Success { status } | Outcome::NotYet { status } => {
                counts
                    .service
                    .record(times.done_ns.saturating_sub(times.submitted_ns));
                counts.response.record(response_ns);
                counts.client.record(client_ns);
                status
            }
            Outcome::Failed { failure, status } => {
                interval.failures += 1;
                counts.failures += 1;
                counts.failed.record(response_ns);
                if status > 0 {
                    let service_ns = times.done_ns.saturating_sub(times.submitted_ns);
                    self.slowest_failed_ns = self.slowest_failed_ns.max(service_ns);
                }
                let at_ns = times.done_ns.saturating_sub(self.start_ns);
                counts.error(failure, status).on(at_ns);
                status
            }
        };
        let is_answer = u64::from(status > 0);
        interval.answers += is_answer;
        if let Some(count) = counts.statuses.get_mut(usize::from(status)) {
            *count += is_answer;
        }
    }

    /// What a failed request said; the first of its kind and status is kept. Before its [`Recorder::record`].
    pub fn example<E: Into<Example>>(
        &mut self,
        step: usize,
        failure: Failure,
        status: u16,
        say: impl FnOnce() -> E,
    ) {
        let counts = &mut self.counts.steps[step];
        let bounded = counts.errors.len() < EXAMPLES_MAX;
        let error = counts.error(failure, status);
        if error.example.said.is_empty() && bounded {
            error.example = say().into();
        }
    }

    /// The load time begins: what came before counts in no rate.
    pub fn on_load_begun(&mut self) {
        for step in &mut self.counts.steps {
            step.before_load = step.so_far();
        }
    }

    /// The load time is over: what comes from now on counts in no rate.
    pub fn on_load_ended(&mut self) {
        for step in &mut self.counts.steps {
            let (so_far, before) = (step.so_far(), step.before_load);
            step.in_load = InLoad {
                begun: so_far.begun - before.begun,
                requests: so_far.requests - before.requests,
                failures: so_far.failures - before.failures,
            };
        }
    }

    /// The drain is over, and a request has no answer: a failure, at its age.
    pub fn unanswered(&mut self, step: usize, times: Times) {
        self.note_bound(step, times.response_ns());
        let failure = Failure::Unanswered;
        self.record(step, Outcome::Failed { failure, status: 0 }, times, 0, 0);
    }

    /// A request was cut short.
    pub fn cut_off(&mut self, step: usize, times: Times) {
        self.counts.steps[step].cut_off += 1;
        self.bound(step, times);
    }

    /// An iteration of an open load was due and will never be begun: its first request counts at its age.
    pub fn never_begun(&mut self, step: usize, times: Times) {
        self.counts.steps[step].never_begun += 1;
        self.bound(step, times);
    }

    /// A time that would have been longer.
    fn bound(&mut self, step: usize, times: Times) {
        let age_ns = times.response_ns();
        self.note_bound(step, age_ns);
        self.counts.steps[step].failed.record(age_ns);
        self.interval.steps[step].response.record(age_ns);
    }

    /// An age among the times that is only a lower bound.
    fn note_bound(&mut self, step: usize, age_ns: u64) {
        let counts = &mut self.counts.steps[step];
        counts.bound_min_ns = counts.bound_min_ns.min(age_ns);
        let bound = &mut self.interval.steps[step].bound_min_ns;
        *bound = Some(bound.map_or(age_ns, |least| least.min(age_ns)));
    }

    /// A poll got its answer.
    pub fn on_ready(&mut self, step: usize, after_ns: u64) {
        self.counts.steps[step].ready.record(after_ns);
        self.interval.steps[step].polls_ready += 1;
    }

    /// A poll ran out of patience.
    pub fn on_gave_up(&mut self, step: usize) {
        self.counts.steps[step].gave_up += 1;
        self.interval.steps[step].polls_gave_up += 1;
    }

    /// The first step of a span is due.
    pub fn on_span_begun(&mut self, span: usize) {
        self.counts.spans[span].begun += 1;
    }

    /// The last step of a span was answered as expected.
    pub fn on_span_ended(&mut self, span: usize, took_ns: u64) {
        self.counts.spans[span].times.record(took_ns);
    }

    /// A connection was opened.
    pub fn on_connected(&mut self, took_ns: u64) {
        self.counts.connects.record(took_ns);
        self.interval.effort.slow_connects += u64::from(took_ns > LATE_NS);
    }

    /// A turn of the loop is over: it worked so long, and then woke so much later than it wanted to.
    #[inline]
    pub fn on_turn(&mut self, ns: u64, woke_late_ns: u64) {
        self.counts.turns.record(ns);
        self.interval.working_ns += ns;
        let effort = &mut self.interval.effort;
        effort.turn_ns_max = effort.turn_ns_max.max(ns);
        effort.stopped_ns_max = effort.stopped_ns_max.max(woke_late_ns);
    }

    /// A turn of the loop only looked at the clock.
    #[inline]
    pub fn on_spun(&mut self, ns: u64) {
        self.interval.effort.spun_ns += ns;
    }

    /// Since the run began, the shard's thread has run so long, and has waited so long for its core: told at the end of
    /// each interval.
    pub fn on_core_time(&mut self, ran_ns: u64, waited_ns: u64) {
        let (ran_before_ns, waited_before_ns) = self.core_time_ns;
        self.core_time_ns = (ran_ns, waited_ns);
        let interval = &mut self.interval;
        interval.working_ns = interval.effort.settle(
            interval.working_ns,
            ran_ns.saturating_sub(ran_before_ns),
            waited_ns.saturating_sub(waited_before_ns),
        );
    }

    /// Since the run began, so many requests have waited in line for a connection.
    pub fn set_waited_in_line(&mut self, waited: u64) {
        self.interval.effort.waited_in_line += waited - self.waited_in_line;
        self.waited_in_line = waited;
    }

    /// How things stand at the end of an interval. [`Recorder::open`] follows for each request under way.
    pub fn set_standing(&mut self, standing: Standing) {
        let interval = &mut self.interval;
        interval.is_drain = standing.is_drain;
        interval.users = standing.users as u64;
        interval.in_flight = standing.in_flight as u64;
        interval.arrivals = standing.arrivals;
        interval.oldest_ns = 0;
        // An interval that could not be handed over has those of the second before.
        let stale = interval
            .steps
            .iter_mut()
            .filter(|step| !step.open.is_empty());
        stale.for_each(|step| step.open.clear());
    }

    /// The service time of the slowest answer, whatever its status.
    pub fn slowest_ns(&self) -> u64 {
        let steps = self.counts.steps.iter();
        let slowest_ns = steps.map(|step| step.service.exact_ns().2).max();
        slowest_ns.unwrap_or(0).max(self.slowest_failed_ns)
    }

    /// A request is under way at the end of an interval, and that old.
    #[inline]
    pub fn open(&mut self, step: usize, age_ns: u64) {
        self.interval.oldest_ns = self.interval.oldest_ns.max(age_ns);
        self.interval.steps[step].open.record(age_ns);
    }

    /// Whether anything was counted into the present interval.
    pub fn has_counted(&self) -> bool {
        let mut steps = self.interval.steps.iter();
        steps.any(|step| !step.response.is_empty())
    }

    /// Hands over the present interval and goes on with an empty one.
    pub fn swap_interval(&mut self, empty: Interval) -> Interval {
        std::mem::replace(&mut self.interval, empty)
    }

    /// Takes it apart at the end.
    pub fn into_parts(self) -> (Counts, Interval) {
        (self.counts, self.interval)
    }
}

impl Counts {
    /// All zero, for so many metrics and spans. Histograms take their memory when something is counted.
    pub fn new(steps: usize, spans: usize) -> Self {
        Self {
            steps: vec![StepCounts::default(); steps],
            spans: vec![SpanCounts::default(); spans],
            connects: Latencies::default(),
            turns: Latencies::default(),
        }
    }

    /// What they take of memory. As a rule a step has no failures and is no poll.
    pub fn size(steps: usize, spans: usize) -> Size {
        let of_step = size_of::<StepCounts>() + STATUSES * size_of::<u64>();
        Size {
            bytes: size_of::<Self>() + steps * of_step + spans * size_of::<SpanCounts>(),
            histograms: 3 * steps + spans + 2,
            histograms_max: 5 * steps + spans + 2,
        }
    }

    /// The same for a shard, which counts into them without an allocation.
    fn reserved(steps: usize, spans: usize) -> Self {
        let span = || SpanCounts {
            begun: 0,
            times: Latencies::reserved(),
        };
        Self {
            steps: (0..steps).map(|_| StepCounts::reserved()).collect(),
            spans: (0..spans).map(|_| span()).collect(),
            connects: Latencies::reserved(),
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
    /// With memory for the times of what succeeds. The first failure of a step takes some for itself, as it does for
    /// its example, and so does the first poll that ends: most steps have neither.
    fn reserved() -> Self {
        Self {
            service: Latencies::reserved(),
            response: Latencies::reserved(),
            client: Latencies::reserved(),
            ..Self::default()
        }
    }

    fn so_far(&self) -> InLoad {
        InLoad {
            begun: self.sent,
            requests: self.requests,
            failures: self.failures,
        }
    }

    /// Requests that were open when the load ended, and had no answer when the drain did.
    pub fn unanswered(&self) -> u64 {
        let mut errors = self.errors.iter();
        let unanswered = errors.find(|error| error.failure == Failure::Unanswered);
        unanswered.map_or(0, |error| error.count)
    }

    /// The count of a kind and status, made when there is none yet. There are few, so they are looked through.
    fn error(&mut self, failure: Failure, status: u16) -> &mut ErrorCount {
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

    /// Response times of all requests with an outcome or cut off, as Locust counts them.
    pub fn response_with_failures(&self) -> Latencies {
        let mut all = self.response.clone();
        all += &self.failed;
        all
    }
}

impl ErrorCount {
    fn on(&mut self, at_ns: u64) {
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
            if error.example.said.is_empty() {
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
        }
        self.connects += &other.connects;
        self.turns += &other.turns;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(intended_ns: u64, submitted_ns: u64, done_ns: u64) -> Times {
        Times {
            intended_ns,
            submitted_ns,
            done_ns,
        }
    }

    #[test]
    fn the_three_clocks_are_kept_apart() {
        let mut recorder = Recorder::new(1, 0, 0);
        recorder.on_started(0);
        let outcome = Outcome::Success { status: 202 };
        recorder.record(0, outcome, times(1_000_000, 3_000_000, 8_000_000), 7, 100);
        let step = &recorder.counts.steps[0];
        assert_eq!(step.service.max_us(), 5_000.0);
        assert_eq!(step.response.max_us(), 7_000.0);
        assert_eq!(step.client.max_us(), 2_000.0);
        assert_eq!(
            (step.requests, step.failures, step.statuses[202]),
            (1, 0, 1)
        );
        assert!(step.failed.is_empty());
    }

    #[test]
    fn failures_have_a_histogram_and_an_example_of_their_own() {
        let mut recorder = Recorder::new(1, 0, 1_000);
        for (done_ns, text) in [(2_000_000, "first"), (9_000_000, "second")] {
            recorder.on_started(0);
            let (failure, status) = (Failure::Status, 500);
            recorder.example(0, failure, status, || text.to_owned());
            let outcome = Outcome::Failed { failure, status };
            recorder.record(0, outcome, times(0, 0, done_ns), 0, 0);
        }
        let step = &recorder.counts.steps[0];
        assert!(step.response.is_empty());
        assert_eq!(step.failed.count(), 2);
        let [error] = &step.errors[..] else {
            panic!("one kind");
        };
        assert_eq!(
            (error.count, error.first_ns, error.last_ns),
            (2, 1_999_000, 8_999_000)
        );
        assert_eq!(error.example.said, "first");
        assert_eq!(step.statuses[500], 2);
    }

    #[test]
    fn not_yet_is_neither_success_nor_failure_but_a_request() {
        let mut recorder = Recorder::new(1, 0, 0);
        recorder.record(0, Outcome::NotYet { status: 404 }, times(0, 0, 1), 0, 0);
        let step = &recorder.counts.steps[0];
        assert_eq!(
            (step.requests, step.failures, step.statuses[404]),
            (1, 0, 1)
        );
    }

    #[test]
    fn what_is_cut_off_counts_at_its_age_and_not_as_a_request() {
        let mut recorder = Recorder::new(1, 0, 0);
        recorder.on_started(0);
        recorder.cut_off(0, times(1_000_000, 1_000_000, 6_000_000));
        let step = &recorder.counts.steps[0];
        assert_eq!((step.sent, step.requests, step.cut_off), (1, 0, 1));
        assert_eq!(step.failed.max_us(), 5_000.0);
    }

    #[test]
    fn intervals_are_handed_over_without_losing_a_count() {
        let mut recorder = Recorder::new(2, 0, 0);
        let mut sum = Interval::new(2);
        for second in 0..5 {
            for step in 0..2 {
                for _ in 0..=second {
                    let outcome = Outcome::Success { status: 200 };
                    recorder.record(step, outcome, times(0, 0, 5_000), 3, 9);
                }
            }
            sum += &recorder.swap_interval(Interval::new(2));
        }
        let all = sum.all();
        assert_eq!(
            (all.requests, all.body_bytes, all.response.count()),
            (30, 90, 30)
        );
    }
}
