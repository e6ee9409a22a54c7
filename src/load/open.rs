//! An open load: iterations that begin at given times, whatever the server does. Times are computed from an
//! iteration's number, so that they never drift and never burst.
//!
//! 1. The rate is a line through points; the area under it up to a time is the number of iterations due by then.
//! 2. Constant arrivals: iteration n is due when the area reaches n.
//! 3. Poisson arrivals: the area is cut into blocks of 32. The number of arrivals in a block is drawn from a Poisson
//!    distribution, and their places in it evenly: a Poisson process of rate 1, which the line bends to its own rate.
//! 4. Each shard takes its part of the arrivals. All of them together do not depend on the number of shards.

use super::deal::Deal;
use super::pieces::Pieces;
use super::random::{Keyed, Stream};

const SECOND_NS: f64 = 1e9;
/// Expected arrivals in a block of a Poisson process.
const BLOCK: f64 = 32.0;
/// Bits of a draw that its position does not use: they draw the owner of the arrival.
const OWNER_BITS: u32 = 11;
/// A block has more arrivals than this once in 10^40 times.
const BLOCK_ARRIVALS_MAX: usize = 160;

/// An open load.
#[derive(Clone, Debug, PartialEq)]
pub struct Open {
    /// The line of the rate. After the last piece it is constant.
    pieces: Pieces<Piece>,
    /// The highest rate, in iterations per second.
    pub rate_max: f64,
    /// The highest rate that an order may ask for.
    rate_limit: f64,
    /// The distribution of arrivals.
    pub arrivals: Arrivals,
    /// Most users at once.
    pub users_max: u64,
    /// Users that are prepared before the first arrival.
    pub users_ready: u64,
}

/// The distribution of arrivals over time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Arrivals {
    /// At equal distances.
    #[default]
    Constant,
    /// At random, independently of each other, as from many people who do not know each other.
    Poisson,
}

/// A point of the line of the rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RatePoint {
    /// Iterations per second at the point.
    pub rate: f64,
    /// Time from the point before it, over which the rate changes in a straight line; 0 for a jump.
    pub after_ns: u64,
}

