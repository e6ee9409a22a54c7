//! What differs from run to run, where a record has several runs inside.

use serde::{Deserialize, Serialize};

/// The spread of the runs' figures over all requests; each run's own figures stand in the record's `runs`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SpreadRecord {
    /// Of `totals.rps`, requests per second.
    pub rps: SpreadFigure,
    /// Of the mean of `totals.all_us`, in microseconds.
    pub mean_us: SpreadFigure,
    /// Of its p50, in microseconds.
    pub p50_us: SpreadFigure,
    /// Of its p95, in microseconds.
    pub p95_us: SpreadFigure,
    /// Of its p99, in microseconds.
    pub p99_us: SpreadFigure,
}

/// A figure over the runs that have it; all `None` when none has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SpreadFigure {
    /// Arithmetic mean of the runs' figures.
    pub mean: Option<f64>,
    /// Sample standard deviation as a share of `mean`; `None` with fewer than two runs.
    pub deviation: Option<f64>,
    /// The least of the runs' figures.
    pub min: Option<f64>,
    /// The greatest of them.
    pub max: Option<f64>,
    /// Lower end of the 95 % interval between runs, by Student's t on the logarithms of the runs' figures; `None` with
    /// fewer than three runs.
    pub low: Option<f64>,
    /// Upper end of the same interval.
    pub high: Option<f64>,
}
