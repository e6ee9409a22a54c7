//! Seconds of a run, counted by how far their figures can be believed, and why.

use std::ops::{AddAssign, Index, IndexMut};

/// How far the figures of a run, or of a second of it, can be believed. The gravest status comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Requests were open and no answer came.
    NoProgress,
    /// The generator was the bottleneck, or was late by its own work.
    GeneratorLimited,
    /// Fewer iterations were begun than were due.
    RateNotMet,
    /// Requests waited for connections, or iterations for users.
    ConnectionsLimited,
    /// The generator was ready to run and the machine did not let it.
    MachineDisturbed,
    /// None of the above was found.
    Valid,
}

impl Status {
    /// All statuses, the gravest first.
    pub const ALL: [Self; 6] = [
        Self::NoProgress,
        Self::GeneratorLimited,
        Self::RateNotMet,
        Self::ConnectionsLimited,
        Self::MachineDisturbed,
        Self::Valid,
    ];

    /// The name in reports and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoProgress => "NO-PROGRESS",
            Self::GeneratorLimited => "GENERATOR-LIMITED",
            Self::RateNotMet => "RATE-NOT-MET",
            Self::ConnectionsLimited => "CONNECTIONS-LIMITED",
            Self::MachineDisturbed => "MACHINE-DISTURBED",
            Self::Valid => "VALID",
        }
    }
}

/// A cause of doubt in a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Requests have been open for long, and no answer came.
    Silent,
    /// A shard worked for nearly the whole second.
    Busy,
    /// Requests left late, and the shard's own turns were long.
    LongTurns,
    /// Iterations that were due were not begun.
    Behind,
    /// Requests waited in line for a connection.
    InLine,
    /// Other programs had a shard's core while it was ready to run.
    CoreTaken,
    /// The hypervisor gave the machine's time to others.
    Stolen,
    /// The quota of CPU time was used up.
    Throttled,
    /// A shard did not run at all for some time.
    Stopped,
}

impl Cause {
    /// All causes.
    pub const ALL: [Self; 9] = [
        Self::Silent,
        Self::Busy,
        Self::LongTurns,
        Self::Behind,
        Self::InLine,
        Self::CoreTaken,
        Self::Stolen,
        Self::Throttled,
        Self::Stopped,
    ];

    /// The status of a second in which it was found.
    pub fn status(self) -> Status {
        match self {
            Self::Silent => Status::NoProgress,
            Self::Busy | Self::LongTurns => Status::GeneratorLimited,
            Self::Behind => Status::RateNotMet,
            Self::InLine => Status::ConnectionsLimited,
            Self::CoreTaken | Self::Stolen | Self::Throttled | Self::Stopped => {
                Status::MachineDisturbed
            }
        }
    }

    /// The name in records, with the unit of its figure: a share from 0 to 1 has none.
    pub fn name(self) -> &'static str {
        match self {
            Self::Silent => "no_answer_us",
            Self::Busy => "busy",
            Self::LongTurns => "turn_us",
            Self::Behind => "iterations_behind",
            Self::InLine => "waited_in_line",
            Self::CoreTaken => "core_waited",
            Self::Stolen => "stolen",
            Self::Throttled => "throttled_us",
            Self::Stopped => "stopped_us",
        }
    }

    /// Its figure is a time.
    pub fn is_time(self) -> bool {
        match self {
            Self::Silent | Self::LongTurns | Self::Throttled | Self::Stopped => true,
            Self::Busy | Self::Behind | Self::InLine | Self::CoreTaken | Self::Stolen => false,
        }
    }
}

/// The causes of doubt that were found in a stretch, each with its worst figure: a share (0 to 1), a time in nanoseconds
/// ([`Cause::is_time`]), or the count of [`Cause::Behind`]. A figure that was found is above 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Causes([f64; Cause::ALL.len()]);

impl Causes {
    /// Adds a finding.
    pub fn add(&mut self, cause: Cause, figure: f64) {
        let worst = &mut self.0[cause as usize];
        *worst = worst.max(figure);
    }

    /// Those that were found, with their figures.
    pub fn found(&self) -> impl Iterator<Item = (Cause, f64)> + '_ {
        let all = Cause::ALL.into_iter().zip(self.0);
        all.filter(|(_, figure)| *figure > 0.0)
    }
}

impl AddAssign<&Self> for Causes {
    fn add_assign(&mut self, other: &Self) {
        for (cause, figure) in other.found() {
            self.add(cause, figure);
        }
    }
}

/// Numbers of seconds by [`Status`], in the order of [`Status::ALL`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seconds(pub [u64; Status::ALL.len()]);

impl Seconds {
    /// Number of seconds of every status.
    pub fn count(&self) -> u64 {
        self.0.iter().sum()
    }
}

impl Index<Status> for Seconds {
    type Output = u64;

    fn index(&self, status: Status) -> &u64 {
        &self.0[status as usize]
    }
}

impl IndexMut<Status> for Seconds {
    fn index_mut(&mut self, status: Status) -> &mut u64 {
        &mut self.0[status as usize]
    }
}

impl AddAssign<&Self> for Seconds {
    fn add_assign(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count += more;
        }
    }
}
