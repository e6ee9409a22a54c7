//! The intervals of a record's figures, from the seconds of its series. The method stands in [`confidence`].
//!
//! The series keeps the response times of all requests, failures included. They are `all_us`; where nothing failed they
//! are `response_us` too. It keeps the service times of requests that did not fail, `service_us`. Client times have no
//! seconds, and no interval.

use crate::analysis::confidence::{Mean, Percentile};
use crate::metrics::latencies::Latencies;

use super::distribution::{add_sample, add_service};
use super::load_rate;
use super::schema::{ConfidenceRecord, PERCENTS, Record, Times};

#[cfg(doc)]
use crate::analysis::confidence;

/// The times of a step in each sample of the series.
pub(super) struct StepSeconds {
    /// Response times, failures included.
    pub response: Vec<Latencies>,
    /// Service times of requests that did not fail; empty where the series does not know them.
    pub service: Vec<Latencies>,
}

impl StepSeconds {
    /// The times of every step in the samples of a record's series, those of the settling time left out.
    ///
    /// # Errors
    /// When the record was changed by hand and a histogram of its series cannot be read.
    pub fn of_series(record: &Record) -> Result<Vec<Self>, String> {
        let of_step = |at: usize| {
            let mut seconds = Self {
                response: Vec::new(),
                service: Vec::new(),
            };
            for sample in record.series.iter().filter(|sample| !sample.is_settling) {
                let (mut response, mut service) = (Latencies::default(), Latencies::default());
                add_sample(&mut response, &sample.steps[at])?;
                add_service(&mut service, &sample.steps[at])?;
                seconds.response.push(response);
                seconds.service.push(service);
            }
            Ok(seconds)
        };
        (0..record.steps.len()).map(of_step).collect()
    }
}

/// Puts the intervals into a record, from the times of each sample of its series, by step.
pub(super) fn put_into(record: &mut Record, steps: &[StepSeconds]) {
    let samples = record.series.iter().filter(|sample| !sample.is_settling);
    // All but the last of the load and of the drain are of this length.
    let second_s = samples
        .clone()
        .map(|sample| sample.length_s)
        .fold(0.0, f64::max);
    let nothing = vec![Latencies::default(); samples.count()];
    let mut all = StepSeconds {
        response: nothing.clone(),
        service: nothing,
    };
    for (step, seconds) in record.steps.iter_mut().zip(steps) {
        add(&mut all.response, &seconds.response);
        add(&mut all.service, &seconds.service);
        step.confidence = bound(
            &mut step.all_us,
            &sum(&seconds.response),
            &seconds.response,
            second_s,
        );
        bound(
            &mut step.service_us,
            &sum(&seconds.service),
            &seconds.service,
            second_s,
        );
        if step.failures == 0 && step.response_us.count == step.all_us.count {
            step.response_us.bounds = step.all_us.bounds;
        }
    }
    let totals = &mut record.totals;
    totals.confidence = bound(
        &mut totals.all_us,
        &sum(&all.response),
        &all.response,
        second_s,
    );
    bound(
        &mut totals.service_us,
        &sum(&all.service),
        &all.service,
        second_s,
    );
    let rps = load_rate::of_load(&record.series, record.run.load.from_s(), |sample| {
        sample.steps.iter().map(|step| step.requests).sum()
    });
    let totals = &mut record.totals;
    if totals.failures == 0 && totals.response_us.count == totals.all_us.count {
        totals.response_us.bounds = totals.all_us.bounds;
    }
    if let Some(rps) = rps {
        totals.rps_low = Some(rps.low.max(0.0).min(totals.rps));
        totals.rps_high = Some(rps.high.max(totals.rps));
    }
}

fn add(sums: &mut [Latencies], seconds: &[Latencies]) {
    for (sum, second) in sums.iter_mut().zip(seconds) {
        *sum += second;
    }
}

fn sum(seconds: &[Latencies]) -> Latencies {
    let mut sum = Latencies::default();
    seconds.iter().for_each(|second| sum += second);
    sum
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::interval::Interval;

    /// So many requests, that took from 1 to 2 ms.
    fn interval(requests: u64, is_drain: bool) -> Interval {
        let mut interval = Interval::new(1);
        interval.is_drain = is_drain;
        interval.steps[0].requests = requests;
        for nth in 0..requests {
            interval.steps[0]
                .response
                .record(1_000_000 + nth * 1_000_000 / requests);
        }
        interval
    }

    #[test]
    fn percentiles_and_mean_are_bounded_and_say_what_that_rests_on() {
        let seconds: Vec<Latencies> = (0..30)
            .map(|_| interval(1_000, false).steps[0].response.clone())
            .collect();
        let mut all = Latencies::default();
        seconds.iter().for_each(|second| all += second);
        let mut times = super::super::distribution::times(&all);
        let rests_on = bound(&mut times, &all, &seconds, 2.0);
        assert_eq!(rests_on.len(), PERCENTS.len());
        assert_eq!((rests_on[0].percent, rests_on[0].batch_s), (50.0, 2.0));
        let bounds = times.bounds;
        let p50 = (bounds.p50_low, times.p50, bounds.p50_high);
        assert!(p50.0 <= p50.1 && p50.1 <= p50.2, "{p50:?}");
        let mean = (bounds.mean_low, times.mean, bounds.mean_high);
        assert!(mean.0 <= mean.1 && mean.1 <= mean.2, "{mean:?}");
    }
}
