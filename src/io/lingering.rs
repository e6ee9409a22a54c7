//! Connections that the peer has announced to end: its FIN is waited for, so that its side keeps the port in TIME_WAIT.
//!
//! Who closes first keeps the port for a minute (RFC 9293 section 3.6.1). A server that closes after each answer says so in
//! the answer; were the connection closed when that has come, all those minutes would be paid with ports of this machine,
//! and a load of 500 connections a second would run out of them.

use std::collections::VecDeque;

use socket2::Socket;

use super::lingering_max;
use super::token::ConnectionId;

/// How long a FIN is waited for: a few round trips to any server.
const FIN_NS_MAX: u64 = 100_000_000;

/// Sockets that wait for their FIN, the one that has waited longest first.
pub(super) struct Lingering {
    waiting: VecDeque<Waiting>,
    count_max: usize,
}

struct Waiting {
    connection: ConnectionId,
    socket: Socket,
    until_ns: u64,
}

impl Lingering {
    /// Beside so many slots.
    pub fn new(slots: usize) -> Self {
        let count_max = lingering_max(slots);
        Self {
            waiting: VecDeque::with_capacity(count_max),
            count_max,
        }
    }

    /// Another one waits from now on. When there is no room, the one that has waited longest is to be closed.
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

    /// The FIN has come, or the connection has failed: it is to be closed.
    pub fn take(&mut self, connection: ConnectionId) -> Option<Socket> {
        let mut waiting = self.waiting.iter();
        let place = waiting.position(|waiting| waiting.connection == connection)?;
        self.waiting.remove(place).map(|waiting| waiting.socket)
    }

    /// One that has waited long enough: it is to be closed.
    pub fn take_due(&mut self, now_ns: u64) -> Option<Socket> {
        match self.waiting.front()?.until_ns <= now_ns {
            true => self.waiting.pop_front().map(|waiting| waiting.socket),
            false => None,
        }
    }

    /// When the next one will have waited long enough.
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
        Socket::new(Domain::IPV4, Type::STREAM, None).expect("a descriptor is left")
    }

    #[test]
    fn each_waits_for_its_fin_and_no_longer_than_its_time() {
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
    fn there_is_a_bound_and_the_oldest_makes_room() {
        let mut lingering = Lingering::new(100);
        for slot in 0..lingering_max(100) {
            assert!(lingering.add(id(slot), socket(), 0).is_none());
        }
        assert!(lingering.add(id(50), socket(), 1).is_some());
        assert!(lingering.get(id(0)).is_none(), "it was the oldest");
        assert!(lingering.get(id(1)).is_some());
    }
}
