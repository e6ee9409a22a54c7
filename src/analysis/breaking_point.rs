//! The search for the load at which a server breaks: the next level to measure, as a function of all measurements so far.
//!
//! 1. Grow from `from` while levels are good; the first bad one and the last good one are the bracket.
//! 2. Halve the bracket until it is as narrow as the resolution asks for.
//! 3. A bad or noisy measurement is repeated: two of three decide a level.
//! 4. A misjudged level always ends up as one end of the bracket, since all later levels lie on its wrong side. So only
//!    the two ends are measured again, until one verdict leads by three; an end that is overturned reopens the bracket.
//!
//! No state is kept between calls: each call replays the whole path over the measurements. So a search can continue from
//! its record, and one with a finer resolution uses the measurements of a coarser one.

use super::confidence::student;

/// Measurements in one search; at a minute each this is more than three hours.
pub const MEASUREMENTS_MAX: usize = 200;
/// Halvings below a first level that is bad; the last is a thousandth of it.
pub const HALVINGS_MAX: usize = 10;

/// Lead of one verdict over the other at the ends of the bracket. With one verdict in ten wrong, a wrong one leads by
/// three once in 700 times, by two once in 80: of 10,000 searches, 97 % and 86 % found the threshold, in 25 and 20
/// measurements (`one_wrong_verdict_in_ten_is_survived`, with more seeds).
const LEAD_AT_ENDS: usize = 3;
/// Measurements of one level; odd, so that they decide.
const AT_LEVEL_MAX: usize = 9;
/// Consecutive good levels that turned out bad, before the last good one is no longer measured again. A server that stays
/// bad once it was overloaded would overturn one after the other, down to the first.
const OVERTURNED_MAX: usize = 2;
/// Measurements at one level that the generator itself limited, before the search gives up.
const NOT_BELIEVABLE_MAX: usize = 2;
/// Levels are the same when they differ by a smaller share: a number read back from decimal text may be one bit off.
const SAME_LEVEL_SHARE: f64 = 1e-9;

const _: () = assert!(AT_LEVEL_MAX % 2 == 1 && AT_LEVEL_MAX >= LEAD_AT_ENDS);

/// The range and the resolution of a search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Search {
    /// First level, above 0: users, or iterations per second.
    pub from: f64,
    /// Step from one good level to the next.
    pub growth: Growth,
    /// Highest level, not below the first.
    pub to: f64,
    /// The bracket is narrow enough when it is this share of its good end; `None`: it is not narrowed.
    pub resolution: Option<f64>,
    /// Levels are whole numbers, as users are.
    pub is_whole: bool,
}

/// Step from one good level to the next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Growth {
    /// Adds this much, above 0; brackets are halved at their arithmetic mean.
    Add(f64),
    /// Multiplies by this much, above 1; brackets are halved at their geometric mean.
    Times(f64),
}

/// The measurement of one window at one level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Users, or iterations per second.
    pub level: f64,
    /// No rule was broken.
    pub good: bool,
    /// The verdict is near a limit, or the window's halves disagree.
    pub is_noisy: bool,
    /// The generator was not the limit; otherwise the verdict does not count.
    pub is_believable: bool,
}

/// The next move of a search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Next {
    /// Measure a window at this level.
    Measure(f64),
    /// The search is over.
    Done(End),
}

/// The result of a search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum End {
    /// The server breaks between the two; the first is always below the second.
    Found {
        /// Highest level that was good.
        last_good: f64,
        /// Lowest level above it that was bad.
        first_bad: f64,
    },
    /// The server did not break, up to the highest level or for [`MEASUREMENTS_MAX`] measurements.
    NeverBroke {
        /// Highest level that was measured.
        last_good: f64,
    },
    /// Once overloaded the server stayed bad, down to the first level, which had been good before.
    DidNotRecover {
        /// Highest level that was good before.
        last_good: f64,
        /// Lowest level above it that was bad at once.
        first_bad: f64,
    },
    /// No level was good.
    BrokenFromTheStart {
        /// Lowest level that was measured.
        first_bad: f64,
    },
    /// The generator itself was the limit.
    NotBelievable {
        /// Highest level that was good.
        last_good: Option<f64>,
        /// The level that this machine could not generate.
        level: f64,
    },
}

impl Search {
    /// The level to measure next, or the result. It is a function of the measurements: each prefix of a search's
    /// measurements gives the level of the one that followed. Measurements of levels off the path are ignored.
    pub fn next(&self, measured: &[Measured]) -> Next {
        let mut bracket = Bracket::default();
        match self.walk(measured, &mut bracket) {
            Next::Measure(level) if measured.len() >= MEASUREMENTS_MAX => {
                Next::Done(bracket.end(level))
            }
            next => next,
        }
    }

