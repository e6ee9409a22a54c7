//! The generator's own doings: what it used, whether its figures can be believed, and what the stand-in counted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::calibration::CalibrationRecord;
use super::distribution::Times;

/// What the generator itself did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Generator {
    /// CPU time of all shards in user mode, in seconds.
    pub cpu_user_s: f64,
    /// CPU time of all shards in the kernel, in seconds.
    pub cpu_system_s: f64,
    /// Largest resident memory of the process, in bytes.
    pub rss_max_bytes: u64,
    /// Lengths of the turns of the shards' loops.
    pub turn_us: Times,
    /// Times to open a connection.
    pub connect_us: Times,
    /// CPU time that the live screen took, in seconds; `None` without one.
    pub screen_cpu_s: Option<f64>,
    /// `turn_us` and `connect_us` as a whole.
    #[serde(default)]
    pub histograms: GeneratorHistograms,
    /// By shard.
    pub shards: Vec<ShardRecord>,
    /// Whether the run's figures can be believed.
    pub verdict: VerdictRecord,
    /// What this machine can generate for the same requests; `None` without a calibration that holds for the run.
    pub calibration: Option<CalibrationRecord>,
}

/// The generator's own distributions: HdrHistogram V2, deflated, base64; microseconds. Empty texts in records of before
/// they were kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GeneratorHistograms {
    /// The distribution of `turn_us`.
    pub turn: String,
    /// The distribution of `connect_us`.
    pub connect: String,
}

/// One shard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShardRecord {
    /// The core that it was pinned to; `None` when it was not.
    pub core: Option<usize>,
    /// Share of the time in which it was not asleep, 0 to 1.
    pub busy: f64,
    /// Share of the time in which it was ready to run while others had its core, 0 to 1; `None` where the kernel does
    /// not tell.
    pub waited: Option<f64>,
}

/// Whether a run's figures can be believed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerdictRecord {
    /// `VALID`, or the gravest finding.
    pub status: String,
    /// Every finding as a sentence with its figures and its cure, the gravest first.
    pub reasons: Vec<String>,
}

/// What the embedded stand-in counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandIn {
    /// Answers by `METHOD name status`.
    pub answers: BTreeMap<String, u64>,
    /// These counts equal the run's own.
    pub agrees: bool,
    /// Faults that it made on purpose, by name; for a stall, the answers that it held back.
    pub faults: BTreeMap<String, u64>,
}
