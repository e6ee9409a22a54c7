//! An open load: iterations that begin at given times, whatever the server does. Times are computed from an
//! iteration's number, so that they never drift and never burst.
//!
//! 1. The rate is a line through points; the area under it up to a time is how many iterations are due by then.
//! 2. Constant arrivals: iteration n is due when the area reaches n.
//! 3. Poisson arrivals: the area is cut into blocks of 32. How many arrivals a block has is drawn from a Poisson
//!    distribution, where they lie in it evenly; that is a Poisson process of rate 1, and the line bends it to its rate.
//! 4. Each shard takes its part of them; what all of them together are does not depend on how many shards there are.

use super::deal::Deal;
use super::pieces::Pieces;
use super::random::{Keyed, Stream};

const SECOND_NS: f64 = 1e9;
/// Expected arrivals in a block of a Poisson process.
const BLOCK: f64 = 32.0;
/// Bits of a draw that are left beside a position: they say whose arrival it is.
const OWNER_BITS: u32 = 11;
/// A block has more arrivals than this once in 10^40 times.
const BLOCK_ARRIVALS_MAX: usize = 160;

/// An open load.
#[derive(Clone, Debug, PartialEq)]
pub struct Open {
    /// How the rate goes, from the start on. After the last piece it stays.
    pieces: Pieces<Piece>,
    /// The highest rate.
    pub rate_max: f64,
    /// How arrivals lie.
    pub arrivals: Arrivals,
    /// Users at most.
    pub users_max: u64,
    /// Users that are ready before the first arrival.
    pub users_ready: u64,
}

/// How arrivals lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Arrivals {
    /// At equal distances.
    #[default]
    Constant,
    /// At random, independently of each other, as from many people who do not know each other.
    Poisson,
}

/// A point that the rate goes through.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RatePoint {
    /// Iterations per second then.
    pub rate: f64,
    /// From the point before it, in a straight line; 0 for a jump.
    pub after_ns: u64,
}

/// A stretch in which the rate changes evenly.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Piece {
    begin_ns: u64,
    /// 0 for one that goes on until the next one begins.
    length_ns: u64,
    from: f64,
    to: f64,
    /// Iterations due before it.
    before: f64,
}

impl Piece {
    /// Iterations due in its first `length_ns`.
    fn area(&self, length_ns: u64) -> f64 {
        let length_s = length_ns as f64 / SECOND_NS;
        match self.length_ns {
            0 => self.to * length_s,
            _ => (self.from + self.to) / 2.0 * length_s,
        }
    }

    /// When the area reaches `count`, which is reached in this piece.
    fn reached_ns(&self, count: f64) -> u64 {
        let rest = count - self.before;
        let after_s = if self.from == self.to {
            // Exact for whole rates and numbers up to 2^53.
            return self.begin_ns + (rest * SECOND_NS / self.from) as u64;
        } else {
            // The positive root of from*t + slope*t^2/2 = rest, in the form that loses no digits.
            let slope = (self.to - self.from) / (self.length_ns as f64 / SECOND_NS);
            let root = (self.from * self.from + 2.0 * slope * rest).max(0.0).sqrt();
            2.0 * rest / (self.from + root)
        };
        self.begin_ns + ((after_s * SECOND_NS) as u64).min(self.length_ns)
    }
}

impl Open {
    /// A rate that goes through points; before the first one it is `rate`.
    pub fn new(
        rate: f64,
        points: &[RatePoint],
        arrivals: Arrivals,
        users_ready: u64,
        users_max: u64,
    ) -> Self {
        let mut pieces = Vec::new();
        let (mut at_ns, mut from, mut before) = (0, rate, 0.0);
        for point in points {
            let piece = Piece {
                begin_ns: at_ns,
                length_ns: point.after_ns,
                from,
                to: point.rate,
                before,
            };
            if point.after_ns > 0 {
                before += piece.area(point.after_ns);
                pieces.push(piece);
            }
            at_ns += point.after_ns;
            from = point.rate;
        }
        pieces.push(Piece {
            begin_ns: at_ns,
            length_ns: 0,
            from,
            to: from,
            before,
        });
        let ends = pieces.iter().flat_map(|piece| [piece.from, piece.to]);
        Self {
            rate_max: ends.fold(0.0, f64::max),
            pieces: Pieces::fixed(pieces),
            arrivals,
            users_max,
            users_ready,
        }
    }

