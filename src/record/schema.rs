//! The record: what a run leaves behind, in one JSON file. Names and units are a promise, fixed by the schema's version.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The version that is written, and understood.
pub const SCHEMA: &str = "opsurge.record/1";

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// [`SCHEMA`].
    pub schema: String,
    /// What was done.
    pub run: RunInfo,
    /// All was well: no request failed, no rule of `--fail-if` and `--require` was broken, and nothing else was in the
    /// way. `--exit-code-on-error` does not change it.
    pub passed: bool,
    /// Exit code of the command, as far as it was known when the record was written.
    pub exit_code: u8,
    /// Why it did not pass, and which rules could not be judged.
    pub reasons: Vec<String>,
    /// Everything added up.
    pub totals: Totals,
    /// By method and name.
    pub steps: Vec<StepRecord>,
    /// By polled step.
    pub polls: Vec<PollRecord>,
    /// By span of steps that the scenario measures as a whole.
    pub spans: Vec<SpanRecord>,
    /// By method, name, kind and status.
    pub errors: Vec<ErrorRecord>,
    /// What the generator itself did, and how far it is to be believed.
    pub generator: Generator,
    /// What rules said of the run's windows.
    #[serde(default)]
    pub rules: Vec<RuleRecord>,
    /// The breaking-point search, when the run was one.
    pub search: Option<SearchRecord>,
    /// What the embedded stand-in counted, when the run had one.
    pub stand_in: Option<StandIn>,
    /// The run in time.
    pub series: Vec<SampleRecord>,
}

/// What was done, on what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    /// Of opsurge.
    pub version: String,
    /// Name of the scenario.
    pub scenario: String,
    /// URL of the target.
    pub host: String,
    /// Addresses that connections went to: `127.0.0.1:8000`, or `unix:PATH`.
    pub addresses: Vec<String>,
    /// Addresses that they came from, when that was asked for.
    #[serde(default)]
    pub source_addresses: Vec<String>,
    /// Options of their sockets, likewise.
    #[serde(default)]
    pub tcp: Vec<String>,
    /// Users at the peak, as asked for.
    pub users: u64,
    /// Users that came, those that took the seat of another not counted: fewer when the run ended before its ramp.
    pub users_came: u64,
    /// Users per second, when that was asked for.
    pub spawn_rate: Option<f64>,
    /// As asked for.
    pub run_time_s: Option<f64>,
    /// How the load was shaped.
    pub load: LoadInfo,
    /// Of everything random.
    pub seed: u64,
    /// Threads.
    pub shards: usize,
    /// `io_uring` or `epoll`.
    pub backend: String,
    /// `per-user` or a number.
    pub connections: String,
    /// Requests that a connection carries at once, at most.
    #[serde(default = "no_pipeline")]
    pub pipeline: usize,
    /// Time limit of a request.
    pub timeout_s: f64,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// `time`, `iterations`, `nobody-left`, `signal`, `criterion` or `error`.
    pub ended_by: String,
    /// What ended it, when that was an error of the generator.
    #[serde(default)]
    pub error: Option<String>,
    /// Where it ran.
    pub machine: MachineInfo,
}

/// Of records that do not say.
fn no_pipeline() -> usize {
    1
}

/// How the load was shaped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadInfo {
    /// `closed` (users who wait for their answers) or `open` (iterations at given times).
    pub model: String,
    /// Points that the number of users goes through, when it is not simply `users`.
    pub stages: Vec<StageRecord>,
    /// Of an open load: iterations per second, and what became of them.
    #[serde(default)]
    pub open: Option<OpenRecord>,
    /// Between tasks, as a scenario writes it: `30s..60s`, `exponential 2s`, `pacing 10s`.
    pub wait: String,
    /// Passes of the work loop in all, when bounded.
    pub iterations: Option<u64>,
}

/// An open load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpenRecord {
    /// Iterations per second at the start; of a search, at most.
    pub rate: f64,
    /// Points that the rate goes through after it.
    pub stages: Vec<RateStageRecord>,
    /// `constant` or `poisson`.
    pub arrivals: String,
    /// Users that were got ready before the first one was due.
    pub users_ready: u64,
    /// When the first one was due, since the start.
    pub from_s: f64,
    /// Their time had come. `due = begun + dropped + never_begun`.
    pub due: u64,
    /// A user began them.
    pub begun: u64,
    /// Of those due: no user was free at that moment, so that they waited for one.
    pub waited: u64,
    /// The line of those who waited was full.
    pub dropped: u64,
    /// They still waited at the end; the first request of each is counted as cut off.
    pub never_begun: u64,
    /// Begun per second, from the first one's time to the end of the load.
    pub rate_begun: f64,
}

