//! The waiting line: users for which no connection is free, first come, first served. Some leave it early.
//!
//! 1. The line is a ring of users. Users with an expired time limit can be anywhere in it, since steps have time limits of
//!    their own.
//! 2. A sweep ([`Line::sweep`]) visits each user once and closes up those that stay, within the ring.
//! 3. A sweep is done in parts of a bounded number of visits, one per turn. Between two parts the ring holds users that
//!    stay, then a gap, then users that were not visited yet. The line is in use meanwhile: its first user is before the
//!    gap if there is one there, and new users join at the end.
//!
//! Searching the whole line for each user that left made turns of 3 s with 80,000 users; a sweep costs about 20 ns for
//! each user.

use std::collections::VecDeque;

/// Users in the order in which they came.
#[derive(Debug, Default)]
pub struct Line {
    // INVARIANT: the line is the users before `kept` and those from `unvisited` on; `kept <= unvisited`, and both are 0
    // between two sweeps.
    users: VecDeque<u32>,
    kept: usize,
    unvisited: usize,
    /// A sweep has begun and is not over.
    is_being_swept: bool,
}

impl Line {
    /// A line with room for `users_max` users.
    pub fn new(users_max: usize) -> Self {
        Self {
            users: VecDeque::with_capacity(users_max),
            kept: 0,
            unvisited: 0,
            is_being_swept: false,
        }
    }

    /// A user joins at the end. Each is in the line at most once.
    pub fn push(&mut self, user: u32) {
        // The gap is free room: a ring full of users and gap would grow without this.
        if self.users.len() == self.users.capacity() {
            self.close_gap();
        }
        self.users.push_back(user);
    }

    /// The user that has been in the line longest.
    pub fn first(&self) -> Option<u32> {
        let at = if self.kept > 0 { 0 } else { self.unvisited };
        self.users.get(at).copied()
    }

    /// Removes and returns the first user.
    pub fn pop(&mut self) -> Option<u32> {
        if self.kept > 0 {
            self.kept -= 1;
        } else {
            self.users.drain(..self.unvisited);
            self.unvisited = 0;
        }
        let first = self.users.pop_front();
        self.unvisited = self.unvisited.saturating_sub(1);
        first
    }

    /// All users, in order.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        let (kept, rest) = (
            self.users.range(..self.kept),
            self.users.range(self.unvisited..),
        );
        kept.chain(rest).copied()
    }

    /// Whether a sweep has begun and is not over.
    pub fn is_being_swept(&self) -> bool {
        self.is_being_swept
    }

    /// Continues a sweep, or begins one. Visits up to `visits_max` users and removes those for which `leaves` is true, up
    /// to `leaving_max`. Returns whether the sweep is over.
    pub fn sweep(
        &mut self,
        visits_max: usize,
        leaving_max: usize,
        mut leaves: impl FnMut(u32) -> bool,
    ) -> bool {
        let mut left = 0;
        for _ in 0..visits_max {
            if left == leaving_max || self.unvisited == self.users.len() {
                break;
            }
            let user = self.users[self.unvisited];
            self.unvisited += 1;
            if leaves(user) {
                left += 1;
            } else {
                self.users[self.kept] = user;
                self.kept += 1;
            }
        }
        let is_over = self.unvisited == self.users.len();
        self.is_being_swept = !is_over;
        if is_over {
            self.users.truncate(self.kept);
            (self.kept, self.unvisited) = (0, 0);
        }
        is_over
    }

    /// Ends the sweep without further visits: the users behind the gap move up.
    fn close_gap(&mut self) {
        self.users.drain(self.kept..self.unvisited);
        self.unvisited = self.kept;
    }
}

#[cfg(test)]
mod tests;