    /// No arrival, until [`Open::steer`] says otherwise; never more per second than `rate_max`.
    pub fn steered(rate_max: f64, arrivals: Arrivals, users_ready: u64, users_max: u64) -> Self {
        let nothing = Self::new(0.0, &[], arrivals, users_ready, users_max);
        Self {
            rate_max,
            pieces: Pieces::steered(nothing.pieces.fixed),
            ..nothing
        }
    }

    /// From `begin_ns` on, and within `length_ns`, the rate becomes `rate`. The moment must not have come yet, nor lie
    /// within the change before. `false` when the load is not steered, or has been changed too often.
    pub fn steer(&self, begin_ns: u64, length_ns: u64, rate: f64) -> bool {
        let Some(last) = self.pieces.last() else {
            return false;
        };
        let rate = rate.min(self.rate_max);
        let mut piece = Piece {
            begin_ns,
            length_ns,
            from: last.to,
            to: rate,
            before: last.before + last.area(begin_ns.saturating_sub(last.begin_ns)),
        };
        if length_ns == 0 {
            piece.from = rate;
            return self.pieces.push(piece);
        }
        let rest = Piece {
            begin_ns: begin_ns + length_ns,
            length_ns: 0,
            from: rate,
            before: piece.before + piece.area(length_ns),
            ..piece
        };
        self.pieces.push(piece) && self.pieces.push(rest)
    }

    /// Changes may come that are not decided yet.
    pub fn is_steered(&self) -> bool {
        self.pieces.are_steered()
    }

    /// Stretches of constant rate, as (begin, end) after the first arrival's zero; the last one has no end.
    pub fn levels(&self) -> Vec<(u64, u64)> {
        let level = self
            .pieces
            .fixed
            .iter()
            .filter(|piece| piece.from == piece.to);
        level
            .map(|piece| match piece.length_ns {
                0 => (piece.begin_ns, u64::MAX),
                length_ns => (piece.begin_ns, piece.begin_ns + length_ns),
            })
            .collect()
    }

    /// When so many iterations are due; `None` when they never are, as far as is decided. `from` is the number of a
    /// piece before which they are not.
    fn due_ns(&self, count: f64, from: usize) -> Option<u64> {
        let piece = self.pieces.get(self.piece_of(count, from))?;
        (piece.from > 0.0 || piece.to > 0.0).then(|| piece.reached_ns(count))
    }

    /// The number of the piece in which so many iterations become due, `from` or a later one.
    fn piece_of(&self, count: f64, from: usize) -> usize {
        let is_in = |index: &usize| {
            self.pieces
                .get(index + 1)
                .is_none_or(|next| count < next.before)
        };
        (from..).find(is_in).unwrap_or(from)
    }

    /// The arrivals of one shard, in order.
    pub fn schedule(&self, random: Keyed, deal: Deal, shard: usize) -> Schedule {
        let mut schedule = Schedule {
            random,
            deal,
            shard,
            owners: self.users_max.min(1 << OWNER_BITS),
            next: deal.first_arrival(shard).unwrap_or_default(),
            has_some: deal.first_arrival(shard).is_some(),
            piece: 0,
            block: 0,
            positions: Vec::with_capacity(BLOCK_ARRIVALS_MAX),
            cumulative: cumulative_poisson(),
        };
        if self.arrivals == Arrivals::Poisson && schedule.has_some {
            schedule.fill_block();
        }
        schedule
    }
}

/// Where one shard stands among the arrivals.
#[derive(Clone, Debug)]
pub struct Schedule {
    random: Keyed,
    deal: Deal,
    shard: usize,
    /// Poisson arrivals: users among whom the owner of each is drawn, all of them or the first ones of very many.
    owners: u64,
    /// Constant arrivals: the next one's number.
    next: u64,
    /// The shard has users, and so arrivals.
    has_some: bool,
    /// A piece of the load's line that all arrivals before have passed, or are in.
    piece: usize,
    /// Poisson arrivals: the block after the present one.
    block: u64,
    /// What is left of the present one, as parts of the whole, the next one last.
    positions: Vec<f64>,
    /// Chances that a block has at most 0, 1, 2 ... arrivals.
    cumulative: Vec<f64>,
}

impl Schedule {
    /// When the next arrival is due, after the first one's zero; `None` when none comes any more.
    pub fn peek(&self, open: &Open) -> Option<u64> {
        let count = self.has_some.then(|| self.count(open.arrivals));
        open.due_ns(count?, self.piece)
    }

