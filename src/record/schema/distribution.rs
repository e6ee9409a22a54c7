//! Distributions of times: in figures, and as whole histograms.

use serde::{Deserialize, Serialize};

/// A distribution in figures, in microseconds; all `None` when it holds no times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "percentiles, named by their percent")]
pub struct Times {
    /// How many times the distribution holds.
    pub count: u64,
    /// The least time, to the nanosecond.
    pub min: Option<f64>,
    /// The mean, to the nanosecond.
    pub mean: Option<f64>,
    pub p50: Option<f64>,
    pub p66: Option<f64>,
    pub p75: Option<f64>,
    pub p80: Option<f64>,
    pub p90: Option<f64>,
    pub p95: Option<f64>,
    pub p98: Option<f64>,
    pub p99: Option<f64>,
    pub p99_9: Option<f64>,
    pub p99_99: Option<f64>,
    /// The greatest time, to the nanosecond.
    pub max: Option<f64>,
}

/// The percentiles of [`Times`], in order.
pub const PERCENTS: [f64; 10] = [50.0, 66.0, 75.0, 80.0, 90.0, 95.0, 98.0, 99.0, 99.9, 99.99];

impl Times {
    /// The values of [`PERCENTS`], in microseconds.
    pub fn percentiles(&self) -> [Option<f64>; 10] {
        [
            self.p50,
            self.p66,
            self.p75,
            self.p80,
            self.p90,
            self.p95,
            self.p98,
            self.p99,
            self.p99_9,
            self.p99_99,
        ]
    }
}

/// The distributions of a step, or of all steps: HdrHistogram V2, deflated, base64; microseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Histograms {
    /// The distribution of `service_us`.
    pub service: String,
    /// The distribution of `response_us`.
    pub response: String,
    /// The distribution of `client_us`.
    pub client: String,
    /// The distribution of `failures_us`.
    pub failures: String,
}
