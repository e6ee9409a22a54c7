//! What a run bounds of a percentile: its 95 % interval, from the counts of each second.
//!
//! 1. `q` is the percentile of all times. In second i, `n` times came and `c` of them lie above `q`; the share above is
//!    `pi = sum c / sum n`.
//! 2. Seconds are not independent: a queue that is long now is long in the next second. They are joined to batches of 1, 2,
//!    4, ... seconds until neighbouring batches no longer correlate, or 10 batches are left; the batches give the variance of
//!    the share (batch means, Conway 1963), corrected for a correlation that is left.
//! 3. The variance says how many independent times would know the share equally well: the effective samples. With them
//!    the share's interval is Clopper and Pearson's for a binomial, reduced by Student's t for the degrees of freedom that
//!    the batches have (Korn and Graubard 1998).
//! 4. Both ends of the share's interval are read off the histogram of all times (Woodruff 1952).
//! 5. The upper end is known only with 10 effective samples beyond the percentile and 8 degrees of freedom; else the
//!    statement is "at least".
//!
//! The usual formula takes all times for independent: at the p99 of a half-loaded queue its 95 % are 50 %
//! (`ci_ground_truth.json`, measured over 2,000 runs).

use statrs::distribution::{Beta, ContinuousCDF, StudentsT};

use crate::metrics::latencies::Latencies;

/// Both ends together leave out 5 %.
const TAIL: f64 = 0.025;
/// The normal distribution's 97.5 % quantile.
const NORMAL: f64 = 1.959_963_984_540_054;
/// Fewest batches that are made.
const BATCHES_MIN: usize = 10;
/// Largest correlation between neighbouring batches that is corrected for.
const CORRELATION_MAX: f64 = 0.9;
/// Fewest effective samples beyond a percentile that bound it on both sides ...
const BEYOND_MIN: f64 = 10.0;
/// ... and fewest degrees of freedom.
const FREEDOM_MIN: f64 = 8.0;

/// The interval of a percentile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Percentile {
    /// The percentile of all times, in microseconds.
    pub value_us: f64,
    /// Lower end in microseconds.
    pub low_us: f64,
    /// Upper end in microseconds; `None` when the run does not bound it.
    pub high_us: Option<f64>,
    /// What it rests on.
    pub share: Share,
}

/// The share of times above a percentile, and what is known of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// The share itself, 0 to 1.
    pub above: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end of its 95 % interval.
    pub high: f64,
    /// Seconds in a batch.
    pub batch: usize,
    /// Batches.
    pub batches: usize,
    /// Correlation of neighbouring batches that was corrected for, else 0.
    pub correlation: f64,
    /// Variance of the share.
    pub variance: f64,
    /// Degrees of freedom of the variance.
    pub freedom: f64,
    /// Student's factor for them.
    pub t: f64,
    /// Independent times that would know the share equally well.
    pub effective: f64,
}

impl Share {
    /// Effective samples beyond the percentile, on the side that has fewer.
    pub fn effective_beyond(&self) -> f64 {
        self.effective * self.above.min(1.0 - self.above)
    }

    /// Both ends are known.
    pub fn is_two_sided(&self) -> bool {
        self.effective_beyond() >= BEYOND_MIN && self.freedom >= FREEDOM_MIN
    }

