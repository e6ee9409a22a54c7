//! A closed load: how many users there are at each moment, and how many iterations each of them does. Computed from a
//! user's number, so that nothing drifts.
//!
//! The number of users is a line through points. User n is present while the line is above n, so that the last to come is
//! the first to leave. When the line rises again, another user takes its place.

use super::deal::Deal;
use super::part::Part;
use super::pieces::Pieces;

const SECOND_NS: u64 = 1_000_000_000;

/// A closed load.
#[derive(Clone, Debug, PartialEq)]
pub struct Closed {
    /// Users at the peak of the line.
    pub users: u64,
    /// Most users that there is room for: those of the peak, or more where orders may ask for more.
    room: u64,
    /// Stretches of time in which users come or leave, in order.
    pieces: Pieces<Piece>,
    /// Iterations of all users together, if bounded.
    pub iterations: Option<u64>,
    /// The part of it that this process makes. Users and iterations are those of all parts.
    pub part: Part,
}

/// A point of the line of users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Users at the point.
    pub users: u64,
    /// Time from the point before it, over which the number changes in a straight line; 0 for a jump.
    pub after_ns: u64,
}

/// A number of users that grows in equal steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Staircase {
    /// Users at the start.
    pub from: u64,
    /// Users added with each step.
    pub step: u64,
    /// Length of a step.
    pub every_ns: u64,
    /// Most users.
    pub users_max: u64,
}

/// A stretch in which the number of users changes evenly.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Piece {
    begin_ns: u64,
    length_ns: u64,
    from: u64,
    to: u64,
    /// The first user comes at its beginning; else one interval later, so that the last one comes at its end.
    at_once: bool,
}

/// A user comes or leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Time after the start.
    pub at_ns: u64,
    /// The user's number.
    pub user: u64,
    /// The user comes; else it leaves.
    pub comes: bool,
}

impl Piece {
    /// The change of its nth user.
    fn change(&self, nth: u64) -> Change {
        let comes = self.to > self.from;
        let all = self.to.abs_diff(self.from);
        let passed = u128::from(nth + u64::from(!self.at_once)) * u128::from(self.length_ns);
        Change {
            at_ns: self.begin_ns + (passed / u128::from(all)) as u64,
            user: match comes {
                true => self.from + nth,
                false => self.from - 1 - nth,
            },
            comes,
        }
    }
}

impl Closed {
    /// A number of users, of which `per_second` come each second (Locust's spawn rate) until all are present.
    pub fn at_rate(users: u64, per_second: f64) -> Self {
        let length_ns = (users as f64 * SECOND_NS as f64 / per_second) as u64;
        let piece = Piece {
            begin_ns: 0,
            length_ns,
            from: 0,
            to: users,
            at_once: true,
        };
        Self {
            users,
            room: users,
            pieces: Pieces::fixed(vec![piece]),
            iterations: None,
            part: Part::WHOLE,
        }
    }

    /// No user until [`Closed::steer`] changes that; never more than `users_max`.
    pub fn steered(users_max: u64) -> Self {
        Self {
            users: users_max,
            room: users_max,
            pieces: Pieces::steered(Vec::new()),
            iterations: None,
            part: Part::WHOLE,
        }
    }

    /// Changes the number of users to `users` within `length_ns` from `begin_ns` on, which must lie in the future and
    /// after the change before. `false` when the load is not steered, or has been changed too often.
    pub fn steer(&self, begin_ns: u64, length_ns: u64, users: u64) -> bool {
        let from = self.pieces.last().map_or(0, |last| last.to);
        self.pieces.push(Piece {
            begin_ns,
            length_ns,
            from,
            to: users.min(self.users),
            at_once: true,
        })
    }

    /// The same load, whose rest an order may replace while the run lasts, with room for `users_max` users, or for those
    /// of its peak if they are more. A load with a bounded number of iterations stays as it is.
    pub fn replaceable(self, users_max: u64) -> Self {
        match self.iterations {
            Some(_) => self,
            None => Self {
                room: users_max.max(self.users),
                pieces: Pieces::replaceable(self.pieces.fixed),
                ..self
            },
        }
    }

