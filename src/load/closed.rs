//! How many users there are at each moment, and how much each of them does: computed from a user's number, so that nothing drifts.
//!
//! The number of users is a line through points. User n is there while the line is above n, so that the one who came
//! last leaves first; when the line comes up again, another user takes its place.

use super::deal::Deal;
use super::pieces::Pieces;

const SECOND_NS: u64 = 1_000_000_000;

/// A closed load: users who wait for their answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Closed {
    /// Users at the peak.
    pub users: u64,
    /// Stretches of time in which users come or leave, in order.
    pieces: Pieces<Piece>,
    /// Passes of the work loop in all, if bounded.
    pub iterations: Option<u64>,
}

/// A point that the number of users goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Users then.
    pub users: u64,
    /// From the point before it, in a straight line; 0 for a jump.
    pub after_ns: u64,
}

/// So many users, then some more every so often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Staircase {
    /// Users at the start.
    pub from: u64,
    /// More with each step.
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
    /// The first one comes at its beginning (else one interval later, so that the last one comes at its end).
    at_once: bool,
}

/// A user comes or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// When, after the start.
    pub at_ns: u64,
    /// Which one.
    pub user: u64,
    /// It comes; else it goes.
    pub comes: bool,
}

impl Piece {
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
    /// So many users, so many of them per second (Locust's spawn rate), until they are all there.
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
            pieces: Pieces::fixed(vec![piece]),
            iterations: None,
        }
    }

    /// Nobody, until [`Closed::steer`] says otherwise; never more than `users_max`.
    pub fn steered(users_max: u64) -> Self {
        Self {
            users: users_max,
            pieces: Pieces::steered(Vec::new()),
            iterations: None,
        }
    }

    /// From `begin_ns` on, and within `length_ns`, the number of users becomes `users`. The moment must not have come
    /// yet, nor lie within the change before. `false` when the load is not steered, or has been changed too often.
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

    /// Changes may come that are not decided yet.
    pub fn is_steered(&self) -> bool {
        self.pieces.are_steered()
    }

    /// Users may leave while it lasts, so that others come in their places.
    pub fn may_shrink(&self) -> bool {
        let shrinks = |piece: &Piece| piece.to < piece.from;
        self.is_steered() || self.pieces.fixed.iter().any(shrinks)
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
        Self {
            users: points.iter().map(|point| point.users).max().unwrap_or(0),
            pieces: Pieces::fixed(pieces),
            iterations: None,
        }
    }

    /// The same with a bounded number of passes of the work loop, all users together.
    pub fn with_iterations(self, iterations: Option<u64>) -> Self {
        Self { iterations, ..self }
    }

    /// Stretches in which the number of users stays, as (begin, end) after the start; the last one has no end.
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

    /// How many users have come by a time and not been told to leave. That of the end itself is not there any more.
    pub fn users_at(&self, at_ns: u64) -> u64 {
        let begun = self.pieces.fixed.iter();
        let begun = begun.take_while(|piece| piece.begin_ns < at_ns);
        begun.last().map_or(0, |piece| {
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

    /// How many users there can be at once: no more than there are iterations to do.
    pub fn users_at_once(&self) -> u64 {
        self.iterations
            .map_or(self.users, |all| all.min(self.users))
    }

    /// The first moment after which the number of users stays.
    pub fn settled_ns(&self) -> u64 {
        self.pieces
            .fixed
            .last()
            .map_or(0, |last| last.begin_ns + last.length_ns)
    }

    /// A user's share of the iterations: all alike, the first ones one more when they do not divide evenly.
    pub fn iterations_of(&self, user: u64) -> Option<u32> {
        let all = self.iterations?;
        let extra = u64::from(user < all % self.users);
        Some(u32::try_from(all / self.users + extra).unwrap_or(u32::MAX - 1))
    }

    /// Who comes and goes among the users of one shard, in order of time.
    pub fn changes(&self, deal: Deal, shard: usize) -> Changes {
        Changes {
            deal,
            shard,
            piece: 0,
            nth: 0,
        }
    }
}

impl Staircase {
    /// As points.
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

/// Where one shard stands among the changes of a load.
#[derive(Clone, Copy, Debug)]
pub struct Changes {
    deal: Deal,
    shard: usize,
    piece: usize,
    nth: u64,
}

impl Changes {
    /// The next change.
    pub fn peek(&mut self, load: &Closed) -> Option<Change> {
        loop {
            let piece = load.pieces.get(self.piece)?;
            if self.nth >= piece.to.abs_diff(piece.from) {
                self.piece += 1;
                self.nth = 0;
                continue;
            }
            let change = piece.change(self.nth);
            let is_ours = self.deal.shard_of(change.user) == self.shard;
            // Its share of the iterations is none.
            let has_nothing_to_do = load.iterations_of(change.user) == Some(0);
            if is_ours && !has_nothing_to_do {
                return Some(change);
            }
            self.nth += 1;
        }
    }

    /// Goes on behind it.
    pub fn advance(&mut self) {
        self.nth += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(load: &Closed, shard: usize, shards: usize) -> Vec<Change> {
        let mut changes = load.changes(Deal::new(load.users, load.users, shards), shard);
        let mut all = Vec::new();
        while let Some(change) = changes.peek(load) {
            all.push(change);
            changes.advance();
        }
        all
    }

    fn points(points: &[(u64, u64)]) -> Closed {
        let points = points.iter().map(|&(users, after_s)| Point {
            users,
            after_ns: after_s * SECOND_NS,
        });
        Closed::through(&points.collect::<Vec<_>>())
    }

    #[test]
    fn a_spawn_rate_is_kept_to_the_nanosecond() {
        let load = Closed::at_rate(50, 10.0);
        let times: Vec<u64> = changes(&load, 0, 1)
            .iter()
            .map(|change| change.at_ns)
            .collect();
        assert_eq!(times[..4], [0, 100_000_000, 200_000_000, 300_000_000]);
        assert_eq!((times.len(), load.settled_ns()), (50, 5 * SECOND_NS));
        assert_eq!(load.iterations_of(0), None);
    }

    #[test]
    fn a_ramp_begins_with_some_users_and_ends_with_all() {
        let load = points(&[(10, 0), (100, 180)]);
        let all = changes(&load, 0, 1);
        let at_ns = |user: usize| all[user].at_ns;
        assert_eq!((at_ns(0), at_ns(9)), (0, 900_000_000));
        assert_eq!(at_ns(54), SECOND_NS + 179 * SECOND_NS * 45 / 90);
        assert_eq!(at_ns(99), 180 * SECOND_NS);
    }

    /// How many there are at a time, by the changes.
    fn users_at(all: &[Change], at_s: f64) -> i64 {
        let until = all
            .iter()
            .filter(|change| change.at_ns as f64 <= at_s * 1e9);
        until.map(|change| if change.comes { 1 } else { -1 }).sum()
    }

    #[test]
    fn the_number_of_users_follows_the_line_up_and_down_on_every_shard() {
        let load = points(&[(100, 10), (100, 5), (20, 10), (60, 0), (60, 5), (0, 2)]);
        assert_eq!(load.users, 100);
        for shards in [1, 3, 7] {
            let mut all: Vec<Change> = (0..shards)
                .flat_map(|shard| {
                    let of_shard = changes(&load, shard, shards);
                    assert!(of_shard.is_sorted_by_key(|change| change.at_ns));
                    of_shard
                })
                .collect();
            all.sort_by_key(|change| change.at_ns);
            for (at_s, users) in [
                (5.0, 50),
                (10.0, 100),
                (14.9, 100),
                (20.0, 60),
                (25.0, 21),
                (26.0, 60),
                (31.0, 30),
                (33.0, 0),
            ] {
                assert_eq!(
                    users_at(&all, at_s),
                    users,
                    "at {at_s} s on {shards} shards"
                );
            }
            let mut present = [false; 100];
            for change in all {
                let seat = &mut present[change.user as usize];
                assert_ne!(*seat, change.comes, "{change:?}");
                *seat = change.comes;
            }
        }
    }

    #[test]
    fn levels_are_where_the_number_of_users_stays() {
        let s = |all: &[(u64, u64)]| -> Vec<(u64, u64)> {
            let ends = all.iter();
            ends.map(|&(a, b)| (a * SECOND_NS, b.saturating_mul(SECOND_NS)))
                .collect()
        };
        let stairs = points(&[(10, 0), (10, 20), (20, 10), (20, 30), (5, 5)]);
        assert_eq!(stairs.levels(), s(&[(1, 20), (30, 60), (65, u64::MAX)]));
        assert_eq!(Closed::at_rate(50, 10.0).levels(), s(&[(5, u64::MAX)]));
    }

    #[test]
    fn how_many_users_there_are_is_known_beforehand() {
        let load = points(&[(100, 10), (100, 5), (20, 10), (60, 0), (60, 5)]);
        let all = changes(&load, 0, 1);
        for at_s in [0.05, 0.55, 5.05, 9.95, 12.05, 20.07, 24.97, 25.51, 30.0] {
            let expected = users_at(&all, at_s) as u64;
            assert_eq!(load.users_at((at_s * 1e9) as u64), expected, "{at_s}");
        }
        // Two a second: the second one comes with the end of the first half second.
        let ramp = Closed::at_rate(10, 2.0);
        let of = [1, 500_000_000, 500_000_001, 60 * SECOND_NS];
        assert_eq!(of.map(|at_ns| ramp.users_at(at_ns)), [1, 1, 2, 10]);
    }

    #[test]
    fn a_steered_load_follows_what_is_decided_while_it_runs() {
        let load = Closed::steered(100);
        for shards in [1, 3] {
            assert!((0..shards).all(|shard| changes(&load, shard, shards).is_empty()));
        }
        let mut first_of_three = load.changes(Deal::new(100, 100, 3), 0);
        assert_eq!(first_of_three.peek(&load), None);
        assert!(load.steer(SECOND_NS, SECOND_NS, 6));
        let next = first_of_three.peek(&load).expect("it is decided");
        assert_eq!((next.at_ns, next.user, next.comes), (SECOND_NS, 0, true));
        assert!(load.steer(10 * SECOND_NS, SECOND_NS, 2) && load.steer(20 * SECOND_NS, 0, 500));
        let mut all: Vec<Change> = (0..3).flat_map(|shard| changes(&load, shard, 3)).collect();
        all.sort_by_key(|change| change.at_ns);
        for (at_s, users) in [(0.5, 0), (1.4, 3), (9.0, 6), (11.0, 2), (20.0, 100)] {
            assert_eq!(users_at(&all, at_s), users, "at {at_s} s");
        }
        assert!(!Closed::at_rate(1, 1.0).steer(0, 0, 1));
    }

    #[test]
    fn a_staircase_has_its_steps() {
        let stairs = Staircase {
            from: 300,
            step: 50,
            every_ns: 300 * SECOND_NS,
            users_max: 400,
        };
        let load = Closed::through(&stairs.points());
        let all = changes(&load, 0, 1);
        for (at_s, users) in [
            (1.0, 300),
            (299.0, 300),
            (301.0, 350),
            (599.0, 350),
            (602.0, 400),
        ] {
            assert_eq!(users_at(&all, at_s), users, "at {at_s}");
        }
        assert_eq!(load.users, 400);
    }

    #[test]
    fn iterations_are_shared_out_completely() {
        for (users, all) in [(50, 100), (7, 100), (100, 7), (3, 3)] {
            let load = Closed::at_rate(users, 1.0).with_iterations(Some(all));
            let shares =
                (0..users).map(|user| u64::from(load.iterations_of(user).expect("bounded")));
            assert_eq!(shares.clone().sum::<u64>(), all);
            let busy = shares.filter(|&share| share > 0).count() as u64;
            assert_eq!(busy, load.users_at_once());
            assert_eq!(changes(&load, 0, 1).len() as u64, busy);
        }
    }
}
