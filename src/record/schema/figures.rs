//! What was counted and measured: totals, steps, polls, spans, failures.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::distribution::{ConfidenceRecord, Histograms, Times};

/// The sums over all steps. `sent = requests + cut_off`; `requests` includes failures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// Requests begun.
    pub sent: u64,
    /// Requests with an outcome, failures included.
    pub requests: u64,
    /// Requests that failed.
    pub failures: u64,
    /// Requests among `failures` that were open when the load ended and had no answer when the drain did.
    pub unanswered: u64,
    /// Requests without an outcome, cut short by a second signal or by the death of a shard.
    pub cut_off: u64,
    /// First requests of iterations that were due and never begun (open load). They are not among `sent`.
    pub never_begun: u64,
    /// Requests sent a second time because the server had closed the connection.
    pub retried: u64,
    /// Connections opened.
    pub connections_opened: u64,
    /// `failures / requests`, 0 to 1.
    pub failure_ratio: f64,
    /// Requests with an outcome within the load time, per second of it.
    pub rps: f64,
    /// Lower end of the 95 % interval of `rps`, from the seconds of the load; `None` with fewer than two. Of several runs,
    /// the interval between them; `None` with fewer than three.
    #[serde(default)]
    pub rps_low: Option<f64>,
    /// Upper end of the same interval.
    #[serde(default)]
    pub rps_high: Option<f64>,
    /// Failures within the load time, per second of it.
    pub failures_per_s: f64,
    /// The load time in seconds: from the start (open load: from the first arrival) until nothing more was begun.
    pub load_s: f64,
    /// Length of the drain in seconds: how long requests that were open at the load's end were waited for.
    pub drain_s: f64,
    /// Requests that were open at the load's end.
    pub open_at_load_end: u64,
    /// The same as `load_s`.
    pub duration_s: f64,
    /// Bytes of requests sent, heads included.
    pub bytes_sent: u64,
    /// Bytes of answers received, heads included.
    pub bytes_received: u64,
    /// The least `bound_from_us` of the steps.
    pub bound_from_us: Option<f64>,
    /// Submitted to answered, for requests that did not fail.
    pub service_us: Times,
    /// Due to answered, for requests that did not fail.
    pub response_us: Times,
    /// Due to submitted, for requests that did not fail.
    pub client_us: Times,
    /// Due to failed, cut off, or never begun.
    pub failures_us: Times,
    /// `response_us` and `failures_us` in one distribution.
    pub all_us: Times,
    /// What the intervals of `all_us` rest on, by percentile.
    #[serde(default)]
    pub confidence: Vec<ConfidenceRecord>,
    /// These distributions as a whole.
    pub histograms: Histograms,
}

/// One step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// HTTP method.
    pub method: String,
    /// Name of the step, as a rule its path with placeholders.
    pub name: String,
    /// The named target that its requests went to; `None` for the target of the run, and where a link decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Requests begun.
    pub sent: u64,
    /// Requests with an outcome, failures included.
    pub requests: u64,
    /// Requests that failed.
    pub failures: u64,
    /// Requests among `failures` that were open when the load ended and had no answer when the drain did.
    pub unanswered: u64,
    /// Requests without an outcome, cut short by a second signal or by the death of a shard.
    pub cut_off: u64,
    /// First requests of iterations that were due and never begun (open load). They are not among `sent`.
    pub never_begun: u64,
    /// Requests among `sent` that were another attempt of one that had failed (`retry`).
    #[serde(default)]
    pub retries: u64,
    /// Times of `failures_us` and `all_us` from this value on are lower bounds: the least age, in microseconds, of a
    /// request that went unanswered, was cut off, or was never begun. `None` when there is none.
    pub bound_from_us: Option<f64>,
    /// Requests with an outcome within the load time, per second of it.
    pub rps: f64,
    /// Failures within the load time, per second of it.
    pub failures_per_s: f64,
    /// Answers by HTTP status.
    pub statuses: BTreeMap<String, u64>,
    /// Bytes of the answers' bodies.
    pub body_bytes: u64,
    /// Submitted to answered, for requests that did not fail.
    pub service_us: Times,
    /// Due to answered, for requests that did not fail.
    pub response_us: Times,
    /// Due to submitted, for requests that did not fail.
    pub client_us: Times,
    /// Due to failed, cut off, or never begun.
    pub failures_us: Times,
    /// `response_us` and `failures_us` in one distribution, as Locust has them.
    pub all_us: Times,
    /// What the intervals of `all_us` rest on, by percentile.
    #[serde(default)]
    pub confidence: Vec<ConfidenceRecord>,
    /// These distributions as a whole.
    pub histograms: Histograms,
}

/// How the polls of a step went.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PollRecord {
    /// Name of the step.
    pub name: String,
    /// Polls that got the answer that they waited for.
    pub ready: u64,
    /// Polls that gave up.
    pub gave_up: u64,
    /// Requests of all polls of the step.
    pub attempts: u64,
    /// From when the first attempt was due to the answer that was waited for.
    pub ready_after_us: Times,
    /// `ready_after_us` as a whole: HdrHistogram V2, deflated, base64; microseconds.
    pub histogram: String,
}

/// A span of steps that is measured as a whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SpanRecord {
    /// Name of the span or task.
    pub name: String,
    /// How often its first step was begun.
    pub begun: u64,
    /// How often its last step was answered as expected.
    pub completed: u64,
    /// Times that a task failed: by a failure that ended it, or of its last step; 0 for a span that is no task. Not in records of older versions.
    #[serde(default)]
    pub failed: u64,
    /// From when the first step was due to the last step's answer.
    pub took_us: Times,
    /// `took_us` as a whole: HdrHistogram V2, deflated, base64; microseconds.
    pub histogram: String,
}

/// Failures of one kind and status.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorRecord {
    /// HTTP method of the step.
    pub method: String,
    /// Name of the step.
    pub name: String,
    /// Kind of failure: `status`, `timeout`, `connect-refused` and so on.
    pub kind: String,
    /// HTTP status; `None` without an answer.
    pub status: Option<u16>,
    /// The expectation that one of these answers did not meet; `None` when the failure has another cause.
    pub reason: Option<String>,
    /// An example: status, reason, and the beginning of the body, or the error's text.
    pub detail: String,
    /// The likely cause; `None` where none is known.
    pub hint: Option<String>,
    /// Failures of this kind and status.
    pub count: u64,
    /// The first of them, in seconds since the start.
    pub first_s: f64,
    /// The last of them, in seconds since the start.
    pub last_s: f64,
}
