//! The recorder of one shard, on the hot path. Only its shard touches it until the run is over: nothing is shared.

use super::effort::LATE_NS;
use super::handshakes::{Opening, Shaken};
use super::interval::{ArrivalsSoFar, Interval};
use super::outcome::{Failure, Outcome};

pub use super::counts::{Counts, ErrorCount, Example, InLoad, SpanCounts, StepCounts};

/// Most kinds of failure of a step for which an example is kept.
const EXAMPLES_MAX: usize = 256;

/// Counts the requests of one shard, for the whole run and for each second.
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
    /// The service times of the present interval are in `counts` already.
    is_over: bool,
    /// The counts of the whole run. Service times and those of spans are added when an interval is handed over, so that a request records
    /// each time once.
    pub counts: Counts,
}

/// The state of a shard at the end of an interval.
#[derive(Clone, Copy, Debug, Default)]
pub struct Standing {
    /// The load has ended.
    pub is_drain: bool,
    /// Users present.
    pub users: usize,
    /// Requests under way.
    pub in_flight: usize,
    /// The arrivals of an open load.
    pub arrivals: ArrivalsSoFar,
}

/// The three moments of a request, on the shard's clock.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// When it was due.
    pub intended_ns: u64,
    /// When it was handed to the kernel.
    pub submitted_ns: u64,
    /// When its outcome came.
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
    /// A recorder for so many metrics and spans; `start_ns` is the run's zero on the shard's clock.
    pub fn new(steps: usize, spans: usize, start_ns: u64) -> Self {
        Self {
            start_ns,
            interval: Interval::reserved(steps, spans),
            core_time_ns: (0, 0),
            waited_in_line: 0,
            slowest_failed_ns: 0,
            is_over: false,
            counts: Counts::reserved(steps, spans),
        }
    }

    /// The same for users of so many kinds.
    #[must_use]
    pub fn with_kinds(mut self, kinds: usize) -> Self {
        self.interval = self.interval.with_kinds(kinds);
        self
    }

    /// Sets the run's zero.
    pub fn set_start(&mut self, start_ns: u64) {
        self.start_ns = start_ns;
    }

    /// A user begins a request: it counts as sent from now on.
    #[inline]
    pub fn on_started(&mut self, step: usize) {
        self.counts.steps[step].sent += 1;
    }

    /// A request of so many bytes was handed to the kernel.
    #[inline]
    pub fn on_submitted(&mut self, step: usize, bytes: u64) {
        self.counts.steps[step].bytes_sent += bytes;
    }

    /// A request is sent a second time.
    pub fn on_retried(&mut self, step: usize) {
        self.counts.steps[step].retried += 1;
    }

    /// A request is begun that is another attempt of one that failed.
    pub fn on_retry(&mut self, step: usize) {
        self.counts.steps[step].retries += 1;
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
                interval
                    .service
                    .record(times.done_ns.saturating_sub(times.submitted_ns));
                counts.response.record(response_ns);
                counts.client.record(client_ns);
                status
            }
            Outcome::Failed { failure, status } => {
                interval.failures += 1;
                interval.failures_by_kind[failure] += 1;
                self.interval.failures[failure] += 1;
                interval.kinds[failure] += 1;
                if counts.failures == 0 {
                    counts.reserve_failed();
                }
                counts.failures += 1;
                counts.failed.record(response_ns);
                if status > 0 {
                    let service_ns = times.done_ns.saturating_sub(times.submitted_ns);
                    self.slowest_failed_ns = self.slowest_failed_ns.max(service_ns);
                }
                let at_ns = times.done_ns.saturating_sub(self.start_ns);
                counts.error(failure, status).add(at_ns);
                status
            }
        };
        let is_answer = u64::from(status > 0);
        interval.answers += is_answer;
        if let Some(count) = interval.classes.get_mut(usize::from(status / 100)) {
            *count += is_answer;
        }
        if let Some(count) = counts.statuses.get_mut(usize::from(status)) {
            *count += is_answer;
        }
    }

    /// Keeps the description that `say` gives as the example of a failure, unless its kind and status have one. To be
    /// called before the request's [`Recorder::record`].
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
        if error.example.text.is_empty() && bounded {
            error.example = say().into();
        }
    }

    /// The load time begins: requests before it count in no rate.
    pub fn on_load_begun(&mut self) {
        for step in &mut self.counts.steps {
            step.before_load = step.so_far();
        }
    }

    /// The load time is over: requests from now on count in no rate.
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

    /// The drain is over and a request has no answer: it counts as a failure, at its age.
    pub fn unanswered(&mut self, step: usize, times: Times) {
        self.note_bound(step, times.response_ns());
        let failure = Failure::Unanswered;
        self.record(step, Outcome::Failed { failure, status: 0 }, times, 0, 0);
    }

    /// A request was cut short: it has no outcome, and counts at its age.
    pub fn cut_off(&mut self, step: usize, times: Times) {
        self.counts.steps[step].cut_off += 1;
        self.bound(step, times);
    }

    /// An iteration of an open load was due and will never be begun: its first request counts at its age.
    pub fn never_begun(&mut self, step: usize, times: Times) {
        self.counts.steps[step].never_begun += 1;
        self.bound(step, times);
    }

    /// Counts an age as a time: the real time would have been longer.
    fn bound(&mut self, step: usize, times: Times) {
        let age_ns = times.response_ns();
        self.note_bound(step, age_ns);
        self.counts.steps[step].failed.record(age_ns);
        self.interval.steps[step].response.record(age_ns);
    }

    /// Notes that an age among the times is only a lower bound.
    fn note_bound(&mut self, step: usize, age_ns: u64) {
        let counts = &mut self.counts.steps[step];
        counts.bound_min_ns = counts.bound_min_ns.min(age_ns);
        let bound = &mut self.interval.steps[step].bound_min_ns;
        *bound = Some(bound.map_or(age_ns, |least| least.min(age_ns)));
    }

    /// A poll got the awaited answer, so long after its first attempt.
    pub fn on_ready(&mut self, step: usize, after_ns: u64) {
        self.counts.steps[step].ready.record(after_ns);
        self.interval.steps[step].polls_ready += 1;
    }

    /// A poll gave up.
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
        self.interval.spans[span].times.record(took_ns);
    }

    /// The task that is the span has failed.
    pub fn on_span_failed(&mut self, span: usize) {
        self.counts.spans[span].failed += 1;
        self.interval.spans[span].failed += 1;
    }

    /// A handshake was done.
    pub fn on_handshake(&mut self, is_resumed: bool, shaken: Shaken) {
        self.counts.handshakes.record(is_resumed, shaken);
    }

    /// So many connections are about to be opened for the first time.
    pub fn plan_opening(&mut self, connections: u64) {
        self.counts.handshakes.opening = Opening::of(connections);
    }

    /// A connection was opened.
    pub fn on_connected(&mut self, took_ns: u64) {
        self.counts.connects.record(took_ns);
        self.interval.effort.slow_connects += u64::from(took_ns > LATE_NS);
    }

    /// A turn of the loop is over: its length, and how much later than wanted the shard woke after it.
    #[inline]
    pub fn on_turn(&mut self, ns: u64, woke_late_ns: u64) {
        self.counts.turns.record(ns);
        self.interval.working_ns += ns;
        let effort = &mut self.interval.effort;
        effort.turn_ns_max = effort.turn_ns_max.max(ns);
        effort.stopped_ns_max = effort.stopped_ns_max.max(woke_late_ns);
    }

    /// A turn of the loop only polled the clock.
    #[inline]
    pub fn on_spun(&mut self, ns: u64) {
        self.interval.effort.spun_ns += ns;
    }

    /// At the end of each interval: how long the shard's thread has run, and waited for its core, since the run began.
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

    /// At the end of each interval: how many requests have waited in line for a connection since the run began.
    pub fn set_waited_in_line(&mut self, waited: u64) {
        self.interval.effort.waited_in_line += waited - self.waited_in_line;
        self.waited_in_line = waited;
    }

    /// At the end of each interval: the shard's state. [`Recorder::open`] follows for each request under way.
    pub fn set_standing(&mut self, standing: Standing) {
        let interval = &mut self.interval;
        interval.is_drain = standing.is_drain;
        interval.users = standing.users as u64;
        interval.in_flight = standing.in_flight as u64;
        interval.arrivals = standing.arrivals;
        interval.oldest_ns = 0;
        // An interval that could not be handed over still has the ages of the second before.
        let stale = interval
            .steps
            .iter_mut()
            .filter(|step| !step.open.is_empty());
        stale.for_each(|step| step.open.clear());
    }

    /// At the end of each interval, where there are several kinds of users: how many of each are present.
    pub fn set_users_by_kind(&mut self, users: impl Iterator<Item = u64>) {
        self.interval.users_by_kind.clear();
        self.interval.users_by_kind.extend(users);
    }

    /// At the end of each interval, for each user with a request under way in a drain without last steps: it is present.
    pub fn add_user_of_kind(&mut self, kind: usize) {
        self.interval.users_by_kind[kind] += 1;
    }

    /// The longest service time of an answer, whatever its status.
    pub fn slowest_ns(&self) -> u64 {
        let past = self.counts.steps.iter().map(|step| &step.service);
        let present = self.interval.steps.iter().map(|step| &step.service);
        let slowest_ns = past.chain(present).map(|times| times.exact_ns().2).max();
        slowest_ns.unwrap_or(0).max(self.slowest_failed_ns)
    }

    /// At the end of each interval, for each request under way: its age.
    #[inline]
    pub fn open(&mut self, step: usize, age_ns: u64) {
        self.interval.oldest_ns = self.interval.oldest_ns.max(age_ns);
        self.interval.steps[step].open.record(age_ns);
    }

    /// Whether the present interval has counted a time.
    pub fn has_counted(&self) -> bool {
        let mut steps = self.interval.steps.iter();
        steps.any(|step| !step.response.is_empty())
    }

    /// Returns the present interval and goes on with an empty one.
    pub fn swap_interval(&mut self, empty: Interval) -> Interval {
        self.count_service();
        std::mem::replace(&mut self.interval, empty)
    }

    /// Adds the service times and the spans of the present interval to the counts of the run.
    fn count_service(&mut self) {
        let steps = self.counts.steps.iter_mut().zip(&self.interval.steps);
        for (counts, interval) in steps.filter(|(_, interval)| !interval.service.is_empty()) {
            counts.service += &interval.service;
        }
        let spans = self.counts.spans.iter_mut().zip(&self.interval.spans);
        for (counts, interval) in spans.filter(|(_, interval)| !interval.times.is_empty()) {
            counts.times += &interval.times;
        }
    }

    /// Nothing more is recorded, and the counts become those of the whole run.
    pub fn on_over(&mut self) {
        if !std::mem::replace(&mut self.is_over, true) {
            self.count_service();
        }
    }

    /// The counts of the whole run, and the last interval.
    pub fn into_parts(mut self) -> (Counts, Interval) {
        self.on_over();
        (self.counts, self.interval)
    }
}

#[cfg(test)]
mod tests;
