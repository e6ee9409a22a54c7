//! Which user gets which connection: slots, the stack of free ones, the waiting line, and the pause after a failed attempt.

use super::batch::Batches;
use super::connection::{Connection, NO_USER, State};
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
    /// The users behind the first one of each slot.
    batches: Batches,
    /// Slots that got users in this turn and have room for more, so that requests leave together. The last one is
    /// filled first. The waiting line is empty while there is one.
    filling: Vec<u32>,
    sharing: Sharing,
}

/// How users share connections.
enum Sharing {
    /// Not at all: user n has slot n, as with Locust. A connection idles with its user.
    PerUser,
    /// All users share the slots.
    Shared {
        /// Slots without a request. The one used last is on top: it is in the caches, and the others may idle.
        free: Vec<u32>,
        /// Users for which no slot was free.
        waiting: Line,
    },
}

impl Pool {
    /// One slot for each user.
    pub fn per_user(users: usize) -> Self {
        Self {
            connections: slots(users),
            batches: Batches::new(users, 1),
            filling: Vec::new(),
            sharing: Sharing::PerUser,
        }
    }

    /// `count` slots for up to `users` users, up to `depth` of them on each slot at once.
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

    /// Puts a user on a slot, whatever the state of its connection, and returns the slot. Without one, the user joins the
    /// line.
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
        if connection.user == NO_USER {
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

    /// Takes a user off its slot. Returns whether it was the last one there.
    pub fn leave(&mut self, slot: u32, user: u32) -> bool {
        let connection = &mut self.connections[slot as usize];
        if connection.user == user {
            connection.user = self.batches.pop(slot).unwrap_or(NO_USER);
        } else {
            let mut behind = self.batches.behind(slot).iter();
            let at = behind.position(|&behind| behind == user);
            self.batches
                .remove(slot, at.expect("a user that leaves a slot was on it"));
        }
        connection.user == NO_USER
    }

    /// The user at this place of a slot, in the order of their requests. The place must be below [`Pool::carried`].
    pub fn user_at(&self, slot: u32, place: usize) -> u32 {
        match place {
            0 => self.connections[slot as usize].user,
            place => self.batches.behind(slot)[place - 1],
        }
    }

    /// Users on a slot.
    pub fn carried(&self, slot: u32) -> usize {
        let is_used = self.connections[slot as usize].user != NO_USER;
        usize::from(is_used) + self.batches.behind(slot).len()
    }

    /// Whether a slot can take another user before it sends.
    pub fn has_room(&self, slot: u32) -> bool {
        let state = self.connections[slot as usize].state;
        let takes = !matches!(state, State::Busy | State::BackingOff);
        takes && self.carried(slot) < self.batches.depth()
    }

    /// Takes the first user out of the line, to [`Pool::join`] a slot with room. If the line is empty, a slot without a
    /// user becomes free.
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

    /// Makes a slot free if no user is on it.
    pub fn set_free(&mut self, slot: u32) {
        if let Sharing::Shared { free, .. } = &mut self.sharing
            && self.connections[slot as usize].user == NO_USER
        {
            free.push(slot);
        }
    }

    /// Takes a free slot if there are users in the line; the caller then fills it by [`Pool::next_for`].
    pub fn free_for_line(&mut self) -> Option<u32> {
        match &mut self.sharing {
            Sharing::Shared { free, waiting } if waiting.first().is_some() => free.pop(),
            _ => None,
        }
    }

    /// Takes a slot that was being filled: it takes no more users.
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

    /// Free slots, where slots are shared.
    pub fn free_slots(&self) -> Option<usize> {
        match &self.sharing {
            Sharing::PerUser => None,
            Sharing::Shared { free, .. } => Some(free.len()),
        }
    }

    /// The users in the waiting line, in order.
    pub fn line(&self) -> impl Iterator<Item = u32> {
        let line = match &self.sharing {
            Sharing::PerUser => None,
            Sharing::Shared { waiting, .. } => Some(waiting.iter()),
        };
        line.into_iter().flatten()
    }

    /// The waiting line, where slots are shared.
    pub fn line_ref(&self) -> Option<&Line> {
        match &self.sharing {
            Sharing::PerUser => None,
            Sharing::Shared { waiting, .. } => Some(waiting),
        }
    }

    /// The waiting line, to remove users anywhere in it.
    pub fn line_mut(&mut self) -> Option<&mut Line> {
        match &mut self.sharing {
            Sharing::PerUser => None,
            Sharing::Shared { waiting, .. } => Some(waiting),
        }
    }

    /// The user that has been in the line longest.
    pub fn first_in_line(&self) -> Option<u32> {
        match &self.sharing {
            Sharing::PerUser => None,
            Sharing::Shared { waiting, .. } => waiting.first(),
        }
    }

    /// Takes the first user out of the line.
    pub fn leave_line(&mut self) -> Option<u32> {
        match &mut self.sharing {
            Sharing::PerUser => None,
            Sharing::Shared { waiting, .. } => waiting.pop(),
        }
    }
}

/// Pause in nanoseconds after the `refusals`-th failed attempt in a row. It doubles with each attempt, and is drawn
/// between half and the whole of that, so that a thousand connections do not come back at once. `random` is any draw.
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
mod tests;