    /// Replaces the line from `begin_ns` on, which must lie in the future and after the order before: the number of users
    /// goes to `users` within `length_ns` and stays there. Returns that number, lowered to what there is room for;
    /// `None` when the load takes no orders, or took too many.
    pub fn replace_rest(&self, begin_ns: u64, length_ns: u64, users: u64) -> Option<u64> {
        let to = users.min(self.room);
        let piece = Piece {
            begin_ns,
            length_ns,
            from: self.users_at(begin_ns),
            to,
            at_once: true,
        };
        let is_taken = self.takes_orders() && self.pieces.push(piece);
        is_taken.then_some(to)
    }

    /// Whether orders may replace the rest of the line.
    pub fn takes_orders(&self) -> bool {
        self.pieces.are_replaceable()
    }

    /// Whether an order has replaced the rest of the line.
    pub fn has_orders(&self) -> bool {
        self.takes_orders() && self.pieces.is_decided(0)
    }

    /// Whether its course is decided while the run lasts.
    pub fn is_steered(&self) -> bool {
        self.pieces.are_steered()
    }

    /// Whether users may leave before its end, so that others may take their places.
    pub fn may_shrink(&self) -> bool {
        let shrinks = |piece: &Piece| piece.to < piece.from;
        self.is_steered() || self.takes_orders() || self.pieces.fixed.iter().any(shrinks)
    }

    /// A line through points. A jump is spread over a second, or over the stretch after it when that is shorter.
    pub fn through(points: &[Point]) -> Self {
        let mut pieces = Vec::new();
        let (mut at_ns, mut users) = (0, 0);
        for (index, point) in points.iter().enumerate() {
            let next_ns = points
                .get(index + 1)
                .map_or(SECOND_NS, |next| next.after_ns);
            let is_jump = point.after_ns == 0;
            if point.users != users {
                pieces.push(Piece {
                    begin_ns: at_ns,
                    length_ns: match is_jump {
                        true => next_ns.min(SECOND_NS),
                        false => point.after_ns,
                    },
                    from: users,
                    to: point.users,
                    at_once: is_jump,
                });
            }
            at_ns += point.after_ns;
            users = point.users;
        }
        // Where a jump's second reaches into the next stretch, that one begins when the jump is done.
        for index in 1..pieces.len() {
            let before_ends_ns = pieces[index - 1].begin_ns + pieces[index - 1].length_ns;
            let piece = &mut pieces[index];
            let late_ns = before_ends_ns.saturating_sub(piece.begin_ns);
            piece.begin_ns += late_ns;
            piece.length_ns = piece.length_ns.saturating_sub(late_ns);
        }
        let users = points.iter().map(|point| point.users).max().unwrap_or(0);
        Self {
            users,
            room: users,
            pieces: Pieces::fixed(pieces),
            iterations: None,
            part: Part::WHOLE,
        }
    }

    /// The same load with a bounded number of iterations, of all users together.
    pub fn with_iterations(self, iterations: Option<u64>) -> Self {
        Self { iterations, ..self }
    }

    /// Stretches with a constant number of users, as (beginning, end) after the start; the last one is open.
    pub fn levels(&self) -> Vec<(u64, u64)> {
        let mut levels = Vec::new();
        let mut begin_ns = 0;
        for piece in &self.pieces.fixed {
            levels.push((begin_ns, piece.begin_ns));
            begin_ns = piece.begin_ns + piece.length_ns;
        }
        levels.push((begin_ns, u64::MAX));
        levels.retain(|(begin_ns, end_ns)| begin_ns < end_ns);
        levels
    }

