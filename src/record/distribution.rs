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
    let ns = |us: f64| (us * 1e3).round() as u64;
    let sum_ns = (mean_us * 1e3 * times.count as f64).round() as u128;
    let bytes = STANDARD
        .decode(packed)
        .map_err(|error| format!("not base64: {error}"))?;
    sum.add_v2_deflate(&bytes, (sum_ns, ns(min_us), ns(max_us)))
}

/// Adds the packed response times of a step's sample to `sum`.
///
/// # Errors
/// When the record was changed by hand and holds no such histogram.
pub fn add_sample(sum: &mut Latencies, step: &StepSampleRecord) -> Result<(), String> {
    let bytes = STANDARD
        .decode(&step.response)
        .map_err(|error| format!("not base64: {error}"))?;
    let ns = |us: f64| (us * 1e3) as u64;
    // A sample without requests has no least time.
    let min_ns = match step.requests == 0 && step.max_us == 0.0 {
        true => u64::MAX,
        false => ns(step.min_us),
    };
    sum.add_v2_deflate(
        &bytes,
        ((step.sum_us * 1e3) as u128, min_ns, ns(step.max_us)),
    )
}
