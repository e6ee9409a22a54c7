//! The run second by second.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A stretch of the run: a second, or in a long run several of them joined.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "percentiles, named by their percent")]
pub struct SampleRecord {
    /// Its end, in seconds since the start.
    pub t_s: f64,
    /// Its length in seconds.
    pub length_s: f64,
    /// It lies in the drain, after the load's end.
    pub is_drain: bool,
    /// It lies in the settling time of `--settle`: its requests are in no other figure of the record.
    #[serde(default)]
    pub is_settling: bool,
    /// Users at its end that had been started and had not left.
    pub users: u64,
    /// Requests under way at its end; `None` in records of versions that did not keep it.
    #[serde(default)]
    pub in_flight: Option<u64>,
    /// Requests with an outcome per second.
    pub rps: f64,
    /// Failures per second.
    pub failures_per_s: f64,
    pub p50_us: Option<f64>,
    pub p95_us: Option<f64>,
    pub p99_us: Option<f64>,
    /// Greatest response time, to the nanosecond.
    pub max_us: Option<f64>,
    /// Share of it in which the busiest shard worked, 0 to 1.
    pub busy: f64,
    /// Share of the time that a shard wanted to run in which others had its core, 0 to 1: the worst second of the worst
    /// shard.
    pub core_waited: f64,
    /// Longest turn of a shard's own work, in microseconds.
    pub turn_us_max: f64,
    /// Longest time for which a shard that was ready did not run, in microseconds.
    pub stopped_us_max: f64,
    /// Requests with an outcome that left more than 1 ms after they were due.
    pub late: u64,
    /// Whether this stretch can be believed: the gravest verdict of `seconds` that more than 5 % of them have.
    pub verdict: String,
    /// Its seconds by verdict, each judged by itself. A rest of less than half a second is not judged.
    pub seconds: BTreeMap<String, u64>,
    /// The causes of doubt that were found in its seconds, each with its worst figure: a share (0 to 1), a count, or a time
    /// in microseconds where its name ends in `_us`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub causes: BTreeMap<String, f64>,
    /// By step, in the order of the record's `steps`.
    pub steps: Vec<StepSampleRecord>,
}

/// One step's part of a sample.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StepSampleRecord {
    /// Requests with an outcome, failures included.
    pub requests: u64,
    /// Requests that failed.
    pub failures: u64,
    /// Bytes of the answers' bodies.
    pub body_bytes: u64,
    /// Sum of the response times, failures included, in microseconds, to the nanosecond.
    pub sum_us: f64,
    /// Least of these times, in microseconds; 0 when there is none.
    pub min_us: f64,
    /// Greatest of these times, in microseconds; 0 when there is none.
    pub max_us: f64,
    /// Response times, failures and cut-offs included: HdrHistogram V2, deflated, base64; microseconds.
    pub response: String,
    /// Sum of the service times of requests that did not fail, in microseconds, to the nanosecond.
    #[serde(default)]
    pub service_sum_us: f64,
    /// Least of these times, in microseconds; 0 when there is none.
    #[serde(default)]
    pub service_min_us: f64,
    /// Greatest of these times, in microseconds; 0 when there is none.
    #[serde(default)]
    pub service_max_us: f64,
    /// Service times, packed as `response` is; empty in a record of an older version, which does not know them by second.
    #[serde(default)]
    pub service: String,
}
