//! Who gets which connection: slots, the stack of free ones, the waiting line, and when to try again.

use std::collections::VecDeque;

use super::connection::{Connection, NOBODY, State};

/// First pause after a failed attempt to open a connection; it doubles with each further one.
pub const BACKOFF_NS_MIN: u64 = 10_000_000;
/// Longest such pause: a server that is back gets traffic again within a second of it.
pub const BACKOFF_NS_MAX: u64 = 500_000_000;
const _: () = assert!(BACKOFF_NS_MAX < 1_000_000_000);

/// The connections of one shard.
pub struct Pool {
    /// By slot.
    pub connections: Vec<Connection>,
    sharing: Sharing,
}

/// How users come by connections.
enum Sharing {
    /// User n has slot n, as with Locust: a connection keeps its user's idle times.
    PerUser,
    /// All users share the slots.
    Shared {
        /// Slots without a request. The one used last is on top: it is warm, and the others may rest.
        free: Vec<u32>,
        /// Users for whom none was free, first come first served. Each user is in it at most once.
        waiting: VecDeque<u32>,
    },
}

/// What a user's wish for a connection came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acquired {
    /// It is open: send.
    Ready(u32),
    /// It has to be opened first.
    ToOpen(u32),
    /// It must not be opened yet; the user has been attached to it.
    BackingOff(u32),
    /// All are in use; the user stands in the line.
    InLine,
}

impl Pool {
    /// One slot for each of `users`.
    pub fn per_user(users: usize) -> Self {
        Self {
            connections: slots(users),
            sharing: Sharing::PerUser,
        }
    }

    /// `count` slots for up to `users`.
    pub fn shared(count: usize, users: usize) -> Self {
        Self {
            connections: slots(count),
            sharing: Sharing::Shared {
                free: (0..count as u32).rev().collect(),
                waiting: VecDeque::with_capacity(users),
            },
        }
    }

    /// A connection for a user's request.
    pub fn acquire(&mut self, user: u32) -> Acquired {
        let slot = match &mut self.sharing {
            Sharing::PerUser => user,
            Sharing::Shared { free, waiting } => match free.pop() {
                Some(slot) => slot,
                None => {
                    waiting.push_back(user);
                    return Acquired::InLine;
                }
            },
        };
        let connection = &mut self.connections[slot as usize];
        match connection.state {
            State::Idle => Acquired::Ready(slot),
            State::BackingOff => {
                connection.user = user;
                Acquired::BackingOff(slot)
            }
            State::Closed | State::Connecting | State::Busy => Acquired::ToOpen(slot),
        }
    }

    /// A slot's request is over (the state says whether the connection still stands). Returns the user who is next
    /// in the line and gets it now.
    pub fn release(&mut self, slot: u32) -> Option<u32> {
        let connection = &mut self.connections[slot as usize];
        connection.user = NOBODY;
        match &mut self.sharing {
            Sharing::PerUser => None,
            // Comes back with `on_backoff_over`.
            Sharing::Shared { .. } if connection.state == State::BackingOff => None,
            Sharing::Shared { free, waiting } => {
                let next = waiting.pop_front();
                if next.is_none() {
                    free.push(slot);
                }
                next
            }
        }
    }

    /// A slot may be opened again. Returns the user who waits for it.
    pub fn on_backoff_over(&mut self, slot: u32) -> Option<u32> {
        let connection = &mut self.connections[slot as usize];
        connection.state = State::Closed;
        match (&self.sharing, connection.user) {
            (Sharing::PerUser, NOBODY) => None,
            (Sharing::PerUser, user) => Some(user),
            (Sharing::Shared { .. }, _) => self.release(slot),
        }
    }

    /// The slot that a user has for itself.
    pub fn own_slot(&self, user: u32) -> Option<u32> {
        match self.sharing {
            Sharing::PerUser => Some(user),
            Sharing::Shared { .. } => None,
        }
    }

    /// How many slots nobody uses, where they are shared.
    pub fn free_slots(&self) -> Option<usize> {
        match &self.sharing {
            Sharing::PerUser => None,
            Sharing::Shared { free, .. } => Some(free.len()),
        }
    }