/// A point that a rate goes through.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RateStageRecord {
    /// Iterations per second then.
    pub rate: f64,
    /// From the point before it, in a straight line.
    pub after_s: f64,
}

/// A rule, and the window in which it was broken, or came nearest to it last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleRecord {
    /// `stop-when`, `fail-if` or `require`.
    pub kind: String,
    /// As it was given.
    pub rule: String,
    /// What is bad was seen, or what has to hold did not, or was not shown to.
    pub broken: bool,
    /// Windows that it judged; those with too little to judge are not counted.
    pub windows: u64,
    /// Begin of the window that decided, since the start.
    pub from_s: Option<f64>,
    /// Its end.
    pub to_s: Option<f64>,
    /// Users there.
    pub users: Option<u64>,
    /// What was measured in it: microseconds, requests per second, or a share.
    pub value: Option<f64>,
    /// The same in words.
    pub says: String,
    /// Of a broken rule: steps that failed every time from their first request on.
    pub note: Option<String>,
}

/// A search for the breaking point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SearchRecord {
    /// `users` or `rate` (iterations per second).
    pub level_is: String,
    /// What is too much.
    pub rules: Vec<String>,
    /// Each measurement, in the order in which they were made.
    pub levels: Vec<LevelRecord>,
    /// Highest level that held.
    pub last_good: Option<f64>,
    /// Lowest level that did not.
    pub first_bad: Option<f64>,
    /// Length of a level's window, as asked for.
    pub window_s: f64,
    /// From the end of a level's ramp to its window.
    pub settle_s: f64,
    /// Requests per second answered without failure at `last_good`.
    pub sustainable_rps: Option<f64>,
    /// It is at least this (95 %).
    pub sustainable_rps_low: Option<f64>,
    /// It is at most this (95 %); `null` when no level broke, so that `sustainable_rps` is a lower bound.
    pub sustainable_rps_high: Option<f64>,
    /// How the search ended, in words.
    pub ended: String,
}

/// One measurement of one level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LevelRecord {
    /// Users, or iterations per second.
    pub level: f64,
    /// Begin of the window, since the start.
    pub from_s: f64,
    /// Its length.
    pub window_s: f64,
    /// Requests with an outcome per second.
    pub rps: f64,
    /// Those of them that did not fail.
    pub good_rps: f64,
    /// The same for each second of the window.
    pub good_rps_by_second: Vec<f64>,
    /// Failures over requests.
    pub failure_ratio: f64,
    /// Response times of all requests with an outcome in the window, failures included.
    pub mean_us: Option<f64>,
    /// Median.
    pub p50_us: Option<f64>,
    /// 99th percentile.
    pub p99_us: Option<f64>,
    /// Greatest.
    pub max_us: Option<f64>,
    /// No rule was broken, nothing piled up, and latency did not grow.
    pub good: bool,
    /// Enough ended in the window for some rule to judge it.
    pub judged: bool,
    /// Near the limit, or the halves of the window disagree.
    pub noisy: bool,
    /// The generator was not the limit.
    pub believable: bool,
    /// The rule that was broken.
    pub rule: Option<String>,
    /// What was measured against it, in words.
    pub says: String,
    /// The response times: HdrHistogram V2, deflated, base64; microseconds.
    pub histogram: String,
}

/// A point that the load goes through.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageRecord {
    /// Users then.
    pub users: u64,
    /// From the point before it, in a straight line.
    pub after_s: f64,
}

/// Where it ran.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MachineInfo {
    /// Cores that the process may use.
    pub cores: usize,
    /// Processor.
    pub cpu: String,
    /// Release of the kernel.
    pub kernel: String,
}

/// Everything added up. `sent = requests + cut_off`, failures included in `requests`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// Begun.
    pub sent: u64,
    /// With an outcome, failures included.
    pub requests: u64,
    /// Failed.
    pub failures: u64,
    /// Of `failures`: open when the load ended, and without an answer when the drain did.
    pub unanswered: u64,
    /// Cut short by a second signal.
    pub cut_off: u64,
    /// First requests of iterations that were due and never begun (open load). They are not among `sent`.
    pub never_begun: u64,
    /// Sent twice because the server had closed the connection.
    pub retried: u64,
    /// Connections opened.
    pub connections_opened: u64,
    /// Failures over requests.
    pub failure_ratio: f64,
    /// Requests with an outcome within the load time, per second of it.
    pub rps: f64,
    /// Failures within the load time, per second of it.
    pub failures_per_s: f64,
    /// The load time: from the start (open load: from the first arrival) until nothing more was begun.
    pub load_s: f64,
    /// How long the requests that were open then were waited for.
    pub drain_s: f64,
    /// How many those were.
    pub open_at_load_end: u64,
    /// The same as `load_s`.
    pub duration_s: f64,
    /// Requests, heads included.
    pub bytes_sent: u64,
    /// Answers, heads included.
    pub bytes_received: u64,
    /// From this value on, times of `failures_us` and `all_us` are lower bounds: the least of the steps'.
    pub bound_from_us: Option<f64>,
    /// Submitted to answered, of all requests that did not fail.
    pub service_us: Times,
    /// Due to answered, of all requests that did not fail.
    pub response_us: Times,
    /// Due to submitted, of all requests that did not fail.
    pub client_us: Times,
    /// Due to failed, cut off, or never begun.
    pub failures_us: Times,
    /// Response times of all of these.
    pub all_us: Times,
    /// The distributions of these times.
    pub histograms: Histograms,
}

