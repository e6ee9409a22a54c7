//! What was done: target, load, engine, machine.

use serde::{Deserialize, Serialize};

/// What was done, on what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    /// Version of opsurge.
    pub version: String,
    /// Name of the scenario.
    pub scenario: String,
    /// URL of the target.
    pub host: String,
    /// Addresses that connections went to: `127.0.0.1:8000`, or `unix:PATH`.
    pub addresses: Vec<String>,
    /// The further targets that the scenario names; empty for a run with one target.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<TargetRecord>,
    /// Addresses that connections came from; empty unless `--source-address` was given.
    pub source_addresses: Vec<String>,
    /// Options of the connections' sockets; empty unless `--tcp` was given.
    pub tcp: Vec<String>,
    /// Users at the peak, as asked for.
    pub users: u64,
    /// Users that were started, without those that took the seat of one that had left. Fewer than `users` when the run
    /// ended before its ramp.
    pub users_came: u64,
    /// Users started per second; `None` unless asked for.
    pub spawn_rate: Option<f64>,
    /// Run time in seconds; `None` unless asked for.
    pub run_time_s: Option<f64>,
    /// The command line, word by word, with `***` for secrets; of a merged record, that of its first part. Empty in records
    /// of versions that did not keep it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// How the load was shaped.
    pub load: LoadInfo,
    /// Seed of everything random in the run.
    pub seed: u64,
    /// Threads that made the load.
    pub shards: usize,
    /// `io_uring` or `epoll`.
    pub backend: String,
    /// `per-user`, or a number of connections.
    pub connections: String,
    /// When a connection is replaced (`--connection-lifetime`): `100 answers`, or `30s`; `None` when the server decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_lifetime: Option<String>,
    /// Requests that a connection carries at once, at most; 1 without pipelining.
    pub pipeline: usize,
    /// Time limit of a request, in seconds.
    pub timeout_s: f64,
    /// Start of the run: RFC 3339, UTC.
    pub started_at: String,
    /// What ended the load: `time`, `iterations`, `all-users-left` (every user had left), `rows` (every
    /// row of a CSV file was used), `signal`, `criterion` (a rule, or the search), `precise` (the goals of `--until` were reached), `master` (a Locust master) or `error`.
    pub ended_by: String,
    /// The error of the generator that ended the run; `None` when none did.
    pub error: Option<String>,
    /// The machine that the generator ran on; of a merged record, the machine of its first part.
    pub machine: MachineInfo,
    /// The share of a larger run that this one was (`--part`); `None` for a whole run.
    #[serde(default)]
    pub part: Option<PartRecord>,
    /// The wall-clock moment at which the run was to start (`--start-at`); `None` without one.
    #[serde(default)]
    pub start_at: Option<StartAtRecord>,
    /// The records that this one was merged from, in the order in which they were given; empty for a record of one run.
    #[serde(default)]
    pub parts: Vec<MergedPartRecord>,
    /// The stretch of a merged record in which all its parts had their load; `None` when there is no such stretch, and
    /// for a record of one run.
    #[serde(default)]
    pub all_running: Option<StretchRecord>,
}

/// A further target of a run, which the scenario names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetRecord {
    /// Its name in the scenario.
    pub name: String,
    /// Its URL.
    pub url: String,
    /// Addresses that connections to it went to.
    pub addresses: Vec<String>,
    /// Version and cipher suite that a handshake before the load agreed on; `None` in plain text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<String>,
}

/// How the load was shaped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadInfo {
    /// `closed` (users who wait for their answers) or `open` (iterations at given times).
    pub model: String,
    /// Points that the number of users goes through; empty when it is simply `users`.
    pub stages: Vec<StageRecord>,
    /// Iterations per second and what became of them; `None` for a closed load.
    pub open: Option<OpenRecord>,
    /// Wait between tasks, as a scenario writes it: `30s..60s`, `exponential 2s`, `pacing 10s`.
    pub wait: String,
    /// Passes of the work loop in all; `None` when they are not bounded.
    pub iterations: Option<u64>,
    /// Orders that replaced the rest of the load's line during the run, in order of time. Records that are older than
    /// this field have none.
    #[serde(default)]
    pub orders: Vec<OrderRecord>,
}

/// A change of the load that a person ordered during the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderRecord {
    /// When it took effect, in seconds since the start.
    pub at_s: f64,
    /// Users from then on, reached at the spawn rate; `None` in an open load.
    pub users: Option<u64>,
    /// Iterations per second from then on; `None` in a closed load.
    pub rate: Option<f64>,
    /// The display that it came from: `screen`, or `web` (the live page); in a merged record with the name of its part: `screen of a.json`.
    pub by: String,
}