    /// The waiting line.
    pub fn line(&self) -> impl Iterator<Item = u32> {
        let line = match &self.sharing {
            Sharing::PerUser => None,
            Sharing::Shared { waiting, .. } => Some(waiting.iter().copied()),
        };
        line.into_iter().flatten()
    }

    /// A user leaves the line, wherever in it.
    pub fn leave_line_early(&mut self, user: u32) {
        if let Sharing::Shared { waiting, .. } = &mut self.sharing {
            waiting.retain(|&waits| waits != user);
        }
    }

    /// The user who has stood in the line longest.
    pub fn first_in_line(&self) -> Option<u32> {
        match &self.sharing {
            Sharing::PerUser => None,
            Sharing::Shared { waiting, .. } => waiting.front().copied(),
        }
    }

    /// Takes that user out of the line.
    pub fn leave_line(&mut self) -> Option<u32> {
        match &mut self.sharing {
            Sharing::PerUser => None,
            Sharing::Shared { waiting, .. } => waiting.pop_front(),
        }
    }
}

/// How long to wait after the `refusals`-th failed attempt in a row: doubling, and between half and the whole of it,
/// so that a thousand connections do not come back in one instant. `random` is any draw.
pub fn backoff_ns(refusals: u32, random: u64) -> u64 {
    let doublings = refusals.saturating_sub(1).min(16);
    let whole_ns = (BACKOFF_NS_MIN << doublings).min(BACKOFF_NS_MAX);
    let half_ns = whole_ns / 2;
    half_ns + ((u128::from(random) * u128::from(half_ns)) >> 64) as u64
}

fn slots(count: usize) -> Vec<Connection> {
    let mut slots = Vec::new();
    slots.resize_with(count, Connection::default);
    slots
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_without_a_free_connection_gets_the_next_one_that_is_released() {
        let mut pool = Pool::shared(1, 3);
        assert_eq!(pool.acquire(0), Acquired::ToOpen(0));
        assert_eq!(pool.acquire(1), Acquired::InLine);
        assert_eq!(pool.acquire(2), Acquired::InLine);
        pool.connections[0].state = State::Idle;
        assert_eq!(pool.first_in_line(), Some(1));
        assert_eq!(pool.release(0), Some(1));
        assert_eq!(pool.release(0), Some(2));
        assert_eq!(pool.release(0), None);
        assert_eq!(pool.acquire(1), Acquired::Ready(0));
    }

    #[test]
    fn the_connection_used_last_is_used_first() {
        let mut pool = Pool::shared(3, 3);
        for slot in 0..3 {
            assert_eq!(pool.acquire(slot), Acquired::ToOpen(slot));
            pool.connections[slot as usize].state = State::Idle;
        }
        for slot in [0, 2, 1] {
            pool.release(slot);
        }
        assert_eq!(pool.acquire(7), Acquired::Ready(1));
    }

    #[test]
    fn a_slot_that_backs_off_is_nobodys_until_its_time_has_come() {
        let mut pool = Pool::shared(1, 2);
        pool.acquire(0);
        pool.connections[0].state = State::BackingOff;
        assert_eq!(pool.release(0), None);
        assert_eq!(pool.acquire(1), Acquired::InLine);
        assert_eq!(pool.on_backoff_over(0), Some(1));

        let mut own = Pool::per_user(2);
        own.connections[1].state = State::BackingOff;
        assert_eq!(own.acquire(1), Acquired::BackingOff(1));
        assert_eq!(own.on_backoff_over(1), Some(1));
        assert_eq!(own.connections[1].state, State::Closed);
    }

    #[test]
    fn backoff_doubles_to_its_bound_and_never_vanishes() {
        for random in [0, u64::MAX / 2, u64::MAX] {
            assert!(backoff_ns(1, random) >= BACKOFF_NS_MIN / 2);
            assert!(backoff_ns(1, random) <= BACKOFF_NS_MIN);
            assert!(backoff_ns(3, random) >= 2 * BACKOFF_NS_MIN);
            assert!(backoff_ns(u32::MAX, random) <= BACKOFF_NS_MAX);
        }
    }
}
