//! What is known of the machine and of the planned run. A fact that could not be read is `None`, and yields no finding.

/// Everything that is judged.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub plan: Planned,
    pub cores: Cores,
    /// As (governor, driver); empty where none is visible.
    pub governors: Vec<(String, String)>,
    pub clock: Option<Clock>,
    pub timer_slack_ns: Option<u64>,
    /// By how much each sleep of a series was too long, in nanoseconds, ascending; empty when not measured.
    pub late_ns: Vec<u64>,
    pub wall_clock: Option<WallClock>,
    pub uring: Option<Uring>,
    /// Release of the kernel: major and minor number.
    pub kernel: Option<(u32, u32)>,
    pub locked_memory: Option<LockedMemory>,
    pub descriptors: Option<Descriptors>,
    pub memory: Option<Memory>,
    pub ports: Option<Ports>,
    /// Connections that may wait to be accepted by a listening socket of this machine (`net.core.somaxconn`).
    pub backlog_max: Option<u64>,
    pub path: Option<Path>,
    /// `None` without a target, and for one in plain text.
    pub encryption: Option<Encryption>,
    /// Names of the proxy variables that are set.
    pub proxies: Vec<&'static str>,
}

/// The planned run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Planned {
    pub connections: u64,
    /// Threads.
    pub shards: u64,
}

/// Cores and the time on them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cores {
    /// Cores that this process may use.
    pub allowed: u64,
    /// Cores of the machine, if known.
    pub online: Option<u64>,
    /// CPU quota in cores; `None` without one.
    pub quota: Option<f64>,
}

/// The monotonic clock.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Clock {
    /// The kernel's clock source, if known.
    pub source: Option<String>,
    /// Nanoseconds that one reading takes.
    pub reading_ns: f64,
}

/// The wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallClock {
    /// A time service disciplines it.
    pub is_synchronised: bool,
    /// Bound of its error in microseconds, as the time service estimates it.
    pub error_us_max: u64,
}

/// Whether a ring of the planned size can be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Uring {
    Available,
    Refused { cause: String, cure: Option<String> },
}

/// Memory that may not be swapped out (RLIMIT_MEMLOCK).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockedMemory {
    /// Limit in bytes; `u64::MAX` for none.
    pub limit: u64,
    /// What the rings of all shards take, in bytes.
    pub needed: u64,
}

/// Open descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptors {
    /// As far as this process could raise its limit to `needed`.
    pub allowed: u64,
    /// What the planned connections take.
    pub needed: u64,
}

/// Memory of the planned run, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    pub free: u64,
    /// What connections and buffers take.
    pub needed: u64,
}

/// Local ports of outgoing connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    pub first: u16,
    pub last: u16,
    /// Pairs of source and target address; each has all ports.
    pub routes: u64,
    /// Connections of the whole machine in TIME_WAIT, if known.
    pub in_time_wait: Option<u64>,
    /// Those of them at the target, counted only where the whole number may matter.
    pub in_time_wait_at_target: Option<u64>,
    /// A new connection may take over a port in TIME_WAIT, after one second.
    pub reuses_time_wait: bool,
}

/// The way to the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The target as messages name it.
    pub target: String,
    pub reached: Reached,
}

/// What a trial connection found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reached {
    /// The target is on this machine; microseconds that a connection took.
    Local { connect_us: u64 },
    /// Over a network; microseconds that a connection took, about one round trip.
    Network { connect_us: u64 },
    /// With target and reason.
    Not { reason: String },
}

/// What a handshake with the target found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encryption {
    /// The target as messages name it.
    pub target: String,
    pub shaken: Shaken,
    /// Whole days until the server's certificate expires, negative afterwards; `None` when none was seen.
    pub days_left: Option<i64>,
}

/// How a handshake ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shaken {
    /// It succeeded, after this many microseconds from the open connection on.
    Done {
        version: String,
        cipher: String,
        /// By ALPN (RFC 7301); `None` when the server chose none.
        protocol: Option<String>,
        took_us: u64,
    },
    Failed {
        reason: String,
        cure: String,
    },
}
