//! How much is asked of the server, and when. Pure: fixed before the run, or steered through pieces that every shard reads.
//!
//! Reading order: [`closed`] (users), [`open`] (arrivals), `pieces` (their lines), [`deal`] (what each shard gets),
//! [`random`] (draws by key, so that no order of events moves them).

pub mod closed;
pub mod deal;
pub mod open;
mod pieces;
pub mod random;

use closed::Closed;
use open::Open;

/// How much is asked of the server.
#[derive(Clone, Debug, PartialEq)]
pub enum Load {
    /// Users who wait for their answers.
    Closed(Closed),
    /// Iterations that begin at given times, whatever the server does.
    Open {
        /// Users that come before the first iteration is due.
        ready: Closed,
        /// When iterations are due.
        arrivals: Open,
    },
}

impl From<Closed> for Load {
    fn from(users: Closed) -> Self {
        Self::Closed(users)
    }
}

impl Load {
    /// Users who wait for their answers, or, with arrivals, those that are got ready for them.
    pub fn new(users: Closed, arrivals: Option<Open>) -> Self {
        match arrivals {
            None => Self::Closed(users),
            Some(arrivals) => Self::Open {
                ready: users,
                arrivals,
            },
        }
    }

    /// How users come and go; in an open load those that are got ready.
    pub fn users(&self) -> &Closed {
        match self {
            Self::Closed(users) | Self::Open { ready: users, .. } => users,
        }
    }

    /// When iterations are due, in an open load.
    pub fn arrivals(&self) -> Option<&Open> {
        match self {
            Self::Closed(_) => None,
            Self::Open { arrivals, .. } => Some(arrivals),
        }
    }

    /// Iterations begin at their own times.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Open { .. })
    }

    /// Most users at once.
    pub fn users_max(&self) -> u64 {
        match self {
            Self::Closed(users) => users.users_at_once(),
            Self::Open { arrivals, .. } => arrivals.users_max,
        }
    }

    /// Stretches of constant load: from when to when, in nanoseconds after its begin.
    pub fn levels(&self) -> Vec<(u64, u64)> {
        match self {
            Self::Closed(users) => users.levels(),
            Self::Open { arrivals, .. } => arrivals.levels(),
        }
    }

    /// Its course is decided while the run lasts.
    pub fn is_steered(&self) -> bool {
        self.users().is_steered() || self.arrivals().is_some_and(Open::is_steered)
    }
}