    /// Number of users whose time to come lies before a moment, less those whose time to leave does.
    pub fn users_at(&self, at_ns: u64) -> u64 {
        let begun = self.pieces.last_begun(at_ns, |piece| piece.begin_ns);
        begun.map_or(0, |piece| {
            let all = piece.to.abs_diff(piece.from);
            let (mut done, mut open) = (0, all);
            while done < open {
                let middle = done + (open - done) / 2;
                match piece.change(middle).at_ns < at_ns {
                    true => done = middle + 1,
                    false => open = middle,
                }
            }
            match piece.to > piece.from {
                true => piece.from + done,
                false => piece.from - done,
            }
        })
    }

    /// Most users that there is room for at once.
    pub fn room(&self) -> u64 {
        self.iterations.map_or(self.room, |all| all.min(self.room))
    }

    /// Most users at once, by the line: no more than there are iterations to do.
    pub fn users_at_once(&self) -> u64 {
        self.iterations
            .map_or(self.users, |all| all.min(self.users))
    }

    /// The moment after which the number of users is constant.
    pub fn settled_ns(&self) -> u64 {
        self.pieces
            .fixed
            .last()
            .map_or(0, |last| last.begin_ns + last.length_ns)
    }

    /// A user's share of the iterations: equal shares, and one more for the first users when they do not divide evenly.
    pub fn iterations_of(&self, user: u64) -> Option<u32> {
        let all = self.iterations?;
        let extra = u64::from(user < all % self.users);
        Some(u32::try_from(all / self.users + extra).unwrap_or(u32::MAX - 1))
    }

    /// The changes among the users of one shard, in order of time.
    pub fn changes(&self, deal: Deal, shard: usize) -> Changes {
        Changes {
            deal,
            shard,
            piece: 0,
            nth: 0,
            later_seen: 0,
        }
    }
}

impl Staircase {
    /// The points of its line.
    pub fn points(&self) -> Vec<Point> {
        let mut points = Vec::new();
        let mut users = self.from;
        while users <= self.users_max && points.len() < STEPS_MAX {
            points.push(Point { users, after_ns: 0 });
            points.push(Point {
                users,
                after_ns: self.every_ns,
            });
            users += self.step;
        }
        points
    }
}

/// Most points of a staircase.
const STEPS_MAX: usize = 20_000;

/// One shard's position in the changes of a load.
#[derive(Clone, Copy, Debug)]
pub struct Changes {
    deal: Deal,
    shard: usize,
    piece: usize,
    nth: u64,
    /// Stretches decided during the run that [`Changes::peek`] has taken into account.
    later_seen: usize,
}

impl Changes {
    /// The next change among the shard's users; `None` when no more is decided.
    pub fn peek(&mut self, load: &Closed) -> Option<Change> {
        while self.is_outdated(load) {
            self.later_seen += 1;
        }
        loop {
            let piece = load.pieces.get(self.piece)?;
            let next = load.pieces.next(self.piece, |piece| piece.begin_ns);
            let is_through = self.nth >= piece.to.abs_diff(piece.from);
            let change = (!is_through).then(|| piece.change(self.nth));
            // An order's piece replaces what would have come at its beginning or later.
            let stays = |change: &Change| {
                next.is_none_or(|(index, next)| {
                    !load.pieces.is_later(index) || change.at_ns < next.begin_ns
                })
            };
            let Some(change) = change.filter(stays) else {
                (self.piece, self.nth) = (next?.0, 0);
                continue;
            };
            let is_ours = self.deal.is_of(change.user, self.shard);
            // A user without a share of the iterations never comes.
            let has_nothing_to_do = load.iterations_of(change.user) == Some(0);
            if is_ours && !has_nothing_to_do {
                return Some(change);
            }
            self.nth += 1;
        }
    }

    /// Moves past that change.
    pub fn advance(&mut self) {
        self.nth += 1;
    }

    /// Whether stretches were decided that the last look did not know.
    pub fn is_outdated(&self, load: &Closed) -> bool {
        load.pieces.is_decided(self.later_seen)
    }
}

#[cfg(test)]
mod tests;
