//! Whether latency grows within a window: such a level does not hold, however low its latency still is.
//!
//! 1. Take the mean response time of each second of the window; leave out seconds without an answer.
//! 2. Kendall's tau, the share of pairs of seconds that rise less the share that fall, has to be above 0.6. Steady noise
//!    rises and falls alike, and a single stall moves only the pairs that it is in.
//! 3. The mean of the last third has to be above 1.5 times that of the first: a smaller growth does not matter.
//!
//! A steady M/M/1 queue, whose waits are correlated over many seconds, is taken for growing at most once in 30 windows of
//! 15 s at up to 90 % load and 100 requests/s or more; at 18 requests/s in windows of 10 s once in ten. A level is
//! measured again before it counts as bad. A service that becomes twice as slow within the window is found where its
//! noise is smaller than that.

/// Fewer seconds than this show no growth: with five, chance alone lets one window in 25 rise almost throughout.
const SECONDS_MIN: usize = 6;
/// Kendall's tau of a growth is above this.
const TAU_MIN: f64 = 0.6;
/// The last third of a growth is above this multiple of the first.
const RATIO_MIN: f64 = 1.5;

/// A growth within a window, in the unit of its values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Growth {
    /// Mean of the first third.
    pub from: f64,
    /// Mean of the last third.
    pub to: f64,
}

/// The growth of a window, given a value for each of its seconds; `None` when it does not grow.
pub fn growth(by_second: &[f64]) -> Option<Growth> {
    let count = by_second.len();
    if count < SECONDS_MIN {
        return None;
    }
    let mut rising = 0.0;
    for (index, earlier) in by_second.iter().enumerate() {
        for later in &by_second[index + 1..] {
            rising += (later - earlier)
                .partial_cmp(&0.0)
                .map_or(0.0, |sign| f64::from(sign as i8));
        }
    }
    let tau = rising / (count * (count - 1) / 2) as f64;
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    let growth = Growth {
        from: mean(&by_second[..count / 3]),
        to: mean(&by_second[count - count / 3..]),
    };
    (tau > TAU_MIN && growth.to > RATIO_MIN * growth.from).then_some(growth)
}

#[cfg(test)]
mod tests;