    /// How many iterations are due by the next arrival.
    fn count(&self, arrivals: Arrivals) -> f64 {
        match arrivals {
            Arrivals::Constant => self.next as f64,
            Arrivals::Poisson => {
                let within = self.positions.last().copied().unwrap_or_default();
                ((self.block - 1) as f64 + within) * BLOCK
            }
        }
    }

    /// Goes on behind it.
    pub fn advance(&mut self, open: &Open) {
        self.piece = open.piece_of(self.count(open.arrivals), self.piece);
        self.next = self.deal.arrival_after(self.next, self.shard);
        if open.arrivals == Arrivals::Poisson {
            self.positions.pop();
            if self.positions.is_empty() {
                self.fill_block();
            }
        }
    }

    /// Draws blocks until one has an arrival of this shard. With 32 expected in each that is the next one, but for
    /// very many shards.
    fn fill_block(&mut self) {
        while self.positions.is_empty() {
            let draw = |count| self.random.draw(self.block, Stream::Arrival, count);
            let even = |draw: u64| (draw >> 11) as f64 / (1u64 << 53) as f64;
            let chance = even(draw(0));
            let arrivals = self.cumulative.partition_point(|&below| below <= chance);
            // The bits that a position does not use say whose arrival it is: chosen at random, and not in turn, each
            // shard's own arrivals are a Poisson process too.
            let owner = |draw: &u64| {
                let bits = draw & ((1 << OWNER_BITS) - 1);
                self.deal.shard_of((bits * self.owners) >> OWNER_BITS)
            };
            let ours = (1..=arrivals as u64)
                .map(draw)
                .filter(|draw| owner(draw) == self.shard);
            self.positions.extend(ours.map(even));
            self.positions.sort_unstable_by(|a, b| b.total_cmp(a));
            self.block += 1;
        }
    }
}

