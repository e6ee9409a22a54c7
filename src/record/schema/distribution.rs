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
    /// The 95 % intervals of the percentiles; the mean's too.
    #[serde(flatten)]
    pub bounds: Bounds,
}

/// Both ends of the 95 % intervals of [`Times`], in microseconds; `None` where the run does not bound it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "percentiles, named by their percent")]
pub struct Bounds {
    pub mean_low: Option<f64>,
    pub mean_high: Option<f64>,
    pub p50_low: Option<f64>,
    pub p50_high: Option<f64>,
    pub p66_low: Option<f64>,
    pub p66_high: Option<f64>,
    pub p75_low: Option<f64>,
    pub p75_high: Option<f64>,
    pub p80_low: Option<f64>,
    pub p80_high: Option<f64>,
    pub p90_low: Option<f64>,
    pub p90_high: Option<f64>,
    pub p95_low: Option<f64>,
    pub p95_high: Option<f64>,
    pub p98_low: Option<f64>,
    pub p98_high: Option<f64>,
    pub p99_low: Option<f64>,
    pub p99_high: Option<f64>,
    pub p99_9_low: Option<f64>,
    pub p99_9_high: Option<f64>,
    pub p99_99_low: Option<f64>,
    pub p99_99_high: Option<f64>,
}

/// What an interval of a percentile of `all_us` rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ConfidenceRecord {
    /// The percentile: 99 is p99.
    pub percent: f64,
    /// Length of a batch of seconds, in seconds.
    pub batch_s: f64,
    /// Independent samples that would know the percentile equally well.
    pub effective_samples: f64,
    /// Degrees of freedom of the variance between batches.
    pub degrees_of_freedom: f64,
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

impl Bounds {
    /// Both ends at each of [`PERCENTS`].
    pub fn percentiles(&self) -> [(Option<f64>, Option<f64>); 10] {
        [
            (self.p50_low, self.p50_high),
            (self.p66_low, self.p66_high),
            (self.p75_low, self.p75_high),
            (self.p80_low, self.p80_high),
            (self.p90_low, self.p90_high),
            (self.p95_low, self.p95_high),
            (self.p98_low, self.p98_high),
            (self.p99_low, self.p99_high),
            (self.p99_9_low, self.p99_9_high),
            (self.p99_99_low, self.p99_99_high),
        ]
    }

    /// Both ends at each of [`PERCENTS`], to be filled in.
    pub fn percentiles_mut(&mut self) -> [(&mut Option<f64>, &mut Option<f64>); 10] {
        [
            (&mut self.p50_low, &mut self.p50_high),
            (&mut self.p66_low, &mut self.p66_high),
            (&mut self.p75_low, &mut self.p75_high),
            (&mut self.p80_low, &mut self.p80_high),
            (&mut self.p90_low, &mut self.p90_high),
            (&mut self.p95_low, &mut self.p95_high),
            (&mut self.p98_low, &mut self.p98_high),
            (&mut self.p99_low, &mut self.p99_high),
            (&mut self.p99_9_low, &mut self.p99_9_high),
            (&mut self.p99_99_low, &mut self.p99_99_high),
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
