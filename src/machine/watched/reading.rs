//! One second of something watched.

/// What was read at the end of a second; `None` where it cannot be read, or does not exist for this kind.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    /// Processes, at its end.
    pub processes: f64,
    /// CPU time per time: 1.5 is one and a half cores.
    pub cpu_cores: Option<f64>,
    /// Resident memory, in bytes. Pages that processes share are counted in each of them.
    pub rss_bytes: Option<f64>,
    /// Threads.
    pub threads: Option<f64>,
    /// Open descriptors.
    pub descriptors: Option<f64>,
    /// Context switches per second, voluntary and involuntary, of all threads.
    pub context_switches_per_s: Option<f64>,
    /// Bytes that came into its network namespace per second, loopback left out; `None` when that is the generator's own.
    pub received_bytes_per_s: Option<f64>,
    /// Bytes that left its network namespace per second.
    pub sent_bytes_per_s: Option<f64>,
    /// Cores that it could have used: its affinity, its CPU quota, and no more than one for each thread.
    pub cores: Option<f64>,
    /// What only a Redis tells.
    pub redis: Option<RedisReading>,
}

/// What a Redis says of itself with INFO.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RedisReading {
    /// Commands per second, the one INFO of each second included.
    pub operations_per_s: f64,
    /// Connected clients, this one included.
    pub clients: f64,
    /// Memory that its allocator handed out, in bytes (`used_memory`).
    pub memory_bytes: f64,
    /// Lookups of keys that were there, per second.
    pub hits_per_s: f64,
    /// Lookups of keys that were not there, per second.
    pub misses_per_s: f64,
    /// Keys of the database named in the address, or of all.
    pub keys: f64,
}

/// Change per second between two readings of a count that starts again from 0 when its owner does.
pub(super) fn per_s(before: f64, now: f64, length_s: f64) -> f64 {
    let change = if now >= before { now - before } else { now };
    change / length_s.max(1e-9)
}