    /// What is known of the share of times above a value: `seconds` has, for each second, how many times came and how
    /// many of them lie above. `None` when there are fewer than two seconds, or all or none lie above.
    pub fn of(seconds: &[(u64, u64)]) -> Option<Self> {
        let all: u64 = seconds.iter().map(|(count, _)| count).sum();
        let beyond: u64 = seconds.iter().map(|(_, above)| above).sum();
        // A second without a time says nothing: all times in one second bound nothing, however many follow it.
        let seconds = || seconds.iter().filter(|(count, _)| *count > 0);
        if seconds().count() < 2 || beyond == 0 || beyond == all {
            return None;
        }
        let (all, share) = (all as f64, beyond as f64 / all as f64);
        let excess: Vec<f64> = seconds()
            .map(|&(count, above)| above as f64 - share * count as f64)
            .collect();
        let (batch, sums, left) = batches(&excess);
        let b = sums.len() as f64;
        let squares: f64 = sums.iter().map(|sum| sum * sum).sum();
        let mut variance = b / (b - 1.0) * squares / (all * all);
        if left > 0.0 {
            variance *= (1.0 + left) / (1.0 - left);
        }
        let fourths: f64 = sums.iter().map(|sum| sum.powi(4)).sum();
        let freedom = match squares > 0.0 {
            true => 2.0 * b / (b * fourths / (squares * squares) - (b - 3.0) / (b - 1.0)),
            false => b - 1.0,
        };
        // A flat distribution of the sums makes the denominator small or negative: then there are as many as there can be.
        let freedom = match freedom > 0.0 {
            true => freedom.clamp(2.0_f64.min(b - 1.0), b - 1.0),
            false => b - 1.0,
        };
        let t = student(freedom);
        let effective = match variance > 0.0 {
            true => all.min(share * (1.0 - share) / variance),
            false => all,
        };
        let reduced = effective * (NORMAL / t).powi(2);
        let (low, high) = clopper_pearson(share, reduced);
        Some(Self {
            above: share,
            low,
            high,
            batch,
            batches: sums.len(),
            correlation: left,
            variance,
            freedom,
            t,
            effective,
        })
    }

    /// The 95 % interval of a share of which none or all of so many independent trials are hits; `None` for other shares.
    pub fn of_none_or_all(hits: u64, trials: u64) -> Option<(f64, f64)> {
        let limit = TAIL.powf(1.0 / trials as f64);
        match hits {
            _ if trials == 0 => None,
            0 => Some((0.0, 1.0 - limit)),
            _ if hits == trials => Some((limit, 1.0)),
            _ => None,
        }
    }
}

impl Percentile {
    /// The interval of a percentile (0 to 100) of all times, from those of each second. Without at least two seconds
    /// and a time above the percentile nothing bounds it: `None`.
    pub fn of<'l>(
        percent: f64,
        all: &Latencies,
        seconds: impl IntoIterator<Item = &'l Latencies>,
    ) -> Option<Self> {
        let value_us = all.percentile_us(percent);
        let counts: Vec<(u64, u64)> = seconds
            .into_iter()
            .map(|second| (second.count(), second.count_above(value_us)))
            .collect();
        let Some(share) = Share::of(&counts) else {
            return Self::of_the_greatest(percent, value_us, all, &counts);
        };
        let high_us = all.percentile_us(100.0 * (1.0 - share.low));
        Some(Self {
            value_us,
            low_us: all.percentile_us(100.0 * (1.0 - share.high)),
            high_us: share.is_two_sided().then_some(high_us),
            share,
        })
    }

    /// No time lies above the percentile: it is the greatest one, to three digits. The share beyond it is 0 of so many,
    /// and where even its upper limit is less than the percentile leaves above, the percentile is known: equal times.
    /// `None` when times lie above it, or with fewer than ten seconds that have times.
    fn of_the_greatest(
        percent: f64,
        value_us: f64,
        all: &Latencies,
        counts: &[(u64, u64)],
    ) -> Option<Self> {
        let beyond: u64 = counts.iter().map(|(_, above)| above).sum();
        let seconds = counts.iter().filter(|(count, _)| *count > 0).count();
        if beyond > 0 || seconds < BATCHES_MIN {
            return None;
        }
        let (low, high) = Share::of_none_or_all(0, all.count())?;
        let freedom = seconds as f64 - 1.0;
        Some(Self {
            value_us,
            low_us: all.percentile_us(100.0 * (1.0 - high).min(percent / 100.0)),
            high_us: (high < 1.0 - percent / 100.0).then_some(value_us),
            share: Share {
                above: 0.0,
                low,
                high,
                batch: 1,
                batches: seconds,
                correlation: 0.0,
                variance: 0.0,
                freedom,
                t: student(freedom),
                effective: all.count() as f64,
            },
        })
    }
}

