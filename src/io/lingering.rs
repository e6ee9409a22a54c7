//! Connections that wait for the peer's FIN, because the peer has announced it, so that TIME_WAIT falls on the peer.
//!
//! The side that closes first keeps the port in TIME_WAIT for a minute (RFC 9293 section 3.6.1). A server that closes
//! after each answer says so in the answer. If the client closed as soon as it had such an answer, its own ports would
//! stay in TIME_WAIT, and a load of 500 connections a second would use them all up.

use std::collections::VecDeque;

use socket2::Socket;

use super::driver::EVENTS_MAX;
use super::token::ConnectionId;

/// Most connections of a driver that wait for their FIN
/// ([`Driver::close_after_fin`](super::Driver::close_after_fin)).
pub const LINGERING_MAX: usize = EVENTS_MAX;

/// How long a FIN is waited for: a few round trips to any server.
const FIN_NS_MAX: u64 = 100_000_000;

/// Most connections that wait for their FIN in a driver with this many slots. They are few, since a service that does
/// not end them counts them as open, and may limit its connections.
pub fn lingering_max(slots: usize) -> usize {
    (slots / 2).max(slots.min(8)).clamp(1, LINGERING_MAX)
}

/// Sockets that wait for their FIN, in the order in which they began to wait.
pub(super) struct Lingering {
    waiting: VecDeque<Waiting>,
    count_max: usize,
    /// Bytes before the FIN do not end the wait.
    pub passes_over_bytes: bool,
}

struct Waiting {
    connection: ConnectionId,
    socket: Socket,
    until_ns: u64,
}

impl Lingering {
    /// Room for the lingering connections of a driver with this many slots.
    pub fn new(slots: usize) -> Self {
        let count_max = lingering_max(slots);
        Self {
            waiting: VecDeque::with_capacity(count_max),
            count_max,
            passes_over_bytes: false,
        }
    }

    /// Adds a socket that waits from now on. When there is no room, returns the one that has waited longest, for the
    /// caller to close.
    pub fn add(&mut self, connection: ConnectionId, socket: Socket, now_ns: u64) -> Option<Socket> {
        let oldest = match self.waiting.len() == self.count_max {
            true => self.waiting.pop_front(),
            false => None,
        };
        self.waiting.push_back(Waiting {
            connection,
            socket,
            until_ns: now_ns + FIN_NS_MAX,
        });
        oldest.map(|waiting| waiting.socket)
    }

    pub fn get(&self, connection: ConnectionId) -> Option<&Socket> {
        let mut waiting = self.waiting.iter();
        let found = waiting.find(|waiting| waiting.connection == connection);
        found.map(|waiting| &waiting.socket)
    }

    /// Takes the socket of a connection whose FIN has arrived, or that has failed, for the caller to close.
    pub fn take(&mut self, connection: ConnectionId) -> Option<Socket> {
        let mut waiting = self.waiting.iter();
        let place = waiting.position(|waiting| waiting.connection == connection)?;
        self.waiting.remove(place).map(|waiting| waiting.socket)
    }

    /// Takes a socket that has waited long enough, for the caller to close.
    pub fn take_due(&mut self, now_ns: u64) -> Option<Socket> {
        match self.waiting.front()?.until_ns <= now_ns {
            true => self.waiting.pop_front().map(|waiting| waiting.socket),
            false => None,
        }
    }

    /// When the next socket will have waited long enough.
    pub fn next_ns(&self) -> Option<u64> {
        self.waiting.front().map(|waiting| waiting.until_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::{Domain, Type};

    fn id(slot: usize) -> ConnectionId {
        ConnectionId {
            slot: slot as u32,
            generation: 1,
        }
    }

    fn socket() -> Socket {
        Socket::new(Domain::IPV4, Type::STREAM, None).expect("a descriptor is free")
    }

    #[test]
    fn each_connection_waits_for_its_fin_for_100_ms_at_most() {
        let mut lingering = Lingering::new(100);
        assert!(lingering.add(id(1), socket(), 5).is_none());
        assert!(lingering.add(id(2), socket(), 6).is_none());
        assert!(lingering.get(id(2)).is_some() && lingering.get(id(3)).is_none());
        assert!(lingering.take(id(2)).is_some() && lingering.take(id(2)).is_none());
        assert_eq!(lingering.next_ns(), Some(5 + FIN_NS_MAX));
        assert!(lingering.take_due(4 + FIN_NS_MAX).is_none());
        assert!(lingering.take_due(5 + FIN_NS_MAX).is_some());
        assert_eq!(lingering.next_ns(), None);
    }

    #[test]
    fn at_the_bound_the_oldest_makes_room() {
        let mut lingering = Lingering::new(100);
        for slot in 0..lingering_max(100) {
            assert!(lingering.add(id(slot), socket(), 0).is_none());
        }
        assert!(lingering.add(id(50), socket(), 1).is_some());
        assert!(lingering.get(id(0)).is_none(), "the oldest has made room");
        assert!(lingering.get(id(1)).is_some());
    }
}