    /// Whether a level is good; `None` while that is open. One measurement decides when it is good and not noisy, else
    /// the majority of two or more. Measurements that are not believable do not count.
    pub fn verdict_of(&self, measured: &[Measured], level: f64) -> Option<bool> {
        Tally::of(measured, level).verdict()
    }

    /// Replays the whole path, up to the first level whose verdict is open.
    fn walk(&self, measured: &[Measured], bracket: &mut Bracket) -> Next {
        let mut level = Some(self.from);
        while let Some(at) = level {
            let tally = Tally::of(measured, at);
            match tally.verdict() {
                Some(true) => bracket.good = Some(at),
                Some(false) => bracket.bad = Some(at),
                None if tally.not_believable >= NOT_BELIEVABLE_MAX => {
                    return Next::Done(End::NotBelievable {
                        last_good: bracket.good,
                        level: at,
                    });
                }
                None => return Next::Measure(at),
            }
            if bracket.good.is_none()
                && let Some((last_good, first_bad)) = before_it_was_overloaded(measured, self.from)
            {
                return Next::Done(End::DidNotRecover {
                    last_good,
                    first_bad,
                });
            }
            level = self.after(bracket, at);
        }
        match self.doubtful_end(measured, bracket) {
            Some(level) => Next::Measure(level),
            None => Next::Done(bracket.end(self.from)),
        }
    }

    /// The end of a narrowed bracket that has to be measured again.
    fn doubtful_end(&self, measured: &[Measured], bracket: &Bracket) -> Option<f64> {
        self.resolution?;
        let (good, bad) = (bracket.good?, bracket.bad?);
        let is_open = |level| Tally::of(measured, level).is_open_at_ends();
        let is_stuck = overturned_in_a_row(measured) >= OVERTURNED_MAX;
        if !is_stuck && is_open(good) {
            return Some(good);
        }
        is_open(bad).then_some(bad)
    }

    /// The level after `at`; `None` when the bracket is narrow enough or cannot be closed.
    fn after(&self, bracket: &mut Bracket, at: f64) -> Option<f64> {
        match (bracket.good, bracket.bad) {
            (Some(good), Some(bad)) => self.between(good, bad),
            (Some(good), None) => (good < self.to).then(|| self.grown(good)),
            (None, _) => {
                self.resolution?;
                let halved = self.rounded(at / 2.0);
                bracket.halvings += 1;
                let is_lower = halved > 0.0 && halved < at;
                (is_lower && bracket.halvings <= HALVINGS_MAX).then_some(halved)
            }
        }
    }

    fn grown(&self, level: f64) -> f64 {
        let grown = match self.growth {
            Growth::Add(more) => level + more,
            Growth::Times(factor) => level * factor,
        };
        assert!(grown > level, "{:?} does not grow {level}", self.growth);
        let least = match self.is_whole {
            true => level + 1.0,
            false => grown,
        };
        self.rounded(grown).max(least).min(self.to)
    }

    /// The middle of a bracket; `None` when it is narrow enough or has no level left between its ends.
    fn between(&self, good: f64, bad: f64) -> Option<f64> {
        if (bad - good) / good <= self.resolution? {
            return None;
        }
        let middle = match self.growth {
            Growth::Add(_) => good + (bad - good) / 2.0,
            Growth::Times(_) => (good * bad).sqrt(),
        };
        let middle = match self.is_whole {
            // A geometric mean may round down to the good end before the two are adjacent.
            true => middle.round().max(good + 1.0),
            false => middle,
        };
        (good < middle && middle < bad).then_some(middle)
    }

    fn rounded(&self, level: f64) -> f64 {
        match self.is_whole {
            true => level.round(),
            false => level,
        }
    }
}

/// The bracket while the path is replayed.
#[derive(Default)]
struct Bracket {
    good: Option<f64>,
    bad: Option<f64>,
    halvings: usize,
}

impl Bracket {
    fn end(&self, open_level: f64) -> End {
        match (self.good, self.bad) {
            (Some(last_good), Some(first_bad)) => End::Found {
                last_good,
                first_bad,
            },
            (Some(last_good), None) => End::NeverBroke { last_good },
            (None, Some(first_bad)) => End::BrokenFromTheStart { first_bad },
            (None, None) => End::NotBelievable {
                last_good: None,
                level: open_level,
            },
        }
    }
}

/// The measurements at one level.
#[derive(Clone, Copy, Default)]
struct Tally {
    good: usize,
    bad: usize,
    noisy: usize,
    not_believable: usize,
}

impl Tally {
    fn of(measured: &[Measured], level: f64) -> Self {
        let mut tally = Self::default();
        for one in measured.iter().filter(|one| is_same(one.level, level)) {
            tally.count(one);
        }
        tally
    }

