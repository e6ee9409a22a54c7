//! A finding: what is, what it does to a measurement, what changes it.

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub check: Check,
    pub state: State,
    /// The fact.
    pub found: String,
    /// What it does to a measurement.
    pub effect: String,
    /// What helps; in a finding that is well, how to change it.
    pub cure: String,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It does not affect the planned run.
    Ok,
    /// It may affect figures, or how they are read.
    Note,
    /// It bounds the planned run or distorts its figures.
    Limits,
}

/// What was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    Cores,
    Quota,
    Governor,
    Clock,
    TimerSlack,
    WakeUps,
    WallClock,
    Uring,
    LockedMemory,
    Descriptors,
    Memory,
    Ports,
    Backlog,
    Path,
    Tls,
    Certificate,
    Proxies,
}

impl State {
    /// The word that begins a finding.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Limits => "limits",
        }
    }
}

impl Check {
    /// Its name in lines and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cores => "cores",
            Self::Quota => "cpu-quota",
            Self::Governor => "frequency",
            Self::Clock => "clock",
            Self::TimerSlack => "timer-slack",
            Self::WakeUps => "wake-ups",
            Self::WallClock => "wall-clock",
            Self::Uring => "io_uring",
            Self::LockedMemory => "locked-memory",
            Self::Descriptors => "descriptors",
            Self::Memory => "memory",
            Self::Ports => "ports",
            Self::Backlog => "backlog",
            Self::Path => "path",
            Self::Tls => "tls",
            Self::Certificate => "certificate",
            Self::Proxies => "proxies",
        }
    }
}

impl Finding {
    pub(super) fn new(
        check: Check,
        state: State,
        found: impl Into<String>,
        effect: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        Self {
            check,
            state,
            found: found.into(),
            effect: effect.into(),
            cure: cure.into(),
        }
    }
}
