//! Who gets which connection: slots, the stack of free ones, the waiting line, and when to try again.

use super::batch::Batches;
use super::connection::{Connection, NOBODY, State};
use super::line::Line;

/// First pause after a failed attempt to open a connection; it doubles with each further one.
pub const BACKOFF_NS_MIN: u64 = 10_000_000;
/// Longest such pause: a server that is back gets traffic again within a second of it.
pub const BACKOFF_NS_MAX: u64 = 500_000_000;
const _: () = assert!(BACKOFF_NS_MAX < 1_000_000_000);

/// The connections of one shard.
pub struct Pool {
    /// By slot.
    pub connections: Vec<Connection>,
    /// Who is behind the first user of each slot.
    batches: Batches,
    /// Slots that got users in this turn and have room for more, so that requests leave together. The last one is
    /// filled first. Nobody stands in the line meanwhile.
    filling: Vec<u32>,
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
        /// Users for whom none was free.
        waiting: Line,
    },
}

impl Pool {
    /// One slot for each of `users`.
    pub fn per_user(users: usize) -> Self {
        Self {
            connections: slots(users),
            batches: Batches::new(users, 1),
            filling: Vec::new(),
            sharing: Sharing::PerUser,
        }
    }

    /// `count` slots for up to `users`, up to `depth` of them on each at once.
    pub fn shared(count: usize, users: usize, depth: usize) -> Self {
        Self {
            connections: slots(count),
            batches: Batches::new(count, depth),
            filling: Vec::with_capacity(count * (depth - 1).min(1)),
            sharing: Sharing::Shared {
                free: (0..count as u32).rev().collect(),
                waiting: Line::new(users),
            },
        }
    }

    /// Puts a user on a connection, whatever that connection does now. Without one, the user stands in the line.
    pub fn acquire(&mut self, user: u32) -> Option<u32> {
        let slot = match &mut self.sharing {
            Sharing::PerUser => user,
            Sharing::Shared { free, waiting } => {
                match self.filling.last().copied().or_else(|| free.pop()) {
                    Some(slot) => slot,
                    None => {
                        waiting.push(user);
                        return None;
                    }
                }
            }
        };
        self.join(slot, user);
        Some(slot)
    }

    /// Puts a user on a slot that has room.
    pub fn join(&mut self, slot: u32, user: u32) {
        let connection = &mut self.connections[slot as usize];
        if connection.user == NOBODY {
            connection.user = user;
        } else {
            self.batches.push(slot, user);
        }
        let carried = self.carried(slot);
        if carried == self.batches.depth() {
            // The slot that is filled is the last one, as a rule.
            if let Some(at) = self.filling.iter().rposition(|&filling| filling == slot) {
                self.filling.remove(at);
            }
        } else if carried == 1 {
            self.filling.push(slot);
        }
    }

    /// Takes a user off its slot; whether nobody is left on that.
    pub fn leave(&mut self, slot: u32, user: u32) -> bool {
        let connection = &mut self.connections[slot as usize];
        if connection.user == user {
            connection.user = self.batches.pop(slot).unwrap_or(NOBODY);
        } else {
            let mut behind = self.batches.behind(slot).iter();
            let at = behind.position(|&behind| behind == user);
            self.batches
                .remove(slot, at.expect("who leaves a slot was on it"));
        }
        connection.user == NOBODY
    }

    /// The user at this place of a slot that has so many, in the order of their requests.
    pub fn user_at(&self, slot: u32, place: usize) -> u32 {
        match place {
            0 => self.connections[slot as usize].user,
            place => self.batches.behind(slot)[place - 1],
        }
    }

    /// How many users are on a slot.
    pub fn carried(&self, slot: u32) -> usize {
        let is_used = self.connections[slot as usize].user != NOBODY;
        usize::from(is_used) + self.batches.behind(slot).len()
    }

    /// Whether a slot may get another user before it sends.
    pub fn has_room(&self, slot: u32) -> bool {
        let state = self.connections[slot as usize].state;
        let takes = !matches!(state, State::Busy | State::BackingOff);
        takes && self.carried(slot) < self.batches.depth()
    }

    /// Who is next to [`Pool::join`] a slot with room: the first in the line, who is not in it any more. When nobody is,
    /// and nobody on the slot, it is free.
    pub fn next_for(&mut self, slot: u32) -> Option<u32> {
        if !self.has_room(slot) {
            return None;
        }
        let next = self.leave_line();
        if next.is_none() {
            self.set_free(slot);
        }
        next
    }

    /// A slot that nobody is on has nobody to go to.
    pub fn set_free(&mut self, slot: u32) {
        if let Sharing::Shared { free, .. } = &mut self.sharing
            && self.connections[slot as usize].user == NOBODY
        {
            free.push(slot);
        }
    }