impl LoadInfo {
    /// Begin of the load in seconds since the start: 0, or when the first arrival of an open load was due.
    pub fn from_s(&self) -> f64 {
        self.open.as_ref().map_or(0.0, |open| open.from_s)
    }
}

/// An open load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpenRecord {
    /// Iterations per second at the start; for a search, the highest level allowed.
    pub rate: f64,
    /// Points that the rate goes through after the start.
    pub stages: Vec<RateStageRecord>,
    /// `constant` or `poisson`.
    pub arrivals: String,
    /// Users that were made ready before the first iteration was due.
    pub users_ready: u64,
    /// When the first iteration was due, in seconds since the start.
    pub from_s: f64,
    /// Iterations whose time had come. `due = begun + dropped + never_begun`.
    pub due: u64,
    /// Iterations that a user began.
    pub begun: u64,
    /// Iterations among `due` that waited for a user, because none was free when their time came.
    pub waited: u64,
    /// Iterations that were given up at once, because the line of those that wait was full.
    pub dropped: u64,
    /// Iterations that still waited at the end; the first request of each is counted as cut off.
    pub never_begun: u64,
    /// Iterations begun per second, from the first one's due time to the end of the load.
    pub rate_begun: f64,
}

/// A point that a rate goes through.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RateStageRecord {
    /// Iterations per second at this point.
    pub rate: f64,
    /// Seconds since the point before it; the rate follows a straight line between them.
    pub after_s: f64,
}

/// A point that the number of users goes through.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageRecord {
    /// Users at this point.
    pub users: u64,
    /// Seconds since the point before it; the number follows a straight line between them.
    pub after_s: f64,
}

/// The machine that the generator ran on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MachineInfo {
    /// Cores that the process may use.
    pub cores: usize,
    /// Model of the processor.
    pub cpu: String,
    /// Release of the Linux kernel.
    pub kernel: String,
    /// Name of the machine in its network; empty when it cannot be read.
    #[serde(default)]
    pub hostname: String,
    /// Identity of the machine's boot: equal for processes under one kernel, which share a clock. Empty when it cannot be
    /// read.
    #[serde(default)]
    pub boot_id: String,
    /// How exact its wall clock was; `None` where the kernel does not tell.
    #[serde(default)]
    pub clock: Option<ClockRecord>,
}

/// How exact the wall clock of a machine was, as the kernel says (`adjtimex`, RFC 5905).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockRecord {
    /// When the run was prepared.
    pub start: ClockStateRecord,
    /// When the run had ended.
    pub end: ClockStateRecord,
}

/// The state of a wall clock at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockStateRecord {
    /// A time service keeps the clock.
    pub is_synchronised: bool,
    /// Largest error of the clock that the kernel allows for, in microseconds.
    pub error_us_max: u64,
}

/// The share of a run that one process had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartRecord {
    /// Number of the part, from 1.
    pub index: u64,
    /// Number of parts.
    pub of: u64,
}

/// The moment at which a run was to start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StartAtRecord {
    /// The moment: RFC 3339, UTC.
    pub at: String,
    /// How long after it the run started, in seconds.
    pub late_s: f64,
}

/// A record that was merged into this one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MergedPartRecord {
    /// Its name in the findings: `part 2/4`, or the name of its file.
    pub name: String,
    /// Its share of the run; `None` when it was a whole run.
    pub part: Option<PartRecord>,
    /// The machine that it ran on.
    pub machine: MachineInfo,
    /// Its own start: RFC 3339, UTC.
    pub started_at: String,
    /// Its start, in seconds since the start of the merged record.
    pub offset_s: f64,
    /// Begin of its load, in seconds since the start of the merged record.
    pub from_s: f64,
    /// End of its load, in seconds since the start of the merged record.
    pub to_s: f64,
    /// Its seed.
    pub seed: u64,
    /// Its threads.
    pub shards: usize,
    /// Requests with an outcome, failures included.
    pub requests: u64,
    /// Whether its own figures can be believed: `VALID`, or the gravest finding.
    pub verdict: String,
}

/// A stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StretchRecord {
    /// Its begin, in seconds since the start.
    pub from_s: f64,
    /// Its end, in seconds since the start.
    pub to_s: f64,
}
