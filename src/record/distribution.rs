//! Distributions of times as records hold them: in figures, and packed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::metrics::latencies::Latencies;

use super::schema::{Bounds, PERCENTS, StepSampleRecord, Times};

/// The figures of a distribution.
pub fn times(latencies: &Latencies) -> Times {
    if latencies.is_empty() {
        return Times::default();
    }
    let [p50, p66, p75, p80, p90, p95, p98, p99, p99_9, p99_99] =
        PERCENTS.map(|percent| Some(latencies.percentile_us(percent)));
    Times {
        count: latencies.count(),
        min: Some(latencies.min_us()),
        mean: Some(latencies.mean_us()),
        p50,
        p66,
        p75,
        p80,
        p90,
        p95,
        p98,
        p99,
        p99_9,
        p99_99,
        max: Some(latencies.max_us()),
        bounds: Bounds::default(),
    }
}

/// A whole distribution: HdrHistogram V2, deflated, base64; microseconds.
pub fn packed(latencies: &Latencies) -> String {
    STANDARD.encode(latencies.to_v2_deflate())
}

/// Adds a packed distribution to `sum`: the exact sum, least and greatest come from its figures.
///
/// # Errors
/// When the record was changed by hand and holds no such histogram.
pub fn add_packed(sum: &mut Latencies, packed: &str, times: &Times) -> Result<(), String> {
    let (Some(mean_us), Some(min_us), Some(max_us)) = (times.mean, times.min, times.max) else {
        return Ok(());
    };
    let before = sum.count();
    let exact_ns = (
        (mean_us * 1e3 * times.count as f64).round() as u128,
        nanoseconds(min_us),
        nanoseconds(max_us),
    );
    sum.add_v2_deflate(&unpacked(packed)?, exact_ns)?;
    match sum.count() - before == times.count {
        true => Ok(()),
        false => Err(format!(
            "it holds {} times, and its figures say {}",
            sum.count() - before,
            times.count
        )),
    }
}

/// Adds the packed response times of a step's sample to `sum`.
///
/// # Errors
/// When the record was changed by hand and holds no such histogram.
pub fn add_sample(sum: &mut Latencies, step: &StepSampleRecord) -> Result<(), String> {
    // A sample without requests has no least time.
    let is_empty = step.requests == 0 && step.max_us == 0.0;
    let exact_us = (step.sum_us, step.min_us, step.max_us);
    add_exact(sum, &step.response, exact_us, is_empty)
}

/// Adds the packed service times of a step's sample to `sum`; nothing where the record does not know them.
///
/// # Errors
/// When the record was changed by hand and holds no such histogram.
pub fn add_service(sum: &mut Latencies, step: &StepSampleRecord) -> Result<(), String> {
    if step.service.is_empty() {
        return Ok(());
    }
    let exact_us = (
        step.service_sum_us,
        step.service_min_us,
        step.service_max_us,
    );
    add_exact(sum, &step.service, exact_us, step.service_max_us == 0.0)
}

fn add_exact(
    sum: &mut Latencies,
    packed: &str,
    (sum_us, min_us, max_us): (f64, f64, f64),
    is_empty: bool,
) -> Result<(), String> {
    let min_ns = match is_empty {
        true => u64::MAX,
        false => nanoseconds(min_us),
    };
    let exact_ns = ((sum_us * 1e3).round() as u128, min_ns, nanoseconds(max_us));
    sum.add_v2_deflate(&unpacked(packed)?, exact_ns)
}

fn unpacked(packed: &str) -> Result<Vec<u8>, String> {
    STANDARD
        .decode(packed)
        .map_err(|error| format!("not base64: {error}"))
}

/// Whole nanoseconds were written as microseconds: cutting off instead of rounding would lose one.
fn nanoseconds(us: f64) -> u64 {
    (us * 1e3).round() as u64
}