/// One step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Method.
    pub method: String,
    /// Name.
    pub name: String,
    /// Begun.
    pub sent: u64,
    /// With an outcome, failures included.
    pub requests: u64,
    /// Failed.
    pub failures: u64,
    /// Of `failures`: open when the load ended, and without an answer when the drain did.
    pub unanswered: u64,
    /// Cut short by a second signal.
    pub cut_off: u64,
    /// First requests of iterations that were due and never begun (open load). They are not among `sent`.
    pub never_begun: u64,
    /// From this value on, times of `failures_us` and `all_us` are lower bounds: the least age of what went unanswered,
    /// was cut off, or was never begun.
    pub bound_from_us: Option<f64>,
    /// Requests with an outcome within the load time, per second of it.
    pub rps: f64,
    /// Failures within the load time, per second of it.
    pub failures_per_s: f64,
    /// Answers by status.
    pub statuses: BTreeMap<String, u64>,
    /// Bytes of answers' bodies.
    pub body_bytes: u64,
    /// Submitted to answered, of what did not fail.
    pub service_us: Times,
    /// Intended to answered, of what did not fail.
    pub response_us: Times,
    /// Intended to submitted, of what did not fail.
    pub client_us: Times,
    /// Intended to failed, cut off, or never begun.
    pub failures_us: Times,
    /// Response times of all of these, as Locust has them.
    pub all_us: Times,
    /// HdrHistogram V2, deflated, base64; microseconds.
    pub histograms: Histograms,
}

/// The distributions of a step, or of all of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Histograms {
    /// Of `service_us`.
    pub service: String,
    /// Of `response_us`.
    pub response: String,
    /// Of `client_us`.
    pub client: String,
    /// Of `failures_us`.
    pub failures: String,
}

/// A distribution in figures, in microseconds; `null` when there is nothing in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "percentiles, named by their percent")]
pub struct Times {
    /// How many times there are.
    pub count: u64,
    /// Exact.
    pub min: Option<f64>,
    /// Exact.
    pub mean: Option<f64>,
    pub p50: Option<f64>,
    pub p66: Option<f64>,
    pub p75: Option<f64>,
    pub p80: Option<f64>,
    pub p90: Option<f64>,
    pub p95: Option<f64>,
    pub p98: Option<f64>,
    pub p99: Option<f64>,
    pub p99_9: Option<f64>,
    pub p99_99: Option<f64>,
    /// Exact.
    pub max: Option<f64>,
}

/// The percentiles of [`Times`], in order.
pub const PERCENTS: [f64; 10] = [50.0, 66.0, 75.0, 80.0, 90.0, 95.0, 98.0, 99.0, 99.9, 99.99];

impl Times {
    /// The values of [`PERCENTS`].
    pub fn percentiles(&self) -> [Option<f64>; 10] {
        [
            self.p50,
            self.p66,
            self.p75,
            self.p80,
            self.p90,
            self.p95,
            self.p98,
            self.p99,
            self.p99_9,
            self.p99_99,
        ]
    }
}

/// How a poll went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PollRecord {
    /// Name of the step.
    pub name: String,
    /// Users that got their answer.
    pub ready: u64,
    /// Users that ran out of patience.
    pub gave_up: u64,
    /// Requests of all of them.
    pub attempts: u64,
    /// First attempt's due time to the answer.
    pub ready_after_us: Times,
    /// `ready_after_us` as a whole: HdrHistogram V2, deflated, base64; microseconds.
    pub histogram: String,
}

/// A span of steps measured as a whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpanRecord {
    /// Its name.
    pub name: String,
    /// Times that its first step was begun.
    pub begun: u64,
    /// Times that its last step was answered as expected.
    pub completed: u64,
    /// First step due to last step answered.
    pub took_us: Times,
    /// HdrHistogram V2, deflated, base64; microseconds.
    pub histogram: String,
}