    fn count(&mut self, one: &Measured) {
        match (one.is_believable, one.good) {
            (false, _) => self.not_believable += 1,
            (true, true) => self.good += 1,
            (true, false) => self.bad += 1,
        }
        self.noisy += usize::from(one.is_believable && one.is_noisy);
    }

    fn verdict(self) -> Option<bool> {
        match (self.good, self.bad) {
            (1, 0) if self.noisy == 0 => Some(true),
            (good, bad) if good + bad < 2 || good == bad => None,
            (good, bad) => Some(good > bad),
        }
    }

    /// Whether an end of the bracket with this tally has to be measured again.
    fn is_open_at_ends(self) -> bool {
        let has_room = self.good + self.bad < AT_LEVEL_MAX;
        let is_close = self.good.abs_diff(self.bad) < LEAD_AT_ENDS;
        is_close && has_room && self.not_believable < NOT_BELIEVABLE_MAX
    }
}

/// Calls `visit` with each measurement that counts, in order, and its level's verdict before and after it.
fn for_each_verdict(
    measured: &[Measured],
    mut visit: impl FnMut(&Measured, Option<bool>, Option<bool>),
) {
    let mut levels: Vec<(f64, Tally, Option<bool>)> = Vec::new();
    for one in measured.iter().filter(|one| one.is_believable) {
        let known = levels.iter().position(|level| is_same(level.0, one.level));
        let index = known.unwrap_or_else(|| {
            levels.push((one.level, Tally::default(), None));
            levels.len() - 1
        });
        let (_, tally, believed) = &mut levels[index];
        tally.count(one);
        let before = *believed;
        *believed = tally.verdict().or(before);
        visit(one, before, *believed);
    }
}

/// Consecutive levels that were believed good and then turned out bad, without a good measurement since.
fn overturned_in_a_row(measured: &[Measured]) -> usize {
    let mut row = 0;
    for_each_verdict(measured, |one, before, after| {
        if one.good {
            row = 0;
        }
        row += usize::from(before == Some(true) && after == Some(false));
    });
    row
}

/// The highest level whose first verdict was good, and the lowest above it whose first verdict was bad; `None` unless the
/// first verdict of the search's first level was good.
fn before_it_was_overloaded(measured: &[Measured], from: f64) -> Option<(f64, f64)> {
    let (mut good, mut bad, mut from_was_good) = (Vec::new(), Vec::new(), false);
    for_each_verdict(measured, |one, before, after| match (before, after) {
        (None, Some(true)) => {
            from_was_good |= is_same(one.level, from);
            good.push(one.level);
        }
        (None, Some(false)) => bad.push(one.level),
        _ => {}
    });
    let last_good = good
        .into_iter()
        .reduce(f64::max)
        .filter(|_| from_was_good)?;
    let above = bad.into_iter().filter(|&level| level > last_good);
    Some((last_good, above.reduce(f64::min)?))
}

fn is_same(one: f64, other: f64) -> bool {
    (one - other).abs() <= SAME_LEVEL_SHARE * one.abs().max(other.abs())
}

/// The rate that a server sustains, in requests answered without failure per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// The estimate.
    pub rps: f64,
    /// Lower bound at 95 %; `None` with a single second, which does not show how much seconds differ.
    pub low: Option<f64>,
    /// Upper bound at 95 %; `None` when no level was bad: `rps` itself is a lower bound then.
    pub high: Option<f64>,
}

/// The sustainable rate, from the seconds of the last good level's windows, and the rate answered without failure at the
/// first bad level, if there is one. `None` without any second.
///
/// The estimate is the mean over the seconds. Its lower bound is as many standard errors below as Student's t distribution
/// has for 95 % and n - 1 degrees of freedom. Its upper bound is as far above, or the first bad level's rate where that is
/// higher: the server did answer that much, so its capacity lies somewhere up to there. Seconds that depend on each other,
/// as under a slow oscillation, spread the mean more than this.
pub fn sustainable(per_second_good: &[f64], rps_first_bad: Option<f64>) -> Option<Rate> {
    if per_second_good.is_empty() {
        return None;
    }
    let count = per_second_good.len() as f64;
    let rps = per_second_good.iter().sum::<f64>() / count;
    if per_second_good.len() == 1 {
        let (low, high) = (None, None);
        return Some(Rate { rps, low, high });
    }
    let squares: f64 = per_second_good.iter().map(|one| (one - rps).powi(2)).sum();
    let standard_error = (squares / (count - 1.0) / count).sqrt();
    let half_width = student(count - 1.0) * standard_error;
    Some(Rate {
        rps,
        low: Some((rps - half_width).max(0.0)),
        high: rps_first_bad.map(|bad| (rps + half_width).max(bad)),
    })
}

#[cfg(test)]
mod tests;
