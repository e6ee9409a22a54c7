//! Which user gets which connection: slots, the stack of free ones, the waiting line, and the pause after a failed attempt.

use super::batch::Batches;
use super::connection::{Connection, NO_USER, State};
use super::line::Line;

/// First pause after a failed attempt to open a connection; it doubles with each further one.
pub const BACKOFF_NS_MIN: u64 = 10_000_000;
/// Longest such pause: a server that is back gets traffic again within a second of it.
pub const BACKOFF_NS_MAX: u64 = 500_000_000;
const _: () = assert!(BACKOFF_NS_MAX < 1_000_000_000);

/// The connections of one shard. Each target has the same number of slots, one target's after the other's.
pub struct Pool {
    /// By slot.
    pub connections: Vec<Connection>,
    /// The users behind the first one of each slot.
    batches: Batches,
    /// Slots of each target.
    slots_each: u32,
    /// By target.
    lanes: Vec<Lane>,
    sharing: Sharing,
}

/// How users share connections.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sharing {
    /// Not at all: user n has slot n of each target, as with Locust. A connection idles with its user.
    PerUser,
    /// All users share the slots.
    Shared,
}

/// What the slots of one target have for users; unused where each user has its own.
struct Lane {
    /// Slots that got users in this turn and have room for more, so that requests leave together. The last one is
    /// filled first. The waiting line is empty while there is one.
    filling: Vec<u32>,
    /// Slots without a request. The one used last is on top: it is in the caches, and the others may idle.
    free: Vec<u32>,
    /// Users for which no slot was free.
    waiting: Line,
}

impl Pool {
    /// One slot for each user and target.
    pub fn per_user(users: usize, targets: usize) -> Self {
        let lane = |_| Lane {
            filling: Vec::new(),
            free: Vec::new(),
            waiting: Line::default(),
        };
        Self {
            connections: slots(users * targets),
            batches: Batches::new(users * targets, 1),
            slots_each: users as u32,
            lanes: (0..targets).map(lane).collect(),
            sharing: Sharing::PerUser,
        }
    }

    /// `count` slots for each target and up to `users` users, up to `depth` of them on each slot at once.
    pub fn shared(count: usize, targets: usize, users: usize, depth: usize) -> Self {
        let lane = |target: usize| Lane {
            filling: Vec::with_capacity(count * (depth - 1).min(1)),
            free: (0..count)
                .rev()
                .map(|slot| (target * count + slot) as u32)
                .collect(),
            waiting: Line::new(users),
        };
        Self {
            connections: slots(count * targets),
            batches: Batches::new(count * targets, depth),
            slots_each: count as u32,
            lanes: (0..targets).map(lane).collect(),
            sharing: Sharing::Shared,
        }
    }

    /// The number of targets.
    pub fn targets(&self) -> usize {
        self.lanes.len()
    }

    /// The target of a slot.
    pub fn target_of(&self, slot: u32) -> usize {
        (slot / self.slots_each) as usize
    }

    /// The number of a slot among those of its target.
    pub fn place_of(&self, slot: u32) -> usize {
        (slot % self.slots_each) as usize
    }

    /// Puts a user on a slot of a target, whatever the state of its connection, and returns the slot. Without one, the user
    /// joins the line of the target.
    pub fn acquire(&mut self, user: u32, target: u16) -> Option<u32> {
        let slot = match self.sharing {
            Sharing::PerUser => u32::from(target) * self.slots_each + user,
            Sharing::Shared => {
                let lane = &mut self.lanes[usize::from(target)];
                match lane.filling.last().copied().or_else(|| lane.free.pop()) {
                    Some(slot) => slot,
                    None => {
                        lane.waiting.push(user);
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
        let depth = self.batches.depth();
        if depth == 1 {
            return;
        }
        let carried = self.carried(slot);
        let target = self.target_of(slot);
        let filling = &mut self.lanes[target].filling;
        if carried == depth {
            // The slot that is filled is the last one, as a rule.
            if let Some(at) = filling.iter().rposition(|&filling| filling == slot) {
                filling.remove(at);
            }
        } else if carried == 1 {
            filling.push(slot);
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
        let next = match self.sharing {
            Sharing::PerUser => None,
            Sharing::Shared => self.leave_line(self.target_of(slot)),
        };
        if next.is_none() {
            self.set_free(slot);
        }
        next
    }

    /// Makes a slot free if no user is on it.
    pub fn set_free(&mut self, slot: u32) {
        if self.sharing == Sharing::Shared && self.connections[slot as usize].user == NO_USER {
            let target = self.target_of(slot);
            self.lanes[target].free.push(slot);
        }
    }

    /// Takes a free slot of a target if there are users in its line; the caller then fills it by [`Pool::next_for`].
    pub fn free_for_line(&mut self, target: usize) -> Option<u32> {
        let lane = &mut self.lanes[target];
        match lane.waiting.first() {
            Some(_) => lane.free.pop(),
            None => None,
        }
    }

    /// Takes a slot that was being filled: it takes no more users.
    pub fn filled(&mut self) -> Option<u32> {
        self.lanes.iter_mut().find_map(|lane| lane.filling.pop())
    }

    /// The slots that a user has for itself, one of each target.
    pub fn own_slots(&self, user: u32) -> impl Iterator<Item = u32> + use<> {
        let (targets, each) = match self.sharing {
            Sharing::PerUser => (self.lanes.len() as u32, self.slots_each),
            Sharing::Shared => (0, 0),
        };
        (0..targets).map(move |target| target * each + user)
    }

    /// Free slots, where slots are shared.
    pub fn free_slots(&self) -> Option<usize> {
        let free = self.lanes.iter().map(|lane| lane.free.len());
        (self.sharing == Sharing::Shared).then(|| free.sum())
    }

    /// The users in the waiting lines, in order.
    pub fn line(&self) -> impl Iterator<Item = u32> {
        self.lanes.iter().flat_map(|lane| lane.waiting.iter())
    }

    /// The waiting line of a target; empty where each user has its own slots.
    pub fn line_ref(&self, target: usize) -> &Line {
        &self.lanes[target].waiting
    }

    /// The same line, to remove users anywhere in it.
    pub fn line_mut(&mut self, target: usize) -> &mut Line {
        &mut self.lanes[target].waiting
    }

    /// Takes the first user out of a target's line.
    pub fn leave_line(&mut self, target: usize) -> Option<u32> {
        self.lanes[target].waiting.pop()
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