/// Failures of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorRecord {
    /// Method of the step.
    pub method: String,
    /// Name of the step.
    pub name: String,
    /// Kind.
    pub kind: String,
    /// Status, when there was an answer.
    pub status: Option<u16>,
    /// What was expected of the answer of one of them and not found, if that is why it failed.
    #[serde(default)]
    pub reason: Option<String>,
    /// What is known of it: status, reason, and the beginning of the body.
    pub detail: String,
    /// The likely cause, where it is known.
    pub hint: Option<String>,
    /// How many.
    pub count: u64,
    /// First one, since the start.
    pub first_s: f64,
    /// Last one, since the start.
    pub last_s: f64,
}

/// What the generator itself did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Generator {
    /// CPU time of the shards in their own code.
    pub cpu_user_s: f64,
    /// CPU time of the shards in the kernel.
    pub cpu_system_s: f64,
    /// Largest resident memory of the process.
    pub rss_max_bytes: u64,
    /// Lengths of turns.
    pub turn_us: Times,
    /// Times to open a connection.
    pub connect_us: Times,
    /// One for each.
    pub shards: Vec<ShardRecord>,
    /// How far the run is to be believed.
    pub verdict: VerdictRecord,
}

/// One shard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShardRecord {
    /// The core it was pinned to.
    pub core: Option<usize>,
    /// Share of the time in which it was not asleep, 0 to 1.
    pub busy: f64,
    /// Share of the time in which it was ready to run and others had its core, 0 to 1, if known.
    #[serde(default)]
    pub waited: Option<f64>,
}

/// How far a run is to be believed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerdictRecord {
    /// `VALID` or the gravest doubt.
    pub status: String,
    /// With figures.
    pub reasons: Vec<String>,
}

/// What the embedded stand-in counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandIn {
    /// Answers by "METHOD name status".
    pub answers: BTreeMap<String, u64>,
    /// They are exactly the record's own.
    pub agrees: bool,
    /// Faults that it committed on purpose, by name; of a stall the answers that it held back.
    #[serde(default)]
    pub faults: BTreeMap<String, u64>,
}

/// A stretch of the run, mostly a second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "percentiles, named by their percent")]
pub struct SampleRecord {
    /// Its end, since the start.
    pub t_s: f64,
    /// Its length.
    pub length_s: f64,
    /// It lies after the load's end, while open requests were waited for.
    pub is_drain: bool,
    /// Users at its end: those that had come and not left.
    pub users: u64,
    /// Requests per second.
    pub rps: f64,
    /// Failures per second.
    pub failures_per_s: f64,
    pub p50_us: Option<f64>,
    pub p95_us: Option<f64>,
    pub p99_us: Option<f64>,
    /// Exact.
    pub max_us: Option<f64>,
    /// Share of it in which the busiest shard worked, 0 to 1.
    pub busy: f64,
    /// Of the time that a shard wanted to run, the share in which others had its core, 0 to 1: the worst second's and
    /// shard's.
    pub core_waited: f64,
    /// Longest turn of a shard's own work.
    pub turn_us_max: f64,
    /// Longest time that a shard did not run although it was to.
    pub stopped_us_max: f64,
    /// Requests with an outcome that had left more than 1 ms after they were due.
    pub late: u64,
    /// How far this stretch is to be believed: the gravest of `seconds` with more than 5 % of them.
    pub verdict: String,
    /// Its seconds by verdict, each judged by itself. A rest of less than half a second is none.
    pub seconds: BTreeMap<String, u64>,
    /// By step, in the order of [`Record::steps`].
    pub steps: Vec<StepSampleRecord>,
}

/// One step's part of a sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepSampleRecord {
    /// With an outcome, failures included.
    pub requests: u64,
    /// Failed.
    pub failures: u64,
    /// Bytes of answers' bodies.
    pub body_bytes: u64,
    /// Exact, of the response times, failures included.
    pub sum_us: f64,
    /// Exact.
    pub min_us: f64,
    /// Exact.
    pub max_us: f64,
    /// Response times, failures and cut-offs included: HdrHistogram V2, deflated, base64.
    pub response: String,
}

impl Record {
    /// Reads a record.
    ///
    /// # Errors
    /// When it is no JSON, or of a schema that is not understood.
    pub fn parse(text: &str) -> Result<Self, String> {
        let value: Value =
            serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
        match value["schema"].as_str() {
            Some(SCHEMA) => serde_json::from_value(value).map_err(|error| error.to_string()),
            found => Err(format!(
                "its schema is {}, and this version understands {SCHEMA}",
                found.unwrap_or("missing")
            )),
        }
    }

    /// As it is written: one JSON object.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("all its keys are texts");
        text.push('\n');
        text
    }
}
