//! The intervals of a record's figures, from the seconds of its series. The method stands in [`confidence`].
//!
//! The series keeps the response times of all requests, failures included. They are `all_us`; where nothing failed they
//! are `response_us` too. Service and client times have no seconds, and no interval.

use crate::analysis::confidence::{Mean, Percentile};
use crate::metrics::latencies::Latencies;
use crate::metrics::summary::Sample;

use super::schema::{ConfidenceRecord, PERCENTS, Record, Times};

#[cfg(doc)]
use crate::analysis::confidence;

/// A sample shorter than this part of the longest is the rest of the load, and no second for a rate.
const WHOLE_MIN: f64 = 0.9;

/// Puts the intervals into a record. `samples` is the series that the record was made of; `steps` are all requests of
/// each step, failures included.
pub(super) fn put_into(record: &mut Record, samples: &[Sample], steps: &[Latencies]) {
    let mut all = Latencies::default();
    let mut seconds_of_all = vec![Latencies::default(); samples.len()];
    let lengths = samples.iter().map(|sample| sample.length_ns).sum::<u64>();
    let second_s = lengths as f64 / 1e9 / samples.len().max(1) as f64;
    for (at, (step, times)) in record.steps.iter_mut().zip(steps).enumerate() {
        let seconds: Vec<Latencies> = samples
            .iter()
            .map(|sample| sample.steps[at].unpack().response)
            .collect();
        for (sum, second) in seconds_of_all.iter_mut().zip(&seconds) {
            *sum += second;
        }
        all += times;
        step.confidence = bound(&mut step.all_us, times, &seconds, second_s);
        if step.failures == 0 && step.response_us.count == step.all_us.count {
            step.response_us.bounds = step.all_us.bounds;
        }
    }
    let totals = &mut record.totals;
    totals.confidence = bound(&mut totals.all_us, &all, &seconds_of_all, second_s);
    if totals.failures == 0 && totals.response_us.count == totals.all_us.count {
        totals.response_us.bounds = totals.all_us.bounds;
    }
    if let Some(rps) = rate(samples) {
        totals.rps_low = Some(rps.low.max(0.0).min(totals.rps));
        totals.rps_high = Some(rps.high.max(totals.rps));
    }
}

/// Bounds the percentiles and the mean of a distribution; what that rests on, by percentile.
fn bound(
    times: &mut Times,
    all: &Latencies,
    seconds: &[Latencies],
    second_s: f64,
) -> Vec<ConfidenceRecord> {
    let mut rests_on = Vec::new();
    for (percent, (low, high)) in PERCENTS.into_iter().zip(times.bounds.percentiles_mut()) {
        let Some(found) = Percentile::of(percent, all, seconds) else {
            continue;
        };
        (*low, *high) = (Some(found.low_us), found.high_us);
        rests_on.push(ConfidenceRecord {
            percent,
            batch_s: found.share.batch as f64 * second_s,
            effective_samples: found.share.effective,
            degrees_of_freedom: found.share.freedom,
        });
    }
    let sums: Vec<(u64, f64)> = seconds
        .iter()
        .map(|second| (second.count(), second.mean_us() * second.count() as f64))
        .collect();
    if let Some(mean) = Mean::of_sums(&sums) {
        times.bounds.mean_low = Some(mean.low);
        times.bounds.mean_high = Some(mean.high);
    }
    rests_on
}

/// The rate of the load's whole seconds.
fn rate(samples: &[Sample]) -> Option<Mean> {
    let load = || samples.iter().filter(|sample| !sample.is_drain);
    let longest_ns = load().map(|sample| sample.length_ns).max()?;
    let whole = load().filter(|sample| sample.length_ns as f64 >= WHOLE_MIN * longest_ns as f64);
    let rates: Vec<f64> = whole
        .map(|sample| {
            let requests: u64 = sample.steps.iter().map(|step| step.requests).sum();
            requests as f64 / (sample.length_ns as f64 / 1e9)
        })
        .collect();
    Mean::of(&rates)
}
