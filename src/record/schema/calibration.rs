//! What this machine can generate, as `opsurge calibrate` keeps it and as later records repeat it.

use serde::{Deserialize, Serialize};

/// The version of a kept calibration; another one is passed over.
pub const CALIBRATION_SCHEMA: &str = "opsurge.calibration/1";

/// A calibration in the user's cache directory, one file each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// [`CALIBRATION_SCHEMA`].
    pub schema: String,
    /// What it holds for.
    pub of: Calibrated,
    /// Shards that it was measured with.
    pub shards: usize,
    /// When it was measured: RFC 3339, UTC.
    pub made_at: String,
    /// Requests per second of all shards.
    pub ceiling_rps: f64,
    /// Lower end of its 95 % interval; `None` with fewer than two whole seconds.
    pub ceiling_rps_low: Option<f64>,
    /// Upper end of its 95 % interval; `None` with fewer than two whole seconds.
    pub ceiling_rps_high: Option<f64>,
    /// The shards had time left: they can generate more.
    pub is_at_least: bool,
    /// CPU time of all shards for a request, user and system, in microseconds.
    pub cpu_us_per_request: f64,
    /// Share of the time that the busiest shard worked, 0 to 1.
    pub busy: f64,
    /// Largest share of the time in which a shard was ready to run that other programs had its core, 0 to 1.
    pub core_waited: f64,
    /// Share of the time that the busiest thread of the responder ran, 0 to 1.
    pub responder_busy: f64,
    /// Median of the service times, one request at a time, in microseconds.
    pub floor_p50_us: Option<f64>,
    /// Their 99th percentile, in microseconds.
    pub floor_p99_us: Option<f64>,
}

/// What a calibration holds for: a machine, a program and the requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calibrated {
    /// Model of the processor.
    pub cpu: String,
    /// Cores that the process may use.
    pub cores: usize,
    /// Release of the Linux kernel.
    pub kernel: String,
    /// Version of opsurge; with ` debug` for a debug build.
    pub version: String,
    /// Name of the scenario.
    pub scenario: String,
    /// Checksum of the scenario's requests and weights, in hexadecimal; its waits and its target do not count.
    pub checksum: String,
    /// Connections of all shards.
    pub connections: u64,
    /// Requests that a connection carries at once, at most.
    pub pipeline: usize,
    /// `io_uring` or `epoll`.
    pub backend: String,
    /// Over TLS.
    #[serde(default)]
    pub is_encrypted: bool,
}

/// A run beside the calibration that holds for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CalibrationRecord {
    /// When the calibration was measured: RFC 3339, UTC.
    pub made_at: String,
    /// Time from then to the start of the run, in seconds.
    pub age_s: f64,
    /// Shards that it was measured with.
    pub shards: usize,
    /// Requests per second that the run's shards can generate; with other shards than the run's, in proportion where the
    /// run had fewer.
    pub ceiling_rps: f64,
    /// `ceiling_rps` is a lower bound: the calibration's is one, or the run had more shards.
    pub is_at_least: bool,
    /// Requests per second in the run's busiest second.
    pub needed_rps: f64,
    /// `ceiling_rps` over `needed_rps`; `None` for a run without a request.
    pub times: Option<f64>,
    /// Median of the service times of this machine, one request at a time, in microseconds.
    pub floor_p50_us: Option<f64>,
    /// Their 99th percentile, in microseconds.
    pub floor_p99_us: Option<f64>,
}

impl Calibration {
    /// Reads a kept calibration; `None` for a text that is none, or of another version.
    pub fn parse(text: &str) -> Option<Self> {
        let found: Self = serde_json::from_str(text).ok()?;
        (found.schema == CALIBRATION_SCHEMA).then_some(found)
    }

    /// The text that is kept.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("all its keys are texts");
        text.push('\n');
        text
    }
}
