//! What ran beside the load, second by second: the generator itself, the service, a Redis.

use serde::{Deserialize, Serialize};

/// From this share of the cores that something may use on, it counts as full.
pub const FULL_SHARE: f64 = 0.95;

/// Something that was watched.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WatchedRecord {
    /// Its name in reports, unique in the record.
    pub name: String,
    /// What was looked for: `generator`, `process 4711`, `port 8000`, `processes nginx`, `cgroup PATH`, `redis HOST:PORT`.
    pub what: String,
    /// Ids of its processes, the first 64 that were seen; empty for a Redis.
    pub pids: Vec<u32>,
    /// Most processes at once.
    pub processes_max: u64,
    /// Processes that came during the run.
    pub came: u64,
    /// Processes that ended during the run.
    pub gone: u64,
    /// When the first of them was found missing, in seconds since the start; `None` when none ended.
    pub first_gone_s: Option<f64>,
    /// Seconds in which it gave no answer (Redis).
    pub missed: u64,
    /// Why, the last time; `None` when it always answered.
    pub error: Option<String>,
    /// Cores that it could have used at most: its affinity, its CPU quota, no more than one for each thread. `None` when
    /// that is not known.
    pub cores: Option<f64>,
    /// Seconds of the load in which it used at least 95 % of these.
    pub full_s: f64,
    /// Mean CPU use over the load, in cores.
    pub cpu_mean: Option<f64>,
    /// Greatest CPU use of a sample, in cores.
    pub cpu_max: Option<f64>,
    /// Greatest resident memory, in bytes.
    pub rss_max_bytes: Option<u64>,
    /// Most threads.
    pub threads_max: Option<u64>,
    /// Most open descriptors.
    pub descriptors_max: Option<u64>,
    /// By second; in a long run, several seconds are joined: rates are their mean, levels their maximum. Seconds without an
    /// answer are missing.
    pub samples: Vec<WatchedSampleRecord>,
}

/// A second of something watched. `None` where it cannot be read, or where this kind has none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WatchedSampleRecord {
    /// Its end, in seconds since the start of the run.
    pub t_s: f64,
    /// Its length in seconds.
    pub length_s: f64,
    /// Processes at its end; 0 while the service is down.
    pub processes: u64,
    /// CPU use in cores, to a hundredth: user and kernel mode.
    pub cpu_cores: Option<f64>,
    /// Resident memory in bytes; pages that processes share are counted in each.
    pub rss_bytes: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
    /// Open descriptors; `None` where another user's cannot be read.
    pub descriptors: Option<u64>,
    /// Context switches per second of all threads; `None` beyond 256 threads of a process.
    pub context_switches_per_s: Option<f64>,
    /// Bytes received per second by its network namespace, loopback left out; `None` when it shares the generator's.
    pub received_bytes_per_s: Option<f64>,
    /// Bytes sent per second by its network namespace.
    pub sent_bytes_per_s: Option<f64>,
    /// What only a Redis tells; `None` for processes.
    pub redis: Option<RedisSampleRecord>,
}

/// What a Redis said of itself (INFO).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RedisSampleRecord {
    /// Commands per second, the one INFO of each second included.
    pub operations_per_s: f64,
    /// Connected clients, opsurge included.
    pub clients: u64,
    /// Memory that its allocator handed out (`used_memory`), in bytes.
    pub memory_bytes: u64,
    /// Lookups of keys that were there, per second.
    pub hits_per_s: f64,
    /// Lookups of keys that were not there, per second.
    pub misses_per_s: f64,
    /// Keys of the database in its address, or of all.
    pub keys: u64,
}