/// A stretch in which the rate changes evenly.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Piece {
    begin_ns: u64,
    /// 0: it lasts until the next one begins.
    length_ns: u64,
    from: f64,
    to: f64,
    /// Iterations due before its beginning.
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

    /// The rate after its first `length_ns`.
    fn rate_after(&self, length_ns: u64) -> f64 {
        match self.length_ns {
            0 => self.to,
            whole_ns => {
                let share = length_ns.min(whole_ns) as f64 / whole_ns as f64;
                self.from + (self.to - self.from) * share
            }
        }
    }

    /// Iterations due before a moment that lies in it.
    fn count_at(&self, at_ns: u64) -> f64 {
        let length_ns = at_ns.saturating_sub(self.begin_ns);
        let mean = match self.length_ns {
            0 => self.to,
            _ => (self.from + self.rate_after(length_ns)) / 2.0,
        };
        self.before + mean * (length_ns as f64 / SECOND_NS)
    }

    /// When the area reaches `count`, which is reached in this piece.
    fn reached_ns(&self, count: f64) -> u64 {
        let rest = count - self.before;
        let after_s = if self.from == self.to {
            // Exact for whole rates and numbers up to 2^53.
            return self.begin_ns + (rest * SECOND_NS / self.from) as u64;
        } else {
            // The positive root of from*t + slope*t^2/2 = rest, in the numerically stable form.
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
        let rate_max = ends.fold(0.0, f64::max);
        Self {
            rate_max,
            rate_limit: rate_max,
            pieces: Pieces::fixed(pieces),
            arrivals,
            users_max,
            users_ready,
        }
    }

    /// No arrival until [`Open::steer`] changes that; never more per second than `rate_max`.
    pub fn steered(rate_max: f64, arrivals: Arrivals, users_ready: u64, users_max: u64) -> Self {
        let nothing = Self::new(0.0, &[], arrivals, users_ready, users_max);
        Self {
            rate_max,
            pieces: Pieces::steered(nothing.pieces.fixed),
            ..nothing
        }
    }

    /// The same load, whose rest orders may replace while the run lasts, with up to `rate_limit` iterations per second.
    pub fn replaceable(self, rate_limit: f64) -> Self {
        Self {
            rate_limit: rate_limit.max(self.rate_max),
            pieces: Pieces::replaceable(self.pieces.fixed),
            ..self
        }
    }

    /// Replaces the line from `begin_ns` on, which must lie in the future and after the order before: the rate is `rate`.
    /// Returns it, lowered to the highest rate allowed; `None` when the load takes no orders, or took too many.
    pub fn replace_rest(&self, begin_ns: u64, rate: f64) -> Option<f64> {
        let rate = rate.clamp(0.0, self.rate_limit);
        let before = self.pieces.last_begun(begin_ns, |piece| piece.begin_ns);
        let piece = Piece {
            begin_ns,
            length_ns: 0,
            from: rate,
            to: rate,
            before: before.map_or(0.0, |before| before.count_at(begin_ns)),
        };
        let is_taken = self.takes_orders() && self.pieces.push(piece);
        is_taken.then_some(rate)
    }

    /// Whether orders may replace the rest of the line.
    pub fn takes_orders(&self) -> bool {
        self.pieces.are_replaceable()
    }

    /// The highest rate that an order may ask for.
    pub fn rate_limit(&self) -> f64 {
        self.rate_limit
    }

    /// The rate at a moment.
    pub fn rate_at(&self, at_ns: u64) -> f64 {
        let piece = self.pieces.last_begun(at_ns + 1, |piece| piece.begin_ns);
        piece.map_or(0.0, |piece| {
            piece.rate_after(at_ns.saturating_sub(piece.begin_ns))
        })
    }

    /// Changes the rate to `rate` within `length_ns` from `begin_ns` on, which must lie in the future and after the change
    /// before. `false` when the load is not steered, or has been changed too often.
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

    /// Whether its course is decided while the run lasts.
    pub fn is_steered(&self) -> bool {
        self.pieces.are_steered()
    }

    /// Stretches of constant rate, as (beginning, end) after the first arrival; the last one is open.
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

    /// When `count` iterations are due; `None` when they never are, as far as is decided. They are not due before the
    /// piece `from`.
    fn due_ns(&self, count: f64, from: usize) -> Option<u64> {
        let piece = self.pieces.get(self.piece_of(count, from))?;
        (piece.from > 0.0 || piece.to > 0.0).then(|| piece.reached_ns(count))
    }

    /// Index of the piece in which `count` iterations become due: `from` or a later one.
    fn piece_of(&self, count: f64, from: usize) -> usize {
        let mut index = from;
        while let Some((next, piece)) = self.pieces.next(index, |piece| piece.begin_ns) {
            if count < piece.before {
                break;
            }
            index = next;
        }
        index
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

/// One shard's position in the arrivals.
#[derive(Clone, Debug)]
pub struct Schedule {
    random: Keyed,
    deal: Deal,
    shard: usize,
    /// Poisson arrivals: users among which the owner of each is drawn, all of them or the first of very many.
    owners: u64,
    /// Constant arrivals: number of the next arrival.
    next: u64,
    /// The shard has users, and so arrivals.
    has_some: bool,
    /// Index of the piece that the last arrival was due in.
    piece: usize,
    /// Poisson arrivals: the block after the present one.
    block: u64,
    /// Poisson arrivals: the places of those left in the present block, from 0 to 1, the next one last.
    positions: Vec<f64>,
    /// Probabilities that a block has at most 0, 1, 2 ... arrivals.
    cumulative: Vec<f64>,
}

impl Schedule {
    /// When the next arrival is due, after the load's zero; `None` when there is none.
    pub fn peek(&self, open: &Open) -> Option<u64> {
        let count = self.has_some.then(|| self.count(open.arrivals));
        open.due_ns(count?, self.piece)
    }

    /// The area under the rate at the next arrival.
    fn count(&self, arrivals: Arrivals) -> f64 {
        match arrivals {
            Arrivals::Constant => self.next as f64,
            Arrivals::Poisson => {
                let within = self.positions.last().copied().unwrap_or_default();
                ((self.block - 1) as f64 + within) * BLOCK
            }
        }
    }

    /// Moves past that arrival.
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

    /// Draws blocks until one has an arrival of this shard. With 32 expected in each that is the next block, except with
    /// very many shards.
    fn fill_block(&mut self) {
        while self.positions.is_empty() {
            let draw = |count| self.random.draw(self.block, Stream::Arrival, count);
            let even = |draw: u64| (draw >> 11) as f64 / (1u64 << 53) as f64;
            let chance = even(draw(0));
            let arrivals = self.cumulative.partition_point(|&below| below <= chance);
            // The bits that a position does not use draw the owner. Because owners are drawn at random and not in turn,
            // each shard's own arrivals are a Poisson process too.
            let is_ours = |draw: &u64| {
                let bits = draw & ((1 << OWNER_BITS) - 1);
                let owner = (bits * self.owners) >> OWNER_BITS;
                self.deal.is_of(owner, self.shard)
            };
            let ours = (1..=arrivals as u64).map(draw).filter(is_ours);
            self.positions.extend(ours.map(even));
            self.positions.sort_unstable_by(|a, b| b.total_cmp(a));
            self.block += 1;
        }
    }
}

/// The cumulative distribution of the number of arrivals in a block.
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
mod tests;
