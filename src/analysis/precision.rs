//! Whether a run knows its figures well enough to end, by its goals.
//!
//! 1. The times of each second are kept, packed, in memory that does not grow with the length of the run.
//! 2. They are looked at after 20 s of load, and then each time the load has lasted 1.25 times as long. Looking each
//!    second would stop at the first lucky one: at p99 of an M/M/1 queue at 0.8, 86 % of the intervals at such a stop hold
//!    the truth, and 95 % with these looks (`ci_ground_truth.json`, `sequential`).
//! 3. A goal is reached when its interval has both ends, its half width is at most the goal's share of the value, and at
//!    least 30 effective samples lie beyond the percentile. The run ends when all goals are reached at the same look.
//! 4. A goal that is not reached says how long a run would take: the width of an interval shrinks with the root of the
//!    time, and effective samples grow with the time.

use crate::metrics::interval::Interval;
use crate::metrics::latencies::Latencies;
use crate::metrics::series::Series;
use crate::metrics::summary::Sample;

use super::confidence::{Mean, Percentile};
use super::criteria::{Goal, Quantity};
use super::warm_up::unsettled;

const SECOND_NS: u64 = 1_000_000_000;
/// Load before the first look.
pub const FIRST_LOOK_NS: u64 = 20 * SECOND_NS;
/// From one look to the next.
const NEXT_LOOK: f64 = 1.25;
/// Fewest effective samples beyond a percentile at the stop. With 10, which bound a percentile on both sides, too many runs
/// of correlated times would stop by chance.
const BEYOND_MIN: f64 = 30.0;
/// Fewest seconds with requests for the interval of a mean or of a rate.
const SECONDS_MIN: usize = 10;
/// A sample shorter than this part of the longest is no second for a rate.
const WHOLE_MIN: f64 = 0.9;

/// What the goals do not look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settle {
    /// So much load at the beginning, in nanoseconds; 0 for nothing.
    Time(u64),
    /// What the warm-up rule finds, at each look anew.
    Auto,
}

/// The judge of a run's goals, second by second.
#[derive(Clone, Debug)]
pub struct Precision {
    goals: Vec<Goal>,
    settle: Settle,
    /// The load after the settling time, with a step for each goal.
    series: Series,
    /// Length of the series.
    length_ns: u64,
    /// The series is looked at when it is so long.
    look_ns: u64,
    looks: u64,
    /// What the last look found; empty before the first.
    found: Vec<Found>,
    is_reached: bool,
}

/// What is known of a goal's figure: microseconds, or requests per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Found {
    /// The figure; `None` when nothing was measured.
    pub value: Option<f64>,
    /// Lower end of its 95 % interval.
    pub low: Option<f64>,
    /// Upper end; `None` when the run does not bound it.
    pub high: Option<f64>,
    /// Independent samples that would know a percentile equally well.
    pub effective: Option<f64>,
    /// Those of them that lie beyond the percentile.
    pub beyond: Option<f64>,
    /// Load that it rests on.
    pub length_ns: u64,
}

/// A goal at the end of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The goal.
    pub goal: Goal,
    /// What is known.
    pub found: Found,
    /// How often the run was looked at.
    pub looks: u64,
    /// It is known as well as was asked.
    pub is_reached: bool,
    /// Load that it would about take; `None` when it was reached, or when nothing says how long.
    pub would_take_ns: Option<u64>,
}

impl Found {
    /// Half the width of the interval over the value.
    pub fn half_width(&self) -> Option<f64> {
        let (value, low, high) = (self.value?, self.low?, self.high?);
        (value > 0.0).then(|| (high - low) / 2.0 / value)
    }

    /// Whether it is known to this share of its value.
    fn is_within(&self, share: f64) -> bool {
        let is_narrow = self.half_width().is_some_and(|half| half <= share);
        is_narrow && self.beyond.is_none_or(|beyond| beyond >= BEYOND_MIN)
    }

    /// Load after which it would be known to this share. Without an upper end, what the samples beyond would take.
    fn would_take_ns(&self, share: f64) -> Option<u64> {
        let by_width = self.half_width().map(|half| (half / share).powi(2));
        let by_samples = self.beyond.filter(|beyond| *beyond > 0.0);
        let by_samples = by_samples.map(|beyond| BEYOND_MIN / beyond);
        let times = by_width.into_iter().chain(by_samples).reduce(f64::max)?;
        Some((self.length_ns as f64 * times.max(1.0)) as u64)
    }
}

impl Precision {
    /// A judge of these goals.
    pub fn new(goals: Vec<Goal>, settle: Settle) -> Self {
        Self {
            series: Series::new(goals.len()),
            goals,
            settle,
            length_ns: 0,
            look_ns: FIRST_LOOK_NS,
            looks: 0,
            found: Vec::new(),
            is_reached: false,
        }
    }

    /// Takes a second of the run, in times since the load began; whether all goals are reached.
    pub fn on_second(&mut self, begin_ns: u64, end_ns: u64, interval: &Interval) -> bool {
        let settle_ns = match self.settle {
            Settle::Time(ns) => ns.next_multiple_of(SECOND_NS),
            Settle::Auto => 0,
        };
        if interval.is_drain || begin_ns < settle_ns || self.is_reached {
            return false;
        }
        let mut of_goals = Interval::new(self.goals.len());
        for (sum, goal) in of_goals.steps.iter_mut().zip(&self.goals) {
            for &step in &goal.steps {
                sum.requests += interval.steps[step].requests;
                sum.response += &interval.steps[step].response;
            }
        }
        self.length_ns += end_ns.saturating_sub(begin_ns);
        self.series.push(self.length_ns, &of_goals);
        if self.length_ns < self.look_ns {
            return false;
        }
        self.look_ns = (self.length_ns as f64 * NEXT_LOOK) as u64;
        self.look();
        self.is_reached
    }