/// The distribution of a block's arrivals.
fn cumulative_poisson() -> Vec<f64> {
    let mut chance = (-BLOCK).exp();
    let mut sum = 0.0;
    (1..=BLOCK_ARRIVALS_MAX)
        .map(|count| {
            sum += chance;
            chance *= BLOCK / count as f64;
            sum
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    fn open(rate: f64, points: &[(f64, u64)], arrivals: Arrivals) -> Open {
        let points = points.iter().map(|&(rate, after_s)| RatePoint {
            rate,
            after_ns: after_s * S,
        });
        Open::new(rate, &points.collect::<Vec<_>>(), arrivals, 840, 840)
    }

    fn deal(open: &Open, shards: usize) -> Deal {
        Deal::new(open.users_max, open.users_max, shards)
    }

    fn times(open: &Open, seed: u64, shards: usize, count: usize) -> Vec<u64> {
        let mut all = Vec::new();
        for shard in 0..shards {
            let mut schedule = open.schedule(
                Keyed::new(seed),
                Deal::new(open.users_max, open.users_max, shards),
                shard,
            );
            let mut of_shard = Vec::new();
            while let Some(at_ns) = schedule.peek(open).filter(|_| of_shard.len() < count) {
                of_shard.push(at_ns);
                schedule.advance(open);
            }
            assert!(of_shard.is_sorted());
            all.extend(of_shard);
        }
        all.sort_unstable();
        all.truncate(count);
        all
    }

    #[test]
    fn constant_arrivals_are_exact_to_the_nanosecond_for_any_number_of_shards() {
        for shards in [1, 3, 7] {
            let load = open(5_000.0, &[], Arrivals::Constant);
            let expected: Vec<u64> = (0..10_000).map(|n| n * 200_000).collect();
            assert_eq!(times(&load, 1, shards, 10_000), expected);
            let thirds = times(&open(3.0, &[], Arrivals::Constant), 1, shards, 7);
            assert_eq!(thirds[..4], [0, 333_333_333, 666_666_666, S]);
        }
    }

    #[test]
    fn a_rate_follows_its_line() {
        let load = open(
            10.0,
            &[(10.0, 10), (30.0, 10), (0.0, 0), (0.0, 5), (20.0, 0)],
            Arrivals::Constant,
        );
        let all = times(&load, 1, 1, 400);
        let within = |from_s: u64, to_s: u64| {
            let within = all
                .iter()
                .filter(|&&ns| (from_s * S..to_s * S).contains(&ns));
            within.count()
        };
        // 10 a second, then from 10 to 30: 75 in its first half, 125 in its second, then none, then 20 a second.
        assert_eq!(
            (within(0, 10), within(10, 15), within(15, 20)),
            (100, 75, 125)
        );
        assert_eq!((within(20, 25), within(25, 30)), (0, 100));
        assert_eq!(load.rate_max, 30.0);
        assert_eq!(
            load.levels(),
            [(0, 10 * S), (20 * S, 25 * S), (25 * S, u64::MAX)]
        );
        assert_eq!(
            times(&open(5.0, &[(0.0, 10)], Arrivals::Constant), 1, 1, 100).len(),
            25
        );
    }

    #[test]
    fn a_steered_rate_follows_what_is_decided_while_it_runs() {
        for shards in [1usize, 3] {
            let load = Open::steered(100.0, Arrivals::Constant, 840, 840);
            let mut schedules: Vec<Schedule> = (0..shards)
                .map(|shard| load.schedule(Keyed::new(1), deal(&load, shards), shard))
                .collect();
            let mut due_before = |ns: u64| -> Vec<u64> {
                let mut due = Vec::new();
                for schedule in &mut schedules {
                    while let Some(at_ns) = schedule.peek(&load).filter(|&at_ns| at_ns < ns) {
                        due.push(at_ns);
                        schedule.advance(&load);
                    }
                }
                due.sort_unstable();
                due
            };
            assert!(due_before(1_000 * S).is_empty());
            // 10 a second from 1 s on; nothing is decided about its end before it has been followed for a while.
            assert!(load.steer(S, 0, 10.0));
            let tenths: Vec<u64> = (0..10).map(|n| S + n * S / 10).collect();
            assert_eq!(due_before(2 * S), tenths);
            // From 3 s on up to 30 within 2 s: 40 in them. Then nothing, then more than the greatest rate.
            assert!(load.steer(3 * S, 2 * S, 30.0));
            assert!(load.steer(6 * S, 0, 0.0) && load.steer(8 * S, 0, 500.0));
            assert_eq!(due_before(3 * S).len(), 10);
            assert_eq!(due_before(5 * S).len(), 40);
            assert_eq!(due_before(6 * S).len(), 30);
            assert_eq!(due_before(8 * S).len(), 0);
            assert_eq!(due_before(9 * S).len(), 100);
        }
    }

    /// The Kolmogorov-Smirnov test of gaps against the exponential distribution: beyond 1.358 / sqrt(n) the chance is
    /// below 5 % (Smirnov 1948).
    fn are_exponential(times_ns: &[u64], mean_ns: f64) -> bool {
        let pairs = times_ns.windows(2);
        let mut gaps: Vec<f64> = pairs.map(|pair| (pair[1] - pair[0]) as f64).collect();
        gaps.sort_by(f64::total_cmp);
        let count = gaps.len() as f64;
        let distances = gaps.iter().enumerate().map(|(index, gap)| {
            let expected = 1.0 - (-gap / mean_ns).exp();
            let (below, above) = (index as f64 / count, (index + 1) as f64 / count);
            (expected - below).abs().max((above - expected).abs())
        });
        distances.fold(0.0, f64::max) < 1.358 / count.sqrt()
    }

    #[test]
    fn poisson_gaps_are_exponential_over_all_shards_and_on_each() {
        let load = open(1_000.0, &[], Arrivals::Poisson);
        assert!(are_exponential(&times(&load, 11, 1, 1_001), 1e6));
        for shards in [1, 4] {
            let refused = (0..100).filter(|&seed| {
                let mut schedule = load.schedule(Keyed::new(seed), deal(&load, shards), 0);
                let mut own = Vec::new();
                while own.len() < 1_001 {
                    own.push(schedule.peek(&load).expect("it goes on"));
                    schedule.advance(&load);
                }
                !are_exponential(&own, 1e6 * shards as f64)
            });
            // Five are expected.
            assert!((1..=10).contains(&refused.count()));
        }
    }

    #[test]
    fn poisson_arrivals_are_the_same_for_any_number_of_shards() {
        let load = open(1_000.0, &[], Arrivals::Poisson);
        let alone = times(&load, 7, 1, 1_001);
        for shards in [2, 5, 40] {
            assert!(times(&load, 7, shards, 1_001) == alone);
        }
        assert!(times(&load, 8, 1, 1_001) != alone);
    }

    #[test]
    fn poisson_arrivals_keep_their_rate() {
        let all = times(&open(1_000.0, &[], Arrivals::Poisson), 3, 1, 100_000);
        let last_s = *all.last().expect("some") as f64 / 1e9;
        // One standard deviation is 0.3 %.
        assert!((99.0..101.0).contains(&last_s), "{last_s}");
    }
}
