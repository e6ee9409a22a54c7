//! Seconds of a run, counted by how far each is to be believed.

use std::ops::{AddAssign, Index, IndexMut};

/// How far a run, or a second of it, is to be believed: the graver, the earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Requests were open and nothing came back.
    NoProgress,
    /// The generator was the bottleneck, or late by its own work.
    GeneratorLimited,
    /// Less was begun than was due.
    RateNotMet,
    /// Requests waited for connections, or iterations for users.
    ConnectionsLimited,
    /// The generator wanted to run and could not.
    MachineDisturbed,
    /// Nothing speaks against it.
    Valid,
}

impl Status {
    /// All, the gravest first.
    pub const ALL: [Self; 6] = [
        Self::NoProgress,
        Self::GeneratorLimited,
        Self::RateNotMet,
        Self::ConnectionsLimited,
        Self::MachineDisturbed,
        Self::Valid,
    ];

    /// Its name in reports and records.
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

/// Seconds by status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seconds(pub [u64; Status::ALL.len()]);

impl Seconds {
    /// All of them.
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