    /// A free slot although somebody stands in the line, taken from the free ones: [`Pool::next_for`] it is next.
    pub fn free_for_line(&mut self) -> Option<u32> {
        match &mut self.sharing {
            Sharing::Shared { free, waiting } if waiting.first().is_some() => free.pop(),
            _ => None,
        }
    }

    /// A slot that was being filled: it is now with those it has.
    pub fn filled(&mut self) -> Option<u32> {
        self.filling.pop()
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
            Sharing::Shared { waiting, .. } => Some(waiting.iter()),
        };
        line.into_iter().flatten()
    }

    /// The same, as a line.
    pub fn line_ref(&self) -> Option<&Line> {
        match &self.sharing {
            Sharing::PerUser => None,
            Sharing::Shared { waiting, .. } => Some(waiting),
        }
    }

    /// The same, for those who leave it early.
    pub fn line_mut(&mut self) -> Option<&mut Line> {
        match &mut self.sharing {
            Sharing::PerUser => None,
            Sharing::Shared { waiting, .. } => Some(waiting),
        }
    }

    /// The user who has stood in the line longest.
    pub fn first_in_line(&self) -> Option<u32> {
        match &self.sharing {
            Sharing::PerUser => None,
            Sharing::Shared { waiting, .. } => waiting.first(),
        }
    }

    /// Takes that user out of the line.
    pub fn leave_line(&mut self) -> Option<u32> {
        match &mut self.sharing {
            Sharing::PerUser => None,
            Sharing::Shared { waiting, .. } => waiting.pop(),
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
        let mut pool = Pool::shared(1, 3, 1);
        assert_eq!(pool.acquire(0), Some(0));
        assert_eq!(pool.acquire(1), None);
        assert_eq!(pool.acquire(2), None);
        assert_eq!(pool.first_in_line(), Some(1));
        assert_eq!(pool.next_for(0), None, "it is in use");
        for (user, next) in [(0, Some(1)), (1, Some(2)), (2, None)] {
            assert!(pool.leave(0, user));
            assert_eq!(pool.next_for(0), next);
            next.iter().for_each(|&next| pool.join(0, next));
        }
        assert_eq!(pool.acquire(1), Some(0));
    }

    #[test]
    fn the_connection_used_last_is_used_first() {
        let mut pool = Pool::shared(3, 3, 1);
        for slot in 0..3 {
            assert_eq!(pool.acquire(slot), Some(slot));
        }
        for slot in [0, 2, 1] {
            pool.leave(slot, slot);
            assert_eq!(pool.next_for(slot), None);
        }
        assert_eq!(pool.acquire(7), Some(1));
    }

    #[test]
    fn a_slot_that_backs_off_is_nobodys_until_its_time_has_come() {
        let mut pool = Pool::shared(1, 2, 1);
        pool.acquire(0);
        pool.connections[0].state = State::BackingOff;
        pool.leave(0, 0);
        assert_eq!(pool.next_for(0), None);
        assert_eq!(pool.acquire(1), None);
        pool.connections[0].state = State::Closed;
        assert_eq!(pool.next_for(0), Some(1));

        let mut own = Pool::per_user(2);
        own.connections[1].state = State::BackingOff;
        assert_eq!(own.acquire(1), Some(1));
        assert_eq!(own.connections[1].user, 1);
    }

    #[test]
    fn connections_are_filled_one_after_the_other_and_then_there_is_a_line() {
        let mut pool = Pool::shared(2, 9, 3);
        let slots: Vec<_> = (0..7).map(|user| pool.acquire(user)).collect();
        let [first, second] = [Some(0), Some(1)];
        assert_eq!(
            slots,
            [first, first, first, second, second, second, None],
            "the seventh finds none"
        );
        assert!([0, 1, 2] == [0, 1, 2].map(|place| pool.user_at(0, place)));
        assert_eq!(pool.filled(), None);
        // A batch that is under way takes nobody, whoever has left it.
        pool.connections[0].state = State::Busy;
        assert!(!pool.leave(0, 0));
        assert_eq!(pool.next_for(0), None);
        assert!(!pool.leave(0, 2) && pool.leave(0, 1));
        pool.connections[0].state = State::Idle;
        assert_eq!(pool.next_for(0), Some(6));
        pool.join(0, 6);
        assert_eq!(pool.next_for(0), None);
        // It is filled until the turn is over.
        assert_eq!(pool.acquire(7), Some(0));
        assert_eq!(pool.filled(), Some(0));
        assert_eq!(pool.acquire(8), None);
        assert_eq!(pool.next_for(0), Some(8), "it has not been sent yet");
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
