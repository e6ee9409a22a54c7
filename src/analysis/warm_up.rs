//! Whether the beginning of a run differs from the rest of it: caches that fill, code that is compiled, pools that grow.
//!
//! 1. Take the mean response time of each second; seconds without an answer say nothing.
//! 2. The second half of them is taken for settled: its range from 5 % to 95 %.
//! 3. The run has settled at the first second at which the median of it and the two after it lies inside that range.
//!
//! The rule is mild on purpose. MSER (White 1997) and its relatives cut 2 to 4 s of correlated runs that are stationary,
//! and with them the tail that a p99 is about. This one cuts 0.1 to 0.2 s of such runs on average, and 11.5 s of a start
//! that is three times as slow and gets faster with an e-folding time of 5 s (`ci_ground_truth.json`, `warmup`).

/// With fewer seconds the range of the second half says nothing.
const SECONDS_MIN: usize = 20;
/// Part of the second half that may lie outside the range at each end.
const TAIL: f64 = 0.05;
/// Seconds whose median is compared.
const MEDIAN_OF: usize = 3;
/// Batches of the second half whose trend is looked at.
const BATCHES: usize = 8;
/// Kendall's tau of a trend is above this.
const TAU_MIN: f64 = 0.85;
/// Change from the first to the last quarter of the second half, as a share, that matters.
const DRIFT_MIN: f64 = 0.1;

/// Number of seconds at the beginning that differ from the second half, given the mean response time of each second;
/// 0 when none do, or when there are fewer than 20 seconds. `None` when the first half never reaches the range of the
/// second: the run has not settled.
pub fn unsettled(means: &[f64]) -> Option<usize> {
    if means.len() < SECONDS_MIN {
        return Some(0);
    }
    let mut settled = means[means.len() / 2..].to_vec();
    settled.sort_by(f64::total_cmp);
    let (low, high) = (quantile(&settled, TAIL), quantile(&settled, 1.0 - TAIL));
    let is_inside = |three: &[f64]| {
        let mut three = three.to_vec();
        three.sort_by(f64::total_cmp);
        (low..=high).contains(&three[MEDIAN_OF / 2])
    };
    let mut windows = means[..means.len() / 2 + MEDIAN_OF - 1].windows(MEDIAN_OF);
    let first = windows.position(is_inside)?;
    // The median of three may lie inside while the first of them is still far off.
    let far = high + (high - low);
    let slow = means[first..].iter().take_while(|mean| **mean > far);
    Some(match first {
        0 => 0,
        first => first + slow.count(),
    })
}

/// How the mean response time changes over the second half of a run, as a share: 0.2 is 20 % slower at its end. `None`
/// unless the means of eight batches rise or fall nearly throughout (at most 2 of their
/// 28 pairs do not: Kendall's tau above 0.85) and the change is 10 % or more.
pub fn drift(means: &[f64]) -> Option<f64> {
    let half = &means[means.len() / 2..];
    if means.len() < SECONDS_MIN || half.len() < BATCHES {
        return None;
    }
    let of_batch = |batch: usize| {
        let part = &half[batch * half.len() / BATCHES..(batch + 1) * half.len() / BATCHES];
        part.iter().sum::<f64>() / part.len() as f64
    };
    let batches: Vec<f64> = (0..BATCHES).map(of_batch).collect();
    let mut rising = 0i32;
    for (at, earlier) in batches.iter().enumerate() {
        for later in &batches[at + 1..] {
            rising += i32::from(later > earlier) - i32::from(later < earlier);
        }
    }
    let pairs = (BATCHES * (BATCHES - 1) / 2) as f64;
    let tau = f64::from(rising) / pairs;
    let quarter = BATCHES / 4;
    let first: f64 = batches[..quarter].iter().sum();
    let last: f64 = batches[BATCHES - quarter..].iter().sum();
    let change = last / first - 1.0;
    (tau.abs() > TAU_MIN && change.abs() >= DRIFT_MIN).then_some(change)
}

/// A quantile of sorted values, interpolated between the two that are nearest.
fn quantile(sorted: &[f64], part: f64) -> f64 {
    let at = part * (sorted.len() - 1) as f64;
    let (below, above) = (at.floor() as usize, at.ceil() as usize);
    sorted[below] + (at - at.floor()) * (sorted[above] - sorted[below])
}

#[cfg(test)]
mod tests;
