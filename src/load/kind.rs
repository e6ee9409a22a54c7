//! The two kinds of load, behind one type: what the engine asks of either.

use super::closed::Closed;
use super::open::Open;
use super::part::Part;

/// The load on the server.
#[derive(Clone, Debug, PartialEq)]
pub enum Load {
    /// Users begin their next iteration when they have finished the one before.
    Closed(Closed),
    /// Iterations begin at given times, whatever the server does.
    Open {
        /// The users that are prepared before the first iteration is due.
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
    /// A closed load, or, with arrivals, an open load for which `users` are prepared.
    pub fn new(users: Closed, arrivals: Option<Open>) -> Self {
        match arrivals {
            None => Self::Closed(users),
            Some(arrivals) => Self::Open {
                ready: users,
                arrivals,
            },
        }
    }

    /// How users come and leave; in an open load the users that are prepared.
    pub fn users(&self) -> &Closed {
        match self {
            Self::Closed(users) | Self::Open { ready: users, .. } => users,
        }
    }

    /// When iterations are due; `None` in a closed load.
    pub fn arrivals(&self) -> Option<&Open> {
        match self {
            Self::Closed(_) => None,
            Self::Open { arrivals, .. } => Some(arrivals),
        }
    }

    /// The part of it that this process makes.
    pub fn part(&self) -> Part {
        self.users().part
    }

    /// The same load, of which this process makes one part.
    pub fn of_part(mut self, part: Part) -> Self {
        let (Self::Closed(users) | Self::Open { ready: users, .. }) = &mut self;
        users.part = part;
        self
    }

    /// Whether it is an open load.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Open { .. })
    }

    /// Most users at once, by the plan alone.
    pub fn users_planned(&self) -> u64 {
        match self {
            Self::Closed(users) => users.users_at_once(),
            Self::Open { arrivals, .. } => arrivals.users_max,
        }
    }

    /// Most users that there is room for.
    pub fn users_max(&self) -> u64 {
        match self {
            Self::Closed(users) => users.room(),
            Self::Open { arrivals, .. } => arrivals.users_max,
        }
    }

    /// Stretches of constant load, as (beginning, end) in nanoseconds after the load's beginning.
    pub fn levels(&self) -> Vec<(u64, u64)> {
        match self {
            Self::Closed(users) => users.levels(),
            Self::Open { arrivals, .. } => arrivals.levels(),
        }
    }

    /// The same load, whose rest orders may replace while the run lasts: with room for so many users of a closed load, or
    /// for so many iterations per second. A search, and a load with a bounded number of iterations, stay as they are.
    pub fn replaceable(self, level_max: f64) -> Self {
        match self {
            steered if steered.is_steered() => steered,
            Self::Closed(users) => Self::Closed(users.replaceable(level_max as u64)),
            Self::Open { ready, arrivals } if ready.iterations.is_none() => Self::Open {
                ready,
                arrivals: arrivals.replaceable(level_max),
            },
            Self::Open { .. } => self,
        }
    }

    /// Whether orders may replace its rest.
    pub fn takes_orders(&self) -> bool {
        match self {
            Self::Closed(users) => users.takes_orders(),
            Self::Open { arrivals, .. } => arrivals.takes_orders(),
        }
    }

    /// Users, or iterations per second, that the line is at.
    pub fn level_at(&self, at_ns: u64) -> f64 {
        match self {
            Self::Closed(users) => users.users_at(at_ns) as f64,
            Self::Open { arrivals, .. } => arrivals.rate_at(at_ns),
        }
    }

    /// Whether its course is decided while the run lasts.
    pub fn is_steered(&self) -> bool {
        self.users().is_steered() || self.arrivals().is_some_and(Open::is_steered)
    }
}