    fn look(&mut self) {
        self.looks += 1;
        let samples = self.series.samples();
        let at = 0..self.goals.len();
        self.found = at.map(|at| self.find(at, &samples)).collect();
        let mut all = self.goals.iter().zip(&self.found);
        self.is_reached = all.all(|(goal, found)| found.is_within(goal.share));
    }

    /// What the samples show of a goal.
    fn find(&self, at: usize, samples: &[Sample]) -> Found {
        let goal = &self.goals[at];
        let seconds: Vec<Latencies> = samples
            .iter()
            .map(|sample| sample.steps[at].unpack().response)
            .collect();
        let from = match self.settle {
            Settle::Time(_) => 0,
            Settle::Auto => unsettled_seconds(&seconds),
        };
        let (samples, seconds) = (&samples[from..], &seconds[from..]);
        let length_ns = samples.iter().map(|sample| sample.length_ns).sum();
        let found = match goal.quantity {
            Quantity::Percentile(percent) => percentile(percent, seconds),
            Quantity::Mean => mean(seconds),
            Quantity::Rate => rate(at, samples),
        };
        Found { length_ns, ..found }
    }

    /// All goals with what is known of them. Load that came after the last look is looked at too.
    pub fn finish(mut self) -> Vec<Outcome> {
        let has_looked = self.looks > 0;
        if !self.is_reached && !self.series.is_empty() {
            self.look();
            // Too short for the first look: the interval may be narrow by chance.
            if !has_looked && self.length_ns < FIRST_LOOK_NS {
                self.looks = 0;
                self.is_reached = false;
            }
        }
        let looks = self.looks;
        let found = self
            .found
            .into_iter()
            .chain(std::iter::repeat(Found::default()));
        let goals = self.goals.into_iter().zip(found);
        goals
            .map(|(goal, found)| {
                let is_reached = looks > 0 && found.is_within(goal.share);
                let would_take_ns = found.would_take_ns(goal.share);
                Outcome {
                    is_reached,
                    would_take_ns: would_take_ns
                        .filter(|_| !is_reached)
                        .map(|ns| ns.max(FIRST_LOOK_NS)),
                    goal,
                    found,
                    looks,
                }
            })
            .collect()
    }
}

/// Seconds at the beginning of the load that differ from the rest; none when it has not settled, so that nothing is cut
/// that the rest does not show to be different.
fn unsettled_seconds(seconds: &[Latencies]) -> usize {
    let with_times = || {
        let all = seconds.iter().enumerate();
        all.filter(|(_, second)| !second.is_empty())
    };
    let means: Vec<f64> = with_times().map(|(_, second)| second.mean_us()).collect();
    let cut = unsettled(&means).unwrap_or(0);
    with_times().nth(cut).map_or(0, |(at, _)| match cut {
        0 => 0,
        _ => at,
    })
}

fn percentile(percent: f64, seconds: &[Latencies]) -> Found {
    let mut all = Latencies::default();
    seconds.iter().for_each(|second| all += second);
    let Some(known) = Percentile::of(percent, &all, seconds) else {
        return Found {
            value: (!all.is_empty()).then(|| all.percentile_us(percent)),
            ..Found::default()
        };
    };
    // Of equal times none lies beyond the percentile; the rank alone says how many there would be.
    let beyond = match known.share.above > 0.0 {
        true => known.share.effective_beyond(),
        false => known.share.effective * (1.0 - percent / 100.0),
    };
    Found {
        value: Some(known.value_us),
        low: Some(known.low_us),
        high: known.high_us,
        effective: Some(known.share.effective),
        beyond: Some(beyond),
        length_ns: 0,
    }
}

fn mean(seconds: &[Latencies]) -> Found {
    let sums = seconds
        .iter()
        .map(|second| (second.count(), second.mean_us() * second.count() as f64));
    let sums: Vec<(u64, f64)> = sums.filter(|(count, _)| *count > 0).collect();
    of_mean(Mean::of_sums(&sums), sums.len())
}

fn rate(at: usize, samples: &[Sample]) -> Found {
    let longest_ns = samples.iter().map(|sample| sample.length_ns).max();
    let whole_ns = (longest_ns.unwrap_or(0) as f64 * WHOLE_MIN) as u64;
    let whole = samples.iter().filter(|sample| sample.length_ns >= whole_ns);
    let rates: Vec<f64> = whole
        .map(|sample| sample.steps[at].requests as f64 * 1e9 / sample.length_ns.max(1) as f64)
        .collect();
    of_mean(Mean::of(&rates), rates.len())
}

/// A mean of so many seconds; with few, its ends are not known.
fn of_mean(mean: Option<Mean>, seconds: usize) -> Found {
    let is_known = seconds >= SECONDS_MIN;
    let of = |end: fn(&Mean) -> f64| mean.as_ref().filter(|_| is_known).map(end);
    Found {
        value: mean.as_ref().map(|mean| mean.value),
        low: of(|mean| mean.low.max(0.0)),
        high: of(|mean| mean.high),
        ..Found::default()
    }
}

#[cfg(test)]
mod tests;
