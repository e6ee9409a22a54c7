//! Handshakes of encrypted connections: full ones and resumed ones apart, since one costs twice the other.

use std::ops::AddAssign;

use super::latencies::Latencies;

/// Times of handshakes, from the open connection to the agreed keys. Their numbers are those of the histograms.
#[derive(Clone, Debug, Default)]
pub struct Handshakes {
    /// With certificate and key exchange.
    pub full: Latencies,
    /// With the session of an earlier connection: no certificate was sent or verified.
    pub resumed: Latencies,
    /// The first opening of all connections of a closed load.
    pub opening: Opening,
}

/// The stretch in which the connections of a closed load shook hands for the first time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opening {
    /// Connections that the plan opens; 0 when it does not say.
    pub planned: u64,
    /// Connections that have shaken hands, up to `planned`.
    pub connections: u64,
    /// When the first of them began to connect, in nanoseconds of the run's clock.
    pub began_ns: u64,
    /// When the last of them was open.
    pub done_ns: u64,
}

/// When a handshake was done, in nanoseconds of the run's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shaken {
    /// The connection began to be opened.
    pub since_ns: u64,
    /// The connection was open, and the handshake began.
    pub began_ns: u64,
    /// The keys were agreed on.
    pub done_ns: u64,
}

impl Handshakes {
    /// Counts a handshake.
    pub fn record(&mut self, is_resumed: bool, shaken: Shaken) {
        self.opening.record(shaken);
        let took_ns = shaken.done_ns.saturating_sub(shaken.began_ns);
        match is_resumed {
            true => self.resumed.record(took_ns),
            false => self.full.record(took_ns),
        }
    }
}

impl AddAssign<&Self> for Handshakes {
    fn add_assign(&mut self, other: &Self) {
        self.full += &other.full;
        self.resumed += &other.resumed;
        self.opening += other.opening;
    }
}

impl Opening {
    /// For so many connections.
    pub fn of(planned: u64) -> Self {
        Self {
            planned,
            ..Self::default()
        }
    }

    fn record(&mut self, shaken: Shaken) {
        if self.connections < self.planned {
            *self += Self {
                planned: 0,
                connections: 1,
                began_ns: shaken.since_ns,
                done_ns: shaken.done_ns,
            };
        }
    }

    /// From the first connection's begin to the last one's end, in nanoseconds.
    pub fn took_ns(&self) -> u64 {
        self.done_ns.saturating_sub(self.began_ns)
    }
}

/// Shards open their connections at the same time: the whole lasts from the first begin to the last end.
impl AddAssign for Opening {
    fn add_assign(&mut self, other: Self) {
        let began_ns = match (self.connections, other.connections) {
            (_, 0) => self.began_ns,
            (0, _) => other.began_ns,
            _ => self.began_ns.min(other.began_ns),
        };
        *self = Self {
            planned: self.planned + other.planned,
            connections: self.connections + other.connections,
            began_ns,
            done_ns: self.done_ns.max(other.done_ns),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shaken(since_ns: u64, done_ns: u64) -> Shaken {
        Shaken {
            since_ns,
            began_ns: since_ns,
            done_ns,
        }
    }

    #[test]
    fn the_opening_lasts_from_the_first_begin_to_the_last_planned_end() {
        let mut handshakes = Handshakes {
            opening: Opening::of(2),
            ..Handshakes::default()
        };
        handshakes.record(false, shaken(30, 90));
        handshakes.record(false, shaken(20, 70));
        // A connection that is opened again later is no part of it.
        handshakes.record(true, shaken(1_000, 1_100));
        assert_eq!(handshakes.opening.connections, 2);
        assert_eq!(handshakes.opening.took_ns(), 70);
    }

    #[test]
    fn the_openings_of_all_shards_are_one() {
        let mut whole = Handshakes::default();
        for (since_ns, done_ns) in [(50, 120), (40, 100)] {
            let mut shard = Handshakes {
                opening: Opening::of(3),
                ..Handshakes::default()
            };
            shard.record(false, shaken(since_ns, done_ns));
            whole += &shard;
        }
        // A shard on which no connection was opened says nothing of the time.
        whole += &Handshakes {
            opening: Opening::of(1),
            ..Handshakes::default()
        };
        let expected = Opening {
            planned: 7,
            connections: 2,
            began_ns: 40,
            done_ns: 120,
        };
        assert_eq!(whole.opening, expected);
    }
}
