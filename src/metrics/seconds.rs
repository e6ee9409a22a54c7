//! Seconds of a run, counted by how far their figures can be believed.

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