/// The 95 % interval of a mean, from values of stretches of equal length one after the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mean {
    /// The mean itself.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Mean {
    /// The mean of values of equal weight. `None` with fewer than two.
    pub fn of(values: &[f64]) -> Option<Self> {
        let sums: Vec<(u64, f64)> = values.iter().map(|value| (1, *value)).collect();
        Self::of_sums(&sums)
    }

    /// The mean of all samples, from the number and the sum of those of each stretch: batch means with Student's t, where
    /// neighbouring stretches are joined as for a percentile. A stretch without samples shows nothing of the spread and is
    /// left out. `None` with fewer than two that have some.
    pub fn of_sums(stretches: &[(u64, f64)]) -> Option<Self> {
        let stretches = stretches.iter().copied().filter(|(count, _)| *count > 0);
        let stretches: Vec<(u64, f64)> = stretches.collect();
        let count = stretches.iter().map(|(count, _)| count).sum::<u64>() as f64;
        if stretches.len() < 2 {
            return None;
        }
        let value = stretches.iter().map(|(_, sum)| sum).sum::<f64>() / count;
        let excess: Vec<f64> = stretches
            .iter()
            .map(|&(count, sum)| sum - value * count as f64)
            .collect();
        let (_, sums, left) = batches(&excess);
        let b = sums.len() as f64;
        let squares: f64 = sums.iter().map(|sum| sum * sum).sum();
        let corrected = (1.0 + left) / (1.0 - left);
        let variance = b / (b - 1.0) * squares * corrected / (count * count);
        let half_width = student(b - 1.0) * variance.sqrt();
        Some(Self {
            value,
            low: value - half_width,
            high: value + half_width,
        })
    }
}

/// Student's 97.5 % quantile.
pub fn student(freedom: f64) -> f64 {
    let distribution = StudentsT::new(0.0, 1.0, freedom).expect("degrees of freedom are positive");
    distribution.inverse_cdf(1.0 - TAIL)
}

/// Batch length, sums of the batches, and the correlation of neighbours to be corrected for.
fn batches(excess: &[f64]) -> (usize, Vec<f64>, f64) {
    let mut batch = 1;
    loop {
        let sums = joined(excess, batch);
        let correlation = lag_one(&sums);
        if correlation <= 1.0 / (sums.len() as f64).sqrt() {
            return (batch, sums, 0.0);
        }
        if excess.len() / (2 * batch) < BATCHES_MIN {
            return (batch, sums, correlation.min(CORRELATION_MAX));
        }
        batch *= 2;
    }
}

/// Sums of so many neighbours each; a rest joins the last one.
fn joined(excess: &[f64], batch: usize) -> Vec<f64> {
    let count = excess.len() / batch;
    let mut sums: Vec<f64> = (0..count)
        .map(|at| excess[at * batch..(at + 1) * batch].iter().sum())
        .collect();
    if let Some(last) = sums.last_mut() {
        *last += excess[count * batch..].iter().sum::<f64>();
    }
    sums
}

fn lag_one(sums: &[f64]) -> f64 {
    let squares: f64 = sums.iter().map(|sum| sum * sum).sum();
    let products: f64 = sums.windows(2).map(|pair| pair[0] * pair[1]).sum();
    match squares > 0.0 {
        true => products / squares,
        false => 0.0,
    }
}

/// The 95 % interval of a share seen in so many independent trials, which need not be whole.
fn clopper_pearson(share: f64, trials: f64) -> (f64, f64) {
    let (hits, misses) = (trials * share, trials * (1.0 - share));
    let beta = |a: f64, b: f64, quantile: f64| {
        Beta::new(a, b).map_or(f64::NAN, |beta| beta.inverse_cdf(quantile))
    };
    let low = beta(hits, misses + 1.0, TAIL);
    let high = beta(hits + 1.0, misses, 1.0 - TAIL);
    (low, high)
}

#[cfg(test)]
mod tests;
