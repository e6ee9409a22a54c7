//! What every way to join samples has in common: a step's counts and histograms added up, seconds by
//! verdict, and the causes of doubt.

use std::collections::BTreeMap;

use crate::metrics::latencies::Latencies;
use crate::metrics::seconds::{Seconds, Status};

use super::distribution::{add_sample, add_service, packed};
use super::schema::{SampleRecord, StepSampleRecord};

/// The seconds of samples by verdict. A record that was changed by hand may hold counts whose sum is too large.
pub(super) fn judged<'r>(samples: impl Iterator<Item = &'r SampleRecord>) -> Seconds {
    let mut sum = Seconds::default();
    for (name, count) in samples.flat_map(|sample| &sample.seconds) {
        if let Some(status) = Status::ALL.into_iter().find(|status| status.name() == name) {
            sum[status] = sum[status].saturating_add(*count);
        }
    }
    sum
}

/// The same as a record has it: those that there are.
pub(super) fn by_verdict(judged: &Seconds) -> BTreeMap<String, u64> {
    let by_status = Status::ALL.map(|status| (status.name().to_owned(), judged[status]));
    let known = by_status.into_iter().filter(|(_, count)| *count > 0);
    known.collect()
}

/// Samples of one step, added up. Counts of a record that was changed by hand may be too large for a sum.
#[derive(Default)]
pub(super) struct StepSum {
    pub requests: u64,
    pub failures: u64,
    body_bytes: u64,
    /// Response times, failures included.
    pub response: Latencies,
    service: Latencies,
    /// A sample does not know its service times: an older version wrote it.
    lacks_service: bool,
}

impl StepSum {
    /// Adds a sample.
    ///
    /// # Errors
    /// When one of its histograms cannot be read.
    pub fn add(&mut self, step: &StepSampleRecord) -> Result<(), String> {
        self.requests = self.requests.saturating_add(step.requests);
        self.failures = self.failures.saturating_add(step.failures);
        self.body_bytes = self.body_bytes.saturating_add(step.body_bytes);
        self.lacks_service |= step.service.is_empty();
        add_sample(&mut self.response, step)?;
        add_service(&mut self.service, step)
    }

    /// The sum as a sample.
    pub fn record(&self) -> StepSampleRecord {
        let (sum_us, min_us, max_us) = exact_us(&self.response);
        let (service_sum_us, service_min_us, service_max_us) = match self.lacks_service {
            true => (0.0, 0.0, 0.0),
            false => exact_us(&self.service),
        };
        StepSampleRecord {
            requests: self.requests,
            failures: self.failures,
            body_bytes: self.body_bytes,
            sum_us,
            min_us,
            max_us,
            response: packed(&self.response),
            service_sum_us,
            service_min_us,
            service_max_us,
            service: match self.lacks_service {
                true => String::new(),
                false => packed(&self.service),
            },
        }
    }
}

/// Sum, least and greatest, to the nanosecond. Without a time the least is `u64::MAX`, and the greatest 0.
fn exact_us(times: &Latencies) -> (f64, f64, f64) {
    let (sum_ns, min_ns, max_ns) = times.exact_ns();
    let us = |ns: u64| ns as f64 / 1e3;
    (sum_ns as f64 / 1e3, us(min_ns.min(max_ns)), us(max_ns))
}

/// Each cause of doubt with its worst figure.
pub(super) fn worst_causes<'s>(
    samples: impl Iterator<Item = &'s SampleRecord>,
) -> BTreeMap<String, f64> {
    let mut worst = BTreeMap::new();
    for (cause, figure) in samples.flat_map(|sample| &sample.causes) {
        let known = worst.entry(cause.clone()).or_insert(*figure);
        *known = figure.max(*known);
    }
    worst
}
