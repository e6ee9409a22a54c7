//! Everything that will happen, by time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::io::ConnectionId;

/// Everything that will happen, ordered by time, then by the order in which it was decided.
#[derive(Default)]
pub(super) struct Schedule {
    entries: BinaryHeap<Reverse<Entry>>,
    sequence: u64,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    at_ns: u64,
    sequence: u64,
    connection: (u32, u32),
    happening: Happening,
}

/// What can happen to a connection. Errors are errno values.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Happening {
    Connected,
    NotConnected(i32),
    /// Bytes reach the service. `last` when they complete a send.
    ToServer {
        bytes: Vec<u8>,
        last: bool,
    },
    NotSent(i32),
    ToClient(Vec<u8>),
    Closed,
    Reset(i32),
}

impl Schedule {
    pub fn add(&mut self, at_ns: u64, connection: ConnectionId, happening: Happening) {
        self.sequence += 1;
        self.entries.push(Reverse(Entry {
            at_ns,
            sequence: self.sequence,
            connection: (connection.slot, connection.generation),
            happening,
        }));
    }

    /// The time of the next happening.
    pub fn next_ns(&self) -> Option<u64> {
        self.entries.peek().map(|Reverse(next)| next.at_ns)
    }

    /// Takes the next happening.
    pub fn take(&mut self) -> Option<(ConnectionId, Happening)> {
        let Reverse(entry) = self.entries.pop()?;
        let (slot, generation) = entry.connection;
        Some((ConnectionId { slot, generation }, entry.happening))
    }
}
