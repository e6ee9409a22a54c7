//! The waiting line: users for whom no connection is free, first come, first served. Some leave it early.
//!
//! 1. The line is a ring of users. Whose time is over may stand anywhere in it, since steps have time limits of their own.
//! 2. A pass over the line ([`Line::sweep`]) visits each user once and closes up those that stay, within the ring.
//! 3. It goes in pieces of a bounded number of visits, one per turn: between them the ring is users that stay, then a gap,
//!    then users that have not been visited. The line goes on meanwhile: its first user is before the gap, if there is
//!    one, and who comes stands at the end.
//!
//! A search through all for each user that left made turns of 3 s of 80,000 users; a pass costs about 20 ns for each.

use std::collections::VecDeque;

/// Users in the order in which they came.
#[derive(Debug, Default)]
pub struct Line {
    // INVARIANT: users of the line are those before `kept` and those from `unvisited` on; `kept <= unvisited`, and both
    // are 0 between two passes.
    users: VecDeque<u32>,
    kept: usize,
    unvisited: usize,
    /// A pass has begun and is not over.
    is_being_swept: bool,
}

impl Line {
    /// With room for so many.
    pub fn new(users_max: usize) -> Self {
        Self {
            users: VecDeque::with_capacity(users_max),
            kept: 0,
            unvisited: 0,
            is_being_swept: false,
        }
    }

    /// A user comes. Each is in the line at most once.
    pub fn push(&mut self, user: u32) {
        // The gap is room as well: a ring that is full of users and gap would grow.
        if self.users.len() == self.users.capacity() {
            self.close_gap();
        }
        self.users.push_back(user);
    }

    /// Who has stood in it longest.
    pub fn first(&self) -> Option<u32> {
        let at = if self.kept > 0 { 0 } else { self.unvisited };
        self.users.get(at).copied()
    }

    /// Takes that user out.
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

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        let (kept, rest) = (
            self.users.range(..self.kept),
            self.users.range(self.unvisited..),
        );
        kept.chain(rest).copied()
    }

    /// Whether a pass has begun and is not over.
    pub fn is_being_swept(&self) -> bool {
        self.is_being_swept
    }

    /// Goes on with a pass, or begins one, and visits up to so many users; `leaves` says whether a user goes, and may be
    /// asked until it has said so `leaving_max` times. Whether the pass is over.
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

    /// The rest of a pass with nobody leaving: those that were not visited move up.
    fn close_gap(&mut self) {
        self.users.drain(self.kept..self.unvisited);
        self.unvisited = self.kept;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(seed: &mut u64) -> u64 {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        *seed
    }

    /// The line, and a plain vector beside it whose passes are made at once, do the same.
    #[test]
    fn a_line_whose_users_leave_anywhere_agrees_with_a_plain_list() {
        const USERS: u32 = 300;
        let mut seed = 31;
        let mut line = Line::new(USERS as usize);
        let capacity = line.users.capacity();
        let mut naive: Vec<u32> = Vec::new();
        let mut outside: Vec<u32> = (0..USERS).collect();
        let (mut interrupted, mut most_in_gap) = (0, 0);
        for _ in 0..50_000 {
            match step(&mut seed) % 8 {
                0..=3 if !outside.is_empty() => {
                    let user = outside.swap_remove(step(&mut seed) as usize % outside.len());
                    line.push(user);
                    naive.push(user);
                }
                4 => {
                    assert_eq!(line.first(), naive.first().copied());
                    let first = (!naive.is_empty()).then(|| naive.remove(0));
                    assert_eq!(line.pop(), first);
                    outside.extend(first);
                }
                _ => {
                    let leaves = |user: u32, seed| (u64::from(user) * seed) % 11 < 3;
                    let key = step(&mut seed) >> 40;
                    let (visits_max, leaving_max) = (step(&mut seed) % 50, step(&mut seed) % 9);
                    let mut visited = Vec::new();
                    let is_over = line.sweep(visits_max as usize, leaving_max as usize, |user| {
                        visited.push(user);
                        leaves(user, key)
                    });
                    assert!(visited.len() as u64 <= visits_max);
                    assert_ne!(is_over, line.is_being_swept());
                    interrupted += usize::from(!is_over);
                    let left: Vec<u32> = visited
                        .into_iter()
                        .filter(|&user| leaves(user, key))
                        .collect();
                    assert!(left.len() as u64 <= leaving_max);
                    naive.retain(|user| !left.contains(user));
                    outside.extend(left);
                }
            }
            most_in_gap = most_in_gap.max(line.unvisited - line.kept);
            assert!(line.iter().eq(naive.iter().copied()));
            assert_eq!(line.first(), naive.first().copied());
        }
        assert!(
            interrupted > 1_000 && most_in_gap > 10,
            "{interrupted} {most_in_gap}"
        );
        assert_eq!(line.users.capacity(), capacity, "the ring has grown");
    }

    #[test]
    fn a_pass_visits_each_user_once_however_many_leave() {
        const USERS: u32 = 80_000;
        let mut line = Line::new(USERS as usize);
        (0..USERS).for_each(|user| line.push(user));
        let (mut visits, mut turns) = (0, 0);
        let mut is_over = false;
        while !is_over {
            is_over = line.sweep(10_000, 1_000, |user| {
                visits += 1;
                user % 2 == 0
            });
            turns += 1;
        }
        // The last user stays: it is visited after the turn that let the last 1,000 go.
        assert_eq!((visits, turns), (80_000, 41));
        assert!(line.iter().eq((0..USERS).filter(|user| user % 2 == 1)));
    }
}
